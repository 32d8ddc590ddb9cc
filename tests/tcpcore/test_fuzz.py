"""Any bytes, and damaged packets of a real conversation, are processed without an error."""

from __future__ import annotations

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcpcore import Stack
from tcpcore.testing import PEER_ADDRESS, PEER_ISS, PLAIN, STACK_ADDRESS, Pair, Peer, tcp_packet
from tcpcore.wire.checksum import checksum

FUZZ = settings(deadline=None, derandomize=True, max_examples=200)


def stack() -> Stack:
    made = Stack(["192.0.2.1/24", "2001:db8::1/64"], rng=random.Random(1), secret=b"s" * 32)
    made.listen(80)
    return made


def swallow(made: Stack, packet: bytes, checked: bool = True) -> None:
    made.receive(packet, 1.0, checked)
    for answer in made.transmit(1.0):
        assert len(bytes(answer)) == len(answer) <= 1500


@FUZZ
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x45")
@example(b"\x60" + bytes(39))
def test_any_bytes(packet: bytes) -> None:
    swallow(stack(), packet)


@FUZZ
@given(st.sampled_from([1, 6, 17, 58, 0, 44]), st.binary(max_size=120))
def test_any_payload_behind_a_good_ipv4_header(protocol: int, payload: bytes) -> None:
    header = bytearray(b"\x45\0" + (20 + len(payload)).to_bytes(2, "big") + b"\0\1\0\0\x40" + bytes((protocol, 0, 0)))
    header += PEER_ADDRESS + STACK_ADDRESS
    header[10:12] = checksum(header).to_bytes(2, "big")
    swallow(stack(), bytes(header) + payload)


@FUZZ
@given(st.sampled_from([0, 6, 17, 43, 44, 58, 60]), st.binary(max_size=120))
def test_any_payload_behind_a_good_ipv6_header(protocol: int, payload: bytes) -> None:
    header = b"\x60\0\0\0" + len(payload).to_bytes(2, "big") + bytes((protocol, 64))
    addresses = bytes.fromhex("20010db8000000000000000000000009" + "20010db8000000000000000000000001")
    swallow(stack(), header + addresses + payload)


@FUZZ
@given(
    st.lists(
        st.tuples(
            st.integers(0, 255), st.integers(-3, 70_000), st.integers(-3, 70_000), st.integers(0, 65535),
            st.integers(0, 65535), st.binary(max_size=40), st.binary(max_size=40),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_any_segments_into_an_open_connection(segments: list[tuple[int, int, int, int, int, bytes, bytes]]) -> None:
    peer = Peer(PLAIN)
    connection = peer.established()
    connection.send(bytes(3000), peer.now)
    for flags, seq, ack, wnd, up, options, data in segments:
        padded = options[: len(options) & ~3]
        raw_seq, raw_ack = (PEER_ISS + seq) & 0xFFFFFFFF, (connection.iss + ack) & 0xFFFFFFFF
        peer.stack.receive(tcp_packet(4000, 80, raw_seq, raw_ack, flags, wnd, up, padded, data), peer.now)
        peer.after(0.5)
        assert connection.snd_una <= connection.snd_nxt
        assert connection.rcv_queue.length <= PLAIN.receive_buffer
    peer.after(100_000)


@FUZZ
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_damaged_packets_of_a_conversation(seed: int, damages: int) -> None:
    rng = random.Random(seed)
    pair = Pair(PLAIN, seed=seed & 0xFFFF)

    def damage(packet: bytes, direction: str) -> bool:
        copy = bytearray(packet)
        for _ in range(damages):
            copy[rng.randrange(len(copy))] = rng.randrange(256)
        (pair.b if direction == "a>b" else pair.a).receive(bytes(copy), pair.now)
        return True

    a, b = pair.connect()
    pair.deliver = damage
    assert pair.transfer(a, b, bytes(5000)) == bytes(5000)
