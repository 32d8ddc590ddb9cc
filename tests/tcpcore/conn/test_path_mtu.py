"""What a stack remembers of its paths, and for how long (RFC 1191 section 6.3, RFC 8201 section 4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcpcore import Config, Connection, LinkCapabilities
from tcpcore.testing import PEER_ADDRESS, PLAIN, STACK_ADDRESS, Pair, Peer
from tcpcore.timing import Timer
from tcpcore.wire import icmp
from tcpcore.wire.ip import build_ipv4_header, build_ipv6_header
from tcpcore.wire.ippacket import ICMP, ICMPV6, TCP
from tests.tcpcore.conn.conftest import MakePeer

A6, B6 = (bytes.fromhex(f"20010db80000000000000000000000{last:02x}") for last in (1, 2))
LIFETIME = 600.0


def too_big(peer: Peer, connection: Connection, mtu: int, length: int = 1500) -> None:
    head = bytes(build_ipv4_header(STACK_ADDRESS, PEER_ADDRESS, TCP, length - 20, 1))
    ports = b"".join(port.to_bytes(2, "big") for port in (connection.local[1], connection.remote[1]))
    quoted = head + ports + (connection.snd_una & 0xFFFFFFFF).to_bytes(4, "big")
    body = icmp.build(4, PEER_ADDRESS, STACK_ADDRESS, icmp.DESTINATION_UNREACHABLE, 4, mtu, quoted)
    peer.stack.receive(bytes(build_ipv4_header(PEER_ADDRESS, STACK_ADDRESS, ICMP, len(body), 1)) + body, peer.now)
    peer.answers()


def learned(peer: Peer, mtu: int = 1300) -> Connection:
    """A connection that has been told ``mtu``, everything acknowledged."""
    connection = peer.established(mss=1460)
    connection.send(bytes(1460), peer.now)
    peer.answers()
    too_big(peer, connection, mtu)
    peer.send(".", seq=1, ack=1461)
    assert connection.status(peer.now).path_mtu == mtu
    return connection


def another(peer: Peer, port: int = 4001) -> Connection:
    """A further connection to the peer's host."""
    peer.port, peer.iss = port, None
    connection = peer.stack.connect(("192.0.2.9", port), peer.now, ("192.0.2.1", 80))
    peer.answers()
    peer.send("S.", ack=1, mss=1460)
    return connection


@pytest.fixture
def off(make_peer: MakePeer) -> Peer:
    """A peer of a stack that does not probe."""
    return make_peer(mtu_probing="off")


def test_new_connection_begins_with_the_learned_mtu(peer: Peer) -> None:
    learned(peer)
    connection = another(peer)
    assert (connection.mss, connection.path_mtu) == (1260, 1300)
    assert peer.stack.statistics().path_mtu_entries == 1


def test_what_is_announced_stays_the_links(peer: Peer) -> None:
    learned(peer)
    peer.port = 4001
    connection = peer.stack.connect(("192.0.2.9", 4001), peer.now, ("192.0.2.1", 80))
    (syn,) = peer.answers()
    assert (syn.mss, connection.path_mtu) == (1460, 1300)


def test_other_destinations_are_not_concerned(peer: Peer) -> None:
    learned(peer)
    assert peer.stack.connect(("192.0.2.10", 80), peer.now).path_mtu == 1500


def test_passive_connection_begins_with_it_too(peer: Peer) -> None:
    learned(peer)
    peer.port, peer.iss = 4001, None
    peer.send("S", mss=1460)
    assert [tcb.mss for tcb in peer.stack.connections()] == [1260, 1260]


def test_connection_that_is_open_looks_when_its_timer_fires(peer: Peer) -> None:
    first = peer.established(mss=1460)
    port, iss = peer.port, peer.iss
    second = another(peer)
    second.send(bytes(1460), peer.now)
    peer.answers()
    too_big(peer, second, 1300)
    assert (first.mss, second.mss) == (1460, 1260)
    peer.send(".", seq=1, ack=1461)
    peer.port, peer.iss = port, iss
    first.send(bytes(2600), peer.now)
    peer.answers()
    (again,) = peer.after(0.25)
    assert len(again.payload) == 1260
    assert first.mss == 1260


def test_it_is_forgotten_after_ten_minutes(peer: Peer) -> None:
    learned(peer)
    peer.after(LIFETIME)
    assert another(peer).mss == 1460
    assert peer.stack.statistics().path_mtu_entries == 0


def test_without_probing_the_mss_grows_after_ten_minutes(off: Peer) -> None:
    connection = learned(off)
    off.after(LIFETIME - 1)
    assert connection.mss == 1260
    off.after(1)
    assert (connection.mss, connection.path_mtu) == (1460, 1500)
    assert not connection.timers.armed(Timer.PATH_MTU)


def test_what_another_connection_learned_meanwhile_counts(off: Peer) -> None:
    connection = learned(off)
    off.after(LIFETIME / 2)
    other = another(off)
    other.send(bytes(1260), off.now)
    off.answers()
    too_big(off, other, 1200, 1300)
    off.send(".", seq=1, ack=1261)
    off.after(LIFETIME / 2)
    assert (connection.mss, connection.path_mtu) == (1160, 1200)
    off.after(LIFETIME)
    assert connection.mss == 1460


def test_message_after_the_growth_is_obeyed_again(off: Peer) -> None:
    connection = learned(off)
    off.after(LIFETIME)
    connection.send(bytes(1460), off.now)
    off.answers()
    too_big(off, connection, 1400)
    assert connection.mss == 1360


def test_peers_mss_needs_no_growth(peer: Peer) -> None:
    connection = peer.established(mss=900)
    assert not connection.timers.armed(Timer.PATH_MTU)
    assert connection.status(peer.now).path_mtu == 1500


def test_number_of_destinations_is_limited() -> None:
    pair = Pair(replace(PLAIN, max_path_mtus=2))
    env = pair.a.env
    for last in range(5):
        env.path_mtus.put(bytes((192, 0, 2, last)), 1300, pair.now)
    statistics = pair.a.statistics()
    assert (statistics.path_mtu_entries, statistics.path_mtu_evictions) == (2, 3)


def test_timer_ends_with_the_connection(peer: Peer) -> None:
    connection = learned(peer)
    connection.abort(peer.now)
    assert not connection.timers.armed(Timer.PATH_MTU)


@pytest.mark.parametrize(("mtu", "mss"), [(1279, 1440), (0, 1440), (1280, 1220)])
def test_ipv6_ignores_less_than_every_link_takes(mtu: int, mss: int) -> None:
    pair = Pair(PLAIN)
    pair.b.listen(80)
    a = pair.a.connect(("2001:db8::2", 80), pair.now)
    pair.run(1)
    a.send(bytes(1440), pair.now)
    (packet,) = pair.a.transmit(pair.now)
    body = icmp.build(6, B6, A6, icmp.V6_PACKET_TOO_BIG, 0, mtu, bytes(packet)[:1200])
    pair.a.receive(bytes(build_ipv6_header(B6, A6, ICMPV6, len(body))) + body, pair.now)
    assert a.mss == mss
    assert pair.a.statistics().drops == ({} if mtu == 1280 else {"icmp-mtu": 1})


def test_segmentation_follows_the_mss() -> None:
    """A super-segment that left before the message has the old size, what follows has the new one."""
    offload = LinkCapabilities(checksum_offload=True, segmentation_offload=True)
    pair = Pair(Config(), latency=0.01, capabilities=offload)
    a, b = pair.connect()
    sizes: list[int] = []

    def router(packet: bytes, direction: str) -> bool:
        if direction == "a>b":
            sizes.append(len(packet))
        if len(packet) <= 1300:
            return True
        body = icmp.build(4, packet[16:20], packet[12:16], 3, 4, 1300, packet[:28])
        pair.a.receive(bytes(build_ipv4_header(packet[16:20], packet[12:16], ICMP, len(body), 1)) + body, pair.now)
        return False

    pair.deliver = router
    data = bytes(range(256)) * 800
    assert pair.transfer(a, b, data, limit=30) == data
    assert {size for size in sizes if size > 1000} == {1500, 1300}
    assert a.mss == 1300 - 40 - 12
    assert pair.a.statistics().path_mtu_reductions == 1


def test_impossible_settings_are_refused() -> None:
    for wrong in ({"mtu_probing": "sometimes"}, {"path_mtu_lifetime": 0.0}, {"max_path_mtus": 0}):
        with pytest.raises(ValueError, match="mtu"):
            Config(**wrong)
