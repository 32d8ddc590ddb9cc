"""Sequence numbers: 32 bits on the wire, unbounded ints inside (RFC 9293 section 3.4).

A number is unwrapped once, when a segment comes in, to the int nearest a number we know. From there on the RFC's
inequalities are Python's, and the low 32 bits still equal the wire. This is the only place that knows 2**32.
"""

from typing import Final

MODULUS: Final = 1 << 32
MASK: Final = MODULUS - 1
HALF: Final = 1 << 31
"""Numbers up to so far behind one of them are older, the others newer."""


def wrap(number: int) -> int:
    """The 32-bit number that the wire carries."""
    return number & MASK


def unwrap(raw: int, near: int) -> int:
    """The int nearest ``near`` whose low 32 bits are ``raw``."""
    return near + ((raw - near + HALF) & MASK) - HALF
