"""Congestion control by the numbers of its RFCs: CUBIC (9438), HyStart++ (9406), PRR (6937), RACK (8985)."""

from __future__ import annotations

import itertools

import pytest

from tcpcore.conn import congestion
from tcpcore.conn.congestion.base import CongestionControl
from tcpcore.conn.congestion.cubic import BETA, C, Cubic
from tcpcore.conn.congestion.hystart import CSS_ROUNDS, N_RTT_SAMPLE, HyStart
from tcpcore.conn.prr import ProportionalRateReduction
from tcpcore.conn.rack import Rack
from tcpcore.conn.rtt import RttEstimator
from tcpcore.conn.sack import Delivery, Scoreboard

MSS = 1000


def rtt_of(seconds: float) -> RttEstimator:
    rtt = RttEstimator(1.0, 0.2, 60.0)
    rtt.sample(seconds)
    return rtt


class Flow:
    """A sender that always uses its whole window, acknowledged once a round trip in ``parts``."""

    def __init__(self, control: CongestionControl, rtt: float, parts: int = 10) -> None:
        self.control = control
        self.rtt = rtt_of(rtt)
        self.round_trip = rtt
        self.parts = parts
        self.now = 0.0
        self.una = 0

    def round(self) -> None:
        flight = self.control.cwnd
        nxt = self.una + flight
        for _ in range(self.parts):
            self.now += self.round_trip / self.parts
            self.una += flight // self.parts
            self.control.on_ack(flight // self.parts, flight, una=self.una, nxt=nxt, rtt=self.rtt, now=self.now)
            flight = max(flight, self.control.cwnd)

    def lose(self) -> None:
        self.control.on_loss(self.control.cwnd, now=self.now)
        assert self.control.ssthresh is not None
        self.control.cwnd = self.control.ssthresh


def cubic_at(segments: int) -> Cubic:
    control = Cubic(MSS, 10)
    control.cwnd = segments * MSS
    return control


def test_cubic_loses_three_tenths() -> None:
    flow = Flow(cubic_at(100), 0.1)
    flow.lose()
    assert flow.control.cwnd == 70 * MSS


def test_cubic_is_back_after_k_seconds_and_is_flat_there() -> None:
    flow = Flow(cubic_at(1000), 0.1)
    flow.lose()
    k = (1000 * (1 - BETA) / C) ** (1 / 3)  # section 4.2, equation 2
    windows = []
    while flow.now < 2 * k:
        flow.round()
        windows.append((flow.now, flow.control.cwnd / MSS))
    at_k = min(windows, key=lambda point: abs(point[0] - k))[1]
    assert at_k == pytest.approx(1000, rel=0.02)
    slopes = [later[1] - earlier[1] for earlier, later in itertools.pairwise(windows)]
    middle = len(slopes) // 2
    assert slopes[middle] < slopes[0] / 10  # concave towards W_max, and convex beyond
    assert slopes[middle] < slopes[-1] / 10


def test_cubic_on_a_short_path_grows_as_reno_does() -> None:
    """Section 4.3: where Reno would be faster, CUBIC is as fast."""
    flow = Flow(cubic_at(20), 0.001)
    flow.lose()
    for _ in range(30):
        flow.round()
    alpha = 3 * (1 - BETA) / (1 + BETA)
    assert flow.control.cwnd / MSS >= 14 + 0.9 * 30 * alpha


def test_cubic_gives_way_when_the_window_shrinks_twice() -> None:
    """Fast convergence (section 4.7): the second loss below the first makes room for newcomers."""
    flow = Flow(cubic_at(1000), 0.1)
    flow.lose()
    flow.lose()
    w_max = 700 * (1 + BETA) / 2
    k = ((w_max - 490) / C) ** (1 / 3)
    for share in (0.5, 1.0):  # half-way most of it is made up for
        while flow.now < share * k:
            flow.round()
        assert flow.control.cwnd / MSS == pytest.approx(w_max - C * ((1 - share) * k) ** 3, rel=0.01)


def test_cubic_aims_at_the_window_of_a_round_trip_ahead() -> None:
    """Section 4.2: the target is W_cubic(t + RTT); an ACK brings cwnd nearer by its share of the window."""
    control, rtt = cubic_at(1000), rtt_of(2.0)
    control.on_loss(1000 * MSS, now=0.0)
    control.cwnd = 700 * MSS
    control.on_ack(1, 700 * MSS, una=0, nxt=0, rtt=rtt, now=1.0)
    control.on_ack(70 * MSS, 700 * MSS, una=0, nxt=0, rtt=rtt, now=2.0)
    target = C * (1.0 + 2.0 - (300 / C) ** (1 / 3)) ** 3 + 1000
    assert control.cwnd / MSS == pytest.approx(700 + (target - 700) / 10, abs=0.01)


def test_time_without_use_does_not_count_for_cubic() -> None:
    """Section 5.8: an idle application does not find a huge window when it comes back."""
    flow = Flow(cubic_at(100), 0.1)
    flow.lose()
    flow.round()
    before = flow.control.cwnd
    for _ in range(100):
        flow.now += 0.1
        flow.control.on_ack(MSS, MSS, una=0, nxt=0, rtt=flow.rtt, now=flow.now)
    assert flow.control.cwnd == before
    flow.round()
    assert flow.control.cwnd < before + 3 * MSS  # ten seconds would make it half as large again


def test_timeout_leaves_cubic_one_segment() -> None:
    control = cubic_at(100)
    control.on_rto(100 * MSS, first=True, now=0.0)
    assert (control.cwnd, control.ssthresh) == (MSS, 70 * MSS)
    control.on_rto(MSS, first=False, now=1.0)
    assert control.ssthresh == 70 * MSS


@pytest.mark.parametrize(("name", "after_loss", "after_mark"), [("cubic", 70, 85), ("reno", 50, 80)])
def test_mark_costs_less_than_a_loss(name: str, after_loss: int, after_mark: int) -> None:
    """RFC 8511 section 3: a queue that marks is short."""
    lost, marked = congestion.create(name, MSS, 100), congestion.create(name, MSS, 100)
    lost.on_loss(100 * MSS, now=0.0)
    marked.on_ecn(100 * MSS, now=0.0)
    assert (lost.ssthresh, marked.ssthresh) == (after_loss * MSS, after_mark * MSS)


@pytest.mark.parametrize("name", ["cubic", "reno"])
def test_two_segments_are_the_least(name: str) -> None:
    control = congestion.create(name, MSS, 10)
    for event in (control.on_loss, control.on_ecn):
        event(MSS, now=0.0)
        assert control.ssthresh == 2 * MSS


def test_cubic_grows_by_half_a_window_in_a_round_trip_at_most() -> None:
    """Section 4.2: the target is 1.5 windows, however long the last loss is past."""
    control = cubic_at(10)
    control.on_loss(1000 * MSS, now=0.0)
    control.cwnd = 10 * MSS
    control.ssthresh = 10 * MSS
    rtt = rtt_of(0.1)
    control.on_ack(MSS, 10 * MSS, una=0, nxt=0, rtt=rtt, now=0.0)
    before = control.cwnd
    control.on_ack(before, before, una=0, nxt=0, rtt=rtt, now=60.0)
    assert control.cwnd == pytest.approx(1.5 * before, abs=MSS / 10)


def test_slow_start_after_a_loss_does_without_hystart() -> None:
    """RFC 9406 section 4.3: only the first slow start is one of unknown length."""
    control, una = cubic_at(10), 0
    control.on_rto(100 * MSS, first=True, now=0.0)
    for seconds in (0.1, 0.1, 0.2, 0.2, 0.2):
        before = control.cwnd
        for _ in range(N_RTT_SAMPLE):
            una += before // N_RTT_SAMPLE
            control.on_ack(before // N_RTT_SAMPLE, before, una=una, nxt=una + before, rtt=rtt_of(seconds), now=0.0)
        assert control.cwnd == 2 * before


def test_cubic_grows_from_its_own_window_after_a_timeout() -> None:
    """Section 4.8: K is 0, and W_max what congestion avoidance begins with."""
    flow = Flow(cubic_at(1000), 0.1)
    flow.lose()
    flow.round()
    flow.control.on_rto(700 * MSS, first=True, now=flow.now)
    flow.control.cwnd = first = flow.control.ssthresh or 0
    began = flow.now
    for _ in range(60):
        flow.round()
    assert flow.control.cwnd / MSS == pytest.approx(first / MSS + C * (flow.now - began) ** 3, rel=0.05)


@pytest.mark.parametrize("name", ["cubic", "reno"])
def test_algorithm_changes_where_the_other_is(name: str) -> None:
    old = congestion.create("cubic" if name == "reno" else "reno", MSS, 10)
    old.cwnd, old.ssthresh = 77 * MSS, 50 * MSS
    new = congestion.replacement(old, name)
    assert (new.name, new.cwnd, new.ssthresh, new.mss) == (name, 77 * MSS, 50 * MSS, MSS)


def feed(hystart: HyStart, rounds: list[float], size: int = 100) -> tuple[int, int | None]:
    """Rounds with these round-trip times, eight ACKs each: all growth, and the round that ended slow start."""
    growth, una = 0, 0
    for number, rtt in enumerate(rounds):
        nxt = una + N_RTT_SAMPLE * size
        for _ in range(N_RTT_SAMPLE):
            una += size
            more, ends = hystart.on_ack(size, rtt, una - size, nxt)
            if ends:
                return growth, number
            growth += more
    return growth, None


def test_steady_round_trips_keep_slow_start() -> None:
    assert feed(HyStart(), [0.1] * 20) == (20 * N_RTT_SAMPLE * 100, None)


def test_growing_round_trip_leads_to_conservative_slow_start_and_then_ends_it() -> None:
    # 12.5 ms is the threshold at 100 ms; found with the last sample of the round, growth is then a quarter
    growth, ended = feed(HyStart(), [0.1, 0.1] + [0.113] * 10)
    assert ended == 2 + CSS_ROUNDS
    full, quarter = 3 * N_RTT_SAMPLE - 1, (CSS_ROUNDS - 1) * N_RTT_SAMPLE + 1
    assert growth == full * 100 + quarter * 25


def test_growth_below_the_threshold_is_noise() -> None:
    assert feed(HyStart(), [0.1, 0.112] * 10)[1] is None


def test_growth_of_just_the_threshold_counts() -> None:
    assert feed(HyStart(), [0.125] + [0.125 + 0.125 / 8] * 10)[1] is not None


def test_round_trip_that_falls_again_resumes_slow_start() -> None:
    _, ended = feed(HyStart(), [0.1, 0.113, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert ended is None


def test_prr_sends_one_segment_for_two_and_ends_at_ssthresh() -> None:
    """RFC 6937 section 3.1's situation: 20 segments in flight, the first is lost, Reno halves."""
    prr, pipe, sent = ProportionalRateReduction(20 * MSS), 16 * MSS, 0
    for number in range(17):
        pipe -= MSS if number else 0
        cwnd = prr.on_ack(MSS, pipe, 10 * MSS, MSS, safe=False)
        while pipe + MSS <= cwnd:
            pipe += MSS
            prr.prr_out += MSS
            sent += 1
        assert sent <= number / 2 + 2
    assert (sent, pipe) == (10, 10 * MSS)


def test_prr_fills_up_to_ssthresh_when_the_pipe_ran_dry() -> None:
    prr = ProportionalRateReduction(20 * MSS)
    cwnd = prr.on_ack(MSS, 2 * MSS, 10 * MSS, MSS, safe=False)
    assert cwnd == 3 * MSS  # conservatively: what was delivered
    prr.prr_out = MSS
    assert prr.on_ack(MSS, 2 * MSS, 10 * MSS, MSS, safe=True) == 4 * MSS


def delivery(time: float, end: int, **attributes: object) -> Delivery:
    made = Delivery()
    made.first = (time, end)
    for name, given in attributes.items():
        setattr(made, name, given)
    return made


def test_reordering_window_opens_once_reordering_was_seen() -> None:
    rack = Rack()
    rack.delivered(delivery(1.0, 300), 0.1, 1.1)
    assert rack.reo_wnd(0, recovering=True, min_rtt=0.1, srtt=0.1) == 0
    assert rack.reo_wnd(3, recovering=False, min_rtt=0.1, srtt=0.1) == 0
    assert rack.reo_wnd(2, recovering=False, min_rtt=0.1, srtt=0.1) == 0.025
    rack.delivered(delivery(1.0, 100, reordered=True), 0.1, 1.1)
    assert rack.reo_wnd(3, recovering=True, min_rtt=0.1, srtt=0.1) == 0.025


def test_duplicates_widen_the_reordering_window_once_a_round_trip() -> None:
    rack = Rack()
    rack.duplicate_reported(0, 1000)
    rack.duplicate_reported(500, 1500)
    assert rack.reo_wnd(0, recovering=False, min_rtt=0.1, srtt=1.0) == 0.05
    rack.duplicate_reported(1000, 2000)
    assert rack.reo_wnd(0, recovering=False, min_rtt=0.1, srtt=1.0) == pytest.approx(0.075)
    assert rack.reo_wnd(0, recovering=False, min_rtt=0.1, srtt=0.06) == 0.06
    for _ in range(16):
        rack.recovered()
    assert rack.reo_wnd(0, recovering=False, min_rtt=0.1, srtt=1.0) == 0.025


def test_early_ack_of_something_sent_again_is_for_the_first_copy() -> None:
    rack = Rack()
    again = Delivery()
    again.again = (2.0, 100)
    rack.delivered(again, 0.1, 2.05)
    assert rack.xmit_ts == 0.0
    rack.delivered(again, 0.1, 2.1)
    assert (rack.xmit_ts, rack.end_seq) == (2.0, 100)


def test_what_was_sent_before_is_lost_after_a_round_trip_and_the_window() -> None:
    board, rack = Scoreboard(0), Rack()
    for number in range(5):
        board.sent(number * 100, number * 100 + 100, number / 1000)
    made = Delivery()
    board.sack(300, 400, made)
    rack.delivered(made, 0.1, 0.103)
    assert rack.detect(board, 0.025, 0.103) == pytest.approx(0.022)
    assert board.lost == 0
    assert rack.detect(board, 0.025, 0.1255) == pytest.approx(0.0005)
    assert board.lost == 100
    assert rack.detect(board, 0.025, 0.2) is None
    assert board.lost == 300
