"""The scoreboard against a model that keeps a record of every octet (RFC 2018, RFC 6675, RFC 8985)."""

from __future__ import annotations

import itertools
from copy import deepcopy
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore.conn import sack
from tcpcore.conn.sack import IN_FLIGHT, LOST, MAX_ISLANDS, SACKED, Delivery, Scoreboard
from tests.tcpcore.conn.twins import difference

PURE = sack.__file__.endswith(".py")
"""A compiled board cannot be copied, so that there the short way is not compared."""
MODEL = settings(deadline=None, derandomize=True, max_examples=400)


@dataclass
class Octet:
    time: float
    state: int = IN_FLIGHT
    resent: bool = False
    reneged: bool = False

    @property
    def fate(self) -> tuple[object, ...]:
        """What can be compared: of what is SACKED, or was, nobody needs to know when it left."""
        return (SACKED,) if self.state == SACKED else (self.state, None if self.reneged else self.time, self.resent)


class Model:
    """Every operation on the scoreboard and, octet by octet, here; then both are compared."""

    def __init__(self) -> None:
        self.board = Scoreboard(0)
        self.octets: dict[int, Octet] = {}
        self.una = self.nxt = 0
        self.now = 0.0
        self.short_ways = 0

    def send(self, size: int) -> None:
        self.board.sent(self.nxt, self.nxt + size, self.now)
        for seq in range(self.nxt, self.nxt + size):
            self.octets[seq] = Octet(self.now)
        self.nxt += size

    def acknowledge(self, share: float) -> None:
        ack = self.una + round(share * (self.nxt - self.una))
        clean = self.board.clean and ack > self.una
        delivery, twin = Delivery(), deepcopy(self.board) if clean and PURE else None
        self.board.acknowledge(ack, delivery)
        self.check_delivery(delivery, self.una, ack)
        if twin is not None:
            self.check_short_way(twin, ack, delivery)
        for seq in range(self.una, ack):
            del self.octets[seq]
        self.una = ack

    def check_short_way(self, twin: Scoreboard, ack: int, delivery: Delivery) -> None:
        """``acknowledge_clean`` leaves the same board, and what it does not tell is not the case."""
        oldest, newest = twin.acknowledge_clean(ack)
        assert (oldest, newest) == (delivery.oldest, delivery.first and delivery.first[0])
        assert (delivery.bytes, delivery.again, delivery.newest) == (ack - self.una, None, None)
        assert not delivery.survived
        assert not delivery.reordered
        assert difference(twin, self.board) is None
        self.short_ways += 1

    def sack(self, left: float, right: float) -> None:
        start, end = self.between(left, right)
        delivery = Delivery()
        if start < end:
            self.board.sack(start, end, delivery)
        self.check_delivery(delivery, start, end)
        for seq in range(start, end):
            self.octets[seq].state = SACKED

    def lose(self, left: float, right: float) -> None:
        start, end = self.between(left, right)
        self.board.lose(start, end)
        for seq in range(start, end):
            if self.octets[seq].state == IN_FLIGHT:
                self.octets[seq].state = LOST

    def detect(self, share: float, ago: int, patience: float) -> None:
        time, end = self.now - ago, self.una + round(share * (self.nxt - self.una))
        wait = self.board.detect(time, end, patience, self.now)
        waits = []
        for seq, octet in self.octets.items():
            if octet.state == IN_FLIGHT and not octet.reneged and (octet.time, seq) < (time, end):
                if octet.time + patience <= self.now:
                    octet.state = LOST
                else:
                    waits.append(octet.time + patience - self.now)
        assert wait == min(waits, default=None)

    def retransmit(self, limit: int) -> None:
        lost = [seq for seq, octet in self.octets.items() if octet.state == LOST]
        found = self.board.next_lost(limit)
        assert (found is None) == (not lost)
        if found is not None:
            assert found[0] == min(lost)
            assert 0 < found[1] - found[0] <= limit
            self.board.resent(*found, self.now)
            for seq in range(*found):
                assert self.octets[seq].state == LOST
                self.octets[seq] = Octet(self.now, resent=True)

    def time_out(self) -> None:
        reneged = self.una in self.octets and self.octets[self.una].state == SACKED
        self.board.lose_all()
        for octet in self.octets.values():
            if octet.state == SACKED and reneged:
                octet.state, octet.resent, octet.reneged = LOST, True, True
            elif octet.state == IN_FLIGHT:
                octet.state = LOST

    def forgive(self) -> None:
        self.board.forgive()
        for octet in self.octets.values():
            if octet.state == LOST and not octet.reneged:
                octet.state = IN_FLIGHT

    def between(self, left: float, right: float) -> tuple[int, int]:
        size = self.nxt - self.una
        start, end = sorted((self.una + round(left * size), self.una + round(right * size)))
        return start, end

    def check_delivery(self, delivery: Delivery, start: int, end: int) -> None:
        new = [(seq, self.octets[seq]) for seq in range(start, end) if self.octets[seq].state != SACKED]
        assert delivery.bytes == len(new)
        once = [(octet.time, seq + 1) for seq, octet in new if not octet.resent]
        assert delivery.first == max(once, default=None)
        assert delivery.oldest == min((time for time, _ in once), default=None)
        assert delivery.survived == any(octet.state == LOST and not octet.resent for _, octet in new)
        if not any(octet.reneged for _, octet in new):
            assert delivery.again == max(((octet.time, seq + 1) for seq, octet in new if octet.resent), default=None)

    def check(self) -> None:
        states = [octet.state for octet in self.octets.values()]
        assert (self.board.sacked, self.board.lost) == (states.count(SACKED), states.count(LOST))
        blocks = self.board.blocks()
        assert sum(right - left for left, right in blocks) == self.board.sacked
        assert self.board._islands == len(blocks)
        assert all(self.octets[seq].state == SACKED for left, right in blocks for seq in range(left, right))
        assert all(one[1] < other[0] for one, other in itertools.pairwise(blocks))


share = st.floats(0, 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 20)),
        st.tuples(st.just("acknowledge"), share),
        st.tuples(st.just("sack"), share, share),
        st.tuples(st.just("lose"), share, share),
        st.tuples(st.just("detect"), share, st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0, 2.0])),
        st.tuples(st.just("retransmit"), st.integers(1, 30)),
        st.tuples(st.just("time_out")),
        st.tuples(st.just("forgive")),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0])),
    ),
    max_size=60,
)


@MODEL
@given(steps)
def test_ranges_tell_of_every_octet_what_became_of_it(steps: list[tuple[str, ...]]) -> None:
    model = Model()
    for name, *arguments in steps:
        if name == "wait":
            model.now += float(arguments[0])
        else:
            getattr(model, name)(*arguments)
        model.check()


@pytest.mark.skipif(not PURE, reason="a compiled board cannot be copied")
@MODEL
@given(st.lists(st.tuples(st.integers(1, 20), share, st.sampled_from([0.0, 1.0])), min_size=2, max_size=60))
def test_short_way_of_a_transfer_without_losses(steps: list[tuple[int, float, float]]) -> None:
    model = Model()
    for size, acknowledged, seconds in steps:
        model.send(size)
        model.now += seconds
        una, taken = model.una, model.short_ways
        model.acknowledge(acknowledged)
        model.check()
        assert model.short_ways == taken + (model.una > una)


def test_what_leaves_at_one_moment_is_one_range() -> None:
    board = Scoreboard(0)
    for start in range(0, 1000, 100):
        board.sent(start, start + 100, 1.0)
    assert len(board) == 1
    board.sent(1000, 1100, 2.0)
    assert len(board) == 2
    board.acknowledge(1050, Delivery())
    assert len(board) == 1


def test_reordering_shows_by_something_sent_once_that_comes_late() -> None:
    board, delivery = Scoreboard(0), Delivery()
    board.sent(0, 300, 1.0)
    board.sack(100, 200, delivery)
    assert not delivery.reordered
    board.acknowledge(100, delivery)
    assert delivery.reordered


def test_peer_cannot_cut_the_space_without_end() -> None:
    board = Scoreboard(0)
    board.sent(0, 10 * MAX_ISLANDS, 1.0)
    for left in range(1, 8 * MAX_ISLANDS, 2):
        board.sack(left, left + 1, Delivery())
    assert len(board) <= 2 * MAX_ISLANDS + 1


def test_retransmissions_are_forgotten_without_a_look_for_losses() -> None:
    """Without SACK nobody asks ``detect``; a transfer whose window is never empty must not collect them."""
    board = Scoreboard(0)
    for number in range(1000):
        board.sent(number * 100, number * 100 + 200, float(number))
        if number:
            board.lose(number * 100, number * 100 + 100)
            board.resent(number * 100, number * 100 + 100, number + 0.5)
            board.acknowledge(number * 100 + 100, Delivery())
    assert board._again is not None
    assert len(board._again) <= 1
    assert len(board._ranges) < 300  # nor what they were for


def test_what_left_again_is_not_of_the_range_of_what_leaves_for_the_first_time() -> None:
    board, delivery = Scoreboard(0), Delivery()
    board.sent(0, 100, 1.0)
    board.resent(0, 100, 2.0)
    board.sent(100, 200, 2.0)
    board.sack(100, 200, delivery)
    assert (delivery.first, delivery.again) == ((2.0, 200), None)


def test_of_what_left_again_at_one_moment_the_lower_number_counts_as_earlier() -> None:
    board = Scoreboard(0)
    board.sent(0, 300, 1.0)
    board.lose(0, 200)
    board.resent(100, 200, 2.0)
    board.resent(0, 100, 2.0)
    assert board.detect(2.0, 100, 0.0, 3.0) is None
    assert board.next_lost(1000) == (0, 100)


def test_what_left_a_third_time_is_not_lost_with_the_second() -> None:
    board = Scoreboard(0)
    board.sent(0, 300, 1.0)
    board.lose(0, 300)
    board.resent(0, 300, 2.0)
    board.lose(100, 200)
    board.resent(100, 200, 3.0)
    assert board.detect(2.5, 300, 0.0, 4.0) is None
    assert board.lost == 200
    assert board.next_lost(1000) == (0, 100)
