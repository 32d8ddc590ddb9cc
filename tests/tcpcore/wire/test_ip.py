from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpcore.wire.bad import BadPacket
from tcpcore.wire.checksum import checksum
from tcpcore.wire.ip import build_ipv4_header, build_ipv6_header, parse_untrusted
from tests.tcpcore.wire.reference import ADDRESSES, ip_header

KNOWN_IPV4_HEADER = bytes.fromhex("45000073000040004011b861c0a80001c0a800c7")
"""A header whose checksum is in many textbooks: UDP from 192.168.0.1 to 192.168.0.199, 115 bytes in all."""


def ipv4(options: bytes = b"", payload: bytes = b"payload!", flags: int = 0, cut: int = 0) -> bytes:
    header = ip_header(4, 6, len(options) + len(payload)) + options
    header[0] = 0x40 | len(header) // 4
    header[6:8] = flags.to_bytes(2, "big")
    header[10:12] = b"\0\0"
    header[10:12] = checksum(header).to_bytes(2, "big")
    return bytes(header + payload)[: len(header) + len(payload) - cut]


def ipv6(next_header: int, payload: bytes) -> bytes:
    return bytes(ip_header(6, next_header, len(payload)) + payload)


def reason_for(packet: bytes) -> str:
    with pytest.raises(BadPacket) as caught:
        parse_untrusted(packet)
    return caught.value.reason


def test_known_ipv4_header() -> None:
    packet = parse_untrusted(KNOWN_IPV4_HEADER + bytes(95))
    assert packet.version == 4
    assert packet.source == ip_address("192.168.0.1").packed
    assert packet.destination == ip_address("192.168.0.199").packed
    assert (packet.protocol, packet.hop_limit, packet.traffic_class) == (17, 64, 0)
    assert (packet.header_length, len(packet.payload), packet.fragment) == (20, 95, None)
    assert bytes(KNOWN_IPV4_HEADER) == build_ipv4_header(packet.source, packet.destination, 17, 95, 0)


def test_padding_after_the_total_length_is_cut_off() -> None:
    assert bytes(parse_untrusted(ipv4() + b"padding").payload) == b"payload!"
    assert bytes(parse_untrusted(ipv6(6, b"payload!") + b"padding").payload) == b"payload!"


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"", "ip-truncated"),
        (b"\x00" * 40, "ip-version"),
        (b"\x45" * 19, "ip-truncated"),
        (ipv4(cut=1), "ip-truncated"),
        (b"\x44" + ipv4()[1:], "ip-header-length"),
        (b"\x4f" + ipv4()[1:], "ip-header-length"),
        (ipv4()[:8] + b"\x01" + ipv4()[9:], "ip-header-checksum"),
        (ipv4(options=bytes((7, 0, 0, 0))), "ip-option"),
        (ipv4(options=bytes((7, 5, 0, 0))), "ip-option"),
        (ipv4(options=bytes((1, 1, 1, 7))), "ip-option"),
        (ipv4(flags=0x2000, payload=b"seven b"), "ip-fragment-length"),
        (ipv4(flags=0x1FFF), "ip-fragment-length"),
        (ipv4(flags=0x2001, payload=b""), "ip-fragment-length"),
        (b"\x60" * 39, "ip-truncated"),
        (ipv6(6, b"payload!")[:-1], "ip-truncated"),
        (ipv6(0, bytes(7)), "ip-truncated"),
        (ipv6(60, bytes((6, 1)) + bytes(6)), "ip-truncated"),
        (ipv6(60, bytes((0, 0, 1, 4, 0, 0, 0, 0)) + bytes((6, 0, 1, 4, 0, 0, 0, 0))), "ip-extension-order"),
        (ipv6(60, bytes((60, 0, 1, 4, 0, 0, 0, 0)) * 9), "ip-extension-limit"),
        (ipv6(60, bytes((6, 0, 0xC2, 4, 0, 0, 0, 0))), "ip-option"),
        (ipv6(60, bytes((6, 0, 1, 5, 0, 0, 0, 0))), "ip-option"),
        (ipv6(44, bytes((6, 0, 0, 1, 0, 0, 0, 9)) + b"seven b"), "ip-fragment-length"),
        (ipv6(44, bytes((6, 0, 0xFF, 0xF8, 0, 0, 0, 9)) + b"payload!"), "ip-fragment-length"),
    ],
)
def test_bad_packets_are_named(packet: bytes, reason: str) -> None:
    assert reason_for(packet) == reason


@pytest.mark.parametrize("kind", [131, 137])
def test_ipv4_source_routes_are_flagged(kind: int) -> None:
    packet = parse_untrusted(ipv4(options=bytes((1, kind, 7, 4, 192, 0, 2, 7))))
    assert packet.options_source_route
    assert (packet.header_length, bytes(packet.payload)) == (28, b"payload!")


@pytest.mark.parametrize("options", [bytes((1, 1, 1, 0)), bytes((0, 131, 3, 4)), bytes((148, 4, 0, 0))])
def test_other_ipv4_options_are_not(options: bytes) -> None:
    assert not parse_untrusted(ipv4(options=options)).options_source_route


def test_ipv4_fragment() -> None:
    assert parse_untrusted(ipv4(flags=0x2000)).fragment == (0xFFFE, 0, True)
    assert parse_untrusted(ipv4(flags=0x0003)).fragment == (0xFFFE, 24, False)
    assert parse_untrusted(ipv4(flags=0x4000)).fragment is None


def test_ipv6_extension_headers_are_walked() -> None:
    hop_by_hop = bytes((60, 0, 5, 2, 0, 0, 0, 0))
    destination = bytes((43, 1, 0, 1, 11)) + bytes(11)
    routing = bytes((6, 0, 4, 0, 0, 0, 0, 0))
    packet = parse_untrusted(ipv6(0, hop_by_hop + destination + routing + b"payload!"))
    assert (packet.protocol, packet.header_length, bytes(packet.payload)) == (6, 72, b"payload!")
    assert not packet.options_source_route


def test_ipv6_source_route_is_flagged() -> None:
    packet = parse_untrusted(ipv6(43, bytes((6, 0, 0, 1, 0, 0, 0, 0)) + b"payload!"))
    assert packet.options_source_route


def test_ipv6_fragment() -> None:
    first = parse_untrusted(ipv6(44, bytes((60, 0, 0, 1, 0, 0, 0, 9)) + b"payload!"))
    assert (first.fragment, first.protocol, bytes(first.payload)) == ((9, 0, True), 60, b"payload!")
    last = parse_untrusted(ipv6(44, bytes((6, 0, 0, 16, 0, 0, 0, 9)) + b"end"))
    assert (last.fragment, bytes(last.payload)) == ((9, 16, False), b"end")


def test_ipv6_atomic_fragment_is_a_whole_packet() -> None:
    packet = parse_untrusted(ipv6(44, bytes((6, 0, 0, 0, 0, 0, 0, 9)) + b"whole"))
    assert (packet.fragment, packet.protocol, bytes(packet.payload)) == (None, 6, b"whole")


@given(st.integers(0, 255), st.integers(0, 100), st.integers(0, 65535), st.integers(1, 255), st.integers(0, 255))
def test_ipv4_round_trip(protocol: int, length: int, identification: int, hops: int, traffic: int) -> None:
    source, destination = ADDRESSES[4]
    header = build_ipv4_header(source, destination, protocol, length, identification, hops, traffic)
    packet = parse_untrusted(header + bytes(length))
    assert (packet.source, packet.destination, packet.protocol) == (source, destination, protocol)
    assert (packet.hop_limit, packet.traffic_class, len(packet.payload)) == (hops, traffic, length)
    assert int.from_bytes(header[4:6], "big") == identification
    assert header[6:8] == b"\x40\0"


@given(st.integers(0, 100), st.integers(1, 255), st.integers(0, 255), st.integers(0, 2**20 - 1))
def test_ipv6_round_trip(length: int, hops: int, traffic: int, label: int) -> None:
    source, destination = ADDRESSES[6]
    header = build_ipv6_header(source, destination, 6, length, hops, traffic, label)
    packet = parse_untrusted(header + bytes(length))
    assert (packet.version, packet.source, packet.destination, packet.protocol) == (6, source, destination, 6)
    assert (packet.hop_limit, packet.traffic_class, len(packet.payload)) == (hops, traffic, length)
    assert int.from_bytes(header[:4], "big") & 0xFFFFF == label
