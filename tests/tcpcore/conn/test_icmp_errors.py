"""ICMP errors about connections (RFC 1122 section 4.2.3.9, 5461, 5927) and path MTU discovery (RFC 1191, 8201)."""

from __future__ import annotations

import pytest

from tcpcore import Connection, State, errors
from tcpcore.conn.recovery import state_name
from tcpcore.testing import PEER_ADDRESS, STACK_ADDRESS, Pair, Peer
from tcpcore.testing.peer import brief
from tcpcore.wire import icmp
from tcpcore.wire.ip import build_ipv4_header, build_ipv6_header
from tcpcore.wire.ippacket import ICMP, ICMPV6, TCP

A6, B6 = (bytes.fromhex(f"20010db80000000000000000000000{last:02x}") for last in (1, 2))


def quote(connection: Connection, seq: int, length: int = 1500) -> bytes:
    head = bytes(build_ipv4_header(STACK_ADDRESS, PEER_ADDRESS, TCP, length - 20, 1))
    ports = b"".join(port.to_bytes(2, "big") for port in (connection.local[1], connection.remote[1]))
    return head + ports + (seq & 0xFFFFFFFF).to_bytes(4, "big")


def error(peer: Peer, kind: int, code: int, quoted: bytes, rest: int = 0) -> list[str]:
    body = icmp.build(4, PEER_ADDRESS, STACK_ADDRESS, kind, code, rest, quoted)
    peer.stack.receive(bytes(build_ipv4_header(PEER_ADDRESS, STACK_ADDRESS, ICMP, len(body), 1)) + body, peer.now)
    return brief(peer.answers())


def too_big(peer: Peer, connection: Connection, mtu: int, seq: int | None = None, length: int = 1500) -> list[str]:
    quoted = quote(connection, connection.snd_una if seq is None else seq, length)
    return error(peer, icmp.DESTINATION_UNREACHABLE, icmp.FRAGMENTATION_NEEDED, quoted, mtu)


@pytest.fixture
def sending(peer: Peer) -> Connection:
    """A connection with three full segments of 1460 bytes in flight."""
    connection = peer.established(mss=1460)
    connection.send(bytes(3 * 1460), peer.now)
    assert len(peer.answers()) == 3
    return connection


SOFT = [(3, 0), (3, 1), (3, 5), (3, 13), (11, 0), (11, 1), (12, 0)]
HARD = [(3, 2), (3, 3)]


@pytest.mark.parametrize(("kind", "code"), SOFT)
def test_soft_error_explains_the_timeout_of_an_attempt(peer: Peer, kind: int, code: int) -> None:
    connection = peer.connect()
    error(peer, kind, code, quote(connection, connection.iss))
    assert connection.state is State.SYN_SENT
    peer.after(1000)
    assert isinstance(connection.error, errors.HostUnreachableError)
    assert peer.stack.statistics().icmp_soft_errors == 1


def test_attempt_that_nobody_explains_times_out(peer: Peer) -> None:
    connection = peer.connect()
    peer.after(1000)
    assert isinstance(connection.error, errors.ConnectionTimeoutError)


def test_soft_error_is_forgotten_once_the_peer_answers(peer: Peer) -> None:
    connection = peer.connect()
    error(peer, 3, 1, quote(connection, connection.iss))
    peer.send("S.", ack=1)
    assert connection.state is State.ESTABLISHED
    assert connection.soft_error is None


@pytest.mark.parametrize(("kind", "code"), HARD)
def test_hard_error_ends_an_attempt(peer: Peer, kind: int, code: int) -> None:
    connection = peer.connect()
    error(peer, kind, code, quote(connection, connection.iss))
    assert connection.state is State.CLOSED
    assert isinstance(connection.error, errors.ConnectionRefusedError)
    assert peer.stack.statistics().icmp_hard_errors == 1


def test_hard_error_ends_syn_received(peer: Peer) -> None:
    peer.listen()
    peer.send("S")
    (connection,) = peer.stack.connections()
    error(peer, 3, 3, quote(connection, connection.iss))
    assert peer.stack.connections() == []


@pytest.mark.parametrize(("kind", "code"), SOFT + HARD)
def test_no_error_ends_an_open_connection(peer: Peer, sending: Connection, kind: int, code: int) -> None:
    assert error(peer, kind, code, quote(sending, sending.snd_una)) == []
    assert sending.state is State.ESTABLISHED
    assert peer.stack.statistics().icmp_soft_errors == 1


@pytest.mark.parametrize("offset", [-1, 3 * 1460, 1 << 31])
@pytest.mark.parametrize(("kind", "code"), [(3, 1), (3, 3), (3, 4)])
def test_number_that_is_not_in_flight_is_a_forgery(
    peer: Peer, sending: Connection, kind: int, code: int, offset: int
) -> None:
    assert error(peer, kind, code, quote(sending, sending.snd_una + offset), 600) == []
    assert sending.mss == 1460
    assert sending.soft_error is None
    assert peer.stack.statistics().drops == {"icmp-not-outstanding": 1}


def test_error_about_no_connection_is_counted(peer: Peer, sending: Connection) -> None:
    quoted = bytearray(quote(sending, sending.snd_una))
    quoted[22] ^= 1
    error(peer, 3, 3, bytes(quoted))
    assert peer.stack.statistics().drops == {"icmp-not-outstanding": 1}


def test_source_quench_is_ignored(peer: Peer, sending: Connection) -> None:
    cwnd = sending.congestion.cwnd
    assert error(peer, 4, 0, quote(sending, sending.snd_una)) == []
    assert (sending.congestion.cwnd, peer.stack.statistics().icmp_soft_errors) == (cwnd, 0)


def test_what_was_too_big_is_sent_again_in_smaller_segments(peer: Peer, sending: Connection) -> None:
    cwnd, ssthresh = sending.congestion.cwnd, sending.congestion.ssthresh
    answers = too_big(peer, sending, 1040)
    assert answers == [
        ". 1:1001(1000) ack 1",
        ". 1001:2001(1000) ack 1",
        ". 2001:3001(1000) ack 1",
        ". 3001:4001(1000) ack 1",
        "P. 4001:4381(380) ack 1",
    ]
    assert (sending.congestion.cwnd, sending.congestion.ssthresh) == (cwnd, ssthresh)
    assert sending.retransmissions == 0
    assert state_name(sending) == "slow start"
    assert peer.stack.statistics().path_mtu_reductions == 1


def test_timestamps_take_their_room(peer: Peer) -> None:
    connection = peer.established(mss=1460)
    connection.ts_on = True
    connection.send(bytes(1460), peer.now)
    peer.answers()
    too_big(peer, connection, 1040)
    assert connection.mss == 988


@pytest.mark.parametrize("mtu", [68, 300, 575])
def test_mss_has_a_floor(peer: Peer, sending: Connection, mtu: int) -> None:
    too_big(peer, sending, mtu)
    assert sending.mss == 536


def test_router_that_tells_no_mtu_gets_the_next_plateau(peer: Peer, sending: Connection) -> None:
    too_big(peer, sending, 0)
    assert sending.mss == 1492 - 40


@pytest.mark.parametrize(("mtu", "length"), [(1500, 1600), (9000, 1500), (1000, 900)])
def test_what_tells_nothing_new_changes_nothing(peer: Peer, sending: Connection, mtu: int, length: int) -> None:
    assert too_big(peer, sending, mtu, length=length) == []
    assert sending.mss == 1460


def test_second_message_about_the_same_window_is_ignored(peer: Peer, sending: Connection) -> None:
    too_big(peer, sending, 1040)
    assert too_big(peer, sending, 1040, sending.snd_una + 1460) == []


def test_too_big_does_not_touch_an_attempt(peer: Peer) -> None:
    connection = peer.connect()
    mss = connection.mss
    assert too_big(peer, connection, 600) == []
    assert connection.mss == mss


@pytest.mark.parametrize("version", [4, 6])
def test_transfer_through_a_narrow_path(version: int) -> None:
    """A router on the way drops what exceeds 1300 bytes, and says so."""
    pair = Pair(latency=0.01)
    listener = pair.b.listen(80)
    a = pair.a.connect(("192.0.2.2" if version == 4 else "2001:db8::2", 80), pair.now)
    pair.run(1)
    b = listener.accept()
    assert b is not None
    refused = []

    def router(packet: bytes, direction: str) -> bool:
        if len(packet) <= 1300:
            return True
        refused.append(packet)
        pair.a.receive(narrow(version, packet, 1300), pair.now)
        return False

    pair.deliver = router
    data = bytes(range(256)) * 800
    assert pair.transfer(a, b, data, limit=30) == data
    assert a.mss == 1300 - (40 if version == 4 else 60) - 12
    assert len(refused) <= 12
    assert a.congestion.ssthresh is None


def narrow(version: int, packet: bytes, mtu: int) -> bytes:
    """The error of a router that could not pass ``packet`` on."""
    if version == 4:
        router, host = bytes((192, 0, 2, 2)), STACK_ADDRESS
        body = icmp.build(4, router, host, icmp.DESTINATION_UNREACHABLE, icmp.FRAGMENTATION_NEEDED, mtu, packet[:28])
        return bytes(build_ipv4_header(router, host, ICMP, len(body), 1)) + body
    body = icmp.build(6, B6, A6, icmp.V6_PACKET_TOO_BIG, 0, mtu, packet[:1200])
    return bytes(build_ipv6_header(B6, A6, ICMPV6, len(body))) + body


@pytest.mark.parametrize(
    ("kind", "code", "error_class"),
    [
        (1, 4, errors.ConnectionRefusedError),
        (4, 1, errors.ConnectionRefusedError),
        (1, 0, errors.HostUnreachableError),
        (1, 3, errors.HostUnreachableError),
        (3, 0, errors.HostUnreachableError),
        (4, 0, errors.HostUnreachableError),
    ],
)
def test_errors_of_ipv6(kind: int, code: int, error_class: type[errors.TCPError]) -> None:
    pair = Pair()
    connection = pair.a.connect(("2001:db8::2", 80), pair.now)
    (syn,) = pair.a.transmit(pair.now)
    body = icmp.build(6, B6, A6, kind, code, 0, bytes(syn))
    pair.a.receive(bytes(build_ipv6_header(B6, A6, ICMPV6, len(body))) + body, pair.now)
    pair.deliver = lambda packet, direction: False
    pair.run(1000)
    assert isinstance(connection.error, error_class)
