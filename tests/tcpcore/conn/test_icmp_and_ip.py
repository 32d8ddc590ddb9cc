"""What the stack answers and refuses below TCP: ICMP, UDP, fragments, source routes, addresses (RFC 1122, 4443)."""

from __future__ import annotations

import random

import pytest

from tcpcore import Config, Stack, State, errors
from tcpcore.testing import PEER_ADDRESS, PEER_ISS, STACK_ADDRESS, Pair, Peer, tcp_packet
from tcpcore.wire import icmp
from tcpcore.wire.checksum import checksum
from tcpcore.wire.ip import build_ipv4_header, build_ipv6_header
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ippacket import ICMP, ICMPV6
from tcpcore.wire.tcp import ACK, SYN

STACK6 = bytes.fromhex("20010db8000000000000000000000001")
PEER6 = bytes.fromhex("20010db8000000000000000000000009")
UDP = 17


@pytest.fixture
def stack() -> Stack:
    return Stack(["192.0.2.1/24", "2001:db8::1/64"], rng=random.Random(1), secret=b"s" * 32)


def ipv4(protocol: int, payload: bytes, source: bytes = PEER_ADDRESS, destination: bytes = STACK_ADDRESS) -> bytes:
    return bytes(build_ipv4_header(source, destination, protocol, len(payload), 1)) + payload


def ipv6(protocol: int, payload: bytes) -> bytes:
    return bytes(build_ipv6_header(PEER6, STACK6, protocol, len(payload))) + payload


def message4(kind: int, code: int, rest: int, payload: bytes) -> bytes:
    return ipv4(ICMP, icmp.build(4, PEER_ADDRESS, STACK_ADDRESS, kind, code, rest, payload))


def message6(kind: int, code: int, rest: int, payload: bytes) -> bytes:
    return ipv6(ICMPV6, icmp.build(6, PEER6, STACK6, kind, code, rest, payload))


def answer(stack: Stack, packet: bytes) -> list[tuple[int, int, int, bytes]]:
    """Type, code, second word and payload of each ICMP message that answers ``packet``."""
    stack.receive(packet, 1.0)
    result = []
    for sent in stack.transmit(1.0):
        message = icmp.parse_untrusted(parse_ip(bytes(sent)), checked=False)
        result.append((message.type, message.code, message.rest, bytes(message.payload)))
    return result


def with_header_changed(packet: bytes, at: int, value: bytes) -> bytes:
    """An IPv4 packet with bytes of its 20 byte header replaced, its header checksum right."""
    changed = bytearray(packet)
    changed[at : at + len(value)] = value
    changed[10:12] = b"\0\0"
    changed[10:12] = checksum(changed[:20]).to_bytes(2, "big")
    return bytes(changed)


def test_echo_is_answered(stack: Stack) -> None:
    assert answer(stack, message4(icmp.ECHO_REQUEST, 0, 0x12340001, b"ping")) == [(0, 0, 0x12340001, b"ping")]


def test_echo_of_ipv6_is_answered(stack: Stack) -> None:
    assert answer(stack, message6(icmp.V6_ECHO_REQUEST, 0, 7, b"ping")) == [(129, 0, 7, b"ping")]


@pytest.mark.parametrize("kind", [icmp.ECHO_REPLY, icmp.TIME_EXCEEDED, 4, 5, 12, 200])
def test_other_messages_are_not_answered(stack: Stack, kind: int) -> None:
    assert answer(stack, message4(kind, 0, 0, bytes(8))) == []
    assert stack.statistics().icmp_in_msgs == 1


IGNORED = [
    (4, 4, "icmp-source-quench"),
    (4, 5, "icmp-redirect"),
    (4, 9, "icmp-router"),
    (4, 10, "icmp-router"),
    (4, 13, "icmp-unused"),
    (6, 133, "icmp-router"),
    (6, 134, "icmp-router"),
    (6, 137, "icmp-redirect"),
    (6, 135, "icmp-unused"),
]


@pytest.mark.parametrize("code", [0, 1, 3])
@pytest.mark.parametrize(("version", "kind", "reason"), IGNORED)
def test_messages_of_routers_are_ignored_and_counted(
    peer: Peer, version: int, kind: int, reason: str, code: int
) -> None:
    connection = peer.established(mss=1460)
    connection.send(bytes(3000), peer.now)
    peer.answers()
    before = connection.status(peer.now)
    quoted = tcp_packet(80, 4000, connection.snd_una, 0, ACK, 0, source=STACK_ADDRESS, destination=PEER_ADDRESS)
    gateway = int.from_bytes(PEER_ADDRESS, "big")
    if version == 4:
        assert answer(peer.stack, message4(kind, code, gateway, quoted[:28])) == []
        assert connection.status(peer.now) == before
        assert peer.stack.statistics().drops == {reason: 1}
    else:
        other = Stack(["2001:db8::1/64"])
        assert answer(other, message6(kind, code, gateway, bytes(72))) == []
        assert other.statistics().drops == {reason: 1}


@pytest.mark.parametrize("destination", [(255, 255, 255, 255), (192, 0, 2, 255), (224, 0, 0, 1)])
def test_echo_to_broadcast_or_multicast_is_not_answered(stack: Stack, destination: tuple[int, ...]) -> None:
    request = icmp.build(4, PEER_ADDRESS, bytes(destination), icmp.ECHO_REQUEST, 0, 1, b"ping")
    assert answer(stack, ipv4(ICMP, request, destination=bytes(destination))) == []


def test_echo_to_an_ipv6_multicast_is_not_answered(stack: Stack) -> None:
    everybody = bytes.fromhex("ff020000000000000000000000000001")
    request = icmp.build(6, PEER6, everybody, icmp.V6_ECHO_REQUEST, 0, 1, b"ping")
    assert answer(stack, bytes(build_ipv6_header(PEER6, everybody, ICMPV6, len(request))) + request) == []


@pytest.mark.parametrize("source", [(255, 255, 255, 255), (192, 0, 2, 255), (224, 0, 0, 1), (0, 0, 0, 0)])
@pytest.mark.parametrize("protocol", [ICMP, UDP])
def test_source_that_is_no_host_is_not_answered(stack: Stack, protocol: int, source: tuple[int, ...]) -> None:
    request = icmp.build(4, bytes(source), STACK_ADDRESS, icmp.ECHO_REQUEST, 0, 1, b"ping")
    assert answer(stack, ipv4(protocol, request, source=bytes(source))) == []


@pytest.mark.parametrize("destination", [(255, 255, 255, 255), (192, 0, 2, 255), (224, 0, 0, 1)])
def test_datagram_to_broadcast_or_multicast_draws_no_error(stack: Stack, destination: tuple[int, ...]) -> None:
    assert answer(stack, ipv4(UDP, bytes(16), destination=bytes(destination))) == []


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_error_about_an_error_is_never_sent(stack: Stack, kind: int) -> None:
    datagram = ipv4(UDP, bytes(16), source=STACK_ADDRESS, destination=PEER_ADDRESS)
    assert answer(stack, message4(kind, 0, 0, datagram)) == []


def test_fragment_of_an_error_draws_no_error(stack: Stack) -> None:
    message = message4(icmp.DESTINATION_UNREACHABLE, 1, 0, bytes(40))
    first = with_header_changed(message, 6, b"\x20\x00")
    stack.receive(first, 1.0)
    stack.advance(1000.0)
    assert stack.transmit(1000.0) == []


@pytest.mark.parametrize("length", [0, 1, 19, 20, 24, 27])
def test_quote_that_is_cut_short_is_counted(peer: Peer, length: int) -> None:
    connection = peer.connect()
    quoted = tcp_packet(80, 4000, connection.iss, 0, SYN, 0, source=STACK_ADDRESS, destination=PEER_ADDRESS)
    assert answer(peer.stack, message4(icmp.DESTINATION_UNREACHABLE, 3, 0, quoted[:length])) == []
    assert connection.state is State.SYN_SENT
    assert peer.stack.statistics().drops == {"icmp-quote": 1}


@pytest.mark.parametrize("code", [1, 3, 4])
def test_quote_of_what_we_never_sent_is_counted(peer: Peer, code: int) -> None:
    connection = peer.connect()
    foreign = tcp_packet(80, 4000, connection.iss, 0, SYN, 0, source=PEER_ADDRESS, destination=STACK_ADDRESS)
    assert answer(peer.stack, message4(icmp.DESTINATION_UNREACHABLE, code, 500, foreign[:28])) == []
    assert connection.state is State.SYN_SENT
    assert peer.stack.statistics().drops == {"icmp-not-outstanding": 1}


def test_datagram_is_told_that_nobody_has_the_port(stack: Stack) -> None:
    packet = ipv4(UDP, b"\x13\x88\x00\x35\x00\x0c\x00\x00data")
    assert answer(stack, packet) == [(icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE, 0, packet)]


def test_datagram_of_ipv6_is_told_so_too(stack: Stack) -> None:
    packet = ipv6(UDP, b"\x13\x88\x00\x35\x00\x0c\x00\x00data")
    assert answer(stack, packet) == [(icmp.V6_DESTINATION_UNREACHABLE, icmp.V6_PORT_UNREACHABLE, 0, packet)]


def test_quote_of_a_large_datagram_is_cut(stack: Stack) -> None:
    ((_, _, _, quote),) = answer(stack, ipv4(UDP, bytes(1400)))
    assert len(quote) == 548


def test_damaged_message_is_counted(stack: Stack) -> None:
    packet = bytearray(message4(icmp.ECHO_REQUEST, 0, 1, b"ping"))
    packet[-1] ^= 1
    assert answer(stack, bytes(packet)) == []
    assert stack.statistics().icmp_in_errors == 1


@pytest.mark.parametrize("length", [0, 1, 19])
def test_truncated_packet_is_counted(stack: Stack, length: int) -> None:
    assert answer(stack, ipv4(UDP, b"")[:length]) == []
    assert stack.statistics().ip_in_hdr_errors == 1


def test_damaged_segment_is_counted_and_dropped(stack: Stack) -> None:
    packet = bytearray(tcp_packet(1, 2, 3, 4, SYN, 5))
    packet[-1] ^= 1
    stack.receive(packet, 1.0)
    assert stack.transmit(1.0) == []
    assert stack.statistics().tcp_in_errs == 1


def test_link_may_vouch_for_the_checksum(stack: Stack) -> None:
    stack.listen(2)
    packet = bytearray(tcp_packet(1, 2, 3, 4, SYN, 5))
    packet[36:38] = b"\0\0"
    stack.receive(packet, 1.0, checked=True)
    assert len(stack.transmit(1.0)) == 1


def test_packet_for_another_address_is_dropped(stack: Stack) -> None:
    assert answer(stack, ipv4(UDP, bytes(8), destination=bytes((192, 0, 2, 7)))) == []
    assert stack.statistics().ip_in_addr_errors == 1


@pytest.mark.parametrize("destination", [(255, 255, 255, 255), (192, 0, 2, 255), (224, 0, 0, 1)])
def test_syn_to_broadcast_or_multicast_is_dropped(stack: Stack, destination: tuple[int, ...]) -> None:
    stack.listen(80)
    stack.receive(tcp_packet(1, 80, 0, 0, SYN, 1000, destination=bytes(destination)), 1.0)
    assert stack.transmit(1.0) == []


@pytest.mark.parametrize("source", [(255, 255, 255, 255), (192, 0, 2, 255), (224, 0, 0, 1), (0, 0, 0, 0)])
def test_syn_from_an_address_that_is_no_host_is_dropped(stack: Stack, source: tuple[int, ...]) -> None:
    stack.listen(80)
    stack.receive(tcp_packet(1, 80, 0, 0, SYN, 1000, source=bytes(source)), 1.0)
    assert stack.transmit(1.0) == []
    assert stack.statistics().drops == {"bad-source": 1}


def test_unknown_protocol_is_counted(stack: Stack) -> None:
    assert answer(stack, ipv4(89, bytes(8))) == []
    assert stack.statistics().ip_in_unknown_protos == 1


@pytest.mark.parametrize("field", [b"\x20\x00", b"\x00\x01"])
def test_fragment_alone_is_not_answered(stack: Stack, field: bytes) -> None:
    assert answer(stack, with_header_changed(ipv4(UDP, bytes(16)), 6, field)) == []


@pytest.mark.parametrize("kind", [131, 137])
def test_source_routed_packet_is_dropped_and_counted(stack: Stack, kind: int) -> None:
    header = bytearray(build_ipv4_header(PEER_ADDRESS, STACK_ADDRESS, UDP, 8 + 8, 1))
    header[0] = 0x47
    header += bytes((kind, 7, 4, 10, 0, 0, 1, 0))
    header[10:12] = b"\0\0"
    header[10:12] = checksum(header).to_bytes(2, "big")
    assert answer(stack, bytes(header) + bytes(8)) == []
    assert stack.statistics().drops == {"source-route": 1}


@pytest.mark.parametrize("option", [b"\x07\x07\x04\0\0\0\0\0", b"\x44\x08\x05\0\0\0\0\0", b"\x94\x04\0\0\1\1\0\0"])
def test_other_ip_options_are_ignored(stack: Stack, option: bytes) -> None:
    header = bytearray(build_ipv4_header(PEER_ADDRESS, STACK_ADDRESS, ICMP, 8 + 8, 1))
    header[0] = 0x47
    header += option
    header[10:12] = b"\0\0"
    header[10:12] = checksum(header).to_bytes(2, "big")
    request = icmp.build(4, PEER_ADDRESS, STACK_ADDRESS, icmp.ECHO_REQUEST, 0, 1, b"")
    assert answer(stack, bytes(header) + request) == [(0, 0, 1, b"")]


def test_answers_are_limited() -> None:
    stack = Stack(["192.0.2.1/24"], config=Config(icmp_rate=1))
    echo = message4(icmp.ECHO_REQUEST, 0, 1, b"")
    assert [len(answer(stack, echo)) for _ in range(3)] == [1, 0, 0]
    assert stack.statistics().rate_limited == 2


def port_unreachable(seq: int) -> bytes:
    quoted = tcp_packet(80, 4000, seq, 0, SYN, 0, source=STACK_ADDRESS, destination=PEER_ADDRESS)[:28]
    return message4(icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE, 0, quoted)


def test_port_unreachable_refuses_an_opening_connection(peer: Peer) -> None:
    connection = peer.connect()
    peer.stack.receive(port_unreachable(connection.iss), peer.now)
    assert isinstance(connection.error, errors.ConnectionRefusedError)


def test_port_unreachable_with_a_guessed_number_is_ignored(peer: Peer) -> None:
    connection = peer.connect()
    peer.stack.receive(port_unreachable(connection.iss + 1), peer.now)
    assert connection.state is State.SYN_SENT


def test_port_unreachable_does_not_touch_an_open_connection(peer: Peer) -> None:
    connection = peer.established()
    peer.stack.receive(port_unreachable(connection.iss), peer.now)
    assert connection.state is State.ESTABLISHED


@pytest.mark.parametrize(("kind", "code"), [(3, 0), (3, 1), (3, 5), (4, 0), (11, 0), (12, 0)])
def test_soft_errors_do_not_abort(peer: Peer, kind: int, code: int) -> None:
    connection = peer.connect()
    quoted = tcp_packet(80, 4000, connection.iss, 0, SYN, 0, source=STACK_ADDRESS, destination=PEER_ADDRESS)
    peer.stack.receive(message4(kind, code, 0, quoted[:28]), peer.now)
    assert connection.state is State.SYN_SENT


@pytest.mark.parametrize("quote", [b"", bytes(40), b"\x45" + bytes(27), b"\x60" + bytes(47)])
def test_error_with_a_nonsensical_quote_is_counted(stack: Stack, quote: bytes) -> None:
    assert answer(stack, message4(icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE, 0, quote)) == []
    assert stack.statistics().icmp_in_errors == 1


def test_port_unreachable_of_ipv6_refuses() -> None:
    pair = Pair()
    connection = pair.a.connect(("2001:db8::9", 80), pair.now)
    (syn,) = pair.a.transmit(pair.now)
    pair.a.receive(message6(icmp.V6_DESTINATION_UNREACHABLE, icmp.V6_PORT_UNREACHABLE, 0, bytes(syn)[:60]), pair.now)
    assert connection.state is State.CLOSED


def test_segments_of_ipv6_reach_a_listener() -> None:
    pair = Pair()
    listener = pair.b.listen(80)
    a = pair.a.connect(("2001:db8::2", 80), pair.now)
    pair.run(1)
    b = listener.accept()
    assert b is not None
    assert pair.transfer(a, b, b"six") == b"six"
    assert b.remote == ("2001:db8::1", a.local[1])


def test_ack_flag_alone_for_no_connection_has_only_a_rst(stack: Stack) -> None:
    stack.receive(tcp_packet(1, 2, PEER_ISS, 99, ACK, 5), 1.0)
    assert [len(packet) for packet in stack.transmit(1.0)] == [40]


def test_soft_error_explains_an_open_that_fails(peer: Peer) -> None:
    connection = peer.connect()
    quoted = tcp_packet(80, 4000, connection.iss, 0, SYN, 0, source=STACK_ADDRESS, destination=PEER_ADDRESS)
    peer.stack.receive(message4(icmp.DESTINATION_UNREACHABLE, 1, 0, quoted[:28]), peer.now)
    peer.after(1000)
    assert isinstance(connection.error, errors.HostUnreachableError)
