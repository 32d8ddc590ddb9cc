"""Text, FIN and URG on a SYN or SYN,ACK (RFC 9293 sections 3.5, 3.10.7.2, 3.10.7.3): kept until ESTABLISHED."""

from __future__ import annotations

import pytest

from tcpcore import Connection, Listener, Ready, State
from tcpcore.testing import Peer, brief
from tests.tcpcore.conn.conftest import MakePeer


@pytest.fixture
def listener(peer: Peer) -> Listener:
    return peer.listen()


def accepted(listener: Listener) -> Connection:
    connection = listener.accept()
    assert connection is not None
    return connection


def test_text_on_a_syn_is_not_delivered_before_established(peer: Peer, listener: Listener) -> None:
    assert brief(peer.send("S", data=b"early")) == ["S. 0:0(0) ack 1"]
    (half_open,) = peer.stack.connections()
    assert (half_open.state, half_open.readable) == (State.SYN_RECEIVED, False)
    assert half_open.status(peer.now).recv_q == 0


def test_text_on_a_syn_is_delivered_and_acknowledged_with_established(peer: Peer, listener: Listener) -> None:
    peer.send("S", data=b"early")
    assert brief(peer.send(".", seq=6, ack=1)) == [". 1:1(0) ack 6"]
    connection = accepted(listener)
    assert connection.take_ready() & Ready.READABLE
    assert connection.receive(9, peer.now) == b"early"


def test_ack_that_does_not_know_of_the_text_establishes_too(peer: Peer, listener: Listener) -> None:
    """To the peer SND.NXT may be behind its SYN only: our SYN,ACK acknowledged no text."""
    peer.send("S", data=b"early")
    assert brief(peer.send(".", seq=1, ack=1)) == [". 1:1(0) ack 6"]
    assert accepted(listener).receive(9, peer.now) == b"early"


def test_text_sent_again_with_the_ack_counts_once(peer: Peer, listener: Listener) -> None:
    peer.send("S", data=b"early")
    assert brief(peer.send("P.", seq=1, ack=1, data=b"early bird")) == [". 1:1(0) ack 11"]
    connection = accepted(listener)
    assert connection.receive(5, peer.now) == b"early"
    assert connection.receive(9, peer.now) == b" bird"
    assert connection.receive(9, peer.now) is None


def test_text_that_follows_with_the_ack_is_in_order(peer: Peer, listener: Listener) -> None:
    peer.send("S", data=b"early")
    assert brief(peer.send("F.", seq=6, ack=1, data=b" bird")) == [". 1:1(0) ack 12"]
    connection = accepted(listener)
    assert connection.state is State.CLOSE_WAIT
    assert connection.receive(99, peer.now) == b"early bird"


def test_syn_with_its_text_again_is_answered_with_syn_ack(peer: Peer, listener: Listener) -> None:
    peer.send("S", data=b"early")
    assert brief(peer.send("S", data=b"early")) == ["S. 0:0(0) ack 1"]
    peer.send(".", seq=1, ack=1)
    assert accepted(listener).receive(9, peer.now) == b"early"


def test_text_is_a_copy_of_the_packet(peer: Peer, listener: Listener) -> None:
    """A link reads the next packet into the same buffer."""
    buffer = bytearray(peer.packet(0x02, 0, 0, b"early", 65535))
    peer.stack.receive(memoryview(buffer), peer.now)
    buffer[:] = bytes(len(buffer))
    peer.answers()
    peer.send(".", seq=1, ack=1)
    assert accepted(listener).receive(9, peer.now) == b"early"


def test_fin_on_a_syn_counts_after_established(peer: Peer, listener: Listener) -> None:
    assert brief(peer.send("SF")) == ["S. 0:0(0) ack 1"]
    assert [str(c.state) for c in peer.stack.connections()] == ["SYN-RECEIVED"]
    assert brief(peer.send(".", seq=2, ack=1)) == [". 1:1(0) ack 2"]
    connection = accepted(listener)
    assert connection.state is State.CLOSE_WAIT
    assert connection.receive(9, peer.now) == b""


def test_text_and_fin_on_a_syn(peer: Peer, listener: Listener) -> None:
    peer.send("SF", data=b"all")
    assert brief(peer.send(".", seq=5, ack=1)) == [". 1:1(0) ack 5"]
    connection = accepted(listener)
    assert (connection.state, connection.receive(9, peer.now)) == (State.CLOSE_WAIT, b"all")
    connection.send(b"answer", peer.now)
    connection.shutdown(peer.now)
    assert brief(peer.answers()) == ["FP. 1:7(6) ack 5"]


def test_text_and_fin_sent_again_with_the_ack(peer: Peer, listener: Listener) -> None:
    peer.send("SF", data=b"all")
    assert brief(peer.send("F.", seq=1, ack=1, data=b"all")) == [". 1:1(0) ack 5"]
    connection = accepted(listener)
    assert (connection.state, connection.receive(9, peer.now)) == (State.CLOSE_WAIT, b"all")
    assert connection.receive(9, peer.now) == b""


def test_urgent_mark_of_a_syn_counts_from_the_syn(peer: Peer, listener: Listener) -> None:
    peer.send("SU", data=b"hurry", up=4)
    peer.send(".", seq=6, ack=1)
    connection = accepted(listener)
    assert connection.take_ready() & Ready.URGENT
    assert connection.urgent == 3
    assert connection.receive(9, peer.now) == b"hur"


def test_text_beyond_the_window_is_cut_with_the_fin(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=3)
    listener = peer.listen()
    peer.send("SF", data=b"early")
    assert brief(peer.send(".", seq=1, ack=1)) == [". 1:1(0) ack 4"]
    connection = accepted(listener)
    assert (connection.state, connection.receive(9, peer.now)) == (State.ESTABLISHED, b"ear")


def test_fin_that_does_not_fit_the_window_is_cut(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=5)
    listener = peer.listen()
    peer.send("SF", data=b"early")
    peer.send(".", seq=1, ack=1)
    assert accepted(listener).state is State.ESTABLISHED


def test_one_segment_at_most_is_kept(make_peer: MakePeer) -> None:
    peer = make_peer(mss=100)
    peer.listen()
    peer.send("S", data=bytes(1000))
    assert brief(peer.send(".", seq=1, ack=1)) == [". 1:1(0) ack 101"]


def test_no_text_no_memory(peer: Peer, listener: Listener) -> None:
    peer.send("S")
    assert [c.syn_rest for c in peer.stack.connections()] == [None]


def test_text_on_a_syn_that_a_cookie_answers_is_not_kept(make_peer: MakePeer) -> None:
    peer = make_peer(syn_cookies="always")
    listener = peer.listen()
    assert brief(peer.send("S", data=b"early")) == ["S. 0:0(0) ack 1"]
    assert brief(peer.send(".", seq=1, ack=1, data=b"early")) == []
    assert accepted(listener).receive(9, peer.now) == b"early"


def test_reset_drops_what_was_kept(peer: Peer, listener: Listener) -> None:
    peer.send("S", data=b"early")
    (half_open,) = peer.stack.connections()
    peer.send("R", seq=1)
    assert half_open.syn_rest is None
    assert peer.stack.connections() == []


# Active OPEN


def test_syn_ack_with_text_fin_and_urg(peer: Peer) -> None:
    connection = peer.connect()
    connection.take_ready()
    assert brief(peer.send("SFU.", ack=1, data=b"hello", up=3)) == [". 1:1(0) ack 7"]
    assert connection.state is State.CLOSE_WAIT
    assert connection.take_ready() & (Ready.URGENT | Ready.CONNECTED) == Ready.URGENT | Ready.CONNECTED
    assert [connection.receive(9, peer.now) for _ in range(3)] == [b"he", b"llo", b""]


def test_syn_ack_with_urg_alone(peer: Peer) -> None:
    connection = peer.connect()
    peer.send("SU.", ack=1, up=10)
    assert connection.urgent == 9


def test_text_of_a_syn_ack_is_trimmed_to_the_window(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=4)
    connection = peer.connect()
    assert brief(peer.send("SF.", ack=1, data=b"too much")) == [". 1:1(0) ack 5"]
    assert (connection.state, connection.rcv_wnd) == (State.ESTABLISHED, 0)
    assert connection.receive(99, peer.now) == b"too "
    assert peer.stack.statistics().drops == {"beyond-window": 1}


def test_text_of_a_syn_ack_is_trimmed_to_the_unscaled_window(make_peer: MakePeer) -> None:
    """The window of our SYN is never scaled (RFC 7323 section 2.2), however large the buffer."""
    peer = make_peer(receive_buffer=1 << 20, window_scaling=True)
    connection = peer.connect()
    (answer,) = peer.send("S.", ack=1, data=bytes(2000), wscale=3)
    assert (answer.ack, connection.status(peer.now).recv_q) == (2001, 2000)
    assert connection.rcv_adv >= connection.irs + 1 + 65535


def test_simultaneous_open_with_text_and_fin_on_the_syn(peer: Peer) -> None:
    connection = peer.connect()
    assert brief(peer.send("SF", data=b"both")) == ["S. 0:0(0) ack 1"]
    assert (connection.state, connection.readable) == (State.SYN_RECEIVED, False)
    assert brief(peer.send(".", seq=6, ack=1)) == [". 1:1(0) ack 6"]
    assert (connection.state, connection.receive(9, peer.now)) == (State.CLOSE_WAIT, b"both")


def test_simultaneous_open_whose_syn_ack_repeats_the_text(peer: Peer) -> None:
    connection = peer.connect()
    peer.send("S", data=b"both")
    assert brief(peer.send("S.", ack=1, data=b"both")) == [". 1:1(0) ack 5"]
    assert (connection.state, connection.receive(9, peer.now)) == (State.ESTABLISHED, b"both")
    assert connection.receive(9, peer.now) is None


def test_window_of_a_syn_ack_with_text_is_not_scaled(make_peer: MakePeer) -> None:
    peer = make_peer(window_scaling=True)
    connection = peer.connect()
    peer.send("S", data=b"both", wscale=3)
    peer.send("S.", ack=1, data=b"both", wscale=3, wnd=8000)
    assert (connection.state, connection.snd_wnd) == (State.ESTABLISHED, 8000)


def test_close_in_syn_received_meets_the_fin_of_the_syn(peer: Peer) -> None:
    connection = peer.connect()
    peer.send("SF")
    connection.shutdown(peer.now)
    assert brief(peer.send(".", seq=2, ack=1)) == ["F. 1:1(0) ack 2"]
    assert connection.state is State.CLOSING


def test_text_for_a_user_who_has_closed_is_answered_with_rst(peer: Peer) -> None:
    connection = peer.connect()
    peer.send("S", data=b"late")
    connection.close(peer.now)
    assert brief(peer.send(".", seq=5, ack=1)) == ["R. 1:1(0) ack 1"]
    assert connection.state is State.CLOSED
