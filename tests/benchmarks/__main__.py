"""Our TCP beside the kernel's: the same trio programs on both, in one run: ``python -m tests.benchmarks --help``."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tcpcore.driver.netns import NamespaceUnavailableError, enter_private_namespace, tun_available
from tests.benchmarks.speed import network, report
from tests.benchmarks.speed.figures import Results
from tests.benchmarks.speed.plan import OURS, QUICK, YARDSTICKS, Sizes, benchmarks
from tests.benchmarks.speed.suite import PER_PACKET, Step, per_packet_steps, run, steps


class Names(click.ParamType[tuple[str, ...]]):
    """Some of the names that ``known`` gives, separated by commas; a name stands for all that begin with it."""

    name = "names"

    def __init__(self, known: Callable[[], Sequence[str]]) -> None:
        self._known = known

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names themselves."""
        known, chosen = self._known(), list[str]()
        for word in value.split(","):
            exact = [name for name in known if name == word]
            found = exact or [name for name in known if name.startswith(word)]
            if not found:
                self.fail(f"{word!r} is none of {', '.join(known)}", param, ctx)
            chosen += found
        return tuple(chosen)


def benchmark_names() -> list[str]:
    """All of them."""
    return [*(benchmark.name for benchmark in benchmarks(Sizes())), PER_PACKET]


@click.command(help=__doc__, epilog=f"Benchmarks: {', '.join(benchmark_names())}.")
@click.option("--only", type=Names(benchmark_names), help="Benchmarks, as bulk-in,echo; fan-out: all of its kind.")
@click.option("--against", type=Names(lambda: YARDSTICKS), help=f"The kernel over {' or '.join(YARDSTICKS)} (both).")
@click.option("--variants", type=Names(lambda: OURS), help=f"Of ours: {', '.join(OURS)} (all).")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Of each; medians count.")
@click.option("--quick", is_flag=True, help="Smaller: for a first look, not for figures to quote.")
@click.option("--seconds", type=click.FloatRange(0.05), help="For which each timed load runs.")
@click.option(
    "--congestion", metavar="NAME", default="cubic", show_default=True, help="Of the kernel's TCP; ours has cubic."
)
@click.option("--connections", type=click.IntRange(100), help="Of the idle benchmark.")
@click.option("--nice", type=click.IntRange(-20, 19), default=0, show_default=True,
              help="Priority; with -20, which needs privilege, other programs disturb less.")  # fmt: skip
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path), default="benchmarks.json",
              show_default=True, help="Where all figures go.")  # fmt: skip
@click.option("--compare", nargs=2, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="OLD NEW",
              help="Measure nothing; compare two files of figures.")  # fmt: skip
def main(
    only: tuple[str, ...] | None,
    against: tuple[str, ...] | None,
    variants: tuple[str, ...] | None,
    rounds: int,
    quick: bool,
    seconds: float | None,
    connections: int | None,
    congestion: str,
    nice: int,
    path: Path,
    compare: tuple[Path, Path] | None,
) -> None:
    """Measure, or compare."""
    console = report.console()
    if compare is not None:
        _compare(console, *compare)
        return
    sizes = _sizes(quick, seconds, connections)
    chosen = [each for each in benchmarks(sizes) if only is None or each.name in only]
    _prepare(congestion, nice)
    machine = report.about() | {
        "congestion_control": congestion,
        "rounds": rounds,
        "sizes": dataclasses.asdict(sizes),
    }
    names = (*(against or YARDSTICKS), *(variants or OURS))
    todo = list(steps(chosen, names, rounds, congestion))
    if only is None or PER_PACKET in only:
        todo += per_packet_steps(rounds)
    results, failures = _measure(todo)
    report.write(path, machine, results)
    report.show(console, machine, results)
    sys.exit(1 if failures else 0)


def _compare(console: Console, old: Path, new: Path) -> None:
    try:
        report.show_changes(console, old, new)
    except report.UnreadableError as error:
        raise click.ClickException(str(error)) from error


def _sizes(quick: bool, seconds: float | None, connections: int | None) -> Sizes:
    sizes = QUICK if quick else Sizes()
    if seconds is not None:
        sizes = dataclasses.replace(sizes, seconds=seconds)
    if connections is not None:
        sizes = dataclasses.replace(sizes, connections=connections)
    return sizes


def _prepare(congestion: str, nice: int) -> None:
    """A namespace where all of it happens, its kernel's TCP with that congestion control."""
    try:
        enter_private_namespace()
    except NamespaceUnavailableError as error:
        raise click.ClickException(str(error)) from error
    reason = tun_available()
    if reason is not None:
        raise click.ClickException(reason)
    network.tune_kernel()
    try:
        network.check_congestion_control(congestion)
    except OSError as error:
        raise click.ClickException(f"the kernel has no congestion control {congestion}") from error
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except PermissionError as error:
        raise click.ClickException(f"this needs privilege: --nice {nice}") from error
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, _: FrameType | None) -> None:
    """Leave as Ctrl-C does: the children are ended on the way out."""
    sys.exit(128 + number)


def _measure(todo: Sequence[Step]) -> tuple[Results, int]:
    """With a progress bar that does nothing while something is measured."""
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console, failures = Console(stderr=True), 0
    with Progress(*columns, TimeRemainingColumn(), console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=len(todo))
        done = -1

        def before(step: Step) -> None:
            nonlocal done
            done += 1
            progress.update(task, completed=done, description=str(step), refresh=True)

        def failed(step: Step, why: str) -> None:
            nonlocal failures
            failures += 1
            console.print(f"{step}: {why}", style="red", markup=False, highlight=False, soft_wrap=True)

        results = run(todo, before, failed)
    return results, failures


if __name__ == "__main__":
    main(prog_name="python -m tests.benchmarks")
