"""IPv4 (RFC 791).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-------+-------+---------------+-------------------------------+
|Version|  IHL  | Traffic class |          Total length         |
+-------+-------+---------------+-----+-------------------------+
|         Identification        |0 D M|     Fragment offset     |
+---------------+---------------+-----+-------------------------+
|  Time to live |    Protocol   |        Header checksum        |
+---------------+---------------+-------------------------------+
|                        Source address                         |
+---------------------------------------------------------------+
|                      Destination address                      |
+---------------------------------------------------------------+
|                 Options, IHL - 5 words of 4 bytes             |
+---------------------------------------------------------------+
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from tcpcore.wire.bad import BadPacket
from tcpcore.wire.checksum import ALL_ONES, checksum, fold_sum
from tcpcore.wire.ippacket import IPPacket

_HEADER: Final = Struct(">BBHHHBBH4s4s")
_DONT_FRAGMENT: Final = 0x4000
_MORE_FRAGMENTS: Final = 0x2000
_OFFSET: Final = 0x1FFF
MAX_LENGTH: Final = 65535
"""Of a whole packet."""

_END_OF_OPTIONS: Final = 0
_NO_OPERATION: Final = 1
_LOOSE_SOURCE_ROUTE: Final = 131
_STRICT_SOURCE_ROUTE: Final = 137


def parse_ipv4_untrusted(view: memoryview) -> IPPacket:
    """The IPv4 packet at the start of ``view``, what follows it being padding. Raises ``BadPacket``."""
    if len(view) < 20:
        raise BadPacket("ip-truncated")
    first, traffic_class, total, identification, flags, hop_limit, protocol, _, source, destination = (
        _HEADER.unpack_from(view)
    )
    header_length = (first & 15) * 4
    if not 20 <= header_length <= total:
        raise BadPacket("ip-header-length")
    if total > len(view):
        raise BadPacket("ip-truncated")
    if fold_sum(view[:header_length]) != ALL_ONES:
        raise BadPacket("ip-header-checksum")
    source_route = header_length > 20 and _has_source_route(view[20:header_length])
    fragment = None
    if flags & (_MORE_FRAGMENTS | _OFFSET):
        fragment = _fragment(identification, flags, total - header_length)
    return IPPacket(
        4,
        source,
        destination,
        protocol,
        view[header_length:total],
        header_length,
        hop_limit,
        traffic_class,
        fragment,
        source_route,
    )


def _fragment(identification: int, flags: int, length: int) -> tuple[int, int, bool]:
    offset = (flags & _OFFSET) * 8
    more = bool(flags & _MORE_FRAGMENTS)
    if length == 0 or (more and length % 8) or offset + length > MAX_LENGTH:
        raise BadPacket("ip-fragment-length")
    return identification, offset, more


def _has_source_route(options: memoryview) -> bool:
    """Whether the options hold a source route. Raises ``BadPacket`` when an option's length is impossible."""
    at = 0
    while at < len(options) and options[at] != _END_OF_OPTIONS:
        kind = options[at]
        if kind in (_LOOSE_SOURCE_ROUTE, _STRICT_SOURCE_ROUTE):
            return True
        if kind == _NO_OPERATION:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            raise BadPacket("ip-option")
        at += length
    return False


def build_ipv4_header(
    source: bytes,
    destination: bytes,
    protocol: int,
    payload_length: int,
    identification: int,
    hop_limit: int = 64,
    traffic_class: int = 0,
    dont_fragment: bool = True,
) -> bytearray:
    """A header without options, its checksum complete; ``payload_length`` counts the bytes after it."""
    flags = _DONT_FRAGMENT if dont_fragment else 0
    header = bytearray(
        _HEADER.pack(
            0x45,
            traffic_class,
            20 + payload_length,
            identification,
            flags,
            hop_limit,
            protocol,
            0,
            source,
            destination,
        )
    )
    header[10:12] = checksum(header).to_bytes(2, "big")
    return header
