"""A round-trip time from every ACK of new data, and none that might be of another copy (RFC 7323 section 4, Karn)."""

from __future__ import annotations

import pytest

from tcpcore import Connection
from tcpcore.conn import rtt
from tcpcore.conn.rtt import RttEstimator
from tcpcore.testing import Pair, Peer
from tests.tcpcore.conn.conftest import MakePeer


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every sample that was taken."""
    if not rtt.__file__.endswith(".py"):
        pytest.skip("the methods of compiled classes cannot be replaced")
    noted: list[float] = []
    take = RttEstimator.sample

    def sample(self: RttEstimator, rtt: float, expected: int = 1, late: float = 0.0) -> None:
        noted.append(rtt)
        take(self, rtt, expected, late)

    monkeypatch.setattr(RttEstimator, "sample", sample)
    return noted


def stamp(peer: Peer) -> int:
    """The TSval that the stack sends now."""
    return peer.stack.connections()[0].timestamp_clock(peer.now)


@pytest.fixture
def connection(peer: Peer, samples: list[float]) -> Connection:
    connection = peer.established(mss=100)
    samples.clear()
    return connection


def test_every_ack_of_new_data_is_a_sample(peer: Peer, connection: Connection, samples: list[float]) -> None:
    for _ in range(3):
        connection.send(bytes(100), peer.now)
        peer.answers()
        peer.now += 0.125
    peer.send(".", seq=1, ack=101)
    peer.now += 0.125
    peer.send(".", seq=1, ack=201)
    peer.send(".", seq=1, ack=301)
    assert samples == [0.375, 0.375, 0.25]


def test_ack_of_a_part_is_a_sample_too(peer: Peer, connection: Connection, samples: list[float]) -> None:
    connection.send(bytes(100), peer.now)
    peer.answers()
    for ack in (30, 60, 101):
        peer.now += 0.0625
        peer.send(".", seq=1, ack=ack)
    assert samples == [0.0625, 0.125, 0.1875]


def test_delayed_ack_is_timed_from_the_oldest_segment_and_the_path_by_the_newest(
    peer: Peer, connection: Connection, samples: list[float]
) -> None:
    connection.rtt.min_rtt = None
    for _ in range(2):
        connection.send(bytes(100), peer.now)
        peer.answers()
        peer.now += 0.125
    peer.send(".", seq=1, ack=201)
    assert samples == [0.25]
    assert connection.status(peer.now).min_rtt == 0.125


def test_ack_of_nothing_new_is_no_sample(peer: Peer, connection: Connection, samples: list[float]) -> None:
    connection.send(bytes(200), peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=1)
    peer.send(".", seq=1, ack=101)
    peer.send(".", seq=1, ack=101)
    assert samples == [0.0]


def test_nothing_is_kept_while_nothing_is_in_flight(peer: Peer, connection: Connection, samples: list[float]) -> None:
    assert connection.scoreboard is None
    connection.send(bytes(200), peer.now)
    peer.answers()
    assert connection.scoreboard is not None
    assert len(connection.scoreboard) == 1
    peer.send(".", seq=1, ack=201)
    assert connection.scoreboard is None


def test_end_forgets_what_was_in_flight(peer: Peer, connection: Connection, samples: list[float]) -> None:
    connection.send(bytes(200), peer.now)
    peer.answers()
    connection.abort(peer.now)
    assert connection.scoreboard is None


def test_ack_over_a_retransmitted_segment_is_no_sample(
    peer: Peer, connection: Connection, samples: list[float]
) -> None:
    """The segments behind the lost one had to wait for it: their times would be too long (Karn)."""
    connection.send(bytes(500), peer.now)
    peer.answers()
    for _ in range(3):
        peer.send(".", seq=1, ack=1)
    peer.now += 0.125
    peer.send(".", seq=1, ack=501)
    assert samples == []
    connection.send(bytes(100), peer.now)
    peer.answers()
    peer.now += 0.0625
    peer.send(".", seq=1, ack=601)
    assert samples == [0.0625]


def test_retransmitted_syn_is_not_timed_without_timestamps(peer: Peer) -> None:
    connection = peer.connect()
    peer.after(1)
    peer.send("S.", ack=1)
    assert connection.status(peer.now).srtt is None


def test_echoed_timestamp_times_a_retransmitted_syn(make_peer: MakePeer) -> None:
    peer = make_peer(timestamps=True)
    connection = peer.connect()
    peer.after(1)
    again = stamp(peer)
    peer.now += 0.125
    peer.send("S.", ack=1, mss=1460, ts=(1, again))
    assert connection.status(peer.now).srtt == 0.125


@pytest.fixture
def lost(make_peer: MakePeer, samples: list[float]) -> tuple[Peer, Connection]:
    """Timestamps, and a segment that was sent at second 0 and again at 0.25; the time is 0.5."""
    peer = make_peer(timestamps=True)
    connection = peer.established(mss=112, ts=(1, 0))
    connection.rtt.restart(0.25)
    samples.clear()
    connection.send(bytes(100), peer.now)
    peer.after(0.5)
    assert connection.segments_retransmitted == 1
    return peer, connection


@pytest.mark.parametrize(("sent", "expected"), [(0.0, []), (0.25, [0.25])])
def test_echo_tells_which_copy_was_acknowledged(
    lost: tuple[Peer, Connection], samples: list[float], sent: float, expected: list[float]
) -> None:
    """The first copy's is no sample: who lost our ACK echoes it again to the second, and the RTO would grow."""
    peer, connection = lost
    echo = connection.timestamp_clock(peer.now - 0.5 + sent)
    peer.send(".", seq=1, ack=101, ts=(2, echo))
    assert samples == expected


@pytest.mark.parametrize("wrong", [-600, -60_000, 5, 1 << 31])
def test_echo_of_what_was_not_sent_then_is_no_sample(
    lost: tuple[Peer, Connection], samples: list[float], wrong: int
) -> None:
    """Older than the octets it acknowledges, or of the future (milliseconds from now)."""
    peer, connection = lost
    peer.send(".", seq=1, ack=101, ts=(2, (stamp(peer) + wrong) & 0xFFFFFFFF))
    assert samples == []
    assert connection.in_flight == 0


def test_echo_that_does_not_advance_snd_una_is_no_sample(lost: tuple[Peer, Connection], samples: list[float]) -> None:
    peer, _ = lost
    peer.send(".", seq=1, ack=1, data=b"x", ts=(2, stamp(peer)))
    assert samples == []


def test_clock_may_wrap_between_segment_and_echo(make_peer: MakePeer, samples: list[float]) -> None:
    peer = make_peer(timestamps=True)
    connection = peer.established(mss=112, ts=(1, 0))
    connection.rtt.restart(0.25)
    connection.ts_offset -= stamp(peer) + 300  # TSval is 300 ms below 2**32
    samples.clear()
    connection.send(bytes(100), peer.now)
    peer.after(0.25)
    echo = stamp(peer)
    peer.now += 0.25
    assert stamp(peer) < echo
    peer.send(".", seq=1, ack=101, ts=(2, echo))
    assert samples == [0.25]


def test_samples_of_a_window_weigh_like_one(peer: Peer) -> None:
    """RFC 7323 appendix G: 16 segments in flight give 8 samples, each weighs an eighth."""
    connection = peer.established(mss=100)
    connection.rtt.srtt = connection.rtt.rttvar = 0.0
    connection.congestion.cwnd = 10_000
    connection.send(bytes(1600), peer.now)
    peer.answers()
    peer.now += 0.125
    peer.send(".", seq=1, ack=201)
    assert connection.status(peer.now).srtt == 0.125 / 8 / 8


def test_rtt_is_that_of_the_link() -> None:
    pair = Pair(latency=0.0625)
    a, b = pair.connect()
    pair.transfer(a, b, bytes(300_000))
    status = a.status(pair.now)
    assert status.min_rtt == 0.125
    assert status.srtt is not None
    assert 0.125 <= status.srtt < 0.13
