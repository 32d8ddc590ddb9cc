"""CLOSED (RFC 9293 sections 3.10.7.1 and 3.10): no connection, and what calls say then."""

from __future__ import annotations

import pytest

from tcpcore import Connection, State, errors
from tcpcore.testing import Peer, brief
from tests.tcpcore.conn.conftest import MakePeer


@pytest.fixture
def connection(peer: Peer) -> Connection:
    connection = peer.established()
    peer.send("F.", seq=1, ack=1)
    connection.shutdown(peer.now)
    peer.answers()
    peer.send(".", seq=2, ack=2)
    assert connection.state is State.CLOSED
    return connection


def test_segment_without_ack_is_answered_with_rst_and_its_end(peer: Peer) -> None:
    assert brief(peer.send("S", seq=10, data=b"abc")) == ["R. 0:0(0) ack 14"]


def test_segment_with_ack_is_answered_with_rst_at_its_ack(peer: Peer) -> None:
    peer.iss = 0
    assert brief(peer.send(".", seq=10, ack=50)) == ["R 50:50(0)"]


def test_rst_is_not_answered(peer: Peer) -> None:
    peer.iss = 0
    assert peer.send("R.", ack=50) == []


def test_resets_are_limited(make_peer: MakePeer) -> None:
    peer = make_peer(icmp_rate=1)
    assert [len(peer.send("S")) for _ in range(3)] == [1, 0, 0]
    assert peer.stack.statistics().rate_limited == 2


def test_send_and_shutdown_say_that_there_is_no_connection(peer: Peer, connection: Connection) -> None:
    with pytest.raises(errors.ConnectionNotExistError):
        connection.send(b"x", peer.now)
    with pytest.raises(errors.ConnectionNotExistError):
        connection.shutdown(peer.now)


def test_receive_is_at_the_end(peer: Peer, connection: Connection) -> None:
    assert connection.readable
    assert connection.writable
    assert connection.receive(1, peer.now) == b""


def test_close_and_abort_are_harmless(peer: Peer, connection: Connection) -> None:
    connection.close(peer.now)
    connection.abort(peer.now)
    assert peer.answers() == []


def test_receive_ends_for_a_connection_closed_while_waiting(peer: Peer) -> None:
    connection = peer.established()
    connection.close(peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=2)
    peer.after(60)
    assert connection.receive(1, peer.now) == b""
