"""When to look at which connection: a lazy heap, one live entry a connection.

A timer that moves later leaves its entry where it is, to be put back when it comes too early. A timer that moves
earlier gets a new entry, and the overtaken one is dead. Dead entries go once they outnumber the connections: a
keepalive's would otherwise stay for two hours, one more for every acknowledgement that was delayed meanwhile.
"""

from __future__ import annotations

import heapq
from math import inf
from typing import Final

from tcpcore.conn.connection import Connection

SLACK: Final = 64
"""Dead entries that are not worth clearing away."""


class Deadlines:
    """Schedules connections by the earliest of their timers, at O(log n) amortised."""

    __slots__ = ("_heap", "_live", "_number")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Connection]] = []
        self._live = 0
        self._number = 0

    def __len__(self) -> int:
        """Entries, the dead ones included: at most twice the scheduled connections and ``SLACK``."""
        return len(self._heap)

    def schedule(self, connection: Connection) -> None:
        """Look at ``connection`` no later than its earliest timer."""
        deadline = connection.timers.next_deadline()
        if deadline >= connection.scheduled:
            return
        if connection.scheduled == inf:
            self._live += 1
        self._number += 1
        connection.scheduled, connection.schedule_number = deadline, self._number
        heapq.heappush(self._heap, (deadline, self._number, connection))
        if len(self._heap) > 2 * self._live + SLACK:
            self._heap = [entry for entry in self._heap if entry[2].schedule_number == entry[1]]
            heapq.heapify(self._heap)

    def forget(self, connection: Connection) -> None:
        """``connection`` has ended: its entry is dead."""
        if connection.scheduled != inf:
            connection.scheduled, connection.schedule_number = inf, 0
            self._live -= 1

    def next(self) -> float | None:
        """The earliest entry's time, maybe that of a dead one; ``None``: there is none."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Connection | None:
        """A connection whose entry is due at ``now``, no longer scheduled; ``None`` when there is no more."""
        while self._heap and self._heap[0][0] <= now:
            _, number, connection = heapq.heappop(self._heap)
            if connection.schedule_number == number:
                self.forget(connection)
                return connection
        return None
