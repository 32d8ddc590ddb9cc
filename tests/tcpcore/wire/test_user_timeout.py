"""The user timeout option on the wire (RFC 5482 section 3.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpcore.wire import options
from tcpcore.wire.tcp import ACK, SYN, Segment


def parsed(data: bytes, flags: int = ACK) -> int | None:
    segment = Segment(1, 2, 3, 4, flags, 5)
    options.parse_untrusted(memoryview(data), segment)
    return segment.user_timeout


@pytest.mark.parametrize(
    ("seconds", "layout", "value"),
    [
        (0.1, "1c040001", 1),
        (1, "1c040001", 1),
        (100.5, "1c040065", 101),
        (32767, "1c047fff", 32767),
        (32768, "1c048223", 547 * 60),
        (1e9, "1c04ffff", 32767 * 60),
    ],
)
def test_layout_in_seconds_or_minutes(seconds: float, layout: str, value: int) -> None:
    assert options.build_user_timeout(seconds).hex() == layout
    assert parsed(bytes.fromhex(layout)) == value


@pytest.mark.parametrize("flags", [SYN, SYN | ACK, ACK])
def test_it_counts_on_every_segment(flags: int) -> None:
    assert parsed(b"\x1c\x04\x80\x02", flags) == 120


@pytest.mark.parametrize("data", [b"\x1c\x04\x00\x00", b"\x1c\x04\x80\x00", b"\x1c\x03\x01\x01", b"\x1c\x05\0\1\2"])
def test_zero_and_wrong_lengths_are_ignored(data: bytes) -> None:
    assert parsed(data) is None


@given(st.integers(1, 32767 * 60))
def test_round_trip_loses_less_than_a_minute(seconds: int) -> None:
    value = parsed(options.build_user_timeout(seconds))
    assert value is not None
    assert seconds <= value < seconds + (1 if seconds <= 32767 else 60)


def test_it_fits_a_full_syn() -> None:
    full = options.build_syn_options(1460, 7, True, (1, 2), 300.0)
    assert len(full) == 24
    assert parsed(full, SYN) == 300
