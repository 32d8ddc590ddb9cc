from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpcore.wire import icmp, ip
from tcpcore.wire.bad import BadPacket
from tcpcore.wire.ip import IPPacket
from tests.tcpcore.wire.reference import ADDRESSES, ip_header, tcp_packet

PROTOCOLS = {4: ip.ICMP, 6: ip.ICMPV6}


def packet_of(payload: bytes | bytearray, version: int) -> IPPacket:
    return IPPacket(version, *ADDRESSES[version], PROTOCOLS[version], memoryview(payload), 20)


def test_known_echo_request() -> None:
    known = bytes.fromhex("0800f7fd00010001")
    message = icmp.parse_untrusted(packet_of(known, 4), checked=False)
    assert (message.type, message.code, message.rest, bytes(message.payload)) == (8, 0, 0x00010001, b"")
    assert icmp.build(4, *ADDRESSES[4], icmp.ECHO_REQUEST, 0, 0x00010001, b"") == known


@given(st.sampled_from([4, 6]), st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary())
def test_round_trip(version: int, type_: int, code: int, rest: int, payload: bytes) -> None:
    built = icmp.build(version, *ADDRESSES[version], type_, code, rest, payload)
    message = icmp.parse_untrusted(packet_of(built, version), checked=False)
    assert (message.type, message.code, message.rest, bytes(message.payload)) == (type_, code, rest, payload)


@pytest.mark.parametrize("version", [4, 6])
def test_checksum_is_verified_unless_the_link_vouches(version: int) -> None:
    built = bytearray(icmp.build(version, *ADDRESSES[version], 1, 2, 3, b"odd"))
    built[-1] ^= 1
    with pytest.raises(BadPacket, match=r"^icmp-checksum$"):
        icmp.parse_untrusted(packet_of(built, version), checked=False)
    assert icmp.parse_untrusted(packet_of(built, version), checked=True).type == 1


def test_truncated_message_is_named() -> None:
    with pytest.raises(BadPacket, match=r"^icmp-truncated$"):
        icmp.parse_untrusted(packet_of(bytes(7), 4), checked=False)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("quoted", [8, 20, 1000])
def test_quoted_segment(version: int, quoted: int) -> None:
    whole = bytes(tcp_packet(version, bytes(500), seq=0xFFFFFFF0))
    segment = icmp.parse_quoted_untrusted(memoryview(whole)[: len(ip_header(version, 6, 0)) + quoted])
    assert (segment.source, segment.destination) == ADDRESSES[version]
    assert (segment.source_port, segment.destination_port, segment.seq) == (40000, 7070, 0xFFFFFFF0)


@pytest.mark.parametrize(
    "quote",
    [
        b"",
        bytes(tcp_packet(4))[:27],
        bytes(tcp_packet(6))[:47],
        bytes(ip_header(4, 17, 8)) + bytes(8),
        bytes(tcp_packet(4))[:6] + b"\x00\x01" + bytes(tcp_packet(4))[8:],
    ],
)
def test_quote_of_no_segment_is_bad(quote: bytes) -> None:
    with pytest.raises(BadPacket, match=r"^icmp-quote$"):
        icmp.parse_quoted_untrusted(quote)
