"""Packetization layer path MTU discovery (RFC 4821): paths that drop large packets and say nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcpcore import Config, Connection, LinkCapabilities
from tcpcore.config import MtuProbing
from tcpcore.testing import PLAIN, Pair, Peer, brief
from tcpcore.timing import Timer
from tcpcore.wire import icmp
from tcpcore.wire.ip import build_ipv4_header
from tcpcore.wire.ippacket import ICMP
from tests.tcpcore.conn.conftest import MakePeer

DATA = bytes(range(256)) * 4000
OFFLOAD = LinkCapabilities(checksum_offload=True, segmentation_offload=True)


class Path:
    """A pair whose packets of more than ``limit`` bytes vanish, or draw packet too big if it is told to ``say`` so."""

    def __init__(
        self,
        limit: int = 1 << 16,
        mode: MtuProbing = "black-hole",
        version: int = 4,
        link: LinkCapabilities | None = None,
        say: bool = False,
        **impairments: float,
    ) -> None:
        self.pair = Pair(Config(mtu_probing=mode), latency=0.01, capabilities=link, **impairments)  # type: ignore[arg-type]
        self.limit, self.say = limit, say
        self.lost: list[int] = []
        self.pair.deliver = self._carry
        self.version = version
        self.listener = self.pair.b.listen(80)
        self.a, self.b = self.connect()

    def connect(self) -> tuple[Connection, Connection]:
        """One more connection."""
        a = self.pair.a.connect(("192.0.2.2" if self.version == 4 else "2001:db8::2", 80), self.pair.now)
        self.pair.run(1)
        b = self.listener.accept()
        assert b is not None
        return a, b

    def transfer(self, data: bytes = DATA, limit: float = 60.0) -> None:
        """All of ``data`` gets through."""
        assert self.pair.transfer(self.a, self.b, data, limit) == data

    @property
    def mtu(self) -> int:
        """What the sender found."""
        return self.a.status(self.pair.now).path_mtu

    def _carry(self, packet: bytes, direction: str) -> bool:
        if len(packet) <= self.limit:
            return True
        self.lost.append(len(packet))
        if self.say:
            body = icmp.build(4, packet[16:20], packet[12:16], 3, 4, self.limit, packet[:28])
            header = build_ipv4_header(packet[16:20], packet[12:16], ICMP, len(body), 1)
            self.pair.a.receive(bytes(header) + body, self.pair.now)
        return False


@pytest.mark.parametrize("link", [None, OFFLOAD])
@pytest.mark.parametrize("limit", [1499, 1400, 1280, 1024, 900, 600])
def test_transfer_through_a_black_hole(limit: int, link: LinkCapabilities | None) -> None:
    path = Path(limit, link=link)
    path.transfer()
    assert limit - 32 < path.mtu <= limit
    status = path.a.status(path.pair.now)
    assert (status.mss, status.mtu_probe) == (status.path_mtu - 52, None)
    assert path.pair.a.statistics().mtu_black_holes == (1 if limit >= 1024 else 2)


@pytest.mark.parametrize("limit", [1499, 1400, 1280])
def test_transfer_of_ipv6_through_a_black_hole(limit: int) -> None:
    path = Path(limit, version=6)
    path.transfer()
    assert limit - 32 < path.mtu <= limit


@pytest.mark.parametrize("link", [None, OFFLOAD])
def test_path_that_narrows_in_mid_transfer(link: LinkCapabilities | None) -> None:
    path = Path(link=link)
    path.transfer()
    assert path.mtu == 1500
    path.limit = 1400
    for _ in range(8):  # a large window sends one transfer whole, and there is one probe in each round trip
        path.transfer()
    assert 1400 - 32 < path.mtu <= 1400


def test_without_probing_a_black_hole_swallows_everything() -> None:
    path = Path(1400, "off")
    assert path.pair.transfer(path.a, path.b, DATA, 60) == b""
    assert path.a.mss == 1448
    assert path.pair.a.statistics().mtu_black_holes == 0


def test_probing_always_begins_small_and_finds_the_limit() -> None:
    path = Path(1400, "always")
    assert path.mtu == 1024
    path.transfer()
    assert 1400 - 32 < path.mtu <= 1400
    assert path.pair.a.statistics().mtu_black_holes == 0
    assert len(path.lost) == path.pair.a.statistics().mtu_probes_lost <= 3


@pytest.mark.parametrize("mtu", [1500, 9000])
def test_first_probe_finds_a_path_without_a_limit(mtu: int) -> None:
    path = Path(mode="always", link=LinkCapabilities(mtu=mtu))
    path.transfer()
    statistics = path.pair.a.statistics()
    assert (path.mtu, statistics.mtu_probes_out, statistics.mtu_probes_lost) == (mtu, 1, 0)


def test_jumbo_frames_over_a_path_of_1500() -> None:
    path = Path(1500, link=LinkCapabilities(mtu=9000))
    path.transfer()
    assert 1500 - 32 < path.mtu <= 1500


@pytest.mark.parametrize("seed", range(3))
def test_black_hole_on_a_lossy_path(seed: int) -> None:
    path = Path(1400, loss=0.02, seed=seed)
    path.transfer(limit=600)
    assert path.mtu <= 1400


def test_outage_is_no_black_hole_for_long() -> None:
    path = Path()
    path.pair.deliver = lambda packet, direction: False
    path.a.send(DATA, path.pair.now)
    path.pair.run(3)
    assert path.mtu == 1024
    path.pair.deliver = lambda packet, direction: True
    assert path.pair.transfer(path.a, path.b, DATA).startswith(DATA)
    statistics = path.pair.a.statistics()
    assert (path.mtu, statistics.mtu_probes_out, statistics.path_mtu_entries) == (1500, 1, 0)


def test_small_segments_that_vanish_are_no_black_hole() -> None:
    path = Path()
    path.pair.deliver = lambda packet, direction: False
    path.a.send(bytes(500), path.pair.now)
    path.pair.run(30)
    assert path.mtu == 1500


def test_segment_that_is_not_full_may_be_too_large_as_well() -> None:
    path = Path(600)
    path.transfer(bytes(900))
    assert path.mtu == 576


def test_next_connection_begins_with_what_was_found() -> None:
    path = Path(1400)
    path.transfer()
    found = path.mtu
    lost = len(path.lost)
    path.a, path.b = path.connect()
    path.transfer()
    assert path.mtu == found
    assert len(path.lost) == lost


def test_path_is_probed_again_after_ten_minutes() -> None:
    path = Path(1400)
    path.transfer()
    assert path.a.timers.armed(Timer.PATH_MTU)
    path.limit = 1500
    path.pair.run(600)
    path.transfer()
    assert path.mtu == 1500
    assert path.pair.a.statistics().path_mtu_entries == 0
    assert not path.a.timers.armed(Timer.PATH_MTU)


def test_search_goes_on_only_while_there_is_enough_to_send() -> None:
    path = Path(mode="always")
    for _ in range(20):
        path.transfer(bytes(3000))
    assert path.pair.a.statistics().mtu_probes_out == 0


def test_router_that_refuses_a_probe_tells_the_size() -> None:
    path = Path(1400, "always", say=True)
    path.transfer()
    statistics = path.pair.a.statistics()
    assert (path.mtu, statistics.mtu_probes_out, statistics.mtu_probes_lost) == (1400, 2, 1)
    assert len(path.lost) == 1
    assert path.a.congestion.ssthresh is None


def test_message_stops_a_black_hole_search() -> None:
    path = Path(1400, "always")
    path.transfer(bytes(60_000))
    path.limit, path.say = 1000, True
    path.transfer()
    assert path.mtu == 1000
    assert path.a.mtu_search is None


# Packet by packet


@pytest.fixture
def probing(make_peer: MakePeer) -> tuple[Peer, Connection]:
    """A connection that has sent a probe of 1460 bytes behind 984, and 3 segments and more after it."""
    peer = make_peer(mtu_probing="always")
    connection = peer.established(mss=1460)
    assert connection.mss == 984
    connection.send(bytes(984), peer.now)
    peer.answers()
    connection.send(bytes(9840), peer.now)
    return peer, connection


def sizes(peer: Peer) -> list[int]:
    return [len(seg.payload) for seg in peer.answers()]


def test_probe_is_one_segment_of_new_data(probing: tuple[Peer, Connection]) -> None:
    peer, connection = probing
    assert sizes(peer)[:3] == [1460, 984, 984]
    assert connection.status(peer.now).mtu_probe == 1500


def test_probe_acknowledged_raises_the_mss(probing: tuple[Peer, Connection]) -> None:
    peer, connection = probing
    peer.answers()
    peer.send(".", seq=1, ack=985)
    assert connection.mss == 984
    peer.send(".", seq=1, ack=985 + 1460)
    assert (connection.mss, connection.congestion.mss, connection.mtu_search) == (1460, 1460, None)


def test_loss_of_a_probe_is_no_congestion(probing: tuple[Peer, Connection]) -> None:
    peer, connection = probing
    peer.answers()
    peer.send(".", seq=1, ack=985)
    cwnd = connection.congestion.cwnd
    assert peer.send(".", seq=1, ack=985) == []
    assert peer.send(".", seq=1, ack=985) == []
    assert brief(peer.send(".", seq=1, ack=985)) == [". 985:1969(984) ack 1", ". 1969:2445(476) ack 1"]
    status = connection.status(peer.now)
    assert (status.cwnd, status.ssthresh, status.mss, status.mtu_probe) == (cwnd, None, 984, None)
    assert connection.mtu_search is not None
    assert connection.mtu_search.high == 1499
    assert peer.stack.statistics().mtu_probes_lost == 1


def test_loss_before_the_probe_is_congestion(probing: tuple[Peer, Connection]) -> None:
    peer, connection = probing
    peer.answers()
    for _ in range(3):
        peer.send(".", seq=1, ack=1)
    assert connection.congestion.ssthresh is not None
    peer.send(".", seq=1, ack=985)  # the next hole is the probe: nobody knows why it is lost
    assert connection.mtu_search is not None
    assert (connection.mtu_search.size, connection.mtu_search.high) == (0, 1500)


def test_timeout_behind_a_duplicate_ack_is_the_probes(probing: tuple[Peer, Connection]) -> None:
    peer, connection = probing
    peer.answers()
    peer.send(".", seq=1, ack=985)
    peer.send(".", seq=1, ack=985)
    cwnd = connection.congestion.cwnd
    assert brief(peer.after(0.25)) == [". 985:1969(984) ack 1", ". 1969:2445(476) ack 1"]
    assert (connection.congestion.cwnd, connection.retransmissions) == (cwnd, 0)


def test_timeout_alone_is_a_timeout(probing: tuple[Peer, Connection]) -> None:
    peer, connection = probing
    peer.answers()
    peer.send(".", seq=1, ack=985)
    assert brief(peer.after(0.25)) == [". 985:1969(984) ack 1"]
    assert (connection.congestion.cwnd, connection.retransmissions) == (984, 1)
    assert connection.mtu_search is not None
    assert connection.mtu_search.high == 1499


def test_probe_that_was_sent_again_proves_nothing(probing: tuple[Peer, Connection]) -> None:
    peer, connection = probing
    peer.answers()
    peer.after(0.25)
    peer.send(".", seq=1, ack=985 + 1460)
    assert connection.mss == 984


def test_three_timeouts_of_full_segments_fall_back(make_peer: MakePeer) -> None:
    peer = make_peer()
    connection = peer.established(mss=1460)
    connection.send(bytes(4380), peer.now)
    peer.answers()
    sent = [len(seg.payload) for seg in peer.after(0.25 + 0.5 + 1.0)]
    assert sent == [1460, 1460, 984]
    assert connection.status(peer.now).path_mtu == 1024


def test_peer_with_a_small_mss_has_no_black_hole(make_peer: MakePeer) -> None:
    peer = make_peer()
    connection = peer.established(mss=536)
    connection.send(bytes(5360), peer.now)
    peer.after(60)
    assert connection.mss == 536
    assert peer.stack.statistics().mtu_black_holes == 0


def test_probing_can_be_switched_off_live(make_peer: MakePeer) -> None:
    peer = make_peer()
    connection = peer.established(mss=1460)
    connection.set_option("mtu_probing", "off", peer.now)
    connection.send(bytes(4380), peer.now)
    peer.after(60)
    assert connection.mss == 1460


def test_search_ends_when_probing_is_switched_off(probing: tuple[Peer, Connection]) -> None:
    peer, connection = probing
    peer.answers()
    connection.set_option("mtu_probing", "off", peer.now)
    peer.send(".", seq=1, ack=985 + 1460)
    assert (connection.mss, connection.mtu_search) == (984, None)
    peer.send(".", seq=1, ack=985 + 9840)
    peer.after(600)
    assert connection.mss == 1460


def test_probing_needs_no_r1() -> None:
    pair = Pair(replace(PLAIN, r1=0), latency=0.01)
    a, b = pair.connect()
    pair.deliver = lambda packet, direction: len(packet) <= 1400
    assert pair.transfer(a, b, DATA, 60) == DATA
    assert a.status(pair.now).path_mtu > 1400 - 32
