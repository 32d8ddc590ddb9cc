"""A peer made by hand: a test sends it segments flag by flag and looks at every answer."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from tcpcore.config import Config
from tcpcore.conn.connection import Connection
from tcpcore.seqnum import wrap
from tcpcore.stack.listener import Listener
from tcpcore.stack.stack import Stack
from tcpcore.wire.checksum import checksum, pseudo_header_sum
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ippacket import TCP
from tcpcore.wire.ipv4 import build_ipv4_header
from tcpcore.wire.ipv6 import build_ipv6_header
from tcpcore.wire.options import build_syn_options, build_timestamp, build_user_timeout
from tcpcore.wire.segment import CWR, ECE, FIN, PSH, RST, SYN, URG
from tcpcore.wire.tcp import ACK, CHECKSUM_OFFSET, Segment, build_header, parse_untrusted

STACK_ADDRESS = bytes((192, 0, 2, 1))
PEER_ADDRESS = bytes((192, 0, 2, 9))
PEER_ISS = (1 << 32) - 100
"""Close below the wrap, so that every test crosses it."""
PLAIN = Config(
    timestamps=False,
    window_scaling=False,
    sack=False,
    congestion_control="reno",
    receive_buffer=65535,
    min_rto=0.25,
    delayed_ack=0.0625,
    nodelay=True,
    challenge_ack_interval=0.0,
)
"""No options, and times that a float can express: change what a test is about with ``dataclasses.replace``."""
FLAGS = {"S": SYN, "F": FIN, "R": RST, "P": PSH, "U": URG, "E": ECE, "W": CWR, ".": ACK}


class Peer:
    """One connection between the stack under test (192.0.2.1:80) and this peer (192.0.2.9:4000).

    Sequence numbers are relative: the peer's and the stack's SYN are 0. ``send("S.")`` takes packetdrill's flag
    letters. Without options by default: what is not under test stays out of the way.
    """

    def __init__(self, config: Config | None = None, port: int = 4000) -> None:
        self.now = 1000.0
        self.config = config or PLAIN
        self.stack = Stack(["192.0.2.1/24"], self.config, random.Random(7), b"s" * 32)
        self.port = port
        self.local_port = 80
        self.iss: int | None = None
        """The stack's ISS, once seen."""
        self.exchange: list[str] = []

    def send(
        self, flags: str, seq: int = 0, ack: int | None = None, data: bytes = b"", wnd: int = 65535, **options: Any
    ) -> list[Segment]:
        """Send one segment and return the stack's answers. ``ack`` is relative to the stack's ISS."""
        bits = sum(FLAGS[flag] for flag in flags)
        if ack is None and bits & ACK and self.iss is None:
            raise ValueError("an ACK needs a number before the stack's ISS is known")
        packet = self.packet(bits, seq, ack or 0, data, wnd, **options)
        self.exchange.append(f"{self.now - 1000:8.3f} > {flags} seq={seq} ack={ack} len={len(data)}")
        self.stack.receive(packet, self.now)
        return self.answers()

    def packet(self, flags: int, seq: int, ack: int, data: bytes, wnd: int, **options: Any) -> bytes:
        """The bytes of a segment to the stack.

        Options: ``mss``, ``wscale``, ``sack``, ``ts`` (TSval, TSecr), ``uto`` (seconds), ``up``.
        """
        extra = b""
        if flags & SYN:
            if options:
                sack = options.get("sack", False)
                extra = build_syn_options(options.get("mss", 1460), options.get("wscale"), sack, options.get("ts"))
        elif "ts" in options:
            extra = build_timestamp(*options["ts"])
        if "uto" in options:
            extra += build_user_timeout(options["uto"])
        raw_ack = wrap((self.iss or 0) + ack)
        return tcp_packet(
            self.port, self.local_port, wrap(PEER_ISS + seq), raw_ack, flags, wnd, options.get("up", 0), extra, data
        )

    def answers(self) -> list[Segment]:
        """What the stack sends now, cut to single packets, numbers made relative."""
        result = []
        for packet in self.stack.transmit(self.now):
            for piece in packet.cut():
                seg = parse_untrusted(parse_ip(bytes(piece)), checked=False)
                if self.iss is None and seg.flags & SYN:
                    self.iss = seg.seq
                seg.seq = wrap(seg.seq - (self.iss or 0))
                seg.ack = wrap(seg.ack - PEER_ISS) if seg.flags & ACK else 0
                seg.payload = bytes(seg.payload)
                self.exchange.append(f"{self.now - 1000:8.3f} < {seg}")
                result.append(seg)
        return result

    def after(self, seconds: float) -> list[Segment]:
        """Let time pass, timer by timer, and return all that the stack sends meanwhile."""
        end = self.now + seconds
        result = self.answers()
        while (deadline := self.stack.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.stack.advance(self.now)
            result += self.answers()
        self.now = end
        return result

    def listen(self, **options: Any) -> Listener:
        """A listener on the port under test."""
        return self.stack.listen(self.local_port, **options)

    def established(self, passive: bool = True, **options: Any) -> Connection:
        """A connection after the handshake: relative sequence numbers are 1 on both sides."""
        if passive:
            listener = self.listen()
            self.send("S", **options)
            self.send(".", seq=1, ack=1, **_later(options))
            connection = listener.accept()
        else:
            connection = self.connect()
            self.send("S.", ack=1, **options)
        assert connection is not None, self.exchange
        self.answers()
        return connection

    def connect(self) -> Connection:
        """An active OPEN towards the peer; its SYN is taken."""
        connection = self.stack.connect(("192.0.2.9", self.port), self.now, ("192.0.2.1", self.local_port))
        self.answers()
        return connection


def tcp_packet(
    source_port: int,
    destination_port: int,
    seq: int,
    ack: int,
    flags: int,
    wnd: int,
    up: int = 0,
    options: bytes = b"",
    data: bytes = b"",
    source: bytes = PEER_ADDRESS,
    destination: bytes = STACK_ADDRESS,
) -> bytes:
    """A whole packet with one segment, numbers as on the wire, checksums complete; IPv6 by the addresses."""
    segment = bytearray(build_header(source_port, destination_port, seq, ack, flags, wnd, up, options) + data)
    pseudo = pseudo_header_sum(source, destination, TCP, len(segment))
    segment[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 2] = pseudo.to_bytes(2, "big")
    segment[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 2] = checksum(segment).to_bytes(2, "big")
    if len(source) == 16:
        return bytes(build_ipv6_header(source, destination, TCP, len(segment)) + segment)
    return bytes(build_ipv4_header(source, destination, TCP, len(segment), 1) + segment)


def brief(segments: Iterable[Segment]) -> list[str]:
    """Each segment as packetdrill writes it, without window and options: ``S. 0:0(0) ack 1``."""
    result = []
    for seg in segments:
        letters = "".join(letter for letter, bit in FLAGS.items() if seg.flags & bit)
        text = f"{letters} {seg.seq}:{seg.seq + len(seg.payload)}({len(seg.payload)})"
        result.append(text + (f" ack {seg.ack}" if seg.flags & ACK else ""))
    return result


def _later(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in ("ts", "wnd")}
