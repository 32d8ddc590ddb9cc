"""Slow, obvious versions to compare with, and packets made by hand."""

from __future__ import annotations

from ipaddress import ip_address

from tcpcore.wire import ip, tcp
from tcpcore.wire.checksum import pseudo_header_sum
from tcpcore.wire.packet import Packet

ADDRESSES = {
    4: (ip_address("192.0.2.1").packed, ip_address("192.0.2.9").packed),
    6: (ip_address("2001:db8::1").packed, ip_address("2001:db8::9").packed),
}


def slow_sum(data: bytes) -> int:
    """RFC 1071 section 1, word by word with end-around carry."""
    if len(data) % 2:
        data += b"\0"
    total = 0
    for at in range(0, len(data), 2):
        total += data[at] << 8 | data[at + 1]
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ip_header(version: int, protocol: int, length: int, identification: int = 0xFFFE) -> bytearray:
    """A header between the two addresses of this version."""
    source, destination = ADDRESSES[version]
    if version == 4:
        return ip.build_ipv4_header(source, destination, protocol, length, identification)
    return ip.build_ipv6_header(source, destination, protocol, length)


def tcp_packet(
    version: int,
    payload: bytes = b"",
    flags: int = tcp.ACK,
    seq: int = 1000,
    options: bytes = b"",
    segment_size: int = 0,
) -> Packet:
    """A TCP packet with its checksum left to offload."""
    source, destination = ADDRESSES[version]
    header = bytearray(tcp.build_header(40000, 7070, seq, 2000, flags, 512, 0, options))
    length = len(header) + len(payload)
    header[16:18] = pseudo_header_sum(source, destination, ip.TCP, length).to_bytes(2, "big")
    front = ip_header(version, ip.TCP, length)
    return Packet(front + header, (payload,), len(payload), len(front), tcp.CHECKSUM_OFFSET, segment_size)
