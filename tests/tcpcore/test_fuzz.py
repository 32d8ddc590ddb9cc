"""Any bytes, damaged packets of a real conversation, and any segments in any state are processed without an error."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcpcore import Stack, State
from tcpcore.seqnum import wrap
from tcpcore.testing import PEER_ADDRESS, PEER_ISS, PLAIN, STACK_ADDRESS, Pair, Peer, tcp_packet
from tcpcore.wire import icmp
from tcpcore.wire.fragment import fragment
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ippacket import ICMP
from tcpcore.wire.ipv4 import build_ipv4_header
from tests.tcpcore.model.invariants import StackCheck
from tests.tcpcore.wire.reference import ADDRESSES, ip_header
from tests.tcpcore.wire.strategies import damaged, ipv4_packets, ipv6_packets, repaired, tcp_options

FUZZ = settings(deadline=None, derandomize=True, max_examples=200)
SOME = settings(deadline=None, derandomize=True, max_examples=60)
ECHOES = {4: (icmp.ECHO_REQUEST, icmp.ECHO_REPLY), 6: (icmp.V6_ECHO_REQUEST, icmp.V6_ECHO_REPLY)}
LEAST_MSS = 536 - 12
"""No ICMP message makes segments smaller than what every path carries."""


def stack() -> Stack:
    """192.0.2.9 and 2001:db8::9, where the packets of ``tests.tcpcore.wire.strategies`` go."""
    made = Stack(["192.0.2.9/24", "2001:db8::9/64"], rng=random.Random(1), secret=b"s" * 32)
    made.listen(80)
    return made


def swallow(made: Stack, packet: bytes, checked: bool = True) -> None:
    made.receive(packet, 1.0, checked)
    for answer in made.transmit(1.0):
        assert len(bytes(answer)) == len(answer) <= 1500
    StackCheck(made).check(1.0)


@FUZZ
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x45")
@example(b"\x60" + bytes(39))
def test_any_bytes(packet: bytes) -> None:
    swallow(stack(), packet)


@FUZZ
@given(st.sampled_from([4, 6]), st.sampled_from([0, 1, 6, 17, 43, 44, 58, 60]), st.binary(max_size=120))
def test_any_payload_behind_a_good_ip_header(version: int, protocol: int, payload: bytes) -> None:
    swallow(stack(), bytes(ip_header(version, protocol, len(payload))) + payload)


@FUZZ
@given(st.lists(damaged(st.one_of(ipv4_packets(), ipv6_packets())), max_size=6), st.booleans())
def test_damaged_packets_of_every_shape(packets: list[bytes], checked: bool) -> None:
    made = stack()
    for packet in packets:
        swallow(made, packet, checked)
    made.advance(100.0)
    assert made.next_deadline() is None or made.connections()


def fin_wait_1(peer: Peer) -> None:
    peer.established().shutdown(peer.now)
    peer.answers()


def fin_wait_2(peer: Peer) -> None:
    fin_wait_1(peer)
    peer.send(".", 1, 2)


def close_wait(peer: Peer) -> None:
    peer.established()
    peer.send("F.", 1, 1)


def last_ack(peer: Peer) -> None:
    close_wait(peer)
    peer.stack.connections()[0].shutdown(peer.now)
    peer.answers()


def closing(peer: Peer) -> None:
    fin_wait_1(peer)
    peer.send("F.", 1, 1)


def time_wait(peer: Peer) -> None:
    fin_wait_2(peer)
    peer.send("F.", 1, 2)


def syn_received(peer: Peer) -> None:
    peer.listen()
    peer.send("S", 0)


def sending(peer: Peer) -> None:
    peer.established().send(bytes(3000), peer.now)
    peer.answers()


WAYS: dict[State, Callable[[Peer], object]] = {
    State.LISTEN: Peer.listen,
    State.SYN_SENT: Peer.connect,
    State.SYN_RECEIVED: syn_received,
    State.ESTABLISHED: sending,
    State.FIN_WAIT_1: fin_wait_1,
    State.FIN_WAIT_2: fin_wait_2,
    State.CLOSE_WAIT: close_wait,
    State.CLOSING: closing,
    State.LAST_ACK: last_ack,
    State.TIME_WAIT: time_wait,
}
every_state = pytest.mark.parametrize("state", WAYS, ids=str)


def peer_in(state: State) -> Peer:
    """A peer whose connection at the stack is in ``state``."""
    peer = Peer(PLAIN)
    WAYS[state](peer)
    assert [each.state for each in peer.stack.connections()] == ([] if state is State.LISTEN else [state])
    return peer


near = st.one_of(st.integers(-3, 10), st.integers(-70_000, 70_000), st.integers(0, 2**32 - 1))
segments = st.tuples(
    st.integers(0, 255), near, near, st.integers(0, 65535), st.integers(0, 65535), tcp_options, st.binary(max_size=40)
)


@every_state
@SOME
@given(st.lists(segments, max_size=8))
def test_any_segments(state: State, found: list[tuple[int, int, int, int, int, bytes, bytes]]) -> None:
    peer = peer_in(state)
    check = StackCheck(peer.stack)
    for flags, seq, ack, wnd, up, options, data in found:
        raw = wrap(PEER_ISS + seq), wrap((peer.iss or 0) + ack)
        peer.stack.receive(tcp_packet(4000, 80, *raw, flags, wnd, up, options, data), peer.now)
        peer.answers()
        check.check(peer.now)
        peer.after(0.5)
    peer.after(100_000)
    check.check(peer.now)


@every_state
@SOME
@given(st.integers(0, 20), st.integers(0, 16), st.integers(0, 70_000), st.integers(-3, 3), st.integers(0, 40))
def test_icmp_errors_about_a_connection(state: State, kind: int, code: int, rest: int, off: int, cut: int) -> None:
    peer = peer_in(state)
    check = StackCheck(peer.stack)
    quote = tcp_packet(
        80, 4000, wrap((peer.iss or 0) + off), 0, 0x10, 1000, source=STACK_ADDRESS, destination=PEER_ADDRESS
    )
    error = icmp.build(4, PEER_ADDRESS, STACK_ADDRESS, kind, code, rest, quote[:cut])
    peer.stack.receive(build_ipv4_header(PEER_ADDRESS, STACK_ADDRESS, ICMP, len(error), 1) + error, peer.now)
    peer.stack.transmit(peer.now)
    check.check(peer.now)
    if state not in (State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED):
        (connection,) = peer.stack.connections()
        assert connection.state is state
        assert connection.mss >= LEAST_MSS


@pytest.mark.parametrize("family", [4, 6])
@FUZZ
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_damaged_packets_of_a_conversation(family: int, seed: int, damages: int) -> None:
    """What is damaged comes as well as what is not; a repaired IP header lets the damage get further."""
    rng = random.Random(seed)
    pair = Pair(PLAIN, seed=seed & 0xFFFF)

    def damage(packet: bytes, direction: str) -> bool:
        copy = bytearray(packet)
        for _ in range(damages):
            copy[rng.randrange(len(copy))] = rng.randrange(256)
        other = pair.b if direction == "a>b" else pair.a
        other.receive(bytes(copy), pair.now)
        other.receive(repaired(bytes(copy)), pair.now)
        return True

    listener = pair.b.listen(80)
    a = pair.a.connect(("192.0.2.2" if family == 4 else "2001:db8::2", 80), pair.now)
    pair.run(1.0)
    b = listener.accept()
    assert b is not None
    pair.deliver = damage
    assert pair.transfer(a, b, bytes(5000)) == bytes(5000)


@pytest.mark.parametrize("version", [4, 6])
@SOME
@given(st.data(), st.binary(min_size=100, max_size=1400), st.integers(68, 600))
def test_fragments_in_any_order_some_damaged(version: int, data: st.DataObject, text: bytes, mtu: int) -> None:
    """An echo comes back whole or not at all: never with a damaged, doubled or misplaced part."""
    made = stack()
    source, destination = ADDRESSES[version]
    request, reply = ECHOES[version]
    message = icmp.build(version, source, destination, request, 0, 7, text)
    header = ip_header(version, icmp.PROTOCOL[version], len(message))
    pieces = [bytes(each) for each in fragment(header, message, mtu, 9)]
    for piece in data.draw(st.lists(st.sampled_from(pieces), max_size=2 * len(pieces))) + pieces:
        if data.draw(st.integers(0, 7)) == 0:
            at = data.draw(st.integers(0, len(piece) - 1))
            piece = repaired(piece[:at] + bytes((piece[at] ^ data.draw(st.integers(1, 255)),)) + piece[at + 1 :])
        made.receive(piece, 1.0)
    for packet in made.transmit(1.0):
        ip = parse_ip(bytes(packet))
        answer = icmp.parse_untrusted(ip, checked=False)
        assert answer.type != reply or bytes(answer.payload) == text
    made.advance(100.0)
    assert made.next_deadline() is None
