"""BBR by the numbers of draft-ietf-ccwg-bbr-06, against a path that is a formula, and over the simulated network."""

from __future__ import annotations

import random
from dataclasses import replace
from math import inf

import pytest

from tcpcore.config import Config
from tcpcore.conn import congestion
from tcpcore.conn.congestion import bbrcontrol as bbr
from tcpcore.conn.congestion.bbr import BBR
from tcpcore.conn.congestion.bbrmodel import ExtraAcked, FullPipe, MaxBandwidth, MinRtt, Rounds, ShortTerm
from tcpcore.conn.pacing import send_quantum
from tcpcore.conn.rate import Departure, RateSample, RateSampler
from tcpcore.testing.pair import Pair
from tests.tcpcore.netsim.simulation import Network, transfer

MSS = 1000
RTT = 0.1
LINK = 1e6
"""Octets a second."""
BDP = int(LINK * RTT)


# The estimators


def test_rounds_are_timed_by_packets() -> None:
    rounds = Rounds()
    rounds.update(0, 5)
    assert rounds.start
    rounds.update(0, 10)  # left before those 5 arrived
    assert not rounds.start
    rounds.update(5, 15)
    assert rounds.start
    assert rounds.count == 2


def test_bandwidth_is_the_maximum_of_two_cycles() -> None:
    bandwidth = MaxBandwidth()
    for rate in (3.0, 9.0, 5.0):
        bandwidth.update(rate)
    assert bandwidth.value == 9.0
    bandwidth.advance()
    bandwidth.update(4.0)
    assert bandwidth.value == 9.0
    bandwidth.advance()
    assert bandwidth.value == 4.0
    bandwidth.advance()  # a cycle without samples
    assert bandwidth.value == 4.0


def test_the_pipe_is_full_after_three_rounds_without_a_quarter_more() -> None:
    pipe = FullPipe()
    for rate in (100.0, 200.0, 249.0, 240.0, 251.0, 260.0, 270.0):
        pipe.update(rate)
        assert not pipe.now
    pipe.update(280.0)
    assert pipe.now
    assert pipe.reached
    pipe.restart(280.0)
    assert not pipe.now
    assert pipe.reached


def test_extra_acked_is_what_bandwidth_does_not_explain() -> None:
    extra = ExtraAcked()
    extra.restart(1.0)
    extra.update(1000, 1e4, 50_000, 1, 10, 1.0)
    extra.update(1500, 1e4, 50_000, 1, 10, 1.1)
    assert extra.value == pytest.approx(1500)
    extra.update(100, 1e4, 50_000, 5, 10, 1.2)
    assert extra.value == pytest.approx(1500)  # 2600 octets in 0.2 s are 600 more than 2000
    extra.update(100, 1e4, 50_000, 11, 10, 1.25)
    assert extra.value == pytest.approx(600)  # the first is ten rounds old
    extra.update(100, 1e4, 50_000, 30, 10, 9.0)
    assert extra.value == pytest.approx(100)  # the ACKs fell behind: a new episode


def test_minimum_round_trip_is_looked_for_after_five_seconds() -> None:
    shortest = MinRtt()
    shortest.update(0.2, 1.0)
    shortest.update(0.1, 2.0)
    shortest.update(0.3, 6.9)
    assert (shortest.value, shortest.expired) == (0.1, False)
    shortest.update(0.3, 7.1)
    assert (shortest.value, shortest.expired) == (0.1, True)  # the old one is kept for ten seconds
    shortest.update(0.25, 12.1)
    assert shortest.value == 0.25


def test_a_round_with_loss_leaves_what_it_delivered_or_seven_tenths() -> None:
    short = ShortTerm()
    short.lost(0)
    short.bw_latest, short.inflight_latest = 50.0, 900
    short.adapt(100.0, 1000)
    assert (short.bw, short.inflight) == (70.0, 900)
    short.adapt(100.0, 1000)
    assert short.bw == pytest.approx(50.0)
    short.forget()
    assert (short.bw, short.inflight) == (inf, inf)


# The algorithm on a path without a queue of its own


class Path:
    """Every packet-timed round trip takes ``RTT`` and delivers what the link can; BBR gets one sample for each ACK."""

    def __init__(self, segments: int = 10) -> None:
        self.control = BBR(MSS, segments)
        self.c = self.control.sampler(random.Random(1))
        self.now = 100.0
        self.states: list[str] = []

    def departure(self, tx_in_flight: int | None = None) -> Departure:
        return Departure(self.c, self.control.cwnd if tx_in_flight is None else tx_in_flight, self.now)

    def deliver(
        self, rate: float, *, rounds: int = 1, rtt: float = RTT, in_flight: int = 0, app_limited: bool = False
    ) -> None:
        """``rounds`` round trips at ``rate``, an ACK for each tenth of a window."""
        for _ in range(rounds):
            departure = self.departure()
            departure.app_limited = app_limited
            for _ in range(10):
                self.now += rtt / 10
                acked = max(int(rate * rtt / 10), 1)
                self.c.delivered += acked
                sample = RateSample(departure, self.c, acked, in_flight)
                sample.delivery_rate, sample.rtt = rate, rtt
                self.control.on_sample(sample, srtt=rtt, now=self.now)
                if not self.states or self.states[-1] != self.control.state:
                    self.states.append(self.control.state)

    def lose(self, departure: Departure, size: int = MSS, *, apart: bool = True) -> None:
        self.c.lost += size
        self.control.on_lost_range(departure, size, apart=apart, sack=True, now=self.now)

    def cruising(self) -> BBR:
        """Startup and Drain are over."""
        rate = LINK / 16
        while self.control.state == bbr.STARTUP:
            self.deliver(rate, in_flight=2 * BDP)
            rate = min(2 * rate, LINK)
        self.deliver(LINK, in_flight=BDP // 2)
        assert self.control.state == bbr.CRUISE
        return self.control

    def until(self, state: str, in_flight: int = BDP) -> None:
        for _ in range(200):
            if self.control.state == state:
                return
            self.deliver(LINK, in_flight=in_flight)
        raise AssertionError(f"still in {self.control.state}")


def test_startup_paces_the_first_window_at_2_77() -> None:
    control = BBR(MSS, 10)
    assert control.state == "startup"
    assert control.pacing_rate(RTT) == pytest.approx(2.77 * 10 * MSS / RTT)
    assert control.pacing_rate(0.0) == pytest.approx(2.77 * 10 * MSS / 0.001)
    assert (control.bandwidth, control.path_min_rtt) == (None, None)


def test_the_rate_follows_the_bandwidth_and_never_falls_in_startup() -> None:
    path = Path()
    path.deliver(2e5)
    assert path.control.rate == pytest.approx(2.77 * 2e5 * 0.99)
    path.deliver(1e5)
    assert path.control.rate == pytest.approx(2.77 * 2e5 * 0.99)


def test_startup_ends_when_the_bandwidth_does_not_grow_and_drain_when_the_queue_is_gone() -> None:
    path = Path()
    for rate in (1e5, 2e5, 4e5, 8e5):
        path.deliver(rate, in_flight=BDP)
    path.deliver(LINK, rounds=1, in_flight=2 * BDP)
    assert path.control.state == "startup"
    path.deliver(LINK, rounds=3, in_flight=2 * BDP)
    assert path.control.state == "drain"
    assert path.control.rate == pytest.approx(0.5 * LINK * 0.99)
    path.deliver(LINK, in_flight=BDP)
    assert path.states == ["startup", "drain", "probe-bw-cruise"]  # DOWN ends with the same ACK: no queue is left
    assert path.control.cwnd <= 2 * BDP + path.control.extra_acked.value
    assert path.control.rate == pytest.approx(LINK * 0.99)
    assert path.control.bandwidth == LINK
    assert path.control.path_min_rtt == pytest.approx(RTT)


def test_drain_does_not_last_for_ever() -> None:
    path = Path()
    path.deliver(LINK, rounds=4, in_flight=3 * BDP)
    assert path.control.state == "drain"
    path.deliver(LINK, rounds=5, in_flight=3 * BDP)
    assert path.control.state != "drain"


def test_application_limited_samples_end_no_startup_and_lower_no_estimate() -> None:
    path = Path()
    path.deliver(5e5)
    path.deliver(1e5, rounds=20, app_limited=True)
    assert path.control.state == "startup"
    assert path.control.max_bw.value == 5e5
    path.deliver(6e5, app_limited=True)  # but one that is larger counts
    assert path.control.max_bw.value == 6e5


def test_probing_cycles_through_the_four_states_with_their_gains() -> None:
    path = Path()
    control = path.cruising()
    path.states.clear()
    began = path.now
    path.until(bbr.REFILL)
    assert 1.9 < path.now - began < 3.3  # 2 to 3 s; 63 round trips would be longer
    path.until(bbr.UP)
    assert control.rate == pytest.approx(1.25 * LINK * 0.99)
    assert control.cwnd <= int(2.25 * BDP) + control.extra_acked.value + 2 * MSS
    path.until(bbr.DOWN, in_flight=int(1.25 * BDP))
    path.deliver(LINK, in_flight=int(1.25 * BDP))
    assert control.rate == pytest.approx(0.9 * LINK * 0.99)
    path.until(bbr.CRUISE)
    assert path.states == [bbr.CRUISE, bbr.REFILL, bbr.UP, bbr.DOWN, bbr.CRUISE]


def test_a_small_window_is_probed_as_often_as_reno_would() -> None:
    path = Path()
    control = path.cruising()
    control.cwnd = 8 * MSS
    control.short.inflight = 8 * MSS
    rounds = control.rounds.count
    path.until(bbr.REFILL)
    assert control.rounds.count - rounds <= 9


def test_more_bandwidth_is_found_by_probing() -> None:
    path = Path()
    control = path.cruising()
    path.until(bbr.UP)
    path.deliver(1.25 * LINK, in_flight=BDP)
    assert control.max_bw.value == 1.25 * LINK
    assert control.state == bbr.UP  # it still grows


def test_too_much_loss_while_probing_bounds_what_is_in_flight() -> None:
    """Section 5.5.10.2 with a queue in sight: 2 % of what was in flight."""
    path = Path()
    control = path.cruising()
    path.until(bbr.UP)
    path.deliver(LINK, rounds=2, rtt=1.3 * RTT, in_flight=BDP)
    departure = path.departure(100 * MSS)
    for _ in range(2):
        path.lose(departure)
    assert control.inflight_longterm == inf
    path.lose(departure)
    prefix = (0.02 * 99 * MSS - 2 * MSS) / 0.98
    assert control.inflight_longterm == int(99 * MSS + prefix)
    assert control.state == bbr.DOWN
    path.lose(departure)  # once for a probe
    assert control.inflight_longterm == int(99 * MSS + prefix)
    path.until(bbr.CRUISE, in_flight=BDP // 2)
    assert control.cwnd <= 0.85 * control.inflight_longterm


def test_the_bound_rises_slowly_and_then_faster_while_it_is_what_limits() -> None:
    """Section 5.3.3.5: by 1, 2, 4 segments a round trip."""
    path = Path()
    control = path.cruising()
    path.until(bbr.UP, in_flight=0)
    control.cwnd = control.inflight_longterm = 60 * MSS
    rises = []
    for _ in range(4):
        before = control.inflight_longterm
        path.c.departs(MSS, control.cwnd, control.cwnd, MSS, path.now)  # the window is used
        departure = path.departure(0)
        for _ in range(60):
            path.now += RTT / 60
            path.c.delivered += MSS
            sample = RateSample(departure, path.c, MSS, 59 * MSS)
            sample.delivery_rate, sample.rtt = LINK, RTT
            control.on_sample(sample, srtt=RTT, now=path.now)
        rises.append((control.inflight_longterm - before) / MSS)
    assert control.state == bbr.UP
    assert rises[0] <= 2
    assert rises[3] > 2 * rises[1] > 0


def test_without_a_queue_a_tenth_may_be_lost_and_what_chance_adds() -> None:
    """Not the draft's: section "Deviations" of docs/congestion.md."""
    path = Path()
    control = path.cruising()
    path.until(bbr.UP)
    departure = path.departure(100 * MSS)
    for _ in range(19):  # 10, and 3 times the square root of 10
        path.lose(departure)
    assert control.inflight_longterm == inf
    path.lose(departure)
    assert 95 * MSS < control.inflight_longterm <= 100 * MSS


@pytest.mark.parametrize("rtt", [RTT, 1.2 * RTT])
def test_loss_while_cruising_slows_down_to_what_arrives_if_there_is_a_queue(rtt: float) -> None:
    path = Path()
    control = path.cruising()
    path.deliver(LINK, rtt=rtt, in_flight=BDP)
    for _ in range(3):
        path.lose(path.departure())
        path.deliver(0.8 * LINK, rtt=rtt, in_flight=BDP)
    if rtt == RTT:
        assert control.bandwidth == LINK
    else:
        assert control.bandwidth == pytest.approx(0.8 * LINK)
        path.until(bbr.REFILL)
        assert control.short.bw == inf


def test_startup_ends_with_six_losses_that_are_too_many() -> None:
    path = Path()
    path.deliver(2e5, in_flight=BDP)
    control = path.control
    control.on_loss(BDP, now=path.now)
    departure = path.departure(50 * MSS)
    for number in range(12):
        path.lose(departure, apart=number % 2 == 0)
    sample = RateSample(departure, path.c, MSS, BDP)
    path.c.delivered += MSS
    sample.delivery_rate, sample.rtt = 2.1e5, 1.5 * RTT
    control.on_sample(sample, srtt=RTT, now=path.now)
    assert control.state in (bbr.DRAIN, bbr.DOWN)
    assert control.full_pipe.reached
    assert control.inflight_longterm < inf
    control.undo(control.save())  # it was reordering
    assert control.state == bbr.STARTUP
    assert control.inflight_longterm == inf


def test_timeout_leaves_one_segment_and_recovery_gives_the_window_back() -> None:
    path = Path()
    control = path.cruising()
    before = control.cwnd
    control.on_rto(0, first=True, now=path.now)
    assert control.cwnd == MSS
    control.on_rto(0, first=False, now=path.now)
    path.deliver(MSS / RTT * 10)
    assert 4 * MSS <= control.cwnd < before
    control.on_recovered()
    assert control.cwnd == before


def test_undo_gives_back_what_loss_took() -> None:
    path = Path()
    control = path.cruising()
    before = control.cwnd
    control.on_loss(before, now=path.now)
    control.short.bw, control.short.inflight = LINK / 2, BDP
    control.cwnd = BDP
    assert control.undo(control.save()) is control
    assert (control.cwnd, control.short.bw, control.short.inflight) == (before, inf, inf)


def test_every_five_seconds_the_pipe_is_half_empty_for_a_fifth_of_one() -> None:
    path = Path()
    control = path.cruising()
    path.until(bbr.PROBE_RTT)
    assert control.cwnd == max(BDP // 2, 4 * MSS)
    assert path.c.app_limited
    began = path.now
    while control.state == bbr.PROBE_RTT:
        path.deliver(LINK / 2, in_flight=BDP // 2)
    assert 0.2 <= path.now - began < 0.6
    assert control.state == bbr.CRUISE
    assert control.cwnd > BDP
    assert control.max_bw.value == LINK


def test_restart_from_idle_is_paced_at_the_bandwidth() -> None:
    path = Path()
    control = path.cruising()
    path.until(bbr.UP)
    path.now += 30.0
    control.on_restart(now=path.now)
    assert control.rate == pytest.approx(LINK * 0.99)
    control.on_idle(10 * MSS)
    assert control.cwnd > 10 * MSS
    path.deliver(LINK)
    assert control.state != bbr.PROBE_RTT  # the idleness has drained the queue


def test_a_tiny_window_is_four_segments() -> None:
    path = Path(segments=1)
    path.deliver(1000.0, rounds=30)
    assert path.control.cwnd >= 4 * MSS
    assert path.control.cwnd >= 3 * send_quantum(path.control.rate, MSS) - 2 * MSS


# In a connection


def test_the_algorithm_is_chosen_and_changed_live() -> None:
    pair = Pair(replace(Config(), congestion_control="bbr"), latency=0.01)
    sender, receiver = pair.connect()
    status = sender.status(pair.now)
    assert (status.congestion_control, status.congestion_state) == ("bbr", "startup")
    assert status.pacing_rate == pytest.approx(2.77 * 10 * status.mss / 0.02, rel=0.01)
    assert pair.transfer(sender, receiver, bytes(500_000)) == bytes(500_000)
    assert sender.status(pair.now).bandwidth is not None
    sender.set_option("congestion_control", "cubic", pair.now)
    status = sender.status(pair.now)
    assert (status.congestion_state, status.pacing_rate, status.bandwidth) == ("slow start", None, None)
    assert pair.transfer(sender, receiver, bytes(100_000)) == bytes(100_000)
    sender.set_option("congestion_control", "bbr", pair.now)
    assert pair.transfer(sender, receiver, bytes(100_000)) == bytes(100_000)
    pair.run(0.1)
    assert sender.rate is not None
    assert 100_000 <= sender.rate.delivered < 102_000  # with what was on its way at the change


def test_nothing_is_sent_ecn_capable_since_nobody_would_slow_down() -> None:
    pair = Pair(replace(Config(), congestion_control="bbr", ecn="on"), latency=0.01)
    seen: set[int] = set()

    def carry(packet: bytes, direction: str) -> bool:
        seen.add(packet[1] & 3)
        return True

    pair.deliver = carry
    sender, receiver = pair.connect()
    assert sender.status(pair.now).ecn
    assert pair.transfer(sender, receiver, bytes(100_000)) == bytes(100_000)
    assert seen == {0}


def test_without_sack_it_arrives_as_well() -> None:
    pair = Pair(replace(Config(), congestion_control="bbr", sack=False, timestamps=False), latency=0.01, loss=0.02)
    sender, receiver = pair.connect()
    assert pair.transfer(sender, receiver, bytes(300_000), limit=60.0) == bytes(300_000)


def test_most_algorithms_measure_nothing() -> None:
    for name in ("cubic", "reno"):
        control = congestion.create(name, MSS, 10)
        assert control.sampler(random.Random(1)) is None
        assert not control.governs
    assert isinstance(congestion.create("bbr", MSS, 10).sampler(random.Random(1)), RateSampler)


@pytest.mark.parametrize(("loss", "least"), [(0.0, 0.85), (0.01, 0.8), (0.05, 0.65)])
def test_random_loss_costs_little(loss: float, least: float) -> None:
    """20 Mbit/s and 20 ms; CUBIC gets 37 % at 1 % and 15 % at 5 %."""
    network = Network(rtt=0.02, rate=20e6, loss=loss)
    result = transfer(network, "bbr", 6 << 20, 20.0)
    assert result.goodput > least * network.rate
    assert result.queue_mean < 0.02
    assert result.resent < 1.4 * loss + 0.02


def test_the_same_seed_gives_the_same_run() -> None:
    network = Network(rtt=0.02, loss=0.02, rate=20e6)
    assert transfer(network, "bbr", 1 << 20, 10.0) == transfer(network, "bbr", 1 << 20, 10.0)
