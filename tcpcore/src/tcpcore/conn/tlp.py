"""Tail loss probe (RFC 8985 section 7): what is lost at the end of a flight is found without waiting for the RTO.

The timer is lazy, as the keepalive's: it is set once, and looks when it fires whether its time has come. Only when so
much is under way that its ACK is not held back any more, the time may be nearer than the timer.
"""

from __future__ import annotations

from typing import Final

from tcpcore import timing
from tcpcore.conn.sack import Delivery
from tcpcore.conn.tcb import Tcb
from tcpcore.wire.tcp import Segment

SLACK: Final = 0.01
"""Seconds beyond a round trip, at least, before a probe; RFC 8985 waits for a second round trip."""
ACK_DELAY: Final = 0.05
"""Seconds that a peer holds back the ACK of less than two segments at most: Linux 40 ms, and so do we."""
MAX_ACK_DELAY: Final = 0.2
"""The same for a peer that did so for longer."""


def arm(tcb: Tcb, now: float) -> None:
    """New text left, the first or what makes two segments of it: look no later than a probe may be due."""
    if tcb.sack_ok and now + (wait := _wait(tcb)) < tcb.timers.deadlines[timing.TAIL_LOSS]:
        tcb.timers.set(timing.TAIL_LOSS, now, wait)


def expired(tcb: Tcb, now: float) -> None:
    """Probe, wait on, or leave it to recovery."""
    board = tcb.scoreboard
    if board is None or tcb.recovery is not None:
        return
    if board.sacked or tcb.tlp_end is not None:
        # RACK has to tell first, or the probe that is on its way
        tcb.timers.set(timing.TAIL_LOSS, now, _round_trip(tcb))
        return
    left = max(tcb.last_data_out or 0.0, tcb.first_unacked_at) + _wait(tcb) - now
    if left > 0:
        tcb.timers.set(timing.TAIL_LOSS, now, left)
    else:
        tcb.tail_probe_due = True
        tcb.timers.set(timing.RETRANSMIT, now, tcb.rtt.rto)


def repaired_a_loss(tcb: Tcb, seg: Segment, delivery: Delivery) -> bool:
    """Whether an ACK tells that the probe did, which congestion control has to know of (section 7.4.2)."""
    end = tcb.tlp_end
    if end is None or seg.ack < end:
        return False
    if not tcb.tlp_resent or delivery.duplicate == end or (seg.ack == end and not delivery.bytes):
        tcb.slow_acks |= delivery.duplicate == end
        tcb.tlp_end = None  # both copies arrived, or there was only one
    elif seg.ack > end:
        tcb.tlp_end = None
        return True
    return False


def _wait(tcb: Tcb) -> float:
    """Seconds of silence after which a probe is due."""
    wait = _round_trip(tcb)
    if tcb.snd_nxt - tcb.snd_una < 2 * tcb.mss:
        wait += MAX_ACK_DELAY if tcb.slow_acks else ACK_DELAY
    return wait


def _round_trip(tcb: Tcb) -> float:
    """Seconds after which an ACK that is not held back has come."""
    srtt = tcb.rtt.srtt
    return tcb.rtt.rto if srtt is None else srtt + max(srtt / 4, SLACK)
