"""The ``linger`` setting: how long CLOSE delivers in the background (RFC 9293 section 3.10.4, sockets' SO_LINGER)."""

from __future__ import annotations

import math

import pytest

from tcpcore import Config, Connection, State, errors
from tcpcore.testing import Peer, brief


def closed_with(peer: Peer, linger: float | None, data: bytes = b"last", wnd: int = 65535) -> Connection:
    """A connection that was closed behind ``data``; what left is taken."""
    connection = peer.established(wnd=wnd)
    connection.set_option("linger", linger, peer.now)
    connection.send(data, peer.now)
    connection.close(peer.now)
    peer.answers()
    return connection


def test_rst_after_the_linger_time(peer: Peer) -> None:
    connection = closed_with(peer, 2.0)
    assert "linger" in {timer.name for timer in connection.status(peer.now).timers}
    assert set(brief(peer.after(2 - 1 / 1024))) == {"FP. 1:5(4) ack 1"}
    assert peer.stack.connections() == [connection]
    assert brief(peer.after(1 / 1024)) == ["R. 6:6(0) ack 1"]
    assert connection.state is State.CLOSED
    assert isinstance(connection.error, errors.ConnectionTimeoutError)
    assert peer.stack.connections() == []


def test_delivered_in_time_ends_as_always(peer: Peer) -> None:
    connection = closed_with(peer, 2.0)
    peer.send(".", seq=1, ack=6)
    assert connection.state is State.FIN_WAIT_2
    assert {timer.name for timer in connection.status(peer.now).timers} == {"fin-wait-2"}
    assert peer.after(10) == []
    peer.send("F.", seq=1, ack=6)
    assert str(connection.state) == "TIME-WAIT"
    assert connection.error is None


def test_closed_window_holds_the_data_only_for_the_linger_time(peer: Peer) -> None:
    connection = closed_with(peer, 2.0, wnd=0)
    for _ in range(7):
        peer.after(0.25)
        peer.send(".", seq=1, ack=1, wnd=0)
    assert peer.stack.connections() == [connection]
    assert [text.split()[0] for text in brief(peer.after(0.25))][-1] == "R."
    assert connection.state is State.CLOSED


def test_passive_close_lingers_in_last_ack(peer: Peer) -> None:
    connection = peer.established()
    connection.set_option("linger", 2.0, peer.now)
    peer.send("F.", seq=1, ack=1)
    connection.close(peer.now)
    assert brief(peer.answers()) == ["F. 1:1(0) ack 2"]
    assert connection.state is State.LAST_ACK
    assert brief(peer.after(2))[-1] == "R. 2:2(0) ack 2"


def test_close_after_shutdown_lingers_too(peer: Peer) -> None:
    connection = peer.established()
    connection.set_option("linger", 2.0, peer.now)
    connection.shutdown(peer.now)
    peer.after(1)
    connection.close(peer.now)
    peer.answers()
    assert peer.stack.next_deadline() is not None
    peer.after(2)
    assert connection.state is State.CLOSED


def test_zero_resets_at_once(peer: Peer) -> None:
    connection = peer.established()
    connection.set_option("linger", 0.0, peer.now)
    connection.send(b"lost", peer.now)
    connection.close(peer.now)
    assert brief(peer.answers()) == ["R. 1:1(0) ack 1"]
    assert connection.state is State.CLOSED


def test_none_leaves_it_to_the_retransmissions(peer: Peer) -> None:
    connection = closed_with(peer, None)
    peer.after(100)
    assert connection.state is State.FIN_WAIT_1


def test_close_while_opening_arms_nothing(peer: Peer) -> None:
    connection = peer.connect()
    connection.set_option("linger", 2.0, peer.now)
    connection.close(peer.now)
    assert (connection.state, connection.timers.next_deadline()) == (State.CLOSED, math.inf)


@pytest.mark.parametrize("linger", [-1.0, math.nan])
def test_impossible_time_is_refused(peer: Peer, linger: float) -> None:
    with pytest.raises(ValueError, match="linger"):
        Config(linger=linger)
    connection = peer.established()
    with pytest.raises(ValueError, match="linger"):
        connection.set_option("linger", linger, peer.now)
