import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpcore.wire.checksum import add, checksum, fold_sum, pseudo_header_sum
from tests.tcpcore.wire.reference import slow_sum


def test_example_of_rfc_1071_section_3() -> None:
    data = bytes.fromhex("0001f203f4f5f6f7")
    assert fold_sum(data) == 0xDDF2
    assert checksum(data) == 0x220D


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\xff\xfe\x00\x01", b"\1"])
def test_both_zeros_of_ones_complement(data: bytes) -> None:
    assert fold_sum(data) == slow_sum(data)


@given(st.binary(max_size=200))
def test_equals_the_word_by_word_sum(data: bytes) -> None:
    assert fold_sum(data) == slow_sum(data)
    assert fold_sum(memoryview(data)) == slow_sum(data)
    assert checksum(data) == ~slow_sum(data) & 0xFFFF


@given(st.binary(max_size=40).filter(lambda data: len(data) % 2 == 0), st.binary(max_size=40))
def test_sums_add_up(front: bytes, back: bytes) -> None:
    assert add(fold_sum(front), fold_sum(back)) == slow_sum(front + back)


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4), st.integers(0, 65535))
def test_ipv4_pseudo_header(source: bytes, destination: bytes, length: int) -> None:
    written = source + destination + bytes((0, 6)) + length.to_bytes(2, "big")
    assert pseudo_header_sum(source, destination, 6, length) == slow_sum(written)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1))
def test_ipv6_pseudo_header(source: bytes, destination: bytes, length: int) -> None:
    written = source + destination + length.to_bytes(4, "big") + bytes((0, 0, 0, 58))
    assert pseudo_header_sum(source, destination, 58, length) == slow_sum(written)
