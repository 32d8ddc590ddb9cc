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
from tcpcore.wire.options import MAX_WINDOW_SCALE, SYN_MSS, SYN_SACK_TIMESTAMPS, SYN_SCALE, TIMESTAMP_LAYOUT
from tcpcore.wire.segment import ACK, CWR, ECE, FIN, PSH, SYN, Segment

Usual = tuple[bytes, int, int, int, int, int, int, int, int]
"""Ends, traffic class, sequence number, acknowledgement, flags, window, TSval, TSecr, length of the headers."""
NOT_USUAL: Final[Usual] = (b"", 0, 0, 0, 0, 0, 0, 0, 0)
"""Of any other packet: no connection has such ends."""

IPV4_HEADERS: Final = 52
IPV6_HEADERS: Final = 72

# As few fields as can be: each costs as much as a call
_IPV4: Final = Struct(">xBH2xHxB2x12sIIHH4xIII")
_IPV6: Final = Struct(">IHBx36sIIHH4xIII")
_IPV4_WRITTEN: Final = Struct(">HHIHH12sIIIHHIII")
_IPV6_WRITTEN: Final = Struct(">IHH36sIIIHHIII")
_IPV4_SYN: Final = Struct(">2xH2xHxB2x12sIIHH4xHHIIII")
_IPV6_SYN: Final = Struct(">4xHBx36sIIHH4xHHIIII")
_PORTS: Final = Struct(">HH")
_FRAGMENT: Final = 0x3FFF
_SHAPE: Final = 8 << 12 | ACK
_SYN_SHAPE: Final = 10 << 12 | SYN
_SYN_SHAPE_ECN: Final = _SYN_SHAPE | ECE | CWR
_FIXED: Final = 0xFFFF & ~(PSH | FIN)
_DONT_FRAGMENT: Final = 0x4000


def ends(source: bytes, destination: bytes, source_port: int, destination_port: int) -> bytes:
    """The field of that name, of packed addresses: 12 bytes, or 36."""
    return source + destination + _PORTS.pack(source_port, destination_port)


def parse_usual_untrusted(packet: Buffer) -> Usual:
    """``packet`` if it is a usual one with ACK, maybe PSH and FIN; its checksums are not looked at."""
    total: int  # types for the compiler: what struct gives has none
    fragment: int
    protocol: int
    shape: int
    layout: int
    length = len(packet)
    if length < IPV4_HEADERS:
        return NOT_USUAL
    if packet[0] == 0x45:
        (
            traffic_class, total, fragment, protocol, key, seq, ack, shape, wnd, layout, tsval, tsecr
        ) = _IPV4.unpack_from(packet)  # fmt: skip
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
        first, total, protocol, key, seq, ack, shape, wnd, layout, tsval, tsecr = _IPV6.unpack_from(packet)
        if total + 40 == length and shape & _FIXED == _SHAPE and layout == TIMESTAMP_LAYOUT and protocol == TCP:
            return key, first >> 20 & 0xFF, seq, ack, shape & 0xFF, wnd, tsval, tsecr, IPV6_HEADERS
    return NOT_USUAL


def parse_usual_syn_untrusted(packet: Buffer) -> tuple[bytes, Segment] | None:
    """Ends and segment of ``packet`` if it is a SYN with the options of Linux; its checksums are not looked at."""
    total: int  # types for the compiler: what struct gives has none
    shape: int
    kinds: int
    scale: int
    length = len(packet)
    if length == _IPV4_SYN.size and packet[0] == 0x45:
        total, fragment, protocol, key, seq, ack, shape, wnd, kind, mss, kinds, tsval, tsecr, scale = (
            _IPV4_SYN.unpack_from(packet)
        )
        if fragment & _FRAGMENT:
            return None
    elif length == _IPV6_SYN.size and packet[0] >> 4 == 6:
        total, protocol, key, seq, ack, shape, wnd, kind, mss, kinds, tsval, tsecr, scale = _IPV6_SYN.unpack_from(
            packet
        )
        total += 40
    else:
        return None
    if (
        total != length
        or protocol != TCP
        or (shape != _SYN_SHAPE and shape != _SYN_SHAPE_ECN)
        or kind != SYN_MSS
        or kinds != SYN_SACK_TIMESTAMPS
        or scale >> 8 != SYN_SCALE
    ):
        return None
    source_port, destination_port = _PORTS.unpack_from(key, len(key) - 4)
    wscale = min(scale & 0xFF, MAX_WINDOW_SCALE)
    return key, Segment(
        source_port, destination_port, seq, ack, shape & 0xFF, wnd, 0, b"", mss, wscale, True, tsval, tsecr
    )


def is_sound(packet: Buffer) -> bool:
    """Whether the checksums of a packet, without IP options, are right.

    The addresses stand right before TCP: they, all of TCP, and the rest of the pseudo header are 0 modulo 0xFFFF.
    """
    start = 20 if packet[0] >> 4 == 4 else 40
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


def ipv4_sum(hop_limit: int, addresses: int) -> int:
    """The folded sum over what never changes in the IPv4 header of a connection whose ``addresses`` add up to this."""
    return (0x4500 + _DONT_FRAGMENT + (hop_limit << 8 | TCP) + addresses) % ALL_ONES


def build_ipv4(
    traffic_class: int, hop_limit: int, key: bytes, ip_sum: int, total: int, identification: int,
    seq: int, ack: int, shape: int, wnd: int, pseudo: int, up: int, tsval: int, tsecr: int,
) -> bytes:  # fmt: skip
    """Both headers of a packet of ``total`` bytes, of TCP's options the timestamps; numbers as on the wire.

    ``shape``: data offset and flags; ``ip_sum`` is ``ipv4_sum``; ``pseudo`` goes into TCP's checksum field.
    """
    checksum = ALL_ONES - ((ip_sum + traffic_class + total + identification) % ALL_ONES or ALL_ONES)
    return _IPV4_WRITTEN.pack(
        0x4500 | traffic_class, total, identification << 16 | _DONT_FRAGMENT, hop_limit << 8 | TCP, checksum, key,
        seq, ack, shape << 16 | wnd, pseudo, up, TIMESTAMP_LAYOUT, tsval, tsecr,
    )  # fmt: skip


def build_ipv6(
    traffic_class: int, flow_label: int, hop_limit: int, key: bytes, length: int,
    seq: int, ack: int, shape: int, wnd: int, pseudo: int, up: int, tsval: int, tsecr: int,
) -> bytes:  # fmt: skip
    """The same for IPv6, with ``length`` bytes after its header."""
    first = 6 << 28 | traffic_class << 20 | flow_label
    return _IPV6_WRITTEN.pack(
        first, length, TCP << 8 | hop_limit, key,
        seq, ack, shape << 16 | wnd, pseudo, up, TIMESTAMP_LAYOUT, tsval, tsecr,
    )  # fmt: skip
