"""Ephemeral ports: double-hash selection (RFC 6056 section 3.3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tcpcore.conn.environment import Environment
from tcpcore.errors import AddressInUseError

TABLE: Final = 256


class EphemeralPorts:
    """Chooses ports that an outsider cannot guess and that come back to one peer as late as possible."""

    __slots__ = ("_env", "_table")

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._table = [env.rng.getrandbits(16) for _ in range(TABLE)]

    def choose(self, peer: bytes, free: Callable[[int], bool]) -> int:
        """A port for which ``free`` is true; ``peer`` identifies local address, remote address and port.

        Raises ``AddressInUseError`` when none is left.
        """
        low, high = self._env.config.ephemeral_ports
        count = high - low + 1
        hashed = self._env.keyed_hash(b"port" + peer, 8)
        offset, index = hashed & 0xFFFFFFFF, hashed >> 32 & TABLE - 1
        for _ in range(count):
            port = low + (offset + self._table[index]) % count
            self._table[index] += 1
            if free(port):
                return port
        raise AddressInUseError("no ephemeral port is free")
