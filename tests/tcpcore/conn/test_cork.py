"""Cork: only full segments leave (Linux's TCP_CORK; RFC 9293 section 3.7.4 leaves the sender its policy)."""

from __future__ import annotations

import pytest

from tcpcore import Connection, State
from tcpcore.testing import Pair, Peer, brief
from tests.tcpcore.conn.conftest import MakePeer


@pytest.fixture
def connection(peer: Peer) -> Connection:
    """Corked, MSS 1000, Nagle off: what holds small segments back is the cork."""
    connection = peer.established(mss=1000)
    connection.set_option("cork", True, peer.now)
    return connection


def test_it_is_off_by_default(peer: Peer) -> None:
    assert peer.established().get_option("cork") is False


def test_small_writes_are_gathered_to_full_segments(peer: Peer, connection: Connection) -> None:
    for _ in range(9):
        connection.send(bytes(300), peer.now)
        peer.answers()
    assert connection.snd_nxt == connection.iss + 2001
    connection.send(bytes(300), peer.now)
    assert brief(peer.answers()) == ["P. 2001:3001(1000) ack 1"]


def test_tail_of_a_large_write_stays(peer: Peer, connection: Connection) -> None:
    connection.send(bytes(2500), peer.now)
    assert brief(peer.answers()) == [". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1"]


def test_uncork_sends_the_rest(peer: Peer, connection: Connection) -> None:
    connection.send(bytes(300), peer.now)
    assert peer.answers() == []
    connection.set_option("cork", False, peer.now)
    assert brief(peer.answers()) == ["P. 1:301(300) ack 1"]


def test_uncork_sends_the_rest_past_nagle(make_peer: MakePeer) -> None:
    peer = make_peer(nodelay=False, cork=True)
    connection = peer.established(mss=1000)
    for size in (300, 400):
        connection.send(bytes(size), peer.now)
        connection.set_option("cork", False, peer.now)
        assert [len(seg.payload) for seg in peer.answers()] == [size]
        connection.set_option("cork", True, peer.now)


def test_uncork_is_over_once_the_rest_has_left(peer: Peer, connection: Connection) -> None:
    connection.send(b"a", peer.now)
    connection.set_option("cork", False, peer.now)
    peer.answers()
    connection.set_option("cork", True, peer.now)
    connection.send(b"b", peer.now)
    assert peer.answers() == []


def test_rest_leaves_after_200_milliseconds(peer: Peer, connection: Connection) -> None:
    connection.send(b"first", peer.now)
    peer.after(0.125)
    connection.send(b", second", peer.now)
    assert [timer.name for timer in connection.status(peer.now).timers] == ["cork"]
    assert peer.after(0.0625) == []
    assert brief(peer.after(0.0625)) == ["P. 1:14(13) ack 1"]
    assert connection.status(peer.now).cork is True


def test_200_milliseconds_count_from_the_tail_that_waits(peer: Peer, connection: Connection) -> None:
    connection.send(bytes(300), peer.now)
    peer.after(0.125)
    connection.send(bytes(800), peer.now)
    assert brief(peer.answers()) == [". 1:1001(1000) ack 1"]
    peer.send(".", seq=1, ack=1001)
    assert peer.after(0.1875) == []
    assert brief(peer.after(0.03125)) == ["P. 1001:1101(100) ack 1"]


def test_next_tail_is_corked_again(peer: Peer, connection: Connection) -> None:
    connection.send(b"a", peer.now)
    assert brief(peer.after(0.25)) == ["P. 1:2(1) ack 1"]
    peer.send(".", seq=1, ack=2)
    connection.send(b"b", peer.now)
    assert peer.answers() == []
    assert brief(peer.after(0.25)) == ["P. 2:3(1) ack 1"]


def test_fin_takes_the_rest_with_it(peer: Peer, connection: Connection) -> None:
    connection.send(b"last", peer.now)
    assert peer.answers() == []
    connection.shutdown(peer.now)
    assert brief(peer.answers()) == ["FP. 1:5(4) ack 1"]
    peer.send(".", seq=1, ack=6)
    assert connection.state is State.FIN_WAIT_2


def test_urgent_data_takes_the_rest_with_it(peer: Peer, connection: Connection) -> None:
    connection.send(b"calm", peer.now)
    assert peer.answers() == []
    connection.send(b"urgent", peer.now, urgent=True)
    assert brief(peer.answers()) == ["PU. 1:11(10) ack 1"]


def test_closed_window_is_probed_all_the_same(peer: Peer) -> None:
    connection = peer.established(mss=1000, wnd=0)
    connection.set_option("cork", True, peer.now)
    connection.send(bytes(1500), peer.now)
    probes = peer.after(0.5)
    assert [len(seg.payload) for seg in probes] == [1]
    peer.send(".", seq=1, ack=1, wnd=65535)
    assert connection.in_flight == 1500


def test_it_may_be_the_default_of_a_stack(make_peer: MakePeer) -> None:
    peer = make_peer(cork=True)
    connection = peer.established()
    connection.send(b"a", peer.now)
    assert peer.answers() == []
    assert brief(peer.after(0.25)) == ["P. 1:2(1) ack 1"]


def test_corked_stream_arrives_whole() -> None:
    pair = Pair(latency=0.01)
    a, b = pair.connect()
    a.set_option("cork", True, pair.now)
    data = bytes(range(256)) * 500
    assert pair.transfer(a, b, data, limit=60) == data
