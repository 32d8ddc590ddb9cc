"""Delivery rate sampling by the numbers of draft-ietf-ccwg-bbr section 4.1."""

from __future__ import annotations

import pytest

from tcpcore.conn.rate import RateSample, RateSampler
from tcpcore.conn.sack import Delivery, Scoreboard

MSS = 1000
CWND = 100 * MSS


class Wire:
    """A sampler, the scoreboard that keeps what it has to know, and nobody else."""

    def __init__(self) -> None:
        self.sampler = RateSampler()
        self.board = Scoreboard(0)
        self.una = self.nxt = 0

    @property
    def in_flight(self) -> int:
        return self.nxt - self.una - self.board.sacked - self.board.lost

    def send(self, segments: int, now: float) -> None:
        start, self.nxt = self.nxt, self.nxt + segments * MSS
        departure = self.sampler.departs(segments * MSS, self.in_flight, CWND, MSS, now)
        self.board.sent(start, self.nxt, now, departure)

    def resend(self, segment: int, now: float) -> None:
        departure = self.sampler.departs(MSS, self.in_flight + MSS, CWND, MSS, now)
        self.board.resent(segment * MSS, (segment + 1) * MSS, now, departure)

    def ack(self, segments: int, now: float, min_rtt: float = 0.0) -> RateSample | None:
        """``segments``: acknowledged from the beginning on."""
        delivery = Delivery()
        self.board.acknowledge(segments * MSS, delivery)
        self.una = segments * MSS
        return self.sampler.sample(delivery, self.in_flight, min_rtt, now)

    def sack(self, first: int, last: int, now: float, min_rtt: float = 0.0) -> RateSample | None:
        delivery = Delivery()
        self.board.sack(first * MSS, last * MSS, delivery)
        return self.sampler.sample(delivery, self.in_flight, min_rtt, now)


def told(sample: RateSample | None) -> RateSample:
    assert sample is not None
    return sample


def test_a_flight_that_leaves_at_once_has_the_ack_rate() -> None:
    wire = Wire()
    wire.send(10, 1.0)
    sample = told(wire.ack(10, 1.1))
    assert sample.delivered == 10 * MSS
    assert sample.delivery_rate == pytest.approx(10 * MSS / 0.1)
    assert (sample.newly_acked, sample.in_flight) == (10 * MSS, 0)
    assert sample.rtt == pytest.approx(0.1)


def test_acks_that_come_together_are_no_bandwidth() -> None:
    """Section 4.1.1.2.2: 20 segments leave within 0.2 s; the first ten's ACK comes, then all of the rest at once."""
    wire = Wire()
    for segment in range(20):
        wire.send(1, 1.0 + segment / 100)
    wire.ack(10, 1.2)
    wire.send(1, 1.2)
    sample = told(wire.ack(21, 1.201, 0.0))
    assert sample.prior_delivered == 10 * MSS
    assert sample.delivered == 11 * MSS
    send_elapsed = 1.2 - 1.09  # from the newest that the first ACK was for to the newest of all
    assert sample.delivery_rate == pytest.approx(11 * MSS / send_elapsed)


def test_the_newest_range_of_an_ack_counts() -> None:
    wire = Wire()
    wire.send(2, 1.0)
    wire.send(2, 1.01)
    sample = told(wire.ack(4, 1.1))
    assert sample.delivery_rate == pytest.approx(4 * MSS / 0.1)  # both had nothing delivered before them
    assert wire.sampler.first_sent_time == 1.01


def test_what_sack_delivers_counts_once() -> None:
    wire = Wire()
    wire.send(10, 1.0)
    assert told(wire.sack(5, 10, 1.1)).delivered == 5 * MSS
    assert told(wire.ack(10, 1.2)).newly_acked == 5 * MSS
    assert wire.sampler.delivered == 10 * MSS


def test_an_interval_below_the_round_trip_is_not_trusted() -> None:
    """The ACK of the first copy comes just after the second left (section 4.1.2.3)."""
    wire = Wire()
    wire.send(4, 1.0)
    wire.sack(1, 4, 1.1)
    wire.board.lose(0, MSS)
    wire.resend(0, 1.11)
    sample = told(wire.ack(4, 1.115, min_rtt=0.1))
    assert sample.delivery_rate == 0.0
    assert sample.rtt is None  # it was sent again: which copy it was nobody knows
    assert sample.delivered == MSS


def test_application_limited_until_the_bubble_has_left() -> None:
    wire = Wire()
    wire.send(2, 1.0)
    wire.sampler.mark_app_limited(2 * MSS)
    wire.send(2, 1.05)
    assert not told(wire.ack(2, 1.1)).is_app_limited  # left before
    wire.send(2, 1.1)
    assert told(wire.ack(4, 1.15)).is_app_limited
    wire.send(2, 1.15)
    assert told(wire.ack(6, 1.2)).is_app_limited
    assert not told(wire.ack(8, 1.25)).is_app_limited


def test_loss_is_told_since_the_departure() -> None:
    wire = Wire()
    wire.send(10, 1.0)
    wire.sampler.lost += MSS
    wire.send(10, 1.05)
    wire.sampler.lost += 2 * MSS
    assert told(wire.ack(10, 1.1)).lost == 3 * MSS
    sample = told(wire.ack(20, 1.15))
    assert (sample.lost, sample.tx_in_flight) == (2 * MSS, 20 * MSS)


def test_the_scoreboard_tells_what_was_lost_with_its_departure() -> None:
    wire = Wire()
    wire.send(4, 1.0)
    wire.send(4, 1.01)
    wire.sack(5, 8, 1.1)
    wire.board.detect(1.01, 8 * MSS, 0.05, 1.1)
    losses = wire.board.losses
    assert losses is not None
    assert [(departure.time, start, end) for departure, start, end in losses] == [
        (1.0, 0, 4 * MSS),
        (1.01, 4 * MSS, 5 * MSS),
    ]


def test_without_departures_nothing_is_kept_and_nothing_is_told() -> None:
    board = Scoreboard(0)
    board.sent(0, 4 * MSS, 1.0)
    board.lose(0, MSS)
    delivery = Delivery()
    board.sack(MSS, 4 * MSS, delivery)
    assert board.losses is None
    assert delivery.newest is None
    assert RateSampler().sample(delivery, 0, 0.0, 1.1) is None


def test_the_window_is_used_up() -> None:
    wire = Wire()
    wire.send(98, 1.0)
    assert not wire.sampler.is_cwnd_limited
    wire.send(2, 1.0)
    assert wire.sampler.is_cwnd_limited
    wire.sampler.round_begins()
    assert wire.sampler.is_cwnd_limited  # in the last round
    wire.sampler.round_begins()
    assert not wire.sampler.is_cwnd_limited


def test_what_leaves_is_in_flight_even_if_duplicates_seem_to_have_brought_it_already() -> None:
    departure = RateSampler().departs(MSS, 0, CWND, MSS, 1.0)
    assert departure.tx_in_flight == MSS
