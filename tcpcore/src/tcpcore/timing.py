"""The timers of a connection: a slot for each kind, none of which is ever scanned across connections."""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import Final


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


# Plain ints: an enum's member costs a look-up in its class, and indexes a list slowly
RETRANSMIT: Final = Timer.RETRANSMIT.value
PERSIST: Final = Timer.PERSIST.value
DELAYED_ACK: Final = Timer.DELAYED_ACK.value
KEEPALIVE: Final = Timer.KEEPALIVE.value
USER_TIMEOUT: Final = Timer.USER_TIMEOUT.value
FIN_WAIT_2: Final = Timer.FIN_WAIT_2.value
TIME_WAIT: Final = Timer.TIME_WAIT.value
CORK: Final = Timer.CORK.value
LINGER: Final = Timer.LINGER.value
PATH_MTU: Final = Timer.PATH_MTU.value
REORDERING: Final = Timer.REORDERING.value
TAIL_LOSS: Final = Timer.TAIL_LOSS.value
PACING: Final = Timer.PACING.value

_TIMERS: Final = tuple(Timer)
_NONE: Final = (inf,) * len(_TIMERS)


class TimerTable:
    """``deadlines`` by kind; ``inf`` is "not armed". ``earliest`` is no later than any of them, maybe earlier.

    Hot paths read and clear ``deadlines`` themselves; only ``set`` arms.
    """

    __slots__ = ("deadlines", "earliest")

    def __init__(self) -> None:
        self.deadlines = list(_NONE)
        self.earliest = inf

    def set(self, timer: int, now: float, duration: float) -> None:
        """Arm ``timer`` for ``duration`` seconds from ``now``."""
        self.deadlines[timer] = deadline = now + duration
        if deadline < self.earliest:
            self.earliest = deadline

    def clear(self, timer: int) -> None:
        """Disarm ``timer``."""
        self.deadlines[timer] = inf

    def clear_all(self) -> None:
        """Disarm every timer."""
        self.deadlines[:] = _NONE
        self.earliest = inf

    def armed(self, timer: int) -> bool:
        """Whether ``timer`` runs."""
        return self.deadlines[timer] != inf

    def deadline(self, timer: int) -> float:
        """When ``timer`` fires; ``inf`` when it is not armed."""
        return self.deadlines[timer]

    def next_deadline(self) -> float:
        """The earliest deadline, or ``inf``: exactly, and from now on in ``earliest`` too."""
        self.earliest = min(self.deadlines)
        return self.earliest

    def pop_expired(self, now: float) -> list[Timer]:
        """Disarm and return the timers due at or before ``now``."""
        expired = [timer for timer, deadline in zip(_TIMERS, self.deadlines, strict=True) if deadline <= now]
        for timer in expired:
            self.deadlines[timer] = inf
        self.next_deadline()
        return expired
