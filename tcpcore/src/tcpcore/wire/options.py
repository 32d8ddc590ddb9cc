"""TCP options: MSS (RFC 9293), window scale and timestamps (RFC 7323), SACK (RFC 2018).

kind 0  end of options            kind 4, length 2       SACK permitted, on SYN
kind 1  no operation              kind 5, length 2 + 8n  SACK: n pairs of edges, 4 bytes each
kind 2, length 4  MSS, on SYN     kind 8, length 10      timestamps: TSval, TSecr
kind 3, length 3  shift, on SYN   kind 28, length 4      user timeout (RFC 5482): 1 bit minutes, 15 bits
any other         skipped by its length (RFC 9293 MUST-6, MUST-68)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from struct import Struct
from typing import Final

from tcpcore.wire.segment import SYN, Segment

_END: Final = 0
_NOP: Final = 1
_MSS: Final = 2
_WINDOW_SCALE: Final = 3
_SACK_PERMITTED: Final = 4
_SACK: Final = 5
_TIMESTAMPS: Final = 8
_USER_TIMEOUT: Final = 28

MAX_WINDOW_SCALE: Final = 14
"""A larger shift is taken as this (RFC 7323 section 2.3)."""
TIMESTAMP_LAYOUT: Final = 0x0101080A
"""NOP, NOP, timestamps, length 10."""

SYN_MSS: Final = 0x0204
SYN_SACK_TIMESTAMPS: Final = 0x0402080A
SYN_SCALE: Final = 0x010303
"""In SYNs of Linux, and in ours: kinds and lengths of what follows each other, NOP in front of the window scale."""

_MINUTES: Final = 0x8000
_MAX_USER_TIMEOUT: Final = 0x7FFF

_U16: Final = Struct(">H")
_PAIR: Final = Struct(">II")
_TIMESTAMP: Final = Struct(">III")
_USUAL_SYN: Final = Struct(">HHIIII")
_SYN_TIMESTAMP: Final = Struct(">HII")


def takes_usual_syn(view: memoryview, segment: Segment) -> bool:
    """Whether the 20 bytes of options in ``view``, a header, are as in SYNs of Linux, and ``segment`` has them now.

    MSS, SACK permitted, timestamps, NOP, window scale: read in one go.
    """
    kind, mss, kinds, timestamp, echo, scale = _USUAL_SYN.unpack_from(view, 20)
    if (kind, kinds, scale >> 8) != (SYN_MSS, SYN_SACK_TIMESTAMPS, SYN_SCALE) or not segment.flags & SYN:
        return False
    segment.mss = mss
    segment.sack_permitted = True
    segment.timestamp, segment.timestamp_echo = timestamp, echo
    segment.wscale = min(scale & 0xFF, MAX_WINDOW_SCALE)
    return True


def parse_untrusted(view: memoryview, segment: Segment) -> None:
    """Fill ``segment`` from its options. Never raises.

    An option of a wrong length is skipped, one of an impossible length ends the options (RFC 9293 MUST-7).
    """
    at, end = 0, len(view)
    while at < end:
        kind = view[at]
        if kind == _NOP:
            at += 1
            continue
        if kind == _END or at + 1 >= end:
            return
        length = view[at + 1]
        if length < 2 or at + length > end:
            return
        _take_option(kind, view[at + 2 : at + length], segment)
        at += length


def _take_option(kind: int, value: memoryview, segment: Segment) -> None:
    length = len(value)
    if kind == _TIMESTAMPS:
        if length == 8:
            segment.timestamp, segment.timestamp_echo = _PAIR.unpack(value)
    elif kind == _SACK:
        if length and length % 8 == 0:
            segment.sack = tuple(_PAIR.iter_unpack(value))
    elif kind == _USER_TIMEOUT:
        if length == 2:
            _take_user_timeout(value[0] << 8 | value[1], segment)
    elif not segment.flags & SYN:
        return  # the others mean something on SYN only
    elif kind == _MSS:
        if length == 2:
            (segment.mss,) = _U16.unpack(value)
    elif kind == _WINDOW_SCALE:
        if length == 1:
            segment.wscale = min(value[0], MAX_WINDOW_SCALE)
    elif kind == _SACK_PERMITTED and length == 0:
        segment.sack_permitted = True


def _take_user_timeout(field: int, segment: Segment) -> None:
    value = field & _MAX_USER_TIMEOUT
    if value:  # zero is reserved
        segment.user_timeout = value * 60 if field & _MINUTES else value


def build_syn_options(
    mss: int,
    wscale: int | None,
    sack_permitted: bool,
    timestamp: tuple[int, int] | None,
    user_timeout: float | None = None,
) -> bytes:
    """The options of a SYN, at most 24 bytes: ``timestamp`` is (TSval, TSecr); ``None`` leaves one out."""
    if timestamp is not None and sack_permitted and wscale is not None and user_timeout is None:
        return _USUAL_SYN.pack(SYN_MSS, mss, SYN_SACK_TIMESTAMPS, *timestamp, SYN_SCALE << 8 | wscale)
    parts = [bytes((_MSS, 4)), _U16.pack(mss)]
    if timestamp is not None:
        parts.append(bytes((_SACK_PERMITTED, 2)) if sack_permitted else bytes((_NOP, _NOP)))
        parts.append(_SYN_TIMESTAMP.pack(_TIMESTAMPS << 8 | 10, *timestamp))
    elif sack_permitted:
        parts.append(bytes((_NOP, _NOP, _SACK_PERMITTED, 2)))
    if wscale is not None:
        parts.append(bytes((_NOP, _WINDOW_SCALE, 3, wscale)))
    if user_timeout is not None:
        parts.append(build_user_timeout(user_timeout))
    return b"".join(parts)


def build_user_timeout(seconds: float) -> bytes:
    """4 bytes: ``seconds`` rounded up, from 1 to 32767; or in minutes when they are more."""
    value, minutes = max(ceil(seconds), 1), 0
    if value > _MAX_USER_TIMEOUT:
        value, minutes = min(-(-value // 60), _MAX_USER_TIMEOUT), _MINUTES
    return bytes((_USER_TIMEOUT, 4)) + _U16.pack(value | minutes)


def build_timestamp(val: int, ecr: int) -> bytes:
    """NOP, NOP, timestamps: 12 bytes."""
    return _TIMESTAMP.pack(TIMESTAMP_LAYOUT, val, ecr)


def build_sack(blocks: Sequence[tuple[int, int]]) -> bytes:
    """NOP, NOP, SACK with these (left edge, right edge) pairs, 1 to 4 of them (3 beside timestamps)."""
    return bytes((_NOP, _NOP, _SACK, 2 + 8 * len(blocks))) + b"".join(_PAIR.pack(*block) for block in blocks)
