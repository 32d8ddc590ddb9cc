"""IP of either version: one door for what comes in, and the two headers of what goes out."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from tcpcore.wire.bad import BadPacket
from tcpcore.wire.checksum import Buffer
from tcpcore.wire.ippacket import ICMP, ICMPV6, TCP, IPPacket
from tcpcore.wire.ipv4 import build_ipv4_header, parse_ipv4_untrusted
from tcpcore.wire.ipv6 import build_ipv6_header, parse_ipv6_untrusted

__all__ = [
    "ICMP",
    "ICMPV6",
    "TCP",
    "BadPacket",
    "IPPacket",
    "address_text",
    "build_ipv4_header",
    "build_ipv6_header",
    "parse_untrusted",
]


@lru_cache(maxsize=1024)
def address_text(packed: bytes) -> str:
    """A packed address as people write it."""
    return str(ipaddress.ip_address(packed))


def parse_untrusted(packet: Buffer) -> IPPacket:
    """The IP packet at the start of ``packet``, to whose buffer the result refers. Raises ``BadPacket``."""
    view = packet if type(packet) is memoryview else memoryview(packet)
    if not view:
        raise BadPacket("ip-truncated")
    version = view[0] >> 4
    if version == 4:
        return parse_ipv4_untrusted(view)
    if version == 6:
        return parse_ipv6_untrusted(view)
    raise BadPacket("ip-version")
