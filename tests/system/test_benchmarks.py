"""The speed benchmarks in a tiny size: that each gives its figures, not what they are."""

from __future__ import annotations

from typing import Final

import pytest

from tests.benchmarks import per_packet
from tests.benchmarks.speed import cell
from tests.benchmarks.speed.figures import COMMON, CORE, GOALS, goal_for
from tests.benchmarks.speed.plan import VARIANTS, Figures, Sizes, benchmarks
from tests.benchmarks.speed.process import Child, ChildFailedError

TINY: Final = Sizes(
    seconds=0.1, warm_up=0.01, idle_seconds=0.02, round_trips=20, connections=12, few=3, members=(3,), at_once=3
)
BENCHMARKS: Final = {benchmark.name: benchmark for benchmark in benchmarks(TINY)}
MAY_BE_ZERO: Final = {
    *COMMON,
    "server_cpu_s",
    "idle_cpu_percent",
    "kib_open",
    "kib_after_echo",
    "cpu_s_per_gb",
    "cpu_us_per_connect",
    "cpu_s_per_million",
    "burst_resent_by_server",
    "burst_resent_by_kernel",
    "burst_kernel_timeouts",
}
"""What so little work may not cost, and what should not happen."""


def check(name: str, variant: str) -> Figures:
    """Measure once."""
    figures = cell.measure(BENCHMARKS[name], VARIANTS[variant], "reno")
    assert {figure for figure, value in figures.items() if value <= 0} <= MAY_BE_ZERO
    assert figures.get("failures", 0) == 0
    assert set(COMMON) - {"failures"} <= figures.keys()
    return figures


@pytest.mark.tun
@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_has_figures_of_our_stack(name: str) -> None:
    figures = check(name, "tun")
    goals = {goal.figure for goal in GOALS if goal_for(name, goal.figure, "tun") is not None}
    assert goals <= figures.keys()


@pytest.mark.tun
@pytest.mark.parametrize(
    ("name", "variant"),
    [("echo", "loopback"), ("bulk-out", "veth"), ("connects-3", "tun-trio"), ("connects-1", "tun-spin")],
)
def test_each_server_gives_them(name: str, variant: str) -> None:
    check(name, variant)


def test_the_core_by_itself_has_figures() -> None:
    figures = per_packet.measure(rounds=1)
    assert {goal.figure for goal in GOALS if goal.variant == CORE} <= figures.keys()
    assert all(value > 0 for value in figures.values())


def server(program: str) -> Child:
    """On loopback."""
    task = {"program": program, "members": 0, "transport": "loopback", "congestion": "reno"}
    return Child("tests.benchmarks.speed.servers", task)


@pytest.mark.tun
def test_what_a_child_says_on_failure_is_one_line() -> None:
    with server("none") as broken, pytest.raises(ChildFailedError, match=r"^servers: KeyError: 'none'$"):
        broken.hear()


@pytest.mark.tun
def test_whoever_waits_for_another_child_hears_of_the_one_that_failed() -> None:
    with server("echo") as sound, server("none") as broken:
        assert sound.hear()["address"] == "127.0.0.1"
        with pytest.raises(ChildFailedError, match="KeyError"):
            sound.hear(beside=broken)
