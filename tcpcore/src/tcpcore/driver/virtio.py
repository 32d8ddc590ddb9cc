"""The virtio network header before every packet of a TUN device that does offload (VIRTIO 1.1 section 5.1.6).

    0       1         2         4          6            8             10
    +-------+---------+---------+----------+------------+-------------+
    | flags | GSO type| hdr_len | GSO size | csum start | csum offset |
    +-------+---------+---------+----------+------------+-------------+

The fields are in the machine's own byte order. ``csum start`` counts from the first byte of the IP header.
"""

from __future__ import annotations

import struct
from typing import Final

from tcpcore.wire.packet import Packet

LENGTH: Final = 10
CHECKSUM_VOUCHED: Final = 3
"""Either flag, NEEDS_CSUM or DATA_VALID, says that the checksum need not be verified."""
NO_OFFLOAD: Final = bytes(LENGTH)

_HEADER: Final = struct.Struct("=BBHHHH")
_NEEDS_CHECKSUM: Final = 1
_GSO_TCPV4: Final = 1
_GSO_TCPV6: Final = 4
_GSO_ECN: Final = 0x80
_TCP_FLAGS_OFFSET: Final = 13
_CWR: Final = 0x80


def header_for(packet: Packet) -> bytes:
    """The header that asks the kernel to do what ``packet`` left open."""
    if packet.checksum_offset < 0:
        return NO_OFFLOAD
    start, size = packet.checksum_start, packet.segment_size
    if not 0 < size < packet.payload_length:
        return _HEADER.pack(_NEEDS_CHECKSUM, 0, 0, 0, start, packet.checksum_offset)
    header = packet.header
    kind = _GSO_TCPV4 if header[0] >> 4 == 4 else _GSO_TCPV6
    if header[start + _TCP_FLAGS_OFFSET] & _CWR:
        kind |= _GSO_ECN
    return _HEADER.pack(_NEEDS_CHECKSUM, kind, len(header), size, start, packet.checksum_offset)
