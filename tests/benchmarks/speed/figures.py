"""Medians, ratios to the kernel's sockets, and the goals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from tests.benchmarks.speed.plan import OURS

Rounds = list[float]
Results = dict[str, dict[str, dict[str, Rounds]]]
"""Benchmark, variant and figure: one value for each round."""

YARDSTICK: Final = "loopback"
CORE: Final = "core"
"""The variant of figures that only our stack has: no driver, no link."""
COMMON: Final = (
    "server_cpu_percent",
    "generator_cpu_percent",
    "late_p50_ms",
    "late_p99_ms",
    "late_max_ms",
    "failures",
    "resent_by_server",
    "resent_by_kernel",
    "dropped_by_server",
    "dropped_by_queue",
)
"""Figures that every benchmark has; they have a table of their own."""
HIDDEN: Final = frozenset((*COMMON, "server_cpu_s"))
HIGHER_IS_BETTER: Final = frozenset(("gbit_per_s", "connects_per_s", "deliveries_per_s", "fan_out_per_s"))
MOST_LATENESS: Final = 10.0
"""Of a bystander at p99, ms."""
SATURATED: Final = 95.0
"""Per cent of a core from which on the generator, and not the server, may have been the limit."""


@dataclass(frozen=True)
class Goal:
    """What a figure has to be: a ratio to the yardstick, or, ``absolute``, the figure itself.

    ``benchmark`` is a pattern that the whole name matches.
    """

    benchmark: str
    figure: str
    variant: str
    bound: float
    at_least: bool
    absolute: bool = False

    def met(self, value: float) -> bool:
        """Whether ``value`` does."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        """As ``>= 0.8``."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def _at_least(benchmark: str, figure: str, variant: str, bound: float) -> Goal:
    return Goal(benchmark, figure, variant, bound, at_least=True)


def _at_most(benchmark: str, figure: str, variant: str, bound: float) -> Goal:
    return Goal(benchmark, figure, variant, bound, at_least=False)


def _limit(benchmark: str, figure: str, variant: str, bound: float) -> Goal:
    return Goal(benchmark, figure, variant, bound, at_least=False, absolute=True)


GOALS: Final = (
    _at_least("bulk-in", "gbit_per_s", "tun", 0.8),
    _at_least("bulk-out", "gbit_per_s", "tun", 0.9),
    _at_most("echo", "p50_us", "tun", 1.25),
    _at_most("echo", "p99_us", "tun", 1.25),
    _at_most("echo", "p50_us", "tun-spin", 0.8),
    _at_most("echo", "p99_us", "tun-spin", 0.8),
    _at_least("connects-1", "connects_per_s", "tun", 0.9),
    _at_least("connects-1", "connects_per_s", "tun-spin", 1.0),
    _at_least("connects-50", "connects_per_s", "tun", 1.8),
    _at_least("connects-50", "connects_per_s", "tun-trio", 1.3),
    _at_least("fan-out-naive-1000?", "deliveries_per_s", "tun", 10.0),
    _at_least("fan-out-gathered-1000?", "deliveries_per_s", "tun", 1.5),
    _at_most("offered-load", "p99_us", "tun", 1.0),
    _at_most("offered-load", "cpu_s_per_million", "tun", 0.8),
    _limit("idle", "kib_after_echo", "tun", 6.0),
    _limit("idle", "idle_cpu_percent", "tun", 0.5),
    _limit("idle", "echo_p50_slowdown", "tun", 1.1),
    _limit("idle", "fan_out_slowdown", "tun", 1.1),
    _limit("idle", "burst_kernel_timeouts", "tun", 0.0),
    _limit("idle", "burst_resent_by_server", "tun", 0.0),
    _limit("per-packet", "receive", CORE, 4.0),
    _limit("per-packet", "send", CORE, 4.0),
)


def goal_for(benchmark: str, figure: str, variant: str) -> Goal | None:
    """The goal of a figure, if it has one."""
    for goal in GOALS:
        if (goal.figure, goal.variant) == (figure, variant) and re.fullmatch(goal.benchmark, benchmark):
            return goal
    return None


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, and what they lie between."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, rounds: Rounds) -> Spread:
        """Raises ``statistics.StatisticsError`` without rounds."""
        return cls(median(rounds), min(rounds), max(rounds))


@dataclass(frozen=True)
class Row:
    """A figure of one of our variants beside the kernel's. ``ratios``: of medians, ours to each yardstick's."""

    benchmark: str
    figure: str
    variant: str
    ours: Spread
    kernel: Spread | None
    ratios: dict[str, float]
    goal: Goal | None

    @property
    def judged(self) -> float | None:
        """What the goal speaks of."""
        if self.goal is not None and self.goal.absolute:
            return self.ours.median
        return self.ratios.get(YARDSTICK)

    @property
    def met(self) -> bool | None:
        """``None``: there is no goal, or nothing to compare with."""
        if self.goal is None or self.judged is None:
            return None
        return self.goal.met(self.judged)


def quotient(new: float, old: float) -> float | None:
    """``None`` where it says nothing."""
    return new / old if old else None


def rows(results: Results) -> Iterator[Row]:
    """Every figure of every variant of ours but the common ones, in the order of the results."""
    for benchmark, variants in results.items():
        for variant, figures in variants.items():
            if variant not in (*OURS, CORE):
                continue
            for figure, values in figures.items():
                if figure not in HIDDEN:
                    goal = goal_for(benchmark, figure, variant)
                    yield _row(benchmark, figure, variant, values, variants, goal)


def latest(results: Results) -> tuple[float, str] | None:
    """The worst p99 of a bystander beside our stack, ms, and where that was."""
    found = [
        (median(figures["late_p99_ms"]), f"{benchmark} {variant}")
        for benchmark, variants in results.items()
        for variant, figures in variants.items()
        if variant in OURS and "late_p99_ms" in figures
    ]
    return max(found, default=None)


def _row(
    benchmark: str,
    figure: str,
    variant: str,
    values: Rounds,
    variants: Mapping[str, Mapping[str, Rounds]],
    goal: Goal | None,
) -> Row:
    ours = Spread.of(values)
    yardsticks = {
        name: Spread.of(others[figure])
        for name, others in variants.items()
        if name not in (*OURS, CORE) and figure in others
    }
    ratios = {name: ratio for name, each in yardsticks.items() if (ratio := quotient(ours.median, each.median))}
    return Row(benchmark, figure, variant, ours, yardsticks.get(YARDSTICK), ratios, goal)


@dataclass(frozen=True)
class Change:
    """A figure in two versions."""

    benchmark: str
    variant: str
    figure: str
    old: Spread
    new: Spread

    @property
    def quotient(self) -> float | None:
        """New to old."""
        return quotient(self.new.median, self.old.median)

    @property
    def apart(self) -> bool:
        """Whether no round of one version lies among the other's."""
        return self.new.low > self.old.high or self.new.high < self.old.low


def changes(old: Results, new: Results) -> Iterator[Change]:
    """Every figure that both have, in the order of the new ones."""
    for benchmark, variants in new.items():
        for variant, figures in variants.items():
            before = old.get(benchmark, {}).get(variant, {})
            for figure, values in figures.items():
                if figure in before and figure not in HIDDEN:
                    yield Change(benchmark, variant, figure, Spread.of(before[figure]), Spread.of(values))
