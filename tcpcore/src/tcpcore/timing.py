"""The timers of a connection: a slot for each kind, none of which is ever scanned across connections."""

from __future__ import annotations

from enum import IntEnum
from math import inf


class Timer(IntEnum):
    """Kinds of timer; a connection has at most one of each."""

    RETRANSMIT = 0
    """RFC 6298."""
    PERSIST = 1
    """Zero-window probes (RFC 9293 section 3.8.6.1)."""
    DELAYED_ACK = 2
    """RFC 9293 section 3.8.6.3."""
    KEEPALIVE = 3
    """RFC 9293 section 3.8.4."""
    USER_TIMEOUT = 4
    """RFC 9293 section 3.10.8, RFC 5482."""
    FIN_WAIT_2 = 5
    """An orphan that waits for the peer's FIN."""
    TIME_WAIT = 6
    """2 MSL (RFC 9293 section 3.10.8)."""
    CORK = 7
    """The longest that a corked tail waits."""
    LINGER = 8
    """The longest that CLOSE tries to deliver."""
    PATH_MTU = 9
    """When a path that took only smaller packets is tried again (RFC 1191 section 6.3)."""

    REORDERING = 10
    """How long a segment may be overtaken before it counts as lost (RFC 8985 section 6)."""
    TAIL_LOSS = 11
    """RFC 8985 section 7."""
    PACING = 12
    """When the next quantum may leave."""

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


_NONE = (inf,) * len(Timer)


class TimerTable:
    """Deadlines by kind; ``inf`` is "not armed"."""

    __slots__ = ("_deadlines", "_durations")

    def __init__(self) -> None:
        self._deadlines = list(_NONE)
        self._durations = [0.0] * len(Timer)

    def set(self, timer: Timer, now: float, duration: float) -> None:
        """Arm ``timer`` for ``duration`` seconds from ``now``."""
        self._deadlines[timer] = now + duration
        self._durations[timer] = duration

    def clear(self, timer: Timer) -> None:
        """Disarm ``timer``."""
        self._deadlines[timer] = inf

    def clear_all(self) -> None:
        """Disarm every timer."""
        self._deadlines[:] = _NONE

    def armed(self, timer: Timer) -> bool:
        """Whether ``timer`` runs."""
        return self._deadlines[timer] != inf

    def deadline(self, timer: Timer) -> float:
        """When ``timer`` fires; ``inf`` when it is not armed."""
        return self._deadlines[timer]

    def duration(self, timer: Timer) -> float:
        """Seconds for which ``timer`` was last armed."""
        return self._durations[timer]

    def next_deadline(self) -> float:
        """The earliest deadline, or ``inf``."""
        return min(self._deadlines)

    def pop_expired(self, now: float) -> list[Timer]:
        """Disarm and return the timers due at or before ``now``."""
        expired = [timer for timer in Timer if self._deadlines[timer] <= now]
        for timer in expired:
            self._deadlines[timer] = inf
        return expired
