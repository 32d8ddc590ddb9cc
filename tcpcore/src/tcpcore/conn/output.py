"""What may be sent now (RFC 9293 sections 3.7.4, 3.8): the only place that builds segments of a connection.

Arrivals, user calls and timeouts leave their wishes on the control block; ``output`` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from tcpcore import timing
from tcpcore.conn import ecn, mtuprobe, pacing, rate, sackreport, spurious, tlp, usertimeout, window
from tcpcore.conn.congestion.base import initial_window
from tcpcore.conn.packets import emit, syn_options
from tcpcore.conn.sack import Scoreboard
from tcpcore.conn.state import CLOSED, LISTEN, OPENING, SYN_SENT, TIME_WAIT
from tcpcore.conn.tcb import FIXED_HEADERS, TIMESTAMP_OPTION, Tcb
from tcpcore.wire.packet import Buffer
from tcpcore.wire.tcp import ACK, ECE, FIN, PSH, RST, SYN, URG

MAX_OPTIONS: Final = 40
"""Bytes of options that a header has room for."""
GATHERED: Final = 64 << 10
"""Of more than this, what fills no packet waits at the end for what the user sends in the same turn."""
CORK_CEILING: Final = 0.2
"""Seconds that a corked tail waits at most (Linux's)."""


def output(tcb: Tcb, now: float) -> None:
    """Send what is due and allowed."""
    state = tcb.state
    if tcb.reset_seq is not None or tcb.rst_wanted:
        _send_reset(tcb, now)
    if state is CLOSED or state is LISTEN:
        return
    if state in OPENING:
        if tcb.syn_due:
            _send_syn(tcb, now)
    elif state is not TIME_WAIT:
        if tcb.user_timeout_due:
            _send_segment(tcb, tcb.snd_nxt, ACK, 0, now)
        if tcb.scoreboard is not None and tcb.scoreboard.lost:
            _retransmit(tcb, tcb.scoreboard, now)
        if tcb.send_buffer.end > tcb.snd_nxt or tcb.fin_seq is not None:
            _send_new(tcb, now)
        if tcb.probe_now:
            _send_probe(tcb, now)
        if tcb.tail_probe_due:
            _send_tail_probe(tcb, now)
    if tcb.ack_now:
        _send_segment(tcb, tcb.snd_nxt, ACK, 0, now)


def _send_reset(tcb: Tcb, now: float) -> None:
    if tcb.reset_seq is not None:
        emit(tcb, tcb.reset_seq, 0, RST, 0, now)
        tcb.reset_seq = None
    if tcb.rst_wanted:
        tcb.rst_wanted = False
        # With a probe's octet on its way nobody knows where the peer's RCV.NXT is, and a RST has to hit it exactly
        for seq in range(tcb.snd_nxt, tcb.snd_nxt + 1 + tcb.out_probe):
            emit(tcb, seq, tcb.rcv_nxt, RST | ACK, 0, now, stamped=tcb.ts_on)


def _send_syn(tcb: Tcb, now: float) -> None:
    tcb.syn_due = False
    again = tcb.snd_nxt > tcb.iss
    tcb.snd_nxt = tcb.iss + 1
    if again:
        tcb.syn_retransmitted = True
        tcb.segments_retransmitted += 1
        tcb.env.counters.retrans_segs += 1
        if tcb.backlog is not None:
            tcb.backlog.syn_ack_retransmitted()
    else:
        tcb.first_unacked_at = now
        tcb.timers.set(timing.RETRANSMIT, now, tcb.rtt.rto)
        if tcb.user_timeout is not None and tcb.backlog is None:
            tcb.timers.set(timing.USER_TIMEOUT, now, tcb.user_timeout)
    flags = SYN | ecn.offer(tcb) if tcb.state is SYN_SENT else SYN | ACK
    if flags & ACK and tcb.ecn is not None:
        flags |= ECE
    ack = tcb.rcv_nxt if flags & ACK else 0
    emit(tcb, tcb.iss, ack, flags, window.offer(tcb, syn=True), now, options=syn_options(tcb, flags, now))
    tcb.ack_now = False
    tcb.last_ack_sent = tcb.rcv_nxt


def _retransmit(tcb: Tcb, board: Scoreboard, now: float) -> None:
    """Send again what is lost, as the congestion window allows."""
    while (lost := board.next_lost(tcb.mss)) is not None and tcb.pipe < tcb.congestion.cwnd:
        seq, end = lost
        edge = tcb.snd_una + max(tcb.snd_wnd, 1)  # one octet at least, to learn of a window that shrank
        if seq >= edge:
            return
        length = min(end, tcb.send_buffer.end, edge) - seq
        if tcb.pacer is not None and length and not pacing.bounded(tcb, tcb.pacer, length, now):
            return
        _resend(tcb, board, seq, length, now)


def _resend(tcb: Tcb, board: Scoreboard, seq: int, length: int, now: float) -> None:
    """Send ``length`` octets from ``seq`` on again, and the FIN if it follows them."""
    flags, end = ACK, seq + length
    if length and end == tcb.send_buffer.end:
        flags |= PSH
    if end == tcb.fin_seq and tcb.snd_nxt > end:
        flags |= FIN
        end += 1
    departure = rate.departs(tcb, tcb.rate, end - seq, tcb.pipe + end - seq, now) if tcb.rate is not None else None
    board.resent(seq, end, now, departure)
    spurious.resent(tcb, seq, end, now)
    _count_sent(tcb, end - seq)
    tcb.segments_retransmitted += 1
    tcb.bytes_retransmitted += length
    tcb.last_data_out = now
    tcb.env.counters.retrans_segs += 1
    _send_segment(tcb, seq, flags, length, now)


def _count_sent(tcb: Tcb, octets: int) -> None:
    """Proportional rate reduction counts what leaves in recovery."""
    if tcb.recovery is not None and tcb.recovery.prr is not None:
        tcb.recovery.prr.prr_out += octets


def _send_new(tcb: Tcb, now: float) -> None:
    """Send what was never sent: all the window and SWS avoidance allow, then the FIN."""
    board = tcb.scoreboard
    if board is not None and board.lost:
        return
    if tcb.snd_nxt == tcb.snd_una and tcb.last_data_out is not None and now - tcb.last_data_out > tcb.rtt.rto:
        tcb.congestion.on_idle(initial_window(tcb.mss, tcb.config.initial_window_segments))
    while (unsent := tcb.send_buffer.end - tcb.snd_nxt) > 0:
        if tcb.mtu_search is not None and (length := mtuprobe.due(tcb)):
            if length > min(tcb.snd_wnd - tcb.in_flight, tcb.congestion.cwnd - tcb.pipe):
                return  # acknowledgements will make room; smaller segments would use it up again
            _send_text(tcb, ACK, length, now, length)
            mtuprobe.sent(tcb, length)
            continue
        length = _allowed(tcb, unsent)
        if length <= 0:
            _wait(tcb, now)
            return
        waits = 0
        if unsent > GATHERED and length == unsent and tcb.env.more:
            waits = length % _largest_segment(tcb)
            length -= waits
        if tcb.pacer is not None and not (length := pacing.bounded(tcb, tcb.pacer, length, now)):
            return
        flags = ACK
        if length == unsent:
            flags |= PSH | (FIN if tcb.fin_seq is not None else 0)
        _send_text(tcb, flags, length, now)
        if waits:
            tcb.touch()
            return
    if tcb.fin_seq is not None and tcb.snd_nxt == tcb.fin_seq:
        _send_text(tcb, ACK | FIN, 0, now)


def _send_text(tcb: Tcb, flags: int, length: int, now: float, size: int = 0) -> None:
    """Send new text, in as many segments as it takes; ``size``: what a whole segment is, if not one MSS."""
    seq, una, timers = tcb.snd_nxt, tcb.snd_una, tcb.timers
    end = seq + length + (flags & FIN)
    if seq == una:
        tcb.first_unacked_at = now
    tcb.snd_nxt = end
    tcb.out_probe = False
    if length % (size or tcb.mss):
        tcb.snd_sml = end
    tcb.bytes_out += length
    tcb.last_data_out = now
    tcb.flight_after_send = end - una
    board = tcb.scoreboard
    if board is None:
        tcb.scoreboard = board = Scoreboard(seq)
    departure = rate.departs(tcb, tcb.rate, end - seq, tcb.pipe, now) if tcb.rate is not None else None
    board.sent(seq, end, now, departure)
    deadlines = timers.deadlines
    if tcb.recovery is not None:
        _count_sent(tcb, end - seq)
    elif deadlines[timing.TAIL_LOSS] == inf or seq - una < 2 * tcb.mss <= end - una:
        tlp.arm(tcb, now)
    deadlines[timing.PERSIST] = inf
    deadlines[timing.CORK] = inf  # a new tail begins to wait
    if deadlines[timing.RETRANSMIT] == inf:
        timers.set(timing.RETRANSMIT, now, tcb.rtt.rto)
    if tcb.user_timeout is not None and deadlines[timing.USER_TIMEOUT] == inf:
        timers.set(timing.USER_TIMEOUT, now, tcb.user_timeout)
    while length > tcb.mss and not size and _is_marked(tcb, seq):
        _send_segment(tcb, seq, ACK, tcb.mss, now, new=True)
        seq += tcb.mss
        length -= tcb.mss
    _send_segment(tcb, seq, flags, length, now, size, new=True)


def _allowed(tcb: Tcb, unsent: int) -> int:
    """Bytes that may leave now: SWS avoidance of the sender (RFC 9293 section 3.8.6.2.1)."""
    mss, flight = tcb.mss, tcb.snd_nxt - tcb.snd_una
    usable = tcb.snd_wnd - flight
    room = tcb.congestion.cwnd - (flight if tcb.scoreboard is None else tcb.pipe)
    if room > usable:
        room = usable
    if unsent <= room:
        tail = unsent % mss
        if tail and not _may_send_small(tcb):
            return unsent - tail
        return unsent
    if room >= mss:
        return room - room % mss
    # (3): a fraction of the largest window, when the window is small for good
    if 0 < room == usable and 2 * room >= tcb.max_snd_wnd:
        return room
    return 0


def _may_send_small(tcb: Tcb) -> bool:
    """Nagle's algorithm as refined by Minshall: hold a small segment back only behind another small one."""
    config = tcb.config
    if not config.cork and (config.nodelay or tcb.snd_sml <= tcb.snd_una):
        return True
    return not _may_wait(tcb)


def _may_wait(tcb: Tcb) -> bool:
    """Text before a FIN, urgent data and what was corked long enough wait for nothing but the windows."""
    return tcb.fin_seq is None and tcb.snd_up <= tcb.snd_nxt and tcb.flush_to <= tcb.snd_nxt


def _wait(tcb: Tcb, now: float) -> None:
    """Nothing may leave: see to it that it does one day, even if the peer stays silent."""
    if tcb.config.cork and _may_wait(tcb):
        if not tcb.timers.armed(timing.CORK):
            tcb.timers.set(timing.CORK, now, CORK_CEILING)
    elif not tcb.in_flight and not tcb.timers.armed(timing.PERSIST):
        tcb.timers.set(timing.PERSIST, now, tcb.rtt.rto)


def _is_marked(tcb: Tcb, seq: int) -> bool:
    """Whether the segment at ``seq`` has an urgent pointer, or CWR: pieces that the link cuts would all have it."""
    return tcb.snd_up > seq or (tcb.ecn is not None and tcb.ecn.cwr_due)


def _largest_segment(tcb: Tcb) -> int:
    """What leaves as one packet, for the link to cut: whole segments, as many as it takes."""
    link, mss = tcb.env.capabilities, tcb.mss
    if not link.segmentation_offload:
        return mss
    room = link.max_packet - FIXED_HEADERS[tcb.version] - MAX_OPTIONS
    return max(room - room % mss, mss)


def _send_probe(tcb: Tcb, now: float) -> None:
    """A zero-window probe: one octet of new data (MUST-36); or, with nothing to send, an old sequence number."""
    tcb.probe_now = False
    unsent = tcb.send_buffer.end - tcb.snd_nxt
    usable = tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt
    if unsent > 0 and usable > 0:
        # A small window is no zero window: the override timeout sends all it takes (section 3.8.6.2.1, (4))
        _send_text(tcb, ACK | PSH, min(unsent, usable, tcb.mss), now)
    elif unsent > 0:
        tcb.out_probe = True
        tcb.window_probes_out += 1
        _send_segment(tcb, tcb.snd_nxt, ACK | PSH if unsent == 1 else ACK, 1, now)
    else:
        _send_segment(tcb, tcb.snd_nxt - 1, ACK, 0, now)


def _send_tail_probe(tcb: Tcb, now: float) -> None:
    """One segment, whatever the congestion window: new text if there is, else the last that left (RFC 8985, 7.3)."""
    tcb.tail_probe_due = False
    board = tcb.scoreboard
    unsent = min(tcb.send_buffer.end - tcb.snd_nxt, tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt, tcb.mss)
    if unsent > 0:
        _send_text(tcb, ACK | PSH, unsent, now)
        tcb.tlp_resent = False
    elif board is not None and (last := board.last()) is not None:
        end = min(last.end, tcb.send_buffer.end)
        _resend(tcb, board, max(last.start, end - tcb.mss), min(end - last.start, tcb.mss), now)
        tcb.tlp_resent = True
    tcb.tlp_end = tcb.snd_nxt


def _send_segment(tcb: Tcb, seq: int, flags: int, length: int, now: float, size: int = 0, *, new: bool = False) -> None:
    """Send one segment; or several that differ only in their numbers, and the last of them in PSH and FIN."""
    if tcb.snd_up > seq and tcb.snd_up > tcb.snd_una:
        flags |= URG
    options = b""
    if not length:
        if tcb.user_timeout_due:
            options += usertimeout.option(tcb)
        if sackreport.is_due(tcb):
            options += sackreport.option(tcb, MAX_OPTIONS - TIMESTAMP_OPTION * tcb.ts_on - len(options))
    codepoint = 0
    if tcb.ecn is not None:
        new = new and length > 0
        flags = ecn.flags(tcb.ecn, flags, new=new)
        # Neither ACKs nor what is sent again (RFC 3168 sections 6.1.4, 6.1.5), nor what nobody would slow down for
        codepoint = ecn.ECT if new and not tcb.congestion.governs else 0
    ack, wnd, stamped, buffer = tcb.rcv_nxt, window.offer(tcb), tcb.ts_on, tcb.send_buffer
    if length > tcb.mss and not size and length > (limit := _largest_segment(tcb)):
        buffer.leave(seq + length)
        others = flags & ~(PSH | FIN)
        while length > limit:
            emit(tcb, seq, ack, others, wnd, now, stamped, b"", buffer.pieces(seq, limit), limit, 0, codepoint)
            if tcb.pacer is not None:
                pacing.sent(tcb, tcb.pacer, limit, now)
            seq += limit
            length -= limit
    payload: Sequence[Buffer] = buffer.pieces(seq, length) if length else ()
    emit(tcb, seq, ack, flags, wnd, now, stamped, options, payload, length, size, codepoint)
    if tcb.pacer is not None and length:
        pacing.sent(tcb, tcb.pacer, length, now)
    if length and (tcb.out_of_order is not None or tcb.dsack is not None) and tcb.sack_ok:
        return  # the SACK option has no room beside text: an ACK of its own follows
    tcb.ack_now = False
    tcb.last_ack_sent = ack
    tcb.timers.deadlines[timing.DELAYED_ACK] = inf
