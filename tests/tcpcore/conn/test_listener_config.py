"""Settings of one listener or connection instead of the stack's, and what a full accept queue does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tcpcore import Config, State
from tcpcore.testing import PLAIN, Peer, brief
from tests.tcpcore.conn.conftest import MakePeer


def syn_from(peer: Peer, port: int) -> list[str]:
    peer.port, peer.iss = port, None
    return brief(peer.send("S"))


# A configuration of its own


def test_connections_have_the_configuration_of_their_listener(peer: Peer) -> None:
    listener = peer.listen(config=replace(PLAIN, mss=700, keepalive=True))
    (syn_ack,) = peer.send("S")
    assert syn_ack.mss == 700
    peer.send(".", seq=1, ack=1)
    connection = listener.accept()
    assert connection is not None
    assert connection.get_option("keepalive") is True
    assert peer.stack.config is peer.config


def test_listener_without_one_has_that_of_the_stack(peer: Peer) -> None:
    assert peer.listen().config is peer.config


def test_queue_limits_are_those_of_the_listener(peer: Peer) -> None:
    config = replace(PLAIN, somaxconn=3, syn_backlog=2, syn_cookies="never")
    status = peer.listen(backlog=100, config=config).status()
    assert (status.accept_queue_limit, status.half_open_limit) == (3, 2)
    for port in (1, 2, 3):
        syn_from(peer, port)
    assert [c.remote[1] for c in peer.stack.connections()] == [2, 3]


@pytest.mark.parametrize("timestamps", [False, True])
def test_cookies_follow_the_listener(peer: Peer, timestamps: bool) -> None:
    listener = peer.listen(config=replace(PLAIN, syn_cookies="always", timestamps=timestamps))
    (syn_ack,) = peer.send("S", mss=1000, ts=(5, 0))
    assert (syn_ack.timestamp is not None) == timestamps
    assert peer.stack.connections() == []
    echo: dict[str, Any] = {"ts": (6, syn_ack.timestamp)} if timestamps else {}
    peer.send(".", seq=1, ack=1, **echo)
    connection = listener.accept()
    assert connection is not None
    assert (connection.config is listener.config, connection.ts_on) == (True, timestamps)


def test_two_listeners_differ(peer: Peer) -> None:
    peer.listen(config=replace(PLAIN, mss=700))
    peer.stack.listen(81, config=replace(PLAIN, mss=800))
    assert [seg.mss for seg in peer.send("S")] == [700]
    peer.local_port, peer.iss = 81, None
    assert [seg.mss for seg in peer.send("S")] == [800]


def test_active_open_may_have_a_configuration(peer: Peer) -> None:
    connection = peer.stack.connect(
        ("192.0.2.9", 4000), peer.now, ("192.0.2.1", 80), config=replace(PLAIN, mss=700, syn_retries=0)
    )
    assert [seg.mss for seg in peer.answers()] == [700]
    peer.after(1)
    assert connection.state is State.CLOSED


# A full accept queue


def full(peer: Peer) -> None:
    """A listener with room for one, taken by port 4000; 4001 is half-open and its last ACK is due."""
    peer.stack.listen(80, backlog=1)
    syn_from(peer, 4001)
    late = peer.iss
    syn_from(peer, 4000)
    peer.send(".", seq=1, ack=1)
    peer.port, peer.iss = 4001, late


def test_last_ack_is_answered_with_rst_if_so_configured(make_peer: MakePeer) -> None:
    peer = make_peer(accept_overflow="reset")
    full(peer)
    assert brief(peer.send(".", seq=1, ack=1)) == ["R 1:1(0)"]
    assert [c.remote[1] for c in peer.stack.connections()] == [4000]
    (listener,) = peer.stack.listeners()
    status = listener.status()
    assert (status.half_open, status.accept_queue, status.accept_overflows, status.half_open_timeouts) == (0, 1, 1, 0)
    totals = peer.stack.statistics()
    assert (totals.tcp_listen_overflows, totals.tcp_attempt_fails, totals.tcp_out_rsts) == (1, 1, 1)
    assert (totals.tcp_passive_opens, totals.tcp_curr_estab) == (1, 1)


def test_last_ack_is_dropped_by_default(peer: Peer) -> None:
    full(peer)
    assert peer.send(".", seq=1, ack=1) == []
    (listener,) = peer.stack.listeners()
    assert (listener.status().half_open, listener.status().accept_overflows) == (1, 1)
    assert peer.stack.statistics().tcp_out_rsts == 0


def test_syn_is_dropped_in_either_case(make_peer: MakePeer) -> None:
    peer = make_peer(accept_overflow="reset")
    full(peer)
    assert syn_from(peer, 4002) == []


def test_ack_of_a_cookie_is_answered_with_rst_too(make_peer: MakePeer) -> None:
    peer = make_peer(accept_overflow="reset", syn_cookies="always")
    full(peer)
    assert brief(peer.send(".", seq=1, ack=1)) == ["R 1:1(0)"]
    assert peer.stack.statistics().tcp_listen_overflows == 1


def test_ack_of_a_cookie_is_dropped_by_default(make_peer: MakePeer) -> None:
    peer = make_peer(syn_cookies="always")
    full(peer)
    assert peer.send(".", seq=1, ack=1) == []


def test_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="accept_overflow"):
        Config(accept_overflow="explode")  # type: ignore[arg-type]


# Closing a listener


@pytest.mark.parametrize(
    ("segments", "state"),
    [
        ([], State.SYN_RECEIVED),
        ([{"flags": ".", "seq": 1}], State.ESTABLISHED),
        ([{"flags": ".", "seq": 1, "data": b"unread"}], State.ESTABLISHED),
        ([{"flags": "F.", "seq": 1}], State.CLOSE_WAIT),
    ],
)
def test_close_resets_what_nobody_accepted(peer: Peer, segments: list[dict[str, Any]], state: State) -> None:
    listener = peer.listen()
    peer.send("S")
    for segment in segments:
        peer.send(ack=1, **segment)
    assert [c.state for c in peer.stack.connections()] == [state]
    listener.close(peer.now)
    assert [text.split()[:2] for text in brief(peer.answers())] == [["R.", "1:1(0)"]]
    assert peer.stack.connections() == []
