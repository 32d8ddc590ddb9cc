"""ICMP (RFC 792) and ICMPv6 (RFC 4443), as far as a host on a point-to-point link needs them.

+---------------+---------------+-------------------------------+
|      Type     |      Code     |           Checksum            |
+---------------+---------------+-------------------------------+
| rest: identifier and sequence of an echo, MTU, or unused      |
+---------------------------------------------------------------+
| payload: data of an echo; in an error, the start of the packet it is about
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from tcpcore.wire.bad import BadPacket
from tcpcore.wire.checksum import ALL_ONES, Buffer, add, fold_sum, pseudo_header_sum
from tcpcore.wire.ippacket import ICMP, ICMPV6, TCP, IPPacket

ECHO_REPLY: Final = 0
DESTINATION_UNREACHABLE: Final = 3
SOURCE_QUENCH: Final = 4
REDIRECT: Final = 5
ECHO_REQUEST: Final = 8
ROUTER_ADVERTISEMENT: Final = 9
ROUTER_SOLICITATION: Final = 10
TIME_EXCEEDED: Final = 11
"""Types of ICMP."""
PARAMETER_PROBLEM: Final = 12
PROTOCOL_UNREACHABLE: Final = 2
PORT_UNREACHABLE: Final = 3
FRAGMENTATION_NEEDED: Final = 4
"""Codes of ``DESTINATION_UNREACHABLE``; the low 16 bits of ``rest`` are the MTU of the last (RFC 1191)."""

V6_DESTINATION_UNREACHABLE: Final = 1
V6_PACKET_TOO_BIG: Final = 2
V6_TIME_EXCEEDED: Final = 3
V6_PARAMETER_PROBLEM: Final = 4
V6_ECHO_REQUEST: Final = 128
V6_ECHO_REPLY: Final = 129
V6_ROUTER_SOLICITATION: Final = 133
V6_ROUTER_ADVERTISEMENT: Final = 134
V6_REDIRECT: Final = 137
"""Types of ICMPv6; ``rest`` of ``V6_PACKET_TOO_BIG`` is the MTU."""
V6_PORT_UNREACHABLE: Final = 4
"""Code of ``V6_DESTINATION_UNREACHABLE``."""
V6_UNKNOWN_NEXT_HEADER: Final = 1
"""Code of ``V6_PARAMETER_PROBLEM``: what protocol unreachable is in IPv4."""
REASSEMBLY_TIME_EXCEEDED: Final = 1
"""Code of ``TIME_EXCEEDED`` and ``V6_TIME_EXCEEDED``."""

PROTOCOL: Final = {4: ICMP, 6: ICMPV6}
"""The protocol number of each IP version's ICMP."""

_HEADER: Final = Struct(">BBHI")
_PORTS_SEQ: Final = Struct(">HHI")
_IPV4: Final = Struct(">BBHHHBBH4s4s")
_IPV6: Final = Struct(">IHBB16s16s")
_IPV4_OFFSET: Final = 0x1FFF


class ICMPMessage:
    """One message of either version; ``rest`` is the header's second word."""

    __slots__ = ("code", "payload", "rest", "type")

    def __init__(self, type: int, code: int, rest: int, payload: Buffer) -> None:
        self.type = type
        self.code = code
        self.rest = rest
        self.payload = payload


class QuotedSegment:
    """The segment that an ICMP error is about: who sent it to whom, and its sequence number on the wire.

    ``length``: bytes of its whole packet, as its IP header told.
    """

    __slots__ = ("destination", "destination_port", "length", "seq", "source", "source_port")

    def __init__(
        self, source: bytes, destination: bytes, source_port: int, destination_port: int, seq: int, length: int
    ) -> None:
        self.length = length
        self.source = source
        self.destination = destination
        self.source_port = source_port
        self.destination_port = destination_port
        self.seq = seq


def parse_untrusted(ip: IPPacket, checked: bool) -> ICMPMessage:
    """The message in ``ip``, payload referring to its buffer. ``checked``: the link vouches for the checksum.

    Raises only ``BadPacket``.
    """
    view = ip.payload
    if len(view) < 8:
        raise BadPacket("icmp-truncated")
    if not checked:
        pseudo = pseudo_header_sum(ip.source, ip.destination, ICMPV6, len(view)) if ip.version == 6 else 0
        if add(pseudo, fold_sum(view)) != ALL_ONES:
            raise BadPacket("icmp-checksum")
    type_, code, _, rest = _HEADER.unpack_from(view)
    return ICMPMessage(type_, code, rest, view[8:])


def parse_quoted_untrusted(payload: Buffer) -> QuotedSegment:
    """The TCP segment whose start an ICMP error's ``payload`` quotes. Raises only ``BadPacket``.

    The quote ends where the sender of the error liked, so its lengths and checksums are not checked.
    """
    version = payload[0] >> 4 if payload else 0
    if version == 4 and len(payload) >= 20:
        first, _, length, _, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(payload)
        at = (first & 15) * 4
        first_fragment = at >= 20 and not fragment & _IPV4_OFFSET
    elif version == 6 and len(payload) >= 40:
        _, length, protocol, _, source, destination = _IPV6.unpack_from(payload)
        at, length, first_fragment = 40, 40 + length, True
    else:
        raise BadPacket("icmp-quote")
    if protocol != TCP or not first_fragment or len(payload) < at + 8:
        raise BadPacket("icmp-quote")
    source_port, destination_port, seq = _PORTS_SEQ.unpack_from(payload, at)
    return QuotedSegment(source, destination, source_port, destination_port, seq, length)


def build(version: int, source: bytes, destination: bytes, type: int, code: int, rest: int, payload: Buffer) -> bytes:
    """A message for an IP packet of ``version`` between these packed addresses, its checksum complete."""
    message = bytearray(_HEADER.pack(type, code, 0, rest))
    message += payload
    pseudo = pseudo_header_sum(source, destination, ICMPV6, len(message)) if version == 6 else 0
    message[2:4] = (ALL_ONES - add(pseudo, fold_sum(message))).to_bytes(2, "big")
    return bytes(message)
