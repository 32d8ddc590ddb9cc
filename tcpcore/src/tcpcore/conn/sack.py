"""The sender's scoreboard: what is in flight and what became of it (RFC 2018, RFC 6675, RFC 8985).

Sequence space from SND.UNA to SND.NXT is cut into ranges, not segments: what left at the same moment and had the same
fate is one range, so that a lossless transfer has one for each burst. Every operation is O(log n), or amortised O(1).

    SND.UNA                                                                        SND.NXT
       | LOST | SACKED | IN_FLIGHT (sent again) | SACKED | IN_FLIGHT | IN_FLIGHT (later) |
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tcpcore.conn.rate import Departure

IN_FLIGHT: Final = 0
SACKED: Final = 1
LOST: Final = 2

MAX_ISLANDS: Final = 4096
"""SACKED ranges kept; with more of them, SACK blocks are not looked at: a peer that sends such is not honest."""
_COMPACT: Final = 64
_START: Final = attrgetter("start")


class Range:
    """Octets ``start`` to ``end`` that were last sent at ``time``; ``resent``: not for the first time.

    ``departure``: what delivery rate sampling has to know, if it is on.
    """

    __slots__ = ("departure", "end", "resent", "start", "state", "time")

    def __init__(
        self, start: int, end: int, time: float, state: int = IN_FLIGHT, resent: bool = False,
        departure: Departure | None = None,
    ) -> None:  # fmt: skip
        self.start = start
        self.end = end
        self.time = time
        self.state = state
        self.resent = resent
        self.departure = departure

    def __repr__(self) -> str:
        name = ("in flight", "sacked", "lost")[self.state]
        return f"<{self.start}:{self.end} {name} {self.time}{' again' if self.resent else ''}>"


class Delivery:
    """What one ACK delivered: newly acknowledged octets, selectively or not.

    ``first`` and ``again``: (time, end) of the latest sent among those sent once, and among those sent again.
    ``oldest``: the earliest time among those sent once. ``reordered``: something sent once came after later octets.
    ``survived``: something called lost arrived without having been sent again. ``duplicate``: right edge of a DSACK.
    ``newest``: (time, end, departure) of the latest sent of all, for delivery rate sampling.
    """

    __slots__ = ("again", "bytes", "duplicate", "first", "newest", "oldest", "reordered", "survived")

    def __init__(self) -> None:
        self.bytes = 0
        self.first: tuple[float, int] | None = None
        self.again: tuple[float, int] | None = None
        self.oldest: float | None = None
        self.reordered = False
        self.survived = False
        self.duplicate: int | None = None
        self.newest: tuple[float, int, Departure] | None = None


NOTHING: Final = Delivery()


class Scoreboard:
    """``sacked`` and ``lost`` are in octets; what is lost and was sent again counts as in flight."""

    __slots__ = (
        "_again", "_head", "_islands", "_looked_to", "_lost_from", "_ranges", "fack", "losses", "lost", "sacked",
    )  # fmt: skip

    def __init__(self, una: int) -> None:
        self._ranges: list[Range] = []
        self._head = 0
        self._islands = 0
        self._looked_to = una
        """Nothing before this waits for its first copy."""
        self._lost_from = una
        """No range before this is lost."""
        self._again: deque[tuple[float, int, int]] | None = None
        """(time, start, end) of every retransmission, oldest first; those overtaken by events stay in it."""
        self.sacked = 0
        self.lost = 0
        self.losses: list[tuple[Departure, int, int]] | None = None
        """(departure, start, end) of what was found lost, until delivery rate sampling takes it."""
        self.fack = una
        """The highest sequence number known to have arrived."""

    def __len__(self) -> int:
        return len(self._ranges) - self._head

    # Sending

    def sent(self, start: int, end: int, now: float, departure: Departure | None = None) -> None:
        """New octets left."""
        if self._ranges:
            last = self._ranges[-1]
            if last.time == now and last.state == IN_FLIGHT and not last.resent and last.departure is departure:
                last.end = end
                return
        self._ranges.append(Range(start, end, now, IN_FLIGHT, False, departure))

    def resent(self, start: int, end: int, now: float, departure: Departure | None = None) -> None:
        """Octets left once more."""
        index = self._cut(start, end)
        ranges = self._ranges
        while index < len(ranges) and ranges[index].start < end:
            piece = ranges[index]
            if piece.state == LOST:
                self.lost -= piece.end - piece.start
                piece.state = IN_FLIGHT
            piece.time, piece.resent, piece.departure = now, True, departure
            index += 1
        if self._again is None:
            self._again = deque()
        later: list[tuple[float, int, int]] = []
        while self._again and self._again[-1][0] == now and self._again[-1][1] > start:
            later.append(self._again.pop())  # left at the same moment: those are told apart by number
        self._again.append((now, start, end))
        self._again.extend(reversed(later))

    # Acknowledgements

    def acknowledge(self, ack: int, delivery: Delivery) -> None:
        """Everything before ``ack`` arrived, SND.UNA =< ``ack`` =< SND.NXT."""
        ranges, head = self._ranges, self._head
        while head < len(ranges) and (piece := ranges[head]).end <= ack:
            self._arrived(piece, delivery)
            if piece.state == SACKED:
                self.sacked -= piece.end - piece.start
                self._islands -= 1
            head += 1
        if head < len(ranges) and (piece := ranges[head]).start < ack:
            part = Range(piece.start, ack, piece.time, piece.state, piece.resent, piece.departure)
            self._arrived(part, delivery)
            if piece.state == SACKED:
                self.sacked -= ack - piece.start
            piece.start = ack
        self._forget(head)
        while self._again and self._again[0][2] <= ack:
            self._again.popleft()

    @property
    def clean(self) -> bool:
        """Whether nothing is missing, and nothing was sent twice."""
        return not self.sacked and not self.lost and self._again is None

    def acknowledge_clean(self, ack: int) -> tuple[float, float]:
        """``acknowledge``, SND.UNA < ``ack``, of a board that is ``clean``: when the first and the last of it left."""
        ranges, head = self._ranges, self._head
        piece = ranges[head]
        oldest = piece.time
        while piece.end < ack:
            head += 1
            piece = ranges[head]
        if piece.end > ack:
            piece.start = ack
        else:
            head += 1
        if head > self._head:
            self._forget(head)
        if ack > self.fack:
            self.fack = ack
        return oldest, piece.time

    def sack(self, left: int, right: int, delivery: Delivery) -> None:
        """The peer holds ``left`` to ``right``, which lie between SND.UNA and SND.NXT."""
        ranges = self._ranges
        index = self._find(left)
        if self._islands >= MAX_ISLANDS:
            return
        while index < len(ranges) and (piece := ranges[index]).start < right:
            if piece.state == SACKED:
                index += 1
                continue
            if piece.start < left:
                self._split(index, left)
                index += 1
                continue
            if piece.end > right:
                self._split(index, right)
            self._arrived(piece, delivery)
            piece.state = SACKED
            self.sacked += piece.end - piece.start
            self._islands += 1
            index = self._join(index) + 1

    # Loss

    def detect(self, time: float, end: int, patience: float, now: float) -> float | None:
        """Mark as lost what was sent before the segment sent at ``time`` that ended at ``end``, and whose wait of
        ``patience`` seconds is over; return in how many seconds the next of them will be, or ``None`` (RFC 8985).
        """
        waits = [self._detect_first(time, end, patience, now)]
        if self._again:
            waits.append(self._detect_again(self._again, time, end, patience, now))
        return min((wait for wait in waits if wait is not None), default=None)

    def _detect_first(self, time: float, end: int, patience: float, now: float) -> float | None:
        """What was sent once left in the order of its numbers."""
        ranges = self._ranges
        index = self._find(self._looked_to)
        wait: float | None = None
        while index < len(ranges):
            piece = ranges[index]
            if piece.state == IN_FLIGHT and not piece.resent:
                if piece.time > time or (piece.time == time and piece.start >= end):
                    break
                if (left := piece.time + patience - now) > 0:
                    wait = left
                    break
                if piece.time == time and piece.end > end:
                    self._split(index, end)
                self._mark_lost(piece)
            index += 1
        if ranges:
            self._looked_to = ranges[index].start if index < len(ranges) else ranges[-1].end
        return wait

    def _detect_again(
        self, again: deque[tuple[float, int, int]], time: float, end: int, patience: float, now: float
    ) -> float | None:
        while again:
            sent, start, stop = again[0]
            if sent > time or (sent == time and start >= end):
                break
            until = min(stop, end) if sent == time else stop
            first = self._first_resent_at(sent, start, until)
            if first is not None and (left := sent + patience - now) > 0:
                again[0] = (sent, first, stop)
                return left
            if first is not None:
                self._lose_resent(sent, first, until)
            again.popleft()
            if until < stop:
                again.appendleft((sent, until, stop))
        return None

    def lose(self, start: int, end: int) -> None:
        """Mark what is in flight of ``start`` to ``end`` as lost."""
        index = self._cut(start, end)
        ranges = self._ranges
        while index < len(ranges) and ranges[index].start < end:
            self._mark_lost(ranges[index])
            index += 1

    def lose_all(self) -> None:
        """A timeout: nothing that was not selectively acknowledged arrived; nothing at all, if the peer reneged."""
        reneged = len(self) > 0 and self._ranges[self._head].state == SACKED  # RFC 2018 section 8
        for piece in self._ranges[self._head :]:
            if piece.state == SACKED and reneged:
                self.sacked -= piece.end - piece.start
                self._islands -= 1
                # When which part of it left is not known any more
                piece.state, piece.time, piece.resent = IN_FLIGHT, inf, True
            self._mark_lost(piece)
        self._again = None

    def forgive(self) -> None:
        """What was called lost was not: it is in flight as before."""
        again = []
        for piece in self._ranges[self._head :]:
            if piece.state == LOST and piece.time != inf:
                self.lost -= piece.end - piece.start
                piece.state = IN_FLIGHT
                self._looked_to = min(self._looked_to, piece.start)
            if piece.state == IN_FLIGHT and piece.resent:
                again.append((piece.time, piece.start, piece.end))
        self._again = deque(sorted(again)) if again else None

    def next_lost(self, limit: int) -> tuple[int, int] | None:
        """The first octets that are lost, (start, end), at most ``limit``; ``None``: nothing is."""
        if not self.lost:
            return None
        ranges = self._ranges
        index = self._find(self._lost_from)
        while ranges[index].state != LOST:
            index += 1
        self._lost_from = start = ranges[index].start
        while index + 1 < len(ranges) and ranges[index + 1].state == LOST and ranges[index].end - start < limit:
            index += 1
        return start, min(ranges[index].end, start + limit)

    def last(self) -> Range | None:
        """The range with the highest numbers that was not selectively acknowledged."""
        for piece in reversed(self._ranges[self._head :]):
            if piece.state != SACKED:
                return piece
        return None

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """What is selectively acknowledged, as (left, right)."""
        return tuple((piece.start, piece.end) for piece in self._ranges[self._head :] if piece.state == SACKED)

    # Ranges

    def _arrived(self, piece: Range, delivery: Delivery) -> None:
        if piece.state == SACKED:
            return
        size = piece.end - piece.start
        if piece.state == LOST:
            self.lost -= size
            delivery.survived |= not piece.resent
        delivery.bytes += size
        mark = (piece.time, piece.end)
        if piece.resent:
            if delivery.again is None or mark > delivery.again:
                delivery.again = mark
        else:
            if delivery.first is None or mark > delivery.first:
                delivery.first = mark
            if delivery.oldest is None or piece.time < delivery.oldest:
                delivery.oldest = piece.time
            if piece.end < self.fack:
                delivery.reordered = True
        if piece.departure is not None and (delivery.newest is None or mark > delivery.newest[:2]):
            delivery.newest = (*mark, piece.departure)
        self.fack = max(self.fack, piece.end)

    def _mark_lost(self, piece: Range) -> None:
        if piece.state == IN_FLIGHT:
            piece.state = LOST
            self._lost_from = min(self._lost_from, piece.start) if self.lost else piece.start
            self.lost += piece.end - piece.start
            if piece.departure is not None:
                if self.losses is None:
                    self.losses = []
                self.losses.append((piece.departure, piece.start, piece.end))

    def _lose_resent(self, sent: float, start: int, end: int) -> None:
        """Mark what was sent again at ``sent``, of ``start`` to ``end``."""
        index = self._cut(start, end)
        ranges = self._ranges
        while index < len(ranges) and (piece := ranges[index]).start < end:
            if piece.time == sent and piece.resent:
                self._mark_lost(piece)
            index += 1

    def _first_resent_at(self, sent: float, start: int, end: int) -> int | None:
        """Where what was sent again at ``sent`` and is in flight begins, between ``start`` and ``end``."""
        ranges = self._ranges
        index = self._find(start)
        while index < len(ranges) and (piece := ranges[index]).start < end:
            if piece.state == IN_FLIGHT and piece.resent and piece.time == sent:
                return max(piece.start, start)
            index += 1
        return None

    def _find(self, seq: int) -> int:
        """Index of the range with ``seq``, or of the first one behind it."""
        return max(bisect_right(self._ranges, seq, self._head, key=_START) - 1, self._head)

    def _cut(self, start: int, end: int) -> int:
        """Cut the ranges at both edges, but not what is SACKED; the index of the one with ``start``."""
        ranges = self._ranges
        index = self._find(start)
        if index < len(ranges) and (piece := ranges[index]).start < start and piece.state != SACKED:
            self._split(index, start)
            index += 1
        at = self._find(end)
        if at < len(ranges) and (piece := ranges[at]).start < end < piece.end and piece.state != SACKED:
            self._split(at, end)
        return index

    def _split(self, index: int, at: int) -> None:
        piece = self._ranges[index]
        self._ranges.insert(index + 1, Range(at, piece.end, piece.time, piece.state, piece.resent, piece.departure))
        piece.end = at

    def _join(self, index: int) -> int:
        """Make one of the SACKED range and those SACKED beside it; its index."""
        ranges = self._ranges
        piece = ranges[index]
        if index + 1 < len(ranges) and ranges[index + 1].state == SACKED:
            piece.end = ranges[index + 1].end
            self._islands -= 1
            del ranges[index + 1]
        if index > self._head and ranges[index - 1].state == SACKED:
            ranges[index - 1].end = piece.end
            self._islands -= 1
            del ranges[index]
            return index - 1
        return index

    def _forget(self, head: int) -> None:
        """Ranges before ``head`` are done with."""
        ranges = self._ranges
        if head == len(ranges):
            self._ranges, head = [], 0
            self._again = None
        elif head >= _COMPACT and head * 2 >= len(ranges):
            del ranges[:head]
            head = 0
        self._head = head
