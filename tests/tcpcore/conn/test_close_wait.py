"""CLOSE-WAIT (RFC 9293 section 3.10.7.4): the peer has closed, the user has not."""

from __future__ import annotations

import pytest

from tcpcore import Connection, State, errors
from tcpcore.testing import Peer, brief


@pytest.fixture
def connection(peer: Peer) -> Connection:
    connection = peer.established()
    peer.send("F.", seq=1, ack=1)
    return connection


def test_user_may_send(peer: Peer, connection: Connection) -> None:
    connection.send(b"more", peer.now)
    assert brief(peer.answers()) == ["P. 1:5(4) ack 2"]


def test_shutdown_leads_to_last_ack(peer: Peer, connection: Connection) -> None:
    connection.shutdown(peer.now)
    assert brief(peer.answers()) == ["F. 1:1(0) ack 2"]
    assert connection.state is State.LAST_ACK


def test_fin_again_is_acknowledged_again(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send("F.", seq=1, ack=1)) == [". 1:1(0) ack 2"]
    assert connection.state is State.CLOSE_WAIT


def test_text_beyond_the_fin_is_ignored(peer: Peer, connection: Connection) -> None:
    peer.send("P.", seq=2, ack=1, data=b"x")
    assert connection.receive(9, peer.now) == b""


def test_rst_resets(peer: Peer, connection: Connection) -> None:
    peer.send("R", seq=2)
    with pytest.raises(errors.ConnectionResetError):
        connection.send(b"x", peer.now)
