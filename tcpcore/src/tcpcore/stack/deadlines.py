"""When to look at which connection: a lazy heap, one live entry a connection.

A timer that moves later leaves its entry where it is, to be put back when it comes too early. A timer that moves
earlier gets a new entry, and the overtaken one is dead. Dead entries go once they outnumber the connections: a
keepalive's would otherwise stay for two hours, one more for every acknowledgement that was delayed meanwhile.

A connection waits in a list, the young, until the first of them is due, and only then enters the heap: most do not
live so long.
"""

from __future__ import annotations

import heapq
from math import inf
from typing import Final

from tcpcore.conn.connection import Connection

SLACK: Final = 64
"""Dead entries that are not worth clearing away."""


class Deadlines:
    """Schedules connections by the earliest of their timers, at O(log n) amortised.

    ``schedule_number`` of a connection: that of its entry in the heap, its negative among the young, or 0.
    """

    __slots__ = ("_heap", "_live", "_number", "_young", "_young_due")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Connection]] = []
        self._young: list[Connection] = []
        self._young_due = inf
        """No later than the first of the young is due."""
        self._live = 0
        self._number = 0

    def __len__(self) -> int:
        """Entries, the dead ones included: at most twice the scheduled connections and ``SLACK``."""
        return len(self._heap) + len(self._young)

    def schedule(self, connection: Connection) -> None:
        """Look at ``connection`` no later than its earliest timer."""
        deadline = connection.timers.earliest
        if deadline >= connection.scheduled:
            return
        if connection.scheduled == inf:
            self._live += 1
        self._number += 1
        is_young = connection.schedule_number < 0
        connection.scheduled, connection.schedule_number = deadline, -self._number
        if deadline < self._young_due:
            self._young_due = deadline
        if not is_young:
            self._young.append(connection)
            if len(self._heap) + len(self._young) > 2 * self._live + SLACK:
                self._clear_away()

    def forget(self, connection: Connection) -> None:
        """``connection`` has ended: its entry is dead."""
        if connection.scheduled != inf:
            connection.scheduled = inf
            self._live -= 1
            if connection.schedule_number > 0:
                connection.schedule_number = 0

    def next(self) -> float:
        """The earliest entry's time, maybe that of a dead one; infinite: there is none."""
        if self._heap and self._heap[0][0] < self._young_due:
            return self._heap[0][0]
        return self._young_due

    def pop_due(self, now: float) -> Connection | None:
        """A connection with a timer due at ``now``, no longer scheduled; ``None`` when there is no more."""
        if self._young_due <= now:
            self._let_in()
        while self._heap and self._heap[0][0] <= now:
            _, number, connection = heapq.heappop(self._heap)
            if connection.schedule_number == number:
                self.forget(connection)
                if connection.timers.next_deadline() <= now:
                    return connection
                self.schedule(connection)
        return None

    def _let_in(self) -> None:
        """The young enter the heap, if they live."""
        for connection in self._young:
            if connection.scheduled == inf:
                connection.schedule_number = 0
            else:
                connection.schedule_number = number = -connection.schedule_number
                heapq.heappush(self._heap, (connection.scheduled, number, connection))
        self._young, self._young_due = [], inf

    def _clear_away(self) -> None:
        """Without what is dead."""
        self._heap = [entry for entry in self._heap if entry[2].schedule_number == entry[1]]
        heapq.heapify(self._heap)
        young, self._young = self._young, []
        for connection in young:
            if connection.scheduled != inf:
                self._young.append(connection)
            else:
                connection.schedule_number = 0
