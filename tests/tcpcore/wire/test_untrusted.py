"""Every function that takes what a network sent gives a valid result or ``BadPacket``, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tcpcore
from tcpcore.wire import icmp, ip, ipv4, ipv6, options, tcp, usual
from tcpcore.wire.bad import BadPacket
from tcpcore.wire.ippacket import ICMP, ICMPV6, TCP, IPPacket
from tcpcore.wire.segment import Segment
from tests.tcpcore.wire.reference import ADDRESSES
from tests.tcpcore.wire.strategies import (
    damaged,
    icmp_messages,
    ipv4_packets,
    ipv6_packets,
    quotes,
    segments,
    tcp_options,
    usual_packets,
    usual_syns,
)

FUZZ = settings(deadline=None, derandomize=True, max_examples=200)
SOURCES = Path(tcpcore.__file__).parent


def carrying(payload: bytes, version: int, protocol: int) -> IPPacket:
    return IPPacket(version, *ADDRESSES[version], protocol, memoryview(payload), 20)


def check_ip(packet: IPPacket, data: bytes, version: int) -> None:
    """What a parsed IP packet promises to all that come after."""
    assert packet.version == version
    assert len(packet.source) == len(packet.destination) == (4 if version == 4 else 16)
    assert packet.header_length + len(packet.payload) <= len(data)
    assert bytes(packet.payload) == data[packet.header_length :][: len(packet.payload)]
    if packet.fragment is not None:
        _, offset, more = packet.fragment
        assert offset % 8 == 0
        assert 0 < offset + len(packet.payload) <= 65535
        assert not more or len(packet.payload) % 8 == 0


def any_ip(data: bytes) -> None:
    check_ip(ip.parse_untrusted(data), data, data[0] >> 4)


def any_ipv4(data: bytes) -> None:
    check_ip(ipv4.parse_ipv4_untrusted(memoryview(data)), data, 4)


def any_ipv6(data: bytes) -> None:
    check_ip(ipv6.parse_ipv6_untrusted(memoryview(data)), data, 6)


def check_segment(segment: tcp.Segment, data: bytes) -> None:
    assert data.endswith(bytes(segment.payload))
    assert len(data) - len(segment.payload) in range(20, 61, 4)
    assert segment.wscale is None or 0 <= segment.wscale <= 14
    assert segment.mss is None or segment.flags & tcp.SYN
    assert len(segment.sack) <= 4
    assert repr(segment).startswith("<")


def any_segment(data: bytes) -> None:
    check_segment(tcp.parse_untrusted(carrying(data, 4, TCP), checked=True), data)
    check_segment(tcp.parse_untrusted(carrying(data, 4, TCP), checked=False), data)


def any_options(data: bytes) -> None:
    for flags in (tcp.SYN, tcp.ACK):
        segment = tcp.Segment(1, 2, 3, 4, flags, 5)
        options.parse_untrusted(memoryview(data[:40]), segment)
        check_segment(segment, bytes(20))


def any_icmp(data: bytes) -> None:
    for version, protocol in ((4, ICMP), (6, ICMPV6)):
        message = icmp.parse_untrusted(carrying(data, version, protocol), checked=True)
        assert bytes(message.payload) == data[8:]
        assert (message.type, message.code) == (data[0], data[1])
    icmp.parse_untrusted(carrying(data, 4, ICMP), checked=False)


def any_quote(data: bytes) -> None:
    quoted = icmp.parse_quoted_untrusted(data)
    assert len(quoted.source) == len(quoted.destination) in (4, 16)
    assert 0 <= quoted.source_port <= 0xFFFF
    assert 0 <= quoted.length <= 40 + 0xFFFF


def any_usual(data: bytes) -> None:
    """What it takes, and whether the checksum is right, is what the general parsers find."""
    fields = usual.parse_usual_untrusted(data)
    if fields == usual.NOT_USUAL or (parsed := _generally_parsed(data)) is None:
        return
    packet, segment, key = parsed
    assert segment.flags | tcp.PSH | tcp.FIN == tcp.ACK | tcp.PSH | tcp.FIN
    numbers = (segment.seq, segment.ack, segment.flags, segment.wnd, segment.timestamp, segment.timestamp_echo)
    headers = len(data) - len(segment.payload)
    assert fields == (key, packet.traffic_class, *numbers, headers)
    _assert_equal(usual.segment(fields, data), segment)


def any_usual_syn(data: bytes) -> None:
    """The same for a SYN."""
    syn = usual.parse_usual_syn_untrusted(data)
    if syn is None or (parsed := _generally_parsed(data)) is None:
        return
    _, segment, key = parsed
    assert segment.flags & ~(tcp.ECE | tcp.CWR) == tcp.SYN
    assert syn[0] == key
    _assert_equal(syn[1], segment)


def _generally_parsed(data: bytes) -> tuple[IPPacket, Segment, bytes] | None:
    """Packet, segment and ends by the general parsers; all agree on the checksums. ``None``: IP's is wrong."""
    try:
        packet = ip.parse_untrusted(data)
    except BadPacket:  # the sum of its header
        assert not usual.is_sound(data)
        return None
    assert (packet.protocol, packet.fragment, packet.options_source_route) == (TCP, None, False)
    segment = tcp.parse_untrusted(packet, checked=True)
    segment.up = 0  # it has no meaning without URG
    try:
        tcp.parse_untrusted(packet, checked=False)
    except BadPacket:
        assert not usual.is_sound(data)
    else:
        assert usual.is_sound(data)
    return packet, segment, usual.ends(packet.source, packet.destination, segment.source_port, segment.destination_port)


def _assert_equal(made: Segment, segment: Segment) -> None:
    names = [name for name in dir(segment) if not name.startswith("_")]
    assert "sack" in names
    assert all(getattr(made, name) == getattr(segment, name) for name in names)


@dataclass(frozen=True)
class Target:
    """``parse`` asserts that the result is valid; ``good`` are bytes that are no bad packet."""

    parse: Callable[[bytes], None]
    good: st.SearchStrategy[bytes]


TARGETS = {
    "wire/ip.py:parse_untrusted": Target(any_ip, st.one_of(ipv4_packets(), ipv6_packets())),
    "wire/ipv4.py:parse_ipv4_untrusted": Target(any_ipv4, ipv4_packets()),
    "wire/ipv6.py:parse_ipv6_untrusted": Target(any_ipv6, ipv6_packets()),
    "wire/tcp.py:parse_untrusted": Target(any_segment, segments(4)),
    "wire/options.py:parse_untrusted": Target(any_options, tcp_options),
    "wire/usual.py:parse_usual_untrusted": Target(any_usual, st.one_of(usual_packets(4), usual_packets(6))),
    "wire/usual.py:parse_usual_syn_untrusted": Target(any_usual_syn, st.one_of(usual_syns(4), usual_syns(6))),
    "wire/icmp.py:parse_untrusted": Target(any_icmp, icmp_messages(4)),
    "wire/icmp.py:parse_quoted_untrusted": Target(any_quote, quotes()),
}
targets = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


def test_every_function_that_takes_untrusted_bytes_is_fuzzed() -> None:
    found = {
        f"{path.relative_to(SOURCES)}:{node.name}"
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and "untrusted" in node.name
    }
    assert found == set(TARGETS)


@targets
@FUZZ
@given(st.data())
def test_good_bytes_are_taken(target: Target, data: st.DataObject) -> None:
    target.parse(data.draw(target.good))


@targets
@FUZZ
@given(st.binary(max_size=120))
def test_any_bytes(target: Target, data: bytes) -> None:
    try:
        target.parse(data)
    except BadPacket:
        pass


@targets
@FUZZ
@given(st.data())
def test_damaged_bytes(target: Target, data: st.DataObject) -> None:
    try:
        target.parse(data.draw(damaged(target.good)))
    except BadPacket:
        pass


@FUZZ
@given(st.one_of(usual_packets(4), usual_packets(6)))
def test_usual_packets_are_known_as_such(packet: bytes) -> None:
    for buffer in (packet, bytearray(packet), memoryview(packet)):
        assert usual.parse_usual_untrusted(buffer) == usual.parse_usual_untrusted(packet) != usual.NOT_USUAL


@FUZZ
@given(st.one_of(usual_syns(4), usual_syns(6)))
def test_usual_syns_are_known_as_such(packet: bytes) -> None:
    for buffer in (packet, bytearray(packet), memoryview(packet)):
        assert usual.parse_usual_syn_untrusted(buffer) is not None
