"""The internet checksum (RFC 1071).

2**16 is 1 modulo 0xFFFF, so the one's complement sum of 16-bit words is the whole buffer, taken as one big
number, modulo 0xFFFF. One's complement has two zeros: words that are not all 0 add up to 0xFFFF, never to 0.
"""

from typing import Final

Buffer = bytes | bytearray | memoryview

ALL_ONES: Final = 0xFFFF
"""``fold_sum`` over data that includes its own, correct checksum."""


def fold_sum(data: Buffer) -> int:
    """The one's complement sum of the big-endian 16-bit words of ``data``, an odd last byte padded with 0."""
    number = int.from_bytes(data, "big")
    if len(data) & 1:
        number <<= 8
    return number % ALL_ONES or (ALL_ONES if number else 0)


def checksum(data: Buffer) -> int:
    """What a checksum field carries: the complement of ``fold_sum``."""
    return ALL_ONES - fold_sum(data)


def add(a: int, b: int) -> int:
    """The one's complement sum of two folded sums."""
    total = a + b
    return total if total <= ALL_ONES else total - ALL_ONES


def pseudo_header_sum(src: bytes, dst: bytes, protocol: int, length: int) -> int:
    """The folded sum of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1), not complemented.

    ``src`` and ``dst`` are packed addresses of one family, ``length`` covers transport header and data.
    """
    number = int.from_bytes(src + dst, "big") + protocol + length
    return number % ALL_ONES or (ALL_ONES if number else 0)
