"""Two stacks and a network between them, in virtual time: no clock, no I/O, the same for the same seed."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

from tcpcore.config import Config, LinkCapabilities
from tcpcore.conn.connection import Connection
from tcpcore.stack.listener import Listener
from tcpcore.stack.stack import Stack

Filter = Callable[[bytes, str], bool]
"""Called with each packet and its direction (``"a>b"`` or ``"b>a"``); False loses the packet."""


class Pair:
    """Stack ``a`` (192.0.2.1, 2001:db8::1) and stack ``b`` (.2, ::2).

    ``latency`` is the one-way delay in seconds; ``loss``, ``duplicate``, ``reorder`` and ``corrupt`` are
    probabilities, decided by ``seed``; a reordered packet comes up to four latencies late, a corrupted one has
    one bit changed. ``deliver`` may be replaced, to lose or record.
    """

    def __init__(
        self,
        config: Config | None = None,
        config_b: Config | None = None,
        latency: float = 0.0,
        seed: int = 0,
        loss: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        corrupt: float = 0.0,
        capabilities: LinkCapabilities | None = None,
        start: float = 1000.0,
    ) -> None:
        self.now = start
        self.latency = latency
        self.loss = loss
        self.duplicate = duplicate
        self.reorder = reorder
        self.corrupt = corrupt
        self.rng = random.Random(seed)
        self.deliver: Filter = lambda packet, direction: True
        self.a = Stack(["192.0.2.1/24", "2001:db8::1/64"], config, random.Random(seed + 1), b"a" * 32, capabilities)
        self.b = Stack(
            ["192.0.2.2/24", "2001:db8::2/64"], config_b or config, random.Random(seed + 2), b"b" * 32, capabilities
        )
        self._wire: list[tuple[float, int, Stack, bytes]] = []
        self._count = 0

    def connect(self, port: int = 80, listener: Listener | None = None) -> tuple[Connection, Connection]:
        """A connection from ``a`` to a listener of ``b`` (made if not given), handshake done."""
        listener = listener or self.b.listen(port)
        active = self.a.connect(("192.0.2.2", listener.port), self.now)
        passive = None
        for _ in range(200):
            self.step()
            if (passive := listener.accept()) is not None:
                break
        if passive is None:
            raise AssertionError(f"the handshake did not complete: {active.state}")
        return active, passive

    def flush(self) -> None:
        """Take what both stacks want to send and put it on the wire; then deliver what is due now."""
        for stack, other, direction in ((self.a, self.b, "a>b"), (self.b, self.a, "b>a")):
            for packet in stack.transmit(self.now):
                for piece in packet.cut():
                    self._send(bytes(piece), other, direction)

    def step(self) -> bool:
        """Flush, then go to the next moment at which something happens; False when nothing ever will."""
        self.flush()
        moments = [self._wire[0][0]] if self._wire else []
        moments += [d for stack in (self.a, self.b) if (d := stack.next_deadline()) is not None]
        if not moments:
            return False
        self.now = max(self.now, min(moments))
        while self._wire and self._wire[0][0] <= self.now:
            _, _, stack, packet = heapq.heappop(self._wire)
            stack.receive(packet, self.now)
        self.a.advance(self.now)
        self.b.advance(self.now)
        self.flush()
        return True

    def run(self, seconds: float) -> None:
        """Let ``seconds`` of virtual time pass."""
        end = self.now + seconds
        while True:
            self.flush()
            moments = [self._wire[0][0]] if self._wire else []
            moments += [d for stack in (self.a, self.b) if (d := stack.next_deadline()) is not None]
            if not moments or min(moments) > end:
                self.now = end
                return
            self.step()

    def transfer(self, sender: Connection, receiver: Connection, data: bytes, limit: float = 3600.0) -> bytes:
        """Send all of ``data``, reading as it comes; what was received after at most ``limit`` seconds."""
        view, received, end = memoryview(data), bytearray(), self.now + limit
        while len(received) < len(data) and self.now < end:
            if view and (taken := sender.send(bytes(view[: 1 << 20]), self.now)):
                view = view[taken:]
            self.step()
            while chunk := receiver.receive(1 << 20, self.now):
                received += chunk
        return bytes(received)

    def _send(self, packet: bytes, to: Stack, direction: str) -> None:
        if not self.deliver(packet, direction) or self.rng.random() < self.loss:
            return
        for _ in range(2 if self.rng.random() < self.duplicate else 1):
            delay = self.latency
            if self.reorder and self.rng.random() < self.reorder:
                delay += self.rng.random() * 4 * max(self.latency, 0.001)
            if self.corrupt and self.rng.random() < self.corrupt:
                packet = self._corrupted(packet)
            self._count += 1
            heapq.heappush(self._wire, (self.now + delay, self._count, to, packet))

    def _corrupted(self, packet: bytes) -> bytes:
        damaged = bytearray(packet)
        damaged[self.rng.randrange(len(damaged))] ^= 1 << self.rng.randrange(8)
        return bytes(damaged)
