"""Initial sequence numbers and timestamp offsets that nobody else can predict (RFC 6528, RFC 7323 section 5.4)."""

from __future__ import annotations

from struct import Struct

from tcpcore.conn.environment import Environment
from tcpcore.seqnum import MASK

_PORTS = Struct(">HH")
_TICK = 4e-6
"""The M of RFC 6528 section 3 ticks every 4 microseconds."""


def initial_numbers(
    env: Environment, local: bytes, local_port: int, remote: bytes, remote_port: int, now: float
) -> tuple[int, int]:
    """ISS and timestamp offset for a connection between these packed addresses: M + F(4-tuple, secret)."""
    hashed = env.keyed_hash(local + remote + _PORTS.pack(local_port, remote_port), 8)
    return (int(now / _TICK) + (hashed & MASK)) & MASK, hashed >> 32
