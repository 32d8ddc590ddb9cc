"""What the IP header of our packets says: TTL, Diffserv field, flow label, identification (RFC 9293 section 3.9.2)."""

from __future__ import annotations

import random

import pytest

from tcpcore import Config, Connection, LinkCapabilities, Stack
from tcpcore.testing import PEER_ADDRESS, PLAIN, STACK_ADDRESS, Pair, Peer, tcp_packet
from tcpcore.wire import icmp
from tcpcore.wire.ip import build_ipv4_header, build_ipv6_header
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ippacket import ICMP, TCP
from tcpcore.wire.tcp import ACK, SYN
from tests.tcpcore.conn.conftest import MakePeer

A6, B6 = (bytes.fromhex(f"20010db80000000000000000000000{last:02x}") for last in (1, 2))


def sent(stack: Stack, now: float) -> list[bytes]:
    """What goes out now, cut to single packets."""
    return [bytes(piece) for packet in stack.transmit(now) for piece in packet.cut()]


def identification(packet: bytes) -> int:
    return int.from_bytes(packet[4:6], "big")


def flow_label(packet: bytes) -> int:
    return int.from_bytes(packet[1:4], "big") & 0xFFFFF


def dont_fragment(packet: bytes) -> bool:
    return bool(packet[6] & 0x40)


def test_defaults_are_64_hops_and_class_0(peer: Peer) -> None:
    peer.stack.connect(("192.0.2.9", 80), peer.now)
    (syn,) = map(parse_ip, sent(peer.stack, peer.now))
    assert (syn.hop_limit, syn.traffic_class) == (64, 0)


@pytest.mark.parametrize("remote", ["192.0.2.9", "2001:db8::9"])
def test_ttl_and_class_are_configurable(remote: str) -> None:
    stack = Stack(["192.0.2.1/24", "2001:db8::1/64"], Config(ttl=7, traffic_class=0xB8), random.Random(1), b"s" * 16)
    connection = stack.connect((remote, 80), 1.0)
    (syn,) = map(parse_ip, sent(stack, 1.0))
    assert (syn.hop_limit, syn.traffic_class) == (7, 0xB8)
    status = connection.status(1.0)
    assert (status.ttl, status.traffic_class) == (7, 0xB8)


def test_ttl_and_class_change_on_the_live_connection(peer: Peer) -> None:
    connection = peer.established()
    connection.set_option("ttl", 3, peer.now)
    connection.set_option("traffic_class", 0x20, peer.now)
    connection.send(b"x", peer.now)
    (segment,) = map(parse_ip, sent(peer.stack, peer.now))
    assert (segment.hop_limit, segment.traffic_class) == (3, 0x20)
    assert connection.get_option("ttl") == 3


def test_every_segment_of_a_super_segment_has_them() -> None:
    offload = LinkCapabilities(checksum_offload=True, segmentation_offload=True)
    pair = Pair(Config(ttl=9, traffic_class=0x28), capabilities=offload)
    a, _ = pair.connect()
    a.send(bytes(8000), pair.now)
    packets = sent(pair.a, pair.now)
    assert len(packets) == 6
    assert {(ip.hop_limit, ip.traffic_class) for ip in map(parse_ip, packets)} == {(9, 0x28)}


def test_answers_without_a_connection_have_them(make_peer: MakePeer) -> None:
    peer = make_peer(ttl=5, traffic_class=0x40)
    peer.stack.receive(tcp_packet(1, 2, 3, 4, ACK, 5), peer.now)
    echo = icmp.build(4, PEER_ADDRESS, STACK_ADDRESS, icmp.ECHO_REQUEST, 0, 1, b"")
    header = build_ipv4_header(PEER_ADDRESS, STACK_ADDRESS, ICMP, len(echo), 1)
    peer.stack.receive(bytes(header) + echo, peer.now)
    packets = [parse_ip(packet) for packet in sent(peer.stack, peer.now)]
    assert [(ip.hop_limit, ip.traffic_class) for ip in packets] == [(5, 0x40)] * 2


@pytest.mark.parametrize(
    "wrong", [{"ttl": 0}, {"ttl": 256}, {"traffic_class": 1}, {"traffic_class": 2}, {"traffic_class": 256}]
)
def test_impossible_values_are_refused(peer: Peer, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)  # type: ignore[arg-type]
    connection = peer.established()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        connection.set_option(*next(iter(wrong.items())), peer.now)
    assert connection.get_option(next(iter(wrong))) in (0, 64)


def test_class_received_last_is_shown(peer: Peer) -> None:
    connection = peer.established()
    packet = bytearray(peer.packet(ACK, 1, 1, b"x", 1000))
    packet[:20] = build_ipv4_header(PEER_ADDRESS, STACK_ADDRESS, TCP, len(packet) - 20, 1, traffic_class=0x88)
    peer.stack.receive(packet, peer.now)
    assert connection.status(peer.now).received_traffic_class == 0x88


# Flow label (RFC 6437)


def opened(secret: bytes, port: int = 4000) -> tuple[Stack, Connection, int]:
    stack = Stack(["192.0.2.1/24", "2001:db8::1/64"], PLAIN, random.Random(1), secret)
    connection = stack.connect(("2001:db8::2", 80), 1.0, ("2001:db8::1", port))
    (syn,) = sent(stack, 1.0)
    return stack, connection, flow_label(syn)


def test_flow_label_is_the_connections_for_life() -> None:
    pair = Pair(latency=0.01)
    labels: dict[str, set[int]] = {"a>b": set(), "b>a": set()}

    def note(packet: bytes, direction: str) -> bool:
        labels[direction].add(flow_label(packet))
        return True

    pair.deliver = note
    listener = pair.b.listen(80)
    a = pair.a.connect(("2001:db8::2", 80), pair.now)
    pair.run(1)
    b = listener.accept()
    assert b is not None
    pair.transfer(a, b, bytes(100_000))
    a.close(pair.now)
    b.close(pair.now)
    pair.run(1)
    assert labels == {"a>b": {a.flow_label}, "b>a": {b.flow_label}}
    assert a.status(pair.now).flow_label == a.flow_label != 0


def test_flow_label_differs_by_connection_and_secret() -> None:
    _, _, label = opened(b"s" * 16)
    assert len({label, opened(b"t" * 16)[2], opened(b"s" * 16, 4001)[2]}) == 3
    assert label == opened(b"s" * 16)[2]


def test_reset_after_the_connections_end_keeps_its_flow_label() -> None:
    stack, connection, label = opened(b"s" * 16)
    connection.abort(1.0)
    stack.transmit(1.0)
    packet = bytearray(tcp_packet(80, 4000, 0, 0, SYN, 0, source=B6, destination=A6))
    packet[:40] = build_ipv6_header(B6, A6, 6, len(packet) - 40)
    stack.receive(packet, 1.0)
    (reset,) = sent(stack, 1.0)
    assert flow_label(reset) == label


def test_ipv4_has_no_flow_label(peer: Peer) -> None:
    assert peer.established().flow_label == 0


# Identification (RFC 6864)


def test_retransmission_has_a_new_identification(peer: Peer) -> None:
    connection = peer.established()
    connection.send(b"x", peer.now)
    packets = sent(peer.stack, peer.now)
    while len(packets) < 4:
        peer.now = peer.stack.next_deadline() or 0.0
        peer.stack.advance(peer.now)
        packets += sent(peer.stack, peer.now)
    assert len({identification(packet) for packet in packets}) == 4
    assert all(map(dont_fragment, packets))


def test_identifications_of_a_super_segment_are_all_different() -> None:
    offload = LinkCapabilities(checksum_offload=True, segmentation_offload=True)
    pair = Pair(PLAIN, capabilities=offload)
    a, _ = pair.connect()
    packets = []
    for _ in range(2):
        a.send(bytes(6000), pair.now)
        packets += sent(pair.a, pair.now)
    assert len({identification(packet) for packet in packets}) == len(packets) == 10
