"""A round-trip time from every ACK of new octets (RFC 7323 section 4), by Karn's algorithm (RFC 6298 section 3)."""

from __future__ import annotations

from tcpcore.conn.tcb import TIMESTAMP_TICK, Tcb
from tcpcore.conn.transmissions import Transmissions
from tcpcore.wire.tcp import ACK, Segment


def sent(tcb: Tcb, now: float) -> None:
    """New octets leave: SND.NXT is behind them."""
    if tcb.transmissions is None:
        tcb.transmissions = Transmissions(tcb.snd_nxt, now)
    else:
        tcb.transmissions.sent(tcb.snd_nxt, now)


def resent(tcb: Tcb, end: int) -> None:
    """Octets before ``end`` leave again: who acknowledges them may mean any copy."""
    if tcb.transmissions is not None:
        tcb.transmissions.resent_to = max(tcb.transmissions.resent_to, end)


def measure(tcb: Tcb, seg: Segment, ack: int, now: float) -> None:
    """``seg`` acknowledges new octets, before ``ack``; SND.UNA has not moved yet."""
    record = tcb.transmissions
    if record is None:
        return
    ambiguous = tcb.snd_una < record.resent_to
    oldest, newest = record.acknowledged(ack)
    if not record:
        tcb.transmissions = None
    rtt = now - oldest  # of the oldest: the peer's delay of its ACK is part of what the RTO has to cover
    if not ambiguous:
        tcb.rtt.seen(now - newest)
    elif tcb.ts_on and seg.flags & ACK and (age := tcb.timestamp_age(seg.timestamp_echo, now)) <= rtt + TIMESTAMP_TICK:
        rtt = age  # no older than the octets are: of the copy that arrived
    else:
        return
    # RFC 7323 appendix G, and fewer samples where an ACK is for more than two segments
    tcb.rtt.sample(rtt, -((tcb.snd_una - tcb.snd_nxt) // max(2 * tcb.mss, ack - tcb.snd_una)))
