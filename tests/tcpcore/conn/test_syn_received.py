"""SYN-RECEIVED (RFC 9293 section 3.10.7.4)."""

from __future__ import annotations

import pytest

from tcpcore import Connection, Listener, State, errors
from tcpcore.testing import Peer, brief


@pytest.fixture
def listener(peer: Peer) -> Listener:
    listener = peer.listen()
    peer.send("S")
    return listener


def half_open(peer: Peer) -> Connection:
    return peer.stack.connections()[0]


def test_ack_of_our_syn_establishes(peer: Peer, listener: Listener) -> None:
    assert peer.send(".", seq=1, ack=1) == []
    connection = listener.accept()
    assert connection is not None
    assert connection.state is State.ESTABLISHED


def test_last_ack_may_carry_data_and_fin(peer: Peer, listener: Listener) -> None:
    assert brief(peer.send("F.", seq=1, ack=1, data=b"bye")) == [". 1:1(0) ack 5"]
    connection = listener.accept()
    assert connection is not None
    assert connection.state is State.CLOSE_WAIT
    assert connection.receive(9, peer.now) == b"bye"


@pytest.mark.parametrize("ack", [0, 2, 70_000])
def test_wrong_ack_is_answered_with_rst(peer: Peer, listener: Listener, ack: int) -> None:
    assert brief(peer.send(".", seq=1, ack=ack)) == [f"R {ack}:{ack}(0)"]
    assert half_open(peer).state is State.SYN_RECEIVED


def test_rst_returns_to_listen(peer: Peer, listener: Listener) -> None:
    assert peer.send("R", seq=1) == []
    assert peer.stack.connections() == []
    assert brief(peer.send("S")) == ["S. 0:0(0) ack 1"]


def test_rst_refuses_a_simultaneous_open(peer: Peer) -> None:
    connection = peer.connect()
    peer.send("S")
    peer.send("R", seq=1)
    assert isinstance(connection.error, errors.ConnectionRefusedError)


def test_syn_again_is_answered_again(peer: Peer, listener: Listener) -> None:
    assert brief(peer.send("S")) == ["S. 0:0(0) ack 1"]


def test_new_syn_in_the_window_returns_to_listen(peer: Peer, listener: Listener) -> None:
    peer.send("S", seq=9)
    assert peer.stack.connections() == []


def test_syn_in_the_window_of_a_simultaneous_open_is_challenged(peer: Peer) -> None:
    peer.connect()
    peer.send("S")
    assert brief(peer.send("S", seq=9)) == [". 1:1(0) ack 1"]


def test_segment_without_ack_is_dropped(peer: Peer, listener: Listener) -> None:
    assert peer.send("P", seq=1, data=b"x") == []
    assert half_open(peer).state is State.SYN_RECEIVED


def test_close_sends_its_fin_after_the_handshake(peer: Peer) -> None:
    connection = peer.connect()
    peer.send("S")
    connection.shutdown(peer.now)
    assert brief(peer.send(".", seq=1, ack=1)) == ["F. 1:1(0) ack 1"]
    assert connection.state is State.FIN_WAIT_1


def test_abort_sends_rst(peer: Peer) -> None:
    connection = peer.connect()
    peer.send("S")
    connection.abort(peer.now)
    assert brief(peer.answers()) == ["R. 1:1(0) ack 1"]
