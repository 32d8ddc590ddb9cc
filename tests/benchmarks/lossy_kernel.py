"""Goodput on a bad path beside the kernel's, in real time: ``python -m tests.benchmarks.lossy_kernel --help``.

Three transfers alternate: kernel to kernel, ours to kernel, kernel to ours. The same process carries the packets of
all, in the same code, with the same fate for the n-th packet. A row is the run of median goodput. The ratio is to
kernel to kernel with the same congestion control: the geometric mean over the rounds, whose losses are the same.
``needless`` segments came to a sink that had them. ``!`` marks a run that processors limited, and not the path.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import geometric_mean
from typing import Any, Final

from tcpcore.driver.netns import enter_private_namespace
from tests.system.lossy_path import TCP, Outcome, Transfer, capturing, run
from tests.tcpcore.netsim.simulation import algorithms

DIRECTIONS: Final[dict[str, tuple[TCP, TCP]]] = {
    "kernel->kernel": ("kernel", "kernel"),
    "ours->kernel": ("ours", "kernel"),
    "kernel->ours": ("kernel", "ours"),
}
LATE: Final = 0.002
"""Seconds that one packet in a hundred may be late."""
BUSY: Final = 0.8
"""Share of a processor that each process may use."""
HEAD: Final = (
    " loss %  control  path              Mbit/s  ratio  resent      %  needless    lost dropped    queue ms"
    "     ends' CPU  forwarder  late us\n"
    "                                                                                          mean   max"
    "                         p50   p99"
)


def disturbed(outcome: Outcome) -> bool:
    """Whether processors limited the run, and not the path."""
    busiest = max(outcome.processor, outcome.source["processor"], outcome.sink["processor"])
    return outcome.late_p99 > LATE or busiest > BUSY * outcome.seconds or outcome.overruns > 0


def row(transfer: Transfer, direction: str, runs: list[Outcome], yardstick: list[Outcome] | None) -> str:
    """One line of the table."""
    outcome = median(runs)
    relation = "" if yardstick is None or yardstick is runs else f"{ratio(runs, yardstick):.2f}"
    resent = outcome.bytes_retransmitted / max(outcome.source["bytes_sent"], 1)
    source, sink = (end["processor"] / outcome.seconds for end in (outcome.source, outcome.sink))
    return (
        f"{transfer.loss * 100:7g}  {transfer.algorithm:<7}  {direction:<14}  {outcome.goodput / 1e6:8.2f}"
        f"  {relation:>5}  {outcome.segments_retransmitted:6}  {resent * 100:5.2f}"
        f"  {outcome.delivered_twice:8}  {outcome.lost:6}  {outcome.dropped:6}"
        f"  {outcome.queue_mean * 1e3:5.1f} {outcome.queue_max * 1e3:5.1f}  {source:6.0%} {sink:5.0%}"
        f"  {outcome.processor / outcome.seconds:9.0%}  {outcome.late_p50 * 1e6:4.0f} {outcome.late_p99 * 1e6:5.0f}"
        f"{' !' if disturbed(outcome) else ''}"
    )


def median(outcomes: list[Outcome]) -> Outcome:
    """The run in the middle; of two, the slower."""
    return sorted(outcomes, key=lambda outcome: outcome.goodput)[(len(outcomes) - 1) // 2]


def ratio(ours: list[Outcome], yardstick: list[Outcome]) -> float:
    """Geometric mean of the rounds' ratios of goodput."""
    return geometric_mean(each.goodput / other.goodput for each, other in zip(ours, yardstick, strict=True))


def measure(transfer: Transfer, directions: list[str], rounds: int, capture: str | None) -> dict[str, list[Outcome]]:
    """Alternate between the directions; each round has its own seed."""
    outcomes: dict[str, list[Outcome]] = {direction: [] for direction in directions}
    for number in range(rounds):
        for direction in directions:
            source, sink = DIRECTIONS[direction]
            each = dataclasses.replace(transfer, source=source, sink=sink, seed=transfer.seed + number)
            name = f"{capture}-{transfer.loss:.1%}-{transfer.algorithm}-{source}-{sink}"
            with capturing(name if capture is not None and number == 0 else None) as views:
                outcomes[direction].append(run(each, views))
    return outcomes


def cells(options: argparse.Namespace) -> Iterator[tuple[Transfer, list[str]]]:
    """Each loss and congestion control, and the directions that can have it."""
    ours = algorithms()
    for percent in options.loss:
        for algorithm in options.control:
            transfer = Transfer(
                algorithm=algorithm,
                seconds=options.seconds,
                bytes=options.bytes,
                delay=options.rtt / 2e3,
                loss=percent / 100,
                ack_loss=options.ack_loss,
                burst=tuple(options.burst) if options.burst else None,
                reorder=options.reorder,
                reorder_by=options.reorder_by,
                rate=options.rate or None,
                queue=options.queue,
                seed=options.seed,
            )
            yield transfer, [each for each in options.paths if DIRECTIONS[each][0] == "kernel" or algorithm in ours]


def limit(options: argparse.Namespace) -> Outcome:
    """What the forwarding process can carry at most: kernel to kernel, no loss, no rate, 1 ms each way."""
    outcome = run(Transfer(source="kernel", seconds=options.seconds, delay=0.001, rate=None))
    print(
        f"the forwarding process carries at most {outcome.forwarded / outcome.seconds:,.0f} packets/s here"
        f" ({outcome.goodput / 1e6:.0f} Mbit/s, {outcome.processor / outcome.seconds:.0%} of a processor)"
    )
    return outcome


def main() -> None:
    """Run it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each transfer (8)")
    parser.add_argument("--bytes", type=int, default=Transfer.bytes, help="that end a transfer earlier (no limit)")
    parser.add_argument("--rounds", type=int, default=3, help="of each cell (3)")
    parser.add_argument("--control", nargs="+", default=["cubic", "reno", "bbr"], help="congestion controls (all)")
    parser.add_argument("--paths", nargs="+", choices=DIRECTIONS, default=list(DIRECTIONS))
    parser.add_argument("--rtt", type=float, default=20.0, help="ms (20)")
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0, 1.0, 5.0], help="of data, per cent (0 1 5)")
    parser.add_argument("--ack-loss", type=float, default=0.0, help="probability (0)")
    parser.add_argument(
        "--burst", type=float, nargs=2, metavar=("BEGIN", "END"), help="probabilities of bursts of loss"
    )
    parser.add_argument("--reorder", type=float, default=0.0, help="of data, probability (0)")
    parser.add_argument("--reorder-by", type=int, default=3, help="packets that overtake at most (3)")
    parser.add_argument("--rate", type=float, default=100e6, help="bit/s each way; 0: no limit (100e6)")
    parser.add_argument("--queue", type=int, default=200, help="packets (200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--capture", metavar="PREFIX", help="write PREFIX-...-source.pcap and -sink.pcap of each first run"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all runs")
    options = parser.parse_args()
    with suppress(PermissionError):  # whatever else the machine does is no part of the path, nor of its ends
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    enter_private_namespace()
    print(f"{platform.release()}, Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f}")
    results: dict[str, Any] = {"limit": dataclasses.asdict(limit(options)), "runs": []}
    print(HEAD)
    for transfer, directions in cells(options):
        outcomes = measure(transfer, directions, options.rounds, options.capture)
        for direction, runs in outcomes.items():
            print(row(transfer, direction, runs, outcomes.get("kernel->kernel")), flush=True)
            described = dataclasses.asdict(transfer) | {"path": direction}
            results["runs"].append(described | {"outcomes": [dataclasses.asdict(each) for each in runs]})
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
