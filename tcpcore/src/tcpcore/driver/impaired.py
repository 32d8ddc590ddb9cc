"""A link made worse: loss, delay, a bottleneck and more between a stack and the link under it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

import trio

from tcpcore.config import LinkCapabilities
from tcpcore.driver.link import BATCH, Link
from tcpcore.path import Path
from tcpcore.wire.bad import BadPacket
from tcpcore.wire.checksum import pseudo_header_sum
from tcpcore.wire.ip import TCP, parse_untrusted
from tcpcore.wire.packet import Buffer, Packet
from tcpcore.wire.tcp import CHECKSUM_OFFSET

_TCP_LENGTH: Final = 20


class ImpairedLink:
    """``link`` with a ``Path`` for each direction, whose settings may change at any time (``Path.change``).

    The paths' clock is trio's. Packets are cut to the link's MTU before they are impaired, and their checksums are
    complete, in both directions: so a corrupted packet is found out. ``wait_readable`` moves the packets, and a
    running stack always waits there.
    """

    def __init__(self, link: Link, *, outgoing: Path, incoming: Path) -> None:
        """Take over ``link``; ``aclose`` closes it."""
        self.link = link
        self.outgoing = outgoing
        self.incoming = incoming
        self._arrived: deque[bytes] = deque()
        self._alarm = trio.CancelScope()
        self._interrupted = False

    @property
    def capabilities(self) -> LinkCapabilities:
        """Those of the link, without segmentation offload."""
        return replace(self.link.capabilities, segmentation_offload=False)

    @property
    def dropped(self) -> int:
        """Packets that the link refused; what the paths drop and lose they count themselves."""
        return self.link.dropped

    def send(self, packets: Iterable[Packet]) -> None:
        """Put packets on their way."""
        now = trio.current_time()
        for packet in packets:
            for piece in packet.cut():
                self.outgoing.send(bytes(piece), now)
        self._carry_out(now)
        self._alarm.deadline = min(self._alarm.deadline, self._next_time())

    def receive(self) -> Iterator[tuple[Buffer, bool]]:
        """Take up to a batch of what has arrived; no checksum is vouched for."""
        self._carry_in()
        for _ in range(min(BATCH, len(self._arrived))):
            yield self._arrived.popleft(), False

    async def wait_readable(self) -> None:
        """Move packets in both directions until one has arrived, or interrupted."""
        self._interrupted = False
        await trio.lowlevel.checkpoint()
        while True:
            self._carry_out(trio.current_time())
            self._carry_in()
            if self._arrived or self._interrupted:
                return
            with trio.CancelScope(deadline=self._next_time()) as self._alarm:
                await self.link.wait_readable()

    def interrupt(self) -> None:
        """Let ``wait_readable`` return."""
        self._interrupted = True
        self.link.interrupt()

    async def aclose(self) -> None:
        """Send what is still on its way out at once, and close the link."""
        try:
            self._carry_out(math.inf)
        except OSError:
            pass  # the link is gone already
        await self.link.aclose()

    def _carry_out(self, now: float) -> None:
        if packets := self.outgoing.receive(now):
            self.link.send(map(Packet, packets))

    def _carry_in(self) -> None:
        now, mtu = trio.current_time(), self.link.capabilities.mtu
        for data, vouched in self.link.receive():
            for packet in _completed(data, mtu) if vouched else (data,):
                self.incoming.send(bytes(packet), now)
        self._arrived.extend(self.incoming.receive(now))

    def _next_time(self) -> float:
        moments = (self.outgoing.next_time(), self.incoming.next_time())
        return min((moment for moment in moments if moment is not None), default=math.inf)


def _completed(data: Buffer, mtu: int) -> Iterator[Packet]:
    """What came with offload, as it would have come without: pieces of at most ``mtu`` bytes, checksums complete."""
    try:
        ip = parse_untrusted(data)
    except BadPacket:
        yield Packet(bytes(data))
        return
    start, length = ip.header_length, len(ip.payload)
    tcp_header = (ip.payload[12] >> 4) * 4 if length > 12 else 0
    if ip.protocol != TCP or ip.fragment is not None or not _TCP_LENGTH <= tcp_header <= length:
        yield Packet(bytes(data))
        return
    header = bytearray(data[: start + tcp_header])
    pseudo = pseudo_header_sum(ip.source, ip.destination, TCP, length)
    header[start + CHECKSUM_OFFSET : start + CHECKSUM_OFFSET + 2] = pseudo.to_bytes(2, "big")
    payload = bytes(ip.payload[tcp_header:])
    yield from Packet(header, (payload,), len(payload), start, CHECKSUM_OFFSET, mtu - len(header)).cut()
