"""Loss recovery: fast retransmit and NewReno fast recovery (RFC 5681 section 3.2, RFC 6582), and the timeout.

Lost data is named by one range, ``rtx_nxt`` to ``rtx_end``, that output sends again.
"""

from __future__ import annotations

from typing import Final

from tcpcore.conn import mtuprobe
from tcpcore.conn.tcb import Tcb
from tcpcore.timing import Timer

DUPLICATE_THRESHOLD: Final = 3


def on_duplicate_ack(tcb: Tcb, now: float) -> None:
    """RFC 5681 section 3.2 steps 1 to 4, with RFC 6582's ``recover``."""
    tcb.dup_acks += 1
    tcb.duplicate_acks_in += 1
    if tcb.in_recovery:
        tcb.congestion.cwnd += tcb.mss  # step 4: a segment has left the network
    elif tcb.dup_acks == DUPLICATE_THRESHOLD and tcb.mtu_search is not None and mtuprobe.is_lost(tcb):
        mtuprobe.lost(tcb, now)
    elif tcb.dup_acks == DUPLICATE_THRESHOLD and tcb.snd_una > tcb.recover and tcb.rtx_nxt >= tcb.rtx_end:
        tcb.in_recovery = True
        tcb.recover = tcb.snd_nxt
        tcb.congestion.on_loss(tcb.in_flight, now=now)
        tcb.congestion.cwnd += DUPLICATE_THRESHOLD * tcb.mss
        _retransmit_first(tcb)
        _tell(tcb, "fast-retransmit", now)


def on_new_ack(tcb: Tcb, ack: int, now: float) -> None:
    """``ack`` acknowledges new data; SND.UNA has not moved yet."""
    acked = ack - tcb.snd_una
    tcb.dup_acks = 0
    if not tcb.in_recovery:
        tcb.congestion.on_ack(acked, tcb.in_flight, now=now)
    elif ack >= tcb.recover:  # full acknowledgement
        tcb.in_recovery = False
        ssthresh = tcb.congestion.ssthresh or tcb.mss
        tcb.congestion.cwnd = min(ssthresh, max(tcb.snd_nxt - ack, tcb.mss) + tcb.mss)
        _tell(tcb, "recovered", now)
    else:  # partial acknowledgement: the next hole starts at `ack`
        tcb.congestion.cwnd = max(tcb.congestion.cwnd - acked + tcb.mss, tcb.mss)
        tcb.rtx_nxt = ack
        tcb.rtx_end = min(ack + tcb.mss, tcb.snd_nxt)
    tcb.rtx_nxt = max(tcb.rtx_nxt, ack)


def on_timeout(tcb: Tcb, now: float) -> None:
    """RFC 6298 section 5.4 to 5.6: everything outstanding counts as lost, from SND.UNA on."""
    tcb.congestion.on_rto(tcb.in_flight, first=tcb.retransmissions == 0, now=now)
    tcb.retransmissions += 1
    tcb.rtt.back_off()
    tcb.in_recovery = False
    tcb.dup_acks = 0
    tcb.recover = tcb.snd_nxt
    tcb.rtx_nxt = tcb.snd_una
    tcb.rtx_end = tcb.snd_nxt
    tcb.timers.set(Timer.RETRANSMIT, now, tcb.rtt.rto)
    _tell(tcb, "timeout", now)


def state_name(tcb: Tcb) -> str:
    """For people: what the sender is doing."""
    if tcb.in_recovery:
        return "fast recovery"
    if tcb.rtx_nxt < tcb.rtx_end:
        return "loss"
    return "slow start" if tcb.congestion.slow_start else "congestion avoidance"


def _retransmit_first(tcb: Tcb) -> None:
    tcb.rtx_nxt = tcb.snd_una
    tcb.rtx_end = min(tcb.snd_una + tcb.mss, tcb.snd_nxt)


def _tell(tcb: Tcb, event: str, now: float) -> None:
    if tcb.env.observer is not None:
        tcb.env.observer.congestion_event(tcb, event, now)
