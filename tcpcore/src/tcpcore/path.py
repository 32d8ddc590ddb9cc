"""One direction of a bad network: what goes in, when and in which shape it comes out. No clock, no I/O.

    send -> queue -> bottleneck (rate) -> loss -> delay, jitter, reordering, duplication, corruption -> receive

``Pair`` and ``driver.ImpairedLink`` are made of two of these. Packets are single IP packets, already cut.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

from tcpcore.wire.checksum import checksum

MOST_PACKETS: Final = 100_000
"""On their way at one moment, whatever the settings are; what comes on top is dropped."""
PATIENCE: Final = 0.001
"""Seconds for which a packet waits to be overtaken, on top of what the bottleneck needs for the others."""
BEHIND: Final = 1e-6
"""Seconds between a packet and the one that it overtook: they do not arrive at one moment."""

_PROBABILITIES: Final = ("loss", "duplicate", "reorder", "corrupt")
_NOT_NEGATIVE: Final = ("delay", "jitter", "queue", "reorder_by", "ecn_threshold")


@dataclass(slots=True, kw_only=True, eq=False)
class Path:
    """A path with these settings; each concerns packets sent after it was changed (``change``).

    Times are float seconds of one clock that never goes back. Raises ``ValueError`` on a value outside its range.
    """

    rng: Random
    delay: float = 0.0
    """Seconds that every packet takes, once the bottleneck has sent it."""
    jitter: float = 0.0
    """Seconds: each packet takes up to this longer. The order is kept."""
    rate: float | None = None
    """Bits per second of the bottleneck, IP headers included; ``None``: there is none."""
    queue: int | None = None
    """Packets that may wait for the bottleneck; more are dropped. ``None``: no limit but ``MOST_PACKETS``."""
    ecn_threshold: int | None = None
    """Waiting packets from which on ECN-capable ones are marked CE (RFC 3168); others know only the queue's end."""
    loss: float = 0.0
    """Probability."""
    burst: tuple[float, float] | None = None
    """Gilbert and Elliott's chain: probability, per packet, that a time of loss begins, and that it ends.

    All are lost in between, so p / (p + r) of them in the long run, 1 / r in a row on average.
    """
    duplicate: float = 0.0
    """Probability that a packet comes twice."""
    reorder: float = 0.0
    """Probability that a packet comes late, as ``reorder_by`` says."""
    reorder_by: float = 3
    """An ``int``: 1 to so many packets overtake it. A ``float``: it is 0 to so many seconds late."""
    corrupt: float = 0.0
    """Probability that one bit of a packet is wrong."""

    sent: int = field(default=0, init=False)
    """Packets given to ``send``."""
    dropped: int = field(default=0, init=False)
    """Did not fit into the queue."""
    lost: int = field(default=0, init=False)
    marked: int = field(default=0, init=False)
    duplicated: int = field(default=0, init=False)
    reordered: int = field(default=0, init=False)
    corrupted: int = field(default=0, init=False)
    max_queue_length: int = field(default=0, init=False)
    """Packets, as ``queue_length`` counts them."""
    max_queue_delay: float = field(default=0.0, init=False)
    """Seconds that the packet waited that waited longest."""
    queue_delays: float = field(default=0.0, init=False)
    """Seconds that all packets waited together."""

    _count: int = field(default=0, init=False, repr=False)
    _last: float = field(default=-math.inf, init=False, repr=False)
    _in_burst: bool = field(default=False, init=False, repr=False)
    _departures: deque[float] = field(default_factory=deque, init=False, repr=False)
    """When the bottleneck is done with each packet it has."""
    _flying: list[tuple[float, int, bytes]] = field(default_factory=list, init=False, repr=False)
    """A heap of (arrival, number, packet)."""
    _held: list[tuple[float, int, bytes]] = field(default_factory=list, init=False, repr=False)
    """Packets that wait to be overtaken: (until when at most, by how many, packet)."""

    def __post_init__(self) -> None:
        """Refuse nonsense."""
        self._check()

    def change(self, **settings: Any) -> None:
        """Set some of the settings, all or none. Raises ``ValueError``."""
        unknown = settings.keys() - SETTINGS
        if unknown:
            raise ValueError(f"no such setting: {', '.join(sorted(unknown))}; there are {', '.join(SETTINGS)}")
        before = {name: getattr(self, name) for name in settings}
        try:
            self._set(settings)
            self._check()
        except ValueError:
            self._set(before)
            raise

    def settings(self) -> dict[str, Any]:
        """All of them, for people and for ``change``."""
        return {name: getattr(self, name) for name in SETTINGS}

    # Packets

    def send(self, packet: bytes, now: float) -> None:
        """A packet enters the path."""
        self.sent += 1
        departure = now
        if len(self._flying) >= MOST_PACKETS:
            self.dropped += 1
            return
        if self.rate is not None:
            waiting = self.queue_length(now)
            if self.queue is not None and self._departures and waiting >= self.queue:
                self.dropped += 1
                return
            departure = self._depart(len(packet), waiting, now)
            if self.ecn_threshold is not None and waiting >= self.ecn_threshold:
                packet = self._mark(packet)
        if (self.loss or self.burst is not None) and self._is_lost():
            self.lost += 1
            return
        self._fly(packet, departure)
        if self.duplicate and self.rng.random() < self.duplicate:
            self.duplicated += 1
            self._fly(packet, departure)

    def receive(self, now: float) -> list[bytes]:
        """The packets that arrive up to ``now`` and were not taken yet, in the order of their arrival."""
        if self._held:
            self._release(now, 0)
        flying, arrived = self._flying, []
        while flying and flying[0][0] <= now:
            arrived.append(heappop(flying)[2])
        return arrived

    def next_time(self) -> float | None:
        """When ``receive`` has something next; ``None``: the path is empty."""
        first = self._flying[0][0] if self._flying else math.inf
        for until, _, _ in self._held:
            first = min(first, until)
        return first if first < math.inf else None

    # What the bottleneck has

    def queue_length(self, now: float) -> int:
        """Packets that wait, without the one that is being sent."""
        departures = self._departures
        while departures and departures[0] <= now:
            departures.popleft()
        return len(departures) - 1 if departures else 0

    def queue_delay(self, now: float) -> float:
        """Seconds that a packet would wait that came now."""
        return max(self._departures[-1] - now, 0.0) if self._departures else 0.0

    @property
    def mean_queue_delay(self) -> float:
        """Seconds, over all packets that were not dropped."""
        return self.queue_delays / max(self.sent - self.dropped, 1)

    # Stages

    def _depart(self, size: int, waiting: int, now: float) -> float:
        """Put a packet into the queue; when the bottleneck is done with it."""
        assert self.rate is not None
        start = now
        if self._departures:
            start = self._departures[-1]
            delay = start - now
            self.queue_delays += delay
            self.max_queue_delay = max(self.max_queue_delay, delay)
            self.max_queue_length = max(self.max_queue_length, waiting + 1)
        departure = start + size * 8 / self.rate
        self._departures.append(departure)
        return departure

    def _mark(self, packet: bytes) -> bytes:
        marked = congestion_experienced(packet)
        self.marked += marked is not packet
        return marked

    def _is_lost(self) -> bool:
        if self.burst is not None:
            begins, ends = self.burst
            self._in_burst = self.rng.random() >= ends if self._in_burst else self.rng.random() < begins
            if self._in_burst:
                return True
        return self.rng.random() < self.loss

    def _fly(self, packet: bytes, departure: float) -> None:
        arrival = departure + self.delay
        if self.jitter:
            arrival += self.jitter * self.rng.random()
        if self.corrupt and self.rng.random() < self.corrupt:
            packet = self._damaged(packet)
        if self.reorder and self.rng.random() < self.reorder:
            self._come_late(packet, arrival)
            return
        self._last = arrival = max(arrival, self._last)
        self._land(packet, arrival)
        if self._held:
            self._release(arrival, 1)

    def _land(self, packet: bytes, arrival: float) -> None:
        self._count += 1
        heappush(self._flying, (arrival, self._count, packet))

    def _come_late(self, packet: bytes, arrival: float) -> None:
        self.reordered += 1
        if not isinstance(self.reorder_by, int):
            self._land(packet, arrival + self.reorder_by * self.rng.random())
            return
        by = self.rng.randint(1, max(self.reorder_by, 1))
        patience = PATIENCE + (by * len(packet) * 8 / self.rate if self.rate is not None else 0.0)
        self._held.append((max(arrival, self._last) + patience, by, packet))

    def _release(self, moment: float, overtaking: int) -> None:
        """Let go those whose time is over at ``moment``, and those that ``overtaking`` packets more are enough for."""
        held, self._held = self._held, []
        for until, by, packet in held:
            if until <= moment:
                self._land(packet, until)
            elif by <= overtaking:
                self._land(packet, moment + BEHIND)
            else:
                self._held.append((until, by - overtaking, packet))

    def _damaged(self, packet: bytes) -> bytes:
        self.corrupted += 1
        damaged = bytearray(packet)
        damaged[self.rng.randrange(len(damaged))] ^= 1 << self.rng.randrange(8)
        return bytes(damaged)

    # Settings

    def _set(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            setattr(self, name, value)

    def _check(self) -> None:
        for name in (*_PROBABILITIES, *_NOT_NEGATIVE):
            value = getattr(self, name)
            most = 1.0 if name in _PROBABILITIES else math.inf
            if value is not None and not 0 <= value <= most:
                raise ValueError(f"{name} must be at least 0" + (" and at most 1" if most == 1.0 else ""))
        if self.rate is not None and not self.rate > 0:
            raise ValueError("rate must be above 0 bit/s, or None")
        if self.burst is not None and (len(self.burst) != 2 or not all(0 <= chance <= 1 for chance in self.burst)):
            raise ValueError("burst must be two probabilities, 0 to 1")


SETTINGS: Final = (
    "delay", "jitter", "rate", "queue", "ecn_threshold", "loss", "burst", "duplicate", "reorder", "reorder_by",
    "corrupt",
)  # fmt: skip
"""Names that ``Path.change`` takes."""


def congestion_experienced(packet: bytes) -> bytes:
    """The packet with CE if it is ECN-capable and has none yet; otherwise the same object (RFC 3168 section 5)."""
    if len(packet) < 20:
        return packet
    version = packet[0] >> 4
    ecn = 0x03 if version == 4 else 0x30
    if packet[1] & ecn in (0, ecn):
        return packet
    marked = bytearray(packet)
    marked[1] |= ecn
    if version == 4:
        marked[10:12] = b"\0\0"
        marked[10:12] = checksum(marked[: (marked[0] & 15) * 4]).to_bytes(2, "big")
    return bytes(marked)
