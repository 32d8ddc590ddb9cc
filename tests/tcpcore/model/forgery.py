"""Packets from third parties: routers that tell the truth, and attackers who know addresses and ports."""

from __future__ import annotations

from tcpcore import Connection
from tcpcore.seqnum import wrap
from tcpcore.testing import tcp_packet
from tcpcore.wire import icmp
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ipv4 import build_ipv4_header
from tcpcore.wire.ipv6 import build_ipv6_header
from tcpcore.wire.options import build_sack, build_timestamp
from tcpcore.wire.tcp import ACK


def icmp_error(packet: bytes, kind: int, code: int, rest: int, off: int = 0) -> bytes:
    """From the receiver of ``packet``, a segment, to its sender; the number it quotes is wrong by ``off``."""
    ip = parse_ip(packet)
    quote = bytearray(packet[: ip.header_length + 8])
    quote[-4:] = wrap(int.from_bytes(quote[-4:], "big") + off).to_bytes(4, "big")
    error = icmp.build(ip.version, ip.destination, ip.source, kind, code, rest, quote)
    protocol = icmp.PROTOCOL[ip.version]
    if ip.version == 4:
        return bytes(build_ipv4_header(ip.destination, ip.source, protocol, len(error), 1)) + error
    return bytes(build_ipv6_header(ip.destination, ip.source, protocol, len(error))) + error


def lie(connection: Connection, flags: int, wnd: int, echo: int, blocks: list[tuple[int, int]]) -> bytes:
    """An ACK to ``connection`` that its peer could send, but for its window and what SACK, ECE, CWR, the echo tell."""
    options = build_timestamp(wrap(connection.ts_recent), wrap(echo)) if connection.ts_on else b""
    if blocks:
        options += build_sack([(wrap(left), wrap(right)) for left, right in blocks])
    return tcp_packet(
        connection.remote[1], connection.local[1], wrap(connection.rcv_nxt), wrap(connection.snd_una), ACK | flags,
        wnd >> (connection.snd_wscale or 0), 0, options, b"",
        connection.remote_packed, connection.local_packed,
    )  # fmt: skip


def segment(connection: Connection, seq: int, ack: int, flags: int, data: bytes) -> bytes:
    """To ``connection``, as if from its peer, with absolute numbers and a timestamp that is no reason to drop it."""
    options = build_timestamp(wrap(connection.ts_recent + 1), 1) if connection.ts_on else b""
    return tcp_packet(
        connection.remote[1], connection.local[1], wrap(seq), wrap(ack), flags, 1000, 5, options, data,
        connection.remote_packed, connection.local_packed,
    )  # fmt: skip
