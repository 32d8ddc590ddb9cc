"""The receive buffer grows with what the user reads, within its limits (RFC 7323 section 2, RFC 9293 SHLD-14)."""

from __future__ import annotations

from typing import Any

import pytest

from tcpcore import Config, Connection, LinkCapabilities
from tcpcore.testing import Pair, Peer
from tests.tcpcore.conn.conftest import MakePeer

KIB = 1 << 10
MIB = 1 << 20
TUNED: dict[str, Any] = {
    "receive_buffer": None, "receive_buffer_initial": 64 * KIB, "max_receive_buffer": MIB, "window_scaling": True,
}  # fmt: skip
LARGE = LinkCapabilities(mtu=9000, checksum_offload=True, segmentation_offload=True)


def transfer_time(receive_buffer: int | None, timestamps: bool) -> tuple[float, Connection]:
    """Seconds that 20 MB take with a round-trip time of 0.1 s; and the end that read them."""
    pair = Pair(Config(receive_buffer=receive_buffer, timestamps=timestamps), latency=0.05, capabilities=LARGE)
    active, passive = pair.connect()
    start, data = pair.now, bytes(20_000_000)
    assert len(pair.transfer(active, passive, data)) == len(data)
    return pair.now - start, passive


@pytest.mark.parametrize("timestamps", [True, False])
def test_long_fat_pipe_fills(timestamps: bool) -> None:
    fixed, _ = transfer_time(256 * KIB, timestamps)
    largest, _ = transfer_time(16 * MIB, timestamps)
    tuned, passive = transfer_time(None, timestamps)
    assert fixed > 7.5
    assert tuned <= largest + 0.2
    assert 4 * MIB <= passive.receive_buffer <= 16 * MIB


@pytest.fixture
def peer(make_peer: MakePeer) -> Peer:
    return make_peer(**TUNED)


def flow(peer: Peer, connection: Connection, seconds: float, times: int, at: int = 1) -> int:
    """Half a buffer, read at once, so many times; ``seconds`` pass between. Where the next octet goes."""
    for _ in range(times):
        for _ in range(connection.receive_buffer // 2 // KIB):
            peer.stack.receive(peer.packet(0x10, at, 1, bytes(KIB), 65535), peer.now)
            at += KIB
        while connection.receive(MIB, peer.now):
            pass
        peer.answers()
        peer.after(seconds)
    return at


def established(peer: Peer, rtt: float) -> Connection:
    """A connection whose handshake took so long."""
    listener = peer.listen()
    peer.send("S", mss=1460, wscale=7)
    peer.after(rtt)
    peer.send(".", seq=1, ack=1)
    connection = listener.accept()
    assert connection is not None
    return connection


def test_half_a_buffer_in_a_round_trip_doubles_it(peer: Peer) -> None:
    connection = established(peer, 0.125)
    flow(peer, connection, 0.125, 2)
    assert connection.receive_buffer == 64 * KIB  # all of the first one is read before anything is measured
    flow(peer, connection, 0.125, 1, at=1 + 64 * KIB)
    assert connection.receive_buffer == 128 * KIB
    status = connection.status(peer.now)
    assert (status.receive_buffer, status.receive_buffer_tuned) == (128 * KIB, True)
    assert status.rcv_wnd > 64 * KIB


def test_half_a_buffer_in_more_does_not(peer: Peer) -> None:
    connection = established(peer, 0.125)
    flow(peer, connection, 0.1875, 10)
    assert connection.receive_buffer == 64 * KIB


def test_nobody_reads_and_nothing_grows(peer: Peer) -> None:
    connection = established(peer, 0.125)
    for number in range(64):
        peer.send(".", seq=1 + number * KIB, ack=1, data=bytes(KIB))
    assert connection.receive_buffer == 64 * KIB
    assert connection.status(peer.now).rcv_wnd == 0


def test_growth_ends_at_the_largest_buffer(peer: Peer) -> None:
    connection = established(peer, 0.125)
    flow(peer, connection, 0.0, 20)
    assert connection.receive_buffer == MIB
    assert peer.stack.statistics().receive_grown == MIB - 64 * KIB


def test_scale_of_the_window_is_that_of_the_largest_buffer(make_peer: MakePeer) -> None:
    for largest, shift in ((65535, 0), (MIB, 5), (16 * MIB, 9), (1 << 30, 14)):
        peer = make_peer(**(TUNED | {"max_receive_buffer": largest, "receive_buffer_initial": 65535}))
        assert established(peer, 0.0).rcv_wscale == shift


def test_echoed_timestamp_is_the_round_trip(make_peer: MakePeer) -> None:
    """The handshake took 0.125 s; since then the path became longer."""
    peer = make_peer(**TUNED, timestamps=True)
    connection = peer.established(mss=1460, wscale=7, ts=(1, 0))
    connection.rtt.srtt = 0.125
    at = 1
    for number in range(4):
        echo = connection.timestamp_clock(peer.now - 1.0)
        for _ in range(32):
            peer.stack.receive(peer.packet(0x10, at, 1, bytes(KIB), 65535, ts=(2 + number, echo)), peer.now)
            at += KIB
        while connection.receive(MIB, peer.now):
            pass
        peer.after(0.75)
    assert connection.receive_buffer == 128 * KIB


def test_number_is_exact_and_live(peer: Peer) -> None:
    connection = established(peer, 0.125)
    at = flow(peer, connection, 0.0, 2)
    connection.set_option("receive_buffer", 200_000, peer.now)
    assert peer.stack.statistics().receive_grown == 0
    at = flow(peer, connection, 0.0, 5, at)
    status = connection.status(peer.now)
    assert (status.receive_buffer, status.receive_buffer_tuned) == (200_000, False)
    assert connection.get_option("receive_buffer") == 200_000
    connection.set_option("receive_buffer", None, peer.now)
    flow(peer, connection, 0.0, 3, at)
    assert connection.receive_buffer > 200_000


def test_configured_number_is_exact(make_peer: MakePeer) -> None:
    peer = make_peer(**(TUNED | {"receive_buffer": 64 * KIB}))
    connection = established(peer, 0.125)
    flow(peer, connection, 0.0, 10)
    assert connection.receive_buffer == 64 * KIB


def test_smaller_number_takes_nothing_back(peer: Peer) -> None:
    connection = established(peer, 0.125)
    flow(peer, connection, 0.0, 3)
    edge = connection.rcv_adv
    connection.set_option("receive_buffer", 1000, peer.now)
    peer.send(".", seq=1, ack=1)
    assert connection.rcv_adv == edge


def test_stack_limits_all_growth_together(make_peer: MakePeer) -> None:
    peer = make_peer(**TUNED, receive_memory=100 * KIB)
    first = established(peer, 0.125)
    flow(peer, first, 0.0, 5)
    totals = peer.stack.statistics()
    assert first.receive_buffer == 128 * KIB
    assert (totals.receive_grown, totals.receive_memory_limited) == (64 * KIB, 3)
    first.abort(peer.now)
    assert peer.stack.statistics().receive_grown == 0


def test_time_wait_gives_growth_back(peer: Peer) -> None:
    connection = established(peer, 0.125)
    at = flow(peer, connection, 0.0, 3)
    assert peer.stack.statistics().receive_grown > 0
    connection.shutdown(peer.now)
    peer.answers()
    peer.send("F.", seq=at, ack=2)
    assert str(connection.state) == "TIME-WAIT"
    assert peer.stack.statistics().receive_grown == 0


@pytest.mark.parametrize(
    "wrong",
    [{"receive_buffer": 0}, {"receive_buffer_initial": 0}, {"max_receive_buffer": 1 << 31}, {"receive_memory": -1}],
)
def test_impossible_sizes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)


def test_buffer_does_not_grow_beyond_what_the_window_can_tell(peer: Peer) -> None:
    connection = peer.established(mss=1460)
    assert connection.rcv_wscale is None
    flow(peer, connection, 0.0, 10)
    assert connection.receive_buffer == 64 * KIB
