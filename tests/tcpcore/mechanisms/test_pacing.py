"""Pacing by the numbers of draft-ietf-ccwg-bbr sections 5.6.2 and 5.6.3, alone and in a connection."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tcpcore.config import Config, LinkCapabilities
from tcpcore.conn import congestion
from tcpcore.conn.observer import Observer
from tcpcore.conn.pacing import CREDIT, MAX_QUANTUM, Pacer, send_quantum
from tcpcore.conn.tcb import Tcb
from tcpcore.testing.pair import Pair
from tcpcore.wire.packet import Packet

MSS = 1000


@pytest.mark.parametrize(
    ("rate", "quantum"),
    [(1e5, 2 * MSS), (2e6, 2 * MSS), (1e7, 10_000), (1e9, MAX_QUANTUM)],
)
def test_quantum_is_a_millisecond_of_the_rate_within_bounds(rate: float, quantum: int) -> None:
    assert send_quantum(rate, MSS) == quantum


def test_a_quantum_then_its_time() -> None:
    pacer = Pacer()
    assert pacer.room(2 * MSS, 10.0) == 2 * MSS
    pacer.sent(MSS, 1e6, 10.0)
    assert pacer.room(2 * MSS, 10.0) == MSS
    pacer.sent(MSS, 1e6, 10.0)
    assert pacer.room(2 * MSS, 10.0) == 0
    assert pacer.next == pytest.approx(10.0 + 2 * MSS / 1e6)
    assert pacer.room(2 * MSS, pacer.next) == 2 * MSS


def test_a_late_timer_is_made_up_for_a_little() -> None:
    pacer = Pacer()
    pacer.next, pacer.waits = 10.0, True
    pacer.room(2 * MSS, 10.0004)
    pacer.sent(MSS, 1e6, 10.0004)
    assert pacer.next == pytest.approx(10.001)  # as if it had not been late
    pacer.waits = True
    pacer.room(2 * MSS, 20.0)
    assert pacer.next == pytest.approx(20.0 - CREDIT)  # but not for ten seconds


def test_a_late_quantum_costs_no_rate() -> None:
    """Every timer is 0.3 ms late; in a second leaves what the rate says."""
    pacer, now, size = Pacer(), 10.0, 0
    while now < 11.0:
        while pacer.room(4 * MSS, now) >= MSS:
            pacer.sent(MSS, 4e6, now)
            size += MSS
        pacer.waits = True
        now = max(pacer.next, now) + 0.0003
    assert size == pytest.approx(4e6, rel=0.01)


def test_silence_gives_no_credit() -> None:
    pacer = Pacer()
    pacer.next = 10.0
    pacer.room(2 * MSS, 20.0)
    pacer.sent(MSS, 1e6, 20.0)
    assert pacer.next == pytest.approx(20.001)


def test_rates_of_those_that_do_not_choose_one() -> None:
    control = congestion.create("reno", MSS, 10)
    assert control.pacing_rate(0.1) == pytest.approx(2 * 10 * MSS / 0.1)
    control.ssthresh = 30 * MSS
    assert control.pacing_rate(0.1) == pytest.approx(2 * 10 * MSS / 0.1)
    control.ssthresh = 20 * MSS  # the window is no longer far from it
    assert control.pacing_rate(0.1) == pytest.approx(1.2 * 10 * MSS / 0.1)


class Departures(Observer):
    """When text left, and how much."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def segment_sent(self, tcb: Tcb | None, packet: Packet, now: float) -> None:
        """Note it."""
        if packet.payload_length:
            self.seen.append((now, packet.payload_length))


def bursts(config: Config, capabilities: LinkCapabilities | None = None) -> list[tuple[float, int]]:
    """(time, octets) of what leaves of 1 MB over a path of 20 ms, those at the same moment together."""
    pair = Pair(config, latency=0.01, capabilities=capabilities)
    sender, receiver = pair.connect()
    departures = Departures()
    pair.a.observe(departures)
    data = bytes(1_000_000)
    assert pair.transfer(sender, receiver, data, limit=10.0) == data
    together = itertools.groupby(departures.seen, key=lambda seen: seen[0])
    return [(now, sum(size for _, size in group)) for now, group in together]


def test_cubic_sends_its_window_in_one_burst_and_paced_in_quanta() -> None:
    burst = bursts(Config())
    paced = bursts(Config(pacing=True))
    assert max(size for _, size in burst) > 64_000
    srtt, mss = 0.02, 1448
    assert paced[0][1] == 2 * mss
    initial_rate = 2 * 10 * mss / srtt
    waits = [later[0] - earlier[0] for earlier, later in itertools.pairwise(paced[:5])]
    assert waits == pytest.approx([2 * mss / initial_rate] * 4, rel=0.01)
    assert len(paced) > 5 * len(burst)


def test_super_segments_are_a_quantum() -> None:
    offload = LinkCapabilities(segmentation_offload=True)
    sizes = [size for _, size in bursts(Config(congestion_control="bbr"), offload)]
    assert max(sizes) > 10 * 1448
    assert max(sizes) <= MAX_QUANTUM


def test_pacing_costs_no_time_when_the_window_is_small() -> None:
    """What leaves in quanta is all there no later than a round trip after the burst would have been."""
    burst, paced = bursts(Config()), bursts(Config(pacing=True))
    assert paced[-1][0] - burst[-1][0] < 2 * 0.02


def test_switched_on_and_off_live() -> None:
    pair = Pair(Config(), latency=0.01)
    sender, _ = pair.connect()
    assert sender.status(pair.now).pacing_rate is None
    sender.set_option("pacing", True, pair.now)
    rate = sender.status(pair.now).pacing_rate
    assert rate == pytest.approx(2 * 10 * 1448 / 0.02, rel=0.01)
    sender.send(bytes(20_000), pair.now)
    pair.flush()
    assert sender.in_flight == 2 * 1448
    sender.set_option("pacing", False, pair.now)
    pair.flush()
    assert sender.in_flight == 10 * 1448
    assert sender.status(pair.now).pacing_rate is None


def test_a_retransmission_is_paced_too() -> None:
    pair = Pair(replace(Config(), pacing=True, congestion_control="reno"), latency=0.05)
    sender, receiver = pair.connect()
    lost = iter(range(1, 100))
    departures = Departures()
    pair.a.observe(departures)

    def carry(packet: bytes, direction: str) -> bool:
        return direction == "b>a" or len(packet) < 200 or next(lost) > 6

    pair.deliver = carry
    data = bytes(40 * 1448)
    assert pair.transfer(sender, receiver, data, limit=10.0) == data
    per_moment = [sum(1 for _ in group) for _, group in itertools.groupby(departures.seen, key=lambda seen: seen[0])]
    assert sender.segments_retransmitted >= 6
    assert max(per_moment) <= 2
