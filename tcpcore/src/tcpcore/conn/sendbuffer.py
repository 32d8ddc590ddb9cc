"""The bytes from SND.UNA on: sent and unacknowledged ones first, then those that were never sent.

The user's ``bytes`` are kept by reference; positions are absolute sequence numbers. Small ones are joined when they
leave, so that what was one segment is one chunk to be acknowledged, or found again.

        start (SND.UNA)            SND.NXT                end
        |  chunk  | chunk |  chunk    | data | data | data |
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

_COMPACT: Final = 64
JOIN_UP_TO: Final = 16 << 10
"""Pieces of so many bytes are copied into one; what is larger leaves by reference, if ...."""
MAX_PIECES: Final = 16
"""... there are no more pieces than these in a packet: gathering them in a system call would cost more than a copy."""
Chunk = bytes | memoryview
_NOTHING: Final[list[int]] = []


class SendBuffer:
    """Lists with a head index: append, leave and acknowledge are amortised O(1), a look-up O(log n).

    The lists are made on demand: an idle connection has none.
    """

    __slots__ = ("_chunks", "_edges", "_head", "_nxt", "_unsent", "_unsent_head", "end", "start")

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self._chunks: list[Chunk] | None = None
        self._edges: list[int] = _NOTHING
        """Where each chunk begins."""
        self._head = self._unsent_head = 0
        self._nxt = start
        """Where what never left begins."""
        self._unsent: list[Chunk] | None = None

    def __len__(self) -> int:
        return self.end - self.start

    def append(self, data: Chunk) -> None:
        """Queue ``data`` behind what is there."""
        if self._unsent is None:
            self._unsent = [data]
        else:
            self._unsent.append(data)
        self.end += len(data)

    def acknowledge(self, ack: int) -> None:
        """Forget everything before ``ack``."""
        self.start = ack
        chunks = self._chunks
        if ack == self._nxt or chunks is None:
            self._chunks, self._edges, self._head = None, _NOTHING, 0
            return
        head, edges, last = self._head, self._edges, len(chunks)
        while head < last and edges[head] + len(chunks[head]) <= ack:
            chunks[head] = b""
            head += 1
        if head == last:
            self._chunks, self._edges, head = None, _NOTHING, 0
        elif head >= _COMPACT and head * 2 >= last:
            del chunks[:head], edges[:head]
            head = 0
        self._head = head

    def pieces(self, seq: int, length: int) -> list[Chunk]:
        """The ``length`` bytes from ``seq`` on, as references and views; ``seq`` is SND.NXT at most."""
        if seq == self._nxt:
            return self._leave(length)
        if seq + length > self._nxt:
            self._leave(seq + length - self._nxt)
        chunks = self._chunks or []
        at = bisect_right(self._edges, seq, self._head) - 1
        chunk = chunks[at]
        offset = seq - self._edges[at]
        if len(chunk) - offset >= length:
            return [chunk if len(chunk) == length else memoryview(chunk)[offset : offset + length]]
        result: list[Chunk] = [memoryview(chunk)[offset:]]
        length -= len(chunk) - offset
        while length > 0:
            at += 1
            chunk = chunks[at]
            result.append(chunk if len(chunk) <= length else memoryview(chunk)[:length])
            length -= len(chunk)
        return [b"".join(result)] if len(result) > MAX_PIECES else result

    def leave(self, end: int) -> None:
        """What is before ``end`` leaves now: ``pieces`` will be asked for all of it, part by part."""
        if end > self._nxt:
            self._leave(end - self._nxt)

    def _leave(self, length: int) -> list[Chunk]:
        """Take ``length`` bytes that never left."""
        unsent = self._unsent or []
        if self._nxt + length == self.end:
            taken = unsent[self._unsent_head :] if self._unsent_head else unsent
            self._unsent, self._unsent_head = None, 0
        else:
            taken = self._cut_off(unsent, length)
        if len(taken) > 1 and (length <= JOIN_UP_TO or length // JOIN_UP_TO < len(taken) > MAX_PIECES):
            taken = [b"".join(taken)]
        if self._chunks is None:
            self._chunks, self._edges = [], []
        for chunk in taken:
            self._chunks.append(chunk)
            self._edges.append(self._nxt)
            self._nxt += len(chunk)
        return taken

    def _cut_off(self, unsent: list[Chunk], length: int) -> list[Chunk]:
        """The first ``length`` bytes that never left, which are not all of them."""
        head = self._unsent_head
        taken: list[Chunk] = []
        while length > 0:
            data = unsent[head]
            if len(data) > length:
                view = memoryview(data)
                taken.append(view[:length])
                unsent[head] = view[length:]
                break
            taken.append(data)
            length -= len(data)
            unsent[head] = b""
            head += 1
        if head >= _COMPACT and head * 2 >= len(unsent):
            del unsent[:head]
            head = 0
        self._unsent_head = head
        return taken
