"""Tables for people, JSON for later."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tests.benchmarks.speed.figures import (
    COMMON,
    HIGHER_IS_BETTER,
    MOST_LATENESS,
    SATURATED,
    Change,
    Results,
    Row,
    Spread,
    changes,
    latest,
    rows,
)

WIDE: Final = 140
"""Columns from which on the tables tell what the rounds lie between."""
HEADINGS: Final = {
    "server_cpu_percent": "server %",
    "generator_cpu_percent": "load %",
    "late_p50_ms": "late p50",
    "late_p99_ms": "p99",
    "late_max_ms": "max ms",
    "failures": "failed",
    "resent_by_server": "resent us",
    "resent_by_kernel": "kernel",
    "dropped_by_server": "dropped us",
    "dropped_by_queue": "queue",
}


class UnreadableError(Exception):
    """A file is not what ``write`` writes; the text is one line."""


def console() -> Console:
    """Standard output; wide where it is a file."""
    out = Console()
    return out if out.is_terminal else Console(width=WIDE)


def about() -> dict[str, Any]:
    """The machine and the versions."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "trio": version("trio"),
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def write(path: Path, machine: dict[str, Any], results: Results) -> None:
    """Everything, every round of it."""
    path.write_text(json.dumps({"about": machine, "results": results}, indent=1) + "\n")


def read(path: Path) -> tuple[dict[str, Any], Results]:
    """What ``write`` wrote. Raises ``UnreadableError``."""
    try:
        told = json.loads(path.read_text())
        return told["about"], told["results"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UnreadableError(f"{path} is no file of figures: {error}") from error


def show(console: Console, machine: dict[str, Any], results: Results) -> None:
    """What was measured, beside the kernel and the goals."""
    console.print(_headline(machine), highlight=False, soft_wrap=True)
    ranges = console.width >= WIDE
    console.print(_ratios(list(rows(results)), ranges))
    console.print(_circumstances(results))
    found = latest(results)
    if found is not None:
        verdict = "[green]yes[/]" if found[0] <= MOST_LATENESS else "[red]no[/]"
        console.print(
            f"A bystander beside our stack was {_number(found[0])} ms late at p99, at most ({found[1]});"
            f" goal ≤ {MOST_LATENESS:g}: {verdict}",
            highlight=False,
        )


def show_changes(console: Console, old: Path, new: Path) -> None:
    """Two files of figures beside each other. Raises ``UnreadableError``."""
    (old_machine, old_results), (new_machine, new_results) = read(old), read(new)
    console.print(f"old: {_headline(old_machine)}\nnew: {_headline(new_machine)}", highlight=False, soft_wrap=True)
    table = _table("new beside old, medians", "benchmark", "variant", "figure")
    ranges = console.width >= WIDE
    for name in ("old", "new", "new / old", ""):
        table.add_column(name, justify="right")
    for change in changes(old_results, new_results):
        spreads = (_spread(change.old, ranges), _spread(change.new, ranges))
        cells = (*spreads, _number(change.quotient), _judgement(change))
        table.add_row(change.benchmark, change.variant, change.figure, *cells)
    console.print(table)


def _judgement(change: Change) -> str:
    """Whether it got better; nothing where the rounds of both overlap."""
    if not change.apart:
        return ""
    better = (change.new.median > change.old.median) == (change.figure in HIGHER_IS_BETTER)
    return "[green]better[/]" if better else "[red]worse[/]"


def _headline(machine: dict[str, Any]) -> str:
    return (
        f"{machine['date']}, {machine['python']}, trio {machine['trio']}, {machine['kernel']}, {machine['processor']},"
        f" {machine['cores']} cores, load average {machine['load_average']:.1f},"
        f" the kernel's TCP: {machine['congestion_control']}"
    )


def _table(title: str, *names: str) -> Table:
    """Its first columns."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, no_wrap=True)
    return table


def _ratios(found: list[Row], ranges: bool) -> Table:
    table = _table("ours beside the kernel's, medians", "benchmark", "figure", "variant")
    for name in ("ours", "loopback", "ratio", "to veth", "goal", "met"):
        table.add_column(name, justify="right")
    benchmark = found[0].benchmark if found else ""
    for row in found:
        if row.benchmark != benchmark:
            benchmark = row.benchmark
            table.add_section()
        table.add_row(
            row.benchmark,
            row.figure,
            row.variant,
            _spread(row.ours, ranges),
            "" if row.kernel is None else _spread(row.kernel, ranges),
            _number(row.ratios.get("loopback")),
            _number(row.ratios.get("veth")),
            "" if row.goal is None else f"{row.goal}{' itself' if row.goal.absolute else ''}",
            {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[row.met],
        )
    return table


def _circumstances(results: Results) -> Table:
    title = "circumstances, medians; where the load's core is full, it may have been the limit"
    table = _table(title, "benchmark", "variant")
    for name in COMMON:
        table.add_column(HEADINGS[name], justify="right")
    for benchmark, variants in results.items():
        table.add_section()
        for variant, figures in variants.items():
            if "late_p99_ms" in figures:
                table.add_row(benchmark, variant, *(_circumstance(name, figures.get(name)) for name in COMMON))
    return table


def _circumstance(name: str, rounds: list[float] | None) -> str:
    if rounds is None:
        return ""
    value = Spread.of(rounds).median
    notable = {
        "generator_cpu_percent": value >= SATURATED,
        "late_p99_ms": value > MOST_LATENESS,
        "failures": value > 0,
    }
    return f"[bold red]{_number(value)}[/]" if notable.get(name) else _number(value)


def _spread(spread: Spread, ranges: bool = True) -> str:
    if spread.low == spread.high or not ranges:
        return _number(spread.median)
    return f"{_number(spread.median)} [dim]\\[{_number(spread.low)} - {_number(spread.high)}][/]"


def _number(value: float | None) -> str:
    """Three digits or all before the point."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
