"""The heap of deadlines stays as small as the connections are few, however long they live."""

from __future__ import annotations

import random
from math import inf

from tcpcore import Config, Connection, Stack
from tcpcore.stack.deadlines import SLACK, Deadlines
from tcpcore.testing import Pair
from tcpcore.timing import Timer


def connections(count: int) -> list[Connection]:
    stack = Stack(["192.0.2.1/24"], rng=random.Random(1), secret=b"s" * 32)
    return [stack.connect(("192.0.2.2", 1 + number), 0.0) for number in range(count)]


def test_an_overtaken_deadline_does_not_stay_until_it_is_due() -> None:
    deadlines, (connection,) = Deadlines(), connections(1)
    for turn in range(5_000):
        connection.timers.set(Timer.KEEPALIVE, 0.0, 7200.0)
        deadlines.schedule(connection)
        connection.timers.set(Timer.DELAYED_ACK, float(turn), 0.5)
        deadlines.schedule(connection)
        assert deadlines.pop_due(turn + 0.25) is None
        assert deadlines.pop_due(turn + 0.5) is connection
        connection.timers.clear(Timer.DELAYED_ACK)
        assert len(deadlines) <= 2 + SLACK


def test_connections_that_end_leave_nothing_for_two_hours() -> None:
    deadlines = Deadlines()
    for connection in connections(5_000):
        connection.timers.set(Timer.KEEPALIVE, 0.0, 7200.0)
        deadlines.schedule(connection)
        deadlines.forget(connection)
    assert len(deadlines) <= 1 + SLACK


def test_every_scheduled_connection_comes_up_once_and_in_order(rng: random.Random) -> None:
    deadlines, everyone = Deadlines(), connections(300)
    for connection in everyone:
        for _ in range(5):  # each time earlier than before, or lazily left alone
            connection.timers.set(Timer.RETRANSMIT, 0.0, float(rng.randrange(1, 1000)))
            deadlines.schedule(connection)
    came = []
    for now in range(1001):
        while (due := deadlines.pop_due(float(now))) is not None:
            if due.timers.next_deadline() > now:
                deadlines.schedule(due)
            else:
                assert due.timers.next_deadline() == now
                came.append(due)
    assert len(came) == len(set(came)) == 300
    assert deadlines.next() == inf


def test_a_long_chat_with_keepalive_keeps_the_stack_small() -> None:
    pair = Pair(Config(keepalive=True), latency=0.01)
    a, b = pair.connect()
    for _ in range(1000):
        a.send(b"x", pair.now)
        pair.run(1.0)
        assert b.receive(10, pair.now) == b"x"
    assert len(pair.a._deadlines) <= 2 + SLACK
    assert len(pair.b._deadlines) <= 2 + SLACK
