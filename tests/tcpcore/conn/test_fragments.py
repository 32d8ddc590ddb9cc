"""Reassembly (RFC 791, 8200 section 4.5, 5722) and the fragments of our own echo replies."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore import Config, LinkCapabilities, Stack
from tcpcore.testing import PEER_ADDRESS, STACK_ADDRESS, tcp_packet
from tcpcore.wire import icmp
from tcpcore.wire.checksum import checksum
from tcpcore.wire.fragment import fragment
from tcpcore.wire.ip import build_ipv4_header, build_ipv6_header
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ippacket import ICMP, ICMPV6
from tcpcore.wire.tcp import SYN

STACK6 = bytes.fromhex("20010db8000000000000000000000001")
PEER6 = bytes.fromhex("20010db8000000000000000000000009")
UDP = 17
VERSIONS = pytest.mark.parametrize("version", [4, 6])


def make_stack(mtu: int = 1500, **changes: Any) -> Stack:
    config = Config(**changes)
    capabilities = LinkCapabilities(mtu=mtu)
    return Stack(["192.0.2.1/24", "2001:db8::1/64"], config, random.Random(1), b"s" * 32, capabilities)


@pytest.fixture
def stack() -> Stack:
    return make_stack()


def header(version: int, protocol: int, length: int, identification: int = 1) -> bytes:
    if version == 4:
        return bytes(build_ipv4_header(PEER_ADDRESS, STACK_ADDRESS, protocol, length, identification))
    return bytes(build_ipv6_header(PEER6, STACK6, protocol, length))


def pieces(version: int, protocol: int, body: bytes, mtu: int = 576, identification: int = 1) -> list[bytes]:
    head = header(version, protocol, len(body), identification)
    return [bytes(packet) for packet in fragment(head, body, mtu, identification)]


def piece(version: int, offset: int, data: bytes, more: bool) -> bytes:
    """One fragment of a UDP datagram, wherever it fits or not."""
    if version == 6:
        return header(6, 44, 8 + len(data)) + bytes((UDP, 0)) + (offset | more).to_bytes(2, "big") + bytes(4) + data
    head = bytearray(header(4, UDP, len(data)))
    head[6:8] = (more << 13 | offset // 8).to_bytes(2, "big")
    head[10:12] = b"\0\0"
    head[10:12] = checksum(head).to_bytes(2, "big")
    return bytes(head) + data


def echo(version: int, data: bytes, mtu: int = 576, identification: int = 1) -> list[bytes]:
    source, destination = (PEER_ADDRESS, STACK_ADDRESS) if version == 4 else (PEER6, STACK6)
    kind = icmp.ECHO_REQUEST if version == 4 else icmp.V6_ECHO_REQUEST
    request = icmp.build(version, source, destination, kind, 0, 7, data)
    return pieces(version, ICMP if version == 4 else ICMPV6, request, mtu, identification)


def receive(stack: Stack, packets: list[bytes], now: float = 1.0) -> list[bytes]:
    for packet in packets:
        stack.receive(packet, now)
    return [bytes(packet) for packet in stack.transmit(now)]


def replied(answers: list[bytes]) -> bytes:
    """The echoed data in the fragments of a reply."""
    parsed = [parse_ip(answer) for answer in answers]
    return b"".join(bytes(ip.payload) for ip in parsed)[8:]


@VERSIONS
def test_echo_in_fragments_is_answered_in_fragments(stack: Stack, version: int) -> None:
    data = random.Random(version).randbytes(4000)
    answers = receive(stack, echo(version, data))
    assert replied(answers) == data
    assert all(len(answer) <= 1500 for answer in answers)
    fields = [parse_ip(answer).fragment for answer in answers]
    assert [field and (field[1], field[2]) for field in fields] == (
        [(0, True), (1480, True), (2960, False)] if version == 4 else [(0, True), (1448, True), (2896, False)]
    )
    assert stack.statistics().ip_reassembled == 1
    assert stack.next_deadline() is None


@VERSIONS
def test_largest_echo_is_answered(version: int) -> None:
    stack = make_stack()
    data = bytes(65535 - 8 - (20 if version == 4 else 0))
    assert replied(receive(stack, echo(version, data, 1500))) == data


@VERSIONS
@settings(max_examples=60)
@given(data=st.data())
def test_fragments_in_any_order_and_twice(version: int, data: st.DataObject) -> None:
    stack = make_stack()
    body = data.draw(st.binary(min_size=600, max_size=1400))
    whole = echo(version, body, data.draw(st.integers(80, 575)))
    first = data.draw(st.permutations(range(len(whole))))
    again = data.draw(st.lists(st.sampled_from(first[:-1]), max_size=5))
    packets = [whole[number] for number in [*first[:-1], *again, first[-1]]]
    assert replied(receive(stack, packets)) == body
    assert stack.next_deadline() is None


@VERSIONS
def test_datagrams_between_each_other(stack: Stack, version: int) -> None:
    one, other = echo(version, b"1" * 1000, identification=1), echo(version, b"2" * 1000, identification=2)
    mixed = [packet for both in zip(one, other, strict=True) for packet in both]
    answers = receive(stack, mixed)
    assert sorted(replied([answer])[:1] for answer in answers) == [b"1", b"2"]


def test_segment_in_fragments_is_checked_and_processed(stack: Stack) -> None:
    stack.listen(80)
    whole = tcp_packet(4000, 80, 5, 0, SYN, 1000)
    stack_packets = [bytes(packet) for packet in fragment(whole[:20], whole[20:], 28, 1)]
    assert len(receive(stack, stack_packets)) == 1
    stack_packets[1] = stack_packets[1][:-1] + b"?"
    assert receive(stack, stack_packets) == []
    assert stack.statistics().tcp_in_errs == 1


@VERSIONS
def test_overlap_gives_the_datagram_up_with_what_follows(stack: Stack, version: int) -> None:
    whole = echo(version, bytes(2000))
    forged = whole[0][:-1] + b"?"
    assert receive(stack, [whole[0], forged, *whole]) == []
    statistics = stack.statistics()
    assert statistics.ip_reassembly_fails == 1
    assert statistics.drops == {"fragment-overlap": 1, "fragment-late": len(whole)}


@VERSIONS
def test_partial_overlap_is_one_too(stack: Stack, version: int) -> None:
    narrow, wide = piece(version, 8, b"b" * 8, True), piece(version, 0, b"a" * 16, True)
    assert receive(stack, [narrow, wide]) == []
    assert stack.statistics().drops == {"fragment-overlap": 1}


@VERSIONS
def test_two_ends_contradict_each_other(stack: Stack, version: int) -> None:
    receive(stack, [piece(version, 16, b"end", False), piece(version, 32, b"end", False)])
    assert stack.statistics().drops == {"fragment-length": 1}


@VERSIONS
def test_end_before_what_is_there(stack: Stack, version: int) -> None:
    receive(stack, [piece(version, 32, bytes(16), True), piece(version, 16, b"end", False)])
    assert stack.statistics().drops == {"fragment-length": 1}


@VERSIONS
def test_too_many_fragments(stack: Stack, version: int) -> None:
    receive(stack, pieces(version, UDP, bytes(8 * 66), 28 if version == 4 else 56))
    assert stack.statistics().drops == {"fragment-limit": 1, "fragment-late": 1}


def test_datagram_that_no_header_can_tell_the_length_of(stack: Stack) -> None:
    body = bytes(65528)
    packets = [bytes(packet) for packet in fragment(header(4, UDP, 8), body, 1500, 1)]
    assert receive(stack, packets) == []
    assert stack.statistics().drops == {"fragment-length": 1}


def test_fragment_in_fragments_is_refused(stack: Stack) -> None:
    inner = pieces(6, UDP, bytes(2000), 1200)[0]
    outer = [bytes(packet) for packet in fragment(header(6, 44, len(inner) - 40), inner[40:], 600, 9)]
    assert receive(stack, outer) == []
    assert stack.statistics().drops == {"fragment-nested": 1}


@VERSIONS
def test_timeout_is_told_to_the_sender_of_the_first_fragment(stack: Stack, version: int) -> None:
    whole = pieces(version, UDP, bytes(2000))
    receive(stack, whole[:2], 5.0)
    assert stack.next_deadline() == 35.0
    stack.advance(35.0)
    (answer,) = stack.transmit(35.0)
    message = icmp.parse_untrusted(parse_ip(bytes(answer)), checked=False)
    assert (message.type, message.code) == ((11, 1) if version == 4 else (3, 1))
    assert bytes(message.payload) == whole[0][: 548 if version == 4 else 1232]
    assert stack.statistics().drops == {"reassembly-timeout": 1}
    assert stack.statistics().ip_reassembly_fails == 1
    assert stack.next_deadline() is None


@VERSIONS
def test_timeout_without_the_first_fragment_is_silent(stack: Stack, version: int) -> None:
    receive(stack, pieces(version, UDP, bytes(2000))[1:])
    stack.advance(31.0)
    assert stack.transmit(31.0) == []
    assert stack.statistics().ip_reassembly_fails == 1


def test_oldest_goes_first() -> None:
    stack = make_stack(max_reassembly=2)
    kept = [echo(4, bytes(1000), identification=number) for number in range(3)]
    receive(stack, [whole[0] for whole in kept])
    assert stack.statistics().drops == {"reassembly-overflow": 1}
    assert len(receive(stack, kept[2][1:])) == 1
    assert len(receive(stack, kept[1][1:])) == 1


def test_bytes_are_limited() -> None:
    stack = make_stack(reassembly_bytes=65535)
    for number in range(100):
        receive(stack, pieces(4, UDP, bytes(3000), 1500, number)[:1])
    assert stack.statistics().drops == {"reassembly-overflow": 100 - 65535 // 1480}


@pytest.mark.parametrize(
    "changes", [{"max_reassembly": 0}, {"reassembly_bytes": 65534}, {"reassembly_timeout": 0.0}], ids=str
)
def test_limits_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="reassembly"):
        Config(**changes)
