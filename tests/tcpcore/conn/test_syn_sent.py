"""SYN-SENT (RFC 9293 section 3.10.7.3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tcpcore import Ready, Stack, State, errors
from tcpcore.testing import Pair, Peer, brief
from tcpcore.wire.tcp import SYN


def test_open_sends_a_syn(peer: Peer) -> None:
    connection = peer.stack.connect(("192.0.2.9", 4000), peer.now, ("192.0.2.1", 80))
    assert brief(peer.answers()) == ["S 0:0(0)"]
    assert connection.state is State.SYN_SENT


def test_syn_ack_establishes(peer: Peer) -> None:
    connection = peer.connect()
    assert brief(peer.send("S.", ack=1)) == [". 1:1(0) ack 1"]
    assert connection.state is State.ESTABLISHED
    assert connection.take_ready() & (Ready.CONNECTED | Ready.WRITABLE) == Ready.CONNECTED | Ready.WRITABLE


def test_syn_ack_with_data_delivers_it(peer: Peer) -> None:
    connection = peer.connect()
    assert brief(peer.send("S.", ack=1, data=b"hi")) == [". 1:1(0) ack 3"]
    assert connection.receive(10, peer.now) == b"hi"


def test_syn_ack_with_fin_leads_to_close_wait(peer: Peer) -> None:
    connection = peer.connect()
    assert brief(peer.send("SF.", ack=1)) == [". 1:1(0) ack 2"]
    assert connection.state is State.CLOSE_WAIT


@pytest.mark.parametrize("ack", [0, 2])
def test_unacceptable_ack_is_answered_with_rst(peer: Peer, ack: int) -> None:
    connection = peer.connect()
    assert brief(peer.send("S.", ack=ack)) == [f"R {ack}:{ack}(0)"]
    assert connection.state is State.SYN_SENT


@pytest.mark.parametrize("ack", [0, 2])
def test_unacceptable_ack_with_rst_is_ignored(peer: Peer, ack: int) -> None:
    connection = peer.connect()
    assert peer.send("R.", ack=ack) == []
    assert connection.state is State.SYN_SENT


def test_rst_with_our_ack_refuses_the_connection(peer: Peer) -> None:
    connection = peer.connect()
    assert peer.send("R.", ack=1) == []
    assert connection.state is State.CLOSED
    assert connection.take_ready() & Ready.ERROR
    with pytest.raises(errors.ConnectionRefusedError):
        connection.receive(1, peer.now)


def test_rst_without_ack_is_ignored(peer: Peer) -> None:
    connection = peer.connect()
    peer.send("R")
    assert connection.state is State.SYN_SENT


def test_ack_without_syn_is_ignored(peer: Peer) -> None:
    connection = peer.connect()
    assert peer.send(".", ack=1) == []
    assert connection.state is State.SYN_SENT


def test_data_queued_before_the_handshake_leaves_with_it(peer: Peer) -> None:
    connection = peer.connect()
    assert connection.send(b"first", peer.now) == 5
    assert peer.answers() == []
    assert brief(peer.send("S.", ack=1)) == ["P. 1:6(5) ack 1"]


def test_syn_alone_opens_simultaneously(peer: Peer) -> None:
    connection = peer.connect()
    assert brief(peer.send("S")) == ["S. 0:0(0) ack 1"]
    peer.send(".", seq=1, ack=1)
    assert connection.state is State.ESTABLISHED


def test_two_stacks_that_open_simultaneously_meet() -> None:
    pair = Pair(latency=0.125)
    a = pair.a.connect(("192.0.2.2", 80), pair.now, ("192.0.2.1", 80))
    b = pair.b.connect(("192.0.2.1", 80), pair.now, ("192.0.2.2", 80))
    pair.run(0.5)
    assert (a.state, b.state) == (State.ESTABLISHED, State.ESTABLISHED)
    pair.run(10)
    assert a.segments_in <= 4


def test_close_deletes_the_connection_silently(peer: Peer) -> None:
    connection = peer.connect()
    connection.close(peer.now)
    assert peer.answers() == []
    assert connection.state is State.CLOSED
    assert peer.stack.connections() == []


def test_abort_sends_no_rst(peer: Peer) -> None:
    connection = peer.connect()
    connection.abort(peer.now)
    assert peer.answers() == []
    with pytest.raises(errors.ConnectionAbortedError):
        connection.send(b"x", peer.now)


def test_syn_is_retransmitted_after_one_second(peer: Peer) -> None:
    peer.connect()
    assert peer.after(1 - 1 / 1024) == []
    assert brief(peer.after(1 / 1024)) == ["S 0:0(0)"]


def test_syn_is_retransmitted_for_three_minutes_at_least(peer: Peer) -> None:
    connection = peer.connect()
    start, waits = peer.now, []
    while (deadline := peer.stack.next_deadline()) is not None:
        waits.append(deadline - peer.now)
        assert all(seg.flags == SYN for seg in peer.after(waits[-1]))
    assert waits[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert peer.now - start >= 180
    assert isinstance(connection.error, errors.ConnectionTimeoutError)


@pytest.mark.parametrize("address", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "192.0.2.255", "ff02::1", "::"])
def test_open_to_an_address_that_is_no_host_is_refused(address: str) -> None:
    with pytest.raises(errors.AddressError):
        Pair().a.connect((address, 80), 0.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda stack: stack.connect(("192.0.2.9", 0), 0.0),
        lambda stack: stack.connect(("nonsense", 80), 0.0),
        lambda stack: stack.connect(("2001:db8::9", 80), 0.0),
        lambda stack: stack.connect(("192.0.2.9", 80), 0.0, ("192.0.2.77", 0)),
    ],
)
def test_open_with_a_wrong_address_is_refused(peer: Peer, call: Callable[[Stack], object]) -> None:
    with pytest.raises(errors.AddressError):
        call(peer.stack)


def test_open_across_families_is_refused() -> None:
    with pytest.raises(errors.AddressError):
        Pair().a.connect(("2001:db8::2", 80), 0.0, ("192.0.2.1", 0))


def test_second_open_of_the_same_pair_is_refused(peer: Peer) -> None:
    peer.connect()
    with pytest.raises(errors.AddressInUseError):
        peer.connect()


def test_open_beyond_the_table_is_refused(make_peer: Callable[..., Peer]) -> None:
    peer = make_peer(max_connections=1)
    peer.connect()
    with pytest.raises(errors.InsufficientResourcesError):
        peer.stack.connect(("192.0.2.9", 4001), peer.now)


def test_local_address_is_chosen_for_the_peer() -> None:
    pair = Pair()
    assert pair.a.connect(("192.0.2.2", 80), 0.0).local[0] == "192.0.2.1"
    assert pair.a.connect(("2001:db8::2", 80), 0.0).local[0] == "2001:db8::1"
    assert pair.a.connect(("203.0.113.1", 80), 0.0).local[0] == "192.0.2.1"
