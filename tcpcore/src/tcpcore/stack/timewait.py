"""Connections in TIME-WAIT, of which a busy server has thousands (RFC 9293 section 3.4.2).

They all wait equally long, so the first to come is the first to go: no heap, and no cost that grows with their number.
An entry is dead when its connection was reopened, or waits anew; dead entries go once they outnumber the others.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

from tcpcore import timing
from tcpcore.conn.connection import Connection

SLACK: Final = 64
"""Dead entries that are not worth clearing away."""


class TimeWaitQueue:
    """At most ``limit`` connections, by their deadlines.

    ``waits_until`` of a connection: the time of its entry, or infinite.
    """

    __slots__ = ("_deadlines", "_last", "_limit", "_live", "_waiting", "due")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Connection] = deque()
        self._deadlines: deque[float] = deque()
        """Of the same entries: a pair would be one more object for the garbage collector to visit."""
        self._live = 0
        self._last = 0.0
        self.due = inf
        """No later than the first is due."""

    def __len__(self) -> int:
        return self._live

    def takes(self, connection: Connection) -> bool:
        """Put ``connection`` at the end, also if its time begins anew; False: it waits for less long than others."""
        deadline = connection.timers.deadlines[timing.TIME_WAIT]
        if connection.waits_until == deadline:
            return True
        self.forget(connection)
        if deadline < self._last and self._live:
            return False
        connection.waits_until = self._last = deadline
        self._waiting.append(connection)
        self._deadlines.append(deadline)
        self._live += 1
        if self.due == inf:
            self.due = deadline
        return True

    def surplus(self) -> Connection | None:
        """The one that waits longest, no longer in the queue, if there are too many."""
        if self._live <= self._limit:
            return None
        self._first_deadline()
        return self._pop()

    def forget(self, connection: Connection) -> None:
        """``connection`` has ended, or was reopened."""
        if connection.waits_until == inf:
            return
        connection.waits_until = inf
        self._live -= 1
        if len(self._waiting) > 2 * self._live + SLACK:
            self._clear_away()

    def pop_due(self, now: float) -> Connection | None:
        """One whose time is over, no longer in the queue."""
        if self.due > now:
            return None
        self.due = self._first_deadline()
        return self._pop() if self.due <= now else None

    def _first_deadline(self) -> float:
        """When the first has to go, which then is the first entry; infinite: there is none."""
        waiting, deadlines = self._waiting, self._deadlines
        while waiting:
            if waiting[0].waits_until == deadlines[0]:
                return deadlines[0]
            waiting.popleft()
            deadlines.popleft()
        return inf

    def _pop(self) -> Connection:
        connection = self._waiting.popleft()
        self._deadlines.popleft()
        connection.waits_until = inf
        self._live -= 1
        return connection

    def _clear_away(self) -> None:
        """Without what is dead."""
        waiting, self._waiting = self._waiting, deque()
        deadlines, self._deadlines = self._deadlines, deque()
        for connection, deadline in zip(waiting, deadlines, strict=True):
            if connection.waits_until == deadline:
                self._waiting.append(connection)
                self._deadlines.append(deadline)
