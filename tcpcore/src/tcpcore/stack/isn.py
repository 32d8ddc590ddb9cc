"""Initial sequence numbers and timestamp offsets that nobody else can predict (RFC 6528, RFC 7323 section 5.4)."""

from __future__ import annotations

from tcpcore.conn.environment import Environment
from tcpcore.seqnum import MASK

_TICK = 4e-6
"""The M of RFC 6528 section 3 ticks every 4 microseconds."""


def initial_numbers(env: Environment, key: bytes, now: float) -> tuple[int, int]:
    """ISS and timestamp offset for the connection with the ends ``key``: M + F(4-tuple, secret)."""
    hashed = env.keyed_hash(key, 8)
    return (int(now / _TICK) + (hashed & MASK)) & MASK, hashed >> 32
