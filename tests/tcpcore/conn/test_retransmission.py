"""Retransmission (RFC 6298), fast retransmit and recovery (RFC 5681, 6582), giving up (RFC 9293 section 3.8.3)."""

from __future__ import annotations

import pytest

from tcpcore import Config, Connection, State, errors
from tcpcore.testing import Peer, brief
from tcpcore.wire.tcp import ACK
from tests.tcpcore.conn.conftest import MakePeer

TICK = 1 / 1024


def text(first: int, last: int | None = None, flags: str = ".") -> str:
    """Segments of 100 bytes, counted from 0."""
    return f"{flags} {first * 100 + 1}:{(last or first + 1) * 100 + 1}(100) ack 1"


@pytest.fixture
def ten(peer: Peer) -> Connection:
    """A connection with ten segments of 100 bytes in flight."""
    connection = peer.established(mss=100)
    connection.send(bytes(1000), peer.now)
    assert len(peer.answers()) == 10
    return connection


def test_initial_rto_is_1_second() -> None:
    assert Config().initial_rto == 1.0


def test_data_is_retransmitted_after_the_rto_doubling(peer: Peer, ten: Connection) -> None:
    for wait in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0):
        assert peer.after(wait - TICK) == []
        assert brief(peer.after(TICK)) == [text(0)]
    assert ten.status(peer.now).retransmissions == 9


def test_timeout_shrinks_the_window_to_one_segment(peer: Peer, ten: Connection) -> None:
    peer.after(0.25)
    status = ten.status(peer.now)
    assert (status.cwnd, status.ssthresh, status.congestion_state) == (100, 500, "loss")
    assert brief(peer.send(".", seq=1, ack=101)) == [text(1), text(2)]


def test_retries_give_the_connection_up_with_rst(make_peer: MakePeer) -> None:
    peer = make_peer(retries=2)
    connection = peer.established()
    connection.send(b"x", peer.now)
    peer.answers()
    assert len(peer.after(0.25 + 0.5)) == 2
    assert peer.after(1 - TICK) == []
    assert brief(peer.after(TICK)) == ["R. 2:2(0) ack 1"]
    with pytest.raises(errors.ConnectionTimeoutError):
        connection.receive(1, peer.now)


def test_default_retries_last_for_100_seconds_at_least(peer: Peer) -> None:
    connection = peer.established()
    connection.send(b"x", peer.now)
    peer.after(100)
    assert connection.state is State.ESTABLISHED


def test_user_timeout_gives_up_at_its_time(peer: Peer) -> None:
    connection = peer.established()
    connection.set_option("user_timeout", 4.0, peer.now)
    connection.send(b"x", peer.now)
    peer.after(4 - TICK)
    assert connection.error is None
    assert brief(peer.after(TICK)) == ["R. 2:2(0) ack 1"]
    assert isinstance(connection.error, errors.ConnectionTimeoutError)


def test_user_timeout_begins_anew_with_progress(peer: Peer) -> None:
    connection = peer.established()
    connection.set_option("user_timeout", 4.0, peer.now)
    connection.send(b"ab", peer.now)
    peer.after(3)
    peer.send(".", seq=1, ack=2)
    peer.after(4 - TICK)
    assert connection.error is None
    peer.after(TICK)
    assert connection.error is not None


def test_user_timeout_set_late_counts_from_the_data(peer: Peer) -> None:
    connection = peer.established()
    connection.send(b"x", peer.now)
    peer.after(3)
    connection.set_option("user_timeout", 4.0, peer.now)
    peer.answers()
    peer.after(1 - TICK)
    assert connection.error is None
    peer.after(TICK)
    assert connection.error is not None


def test_no_rtt_is_taken_from_retransmitted_data(peer: Peer) -> None:
    connection = peer.established()
    connection.send(b"x", peer.now)
    peer.after(0.25)
    srtt = connection.status(peer.now).srtt
    peer.after(0.125)
    peer.send(".", seq=1, ack=2)
    assert connection.status(peer.now).srtt == srtt


def test_back_off_stays_until_new_data_is_timed(peer: Peer) -> None:
    connection = peer.established()
    connection.send(b"x", peer.now)
    peer.after(0.25)
    peer.send(".", seq=1, ack=2)
    assert connection.status(peer.now).rto == 0.5
    connection.send(b"y", peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=3)
    assert connection.status(peer.now).rto == 0.25


def test_rto_is_3_seconds_after_a_retransmitted_syn(peer: Peer) -> None:
    connection = peer.connect()
    peer.after(1)
    peer.send("S.", ack=1)
    assert connection.status(peer.now).rto == 3.0


def test_third_duplicate_ack_retransmits_at_once(peer: Peer, ten: Connection) -> None:
    assert peer.send(".", seq=1, ack=1) == []
    assert peer.send(".", seq=1, ack=1) == []
    assert brief(peer.send(".", seq=1, ack=1)) == [text(0)]
    status = ten.status(peer.now)
    assert (status.ssthresh, status.cwnd, status.congestion_state) == (500, 700, "fast recovery")
    assert status.duplicate_acks_in == 3


def test_ack_with_another_window_is_no_duplicate(peer: Peer, ten: Connection) -> None:
    for wnd in (60_000, 61_000, 62_000, 63_000):
        assert peer.send(".", seq=1, ack=1, wnd=wnd) == []


def test_partial_ack_retransmits_the_next_hole(peer: Peer, ten: Connection) -> None:
    for _ in range(3):
        peer.send(".", seq=1, ack=1)
    assert brief(peer.send(".", seq=1, ack=301)) == [text(3)]
    assert ten.status(peer.now).congestion_state == "fast recovery"


def test_full_ack_ends_recovery(peer: Peer, ten: Connection) -> None:
    for _ in range(3):
        peer.send(".", seq=1, ack=1)
    assert peer.send(".", seq=1, ack=1001) == []
    status = ten.status(peer.now)
    assert (status.congestion_state, status.cwnd) == ("congestion avoidance", 500)


def test_first_duplicates_let_new_data_out(peer: Peer, ten: Connection) -> None:
    ten.send(bytes(1000), peer.now)
    assert [brief(peer.send(".", seq=1, ack=1)) for _ in range(3)] == [[text(10)], [text(11)], [text(0)]]


def test_recovery_ends_with_ssthresh_in_flight(peer: Peer, ten: Connection) -> None:
    ten.send(bytes(1000), peer.now)
    for _ in range(3):
        peer.send(".", seq=1, ack=1)
    assert ten.status(peer.now).ssthresh == 500
    for _ in range(9):
        peer.send(".", seq=1, ack=1)
    assert ten.pipe == 500


def test_duplicates_after_a_timeout_do_not_retransmit(peer: Peer, ten: Connection) -> None:
    peer.after(0.25)
    assert [brief(peer.send(".", seq=1, ack=1)) for _ in range(4)] == [[]] * 4


def test_slow_start_doubles_and_congestion_avoidance_adds(peer: Peer) -> None:
    connection = peer.established(mss=100)
    connection.send(bytes(10_000), peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=1001)
    assert connection.status(peer.now).cwnd == 2000
    connection.congestion.ssthresh = 2000
    peer.send(".", seq=1, ack=3001)
    assert connection.status(peer.now).cwnd == 2100


def test_timestamps_time_retransmitted_data_too(make_peer: MakePeer) -> None:
    peer = make_peer(timestamps=True)
    connection = peer.established(ts=(1, 0))
    connection.send(b"x", peer.now)
    peer.after(0.25)
    (again,) = peer.after(0.5)
    assert again.timestamp is not None
    peer.now += 0.5
    peer.send(".", seq=1, ack=2, ts=(2, again.timestamp))
    srtt = connection.status(peer.now).srtt
    assert srtt is not None
    assert 0.05 < srtt < 0.07


def test_acks_of_a_batch_grow_a_window_that_was_used(peer: Peer, ten: Connection) -> None:
    """Nothing leaves between them: the second one finds less in flight than the window lets out."""
    ten.congestion.ssthresh = 1000
    ten.send(bytes(5000), peer.now)
    for ack in (501, 1001):
        peer.stack.receive(peer.packet(ACK, 1, ack, b"", 65535), peer.now)
    peer.answers()
    assert ten.status(peer.now).cwnd == 1100
