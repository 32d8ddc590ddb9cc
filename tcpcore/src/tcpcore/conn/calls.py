"""User calls (RFC 9293 sections 3.10.1 to 3.10.6): OPEN, SEND, RECEIVE, CLOSE, ABORT, STATUS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from tcpcore import timing
from tcpcore.conn import autotune, congestion, keepalive, mtuprobe, pacing, rate, recovery, urgent, usertimeout, window
from tcpcore.conn.state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    OPENING,
    SENDING,
    SYN_SENT,
    TIME_WAIT,
)
from tcpcore.conn.tcb import Tcb
from tcpcore.errors import ConnectionAbortedError, ConnectionClosingError, ConnectionNotExistError
from tcpcore.seqnum import wrap
from tcpcore.status import ConnectionStatus, TimerStatus
from tcpcore.timing import Timer

OPTIONS: Final = frozenset(
    {
        "congestion_control",
        "nodelay",
        "cork",
        "keepalive",
        "keepalive_idle",
        "keepalive_interval",
        "keepalive_count",
        "pacing",
        "linger",
        "user_timeout",
        "advertise_user_timeout",
        "adapt_user_timeout",
        "user_timeout_min",
        "user_timeout_max",
        "ttl",
        "traffic_class",
        "mtu_probing",
        "r1",
        "send_buffer",
        "receive_buffer",
        "delayed_ack",
        "retries",
        "fin_wait_2_timeout",
    }
)
"""Settings of ``Config`` that a live connection may change."""
_SYNCHRONISED_OPEN: Final = frozenset({ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT})


def open_active(tcb: Tcb) -> None:
    """3.10.1 OPEN, active: a SYN is due."""
    if tcb.config.window_scaling:
        tcb.rcv_wscale = window.wscale_for(tcb.config.largest_receive_buffer)
    tcb.enter(SYN_SENT)
    tcb.syn_due = True
    tcb.env.counters.active_opens += 1
    tcb.touch()


def send(tcb: Tcb, data: bytes | memoryview, now: float, is_urgent: bool = False) -> int:
    """3.10.2 SEND: bytes taken, 0 when the buffer is full."""
    if tcb.state is not ESTABLISHED or tcb.fin_seq is not None:
        _check_sendable(tcb)
    buffer = tcb.send_buffer
    room = tcb.config.send_buffer - buffer.end + buffer.start
    length = len(data)
    if length > room:
        tcb.unreported_write = True
        if room <= 0:
            return 0
        data, length = data[:room], room
    if length:
        if tcb.rate is not None:
            rate.check_app_limited(tcb, tcb.rate, now)
        buffer.append(data)
        if is_urgent:
            tcb.snd_up = buffer.end  # the octet behind the urgent data (MUST-62)
            tcb.ack_now |= tcb.state in SENDING  # the news goes out even when no text may (section 3.8.5)
        if not tcb.pending:
            tcb.touch()
    return length


def _check_sendable(tcb: Tcb) -> None:
    if tcb.state is CLOSED:
        raise tcb.error or ConnectionNotExistError("connection does not exist")
    if tcb.fin_seq is not None or (tcb.state not in SENDING and tcb.state not in OPENING):
        raise ConnectionClosingError("connection closing")


def receive(tcb: Tcb, max_bytes: int, now: float) -> bytes | None:
    """3.10.3 RECEIVE: ``None`` when there is nothing yet, ``b""`` at the end of the stream."""
    queue = tcb.rcv_queue
    if queue.length:
        if tcb.rcv_up is not None:
            max_bytes = urgent.up_to_mark(tcb, max_bytes)
        data = queue.take(max_bytes)
        if tcb.rcv_fin is None and tcb.state in _SYNCHRONISED_OPEN:
            if tcb.bytes_in - queue.length >= tcb.tune_at:
                autotune.half_read(tcb, now)
            if window.update_is_worthwhile(tcb):
                tcb.ack_now = True
                tcb.touch()
        return data
    if tcb.read_closed or (tcb.rcv_fin is not None and tcb.rcv_nxt > tcb.rcv_fin):
        return b""
    if tcb.state is CLOSED:
        if tcb.error is not None:
            raise tcb.error
        return b""
    return None


def shutdown(tcb: Tcb) -> None:
    """3.10.4 CLOSE, as the RFC means it: no more SENDs, the FIN follows what is queued; RECEIVE goes on."""
    if tcb.state is CLOSED:
        raise tcb.error or ConnectionNotExistError("connection does not exist")
    if tcb.fin_seq is not None:
        return
    if tcb.state is SYN_SENT:
        tcb.finish(ConnectionClosingError("closed while opening"))
        return
    tcb.fin_seq = tcb.send_buffer.end
    if tcb.state is ESTABLISHED:
        tcb.enter(FIN_WAIT_1)
    elif tcb.state is CLOSE_WAIT:
        tcb.enter(LAST_ACK)
    tcb.touch()  # in SYN-RECEIVED: "queue for processing after entering ESTABLISHED state"


def close(tcb: Tcb, now: float) -> None:
    """Sockets' close: nobody will read. Unread data is answered with RST (RFC 2525 section 2.17, SHLD-3)."""
    if tcb.closed_by_user:
        return
    tcb.closed_by_user = True
    if tcb.state is CLOSED:
        return
    unread = tcb.rcv_queue.length > 0
    tcb.rcv_queue.clear()
    if tcb.state is not TIME_WAIT and (unread or tcb.config.linger == 0.0):
        _reset(tcb)
        tcb.rst_wanted |= unread
        return
    shutdown(tcb)
    if tcb.state is FIN_WAIT_2:
        tcb.timers.set(timing.FIN_WAIT_2, now, tcb.config.fin_wait_2_timeout)
        tcb.touch()
    elif tcb.config.linger is not None and tcb.state not in (CLOSED, TIME_WAIT):
        tcb.timers.set(timing.LINGER, now, tcb.config.linger)
        tcb.touch()


def abort(tcb: Tcb) -> None:
    """3.10.5 ABORT: RST to the peer unless both sides have closed, everything queued is dropped."""
    tcb.closed_by_user = True
    tcb.rcv_queue.clear()
    if tcb.state is not CLOSED:
        _reset(tcb)


def close_read(tcb: Tcb) -> None:
    """BSD's shutdown of the reading side: what waits and what comes is dropped, but acknowledged."""
    tcb.read_closed = True
    tcb.rcv_queue.clear()
    tcb.rcv_up = None


def set_option(tcb: Tcb, name: str, value: Any, now: float) -> None:
    """Change one of ``OPTIONS``, at once. Raises ``ValueError`` on an unknown name or a value out of range."""
    if name not in OPTIONS:
        raise ValueError(f"no option {name!r}; there are {', '.join(sorted(OPTIONS))}")
    tcb.config = replace(tcb.config, **{name: value})
    if name.startswith("keepalive"):
        tcb.keepalive_probes = 0
        keepalive.rearm(tcb, now)
    elif name == "cork" and not value:
        tcb.timers.clear(timing.CORK)
        tcb.flush_to = tcb.send_buffer.end
    elif name == "congestion_control":
        tcb.control(congestion.replacement(tcb.congestion, value))
        tcb.undo = None  # that would bring the old one back
    elif name in ("ttl", "traffic_class"):
        tcb.pseudo_sum = -1
    elif name == "pacing":
        tcb.pace()
    elif "user_timeout" in name:
        usertimeout.changed(tcb, now)
    elif name == "mtu_probing":
        mtuprobe.switched(tcb, now)
    elif name == "receive_buffer":
        autotune.set_size(tcb, value)
    tcb.touch()


def status(tcb: Tcb, now: float) -> ConnectionStatus:
    """3.10.6 STATUS."""
    rtt, board = tcb.rtt, tcb.scoreboard
    return ConnectionStatus(
        local_address=tcb.local[0],
        local_port=tcb.local[1],
        remote_address=tcb.remote[0],
        remote_port=tcb.remote[1],
        state=str(tcb.state),
        age=now - tcb.opened_at,
        recv_q=tcb.rcv_queue.length,
        send_q=len(tcb.send_buffer),
        urgent=urgent.remaining(tcb),
        snd_una=wrap(tcb.snd_una),
        snd_nxt=wrap(tcb.snd_nxt),
        snd_wnd=tcb.snd_wnd,
        snd_up=wrap(max(tcb.snd_up, tcb.snd_una)),
        snd_wl1=wrap(tcb.snd_wl1),
        snd_wl2=wrap(tcb.snd_wl2),
        iss=wrap(tcb.iss),
        rcv_nxt=wrap(tcb.rcv_nxt),
        rcv_wnd=tcb.rcv_wnd,
        rcv_up=wrap(tcb.rcv_nxt if tcb.rcv_up is None else tcb.rcv_up),
        irs=wrap(tcb.irs),
        mss=tcb.mss,
        path_mtu=tcb.path_mtu,
        mtu_probe=tcb.mtu_search.size or None if tcb.mtu_search is not None else None,
        timestamps=tcb.ts_on,
        sack=tcb.sack_ok,
        ecn=tcb.ecn is not None,
        snd_wscale=tcb.snd_wscale,
        rcv_wscale=tcb.rcv_wscale,
        nodelay=tcb.config.nodelay,
        cork=tcb.config.cork,
        keepalive=tcb.config.keepalive,
        user_timeout=tcb.user_timeout,
        remote_user_timeout=tcb.remote_user_timeout,
        ttl=tcb.config.ttl,
        traffic_class=tcb.config.traffic_class,
        received_traffic_class=tcb.received_traffic_class,
        flow_label=tcb.flow_label,
        cwnd=tcb.congestion.cwnd,
        ssthresh=tcb.congestion.ssthresh,
        congestion_control=tcb.congestion.name,
        congestion_state=recovery.state_name(tcb),
        srtt=rtt.srtt,
        rttvar=rtt.rttvar,
        pacing_rate=None if tcb.pacer is None else pacing.rate_of(tcb),
        bandwidth=tcb.congestion.bandwidth,
        min_rtt=tcb.congestion.path_min_rtt or rtt.min_rtt,
        rto=rtt.rto,
        in_flight=tcb.in_flight,
        sacked=0 if board is None else board.sacked,
        lost=0 if board is None else board.lost,
        sack_blocks=() if board is None else _wrapped(board.blocks()),
        out_of_order=() if tcb.out_of_order is None else _wrapped(tcb.out_of_order.ranges()),
        send_buffer=tcb.config.send_buffer,
        receive_buffer=tcb.receive_buffer,
        receive_buffer_tuned=tcb.config.receive_buffer is None,
        timers=_timers(tcb, now),
        keepalive_probes=tcb.keepalive_probes,
        retransmissions=tcb.retransmissions,
        error=str(tcb.error) if tcb.error is not None else None,
        soft_error=str(tcb.soft_error) if tcb.soft_error is not None else None,
        segments_in=tcb.segments_in,
        segments_out=tcb.segments_out,
        bytes_in=tcb.bytes_in,
        bytes_out=tcb.bytes_out,
        bytes_acked=tcb.bytes_acked,
        segments_retransmitted=tcb.segments_retransmitted,
        bytes_retransmitted=tcb.bytes_retransmitted,
        duplicate_acks_in=tcb.duplicate_acks_in,
        dsacks_in=tcb.dsacks_in,
        ce_in=tcb.ce_in,
        spurious_recoveries=tcb.spurious_recoveries,
        segments_out_of_order=tcb.segments_out_of_order,
        segments_duplicate=tcb.segments_duplicate,
        window_probes_out=tcb.window_probes_out,
        challenge_acks_out=tcb.challenge_acks_out,
        paws_drops=tcb.paws_drops,
        last_data_in=None if tcb.last_data_in is None else now - tcb.last_data_in,
        last_data_out=None if tcb.last_data_out is None else now - tcb.last_data_out,
    )


def _wrapped(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    return tuple((wrap(left), wrap(right)) for left, right in ranges)


def _timers(tcb: Tcb, now: float) -> tuple[TimerStatus, ...]:
    result = []
    for timer in Timer:
        if tcb.timers.armed(timer):
            # The keepalive timer is lazy: what counts is when the peer was last heard
            deadline = keepalive.due(tcb, now) if timer == timing.KEEPALIVE else tcb.timers.deadline(timer)
            remaining = max(deadline - now, 0.0)
            result.append(TimerStatus(str(timer), remaining, max(_duration(tcb, timer), remaining)))
    return tuple(result)


def _duration(tcb: Tcb, timer: Timer) -> float:
    """Seconds for which ``timer`` is usually armed."""
    config = tcb.config
    if timer == timing.RETRANSMIT or timer == timing.PERSIST:
        return tcb.rtt.rto
    if timer == timing.KEEPALIVE:
        return config.keepalive_interval if tcb.keepalive_probes else config.keepalive_idle
    usual = {
        timing.DELAYED_ACK: config.delayed_ack,
        timing.USER_TIMEOUT: tcb.user_timeout,
        timing.FIN_WAIT_2: config.fin_wait_2_timeout,
        timing.TIME_WAIT: 2 * config.msl,
        timing.LINGER: config.linger,
        timing.PATH_MTU: config.path_mtu_lifetime,
    }
    return usual.get(timer) or tcb.rtt.srtt or 0.0


def _reset(tcb: Tcb) -> None:
    both_closed = tcb.state in (CLOSING, LAST_ACK) and tcb.fin_seq is not None and tcb.snd_nxt > tcb.fin_seq
    tcb.rst_wanted = not both_closed and tcb.state not in (SYN_SENT, LISTEN, TIME_WAIT)
    tcb.finish(ConnectionAbortedError("connection aborted by the user"))
