"""What the core takes for one small packet, without any system call: ``python -m tests.benchmarks.per_packet``.

Two stacks talk over a link with offload; only the calls of one of them are timed, over many connections, so that no
measurement profits from a single connection's warm cache lines. The figure is the best of some rounds: what the
machine does besides only adds.
"""

from __future__ import annotations

import argparse
import gc
import random
from collections.abc import Iterable
from time import perf_counter
from typing import Final

from tcpcore import Config, Connection, Stack
from tcpcore.config import LinkCapabilities
from tcpcore.driver import virtio
from tcpcore.wire.packet import Packet

CONNECTIONS: Final = 500
ROUNDS: Final = 40
MESSAGE: Final = b"m" * 64
LINK: Final = LinkCapabilities(mtu=1500, checksum_offload=True, segmentation_offload=True, max_packet=65535)


class Bench:
    """``CONNECTIONS`` connections from ``peer`` to ``stack``, the one that is measured."""

    def __init__(self) -> None:
        self.now = 1000.0
        config = Config(max_connections=10 * CONNECTIONS)
        self.stack = Stack(["192.0.2.1/24"], config, random.Random(1), b"a" * 32, LINK)
        self.peer = Stack(["192.0.2.2/24"], config, random.Random(2), b"b" * 32, LINK)
        listener = self.stack.listen(80, backlog=CONNECTIONS)
        self.theirs = [self.peer.connect(("192.0.2.1", 80), self.now) for _ in range(CONNECTIONS)]
        for _ in range(3):
            self.exchange()
        self.ours: list[Connection] = []
        while (connection := listener.accept()) is not None:
            self.ours.append(connection)
        self.best: dict[str, float] = {}

    def exchange(self) -> None:
        """Everything that either side wants to send arrives."""
        self.deliver(self.peer.transmit(self.now))
        self.now += 0.0001
        self.hear(self.stack.transmit(self.now))
        self.now += 0.0001

    def deliver(self, packets: Iterable[Packet]) -> None:
        """Let ``packets`` of the peer arrive, untimed."""
        for packet in on_link(packets):
            self.stack.receive(packet, self.now, True)

    def hear(self, packets: Iterable[Packet]) -> None:
        """Let our ``packets`` arrive at the peer."""
        for packet in on_link(packets):
            self.peer.receive(packet, self.now, True)
        for connection in self.theirs:
            connection.receive(65536, self.now)

    def note(self, name: str, began: float, count: int) -> None:
        """A measurement of ``count`` operations has ended."""
        spent = (perf_counter() - began) / count * 1e6
        self.best[name] = min(spent, self.best.get(name, spent))

    # What is measured

    def receive(self, name: str) -> None:
        """The peer says something on every connection; each packet is a batch of its own."""
        for connection in self.theirs:
            connection.send(MESSAGE, self.now)
        self.arrive(name)
        self.read()

    def arrive(self, name: str) -> None:
        """What the peer wants to send arrives, packet by packet."""
        packets = on_link(self.peer.transmit(self.now))
        stack, now = self.stack, self.now
        began = perf_counter()
        for packet in packets:
            stack.receive(packet, now, True)
            stack.transmit(now)
            stack.take_ready()
        self.note(name, began, len(packets))

    def read(self) -> None:
        """The user reads."""
        ours, now = self.ours, self.now
        began = perf_counter()
        for connection in ours:
            connection.receive(65536, now)
        self.note("read", began, len(ours))

    def send(self) -> list[Packet]:
        """The user says something on every connection, and it leaves at once."""
        stack, now = self.stack, self.now
        packets: list[Packet] = []
        began = perf_counter()
        for connection in self.ours:
            connection.send(MESSAGE, now)
            packets += stack.transmit(now)
        self.note("send", began, len(packets))
        began = perf_counter()
        for packet in packets:
            virtio.header_for(packet)
        self.note("virtio header", began, len(packets))
        return packets

    def acknowledge(self) -> None:
        """The peer acknowledges what it has, with nothing else to say."""
        for connection in self.theirs:
            connection.ack_now = True
            connection.touch()
        self.arrive("pure ACK")

    def bulk_in(self) -> None:
        """Super-segments of 64 KiB arrive, one on each connection."""
        data = bytes(60_000)
        for connection in self.theirs:
            connection.send(data, self.now)
        packets = [packet for packet in on_link(self.peer.transmit(self.now)) if len(packet) > 10_000]
        stack, now = self.stack, self.now
        began = perf_counter()
        for packet in packets:
            stack.receive(packet, now, True)
        self.hear(stack.transmit(now))
        self.note("bulk receive", began, len(packets))
        for connection in self.ours:
            while connection.receive(65536, now):
                pass

    def settle(self) -> None:
        """Delayed acknowledgements leave; nothing is outstanding."""
        for _ in range(3):
            self.now += 0.1
            self.stack.advance(self.now)
            self.peer.advance(self.now)
            self.exchange()

    def round(self) -> None:
        """Each measurement once."""
        self.receive("receive")
        self.settle()
        self.now += 0.001
        for _ in range(2):
            packets = self.send()
            self.now += 0.001
            self.hear(packets)
            self.receive("receive, with an ACK")
            self.now += 0.001
        self.hear(self.send())
        self.now += 0.001
        self.acknowledge()
        self.settle()
        self.bulk_in()
        self.settle()


def on_link(packets: Iterable[Packet]) -> list[bytes]:
    """As the link carries them: the checksum left open."""
    return [b"".join((packet.header, *packet.payload)) for packet in packets]


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds for each operation."""
    bench = Bench()
    block = bytes(30 << 20)
    del block  # as the driver does: else what glibc does with the memory of a round is part of the next one
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            bench.round()
    finally:
        gc.enable()
    return bench.best


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measurements of each, of which the best counts")
    for name, microseconds in measure(parser.parse_args().rounds).items():
        print(f"{name:22} {microseconds:6.2f} us")


if __name__ == "__main__":
    main()
