"""What the ACK field does to the sender (RFC 9293 section 3.10.7.4, fifth): SND.UNA, the scoreboard, SND.WND."""

from __future__ import annotations

from tcpcore.conn import mtuprobe, rate, recovery, roundtrip
from tcpcore.conn.sack import NOTHING
from tcpcore.conn.tcb import Ready, Tcb
from tcpcore.timing import Timer
from tcpcore.wire.tcp import FIN, SYN, Segment


def acknowledged(tcb: Tcb, seg: Segment, now: float) -> None:
    """SND.UNA < SEG.ACK =< SND.NXT: set SND.UNA <- SEG.ACK, remove what is acknowledged."""
    ack, flight = seg.ack, tcb.in_flight
    acked = ack - tcb.snd_una
    delivery = NOTHING
    if tcb.scoreboard is not None:
        delivery = recovery.deliver(tcb, tcb.scoreboard, seg, now)
        roundtrip.measure(tcb, seg, delivery, acked, now)
        if not len(tcb.scoreboard):
            tcb.scoreboard = None
    if tcb.mtu_search is not None:
        mtuprobe.acknowledged(tcb, ack, now)
    before = len(tcb.send_buffer)
    tcb.snd_una = ack
    tcb.send_buffer.acknowledge(min(ack, tcb.send_buffer.end))
    tcb.bytes_acked += before - len(tcb.send_buffer)
    tcb.retransmissions = tcb.probes_unanswered = 0  # the back-off stays until an RTT sample (Karn, MUST-18)
    tcb.first_unacked_at = now
    tcb.soft_error = None
    recovery.react(tcb, seg, delivery, acked, flight, now)
    if tcb.rate is not None:
        rate.acknowledged(tcb, tcb.rate, delivery, now)
    if tcb.in_flight:
        tcb.timers.set(Timer.RETRANSMIT, now, tcb.rtt.rto)  # RFC 6298 section 5.3
    else:
        tcb.timers.clear(Timer.RETRANSMIT)
        tcb.timers.clear(Timer.USER_TIMEOUT)
    if tcb.unreported_write and len(tcb.send_buffer) <= tcb.config.send_buffer // 2:
        tcb.unreported_write = False
        tcb.notify(Ready.WRITABLE)


def duplicate(tcb: Tcb, seg: Segment, now: float) -> None:
    """SND.UNA = SEG.ACK: something arrived, but not what comes next."""
    tcb.duplicate_acks_in += 1
    delivery = recovery.deliver(tcb, tcb.scoreboard, seg, now)
    roundtrip.measure(tcb, seg, delivery, 0, now)
    recovery.react(tcb, seg, delivery, 0, tcb.in_flight, now)
    if tcb.rate is not None:
        rate.acknowledged(tcb, tcb.rate, delivery, now)


def is_duplicate(tcb: Tcb, seg: Segment) -> bool:
    """The five clauses of RFC 5681 section 2; with SACK, an ACK that reports something (RFC 6675 section 2).

    A peer without DSACK tells by a plain one that a tail loss probe was not needed (RFC 8985 section 7.4.2).
    """
    if tcb.sack_ok and (seg.sack or seg.ack != tcb.tlp_end):
        return bool(seg.sack)
    return (
        (tcb.in_flight > 0 or tcb.sack_ok)
        and not seg.payload
        and not seg.flags & (SYN | FIN)
        and seg.wnd << (tcb.snd_wscale or 0) == tcb.snd_wnd
    )


def update_send_window(tcb: Tcb, seg: Segment, now: float) -> None:
    """The RFC asks for a new SEG.SEQ first; but an ACK that moves SND.UNA must not take an old window along."""
    if tcb.snd_wl2 < seg.ack or (tcb.snd_wl2 == seg.ack and tcb.snd_wl1 <= seg.seq):
        wnd = seg.wnd << (tcb.snd_wscale or 0)
        if wnd and not tcb.snd_wnd and tcb.scoreboard is not None and tcb.scoreboard.lost:
            tcb.scoreboard.lose(tcb.snd_una, tcb.snd_una + 1)  # the octet that probed the closed window was refused
        tcb.snd_wnd = wnd
        tcb.snd_wl1, tcb.snd_wl2 = seg.seq, seg.ack
        if wnd > tcb.max_snd_wnd:
            tcb.max_snd_wnd = wnd
        if wnd == 0:
            if not tcb.closed_by_user:  # else a peer without room could keep it for ever (RFC 6429)
                tcb.retransmissions = 0  # the peer is there, it only has no room (MUST-37)
        elif tcb.timers.armed(Timer.PERSIST) and wnd >= min(tcb.mss, tcb.max_snd_wnd // 2):
            tcb.timers.clear(Timer.PERSIST)
            tcb.rtt.acknowledged()
    if tcb.probes_unanswered and not tcb.closed_by_user:
        tcb.probes_unanswered, tcb.soft_error = 0, None
