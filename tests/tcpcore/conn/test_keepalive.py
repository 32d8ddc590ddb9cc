"""Keepalive (RFC 9293 section 3.8.4): 2 h idle, 75 s apart, 10 probes, each a setting of the live connection."""

from __future__ import annotations

import pytest

from tcpcore import Config, Connection, State, errors
from tcpcore.testing import Peer, brief
from tests.tcpcore.conn.conftest import MakePeer

PROBE = [". 0:0(0) ack 1"]
TICK = 1 / 1024


@pytest.fixture
def connection(peer: Peer) -> Connection:
    connection = peer.established()
    connection.set_option("keepalive", True, peer.now)
    peer.answers()
    return connection


def test_it_is_off_by_default(peer: Peer) -> None:
    peer.established()
    assert Config().keepalive is False
    assert peer.after(1_000_000) == []


def test_defaults_are_2_hours_75_seconds_10_probes() -> None:
    config = Config()
    assert (config.keepalive_idle, config.keepalive_interval, config.keepalive_count) == (7200, 75, 10)


def test_first_probe_comes_after_2_hours_and_carries_no_data(peer: Peer, connection: Connection) -> None:
    assert peer.after(7200 - TICK) == []
    assert brief(peer.after(TICK)) == PROBE


def test_probes_are_75_seconds_apart(peer: Peer, connection: Connection) -> None:
    peer.after(7200)
    for _ in range(9):
        assert peer.after(75 - TICK) == []
        assert brief(peer.after(TICK)) == PROBE
    assert connection.status(peer.now).keepalive_probes == 10


def test_silence_after_the_last_probe_resets(peer: Peer, connection: Connection) -> None:
    assert len(peer.after(7200 + 9 * 75)) == 10
    assert peer.after(75 - TICK) == []
    assert connection.state is State.ESTABLISHED
    assert brief(peer.after(TICK)) == ["R. 1:1(0) ack 1"]
    assert isinstance(connection.error, errors.KeepaliveTimeoutError)


def test_one_answer_is_enough(peer: Peer, connection: Connection) -> None:
    peer.after(7200 + 9 * 75)
    assert peer.send(".", seq=1, ack=1) == []
    assert peer.after(7200 - TICK) == []
    assert brief(peer.after(TICK)) == PROBE


def test_traffic_puts_the_probe_off(peer: Peer, connection: Connection) -> None:
    peer.after(4000)
    peer.send(".", seq=1, ack=1, data=b"x")
    peer.after(1)
    assert peer.after(7199 - TICK) == []
    assert len(peer.after(TICK)) == 1


def test_settings_change_on_the_live_connection(peer: Peer, connection: Connection) -> None:
    peer.after(100)
    connection.set_option("keepalive_idle", 128.0, peer.now)
    connection.set_option("keepalive_interval", 8.0, peer.now)
    connection.set_option("keepalive_count", 2, peer.now)
    assert peer.after(28 - TICK) == []
    assert brief(peer.after(TICK)) == PROBE
    assert brief(peer.after(8)) == PROBE
    assert brief(peer.after(8)) == ["R. 1:1(0) ack 1"]


def test_switched_off_it_stops(peer: Peer, connection: Connection) -> None:
    peer.after(7200)
    connection.set_option("keepalive", False, peer.now)
    assert peer.after(1_000_000) == []


def test_unacknowledged_data_probes_already(peer: Peer, connection: Connection) -> None:
    connection.set_option("keepalive_idle", 0.5, peer.now)
    connection.send(b"x", peer.now)
    assert set(brief(peer.after(1))) == {"P. 1:2(1) ack 1"}
    assert connection.keepalive_probes == 0


def test_it_stops_in_time_wait(peer: Peer, connection: Connection) -> None:
    connection.shutdown(peer.now)
    peer.answers()
    peer.send("F.", seq=1, ack=2)
    assert peer.after(100_000) == []


def test_stack_wide_default_applies_to_both_opens(make_peer: MakePeer) -> None:
    for passive in (True, False):
        peer = make_peer(keepalive=True, keepalive_idle=16.0)
        peer.established(passive)
        assert brief(peer.after(16)) == PROBE


def test_probe_repeats_an_old_number_after_data_too(peer: Peer, connection: Connection) -> None:
    connection.send(b"abc", peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=4)
    assert brief(peer.after(7200)) == [". 3:3(0) ack 1"]
    assert brief(peer.send(".", seq=1, ack=4)) == []
    assert connection.status(peer.now).keepalive_probes == 0


def test_probe_of_a_half_closed_connection(peer: Peer, connection: Connection) -> None:
    connection.shutdown(peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=2)
    assert brief(peer.after(7200)) == [". 1:1(0) ack 1"]


def test_probe_towards_a_peer_that_closed(peer: Peer, connection: Connection) -> None:
    peer.send("F.", seq=1, ack=1)
    assert brief(peer.after(7200)) == [". 0:0(0) ack 2"]


def test_probe_has_a_timestamp_and_no_octet(make_peer: MakePeer) -> None:
    peer = make_peer(timestamps=True, keepalive=True)
    peer.established(ts=(1, 0))
    (probe,) = peer.after(7200)
    assert (probe.payload, probe.timestamp is not None) == (b"", True)


def test_one_unanswered_probe_proves_nothing(peer: Peer, connection: Connection) -> None:
    peer.after(7200)
    peer.after(75 - TICK)
    assert (connection.state, connection.error, connection.soft_error) == (State.ESTABLISHED, None, None)


def test_rst_that_answers_a_probe_ends_the_connection(peer: Peer, connection: Connection) -> None:
    peer.after(7200)
    peer.send("R", seq=1)
    assert isinstance(connection.error, errors.ConnectionResetError)


def test_window_probes_leave_keepalive_nothing_to_do(peer: Peer, connection: Connection) -> None:
    peer.send(".", seq=1, ack=1, wnd=0)
    connection.send(b"x", peer.now)
    for _ in range(200):
        peer.after(60)
        peer.send(".", seq=1, ack=1, wnd=0)
    assert connection.state is State.ESTABLISHED
    assert connection.status(peer.now).keepalive_probes == 0


def test_peer_that_answers_a_probe_of_ours_is_answered(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send(".", seq=0, ack=1)) == [". 1:1(0) ack 1"]
