"""LAST-ACK (RFC 9293 section 3.10.7.4): only the ACK of our FIN is missing."""

from __future__ import annotations

import pytest

from tcpcore import Connection, Ready, State
from tcpcore.testing import Peer, brief


@pytest.fixture
def connection(peer: Peer) -> Connection:
    connection = peer.established()
    peer.send("F.", seq=1, ack=1)
    connection.shutdown(peer.now)
    peer.answers()
    return connection


def test_ack_of_our_fin_closes(peer: Peer, connection: Connection) -> None:
    connection.take_ready()
    assert peer.send(".", seq=2, ack=2) == []
    assert connection.state is State.CLOSED
    assert connection.error is None
    assert connection.take_ready() & Ready.CLOSED
    assert peer.stack.connections() == []


def test_other_ack_changes_nothing(peer: Peer, connection: Connection) -> None:
    peer.send(".", seq=2, ack=1)
    assert connection.state is State.LAST_ACK


def test_fin_is_retransmitted(peer: Peer, connection: Connection) -> None:
    assert peer.after(0.25 - 1 / 1024) == []
    assert brief(peer.after(1 / 1024)) == ["F. 1:1(0) ack 2"]


def test_rst_closes_without_an_error(peer: Peer, connection: Connection) -> None:
    peer.send("R", seq=2)
    assert (connection.state, connection.error) == (State.CLOSED, None)
