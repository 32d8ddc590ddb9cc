"""Fragmentation by the source (RFC 791 section 3.2, RFC 8200 section 4.5).

+-----------+-----------------------+      +-----------+----------+
| IP header | fragment header, IPv6 | data | IP header | ... data | multiples of 8 bytes, but for the last
+-----------+-----------------------+      +-----------+----------+
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from tcpcore.wire.checksum import Buffer, checksum
from tcpcore.wire.packet import Packet

_U16: Final = Struct(">H")
_FRAGMENT_HEADER: Final = Struct(">BBHI")
_FRAGMENT: Final = 44
_MORE_FRAGMENTS: Final = 0x2000


def fragment(header: Buffer, body: Buffer, mtu: int, identification: int) -> list[Packet]:
    """The packets of at most ``mtu`` bytes that carry ``body`` behind ``header``, an IP header and nothing else.

    ``identification`` is IPv6's; an IPv4 header has its own, and its "don't fragment" is cleared.
    """
    version = header[0] >> 4
    overhead = len(header) + (8 if version == 6 else 0)
    size = max((mtu - overhead) // 8 * 8, 8)
    view = memoryview(body)
    packets = []
    for offset in range(0, len(view), size):
        data = view[offset : offset + size]
        more = offset + size < len(view)
        if version == 4:
            head = _ipv4_header(header, len(data), offset, more)
        else:
            head = _ipv6_header(header, len(data), offset, more, identification)
        packets.append(Packet(head, (data,), len(data)))
    return packets


def _ipv4_header(header: Buffer, length: int, offset: int, more: bool) -> bytearray:
    head = bytearray(header)
    _U16.pack_into(head, 2, len(head) + length)
    _U16.pack_into(head, 6, (_MORE_FRAGMENTS if more else 0) | offset // 8)
    head[10:12] = b"\0\0"
    _U16.pack_into(head, 10, checksum(head))
    return head


def _ipv6_header(header: Buffer, length: int, offset: int, more: bool, identification: int) -> bytearray:
    head = bytearray(header)
    _U16.pack_into(head, 4, 8 + length)
    head[6] = _FRAGMENT
    return head + _FRAGMENT_HEADER.pack(header[6], 0, offset | more, identification)
