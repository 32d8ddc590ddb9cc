"""What hinders a connection is told to its user: R1 and ICMP (RFC 9293 sections 3.8.3, 3.9.1.8 and 3.9.2.2)."""

from __future__ import annotations

import pytest

from tcpcore import Config, Connection, Ready, State, errors
from tcpcore.testing import PEER_ADDRESS, STACK_ADDRESS, Peer, tcp_packet
from tcpcore.wire import icmp
from tcpcore.wire.ip import build_ipv4_header
from tcpcore.wire.ippacket import ICMP
from tcpcore.wire.tcp import ACK
from tests.tcpcore.conn.conftest import MakePeer

TICK = 1 / 1024


def unreachable(peer: Peer, connection: Connection) -> None:
    quoted = tcp_packet(
        80, peer.port, connection.snd_una & 0xFFFFFFFF, 0, ACK, 0, 0, b"", b"", STACK_ADDRESS, PEER_ADDRESS
    )
    body = icmp.build(4, PEER_ADDRESS, STACK_ADDRESS, icmp.DESTINATION_UNREACHABLE, 1, 0, quoted[:28])
    peer.stack.receive(bytes(build_ipv4_header(PEER_ADDRESS, STACK_ADDRESS, ICMP, len(body), 1)) + body, peer.now)


def advised(connection: Connection) -> bool:
    return bool(connection.take_ready() & Ready.ADVICE)


@pytest.fixture
def sending(peer: Peer) -> Connection:
    """A connection with ten octets in flight."""
    connection = peer.established()
    connection.send(b"0123456789", peer.now)
    peer.answers()
    connection.take_ready()
    return connection


def test_r1_is_3_retransmissions() -> None:
    assert Config().r1 == 3


def test_r1_tells_the_user_and_goes_on(peer: Peer, sending: Connection) -> None:
    peer.after(0.25 + 0.5 + 1 - TICK)
    assert (advised(sending), sending.soft_error) == (False, None)
    peer.after(TICK)
    assert advised(sending)
    assert isinstance(sending.soft_error, errors.ConnectionTimeoutError)
    status = sending.status(peer.now)
    assert (status.soft_error, status.retransmissions) == ("no answer to 3 retransmissions so far", 3)
    assert (status.error, sending.state) == (None, State.ESTABLISHED)


def test_it_is_told_once(peer: Peer, sending: Connection) -> None:
    peer.after(2)
    assert advised(sending)
    peer.after(60)
    unreachable(peer, sending)
    assert not advised(sending)


def test_progress_ends_it_and_the_next_time_is_told_again(peer: Peer, sending: Connection) -> None:
    peer.after(2)
    assert advised(sending)
    peer.send(".", seq=1, ack=5)
    assert (sending.soft_error, sending.status(peer.now).soft_error) == (None, None)
    peer.after(60)
    assert advised(sending)


def test_duplicate_ack_is_no_progress(peer: Peer, sending: Connection) -> None:
    peer.after(2)
    peer.send(".", seq=1, ack=1)
    assert sending.soft_error is not None


def test_icmp_error_is_told_at_once(peer: Peer, sending: Connection) -> None:
    unreachable(peer, sending)
    assert advised(sending)
    assert sending.status(peer.now).soft_error == "the host is unreachable"
    assert sending in peer.stack.take_ready()
    peer.after(60)
    assert not advised(sending)
    assert sending.status(peer.now).soft_error == "the host is unreachable"


def test_r1_of_the_syn(peer: Peer) -> None:
    connection = peer.connect()
    peer.after(1 + 2 + 4 - TICK)
    assert not advised(connection)
    peer.after(TICK)
    assert advised(connection)
    assert str(connection.soft_error) == "no answer to 3 retransmissions of the SYN so far"
    peer.send("S.", ack=1)
    assert (connection.state, connection.soft_error) == (State.ESTABLISHED, None)


def test_attempt_that_fails_after_r1_has_timed_out(peer: Peer) -> None:
    connection = peer.connect()
    peer.after(1000)
    assert str(connection.error) == "no answer to 8 SYNs"


def test_half_open_connection_has_nobody_to_tell(peer: Peer) -> None:
    peer.listen()
    peer.send("S")
    (connection,) = peer.stack.connections()
    peer.after(20)
    assert connection.soft_error is None


def test_r1_of_window_probes(peer: Peer) -> None:
    connection = peer.established(wnd=0)
    connection.send(b"x", peer.now)
    peer.after(0.25 + 0.5 + 1)
    assert advised(connection)
    assert str(connection.soft_error) == "no answer to 3 window probes so far"
    peer.send(".", seq=1, ack=1, wnd=0)
    assert connection.soft_error is None


def test_zero_window_that_is_answered_is_nothing_to_tell(peer: Peer) -> None:
    connection = peer.established(wnd=0)
    connection.send(b"x", peer.now)
    connection.take_ready()
    for _ in range(10):
        while not peer.after(0.25):
            pass
        peer.send(".", seq=1, ack=1, wnd=0)
    assert not advised(connection)


def test_end_of_a_connection_names_the_icmp_error(peer: Peer, sending: Connection) -> None:
    unreachable(peer, sending)
    peer.after(2000)
    assert str(sending.error) == "no answer to 15 retransmissions; the host is unreachable"


def test_user_may_switch_it_off(make_peer: MakePeer) -> None:
    peer = make_peer(r1=0)
    connection = peer.established()
    connection.send(b"x", peer.now)
    peer.after(100)
    assert (advised(connection), connection.soft_error) == (False, None)
    unreachable(peer, connection)
    assert not advised(connection)
    assert connection.status(peer.now).soft_error == "the host is unreachable"


def test_r1_changes_on_the_live_connection(peer: Peer, sending: Connection) -> None:
    sending.set_option("r1", 1, peer.now)
    peer.after(0.25)
    assert advised(sending)


def test_impossible_r1_is_refused() -> None:
    with pytest.raises(ValueError, match="r1"):
        Config(r1=-1)
