"""The network model: what each setting does to packets, exactly where it can be, by frequency where it is chance."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from tcpcore.path import BEHIND, MOST_PACKETS, PATIENCE, Path
from tcpcore.wire.checksum import ALL_ONES, fold_sum
from tcpcore.wire.ipv4 import build_ipv4_header
from tcpcore.wire.ipv6 import build_ipv6_header

MANY = 20_000
SIZE = 1250
"""10,000 bits."""


def path(**settings: Any) -> Path:
    return Path(rng=random.Random(1), **settings)


def packets(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") + bytes(SIZE - 4) for number in range(count)]


def arrivals(way: Path, end: float = 1e9) -> list[tuple[float, int]]:
    """Everything that comes, with its moment and its number."""
    result = []
    while (moment := way.next_time()) is not None and moment <= end:
        result += [(moment, int.from_bytes(packet[:4], "big")) for packet in way.receive(moment)]
    return result


def order(way: Path) -> list[int]:
    return [number for _, number in arrivals(way)]


def test_a_path_without_impairments_is_a_wire() -> None:
    way = path()
    assert way.next_time() is None
    for packet in packets(3):
        way.send(packet, 5.0)
    assert way.receive(5.0) == packets(3)
    assert way.receive(5.0) == []


def test_delay_is_exact() -> None:
    way = path(delay=0.25)
    way.send(b"packet", 1.0)
    assert way.next_time() == 1.25
    assert way.receive(1.2499) == []
    assert way.receive(1.25) == [b"packet"]


def test_a_shorter_delay_lets_nothing_overtake() -> None:
    way = path(delay=1.0)
    first, second = packets(2)
    way.send(first, 0.0)
    way.change(delay=0.0)
    way.send(second, 0.5)
    assert arrivals(way) == [(1.0, 0), (1.0, 1)]


def test_jitter_spreads_and_keeps_the_order() -> None:
    way = path(delay=1.0, jitter=0.5)
    for number, packet in enumerate(packets(1000)):
        way.send(packet, number * 0.01)
    times = arrivals(way)
    delays = [moment - number * 0.01 for moment, number in times]
    assert [number for _, number in times] == list(range(1000))
    assert 1.0 <= min(delays) < 1.2
    assert 1.4 < max(delays) < 1.5


def test_the_bottleneck_sends_one_after_the_other() -> None:
    way = path(rate=1e6, delay=0.5)
    for packet in packets(3):
        way.send(packet, 0.0)
    assert way.queue_length(0.0) == 2
    assert way.queue_delay(0.0) == pytest.approx(0.03)
    assert [moment for moment, _ in arrivals(way)] == pytest.approx([0.51, 0.52, 0.53])
    assert (way.queue_length(0.015), way.queue_length(0.025), way.queue_length(1.0)) == (1, 0, 0)
    assert way.max_queue_length == 2
    assert way.max_queue_delay == pytest.approx(0.02)
    assert way.mean_queue_delay == pytest.approx(0.01)
    assert way.queue_delay(1.0) == 0.0


def test_the_queue_has_an_end() -> None:
    way = path(rate=1e6, queue=2)
    for packet in packets(5):
        way.send(packet, 0.0)
    assert way.dropped == 2
    way.send(packets(10)[9], 0.0101)
    assert order(way) == [0, 1, 2, 9]


def test_without_a_queue_only_an_idle_bottleneck_takes_a_packet() -> None:
    way = path(rate=1e6, queue=0)
    for packet, now in zip(packets(3), (0.0, 0.009, 0.0101), strict=True):
        way.send(packet, now)
    assert order(way) == [0, 2]


def test_no_setting_lets_a_path_grow_without_end() -> None:
    way = path(delay=1.0)
    for _ in range(MOST_PACKETS + 5):
        way.send(b"", 0.0)
    assert way.dropped == 5


@pytest.mark.parametrize(
    ("settings", "counter", "share"),
    [
        ({"loss": 0.1}, "lost", 0.1),
        ({"burst": (0.02, 0.18)}, "lost", 0.1),
        ({"burst": (0.02, 0.18), "loss": 0.1}, "lost", 0.19),
        ({"duplicate": 0.1}, "duplicated", 0.1),
        ({"reorder": 0.1}, "reordered", 0.1),
        ({"corrupt": 0.1}, "corrupted", 0.1),
    ],
    ids=str,
)
def test_probabilities_and_their_counters(settings: dict[str, Any], counter: str, share: float) -> None:
    way = path(**settings)
    for _ in range(MANY):
        way.send(bytes(20), 0.0)
    assert getattr(way, counter) / MANY == pytest.approx(share, rel=0.1)
    assert len(way.receive(1.0)) == MANY - way.lost + way.duplicated
    assert way.sent == MANY


def test_losses_come_in_bursts() -> None:
    way = path(burst=(0.01, 0.2))
    for packet in packets(MANY):
        way.send(packet, 0.0)
    arrived = order(way)
    gaps = [later - earlier - 1 for earlier, later in pairwise(arrived) if later - earlier > 1]
    assert sum(gaps) / len(gaps) == pytest.approx(5.0, rel=0.2)


def test_a_corrupted_packet_has_one_wrong_bit() -> None:
    way = path(corrupt=1.0)
    way.send(bytes(40), 0.0)
    (damaged,) = way.receive(0.0)
    assert int.from_bytes(damaged, "big").bit_count() == 1


def test_a_late_packet_is_overtaken_by_so_many() -> None:
    way = path(reorder=1.0, reorder_by=1)
    first, *others = packets(4)
    way.send(first, 0.0)
    way.change(reorder=0.0)
    for packet in others:
        way.send(packet, 0.0)
    assert arrivals(way) == [(0.0, 1), (0.0, 2), (0.0, 3), (BEHIND, 0)]


@pytest.mark.parametrize("by", [1, 3, 50])
def test_packets_are_overtaken_by_at_most_so_many(by: int) -> None:
    way = path(rate=1e6, reorder=0.05, reorder_by=by)
    for packet in packets(5000):
        way.send(packet, 0.0)
    arrived = order(way)
    overtaken = [
        sum(other > number for other in arrived[max(0, at - 3 * by) : at]) for at, number in enumerate(arrived)
    ]
    assert sorted(arrived) == list(range(5000))
    assert 0.9 * by <= max(overtaken) <= by


def test_a_late_packet_does_not_wait_for_ever_to_be_overtaken() -> None:
    way = path(delay=0.5, reorder=1.0, reorder_by=1)
    first, second = packets(2)
    way.send(first, 0.0)
    assert way.next_time() == 0.5 + PATIENCE
    way.change(reorder=0.0)
    way.send(second, 0.1)
    assert arrivals(way) == [(0.5 + PATIENCE, 0), (0.6, 1)]


def test_a_packet_may_be_late_by_seconds() -> None:
    way = path(delay=1.0, reorder=1.0, reorder_by=0.5)
    for packet in packets(1000):
        way.send(packet, 0.0)
    times = [moment for moment, _ in arrivals(way)]
    assert 1.0 < times[0] < 1.01
    assert 1.49 < times[-1] < 1.5


def ip_packets(ecn: int) -> list[bytes]:
    v4 = bytes(build_ipv4_header(b"\xc0\0\2\1", b"\xc0\0\2\2", 6, 20, 1, traffic_class=ecn)) + bytes(20)
    v6 = bytes(build_ipv6_header(bytes(16), bytes(16), 6, 20, traffic_class=ecn)) + bytes(20)
    return [v4, v6]


def ecn_of(packet: bytes) -> int:
    return packet[1] & 3 if packet[0] >> 4 == 4 else packet[1] >> 4 & 3


@pytest.mark.parametrize(("sent", "comes"), [(0, 0), (1, 3), (2, 3), (3, 3)])
def test_capable_packets_are_marked_from_the_threshold_on(sent: int, comes: int) -> None:
    for packet in ip_packets(sent):
        way = path(rate=1e6, ecn_threshold=1)
        for _ in range(3):
            way.send(packet, 0.0)
        arrived = way.receive(1.0)
        assert [ecn_of(packet) for packet in arrived] == [sent, sent, comes]
        assert way.marked == (sent != comes)
        assert packet[0] >> 4 == 6 or all(fold_sum(packet[:20]) == ALL_ONES for packet in arrived)


def test_what_is_no_ip_packet_is_never_marked() -> None:
    way = path(rate=1e6, ecn_threshold=0)
    way.send(b"\x45\x01", 0.0)
    assert way.receive(1.0) == [b"\x45\x01"]


def test_settings_change_while_running_all_or_none() -> None:
    way = path(loss=1.0)
    way.send(b"lost", 0.0)
    way.change(loss=0.0, delay=1.0)
    way.send(b"packet", 0.0)
    assert way.receive(1.0) == [b"packet"]
    with pytest.raises(ValueError, match="rate"):
        way.change(delay=2.0, rate=0.0)
    with pytest.raises(ValueError, match="no such setting: speed"):
        way.change(speed=1.0)
    assert way.settings()["delay"] == 1.0


@pytest.mark.parametrize(
    "settings",
    [{"loss": 1.1}, {"delay": -1.0}, {"rate": 0.0}, {"burst": (0.1, 2.0)}, {"burst": (0.1,)}, {"queue": -1}],
    ids=str,
)
def test_settings_without_a_meaning_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        path(**settings)


def test_the_same_seed_gives_the_same_network() -> None:
    settings: dict[str, Any] = {"delay": 0.1, "jitter": 0.1, "loss": 0.1, "reorder": 0.1, "duplicate": 0.1}
    one, other = path(**settings), path(**settings)
    for packet in packets(500):
        one.send(packet, 0.0)
        other.send(packet, 0.0)
    assert arrivals(one) == arrivals(other)
