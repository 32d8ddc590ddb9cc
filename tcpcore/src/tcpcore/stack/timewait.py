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

    __slots__ = ("_entries", "_last", "_limit", "_live", "due")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: deque[tuple[float, Connection]] = deque()
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
        self._entries.append((deadline, connection))
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
        if len(self._entries) > 2 * self._live + SLACK:
            self._entries = deque(entry for entry in self._entries if entry[1].waits_until == entry[0])

    def pop_due(self, now: float) -> Connection | None:
        """One whose time is over, no longer in the queue."""
        if self.due > now:
            return None
        self.due = self._first_deadline()
        return self._pop() if self.due <= now else None

    def _first_deadline(self) -> float:
        """When the first has to go, which then is the first entry; infinite: there is none."""
        entries = self._entries
        while entries:
            deadline, connection = entries[0]
            if connection.waits_until == deadline:
                return deadline
            entries.popleft()
        return inf

    def _pop(self) -> Connection:
        _, connection = self._entries.popleft()
        connection.waits_until = inf
        self._live -= 1
        return connection
