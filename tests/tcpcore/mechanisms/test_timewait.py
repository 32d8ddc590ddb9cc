"""The queue of connections in TIME-WAIT, against a dict that is searched each time."""

from __future__ import annotations

import random
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from tcpcore import Config, LinkCapabilities, timing
from tcpcore.conn.connection import Connection
from tcpcore.conn.environment import Environment
from tcpcore.stack.timewait import SLACK, TimeWaitQueue

ENV = Environment(Config(), LinkCapabilities(), random.Random(1), b"secret")
WAIT = 60.0


def connection(number: int) -> Connection:
    return Connection(ENV, number.to_bytes(12, "big"), 0, 0, 0.0)


def begin(queue: TimeWaitQueue, one: Connection, now: float, wait: float = WAIT) -> bool:
    one.timers.set(timing.TIME_WAIT, now, wait)
    return queue.takes(one)


@given(
    st.lists(st.tuples(st.sampled_from(["wait", "forget", "pass", "limit"]), st.integers(0, 5)), max_size=60),
    st.integers(1, 4),
)
def test_like_a_dict(steps: list[tuple[str, int]], limit: int) -> None:
    queue, connections = TimeWaitQueue(limit), [connection(number) for number in range(6)]
    waiting: dict[Connection, float] = {}
    now = 1000.0
    for what, number in steps:
        one = connections[number]
        if what == "wait":
            assert begin(queue, one, now)
            waiting.pop(one, None)
            waiting[one] = now + WAIT
        elif what == "forget":
            queue.forget(one)
            waiting.pop(one, None)
        elif what == "limit":
            expected = next(iter(waiting)) if len(waiting) > limit else None
            assert queue.surplus() is expected
            if expected is not None:
                del waiting[expected]
        now += number * 8.0
        for due in [one for one, deadline in waiting.items() if deadline <= now]:
            assert queue.due <= now
            assert queue.pop_due(now) is due
            del waiting[due]
        assert queue.pop_due(now) is None
        assert len(queue) == len(waiting)
        assert queue.due <= min(waiting.values(), default=inf)


def test_who_waits_less_long_than_others_is_not_taken() -> None:
    queue = TimeWaitQueue(10)
    assert begin(queue, connection(1), 5.0)
    short = connection(2)
    assert not begin(queue, short, 5.0, 1.0)
    assert short.waits_until == inf
    assert len(queue) == 1


def test_the_dead_do_not_pile_up() -> None:
    queue, staying = TimeWaitQueue(10), connection(1)
    begin(queue, staying, 0.0)
    again = connection(2)
    for moment in range(1000):
        begin(queue, again, 1.0 + moment)
    assert len(queue._waiting) <= 2 * 2 + SLACK + 1
    assert len(queue) == 2
