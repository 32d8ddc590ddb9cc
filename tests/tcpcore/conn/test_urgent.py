"""Urgent data, sent and received (RFC 9293 section 3.8.5, RFC 6093)."""

from __future__ import annotations

import random

import pytest

from tcpcore import Connection, LinkCapabilities, Ready, State
from tcpcore.seqnum import wrap
from tcpcore.testing import PLAIN, Pair, Peer, brief
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.tcp import ACK, URG, Segment, parse_untrusted
from tests.tcpcore.conn.conftest import MakePeer


@pytest.fixture
def connection(peer: Peer) -> Connection:
    connection = peer.established(mss=1000)
    connection.take_ready()
    return connection


def marks(segments: list[Segment]) -> list[int | None]:
    """Where each segment says that urgent data ends, relative to the stack's ISS."""
    return [seg.seq + seg.up if seg.flags & URG else None for seg in segments]


# Sending


def test_pointer_is_the_octet_behind_the_urgent_data(peer: Peer, connection: Connection) -> None:
    assert connection.send(b"urgent", peer.now, urgent=True) == 6
    segments = peer.answers()
    assert brief(segments) == ["PU. 1:7(6) ack 1"]
    assert segments[0].up == 6


def test_all_segments_before_the_mark_carry_it_and_none_behind(peer: Peer, connection: Connection) -> None:
    connection.send(bytes(1500), peer.now)
    connection.send(b"now", peer.now, urgent=True)
    connection.send(bytes(1500), peer.now)
    segments = peer.answers()
    assert [seg.seq for seg in segments] == [1, 1001, 2001, 3001]
    assert marks(segments) == [1504, 1504, None, None]


def test_mark_moves_forward_with_more_urgent_data(peer: Peer, connection: Connection) -> None:
    for end in (4, 7, 10):
        connection.send(b"abc", peer.now, urgent=True)
        assert marks(peer.answers()) == [end]


def test_no_urg_once_the_urgent_data_is_acknowledged(peer: Peer, connection: Connection) -> None:
    connection.set_option("keepalive", True, peer.now)
    connection.send(b"urgent", peer.now, urgent=True)
    peer.answers()
    peer.send(".", seq=1, ack=7)
    connection.send(b"calm", peer.now)
    assert marks(peer.answers()) == [None]
    peer.send(".", seq=1, ack=11)
    assert [seg.flags for seg in peer.after(7200)] == [ACK]


def test_retransmission_carries_the_mark(peer: Peer, connection: Connection) -> None:
    connection.send(b"urgent", peer.now, urgent=True)
    peer.answers()
    assert marks(peer.after(0.25)) == [7]


def test_mark_too_far_for_the_field_is_capped(make_peer: MakePeer) -> None:
    peer = make_peer(window_scaling=True, initial_window_segments=200, send_buffer=1 << 20)
    connection = peer.established(mss=1000, wscale=7)
    peer.send(".", seq=1, ack=1)
    assert connection.send(bytes(100_000), peer.now, urgent=True) == 100_000
    segments = peer.answers()
    assert len(segments) == 100
    for seg in segments:
        assert seg.flags & URG
        assert seg.seq + seg.up == min(seg.seq + 0xFFFF, 100_001)


def test_news_goes_out_into_a_zero_window(peer: Peer) -> None:
    connection = peer.established(wnd=0)
    connection.send(b"hurry", peer.now, urgent=True)
    segments = peer.answers()
    assert brief(segments) == ["U. 1:1(0) ack 1"]
    assert segments[0].up == 5
    assert peer.answers() == []


def test_window_probe_carries_the_mark(peer: Peer) -> None:
    """Should the first news get lost."""
    connection = peer.established(wnd=0)
    connection.send(b"hurry", peer.now, urgent=True)
    peer.answers()
    (probe,) = peer.after(0.25)
    assert len(probe.payload) == 1
    assert marks([probe]) == [6]


def test_news_goes_out_when_congestion_holds_the_text(make_peer: MakePeer) -> None:
    peer = make_peer(initial_window_segments=1)
    connection = peer.established(mss=1000)
    connection.send(bytes(1000), peer.now)
    assert brief(peer.answers()) == ["P. 1:1001(1000) ack 1"]
    connection.send(b"hurry", peer.now, urgent=True)
    segments = peer.answers()
    assert brief(segments) == ["U. 1001:1001(0) ack 1"]
    assert marks(segments) == [1006]


def test_nagle_does_not_hold_urgent_data(make_peer: MakePeer) -> None:
    peer = make_peer(nodelay=False)
    connection = peer.established()
    connection.send(b"first", peer.now)
    peer.answers()
    connection.send(b"held", peer.now)
    assert peer.answers() == []
    connection.send(b"urgent", peer.now, urgent=True)
    assert brief(peer.answers()) == ["PU. 6:16(10) ack 1"]


def test_urgent_data_of_a_connection_being_opened_leaves_with_the_text(peer: Peer) -> None:
    connection = peer.connect()
    connection.send(b"urgent", peer.now, urgent=True)
    assert peer.answers() == []
    segments = peer.send("S.", ack=1)
    assert brief(segments) == ["PU. 1:7(6) ack 1"]
    assert marks(segments) == [7]


def test_urgent_send_that_finds_no_room_tells_nothing(make_peer: MakePeer) -> None:
    peer = make_peer(send_buffer=10)
    connection = peer.established(wnd=0)
    connection.send(bytes(10), peer.now)
    peer.answers()
    assert connection.send(b"x", peer.now, urgent=True) == 0
    assert peer.answers() == []
    assert connection.status(peer.now).snd_up == connection.status(peer.now).snd_una


def test_mark_of_what_was_taken_when_the_buffer_takes_a_part(make_peer: MakePeer) -> None:
    peer = make_peer(send_buffer=4)
    connection = peer.established()
    assert connection.send(b"urgent", peer.now, urgent=True) == 4
    assert marks(peer.answers()) == [5]


def test_each_piece_of_a_large_write_has_its_own_pointer_with_offload() -> None:
    """A link that cuts packets copies the pointer into every piece."""
    offload = LinkCapabilities(checksum_offload=True, segmentation_offload=True)
    pair = Pair(PLAIN, capabilities=offload)
    a, _ = pair.connect()
    a.send(bytes(5000), pair.now, urgent=True)
    a.send(bytes(5000), pair.now)
    packets = pair.a.transmit(pair.now)
    assert sum(packet.payload_length for packet in packets) == 10_000
    for packet in packets:
        seg = parse_untrusted(parse_ip(bytes(packet)), checked=False)
        if seg.seq - wrap(a.iss) < 5001:
            assert (seg.flags & URG, seg.seq + seg.up - wrap(a.iss), packet.segment_size) == (URG, 5001, 0)


def test_status_shows_the_mark_until_it_is_acknowledged(peer: Peer, connection: Connection) -> None:
    connection.send(b"urgent", peer.now, urgent=True)
    connection.send(b"calm", peer.now)
    peer.answers()
    status = connection.status(peer.now)
    assert status.snd_up == status.snd_una + 6
    peer.send(".", seq=1, ack=11)
    status = connection.status(peer.now)
    assert status.snd_up == status.snd_una


# Receiving


def test_user_is_told_at_once_and_how_much(peer: Peer, connection: Connection) -> None:
    peer.send("PU.", seq=1, ack=1, data=b"abcdef", up=4)
    assert connection.take_ready() == Ready.URGENT | Ready.READABLE
    assert connection.urgent == 4
    assert connection in peer.stack.take_ready()


def test_user_is_told_before_the_octets_arrive(peer: Peer, connection: Connection) -> None:
    peer.send("U.", seq=1, ack=1, up=100)
    assert connection.take_ready() == Ready.URGENT
    assert connection.urgent == 100
    assert connection.receive(10, peer.now) is None


def test_user_is_told_with_a_zero_window(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=1000)
    connection = peer.established()
    peer.send(".", seq=1, ack=1, data=bytes(1000))
    connection.take_ready()
    assert connection.rcv_wnd == 0
    peer.send("U.", seq=1001, ack=1, up=7)
    assert connection.take_ready() == Ready.URGENT
    assert connection.urgent == 1007


def test_probe_beyond_a_zero_window_tells_too(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=1000)
    connection = peer.established()
    peer.send(".", seq=1, ack=1, data=bytes(1000))
    connection.take_ready()
    peer.send("U.", seq=1001, ack=1, data=b"x", up=7)
    assert connection.take_ready() == Ready.URGENT
    assert (connection.urgent, connection.status(peer.now).recv_q) == (1007, 1000)


def test_read_stops_at_the_mark(peer: Peer, connection: Connection) -> None:
    peer.send("PU.", seq=1, ack=1, data=b"urgentcalm", up=6)
    assert connection.peek(100) == b"urgent"
    assert connection.receive(4, peer.now) == b"urge"
    assert connection.urgent == 2
    assert connection.receive(100, peer.now) == b"nt"
    assert connection.urgent == 0
    assert connection.receive(100, peer.now) == b"calm"


def test_read_stops_at_the_mark_between_joined_chunks(peer: Peer, connection: Connection) -> None:
    for seq, up in ((1, 7), (4, 4), (7, 1), (10, 0)):
        peer.send("U." if up else ".", seq=seq, ack=1, data=b"abc", up=up)
    assert [connection.receive(100, peer.now) for _ in range(2)] == [b"abcabca", b"bcabc"]


def test_news_comes_again_only_when_the_mark_moves(peer: Peer, connection: Connection) -> None:
    peer.send("U.", seq=1, ack=1, up=10)
    connection.take_ready()
    peer.send("U.", seq=1, ack=1, up=10)
    assert connection.take_ready() == 0
    peer.send("U.", seq=1, ack=1, up=4)
    assert (connection.take_ready(), connection.urgent) == (0, 10)
    peer.send("U.", seq=1, ack=1, up=12)
    assert (connection.take_ready(), connection.urgent) == (Ready.URGENT, 12)


def test_mark_that_was_read_already_is_no_news(peer: Peer, connection: Connection) -> None:
    peer.send("PU.", seq=1, ack=1, data=b"urgent", up=6)
    connection.receive(6, peer.now)
    connection.take_ready()
    peer.send("PU.", seq=1, ack=1, data=b"urgent", up=6)
    assert (connection.take_ready(), connection.urgent) == (0, 0)


def test_pointer_of_a_segment_that_is_trimmed_counts_from_its_own_number(peer: Peer, connection: Connection) -> None:
    peer.send(".", seq=1, ack=1, data=b"abc")
    peer.send("U.", seq=1, ack=1, data=b"abcdef", up=5)
    assert connection.urgent == 5


def test_sequence_of_urgent_data_may_be_longer_than_the_pointer_reaches(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=1 << 20)
    connection = peer.established()
    at = 1
    for _ in range(100):
        peer.send("U.", seq=at, ack=1, data=bytes(1000), up=0xFFFF)
        at += 1000
    assert connection.urgent == 99_000 + 0xFFFF
    read = 0
    while connection.status(peer.now).recv_q:
        read += len(connection.receive(1 << 20, peer.now) or b"")
    assert read == 100_000
    assert connection.urgent == 0xFFFF - 1000


def test_mark_beyond_the_end_of_the_stream_goes_with_it(peer: Peer, connection: Connection) -> None:
    peer.send("U.", seq=1, ack=1, data=b"abc", up=500)
    peer.send("F.", seq=4, ack=1)
    assert connection.urgent == 3
    assert connection.receive(100, peer.now) == b"abc"
    assert connection.urgent == 0
    assert connection.receive(100, peer.now) == b""


@pytest.mark.parametrize("up", [0, 1, 0xFFFF])
def test_urg_behind_a_fin_is_ignored(peer: Peer, connection: Connection, up: int) -> None:
    peer.send("F.", seq=1, ack=1)
    connection.take_ready()
    peer.send("U.", seq=2, ack=1, up=up)
    assert (connection.take_ready(), connection.urgent) == (0, 0)


def test_reset_takes_the_mark_away(peer: Peer, connection: Connection) -> None:
    peer.send("U.", seq=1, ack=1, data=b"abc", up=500)
    peer.send("R", seq=4)
    assert connection.urgent == 0


def test_nobody_is_told_after_shutdown_read(peer: Peer, connection: Connection) -> None:
    peer.send("U.", seq=1, ack=1, up=10)
    connection.shutdown_read(peer.now)
    connection.take_ready()
    peer.send("U.", seq=1, ack=1, up=20)
    assert (connection.take_ready(), connection.urgent) == (0, 0)


def test_status_shows_what_remains_and_a_pointer_that_is_never_stale(peer: Peer, connection: Connection) -> None:
    status = connection.status(peer.now)
    assert (status.urgent, status.rcv_up) == (0, status.rcv_nxt)
    peer.send("U.", seq=1, ack=1, data=b"abc", up=5)
    status = connection.status(peer.now)
    assert (status.urgent, status.rcv_up) == (5, (status.rcv_nxt + 2) & 0xFFFFFFFF)
    peer.send(".", seq=4, ack=1, data=b"defgh")
    while connection.receive(100, peer.now):
        pass
    status = connection.status(peer.now)
    assert (status.urgent, status.rcv_up) == (0, status.rcv_nxt)


def test_urgent_data_survives_a_bad_network() -> None:
    """Both marks are seen exactly, whatever is lost or doubled."""
    pair = Pair(PLAIN, latency=0.01, seed=5, loss=0.1, duplicate=0.1, reorder=0.1)
    a, b = pair.connect()
    data, at = random.Random(1).randbytes(60_000), 0
    received = bytearray()
    for size, urgent in ((20_000, True), (20_000, False), (10_000, True), (10_000, False)):
        assert a.send(data[at : at + size], pair.now, urgent=urgent) == size
        at += size
    stops = set()
    while len(received) < len(data):
        pair.step()
        while chunk := b.receive(1 << 20, pair.now):
            received += chunk
            stops.add(len(received))
    assert bytes(received) == data
    assert 50_000 in stops
    assert (b.urgent, b.state) == (0, State.ESTABLISHED)
