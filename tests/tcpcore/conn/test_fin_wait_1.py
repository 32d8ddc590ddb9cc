"""FIN-WAIT-1 (RFC 9293 section 3.10.7.4): our FIN is not acknowledged yet."""

from __future__ import annotations

import pytest

from tcpcore import Connection, State, errors
from tcpcore.testing import Peer, brief


@pytest.fixture
def connection(peer: Peer) -> Connection:
    connection = peer.established()
    connection.shutdown(peer.now)
    assert brief(peer.answers()) == ["F. 1:1(0) ack 1"]
    return connection


def test_ack_of_our_fin_leads_to_fin_wait_2(peer: Peer, connection: Connection) -> None:
    assert peer.send(".", seq=1, ack=2) == []
    assert connection.state is State.FIN_WAIT_2


def test_fin_leads_to_closing(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send("F.", seq=1, ack=1)) == [". 2:2(0) ack 2"]
    assert connection.state is State.CLOSING


def test_fin_with_ack_of_ours_leads_to_time_wait(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send("F.", seq=1, ack=2)) == [". 2:2(0) ack 2"]
    assert connection.state is State.TIME_WAIT


def test_data_is_still_delivered(peer: Peer, connection: Connection) -> None:
    peer.send("P.", seq=1, ack=1, data=b"more")
    assert connection.receive(9, peer.now) == b"more"


def test_fin_is_retransmitted(peer: Peer, connection: Connection) -> None:
    assert peer.after(0.25 - 1 / 1024) == []
    assert brief(peer.after(1 / 1024)) == ["F. 1:1(0) ack 1"]


def test_send_is_refused(peer: Peer, connection: Connection) -> None:
    with pytest.raises(errors.ConnectionClosingError):
        connection.send(b"x", peer.now)


def test_shutdown_again_changes_nothing(peer: Peer, connection: Connection) -> None:
    connection.shutdown(peer.now)
    assert peer.answers() == []


def test_data_after_close_is_answered_with_rst(peer: Peer, connection: Connection) -> None:
    connection.close(peer.now)
    assert brief(peer.send("P.", seq=1, ack=1, data=b"x")) == ["R. 2:2(0) ack 1"]
    assert connection.state is State.CLOSED


def test_rst_resets(peer: Peer, connection: Connection) -> None:
    peer.send("R", seq=1)
    assert isinstance(connection.error, errors.ConnectionResetError)
