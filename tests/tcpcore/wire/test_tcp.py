from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpcore.wire import ip, tcp
from tcpcore.wire.bad import BadPacket
from tcpcore.wire.ip import IPPacket
from tcpcore.wire.options import build_timestamp
from tests.tcpcore.wire.reference import ADDRESSES, tcp_packet

LINUX_SYN = bytes.fromhex(
    "4500003c1c4640004006b1e6ac100a63ac100a0c"
    "e4c80050a1b2c3d400000000a002faf000000000"
    "020405b40402080a0011223300000000"
    "01030307"
)
"""A SYN as Linux sends it: MSS 1460, SACK permitted, timestamps, window scale 7. Its checksum is left out."""

numbers = st.integers(0, 2**32 - 1)


def packet_of(payload: bytes, version: int = 4) -> IPPacket:
    return IPPacket(version, *ADDRESSES[version], ip.TCP, memoryview(payload), 20)


def test_linux_syn() -> None:
    segment = tcp.parse_untrusted(ip.parse_untrusted(LINUX_SYN), checked=True)
    assert (segment.source_port, segment.destination_port) == (58568, 80)
    assert (segment.seq, segment.ack, segment.flags, segment.wnd) == (0xA1B2C3D4, 0, tcp.SYN, 64240)
    assert (segment.mss, segment.wscale, segment.sack_permitted) == (1460, 7, True)
    assert (segment.timestamp, segment.timestamp_echo) == (0x00112233, 0)
    assert (len(segment.payload), segment.length) == (0, 1)
    expected = "<SYN seq=2712847316 win=64240 len=0 mss=1460 wscale=7 sack-permitted ts=1122867,0>"
    assert repr(segment) == expected


@pytest.mark.parametrize("version", [4, 6])
def test_checksum_is_verified_unless_the_link_vouches(version: int) -> None:
    whole = bytearray(bytes(tcp_packet(version, b"payload")))
    assert bytes(tcp.parse_untrusted(ip.parse_untrusted(whole), checked=False).payload) == b"payload"
    whole[-1] ^= 1
    with pytest.raises(BadPacket, match=r"^tcp-checksum$"):
        tcp.parse_untrusted(ip.parse_untrusted(whole), checked=False)
    assert bytes(tcp.parse_untrusted(ip.parse_untrusted(whole), checked=True).payload) == b"payloae"


def test_known_checksum() -> None:
    # 192.0.2.1:40000 -> 192.0.2.9:7070, summed by hand: words of pseudo header and header.
    words = [0xC000, 0x0201, 0xC000, 0x0209, 6, 20, 40000, 7070, 0, 1000, 0, 2000, 0x5010, 512]
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    assert bytes(tcp_packet(4))[36:38] == (0xFFFF - total).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "tcp-truncated"),
        (bytes(19), "tcp-truncated"),
        (bytes(12) + b"\x40" + bytes(7), "tcp-data-offset"),
        (bytes(12) + b"\x60" + bytes(7), "tcp-data-offset"),
        (bytes(12) + b"\x50" + bytes(7), "tcp-checksum"),
    ],
)
def test_bad_segments_are_named(payload: bytes, reason: str) -> None:
    with pytest.raises(BadPacket) as caught:
        tcp.parse_untrusted(packet_of(payload), checked=False)
    assert caught.value.reason == reason


def test_length_counts_syn_and_fin() -> None:
    for flags, extra in ((tcp.ACK, 0), (tcp.SYN, 1), (tcp.FIN | tcp.ACK, 1), (tcp.SYN | tcp.FIN, 2)):
        assert tcp.Segment(1, 2, 3, 4, flags, 5, payload=b"abc").length == 3 + extra


def test_flag_names() -> None:
    assert tcp.flag_names(tcp.SYN | tcp.ACK) == "SYN,ACK"
    assert tcp.flag_names(0xFF) == "SYN,FIN,RST,PSH,ACK,URG,ECE,CWR"
    assert tcp.flag_names(0) == "none"


def test_repr_shows_what_is_there() -> None:
    segment = tcp.Segment(1, 2, 3, 4, tcp.ACK | tcp.URG, 5, up=6, payload=b"abc", sack=((7, 8), (9, 10)))
    assert repr(segment) == "<ACK,URG seq=3 ack=4 win=5 len=3 up=6 sack=7-8,9-10>"


@pytest.mark.parametrize("fast", [True, False])
def test_timestamps_in_either_layout(fast: bool) -> None:
    options = build_timestamp(0xFFFFFFFF, 7)
    if not fast:
        options = options[2:] + options[:2]
    segment = tcp.parse_untrusted(ip.parse_untrusted(bytes(tcp_packet(4, b"x", options=options))), checked=False)
    assert (segment.timestamp, segment.timestamp_echo, bytes(segment.payload)) == (0xFFFFFFFF, 7, b"x")


@given(
    numbers,
    numbers,
    st.integers(0, 255),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.binary(max_size=40),
)
def test_round_trip(seq: int, ack: int, flags: int, wnd: int, up: int, payload: bytes) -> None:
    raw = tcp.build_header(40000, 7070, seq, ack, flags, wnd, up) + payload
    segment = tcp.parse_untrusted(packet_of(raw), checked=True)
    assert (segment.source_port, segment.destination_port) == (40000, 7070)
    assert (segment.seq, segment.ack, segment.flags) == (seq, ack, flags)
    assert (segment.wnd, segment.up, bytes(segment.payload)) == (wnd, up, payload)
