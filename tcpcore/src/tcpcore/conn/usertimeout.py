"""The user timeout and its option (RFC 5482): each end tells how long it will wait, and adapts to the other if let.

    USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT))

An adapted timeout decides alone when a connection is given up, for it may be meant to outlast R2.
"""

from __future__ import annotations

from tcpcore import timing
from tcpcore.config import Config
from tcpcore.conn.tcb import Tcb
from tcpcore.wire.options import build_user_timeout


def advertised(config: Config) -> float | None:
    """ADV_UTO, seconds; ``None``: nothing is advertised."""
    return config.user_timeout if config.advertise_user_timeout else None


def adapts(tcb: Tcb) -> bool:
    """Whether the peer's advertisement is in force."""
    return tcb.config.adapt_user_timeout and tcb.remote_user_timeout is not None


def received(tcb: Tcb, seconds: float, now: float) -> None:
    """The option came in an acceptable segment (section 3.2)."""
    if seconds != tcb.remote_user_timeout:
        tcb.remote_user_timeout = seconds
        rearm(tcb, now)


def changed(tcb: Tcb, now: float) -> None:
    """The user changed a setting: advertise it again, and count by it."""
    tcb.user_timeout_due = advertised(tcb.config) is not None
    rearm(tcb, now)


def option(tcb: Tcb) -> bytes:
    """The option that is due, with text never: it would not fit a full-sized segment."""
    tcb.user_timeout_due = False
    seconds = advertised(tcb.config)
    return b"" if seconds is None else build_user_timeout(seconds)


def rearm(tcb: Tcb, now: float) -> None:
    """Put the timeout in force, also for data that is on its way."""
    tcb.user_timeout = limit = _effective(tcb)
    tcb.timers.clear(timing.USER_TIMEOUT)
    if limit is not None and tcb.in_flight:
        tcb.timers.set(timing.USER_TIMEOUT, now, max(tcb.first_unacked_at + limit - now, 0.0))


def _effective(tcb: Tcb) -> float | None:
    config = tcb.config
    if not config.adapt_user_timeout or tcb.remote_user_timeout is None:
        return config.user_timeout
    wanted = max(config.user_timeout or 0.0, tcb.remote_user_timeout, config.user_timeout_min)
    return min(config.user_timeout_max, wanted)
