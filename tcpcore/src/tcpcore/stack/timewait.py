"""Connections in TIME-WAIT, of which a busy server has thousands (RFC 9293 section 3.4.2).

They all wait equally long, so the first to come is the first to go: no heap, and no cost that grows with their number.
"""

from __future__ import annotations

from collections import OrderedDict
from math import inf

from tcpcore import timing
from tcpcore.conn.connection import Connection


class TimeWaitQueue:
    """At most ``limit`` connections, by their deadlines."""

    __slots__ = ("_last", "_limit", "_waiting", "due")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: OrderedDict[Connection, float] = OrderedDict()  # a dict whose first go is slow to find the next
        self._last = 0.0
        self.due = inf
        """No later than the first is due."""

    def __len__(self) -> int:
        return len(self._waiting)

    def takes(self, connection: Connection) -> bool:
        """Put ``connection`` at the end, also if its time begins anew; False: it waits for less long than others."""
        deadline = connection.timers.deadlines[timing.TIME_WAIT]
        waiting = self._waiting
        known = waiting.get(connection)
        if known is not None:
            if known == deadline:
                return True
            del waiting[connection]
        if deadline < self._last and waiting:
            return False
        waiting[connection] = self._last = deadline
        if self.due == inf:
            self.due = deadline
        return True

    def surplus(self) -> Connection | None:
        """The one that waits longest, if there are too many."""
        return next(iter(self._waiting)) if len(self._waiting) > self._limit else None

    def forget(self, connection: Connection) -> None:
        """``connection`` has ended, or was reopened."""
        self._waiting.pop(connection, None)
        if not self._waiting:
            self.due = inf

    def pop_due(self, now: float) -> Connection | None:
        """One whose time is over, no longer in the queue."""
        if self.due > now:
            return None
        waiting = self._waiting
        self.due = waiting[next(iter(waiting))] if waiting else inf
        return waiting.popitem(last=False)[0] if self.due <= now else None
