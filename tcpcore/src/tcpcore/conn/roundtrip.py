"""A round-trip time from every ACK of new octets (RFC 7323 section 4), by Karn's algorithm (RFC 6298 section 3)."""

from __future__ import annotations

from tcpcore.conn import spurious
from tcpcore.conn.sack import Delivery
from tcpcore.conn.tcb import TIMESTAMP_TICK, Tcb
from tcpcore.timing import RETRANSMIT
from tcpcore.wire.tcp import ACK, Segment


def measure(tcb: Tcb, seg: Segment, delivery: Delivery, acked: int, now: float) -> None:
    """``seg`` tells of ``delivery``, and acknowledges ``acked`` octets; SND.UNA has not moved yet."""
    if delivery.again is not None:
        rtt = _echoed(tcb, seg, now) if acked else None
        if rtt is None:
            return
    elif delivery.first is None or delivery.oldest is None:
        return
    else:
        tcb.rtt.seen(now - delivery.first[0])
        rtt = now - delivery.oldest  # the peer's delay of its ACK is part of what the RTO has to cover
    # RFC 7323 appendix G, and fewer samples where an ACK is for more than two segments
    tcb.rtt.sample(rtt, -((tcb.snd_una - tcb.snd_nxt) // max(2 * tcb.mss, delivery.bytes)), tcb.env.late)


def measure_syn(tcb: Tcb, seg: Segment, now: float) -> None:
    """``seg`` acknowledges our SYN."""
    if not tcb.timers.armed(RETRANSMIT):
        return  # it was a cookie
    if not tcb.syn_retransmitted:
        measure_only_syn(tcb, now)
    elif (rtt := _echoed(tcb, seg, now)) is not None:
        tcb.rtt.sample(rtt, 1, tcb.env.late)


def measure_only_syn(tcb: Tcb, now: float) -> None:
    """Our SYN, which was sent once, is acknowledged."""
    rtt = now - tcb.first_unacked_at
    tcb.rtt.seen(rtt)
    tcb.rtt.sample(rtt, 1, tcb.env.late)


def _echoed(tcb: Tcb, seg: Segment, now: float) -> float | None:
    """The age of the timestamp echoed, if it is that of a retransmission: then no other copy is meant."""
    if not tcb.ts_on or not seg.flags & ACK or spurious.echoes_first_copy(tcb, seg):
        return None
    age = tcb.timestamp_age(seg.timestamp_echo, now)
    return age if age <= now - tcb.opened_at + TIMESTAMP_TICK else None
