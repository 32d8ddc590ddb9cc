"""A peer made of packets: every flag and number of what it sends is the test's, and it sees all that comes back.

It has no TCP and no timers. Its address is on a TUN device where the kernel has none, so that nobody else answers.
"""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import trio
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6

from tcpcore import Config
from tcpcore.driver import Host, TCPListener, TCPStream, TunLink, open_stack
from tcpcore.seqnum import wrap
from tests.system.kernel import deadline

DEVICE: Final = "bb0"
OURS: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
PEER: Final = {4: "192.0.2.9", 6: "2001:db8::9"}
ISS: Final = (1 << 32) - 100
"""Of the peer: close below the wrap, so that every test crosses it."""

_ETHERTYPE: Final = {4: 0x0800, 6: 0x86DD}
_PACKET: Final = {4: IP, 6: IPv6}
_LARGEST: Final = 1 << 16


@dataclass(frozen=True)
class Seen:
    """One segment of the stack's, its numbers relative to both ISS."""

    flags: str
    seq: int
    ack: int | None
    data: bytes
    window: int
    options: dict[str, Any]
    identification: int | None
    """Of the IPv4 header."""
    time: float

    def __str__(self) -> str:
        """As ``PA 1:6 ack 1``."""
        return f"{self.flags} {self.seq}:{self.seq + len(self.data)}" + ("" if self.ack is None else f" ack {self.ack}")


class CraftedPeer:
    """One connection's worth of packets between ``port`` of the peer and ``remote_port`` of the stack."""

    def __init__(self, remote_port: int, *, version: int = 4, port: int = 4000) -> None:
        self.version = version
        self.port = port
        self.remote_port = remote_port
        self.iss: int | None = None
        """The stack's, once seen."""
        self.seen: list[Seen] = []
        self._echoes = 0
        self._socket = trio.socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)

    async def open(self) -> None:
        """Listen on the device."""
        await self._socket.bind((DEVICE, _ETHERTYPE[self.version]))

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def _ip(self) -> Any:
        return _PACKET[self.version](src=PEER[self.version], dst=OURS[self.version])

    async def _inject(self, packet: Any) -> None:
        await self._socket.sendto(bytes(packet), (DEVICE, _ETHERTYPE[self.version]))

    async def send(
        self,
        flags: str,
        seq: int = 0,
        ack: int | None = None,
        data: bytes = b"",
        window: int = 65535,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """One segment, its flags in scapy's letters. ``ack`` counts from the stack's ISS."""
        number = 0 if ack is None else wrap((self.iss or 0) + ack)
        segment = TCP(
            sport=self.port,
            dport=self.remote_port,
            flags=flags,
            seq=wrap(ISS + seq),
            ack=number,
            window=window,
            options=list(options),
        )
        await self._inject(self._ip() / segment / data)

    async def exchange(self, flags: str, seq: int = 0, ack: int | None = None, **rest: Any) -> list[str]:
        """Send one segment; what the stack sends until it has dealt with it."""
        await self.send(flags, seq, ack, **rest)
        return await self.answers()

    async def answers(self) -> list[str]:
        """What the stack has sent since the last look: all of it, by the reply to an echo request sent behind.

        A reply may overtake the segments of its own batch, never those of the batch before: hence two.
        """
        start = len(self.seen)
        with deadline():
            for _ in range(2):
                self._echoes += 1
                await self._inject(self._echo_request())
                while not self._is_echo_reply(await self._read()):
                    pass
        return list(map(str, self.seen[start:]))

    async def next(self) -> Seen:
        """The next segment of the stack's, as soon as it comes."""
        start = len(self.seen)
        with deadline():
            while len(self.seen) == start:
                await self._read()
        return self.seen[-1]

    async def _read(self) -> Any:
        """One packet of the stack's to the peer; if it is a segment of this connection's, note it."""
        while True:
            packet = _PACKET[self.version](await self._socket.recv(_LARGEST))
            if packet.dst == PEER[self.version]:
                break
        if TCP in packet and (packet[TCP].sport, packet[TCP].dport) == (self.remote_port, self.port):
            self.seen.append(self._note(packet))
        return packet

    def _note(self, packet: Any) -> Seen:
        segment = packet[TCP]
        if "S" in segment.flags:
            self.iss = segment.seq
        return Seen(
            flags=str(segment.flags),
            seq=wrap(segment.seq - (self.iss or 0)),
            ack=wrap(segment.ack - ISS) if "A" in segment.flags else None,
            data=bytes(segment.payload),
            window=segment.window,
            options=dict(segment.options),
            identification=packet.id if self.version == 4 else None,
            time=trio.current_time(),
        )

    def _echo_request(self) -> Any:
        if self.version == 4:
            return self._ip() / ICMP(id=self.port, seq=self._echoes)
        return self._ip() / ICMPv6EchoRequest(id=self.port, seq=self._echoes)

    def _is_echo_reply(self, packet: Any) -> bool:
        if self.version == 6:
            reply = packet.getlayer(ICMPv6EchoReply)
        else:
            reply = packet.getlayer(ICMP)
        return reply is not None and (reply.id, reply.seq) == (self.port, self._echoes)


class Wire:
    """Our host with one listener, and peers for it."""

    def __init__(self, host: Host, listener: TCPListener, version: int) -> None:
        self.host = host
        self.listener = listener
        self.version = version
        self._peers: list[CraftedPeer] = []

    async def peer(self) -> CraftedPeer:
        """One more, with a port of its own."""
        peer = CraftedPeer(self.listener.port, version=self.version, port=4000 + len(self._peers))
        self._peers.append(peer)
        await peer.open()
        return peer

    async def established(self, window: int = 65535) -> tuple[CraftedPeer, TCPStream]:
        """A connection after the handshake: both sides' next number is 1."""
        peer = await self.peer()
        assert await peer.exchange("S", window=window) == ["SA 0:0 ack 1"]
        await peer.send("A", 1, 1, window=window)
        with deadline():
            return peer, await self.listener.accept()

    def close(self) -> None:
        """Close the peers' sockets."""
        for peer in self._peers:
            peer.close()


@asynccontextmanager
async def wire(rng: random.Random, config: Config, *, version: int = 4, backlog: int = 128) -> AsyncIterator[Wire]:
    """Our host on a new TUN device, listening."""
    addresses = [f"{OURS[4]}/24", f"{OURS[6]}/64"]
    async with open_stack(TunLink.open(DEVICE), addresses, config=config, rng=rng, close_timeout=0.0) as host:
        (listener,) = await host.open_tcp_listeners(0, backlog=backlog)
        made = Wire(host, listener, version)
        try:
            yield made
        finally:
            made.close()
