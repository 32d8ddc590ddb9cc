"""Which timestamp is echoed, which is too old, and when none counts (RFC 7323 sections 4.3, 5.3 to 5.5)."""

from __future__ import annotations

import pytest

from tcpcore import Connection
from tcpcore.testing import Peer
from tests.tcpcore.conn.conftest import MakePeer

DAY = 86400.0
TOP = 1 << 32


@pytest.fixture
def peer(make_peer: MakePeer) -> Peer:
    return make_peer(timestamps=True)


@pytest.fixture
def connection(peer: Peer) -> Connection:
    return peer.established(mss=1012, ts=(100, 0))


def echoed(peer: Peer, connection: Connection) -> int:
    """TSecr of what we send now."""
    connection.send(b"x", peer.now)
    (seg,) = peer.answers()
    assert seg.timestamp_echo is not None
    return seg.timestamp_echo


def test_delayed_ack_echoes_the_first_segment_it_is_for(peer: Peer, connection: Connection) -> None:
    """(A) of section 4.3: the sender's RTO has to cover the delay."""
    peer.send(".", seq=1, ack=1, data=b"a", ts=(200, 0))
    peer.send(".", seq=2, ack=1, data=b"b", ts=(210, 0))
    assert [(seg.ack, seg.timestamp_echo) for seg in peer.after(0.0625)] == [(3, 200)]


def test_gap_keeps_the_echo_and_who_fills_it_is_echoed(peer: Peer, connection: Connection) -> None:
    """(B) and (C) of section 4.3."""
    peer.send(".", seq=1, ack=1, data=b"a", ts=(200, 0))
    peer.after(0.0625)
    assert [seg.timestamp_echo for seg in peer.send(".", seq=3, ack=1, data=b"c", ts=(220, 0))] == [200]
    assert [seg.timestamp_echo for seg in peer.send(".", seq=2, ack=1, data=b"b", ts=(210, 0))] == [210]
    assert [(seg.ack, seg.timestamp_echo) for seg in peer.send(".", seq=4, ack=1, data=b"d", ts=(230, 0))] == []
    assert [(seg.ack, seg.timestamp_echo) for seg in peer.after(0.0625)] == [(5, 230)]


def test_segment_that_repeats_what_waits_for_its_ack_is_echoed(peer: Peer, connection: Connection) -> None:
    """SEG.SEQ <= Last.ACK.sent counts as it arrives, not as it is trimmed."""
    peer.send(".", seq=1, ack=1, data=b"a", ts=(200, 0))
    assert [(seg.ack, seg.timestamp_echo) for seg in peer.send(".", seq=1, ack=1, data=b"ab", ts=(250, 0))] == [
        (3, 250)
    ]


def test_segment_outside_the_window_is_not_echoed(peer: Peer, connection: Connection) -> None:
    peer.send(".", seq=1, ack=1, data=b"a", ts=(200, 0))
    peer.after(0.0625)
    (seg,) = peer.send(".", seq=1, ack=1, data=b"a", ts=(300, 0))
    assert seg.timestamp_echo == 200


def test_reset_that_does_not_count_leaves_ts_recent(make_peer: MakePeer) -> None:
    """PAWS spares a RST; in TIME-WAIT with RFC 1337 it has no other effect either."""
    peer = make_peer(timestamps=True, rfc1337=True)
    connection = peer.established(mss=1012, ts=(100, 0))
    connection.shutdown(peer.now)
    peer.answers()
    peer.send("F.", seq=1, ack=2, ts=(200, 0))
    peer.send("R", seq=2, ts=(50, 0))
    assert (str(connection.state), connection.ts_recent) == ("TIME-WAIT", 200)


def test_equal_timestamp_is_new_enough(peer: Peer, connection: Connection) -> None:
    peer.send(".", seq=1, ack=1, data=b"a", ts=(100, 0))
    assert connection.receive(9, peer.now) == b"a"


def test_clock_of_the_peer_may_wrap(peer: Peer) -> None:
    connection = peer.established(mss=1012, ts=(TOP - 10, 0))
    peer.send(".", seq=1, ack=1, data=b"a", ts=(5, 0))
    assert connection.receive(9, peer.now) == b"a"
    assert echoed(peer, connection) == 5
    peer.send(".", seq=2, ack=1, data=b"old", ts=(TOP - 5, 0))
    assert connection.receive(9, peer.now) is None
    assert connection.paws_drops == 1


@pytest.mark.parametrize("step", [(1 << 31) - 1, 1 << 31, (1 << 31) + 5, TOP - 1])
def test_after_25_days_any_timestamp_is_taken_and_compared_with_from_then_on(
    peer: Peer, connection: Connection, step: int
) -> None:
    """Section 5.5: TS.Recent is too old; the segment that shows it becomes TS.Recent."""
    peer.after(25 * DAY)
    new = (100 + step) % TOP
    peer.send(".", seq=1, ack=1, data=b"new", ts=(new, 0))
    assert connection.receive(9, peer.now) == b"new"
    assert echoed(peer, connection) == new
    peer.send(".", seq=4, ack=1, data=b"old", ts=((new - 1) % TOP, 0))
    assert connection.receive(9, peer.now) is None
    peer.send(".", seq=4, ack=1, data=b"next", ts=((new + 1) % TOP, 0))
    assert connection.receive(9, peer.now) == b"next"


def test_traffic_keeps_ts_recent_alive(peer: Peer, connection: Connection) -> None:
    """Not its value but when it was last confirmed counts."""
    for _ in range(30):
        peer.after(DAY)
        peer.send(".", seq=1, ack=1, ts=(100, 0))
    peer.send(".", seq=1, ack=1, data=b"old", ts=(99, 0))
    assert connection.receive(9, peer.now) is None


def test_clocks_of_connections_are_unrelated_and_that_of_a_pair_goes_on(make_peer: MakePeer) -> None:
    """Section 5.4: an offset of its own for each pair of ends, the same when the pair meets again (RFC 6191)."""

    def offsets(address: str, port: int) -> int:
        peer = make_peer(timestamps=True)
        return peer.stack.connect((address, port), peer.now, ("192.0.2.1", 4000)).ts_offset

    assert offsets("192.0.2.9", 80) == offsets("192.0.2.9", 80)
    assert len({offsets("192.0.2.9", 80), offsets("192.0.2.9", 81), offsets("192.0.2.8", 80)}) == 3
