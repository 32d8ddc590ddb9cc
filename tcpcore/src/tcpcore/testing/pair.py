"""Two stacks and a network between them, in virtual time: no clock, no I/O, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable

from tcpcore.config import Config, LinkCapabilities
from tcpcore.conn.connection import Connection
from tcpcore.path import Path
from tcpcore.stack.listener import Listener
from tcpcore.stack.stack import Stack

Filter = Callable[[bytes, str], bool]
"""Called with each packet and its direction (``"a>b"`` or ``"b>a"``); False loses the packet."""


class Pair:
    """Stack ``a`` (192.0.2.1, 2001:db8::1) and stack ``b`` (.2, ::2), and the paths ``a_to_b`` and ``b_to_a``.

    ``latency`` is the one-way delay in seconds; ``loss``, ``duplicate``, ``reorder`` and ``corrupt`` are
    probabilities, decided by ``seed``; a reordered packet comes up to four latencies late, a corrupted one has
    one bit changed. So both paths begin; each may change (``Path.change``). ``deliver`` may be replaced, to lose or
    record what would enter a path.
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
        self.rng = random.Random(seed)
        self.deliver: Filter = lambda packet, direction: True
        self.a = Stack(["192.0.2.1/24", "2001:db8::1/64"], config, random.Random(seed + 1), b"a" * 32, capabilities)
        self.b = Stack(
            ["192.0.2.2/24", "2001:db8::2/64"], config_b or config, random.Random(seed + 2), b"b" * 32, capabilities
        )
        self.a_to_b, self.b_to_a = (
            Path(
                rng=self.rng, delay=latency, loss=loss, duplicate=duplicate, corrupt=corrupt,
                reorder=reorder, reorder_by=4 * max(latency, 0.001),
            )
            for _ in range(2)
        )  # fmt: skip

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
        """Take what both stacks want to send and put it on its path."""
        for stack, path, direction in ((self.a, self.a_to_b, "a>b"), (self.b, self.b_to_a, "b>a")):
            for packet in stack.transmit(self.now):
                for piece in packet.cut():
                    data = bytes(piece)
                    if self.deliver(data, direction):
                        path.send(data, self.now)

    def step(self) -> bool:
        """Flush, then go to the next moment at which something happens; False when nothing ever will."""
        self.flush()
        moment = self._next_time()
        if moment is None:
            return False
        self.now = now = max(self.now, moment)
        for path, stack in ((self.a_to_b, self.b), (self.b_to_a, self.a)):
            for packet in path.receive(now):
                stack.receive(packet, now)
            stack.advance(now)
        self.flush()
        return True

    def run(self, seconds: float) -> None:
        """Let ``seconds`` of virtual time pass."""
        end = self.now + seconds
        while True:
            self.flush()
            moment = self._next_time()
            if moment is None or moment > end:
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

    def _next_time(self) -> float | None:
        """When something happens next: a packet arrives, or a timer fires."""
        moments = (
            self.a_to_b.next_time(), self.b_to_a.next_time(), self.a.next_deadline(), self.b.next_deadline()
        )  # fmt: skip
        return min((moment for moment in moments if moment is not None), default=None)
