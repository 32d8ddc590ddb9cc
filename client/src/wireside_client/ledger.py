"""Book-keeping of a trial: did every message reach everyone in its room, once, unaltered and in order?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import trio

from wireside_protocol.messages import RoomMessage


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome; latencies in seconds, ``None`` when nothing arrived."""

    said: int
    expected: int
    delivered: int
    duplicates: int
    disordered: int
    altered: int
    latency_p50: float | None
    latency_p99: float | None

    @property
    def missing(self) -> int:
        """Deliveries that did not happen."""
        return self.expected - self.delivered

    @property
    def faultless(self) -> bool:
        """Whether everything arrived once, in order and as it was said."""
        return not (self.missing or self.duplicates or self.disordered or self.altered)


class Ledger:
    """Notes what is said and what arrives; ``rooms`` has each room's members, who must be in it already."""

    def __init__(self, rooms: Mapping[str, Collection[str]]) -> None:
        self._rooms = rooms
        self._said: dict[str, tuple[str, str, float]] = {}
        self._arrived: dict[str, set[str]] = {}
        self._order: dict[tuple[str, int], str] = {}
        self._last: dict[tuple[str, str], int] = {}
        self._latencies: list[float] = []
        self._complete = trio.Event()
        self._complete.set()
        self._expected = self._delivered = self._duplicates = self._disordered = self._altered = 0

    def said(self, room: str, message_id: str, text: str, now: float) -> None:
        """A member hands a message to its client."""
        self._said[message_id] = (room, text, now)
        self._arrived[message_id] = set()
        self._expected += len(self._rooms[room])
        if self._complete.is_set():
            self._complete = trio.Event()

    def arrived(self, member: str, message: RoomMessage, now: float) -> None:
        """A member's client shows a message; those of strangers do not count."""
        said = self._said.get(message.message_id)
        if said is None:
            return
        room, text, since = said
        readers = self._arrived[message.message_id]
        if member in readers:
            self._duplicates += 1
            return
        readers.add(member)
        self._delivered += 1
        self._latencies.append(now - since)
        self._altered += (message.room, message.text) != (room, text)
        place = (message.room, message.seq)
        in_order = message.seq > self._last.get((member, message.room), 0)
        same_for_all = self._order.setdefault(place, message.message_id) == message.message_id
        self._disordered += not (in_order and same_for_all)
        self._last[member, message.room] = message.seq
        if self._delivered == self._expected:
            self._complete.set()

    async def wait_complete(self) -> None:
        """Until nothing is on its way any more."""
        await self._complete.wait()

    def verdict(self) -> Verdict:
        """The sums so far."""
        return Verdict(
            said=len(self._said),
            expected=self._expected,
            delivered=self._delivered,
            duplicates=self._duplicates,
            disordered=self._disordered,
            altered=self._altered,
            latency_p50=_quantile(self._latencies, 0.50),
            latency_p99=_quantile(self._latencies, 0.99),
        )


def _quantile(values: list[float], fraction: float) -> float | None:
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(len(values) * fraction))]
