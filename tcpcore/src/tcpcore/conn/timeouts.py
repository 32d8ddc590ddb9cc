"""Timeouts (RFC 9293 section 3.10.8), with those of RFC 6298, of window probes and of delayed ACKs."""

from __future__ import annotations

from typing import Final

from tcpcore import timing
from tcpcore.conn import keepalive, mtuprobe, rate, recovery, tlp, usertimeout
from tcpcore.conn.state import FIN_WAIT_2, OPENING, SYN_SENT
from tcpcore.conn.tcb import Tcb
from tcpcore.errors import ConnectionTimeoutError, HostUnreachableError

LOOK_AGAIN: Final = 0.1
"""Seconds for which a timer waits while what it waits for may have come."""
_SILENCE: Final = frozenset(
    (
        timing.RETRANSMIT,
        timing.REORDERING,
        timing.TAIL_LOSS,
        timing.PERSIST,
        timing.KEEPALIVE,
        timing.USER_TIMEOUT,
        timing.FIN_WAIT_2,
    )
)


def expire(tcb: Tcb, now: float) -> None:
    """Fire every timer that is due."""
    if tcb.rate is not None:
        rate.check_app_limited(tcb, tcb.rate, now)
    for timer in tcb.timers.pop_expired(now):
        if tcb.env.unheard and timer in _SILENCE:
            tcb.timers.set(timer, now, LOOK_AGAIN)
            continue
        if tcb.env.observer is not None:
            tcb.env.observer.timer_fired(tcb, timer, now)
        _HANDLERS[timer](tcb, now)


def _retransmit(tcb: Tcb, now: float) -> None:
    config = tcb.config
    if tcb.state in OPENING:
        limit = config.syn_retries if tcb.state is SYN_SENT else config.syn_ack_retries
        if tcb.retransmissions >= limit:
            _give_up_opening(tcb, f"no answer to {limit + 1} SYNs")
            return
        tcb.retransmissions += 1
        tcb.rtt.back_off()
        tcb.syn_due = True
        tcb.timers.set(timing.RETRANSMIT, now, tcb.rtt.rto)
        _advise(tcb, tcb.retransmissions, "retransmissions of the SYN")
    elif tcb.retransmissions >= config.retries and not usertimeout.adapts(tcb):  # R2 (RFC 9293 section 3.8.3)
        _give_up(tcb, f"no answer to {tcb.retransmissions} retransmissions")
    elif tcb.mtu_search is not None and tcb.in_flight > tcb.pipe and mtuprobe.is_lost(tcb):
        mtuprobe.lost(tcb, now)  # what follows the probe arrived
        tcb.timers.set(timing.RETRANSMIT, now, tcb.rtt.rto)
    elif tcb.in_flight:
        recovery.on_timeout(tcb, now)
        mtuprobe.timed_out(tcb, now)
        _advise(tcb, tcb.retransmissions, "retransmissions")


def _persist(tcb: Tcb, now: float) -> None:
    if tcb.in_flight or tcb.send_buffer.end <= tcb.snd_nxt:
        return
    if tcb.probes_unanswered >= tcb.config.retries:
        _give_up(tcb, f"no answer to {tcb.probes_unanswered} window probes")
        return
    tcb.probes_unanswered += 1
    tcb.probe_now = True
    tcb.rtt.back_off()  # SHLD-30
    tcb.timers.set(timing.PERSIST, now, tcb.rtt.rto)
    _advise(tcb, tcb.probes_unanswered, "window probes")


def _delayed_ack(tcb: Tcb, now: float) -> None:
    tcb.ack_now = True


def _pacing(tcb: Tcb, now: float) -> None:
    """Output follows every timer."""


def _user_timeout(tcb: Tcb, now: float) -> None:
    limit = tcb.user_timeout
    if limit is None or tcb.snd_una >= tcb.snd_nxt:
        return
    left = tcb.first_unacked_at + limit - now
    if left > 0:
        tcb.timers.set(timing.USER_TIMEOUT, now, left)
    else:
        _give_up(tcb, f"data stayed unacknowledged for {limit} s")


def _fin_wait_2(tcb: Tcb, now: float) -> None:
    if tcb.state is FIN_WAIT_2:
        tcb.finish()


def _time_wait(tcb: Tcb, now: float) -> None:
    tcb.outlive_time_wait()


def _cork(tcb: Tcb, now: float) -> None:
    tcb.flush_to = tcb.send_buffer.end


def _linger(tcb: Tcb, now: float) -> None:
    _give_up(tcb, f"not delivered within the linger time of {tcb.config.linger} s")


def _advise(tcb: Tcb, count: int, what: str) -> None:
    """R1 (RFC 9293 section 3.8.3): tell the user, who may wait or give up, unless ICMP has told more already."""
    if count == tcb.config.r1 and tcb.soft_error is None and tcb.backlog is None:
        tcb.advise(ConnectionTimeoutError(f"no answer to {count} {what} so far"))


def _give_up_opening(tcb: Tcb, why: str) -> None:
    known = tcb.soft_error
    tcb.finish(known if isinstance(known, HostUnreachableError) else ConnectionTimeoutError(why))


def _give_up(tcb: Tcb, why: str) -> None:
    if isinstance(tcb.soft_error, HostUnreachableError):
        why = f"{why}; {tcb.soft_error}"
    tcb.rst_wanted = tcb.state is not SYN_SENT
    tcb.finish(ConnectionTimeoutError(why))


_HANDLERS: Final = {
    timing.RETRANSMIT: _retransmit,
    timing.REORDERING: recovery.reordering_expired,
    timing.TAIL_LOSS: tlp.expired,
    timing.PERSIST: _persist,
    timing.DELAYED_ACK: _delayed_ack,
    timing.KEEPALIVE: keepalive.expired,
    timing.USER_TIMEOUT: _user_timeout,
    timing.FIN_WAIT_2: _fin_wait_2,
    timing.TIME_WAIT: _time_wait,
    timing.CORK: _cork,
    timing.LINGER: _linger,
    timing.PATH_MTU: mtuprobe.expired,
    timing.PACING: _pacing,
}
