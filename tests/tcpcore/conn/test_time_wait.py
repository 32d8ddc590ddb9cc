"""TIME-WAIT (RFC 9293 sections 3.6.1 and 3.10.7.4, RFC 6191)."""

from __future__ import annotations

from typing import Any

import pytest

from tcpcore import Connection, State
from tcpcore.seqnum import unwrap
from tcpcore.testing import Peer, brief
from tests.tcpcore.conn.conftest import MakePeer


def time_wait(peer: Peer, **options: Any) -> Connection:
    connection = peer.established(**options)
    connection.shutdown(peer.now)
    peer.answers()
    later: dict[str, Any] = {"ts": options["ts"]} if "ts" in options else {}
    peer.send("F.", seq=1, ack=2, **later)
    assert connection.state is State.TIME_WAIT
    return connection


@pytest.fixture
def connection(peer: Peer) -> Connection:
    return time_wait(peer)


def test_it_lasts_2_msl(peer: Peer, connection: Connection) -> None:
    peer.after(60 - 1 / 1024)
    assert connection.state is State.TIME_WAIT
    peer.after(1 / 1024)
    assert peer.stack.connections() == []


def test_fin_again_is_acknowledged_and_restarts_the_timer(peer: Peer, connection: Connection) -> None:
    peer.after(32)
    assert brief(peer.send("F.", seq=1, ack=2)) == [". 2:2(0) ack 2"]
    peer.after(60 - 1 / 1024)
    assert connection.state is State.TIME_WAIT
    peer.after(1 / 1024)
    assert peer.stack.connections() == []


@pytest.mark.parametrize("seq", [-1000, 0, 100_000])
def test_fin_elsewhere_does_not_restart_the_timer(peer: Peer, connection: Connection, seq: int) -> None:
    peer.after(32)
    assert brief(peer.send("F.", seq=seq, ack=2)) == [". 2:2(0) ack 2"]
    peer.after(28)
    assert peer.stack.connections() == []


def test_rst_ends_it(peer: Peer, connection: Connection) -> None:
    peer.send("R", seq=2)
    assert connection.state is State.CLOSED


def test_newer_syn_reopens(peer: Peer, connection: Connection) -> None:
    peer.iss = None
    assert brief(peer.send("S", seq=1000)) == ["S. 0:0(0) ack 1001"]
    assert connection.state is State.CLOSED


def test_a_reopened_connection_numbers_above_the_old_one(make_peer: MakePeer) -> None:
    for _ in range(8):  # the clock of ISNs has hardly moved, what was sent has
        peer = make_peer()
        connection = time_wait(peer)
        connection.snd_nxt += 1 << 20
        peer.iss = None
        peer.send("S", seq=1000)
        assert peer.iss is not None
        assert unwrap(peer.iss, connection.snd_nxt) > connection.snd_nxt


def test_older_syn_is_acknowledged(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send("S", seq=0)) == [". 2:2(0) ack 2"]
    assert connection.state is State.TIME_WAIT


def test_newer_syn_without_a_listener_is_challenged(peer: Peer, connection: Connection) -> None:
    peer.stack.listeners()[0].close(peer.now)
    assert brief(peer.send("S", seq=1000)) == [". 2:2(0) ack 2"]


@pytest.mark.parametrize(("tsval", "reopened"), [(101, True), (99, False)])
def test_timestamp_decides_before_the_number(make_peer: MakePeer, tsval: int, reopened: bool) -> None:
    peer = make_peer(timestamps=True)
    connection = time_wait(peer, ts=(100, 0))
    peer.send("S", seq=1000 if not reopened else 0, ts=(tsval, 0))
    assert (connection.state is State.CLOSED) == reopened


def test_oldest_goes_when_there_are_too_many(make_peer: MakePeer) -> None:
    peer = make_peer(max_time_wait=1)
    first = time_wait(peer)
    listener = peer.stack.listeners()[0]
    listener.close(peer.now)
    peer.port, peer.iss = 4001, None
    second = time_wait(peer)
    assert (first.state, second.state) == (State.CLOSED, State.TIME_WAIT)
    assert peer.stack.statistics().drops == {"time-wait-overflow": 1}


def test_close_and_abort_send_nothing(peer: Peer, connection: Connection) -> None:
    connection.close(peer.now)
    connection.abort(peer.now)
    assert peer.answers() == []


def test_rst_is_ignored_with_rfc_1337(make_peer: MakePeer) -> None:
    peer = make_peer(rfc1337=True)
    connection = time_wait(peer)
    for seq in (2, 3):
        assert peer.send("R", seq=seq) == []
    assert peer.stack.connections() == [connection]
    assert peer.stack.statistics().drops == {"time-wait-rst": 2}
    peer.after(2 * peer.config.msl)
    assert connection.state is State.CLOSED


def test_rst_elsewhere_counts_with_rfc_1337(make_peer: MakePeer) -> None:
    peer = make_peer(rfc1337=True)
    connection = peer.established()
    peer.send("R", seq=1)
    assert connection.state is State.CLOSED
