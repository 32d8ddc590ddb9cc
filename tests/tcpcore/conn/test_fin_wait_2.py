"""FIN-WAIT-2 (RFC 9293 section 3.10.7.4): half closed, the peer may go on sending."""

from __future__ import annotations

import pytest

from tcpcore import Connection, State
from tcpcore.testing import Peer, brief


@pytest.fixture
def connection(peer: Peer) -> Connection:
    connection = peer.established()
    connection.shutdown(peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=2)
    return connection


def test_data_is_still_delivered(peer: Peer, connection: Connection) -> None:
    peer.send("P.", seq=1, ack=2, data=b"more")
    assert connection.receive(9, peer.now) == b"more"


def test_fin_leads_to_time_wait(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send("F.", seq=1, ack=2)) == [". 2:2(0) ack 2"]
    assert connection.state is State.TIME_WAIT
    assert connection.receive(9, peer.now) == b""


def test_half_closed_connection_waits_for_ever(peer: Peer, connection: Connection) -> None:
    assert peer.after(1_000_000) == []
    assert connection.state is State.FIN_WAIT_2


@pytest.mark.parametrize("elapsed", [60 - 1 / 1024, 60])
def test_closed_connection_waits_for_its_timeout(peer: Peer, connection: Connection, elapsed: float) -> None:
    connection.close(peer.now)
    peer.answers()
    assert peer.after(elapsed) == []
    assert connection.state is (State.FIN_WAIT_2 if elapsed < 60 else State.CLOSED)


def test_timeout_runs_from_the_ack_of_our_fin(peer: Peer) -> None:
    connection = peer.established()
    connection.close(peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=2)
    peer.after(60 - 1 / 1024)
    assert connection.state is State.FIN_WAIT_2
    peer.after(1 / 1024)
    assert peer.stack.connections() == []
