"""The receive buffer finds its size: it holds two round trips of what the user reads (Linux's dynamic right-sizing).

A window lets at most one buffer pass in a round trip. A user who reads half of that in so short a time may be kept
waiting by it, so the buffer doubles. Who reads slower, or gets less from the peer, keeps the buffer it has.
"""

from __future__ import annotations

from math import inf

from tcpcore.conn import window
from tcpcore.conn.tcb import TIMESTAMP_TICK, Tcb


def half_read(tcb: Tcb, now: float) -> None:
    """The user has read half a buffer since the last call, or all of the first one."""
    if now - tcb.tuned_at <= round_trip(tcb) + TIMESTAMP_TICK and tcb.config.receive_buffer is None:
        _grow(tcb)
    tcb.tuned_at = now
    tcb.tune_at = tcb.bytes_in - tcb.rcv_queue.length + tcb.receive_buffer // 2


def round_trip(tcb: Tcb) -> float:
    """Seconds from an ACK of ours to the data it let out: as the last timestamp echoed tells, else our own SRTT."""
    if tcb.ts_echo is None:
        return inf if tcb.rtt.srtt is None else tcb.rtt.srtt
    return tcb.timestamp_age(tcb.ts_echo, tcb.ts_recent_at)


def set_size(tcb: Tcb, size: int | None) -> None:
    """The user wants exactly ``size`` bytes, or ``None``: tuning from where the buffer is."""
    tcb.forget_growth()
    if size is not None:
        tcb.receive_buffer = size


def _grow(tcb: Tcb) -> None:
    limit = min(tcb.config.max_receive_buffer, window.largest(tcb))
    step = min(tcb.receive_buffer, limit - tcb.receive_buffer)
    if step <= 0:
        return
    if tcb.env.receive_grown + step > tcb.env.config.receive_memory:
        tcb.env.counters.receive_memory_limited += 1
        return
    tcb.receive_buffer += step
    tcb.receive_grown += step
    tcb.env.receive_grown += step
