"""Sequence numbers, timers, RTT, Reno, windows, limits, ports and initial numbers, each alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore import Config, LinkCapabilities, errors
from tcpcore.conn.congestion import base, create
from tcpcore.conn.congestion.base import CongestionControl
from tcpcore.conn.congestion.reno import Reno
from tcpcore.conn.environment import Environment, RateLimit
from tcpcore.conn.rtt import RttEstimator
from tcpcore.conn.state import TRANSITIONS, State
from tcpcore.conn.window import wscale_for
from tcpcore.seqnum import unwrap, wrap
from tcpcore.stack.isn import initial_numbers
from tcpcore.stack.ports import EphemeralPorts
from tcpcore.timing import Timer, TimerTable
from tcpcore.wire.usual import ends


def environment(config: Config | None = None, secret: bytes = b"secret") -> Environment:
    return Environment(config or Config(), LinkCapabilities(), random.Random(1), secret)


# Sequence numbers


@settings(derandomize=True)
@given(st.integers(0, 1 << 40), st.integers(-(1 << 31), (1 << 31) - 1))
def test_unwrap_finds_the_number_nearest(near: int, distance: int) -> None:
    assert unwrap(wrap(near + distance), near) == near + distance


def test_numbers_wrap_at_2_to_the_32() -> None:
    assert wrap((1 << 32) + 5) == 5
    assert unwrap(5, (1 << 32) - 5) == (1 << 32) + 5
    assert unwrap((1 << 32) - 5, (1 << 32) + 5) == (1 << 32) - 5


# Timers


def test_timer_fires_at_its_deadline_and_not_before() -> None:
    table = TimerTable()
    table.set(Timer.PERSIST, 10.0, 0.5)
    assert table.next_deadline() == table.deadline(Timer.PERSIST) == 10.5
    assert table.pop_expired(10.5 - 1 / 1024) == []
    assert table.pop_expired(10.5) == [Timer.PERSIST]
    assert not table.armed(Timer.PERSIST)


def test_timers_can_be_disarmed() -> None:
    table = TimerTable()
    table.set(Timer.PERSIST, 0.0, 1.0)
    table.set(Timer.KEEPALIVE, 0.0, 2.0)
    table.clear(Timer.PERSIST)
    assert table.next_deadline() == 2.0
    table.clear_all()
    assert table.next_deadline() == inf


def test_timers_and_states_have_names() -> None:
    assert str(Timer.DELAYED_ACK) == "delayed-ack"
    assert str(State.SYN_RECEIVED) == "SYN-RECEIVED"


def test_every_state_has_its_arrows() -> None:
    assert set(TRANSITIONS) == set(State)
    assert set().union(*TRANSITIONS.values()) == set(State)


# Round-trip time (RFC 6298 section 2)


def test_first_sample_sets_srtt_and_half_of_it_as_variation() -> None:
    rtt = RttEstimator(1.0, 0.25, 60.0)
    rtt.sample(0.5)
    assert (rtt.srtt, rtt.rttvar, rtt.rto) == (0.5, 0.25, 1.5)


def test_later_samples_are_smoothed() -> None:
    rtt = RttEstimator(1.0, 0.25, 60.0)
    rtt.sample(0.5)
    rtt.sample(1.0)
    assert (rtt.srtt, rtt.rttvar, rtt.rto) == (0.5625, 0.3125, 1.8125)


def test_samples_of_one_round_trip_weigh_together_what_one_does() -> None:
    """RFC 7323 appendix G."""
    one, several = RttEstimator(1.0, 0.25, 60.0), RttEstimator(1.0, 0.25, 60.0)
    for rtt in (one, several):
        rtt.sample(0.5)
    one.sample(1.0)
    for _ in range(100):
        several.sample(1.0, expected=100)
    assert one.srtt is not None
    assert one.rttvar is not None
    assert several.srtt == pytest.approx(one.srtt, abs=0.005)
    assert several.rttvar == pytest.approx(one.rttvar, abs=0.03)


def test_shortest_round_trip_is_kept() -> None:
    rtt = RttEstimator(1.0, 0.25, 60.0)
    for seconds in (0.5, 0.25, 1.0):
        rtt.seen(seconds)
    assert rtt.min_rtt == 0.25


def test_rto_stays_within_its_bounds() -> None:
    rtt = RttEstimator(1.0, 0.25, 60.0)
    rtt.sample(0.0)
    assert rtt.rto == 0.25
    rtt.sample(1000.0)
    assert rtt.rto == 60.0


def test_back_off_doubles_up_to_the_limit_and_a_sample_ends_it() -> None:
    rtt = RttEstimator(1.0, 0.25, 60.0)
    values = []
    for _ in range(8):
        values.append(rtt.rto)
        rtt.back_off()
    assert values == [1, 2, 4, 8, 16, 32, 60, 60]
    rtt.sample(0.5)
    assert rtt.rto == 1.5


# Reno (RFC 5681), initial window (RFC 6928)


@pytest.mark.parametrize(("mss", "window"), [(1460, 14_600), (536, 5360), (9000, 18_000)])
def test_initial_window(mss: int, window: int) -> None:
    assert Reno(mss, 10).cwnd == window


def grow(congestion: CongestionControl, acked: int, flight: int, now: float = 0.0) -> None:
    congestion.on_ack(acked, flight, una=0, nxt=0, rtt=RttEstimator(1.0, 0.2, 60.0), now=now)


def test_slow_start_grows_by_what_is_acknowledged() -> None:
    reno = Reno(1000, 10)
    grow(reno, 3000, 10_000)
    assert (reno.cwnd, reno.slow_start) == (13_000, True)


def test_unused_window_does_not_grow() -> None:
    reno = Reno(1000, 10)
    grow(reno, 1000, 1000)
    assert reno.cwnd == 10_000


def test_loss_halves_and_then_grows_by_one_segment_per_window() -> None:
    reno = Reno(1000, 10)
    reno.on_loss(10_000, now=0.0)
    assert reno.ssthresh == 5000
    reno.cwnd = reno.ssthresh  # as recovery leaves it
    assert not reno.slow_start
    for _ in range(4):
        grow(reno, 1000, 5000)
    assert reno.cwnd == 5000
    grow(reno, 1000, 5000)
    assert reno.cwnd == 6000


def test_timeout_leaves_one_segment_and_sets_ssthresh_once() -> None:
    reno = Reno(1000, 10)
    reno.on_rto(10_000, first=True, now=0.0)
    reno.on_rto(1000, first=False, now=0.0)
    assert (reno.cwnd, reno.ssthresh) == (1000, 5000)


def test_ssthresh_is_two_segments_at_least() -> None:
    reno = Reno(1000, 10)
    reno.on_loss(1000, now=0.0)
    assert reno.ssthresh == 2000


# Windows, limits, configuration


@pytest.mark.parametrize(("buffer", "shift"), [(1, 0), (65_535, 0), (65_536, 1), (1 << 20, 5), (1 << 30, 14)])
def test_window_scale_is_the_smallest_that_fits(buffer: int, shift: int) -> None:
    assert wscale_for(buffer) == shift


def test_rate_limit_counts_per_second() -> None:
    limit = RateLimit(2)
    assert [limit.allow(5.0) for _ in range(3)] == [True, True, False]
    assert not limit.allow(6.0 - 1 / 1024)
    assert limit.allow(6.0)


@pytest.mark.parametrize(
    "change",
    [
        {"delayed_ack": 0.5}, {"min_rto": 0.0}, {"min_rto": 61.0}, {"mss": 0}, {"send_buffer": 0},
        {"receive_buffer": (1 << 30) + 1}, {"keepalive_idle": 0}, {"ephemeral_ports": (5, 4)},
    ],
)  # fmt: skip
def test_configuration_refuses_impossible_values(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change)).split("_")[0]):
        Config(**change)


def test_identifications_do_not_repeat_soon() -> None:
    env = environment()
    first = env.next_identification(b"abcd", 10)
    assert env.next_identification(b"abcd", 1) == (first + 10) & 0xFFFF


def test_identifications_tell_nothing_of_what_others_are_sent() -> None:
    env = environment()
    first = env.next_identification(b"abcd", 1)
    others = [bytes((192, 0, 2, last)) for last in range(256)]
    for other in others:
        env.next_identification(other, 100)
    assert (env.next_identification(b"abcd", 1) - first) & 0xFFFF < 100 * len(others) / 10


# Ports (RFC 6056) and initial sequence numbers (RFC 6528)


def test_ports_differ_until_all_are_used() -> None:
    ports, used = EphemeralPorts(environment(Config(ephemeral_ports=(100, 119)))), set[int]()
    for _ in range(20):
        used.add(ports.choose(b"peer", lambda port: port not in used))
    assert used == set(range(100, 120))
    with pytest.raises(errors.AddressInUseError):
        ports.choose(b"peer", lambda port: False)


def test_ports_cannot_be_guessed_from_another_secret() -> None:
    def chosen(secret: bytes) -> int:
        return EphemeralPorts(environment(secret=secret)).choose(b"peer", lambda port: True)

    assert chosen(b"one") != chosen(b"other")


def test_initial_number_follows_a_clock_of_4_microseconds() -> None:
    env = environment()
    one, later = (initial_numbers(env, ends(b"bbbb", b"aaaa", 2, 1), now)[0] for now in (0.0, 1.0))
    assert (later - one) & 0xFFFFFFFF in range(249_999, 250_002)


@pytest.mark.parametrize(
    "other",
    [
        lambda env: initial_numbers(env, ends(b"bbbb", b"aaaa", 3, 1), 0.0),
        lambda env: initial_numbers(env, ends(b"bbbc", b"aaaa", 2, 1), 0.0),
        lambda env: initial_numbers(environment(secret=b"x"), ends(b"bbbb", b"aaaa", 2, 1), 0.0),
    ],
)
def test_initial_number_depends_on_both_ends_and_the_secret(
    other: Callable[[Environment], tuple[int, int]],
) -> None:
    env = environment()
    assert other(env) != initial_numbers(env, ends(b"bbbb", b"aaaa", 2, 1), 0.0)


def test_retransmission_times_of_a_default_connection_never_shrink() -> None:
    rtt = RttEstimator(1.0, 0.2, 60.0)
    values = []
    for _ in range(20):
        values.append(rtt.rto)
        rtt.back_off()
    assert all(a <= b for a, b in pairwise(values))


@pytest.mark.skipif(not base.__file__.endswith(".py"), reason="compiled: classes do not tell their slots")
@pytest.mark.parametrize("name", ["cubic", "reno"])
def test_saved_congestion_control_is_a_copy_in_every_respect(name: str) -> None:
    control = create(name, 1460, 10)
    slots = [slot for kind in type(control).__mro__ for slot in getattr(kind, "__slots__", ())]
    for number, slot in enumerate(slots):
        setattr(control, slot, number)
    saved = control.save()
    assert {slot: getattr(saved, slot) for slot in slots} == {slot: number for number, slot in enumerate(slots)}
