"""What the ACK field does to the sender (RFC 9293 section 3.10.7.4, fifth): SND.UNA, the scoreboard, SND.WND."""

from __future__ import annotations

from math import inf

from tcpcore import timing
from tcpcore.conn import mtuprobe, rate, recovery, roundtrip
from tcpcore.conn.sack import NOTHING
from tcpcore.conn.tcb import Ready, Tcb
from tcpcore.wire.tcp import FIN, SYN, Segment


def acknowledged(tcb: Tcb, seg: Segment, now: float) -> None:
    """SND.UNA < SEG.ACK =< SND.NXT: set SND.UNA <- SEG.ACK, remove what is acknowledged."""
    ack, flight = seg.ack, tcb.in_flight
    if not seg.sack and nothing_is_missing(tcb):
        in_order(tcb, ack, now)
        return
    acked = ack - tcb.snd_una
    delivery = NOTHING
    if tcb.scoreboard is not None:
        delivery = recovery.deliver(tcb, tcb.scoreboard, seg, now)
        roundtrip.measure(tcb, seg, delivery, acked, now)
        if not len(tcb.scoreboard):
            tcb.scoreboard = None
    if tcb.mtu_search is not None:
        mtuprobe.acknowledged(tcb, ack, now)
    _advance(tcb, ack, now)
    recovery.react(tcb, seg, delivery, acked, flight, now)
    if tcb.rate is not None:
        rate.acknowledged(tcb, tcb.rate, delivery, now)
    _rearm(tcb, now)


def nothing_is_missing(tcb: Tcb) -> bool:
    """Whether all that is in flight was sent once, in order, with nothing beyond a gap, and nobody looks closer."""
    board = tcb.scoreboard
    return (
        board is not None
        and board.clean
        and tcb.recovery is None
        and tcb.tlp_end is None
        and not tcb.dup_acks
        and tcb.mtu_search is None
        and tcb.rate is None
    )


def in_order(tcb: Tcb, ack: int, now: float) -> None:
    """``acknowledged`` where ``nothing_is_missing``: the common case."""
    board = tcb.scoreboard
    assert board is not None
    oldest, newest = board.acknowledge_clean(ack)
    rtt, una, nxt = tcb.rtt, tcb.snd_una, tcb.snd_nxt
    acked = ack - una
    rtt.seen(now - newest)
    if ack == nxt:
        tcb.scoreboard = None
        rtt.sample(now - oldest, 1, tcb.env.late)
    else:
        rtt.sample(now - oldest, -((una - nxt) // max(2 * tcb.mss, acked)), tcb.env.late)
    _advance(tcb, ack, now)
    tcb.congestion.on_ack(acked, tcb.flight_after_send, una=ack, nxt=nxt, rtt=rtt, now=now)
    _rearm(tcb, now)


def _advance(tcb: Tcb, ack: int, now: float) -> None:
    """SND.UNA <- SEG.ACK."""
    buffer = tcb.send_buffer
    tcb.snd_una = ack
    if ack > buffer.end:
        ack = buffer.end  # the FIN
    tcb.bytes_acked += ack - buffer.start
    buffer.acknowledge(ack)
    tcb.retransmissions = tcb.probes_unanswered = 0  # the back-off stays until an RTT sample (Karn, MUST-18)
    tcb.first_unacked_at = now
    tcb.soft_error = None


def _rearm(tcb: Tcb, now: float) -> None:
    """RFC 6298 section 5.2, 5.3; and the user has room."""
    if tcb.snd_nxt > tcb.snd_una:
        tcb.timers.set(timing.RETRANSMIT, now, tcb.rtt.rto)
    else:
        deadlines = tcb.timers.deadlines
        deadlines[timing.RETRANSMIT] = deadlines[timing.USER_TIMEOUT] = inf
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


def update_send_window(tcb: Tcb, seq: int, ack: int, wnd: int) -> None:
    """The RFC asks for a new SEG.SEQ first; but an ACK that moves SND.UNA must not take an old window along."""
    if tcb.snd_wl2 < ack or (tcb.snd_wl2 == ack and tcb.snd_wl1 <= seq):
        wnd <<= tcb.snd_wscale or 0
        if wnd and not tcb.snd_wnd and tcb.scoreboard is not None and tcb.scoreboard.lost:
            tcb.scoreboard.lose(tcb.snd_una, tcb.snd_una + 1)  # the octet that probed the closed window was refused
        tcb.snd_wnd = wnd
        tcb.snd_wl1, tcb.snd_wl2 = seq, ack
        if wnd > tcb.max_snd_wnd:
            tcb.max_snd_wnd = wnd
        if wnd == 0:
            if not tcb.closed_by_user:  # else a peer without room could keep it for ever (RFC 6429)
                tcb.retransmissions = 0  # the peer is there, it only has no room (MUST-37)
        elif tcb.timers.armed(timing.PERSIST) and wnd >= min(tcb.mss, tcb.max_snd_wnd // 2):
            tcb.timers.clear(timing.PERSIST)
            tcb.rtt.acknowledged()
    if tcb.probes_unanswered and not tcb.closed_by_user:
        tcb.probes_unanswered, tcb.soft_error = 0, None
