"""Retransmissions that were not needed, and how their effect is undone (RFC 4015).

They are found by timestamps (Eifel, RFC 3522), by the late arrival of what a timeout called lost (F-RTO with SACK,
RFC 5682), and by the peer's report of duplicates (DSACK, RFC 2883, RFC 3708).
"""

from __future__ import annotations

from tcpcore.conn import tlp
from tcpcore.conn.congestion.base import CongestionControl
from tcpcore.conn.sack import Delivery
from tcpcore.conn.tcb import Tcb
from tcpcore.seqnum import unwrap
from tcpcore.wire.tcp import Segment


class Undo:
    """``congestion`` as it was before a loss that may be none.

    ``octets`` were sent again since, less those reported as duplicates; ``None``: none yet. ``start`` and ``end``: they
    lie between. ``tsval``: timestamp of the first of them, as on the wire.
    """

    __slots__ = ("by_timeout", "congestion", "end", "octets", "start", "tsval")

    def __init__(self, congestion: CongestionControl, *, by_timeout: bool) -> None:
        self.congestion = congestion
        self.by_timeout = by_timeout
        self.octets: int | None = None
        self.start = self.end = 0
        self.tsval = 0


def begin(tcb: Tcb, *, by_timeout: bool) -> None:
    """A loss was found; congestion control has not reacted yet."""
    tcb.undo = Undo(tcb.congestion.save(), by_timeout=by_timeout)


def resent(tcb: Tcb, start: int, end: int, now: float) -> None:
    """``start`` to ``end`` is sent again."""
    spoiled = tcb.undo
    if spoiled is None:
        return
    if spoiled.octets is None:
        spoiled.octets, spoiled.tsval = 0, tcb.timestamp_clock(now)
        spoiled.start = spoiled.end = start
    spoiled.octets += end - start
    spoiled.start, spoiled.end = min(spoiled.start, start), max(spoiled.end, end)


def duplicate_reported(tcb: Tcb, block: tuple[int, int], now: float) -> None:
    """The peer got ``block`` twice."""
    tcb.dsacks_in += 1
    if tcb.rack is not None:
        tcb.rack.duplicate_reported(tcb.snd_una, tcb.snd_nxt)
    spoiled = tcb.undo
    if spoiled is None or spoiled.octets is None:
        return
    again = min(block[1], spoiled.end) - max(block[0], spoiled.start)  # the network makes duplicates too (RFC 3708)
    if again > 0:
        spoiled.octets -= again
        if spoiled.octets <= 0:
            undo(tcb, now)


def is_detected(tcb: Tcb, seg: Segment, delivery: Delivery, acked: int) -> bool:
    """Whether an ACK proves that the first copy of what was sent again had arrived."""
    spoiled = tcb.undo
    if spoiled is None or spoiled.octets is None or not acked or seg.ack <= spoiled.start:
        return False
    if tcb.ts_on:
        return echoes_first_copy(tcb, seg)
    return spoiled.by_timeout and tcb.sack_ok and delivery.survived


def echoes_first_copy(tcb: Tcb, seg: Segment) -> bool:
    """Whether the timestamp echoed is older than what was sent again (RFC 3522 section 3.2)."""
    spoiled = tcb.undo
    if spoiled is None or spoiled.octets is None or not tcb.ts_on:
        return False
    return unwrap(seg.timestamp_echo, spoiled.tsval) < spoiled.tsval


def undo(tcb: Tcb, now: float) -> None:
    """Go on as if nothing had been lost."""
    assert tcb.undo is not None
    tcb.congestion = tcb.congestion.undo(tcb.undo.congestion)
    tcb.undo = tcb.recovery = None
    tcb.retransmissions = tcb.dup_acks = 0
    tcb.rtt.acknowledged()
    if tcb.ecn is not None:
        tcb.ecn.cwr_due = False  # nothing was reduced
    if tcb.scoreboard:
        tcb.scoreboard.forgive()
        tlp.arm(tcb, now)
    tcb.spurious_recoveries += 1
    tcb.tell("spurious", now)
