"""SEGMENT ARRIVES (RFC 9293 section 3.10.7): the RFC's steps, in its order and words, and nothing else.

A segment's numbers are unwrapped at the door (``unwrap_segment``); a step returns False to end processing.
LISTEN (3.10.7.2) opens a connection, so its steps live here and the listener's queue in ``tcpcore.stack.listener``.
"""

from __future__ import annotations

from typing import Final

from tcpcore import timing
from tcpcore.conn import (
    acceptance,
    acknowledgement,
    ecn,
    keepalive,
    rate,
    roundtrip,
    syn,
    text,
    urgent,
    usertimeout,
    window,
)
from tcpcore.conn.environment import Environment
from tcpcore.conn.packets import emit_stateless
from tcpcore.conn.state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    RECEIVING,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)  # fmt: skip
from tcpcore.conn.tcb import Ready, Tcb
from tcpcore.errors import ConnectionRefusedError, ConnectionResetError
from tcpcore.seqnum import unwrap
from tcpcore.wire.ippacket import IPPacket
from tcpcore.wire.tcp import ACK, ECE, FIN, RST, SYN, URG, Segment


def closed(env: Environment, ip: IPPacket, seg: Segment, now: float) -> None:
    """3.10.7.1 CLOSED STATE: no connection; answer with a reset (numbers as on the wire), within the rate limit."""
    if seg.flags & RST:
        return
    if not env.reply_limit.allow(now):
        env.counters.rate_limited += 1
        return
    ports = (seg.destination_port, seg.source_port)
    if seg.flags & ACK:
        emit_stateless(env, ip.destination, ip.source, ports, seg.ack, 0, RST, now)
    else:
        emit_stateless(env, ip.destination, ip.source, ports, 0, seg.seq + seg.length, RST | ACK, now)


def listen(tcb: Tcb, seg: Segment, now: float) -> None:
    """3.10.7.2 LISTEN STATE, third: ``seg`` is a SYN without ACK or RST, ``tcb`` a new control block in LISTEN."""
    syn.take_syn(tcb, seg, now)
    if seg.payload or seg.flags & (FIN | URG):
        seg.up += seg.seq
        _keep_rest(tcb, seg)
    tcb.enter(SYN_RECEIVED)
    tcb.syn_due = True


def unwrap_segment(tcb: Tcb, seg: Segment) -> None:
    """From the wire's numbers to absolute ones, once."""
    if tcb.state is not SYN_SENT:
        seg.seq = unwrap(seg.seq, tcb.rcv_nxt)
    seg.ack = unwrap(seg.ack, tcb.snd_una)
    if seg.flags & URG:
        seg.up += seg.seq  # trimming moves SEG.SEQ
    if seg.timestamp is not None and tcb.ts_on:
        seg.timestamp = unwrap(seg.timestamp, tcb.ts_recent)
    if seg.sack:
        seg.sack = tuple((unwrap(left, tcb.snd_una), unwrap(right, tcb.snd_una)) for left, right in seg.sack)


def segment_arrives(tcb: Tcb, seg: Segment, now: float) -> None:
    """Process ``seg`` (unwrapped) in every state but CLOSED and LISTEN."""
    tcb.segments_in += 1
    keepalive.heard(tcb, now)
    if tcb.state is SYN_SENT:
        _syn_sent(tcb, seg, now)
    else:
        _otherwise(tcb, seg, now)


def _syn_sent(tcb: Tcb, seg: Segment, now: float) -> None:
    """3.10.7.3 SYN-SENT STATE."""
    # First, check the ACK bit
    acceptable = False
    if seg.flags & ACK:
        if seg.ack <= tcb.iss or seg.ack > tcb.snd_nxt:
            if not seg.flags & RST:
                tcb.reset_seq = seg.ack
            return
        acceptable = True
    # Second, check the RST bit
    if seg.flags & RST:
        if acceptable:
            tcb.finish(ConnectionRefusedError("the peer refused the connection"))
        return
    # Third, security: not supported (docs/rfc9293.md)
    # Fourth, check the SYN bit
    if not seg.flags & SYN:
        return  # Fifth: neither SYN nor RST
    syn.take_syn(tcb, seg, now)
    tcb.snd_wl2 = seg.ack
    if not acceptable:
        _keep_rest(tcb, seg)
        tcb.enter(SYN_RECEIVED)  # simultaneous open
        tcb.syn_due = True
        return
    roundtrip.measure_syn(tcb, seg, now)
    _syn_acknowledged(tcb, now)
    tcb.enter(ESTABLISHED)
    tcb.ack_now = True
    tcb.notify(Ready.CONNECTED | Ready.WRITABLE)
    keepalive.rearm(tcb, now)
    seg.seq += 1  # the SYN is done with; "continue processing at the sixth step"
    seg.flags &= ~SYN
    window.offer(tcb, syn=True)  # what our SYN offered, from the number we did not know then
    if seg.length:
        acceptance.trim(tcb, seg)
    _sixth_check_urg(tcb, seg)
    _seventh_process_text(tcb, seg, now)
    eighth_check_fin(tcb, now)


def _keep_rest(tcb: Tcb, seg: Segment) -> None:
    """Other control and text of a SYN: "queue them for processing after the ESTABLISHED state has been reached".

    At most one segment of ours: whoever sent it may be forged.
    """
    if seg.length == 1 and not seg.flags & URG:
        return
    seg.seq += 1
    seg.flags &= ~SYN
    room = min(tcb.rcv_mss, tcb.receive_buffer)
    if seg.length > room:
        seg.flags &= ~FIN
    seg.payload = bytes(seg.payload[:room])  # the packet's buffer is used again
    tcb.syn_rest = seg


def _take_rest(tcb: Tcb, rest: Segment, seg: Segment, now: float) -> None:
    """What the SYN brought counts now; what ``seg``, which acknowledges our SYN, repeats of it is cut off."""
    _sixth_check_urg(tcb, rest)
    _seventh_process_text(tcb, rest, now)
    eighth_check_fin(tcb, now)
    tcb.ack_now = True  # the peer waits for it since its SYN
    if seg.length and seg.seq < tcb.rcv_nxt:
        acceptance.trim(tcb, seg)


def _otherwise(tcb: Tcb, seg: Segment, now: float) -> None:
    """3.10.7.4 OTHER STATES."""
    if not acceptance.check_sequence(tcb, seg, now):
        return
    if not _second_check_rst(tcb, seg, now):
        return
    # Third, security: not supported (docs/rfc9293.md)
    if not _fourth_check_syn(tcb, seg, now):
        return
    if not _fifth_check_ack(tcb, seg, now):
        return
    if seg.user_timeout is not None:
        usertimeout.received(tcb, seg.user_timeout, now)
    if seg.flags & URG:
        _sixth_check_urg(tcb, seg)
    _seventh_process_text(tcb, seg, now)
    eighth_check_fin(tcb, now)


def _second_check_rst(tcb: Tcb, seg: Segment, now: float) -> bool:
    """With RFC 5961 section 3: only a RST exactly at RCV.NXT counts, another one in the window is challenged."""
    if not seg.flags & RST:
        return True
    if tcb.state is TIME_WAIT and tcb.config.rfc1337:
        tcb.env.drop("time-wait-rst", now)
        return False
    if seg.seq != tcb.rcv_nxt:
        tcb.challenge_ack(now)
        return False
    if tcb.state is SYN_RECEIVED and tcb.backlog is None:
        tcb.finish(ConnectionRefusedError("the peer refused the connection"))
    elif tcb.state in _CLOSING_STATES or tcb.state is SYN_RECEIVED:
        tcb.finish()
    else:
        tcb.rcv_queue.clear()
        tcb.finish(ConnectionResetError("the peer reset the connection"))
    return False


def _fourth_check_syn(tcb: Tcb, seg: Segment, now: float) -> bool:
    """With RFC 5961 section 4 ("MUST send an ACK": the RST that answers it is exact)."""
    if not seg.flags & SYN:
        return True
    if tcb.state is SYN_RECEIVED and tcb.backlog is not None:
        tcb.finish()  # "return this connection to the LISTEN state"
    else:
        tcb.challenge_ack(now)
    return False


def _fifth_check_ack(tcb: Tcb, seg: Segment, now: float) -> bool:
    if not seg.flags & ACK:
        return False
    ack, una = seg.ack, tcb.snd_una
    # RFC 5961 section 5: an ACK of something very old is a blind guess
    if ack > tcb.snd_nxt or ack < tcb.snd_una - tcb.max_snd_wnd:
        if tcb.out_probe and ack == tcb.snd_nxt + 1:
            tcb.snd_nxt, tcb.out_probe = ack, False  # the octet of a window probe was taken
            tcb.rtt.acknowledged()
        elif tcb.state is SYN_RECEIVED:
            tcb.reset_seq = ack
            return False
        else:
            tcb.challenge_ack(now)
            return False
    if tcb.state is SYN_RECEIVED and not _complete_handshake(tcb, seg, now):
        return False
    if ack > tcb.snd_una:
        acknowledgement.acknowledged(tcb, seg, now)
    elif ack == tcb.snd_una and acknowledgement.is_duplicate(tcb, seg):
        acknowledgement.duplicate(tcb, seg, now)
    if tcb.ecn is not None and seg.flags & ECE and not seg.flags & SYN:
        ecn.echo_arrived(tcb, tcb.ecn, tcb.snd_nxt - una, now)
    if ack >= tcb.snd_una:
        acknowledgement.update_send_window(tcb, seg.seq, ack, seg.wnd)
    return acknowledges_fin(tcb, now)


def _complete_handshake(tcb: Tcb, seg: Segment, now: float) -> bool:
    """SYN-RECEIVED STATE: only an ACK of our SYN establishes; anything else draws a RST."""
    if not tcb.snd_una < seg.ack <= tcb.snd_nxt:
        tcb.reset_seq = seg.ack
        return False
    if not has_room(tcb, seg.ack):
        return False
    roundtrip.measure_syn(tcb, seg, now)
    establish(tcb, seg.seq, seg.ack, seg.wnd, now)
    rest, tcb.syn_rest = tcb.syn_rest, None
    if rest is not None:
        _take_rest(tcb, rest, seg, now)
    return tcb.state is not CLOSED


def has_room(tcb: Tcb, ack: int) -> bool:
    """Whether the accept queue takes a connection whose SYN ``ack`` acknowledges."""
    if tcb.backlog is None or tcb.backlog.has_room():
        return True
    if tcb.config.accept_overflow == "reset":
        tcb.reset_seq = ack
        tcb.finish()
    return False  # else the peer will try again; meanwhile our SYN,ACK is retransmitted


def establish(tcb: Tcb, seq: int, ack: int, wnd: int, now: float) -> None:
    """From SYN-RECEIVED to ESTABLISHED, by a segment with these numbers."""
    _syn_acknowledged(tcb, now)
    tcb.snd_wnd = wnd << (tcb.snd_wscale or 0)
    tcb.max_snd_wnd = max(tcb.max_snd_wnd, tcb.snd_wnd)
    tcb.snd_wl1, tcb.snd_wl2 = seq, ack
    tcb.enter(ESTABLISHED)
    if tcb.config.keepalive:
        keepalive.rearm(tcb, now)
    tcb.notify(Ready.CONNECTED | Ready.WRITABLE)
    if tcb.backlog is not None:
        tcb.backlog.established(tcb)
        tcb.backlog = None
    if tcb.fin_seq is not None:
        tcb.enter(FIN_WAIT_1)  # CLOSE was called in SYN-RECEIVED


def _syn_acknowledged(tcb: Tcb, now: float) -> None:
    """Our SYN arrived: begin sending at ISS + 1."""
    if tcb.rate is not None:
        rate.check_app_limited(tcb, tcb.rate, now)
    if tcb.syn_retransmitted and tcb.rtt.srtt is None:
        tcb.rtt.restart(max(tcb.config.initial_rto, 3.0))  # RFC 6298 section 5.7
    if tcb.retransmissions > 1:
        tcb.congestion.cwnd = tcb.mss  # RFC 5681 section 3.1; one loss alone proves nothing (RFC 6928 section 2)
    tcb.soft_error = None
    tcb.snd_una = max(tcb.snd_una, tcb.iss + 1)
    tcb.send_buffer.start = tcb.snd_una
    tcb.retransmissions = 0
    tcb.snd_sml = tcb.snd_una
    tcb.timers.clear(timing.RETRANSMIT)
    tcb.timers.clear(timing.USER_TIMEOUT)


def acknowledges_fin(tcb: Tcb, now: float) -> bool:
    """The rest of the fifth step: what an ACK of our FIN means in each closing state."""
    if tcb.fin_seq is None or tcb.snd_una <= tcb.fin_seq:
        return True
    if tcb.state is FIN_WAIT_1:
        tcb.enter(FIN_WAIT_2)
        if tcb.closed_by_user:
            tcb.timers.set(timing.FIN_WAIT_2, now, tcb.config.fin_wait_2_timeout)
            tcb.timers.clear(timing.LINGER)
    elif tcb.state is CLOSING:
        _enter_time_wait(tcb, now)
        return False
    elif tcb.state is LAST_ACK:
        tcb.finish()
        return False
    return True


def _sixth_check_urg(tcb: Tcb, seg: Segment) -> None:
    """ "RCV.UP <- max(RCV.UP,SEG.UP)"; the user reads urgent data in line (RFC 6093)."""
    if seg.flags & URG and tcb.state in RECEIVING:
        urgent.announced(tcb, seg.up)


def _seventh_process_text(tcb: Tcb, seg: Segment, now: float) -> None:
    if tcb.state not in RECEIVING:
        return  # "This should not occur since a FIN has been received": ignore the text
    if seg.flags & FIN:
        tcb.rcv_fin = seg.seq + len(seg.payload)
        tcb.ack_now = True
    if not seg.payload:
        return
    if tcb.ecn is not None:
        ecn.text_arrived(tcb, tcb.ecn, seg)
    if tcb.closed_by_user:
        # Nobody is left to read it: the peer has to know that data was lost (SHLD-3, RFC 2525 section 2.17)
        tcb.rst_wanted = True
        tcb.finish(ConnectionResetError("data arrived after CLOSE"))
        return
    if seg.seq == tcb.rcv_nxt:
        text.take_in_order(tcb, bytes(seg.payload), now)
    else:
        text.keep_out_of_order(tcb, seg, now)


def eighth_check_fin(tcb: Tcb, now: float) -> None:
    """The FIN counts once everything before it is there."""
    if tcb.rcv_fin is None or tcb.rcv_nxt != tcb.rcv_fin:
        return
    tcb.out_of_order = None
    tcb.rcv_nxt += 1
    tcb.rcv_adv = max(tcb.rcv_adv, tcb.rcv_nxt)
    tcb.ack_now = True
    tcb.notify(Ready.READABLE)
    if tcb.state is ESTABLISHED:
        tcb.enter(CLOSE_WAIT)
    elif tcb.state is FIN_WAIT_1:
        tcb.enter(CLOSING)  # were our FIN acknowledged, the fifth step had entered FIN-WAIT-2
    elif tcb.state is FIN_WAIT_2:
        _enter_time_wait(tcb, now)


def _enter_time_wait(tcb: Tcb, now: float) -> None:
    """ "Enter the TIME-WAIT state, start the time-wait timer, turn off the other timers"."""
    tcb.enter(TIME_WAIT)
    tcb.forget_growth()
    tcb.timers.clear_all()
    tcb.timers.set(timing.TIME_WAIT, now, 2 * tcb.config.msl)
    tcb.notify(Ready.CLOSED)


_CLOSING_STATES: Final = frozenset({CLOSING, LAST_ACK, TIME_WAIT, CLOSED, LISTEN})
