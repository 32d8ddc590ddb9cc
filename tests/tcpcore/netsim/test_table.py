"""Goodput, retransmissions, stalls and queues of every congestion control: a reviewed snapshot, ``table.txt``.

When it differs and is meant to: ``python -m tests.benchmarks.lossy --update``, and look at ``git diff``.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.lossy import SNAPSHOT, snapshot
from tests.tcpcore.netsim.simulation import Network, jain, transfer


def test_table() -> None:
    assert snapshot().splitlines() == SNAPSHOT.read_text().splitlines()


def test_a_simulation_is_the_same_for_the_same_seed() -> None:
    network = Network(rtt=0.02, loss=0.02)
    first, again = (transfer(network, "reno", 100_000, 10.0) for _ in range(2))
    other = transfer(Network(rtt=0.02, loss=0.02, seed=2), "reno", 100_000, 10.0)
    assert first == again
    assert first != other


def test_a_transfer_ends_with_its_time() -> None:
    result = transfer(Network(rtt=0.02, rate=1e6, queue=1000), "reno", 1_000_000, 2.0)
    assert 0.9e6 < result.goodput < 1e6


@pytest.mark.parametrize(("shares", "index"), [((1, 1), 1.0), ((1, 0), 0.5), ((0, 0), 1.0), ((4, 2, 2), 8 / 9)])
def test_jain(shares: tuple[float, ...], index: float) -> None:
    assert jain(shares) == pytest.approx(index)
