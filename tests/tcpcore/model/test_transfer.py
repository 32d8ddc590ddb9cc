"""Two stacks over a bad network, found by Hypothesis: streams arrive whole, states and timers end as they should."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore import Config, Connection, LinkCapabilities, State
from tcpcore.errors import TCPError
from tcpcore.testing import Pair

MODEL = settings(deadline=None, derandomize=True, max_examples=100)
CONFIG = Config(msl=1.0, min_rto=0.25, retries=60, syn_retries=60, syn_ack_retries=60, fin_wait_2_timeout=10_000.0)

rates = st.sampled_from([0.0, 0.0, 0.05, 0.2])
configs = st.builds(
    lambda timestamps, scaling, nodelay, send, receive: replace(
        CONFIG,
        timestamps=timestamps,
        window_scaling=scaling,
        nodelay=nodelay,
        send_buffer=send,
        receive_buffer=receive,
    ),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([100, 5000, 200_000]),
    st.sampled_from([100, 3000, 65_535, 200_000]),
)
pairs = st.builds(
    lambda a, b, seed, loss, duplicate, reorder, corrupt, offload: Pair(
        a, b, 0.01, seed, loss, duplicate, reorder, corrupt,
        LinkCapabilities(checksum_offload=offload, segmentation_offload=offload),
    ),
    configs, configs, st.integers(0, 10_000), rates, rates, rates, rates, st.booleans(),
)  # fmt: skip


def check(connection: Connection) -> None:
    """What holds for every connection at every moment."""
    assert connection.snd_una <= connection.snd_nxt <= connection.send_buffer.end + 1
    assert connection.rcv_nxt <= connection.rcv_adv or connection.state in (State.CLOSED, State.SYN_SENT)
    assert len(connection.send_buffer) <= connection.config.send_buffer
    assert connection.rcv_queue.length <= connection.config.receive_buffer
    if connection.out_of_order is not None:
        assert connection.out_of_order.bytes_held() <= connection.config.receive_buffer
    if connection.state is State.CLOSED:
        assert connection.timers.next_deadline() == float("inf")


class Side:
    """A user: sends all it has, reads all there is, closes when told."""

    def __init__(self, connection: Connection, data: bytes) -> None:
        self.connection = connection
        self.unsent = data
        self.received = bytearray()
        self.at_end = False

    def turn(self, now: float) -> None:
        connection = self.connection
        if self.unsent:
            self.unsent = self.unsent[connection.send(self.unsent, now) :]
            if not self.unsent:
                connection.shutdown(now)
        while (chunk := connection.receive(1000, now)) is not None:
            if not chunk:
                self.at_end = True
                break
            self.received += chunk
        check(connection)


def run_to_end(pair: Pair, *sides: Side) -> None:
    end = pair.now + 50_000
    while pair.now < end and not all(side.at_end and not side.unsent for side in sides):
        for side in sides:
            side.turn(pair.now)
        pair.step()
    for _ in range(10_000):
        if not pair.step():
            break


@MODEL
@given(pairs, st.binary(min_size=1, max_size=50), st.binary(min_size=1, max_size=50), st.integers(1, 2000))
def test_streams_arrive_whole_and_everything_closes(pair: Pair, one: bytes, other: bytes, times: int) -> None:
    a, b = pair.connect()
    left, right = Side(a, one * times), Side(b, other * (times // 3 + 1))
    run_to_end(pair, left, right)
    assert bytes(right.received) == one * times
    assert bytes(left.received) == other * (times // 3 + 1)
    for connection in (a, b):
        check(connection)
        assert (connection.state, connection.error) == (State.CLOSED, None)
    assert pair.a.connections() == pair.b.connections() == []
    assert pair.a.statistics().tcp_curr_estab == pair.b.statistics().tcp_curr_estab == 0


CALLS = ("send", "receive", "step", "shutdown", "close", "abort", "read", "option", "peek", "run")


@MODEL
@given(pairs, st.lists(st.tuples(st.sampled_from(CALLS), st.booleans(), st.integers(1, 5000)), max_size=60))
def test_calls_in_any_order_keep_the_invariants(pair: Pair, steps: list[tuple[str, bool, int]]) -> None:
    connections = pair.connect()
    sent = {0: bytearray(), 1: bytearray()}
    received = {0: bytearray(), 1: bytearray()}
    dropped = [False, False]
    rng = random.Random(1)
    for call, second, size in steps:
        index = int(second)
        connection = connections[index]
        try:
            if call == "send":
                data = rng.randbytes(size)
                sent[index] += data[: connection.send(data, pair.now)]
            elif call == "receive":
                received[index] += connection.receive(size, pair.now) or b""
            elif call == "peek":
                assert len(connection.peek(size)) <= size
            elif call == "read":
                dropped[index] = True
                connection.shutdown_read(pair.now)
            elif call == "option":
                connection.set_option("receive_buffer", size * 10, pair.now)
            elif call == "run":
                pair.run(size / 100)
            elif call == "step":
                pair.step()
            else:
                getattr(connection, call)(pair.now)
        except TCPError:
            assert connection.state is not State.ESTABLISHED
        for each in connections:
            each.status(pair.now)
            assert each.snd_una <= each.snd_nxt
            if each.state is State.CLOSED:
                assert each.timers.next_deadline() == float("inf")
    for index in (0, 1):
        if not dropped[index]:
            assert bytes(sent[1 - index]).startswith(bytes(received[index]))
    for connection in connections:
        connection.abort(pair.now)
    pair.run(200_000)
    assert pair.a.connections() == pair.b.connections() == []
