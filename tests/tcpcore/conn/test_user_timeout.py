"""The user timeout option in a connection (RFC 5482): advertised, and adapted to if the user lets it."""

from __future__ import annotations

import pytest

from tcpcore import Config, Connection, State, errors
from tcpcore.testing import Pair, Peer
from tests.tcpcore.conn.conftest import MakePeer

TICK = 1 / 1024


def in_force(peer: Peer, connection: Connection) -> tuple[float | None, float | None]:
    status = connection.status(peer.now)
    return status.user_timeout, status.remote_user_timeout


def test_it_is_not_advertised_unless_asked_for(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=200.0)
    peer.listen()
    assert [seg.user_timeout for seg in peer.send("S")] == [None]


def test_nothing_is_advertised_without_a_timeout(make_peer: MakePeer) -> None:
    peer = make_peer(advertise_user_timeout=True)
    peer.listen()
    assert [seg.user_timeout for seg in peer.send("S")] == [None]
    assert peer.send(".", seq=1, ack=1) == []


def test_syn_and_the_segment_after_it_advertise(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=200.0, advertise_user_timeout=True)
    peer.stack.connect(("192.0.2.9", peer.port), peer.now, ("192.0.2.1", 80))
    assert [seg.user_timeout for seg in peer.answers()] == [200]
    (ack,) = peer.send("S.", ack=1)
    assert (ack.user_timeout, len(ack.payload)) == (200, 0)


def test_syn_ack_and_the_segment_after_it_advertise(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=200.0, advertise_user_timeout=True)
    listener = peer.listen()
    assert [seg.user_timeout for seg in peer.send("S")] == [200]
    assert [seg.user_timeout for seg in peer.send(".", seq=1, ack=1)] == [200]
    connection = listener.accept()
    assert connection is not None
    connection.send(b"text", peer.now)
    assert [seg.user_timeout for seg in peer.answers()] == [None]


def test_it_fits_beside_every_other_option() -> None:
    config = Config(user_timeout=200.0, advertise_user_timeout=True, adapt_user_timeout=True)
    pair = Pair(config, latency=0.01)
    a, b = pair.connect()
    data = bytes(range(256)) * 100
    assert pair.transfer(a, b, data) == data
    assert [end.status(pair.now).remote_user_timeout for end in (a, b)] == [200, 200]


def test_change_is_advertised_at_once_and_apart_from_text(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=200.0, advertise_user_timeout=True)
    connection = peer.established(mss=1460)
    connection.send(bytes(2920), peer.now)
    connection.set_option("user_timeout", 300.0, peer.now)
    answers = peer.answers()
    assert [(len(seg.payload), seg.user_timeout) for seg in answers] == [(0, 300), (1460, None), (1460, None)]


def test_advertising_can_be_switched_on_live(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=200.0)
    connection = peer.established()
    connection.set_option("advertise_user_timeout", True, peer.now)
    assert [seg.user_timeout for seg in peer.answers()] == [200]
    connection.set_option("advertise_user_timeout", False, peer.now)
    assert peer.answers() == []


def test_peers_advertisement_is_ignored_but_shown_by_default(peer: Peer) -> None:
    connection = peer.established(uto=500)
    assert in_force(peer, connection) == (None, 500)


@pytest.mark.parametrize(
    ("ours", "remote", "effective"),
    [
        (None, 500, 500),
        (None, 50, 100.0),
        (None, 10_000, 3600.0),
        (700.0, 500, 700.0),
        (300.0, 500, 500),
        (9e3, 1, 3600.0),
    ],
)
def test_rule_of_section_3_1(make_peer: MakePeer, ours: float | None, remote: int, effective: float) -> None:
    peer = make_peer(adapt_user_timeout=True, user_timeout=ours)
    connection = peer.established(uto=remote)
    assert in_force(peer, connection) == (effective, remote)


def test_later_segment_may_change_it(make_peer: MakePeer) -> None:
    peer = make_peer(adapt_user_timeout=True)
    connection = peer.established(uto=500)
    peer.send(".", seq=1, ack=1, uto=600)
    assert in_force(peer, connection) == (600, 600)


def test_active_open_takes_it_from_the_syn_ack(make_peer: MakePeer) -> None:
    peer = make_peer(adapt_user_timeout=True)
    connection = peer.established(passive=False, uto=500)
    assert in_force(peer, connection) == (500, 500)


@pytest.mark.parametrize(("seq", "ack"), [(-5, 1), (70_000, 1), (1, 99)])
def test_option_of_an_unacceptable_segment_is_ignored(make_peer: MakePeer, seq: int, ack: int) -> None:
    peer = make_peer(adapt_user_timeout=True)
    connection = peer.established()
    peer.send(".", seq=seq, ack=ack, uto=600)
    assert in_force(peer, connection) == (None, None)


def test_adapted_timeout_counts_for_data_on_its_way(make_peer: MakePeer) -> None:
    peer = make_peer(adapt_user_timeout=True)
    connection = peer.established()
    connection.send(b"x", peer.now)
    peer.after(10)
    peer.send(".", seq=1, ack=1, uto=128)
    peer.after(118 - TICK)
    assert connection.state is State.ESTABLISHED
    peer.after(TICK)
    assert isinstance(connection.error, errors.ConnectionTimeoutError)


def test_adapted_timeout_outlasts_r2(make_peer: MakePeer) -> None:
    peer = make_peer(adapt_user_timeout=True, retries=4)
    connection = peer.established(uto=1000)
    connection.send(b"x", peer.now)
    peer.after(1000 - TICK)
    assert connection.error is None
    peer.after(TICK)
    assert isinstance(connection.error, errors.ConnectionTimeoutError)


def test_own_timeout_does_not_outlast_r2(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=1000.0, retries=4)
    connection = peer.established(uto=1000)
    connection.send(b"x", peer.now)
    peer.after(30)
    assert connection.state is State.CLOSED


def test_it_ends_an_attempt_without_rst(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=8.0)
    connection = peer.connect()
    assert len(peer.after(8 - TICK)) == 3
    assert connection.state is State.SYN_SENT
    assert peer.after(TICK) == []
    assert str(connection.error) == "data stayed unacknowledged for 8.0 s"


def test_it_begins_anew_once_the_connection_is_open(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=8.0)
    connection = peer.connect()
    peer.after(5)
    peer.send("S.", ack=1)
    assert peer.after(100) == []
    connection.send(b"x", peer.now)
    peer.after(8 - TICK)
    assert connection.error is None
    peer.after(TICK)
    assert isinstance(connection.error, errors.ConnectionTimeoutError)


def test_half_open_connections_have_their_own_limit(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=8.0)
    peer.listen()
    peer.send("S")
    peer.after(30)
    assert len(peer.stack.connections()) == 1


def test_adapting_can_be_switched_live(make_peer: MakePeer) -> None:
    peer = make_peer(user_timeout=200.0)
    connection = peer.established(uto=500)
    connection.set_option("adapt_user_timeout", True, peer.now)
    assert in_force(peer, connection) == (500, 500)
    connection.set_option("user_timeout_max", 400.0, peer.now)
    assert in_force(peer, connection) == (400.0, 500)
    connection.set_option("adapt_user_timeout", False, peer.now)
    assert in_force(peer, connection) == (200.0, 500)


@pytest.mark.parametrize("wrong", [{"user_timeout": 0.0}, {"user_timeout_min": 0.0}, {"user_timeout_min": 4000.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="user_timeout"):
        Config(**wrong)  # type: ignore[arg-type]
