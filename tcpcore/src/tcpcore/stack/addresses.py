"""The addresses of a stack, and which of them to use (RFC 9293 MUST-44, MUST-63)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from tcpcore.errors import AddressError

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


class Addresses:
    """A stack's interfaces, in the order they were given; ``own``: each address, packed, and as text.

    Raises ``AddressError`` on one that cannot be parsed.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        try:
            self._interfaces: tuple[Interface, ...] = tuple(map(ipaddress.ip_interface, addresses))
        except ValueError as error:
            raise AddressError(str(error)) from error
        self.own = {interface.ip.packed: str(interface.ip) for interface in self._interfaces}
        self._broadcasts = frozenset(
            interface.network.broadcast_address.packed
            for interface in self._interfaces
            if interface.version == 4 and interface.network.prefixlen < 31
        )

    def __iter__(self) -> Iterator[Interface]:
        return iter(self._interfaces)

    def is_host(self, packed: bytes) -> bool:
        """Whether one host can have this address: not unspecified, multicast or broadcast."""
        if len(packed) == 4:
            return 0 < packed[0] < 224 and packed not in self._broadcasts
        return packed[0] != 0xFF and any(packed)

    def check_own(self, address: str) -> bytes:
        """The address, packed. Raises ``AddressError`` if it is not one of these."""
        packed = packed_address(address)
        if packed not in self.own:
            raise AddressError(f"{address} is not an address of this stack")
        return packed

    def towards(self, remote: bytes) -> bytes:
        """The address on the remote's network, else the first of its family. Raises ``AddressError``: there is none."""
        family = [interface for interface in self._interfaces if len(interface.ip.packed) == len(remote)]
        target = ipaddress.ip_address(remote)
        for interface in family:
            if target in interface.network:
                return interface.ip.packed
        if not family:
            raise AddressError(f"no address of this stack can reach {target}")
        return family[0].ip.packed


def packed_address(address: str) -> bytes:
    """The address as on the wire. Raises ``AddressError`` if it is none."""
    try:
        return ipaddress.ip_address(address).packed
    except ValueError as error:
        raise AddressError(str(error)) from error
