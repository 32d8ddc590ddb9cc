from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpcore.wire import options
from tcpcore.wire.tcp import ACK, SYN, Segment

numbers = st.integers(0, 2**32 - 1)


def parsed(data: bytes, flags: int = SYN) -> Segment:
    segment = Segment(1, 2, 3, 4, flags, 5)
    options.parse_untrusted(memoryview(data), segment)
    return segment


def found(segment: Segment) -> tuple[object, ...]:
    return segment.mss, segment.wscale, segment.sack_permitted, segment.timestamp, segment.sack


NOTHING = (None, None, False, None, ())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x02\x04\x05\xb4",  # all after the end of options
        b"\x02",  # a kind without a length
        b"\x02\x00\x05\xb4",  # length 0
        b"\x02\x01\x05\xb4",  # length 1: shorter than kind and length
        b"\x02\x05\x05\xb4",  # past the end
        b"\x02\x03\x05\x01",  # MSS of a wrong length
        b"\x03\x02\x01\x01",
        b"\x04\x03\x00\x01",
        b"\x05\x02\x01\x01",  # SACK of no pair
        b"\x05\x06\x00\x00\x00\x01",
        b"\x08\x06\x00\x00\x00\x01",
        b"\xfe\x04\x00\x00",  # unknown
    ],
)
def test_malformed_options_give_nothing(data: bytes) -> None:
    assert found(parsed(data)) == NOTHING


@pytest.mark.parametrize("before", [b"\x01", b"\x02\x03\x05", b"\xfe\x05abc", b"\x1c\x04\x80\x10", b"\x08\x03\x00"])
def test_what_follows_a_skipped_option_is_read(before: bytes) -> None:
    assert parsed(before + b"\x02\x04\x05\xb4").mss == 1460


def test_what_follows_an_impossible_length_is_not() -> None:
    assert parsed(b"\x02\x04\x05\xb4\xfe\x00\x03\x03\x07").mss == 1460
    assert parsed(b"\x02\x04\x05\xb4\xfe\x00\x03\x03\x07").wscale is None


@pytest.mark.parametrize(("shift", "kept"), [(0, 0), (14, 14), (15, 14), (255, 14)])
def test_window_scale_is_kept_up_to_14(shift: int, kept: int) -> None:
    assert parsed(bytes((3, 3, shift))).wscale == kept


def test_options_of_syn_are_ignored_elsewhere() -> None:
    data = options.build_syn_options(1460, 7, True, (1, 2))
    assert found(parsed(data, ACK)) == (None, None, False, 1, ())


def test_layout_on_syn() -> None:
    full = options.build_syn_options(1460, 7, True, (0x11223344, 0))
    assert full.hex() == "020405b40402080a112233440000000001030307"
    assert options.build_syn_options(536, None, False, None).hex() == "02040218"
    assert options.build_syn_options(536, None, True, None).hex() == "0204021801010402"


def test_timestamp_layout() -> None:
    assert options.build_timestamp(1, 2).hex() == "0101080a0000000100000002"


@given(
    st.integers(0, 65535),
    st.none() | st.integers(0, 14),
    st.booleans(),
    st.none() | st.tuples(numbers, numbers),
)
def test_syn_options_round_trip(mss: int, wscale: int | None, sack: bool, timestamp: tuple[int, int] | None) -> None:
    data = options.build_syn_options(mss, wscale, sack, timestamp)
    assert len(data) % 4 == 0
    segment = parsed(data)
    assert found(segment) == (mss, wscale, sack, timestamp and timestamp[0], ())
    assert segment.timestamp_echo == (timestamp[1] if timestamp else 0)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4))
def test_sack_round_trip(blocks: list[tuple[int, int]]) -> None:
    data = options.build_sack(blocks)
    assert len(data) % 4 == 0
    assert parsed(data, ACK).sack == tuple(blocks)
