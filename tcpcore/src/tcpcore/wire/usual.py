"""Both headers in one go: those of the usual segment, IP without options and TCP with timestamps alone, are read, and
those of any connection's segment are written.

    IPv4, 20 bytes    | version, IHL, class | length | identification | flags | TTL, 6 | checksum | \\
    IPv6, 40 bytes    | version, class, label | length | 6, hop limit | \\
    ends              | source, destination, source port, destination port | \\
    TCP, the rest     | sequence | acknowledgement | offset, flags | window | checksum | urgent | NOP NOP timestamps |

``ends`` is one field, since the addresses stand right before the ports: it tells connections apart as it is.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from tcpcore.wire.checksum import ALL_ONES, Buffer, fold_sum
from tcpcore.wire.ippacket import TCP
from tcpcore.wire.options import TIMESTAMP_LAYOUT
from tcpcore.wire.segment import ACK, FIN, PSH, Segment

Usual = tuple[bytes, int, int, int, int, int, int, int, int]
"""Ends, traffic class, sequence number, acknowledgement, flags, window, TSval, TSecr, length of the headers."""
NOT_USUAL: Final[Usual] = (b"", 0, 0, 0, 0, 0, 0, 0, 0)
"""Of any other packet: no connection has such ends."""

IPV4_HEADERS: Final = 52
IPV6_HEADERS: Final = 72

_IPV4: Final = Struct(">BBHHHBBH12sIIHHHHIII")
_IPV6: Final = Struct(">IHBB36sIIHHHHIII")
# The same without what is not looked at
_IPV4_READ: Final = Struct(">xBH2xHxB2x12sIIHH4xIII")
_IPV6_READ: Final = Struct(">IHBx36sIIHH4xIII")
_PORTS: Final = Struct(">HH")
_TCP_HEADER: Final = 32
_FRAGMENT: Final = 0x3FFF
_SHAPE: Final = 8 << 12 | ACK
_FIXED: Final = 0xFFFF & ~(PSH | FIN)
_DONT_FRAGMENT: Final = 0x4000


def ends(source: bytes, destination: bytes, source_port: int, destination_port: int) -> bytes:
    """The field of that name, of packed addresses: 12 bytes, or 36."""
    return source + destination + _PORTS.pack(source_port, destination_port)


def parse_usual_untrusted(packet: Buffer) -> Usual:
    """``packet`` if it is a usual one with ACK, maybe PSH and FIN; its checksums are not looked at."""
    length = len(packet)
    total: int
    fragment: int
    protocol: int
    shape: int
    layout: int
    if length < IPV4_HEADERS:
        return NOT_USUAL
    if packet[0] == 0x45:
        (
            traffic_class, total, fragment, protocol, key, seq, ack, shape, wnd, layout, tsval, tsecr
        ) = _IPV4_READ.unpack_from(packet)  # fmt: skip
        if (
            total != length
            or shape & _FIXED != _SHAPE
            or layout != TIMESTAMP_LAYOUT
            or protocol != TCP
            or fragment & _FRAGMENT
        ):
            return NOT_USUAL
        return key, traffic_class, seq, ack, shape & 0xFF, wnd, tsval, tsecr, IPV4_HEADERS
    if packet[0] >> 4 == 6 and length >= IPV6_HEADERS:
        first, total, protocol, key, seq, ack, shape, wnd, layout, tsval, tsecr = _IPV6_READ.unpack_from(packet)
        if total + 40 == length and shape & _FIXED == _SHAPE and layout == TIMESTAMP_LAYOUT and protocol == TCP:
            return key, first >> 20 & 0xFF, seq, ack, shape & 0xFF, wnd, tsval, tsecr, IPV6_HEADERS
    return NOT_USUAL


def is_sound(packet: Buffer, headers: int) -> bool:
    """Whether the checksums of a packet with these ``headers`` are right.

    The addresses stand right before TCP: they, all of TCP, and the rest of the pseudo header are 0 modulo 0xFFFF.
    """
    start = headers - _TCP_HEADER
    if start == 20 and fold_sum(packet[:20]) != ALL_ONES:
        return False
    addresses = 8 if start == 20 else 32
    return (fold_sum(packet[start - addresses :]) + TCP + len(packet) - start) % ALL_ONES == 0


def segment(fields: Usual, packet: Buffer) -> Segment:
    """What ``tcpcore.wire.tcp`` makes of the same packet."""
    key, _, seq, ack, flags, wnd, tsval, tsecr, headers = fields
    source_port, destination_port = _PORTS.unpack_from(key, len(key) - 4)
    payload = memoryview(packet)[headers:]
    return Segment(
        source_port, destination_port, seq, ack, flags, wnd, 0, payload, timestamp=tsval, timestamp_echo=tsecr
    )


def ipv4_sum(hop_limit: int, key: bytes) -> int:
    """The sum over what never changes in the IPv4 header of a connection whose ``ends`` are ``key``, folded."""
    return (0x4500 + _DONT_FRAGMENT + (hop_limit << 8 | TCP) + int.from_bytes(key[:8], "big")) % ALL_ONES


def build_ipv4(
    traffic_class: int, hop_limit: int, key: bytes, ip_sum: int, total: int, identification: int,
    seq: int, ack: int, shape: int, wnd: int, pseudo: int, up: int, tsval: int, tsecr: int,
) -> bytes:  # fmt: skip
    """Both headers of a packet of ``total`` bytes, of TCP's options the timestamps; numbers as on the wire.

    ``shape``: data offset and flags; ``ip_sum`` is ``ipv4_sum``; ``pseudo`` goes into TCP's checksum field.
    """
    checksum = ALL_ONES - ((ip_sum + traffic_class + total + identification) % ALL_ONES or ALL_ONES)
    return _IPV4.pack(
        0x45, traffic_class, total, identification, _DONT_FRAGMENT, hop_limit, TCP, checksum, key,
        seq, ack, shape, wnd, pseudo, up, TIMESTAMP_LAYOUT, tsval, tsecr,
    )  # fmt: skip


def build_ipv6(
    traffic_class: int, flow_label: int, hop_limit: int, key: bytes, length: int,
    seq: int, ack: int, shape: int, wnd: int, pseudo: int, up: int, tsval: int, tsecr: int,
) -> bytes:  # fmt: skip
    """The same for IPv6, with ``length`` bytes after its header."""
    first = 6 << 28 | traffic_class << 20 | flow_label
    return _IPV6.pack(
        first, length, TCP, hop_limit, key, seq, ack, shape, wnd, pseudo, up, TIMESTAMP_LAYOUT, tsval, tsecr
    )
