"""A received IP packet, the same for both versions."""

from __future__ import annotations

from typing import Final

ICMP: Final = 1
TCP: Final = 6
ICMPV6: Final = 58
"""Protocol numbers (the IPv4 protocol field, the IPv6 next header)."""


class IPPacket:
    """What a valid IP header told, and its payload.

    ``source`` and ``destination`` are packed addresses. ``fragment`` is ``None`` for a whole packet, else
    (identification, offset of ``payload`` in bytes, more fragments follow).
    ``options_source_route``: the sender prescribed the packet's way.
    ``payload`` refers to the buffer that was parsed: copy what is kept.
    """

    __slots__ = (
        "destination",
        "fragment",
        "header_length",
        "hop_limit",
        "options_source_route",
        "payload",
        "protocol",
        "source",
        "traffic_class",
        "version",
    )

    def __init__(
        self,
        version: int,
        source: bytes,
        destination: bytes,
        protocol: int,
        payload: memoryview,
        header_length: int,
        hop_limit: int = 64,
        traffic_class: int = 0,
        fragment: tuple[int, int, bool] | None = None,
        options_source_route: bool = False,
    ) -> None:
        self.version = version
        self.source = source
        self.destination = destination
        self.protocol = protocol
        self.payload = payload
        self.header_length = header_length
        self.hop_limit = hop_limit
        self.traffic_class = traffic_class
        self.fragment = fragment
        self.options_source_route = options_source_route
