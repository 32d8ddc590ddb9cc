"""IPv6 and its extension headers (RFC 8200).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------+---------------+---------------------------------------+
    |Version| Traffic class |              Flow label               |
    +-------+---------------+-------+---------------+---------------+
    |         Payload length        |  Next header  |   Hop limit   |
    +-------------------------------+---------------+---------------+
    |                   Source address, 16 bytes                    |
    |                Destination address, 16 bytes                  |
    +---------------------------------------------------------------+

Extension header (hop-by-hop options, destination options, routing); the fragment header is 8 bytes, always:

    +---------------+---------------+-------------------------------+
    |  Next header  | Length/8 - 1  | options, or type and segments |
    +---------------+---------------+-------------------------------+
    |  Next header  |    Reserved   |   Fragment offset (13)  |00|M |
    +---------------+---------------+-------------------------------+
    |                         Identification                        |
    +---------------------------------------------------------------+
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from tcpcore.wire.bad import BadPacket
from tcpcore.wire.ippacket import IPPacket

_HEADER: Final = Struct(">IHBB16s16s")
_FRAGMENT_HEADER: Final = Struct(">BBHI")
_MAX_LENGTH: Final = 65535

_HOP_BY_HOP: Final = 0
_ROUTING: Final = 43
_FRAGMENT: Final = 44
_DESTINATION: Final = 60
_EXTENSIONS: Final = frozenset({_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION})

_PAD_1: Final = 0
_MUST_BE_KNOWN: Final = 0xC0
"""An option with one of these bits makes who does not know it drop the packet (RFC 8200 section 4.2)."""

MAX_EXTENSIONS: Final = 8
"""Extension headers walked before a packet is called bad (RFC 8504 section 5.3 allows a limit)."""


def parse_ipv6_untrusted(view: memoryview) -> IPPacket:
    """The IPv6 packet at the start of ``view``; what follows its payload is padding. Raises ``BadPacket``."""
    if len(view) < 40:
        raise BadPacket("ip-truncated")
    first, length, protocol, hop_limit, source, destination = _HEADER.unpack_from(view)
    if 40 + length > len(view):
        raise BadPacket("ip-truncated")
    packet = IPPacket(6, source, destination, protocol, view[40 : 40 + length], 40, hop_limit, (first >> 20) & 0xFF)
    if protocol in _EXTENSIONS:
        _walk_extensions(packet)
    return packet


def _walk_extensions(packet: IPPacket) -> None:
    """Move ``packet`` past its extension headers, to the payload or, in a fragment, the fragment's data."""
    for number in range(MAX_EXTENSIONS):
        kind = packet.protocol
        if kind not in _EXTENSIONS:
            return
        if len(packet.payload) < 8:
            raise BadPacket("ip-truncated")
        if kind == _FRAGMENT:
            _enter_fragment(packet)
            if packet.fragment is not None:
                return
        elif kind == _HOP_BY_HOP and number > 0:
            raise BadPacket("ip-extension-order")
        else:
            _enter_extension(packet)
    if packet.protocol in _EXTENSIONS:
        raise BadPacket("ip-extension-limit")


def _enter_extension(packet: IPPacket) -> None:
    kind, header = packet.protocol, packet.payload
    length = (header[1] + 1) * 8
    if length > len(header):
        raise BadPacket("ip-truncated")
    if kind == _ROUTING:
        packet.options_source_route |= header[3] > 0
    else:
        _check_options(header[2:length])
    packet.protocol = header[0]
    packet.payload = header[length:]
    packet.header_length += length


def _check_options(options: memoryview) -> None:
    """Raise ``BadPacket`` when an option is malformed, or is one that has to be known."""
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == _PAD_1:
            at += 1
            continue
        if kind & _MUST_BE_KNOWN or at + 2 > len(options) or at + 2 + options[at + 1] > len(options):
            raise BadPacket("ip-option")
        at += 2 + options[at + 1]


def _enter_fragment(packet: IPPacket) -> None:
    next_header, _, field, identification = _FRAGMENT_HEADER.unpack_from(packet.payload)
    packet.protocol = next_header
    packet.payload = packet.payload[8:]
    packet.header_length += 8
    offset, more, length = field & 0xFFF8, bool(field & 1), len(packet.payload)
    if offset == 0 and not more:
        return  # an atomic fragment is a whole packet (RFC 6946)
    if length == 0 or (more and length % 8) or offset + length > _MAX_LENGTH:
        raise BadPacket("ip-fragment-length")
    packet.fragment = (identification, offset, more)


def build_ipv6_header(
    source: bytes,
    destination: bytes,
    protocol: int,
    payload_length: int,
    hop_limit: int = 64,
    traffic_class: int = 0,
    flow_label: int = 0,
) -> bytearray:
    """A header without extensions; ``payload_length`` counts the bytes after it."""
    first = 6 << 28 | traffic_class << 20 | flow_label
    return bytearray(_HEADER.pack(first, payload_length, protocol, hop_limit, source, destination))
