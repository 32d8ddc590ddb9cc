"""Two stacks over a bad network, chosen by Hypothesis: all that one writes the other reads, and both end well."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore import Config, Connection, LinkCapabilities, State
from tcpcore.testing import Pair
from tests.tcpcore.model.invariants import StackCheck

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
        receive_buffer_initial=1000,
        max_receive_buffer=200_000,
    ),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([100, 5000, 200_000]),
    st.sampled_from([None, 100, 3000, 65_535, 200_000]),
)
pairs = st.builds(
    lambda a, b, seed, loss, duplicate, reorder, corrupt, offload: Pair(
        a, b, 0.01, seed, loss, duplicate, reorder, corrupt,
        LinkCapabilities(checksum_offload=offload, segmentation_offload=offload),
    ),
    configs, configs, st.integers(0, 10_000), rates, rates, rates, rates, st.booleans(),
)  # fmt: skip


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


def run_to_end(pair: Pair, *sides: Side) -> None:
    end = pair.now + 50_000
    checks = [StackCheck(stack) for stack in (pair.a, pair.b)]
    while pair.now < end and not all(side.at_end and not side.unsent for side in sides):
        for side in sides:
            side.turn(pair.now)
        pair.step()
        for check in checks:
            check.check(pair.now)
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
        assert (connection.state, connection.error) == (State.CLOSED, None)
    assert pair.a.connections() == pair.b.connections() == []
    assert pair.a.statistics().tcp_curr_estab == pair.b.statistics().tcp_curr_estab == 0
