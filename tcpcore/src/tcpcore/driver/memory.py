"""Two links joined in memory: what one sends the other receives, in order, unless its queue is full."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import trio

from tcpcore.config import LinkCapabilities
from tcpcore.driver.link import BATCH, LinkUnavailableError
from tcpcore.wire.packet import Buffer, Packet


class MemoryLink:
    """One end of a pair, made by ``pair``. With offload, large segments cross uncut and unsummed."""

    def __init__(self, capabilities: LinkCapabilities, limit: int) -> None:
        """Use ``pair``: an end alone has no peer and drops everything."""
        self.capabilities = capabilities
        self.dropped = 0
        self._limit = limit
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._arrival = trio.lowlevel.ParkingLot()
        self._peer: MemoryLink | None = None
        self._closed = False

    @classmethod
    def pair(cls, capabilities: LinkCapabilities | None = None, *, limit: int = 4096) -> tuple[MemoryLink, MemoryLink]:
        """Two ends; each holds at most ``limit`` packets not yet received, and drops what comes on top."""
        if limit < 1:
            raise ValueError("limit must be at least 1 packet")
        capabilities = capabilities or LinkCapabilities()
        one, other = cls(capabilities, limit), cls(capabilities, limit)
        one._peer, other._peer = other, one
        return one, other

    def send(self, packets: Iterable[Packet]) -> None:
        """Put packets into the peer's queue; drop those beyond its limit, and all once it is closed."""
        peer = self._peer
        for packet in packets:
            vouched = self.capabilities.checksum_offload and packet.checksum_offset >= 0
            for data in self._wire_form(packet):
                if peer is None or peer._closed or len(peer._queue) >= peer._limit:
                    self.dropped += 1
                    continue
                peer._queue.append((data, vouched))
        if peer is not None and peer._queue:
            peer._arrival.unpark_all()

    def receive(self) -> Iterator[tuple[Buffer, bool]]:
        """Take up to a batch of packets out of the queue."""
        for _ in range(min(BATCH, len(self._queue))):
            yield self._queue.popleft()

    async def wait_readable(self) -> None:
        """Return when a packet is queued, or interrupted; ``LinkUnavailableError`` once this end is closed."""
        if self._queue:
            await trio.lowlevel.checkpoint()
        elif not self._closed:
            await self._arrival.park()
        if self._closed and not self._queue:
            raise LinkUnavailableError("the memory link is closed")

    def interrupt(self) -> None:
        """Wake who waits for packets."""
        self._arrival.unpark_all()

    async def aclose(self) -> None:
        """Close this end; packets still queued for it are forgotten."""
        self._closed = True
        self._queue.clear()
        self._arrival.unpark_all()
        await trio.lowlevel.checkpoint()

    def _wire_form(self, packet: Packet) -> Iterator[bytes]:
        """Do in software what this link's capabilities do not cover."""
        pieces = (packet,) if self.capabilities.segmentation_offload else packet.cut()
        for piece in pieces:
            if self.capabilities.checksum_offload:
                yield b"".join((piece.header, *piece.payload))
            else:
                yield bytes(piece)
