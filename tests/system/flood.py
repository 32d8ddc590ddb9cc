"""A SYN flood: from addresses that are reserved for such tests (RFC 2544), with the options that clients send."""

from __future__ import annotations

import random
import socket
from typing import Final

from tcpcore.testing import tcp_packet
from tcpcore.wire.options import build_syn_options
from tcpcore.wire.tcp import SYN

_ETHERTYPE: Final = 0x0800


def spoofed_syn(rng: random.Random, destination: str, port: int, *, options: bool = True) -> bytes:
    """From one of the 131,072 addresses of 198.18.0.0/15, where nobody will ever answer."""
    return tcp_packet(
        rng.randrange(1024, 65536),
        port,
        rng.getrandbits(32),
        0,
        SYN,
        65535,
        options=build_syn_options(1460, 7, True, (rng.getrandbits(32), 0)) if options else b"",
        source=(0xC6120000 | rng.getrandbits(17)).to_bytes(4, "big"),
        destination=socket.inet_aton(destination),
    )


class Injector:
    """Puts packets on a device as they are; the kernel looks at neither address nor checksum."""

    def __init__(self, device: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._to = (device, _ETHERTYPE)

    def send(self, packet: bytes) -> None:
        """Waits while the device's queue is full."""
        self._socket.sendto(packet, self._to)

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()
