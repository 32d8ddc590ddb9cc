"""What may be sent, and when: Nagle, silly windows, super-segments, window probes, windows offered (RFC 9293 3.8.6)."""

from __future__ import annotations

import random

import pytest

from tcpcore import Connection, LinkCapabilities, Stack, State, errors
from tcpcore.testing import PLAIN, Pair, Peer, brief
from tcpcore.wire.tcp import ACK, PSH
from tests.tcpcore.conn.conftest import MakePeer

TICK = 1 / 1024
RESETS_AFTER_PROBE = ["R. 1:1(0) ack 1", "R. 2:2(0) ack 1"]
"""Only the peer knows whether it took the probe's octet, and a RST has to be exact."""


@pytest.fixture
def nagle(make_peer: MakePeer) -> Peer:
    return make_peer(nodelay=False)


def small(length: int, at: int) -> str:
    return f"P. {at}:{at + length}({length}) ack 1"


def test_small_segment_leaves_when_idle(nagle: Peer) -> None:
    nagle.established().send(b"ab", nagle.now)
    assert brief(nagle.answers()) == [small(2, 1)]


def test_second_small_segment_waits_for_the_ack_of_the_first(nagle: Peer) -> None:
    connection = nagle.established()
    for _ in range(3):
        connection.send(b"ab", nagle.now)
        nagle.answers()
    assert brief(nagle.send(".", seq=1, ack=3)) == [small(4, 3)]


def test_small_tail_behind_full_segments_does_not_wait(nagle: Peer) -> None:
    nagle.established(mss=100).send(bytes(250), nagle.now)
    assert [len(seg.payload) for seg in nagle.answers()] == [100, 100, 50]


def test_nodelay_sends_every_small_segment(peer: Peer) -> None:
    connection = peer.established()
    connection.send(b"ab", peer.now)
    assert len(peer.answers()) == 1
    connection.send(b"cd", peer.now)
    assert brief(peer.answers()) == [small(2, 3)]


def test_fin_does_not_wait_for_nagle(nagle: Peer) -> None:
    connection = nagle.established()
    connection.send(b"ab", nagle.now)
    nagle.answers()
    connection.send(b"cd", nagle.now)
    connection.shutdown(nagle.now)
    assert brief(nagle.answers()) == ["FP. 3:5(2) ack 1"]


def test_push_marks_the_last_segment_only(peer: Peer) -> None:
    peer.established(mss=100).send(bytes(250), peer.now)
    assert [text.split()[0] for text in brief(peer.answers())] == [".", ".", "P."]


def test_window_of_the_peer_limits(peer: Peer) -> None:
    peer.established(mss=100, wnd=200).send(bytes(500), peer.now)
    assert sum(len(seg.payload) for seg in peer.answers()) == 200
    assert sum(len(seg.payload) for seg in peer.send(".", seq=1, ack=201, wnd=200)) == 200


def test_initial_congestion_window_is_10_segments(peer: Peer) -> None:
    peer.established(mss=1000).send(bytes(20_000), peer.now)
    assert len(peer.answers()) == 10


def test_silly_window_is_not_filled(peer: Peer) -> None:
    peer.established(mss=1000).send(bytes(2000), peer.now)
    peer.answers()
    connection = peer.stack.connections()[0]
    connection.send(bytes(2000), peer.now)
    assert len(peer.answers()) == 2
    assert peer.send(".", seq=1, ack=4001, wnd=100) == []
    connection.send(bytes(1000), peer.now)
    assert peer.answers() == []


def test_half_of_the_largest_window_is_worth_a_segment(peer: Peer) -> None:
    peer.established(mss=1000, wnd=600).send(bytes(2000), peer.now)
    assert [len(seg.payload) for seg in peer.answers()] == [600]


@pytest.fixture
def shut(peer: Peer) -> Connection:
    """A connection with 3 bytes queued against a window of 0."""
    connection = peer.established(wnd=0)
    connection.send(b"abc", peer.now)
    assert peer.answers() == []
    return connection


def test_zero_window_is_probed_after_the_rto_with_back_off(peer: Peer, shut: Connection) -> None:
    for wait in (0.25, 0.5, 1, 2, 4, 8, 16, 32, 60, 60):
        assert peer.after(wait - TICK) == []
        assert brief(peer.after(TICK)) == [". 1:2(1) ack 1"]
        peer.send(".", seq=1, ack=1, wnd=0)
    assert shut.status(peer.now).window_probes_out == 10


def test_zero_window_may_last_for_ever_while_probes_are_answered(peer: Peer, shut: Connection) -> None:
    for _ in range(100):
        peer.after(60)
        peer.send(".", seq=1, ack=1, wnd=0)
    assert shut.state is State.ESTABLISHED


def test_unanswered_probes_end_the_connection(make_peer: MakePeer) -> None:
    peer = make_peer(retries=2)
    connection = peer.established(wnd=0)
    connection.send(b"abc", peer.now)
    assert brief(peer.after(10)) == [". 1:2(1) ack 1"] * 2 + RESETS_AFTER_PROBE
    assert isinstance(connection.error, errors.ConnectionTimeoutError)


def test_opened_window_ends_probing(peer: Peer, shut: Connection) -> None:
    peer.after(0.25)
    assert brief(peer.send(".", seq=1, ack=1)) == [small(3, 1)]
    assert shut.status(peer.now).rto == 0.25


def test_accepted_octet_of_a_probe_is_not_sent_again(peer: Peer, shut: Connection) -> None:
    peer.after(0.25)
    assert peer.send(".", seq=1, ack=2, wnd=0) == []
    assert brief(peer.send(".", seq=1, ack=2)) == [small(2, 2)]


def test_data_in_flight_is_retransmitted_into_a_window_that_shrank(peer: Peer) -> None:
    connection = peer.established(mss=1000)
    connection.send(bytes(2000), peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=1, wnd=0)
    assert brief(peer.after(0.25)) == [". 1:2(1) ack 1"]
    assert connection.state is State.ESTABLISHED


def test_read_that_opens_the_window_is_told(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=2000)
    connection = peer.established()
    assert peer.send(".", seq=1, ack=1, data=bytes(1000)) == []
    assert peer.send(".", seq=1001, ack=1, data=bytes(1000)) == []
    assert [seg.wnd for seg in peer.after(0.0625)] == [0]
    connection.receive(500, peer.now)
    assert peer.answers() == []
    connection.receive(1500, peer.now)
    connection.receive(1500, peer.now)
    assert [seg.wnd for seg in peer.answers()] == [2000]


def test_zero_window_still_takes_acks_and_rst(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=2)
    connection = peer.established()
    connection.send(b"x", peer.now)
    peer.send(".", seq=1, ack=1, data=b"ab")
    peer.answers()
    peer.send(".", seq=3, ack=2, data=b"c")
    assert connection.in_flight == 0
    peer.send("R", seq=3)
    assert connection.state is State.CLOSED


def test_offloading_link_gets_super_segments() -> None:
    capabilities = LinkCapabilities(checksum_offload=True, segmentation_offload=True)
    pair = Pair(PLAIN, capabilities=capabilities)
    a, _ = pair.connect()
    a.send(bytes(14_000), pair.now)
    packets = pair.a.transmit(pair.now)
    assert [packet.payload_length for packet in packets] == [14_000]
    assert packets[0].segment_size == a.mss == 1460
    assert len(list(packets[0].cut())) == 10
    assert a.segments_out == 2 + 10


def test_what_fills_no_packet_waits_for_the_text_of_the_same_turn() -> None:
    pair = Pair(PLAIN, capabilities=LinkCapabilities(checksum_offload=True, segmentation_offload=True))
    a, _ = pair.connect()
    a.congestion.cwnd = a.snd_wnd = 1 << 20
    full = 44 * 1460

    def lengths(*, more: bool) -> list[int]:
        return [packet.payload_length for packet in pair.a.transmit(pair.now, 1, more=more)]

    a.send(bytes(100_000), pair.now)
    assert lengths(more=True) == [full]
    a.send(bytes(100_000), pair.now)
    assert lengths(more=True) == [full, full]
    assert lengths(more=False) == [200_000 - 3 * full]
    a.send(bytes(60_000), pair.now)
    assert lengths(more=True) == [60_000]


def test_packets_of_one_decision_end_in_one_push() -> None:
    pair = Pair(PLAIN, capabilities=LinkCapabilities(checksum_offload=True, segmentation_offload=True))
    a, _ = pair.connect()
    a.congestion.cwnd = a.snd_wnd = 1 << 20
    text = random.Random(3).randbytes(200_000)
    for start in range(0, len(text), 50_000):
        a.send(text[start : start + 50_000], pair.now)
    packets = pair.a.transmit(pair.now)
    assert [bool(packet.header[33] & PSH) for packet in packets] == [False, False, False, True]
    assert b"".join(piece for packet in packets for piece in packet.payload) == text


def test_many_small_pieces_are_joined() -> None:
    pair = Pair(PLAIN)
    a, b = pair.connect()
    for _ in range(40):
        a.send(b"ab", pair.now)
    (packet,) = pair.a.transmit(pair.now)
    assert len(packet.payload) == 1
    pair.b.receive(bytes(packet), pair.now)
    assert b.receive(99, pair.now) == b"ab" * 40


def test_mtu_limits_the_segment() -> None:
    pair = Pair(PLAIN, capabilities=LinkCapabilities(mtu=576))
    a, b = pair.connect()
    assert pair.transfer(a, b, bytes(5000)) == bytes(5000)
    assert a.mss == 536


def test_equal_seeds_give_equal_packets() -> None:
    def packets() -> list[bytes]:
        stack = Stack(["192.0.2.1/24"], rng=random.Random(1), secret=b"x" * 32)
        stack.connect(("192.0.2.2", 80), 0.0)
        return [bytes(packet) for packet in stack.transmit(0.0)]

    assert packets() == packets()


def test_small_window_is_filled_whole_after_the_override_timeout(peer: Peer) -> None:
    connection = peer.established(mss=1000)
    peer.send(".", seq=1, ack=1, wnd=300)
    connection.send(bytes(2000), peer.now)
    assert peer.answers() == []
    assert peer.after(0.25 - TICK) == []
    assert [len(seg.payload) for seg in peer.after(TICK)] == [300]


def test_acknowledgements_of_a_batch_are_one(peer: Peer) -> None:
    peer.established()
    for number in range(6):
        packet = peer.packet(ACK, 1 + 1460 * number, 1, bytes(1460), 65535)
        peer.stack.receive(packet, peer.now)
    assert brief(peer.answers()) == [". 1:1(0) ack 8761"]


def test_successive_sends_share_one_push(peer: Peer) -> None:
    connection = peer.established()
    for _ in range(3):
        connection.send(b"ab", peer.now)
    assert brief(peer.answers()) == [small(6, 1)]


def test_smaller_buffer_does_not_shrink_the_window(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=4000)
    connection = peer.established()
    connection.set_option("receive_buffer", 1000, peer.now)
    assert [seg.wnd for seg in peer.send("S", seq=5)] == [4000]
    peer.send(".", seq=1, ack=1, data=bytes(1500))
    assert [seg.wnd for seg in peer.after(0.0625)] == [2500]


def test_new_ack_on_a_late_segment_does_not_move_the_edge_of_the_window(peer: Peer) -> None:
    """SND.WL1 is beyond it: were SND.WND kept, SND.UNA + SND.WND would be more than was ever offered."""
    connection = peer.established(mss=1000)
    peer.send("P.", seq=11, ack=1, data=bytes(10), wnd=3000)
    connection.send(bytes(5000), peer.now)
    peer.answers()
    peer.send("P.", seq=1, ack=1001, data=bytes(10), wnd=2000)
    assert connection.snd_una + connection.snd_wnd - connection.iss == 3001
    assert connection.snd_nxt - connection.iss == 3001
