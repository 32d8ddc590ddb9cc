from __future__ import annotations

import random

import pytest

from tcpcore.wire import ip, tcp
from tcpcore.wire.options import build_timestamp
from tests.tcpcore.wire.reference import tcp_packet

DATA = random.Random(9293).randbytes(64000)
ALL_AT_ONCE = tcp.ACK | tcp.PSH | tcp.FIN | tcp.CWR


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("size", [536, 1448, 63999])
def test_pieces_reassemble_and_verify(version: int, size: int) -> None:
    packet = tcp_packet(version, DATA, ALL_AT_ONCE, 2**32 - 1000, build_timestamp(5, 6), segment_size=size)
    pieces = [ip.parse_untrusted(bytes(piece)) for piece in packet.cut()]
    segments = [tcp.parse_untrusted(piece, checked=False) for piece in pieces]
    assert b"".join(bytes(segment.payload) for segment in segments) == DATA
    assert [segment.seq for segment in segments] == [
        (2**32 - 1000 + start) % 2**32 for start in range(0, len(DATA), size)
    ]
    assert {segment.timestamp for segment in segments} == {5}
    assert {len(segment.payload) for segment in segments[:-1]} == {size}


@pytest.mark.parametrize("version", [4, 6])
def test_flags_stay_where_they_mean_something(version: int) -> None:
    packet = tcp_packet(version, bytes(3000), ALL_AT_ONCE, segment_size=1000)
    segments = [tcp.parse_untrusted(ip.parse_untrusted(bytes(piece)), checked=False) for piece in packet.cut()]
    assert [tcp.flag_names(segment.flags) for segment in segments] == ["ACK,CWR", "ACK", "FIN,PSH,ACK"]


def test_ipv4_identification_goes_up_and_wraps() -> None:
    pieces = tcp_packet(4, bytes(3000), segment_size=1000).cut()
    assert [bytes(piece)[4:6].hex() for piece in pieces] == ["fffe", "ffff", "0000"]


def test_payload_in_several_buffers() -> None:
    packet = tcp_packet(4, DATA, segment_size=1448)
    packet.payload = (DATA[:10], memoryview(DATA)[10:5000], bytearray(DATA[5000:]))
    assert b"".join(bytes(piece)[40:] for piece in packet.cut()) == DATA


@pytest.mark.parametrize("size", [0, 3000, 3001])
def test_packet_that_fits_is_its_only_piece(size: int) -> None:
    packet = tcp_packet(6, bytes(3000), segment_size=size)
    assert list(packet.cut()) == [packet]


def test_cutting_leaves_the_packet_alone() -> None:
    packet = tcp_packet(4, bytes(3000), ALL_AT_ONCE, segment_size=1000)
    before = bytes(packet)
    assert len(list(packet.cut())) == 3
    assert bytes(packet) == before
    assert len(packet) == len(before)


def test_complete_checksum_is_left_as_it_is() -> None:
    packet = tcp_packet(4, b"abc")
    packet.checksum_offset = -1
    assert bytes(packet) == bytes(packet.header) + b"abc"
