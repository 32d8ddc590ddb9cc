"""What our TCP makes of a bad network, in virtual time: ``python -m tests.benchmarks.lossy --help``.

One flow from stack to stack through a bottleneck, for each round-trip time, loss and congestion control; with
``--flows`` two of them at once. The same for the same seed and code, on any machine: figures of two versions compare
(``--json`` on one, ``--compare`` on the other). ``--update`` writes the smaller table that
tests/tcpcore/netsim/test_table.py expects: look at the difference before it is committed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any, Final

from tests.tcpcore.netsim.simulation import Network, Result, Shares, algorithms, recovery, share, transfer

LOSSES: Final = (0.0, 0.001, 0.01, 0.02, 0.05, 0.1)
RTTS: Final = (0.001, 0.02, 0.1)
SECONDS: Final = 20.0
"""Of virtual time that a transfer may take."""
MIB: Final = 1 << 20
SNAPSHOT: Final = Path(__file__).parent.parent / "tcpcore/netsim/table.txt"
PAIR_NETWORK: Final = Network(rtt=0.04, rate=20e6)
PAIR_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One transfer."""

    network: Network
    algorithm: str
    size: int
    result: Result

    def key(self) -> str:
        """What two runs have to have in common to be compared."""
        return json.dumps([asdict(self.network), self.algorithm, self.size])


def size_for(rtt: float) -> int:
    """Bytes: long enough to leave slow start behind, short enough to be simulated in about a second."""
    return int(min(6 + 200 * rtt, 20)) * MIB


def table(
    networks: Iterable[Network], names: Iterable[str], size: int | None = None, seconds: float = SECONDS
) -> Iterator[Cell]:
    """Every network with every congestion control; ``size``: of each transfer, by default ``size_for`` its RTT."""
    names = tuple(names)
    for network in networks:
        for name in names:
            amount = size or size_for(network.rtt)
            yield Cell(network, name, amount, transfer(network, name, amount, seconds))


HEADING: Final = (
    "   RTT    loss  control   goodput   resent  timeouts     stall   queue mean      max   drops\n"
    "    ms       %             Mbit/s        %                  ms           ms       ms\n"
)


def line(cell: Cell) -> str:
    """A cell for people."""
    network, result = cell.network, cell.result
    return (
        f"{network.rtt * 1e3:6g}  {network.loss * 100:6g}  {cell.algorithm:<7}  {result.goodput / 1e6:8.2f}"
        f"  {result.resent * 100:7.2f}  {result.timeouts:8}  {result.stall * 1e3:8.0f}"
        f"  {result.queue_mean * 1e3:11.1f}  {result.queue_max * 1e3:7.1f}  {result.queue_drops:6}"
    )


def pair_line(names: Iterable[str], shares: Shares) -> str:
    """Two flows for people."""
    each = ", ".join(f"{name} {goodput / 1e6:.2f}" for name, goodput in zip(names, shares.goodput, strict=True))
    return (
        f"{each} Mbit/s: Jain's index {shares.jain:.3f}, queue {shares.queue_mean * 1e3:.1f} ms on average,"
        f" {shares.queue_max * 1e3:.1f} ms at most"
    )


def pairs(names: Iterable[str], network: Network, seconds: float) -> Iterator[tuple[tuple[str, ...], Shares]]:
    """Every congestion control beside itself and every other one, the later of the two a second late."""
    for two in combinations_with_replacement(names, 2):
        yield two, share(network, two, seconds)


def single_line(rtt: float, name: str, packets: int = 16) -> str:
    """How long a single loss takes to be repaired, wherever in a short transfer it is."""
    network = Network(rtt=rtt)
    results = [recovery(network, name, lost, packets) for lost in range(1, packets + 1)]
    aim = rtt + max(rtt / 4, 0.01)
    late = [number for number, (seconds, _) in enumerate(results, 1) if seconds > aim]
    return (
        f"{rtt * 1e3:6g} ms  {name:<7} repaired after {max(seconds for seconds, _ in results) * 1e3:.1f} ms at most,"
        f" {sum(timeouts for _, timeouts in results)} timeouts; later than {aim * 1e3:g} ms:"
        f" {', '.join(map(str, late)) or 'none'}"
    )


def snapshot() -> str:
    """The smaller table, as text."""
    names = algorithms()
    networks = [Network(rtt=rtt, loss=loss) for rtt in RTTS for loss in (0.0, 0.01, 0.05)]
    networks.append(Network(rtt=0.02, reorder=0.05, reorder_by=3))
    networks.append(Network(rtt=0.02, burst=(0.002, 0.3)))
    lines = [line(cell) for cell in table(networks[:9], names, MIB)]
    lines += ["5 % of the packets overtaken by 1 to 3:", *map(line, table(networks[9:10], names, MIB))]
    lines += ["bursts of loss, 0.7 % in all:", *map(line, table(networks[10:], names, MIB))]
    lines += ["one of 16 packets lost, each in turn:"]
    lines += [single_line(rtt, name) for rtt in RTTS for name in names]
    lines += ["two flows, 5 Mbit/s, 40 ms, 30 packets of queue:"]
    lines += [pair_line(*two) for two in pairs(names, replace(PAIR_NETWORK, rate=5e6, queue=30), 20.0)]
    return HEADING + "\n".join(lines) + "\n"


def load(path: str) -> dict[str, Result]:
    """A file that ``--json`` wrote."""
    loaded = {}
    for told in json.loads(Path(path).read_text())["cells"]:
        cell = Cell(Network(**told["network"]), told["algorithm"], told["size"], Result(**told["result"]))
        loaded[cell.key()] = cell.result
    return loaded


def compared(cell: Cell, before: dict[str, Result]) -> str:
    """The line's end: what another run had."""
    old = before.get(cell.key())
    if old is None:
        return "  not in that file" if before else ""
    ratio = cell.result.goodput / old.goodput if old.goodput else float("inf")
    return (
        f"   goodput {ratio:6.2f} x {old.goodput / 1e6:.2f}, resent {old.resent * 100:.2f} %, {old.timeouts} timeouts,"
        f" stall {old.stall * 1e3:.0f} ms"
    )


def run_table(options: argparse.Namespace) -> dict[str, Any]:
    """Print the table as it comes."""
    before = load(options.compare) if options.compare else {}
    common = {
        name: getattr(options, name)
        for name in ("rate", "queue", "reorder", "reorder_by", "ack_loss", "ecn_threshold", "seed")
    }
    common["burst"] = tuple(options.burst) if options.burst else None
    networks = [Network(rtt=rtt / 1e3, loss=loss / 100, **common) for rtt in options.rtt for loss in options.loss]
    print(HEADING, end="")
    cells, began = [], time.perf_counter()
    size = int(options.size * MIB) if options.size else None
    for cell in table(networks, options.control, size, options.seconds):
        print(line(cell) + compared(cell, before), flush=True)
        cells.append(cell)
    took, packets = time.perf_counter() - began, sum(cell.result.packets for cell in cells)
    print(f"{packets:,} packets in {took:.1f} s: {took / packets * 1e6:.1f} us each")
    return {"cells": [asdict(cell) for cell in cells]}


def run_pairs(options: argparse.Namespace) -> dict[str, Any]:
    """Print who shares how with whom."""
    network = replace(PAIR_NETWORK, seed=options.seed, queue=options.queue)
    print(f"two flows, {network.rate / 1e6:g} Mbit/s, {network.rtt * 1e3:g} ms, second half of {PAIR_SECONDS:g} s:")
    told = []
    for names, shares in pairs(options.control, network, PAIR_SECONDS):
        print(pair_line(names, shares), flush=True)
        told.append({"controls": names, **asdict(shares)})
    return {"flows": told}


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtt", type=float, nargs="+", default=[rtt * 1e3 for rtt in RTTS], help="ms")
    parser.add_argument("--loss", type=float, nargs="+", default=[loss * 100 for loss in LOSSES], help="per cent")
    parser.add_argument("--control", nargs="+", choices=algorithms(), default=algorithms())
    parser.add_argument("--rate", type=float, default=100e6, help="of the bottleneck, bit/s")
    parser.add_argument("--queue", type=int, help="packets; default: rate times RTT, at least 64")
    parser.add_argument(
        "--burst", type=float, nargs=2, metavar=("BEGIN", "END"), help="probabilities of bursts of loss"
    )
    parser.add_argument("--reorder", type=float, default=0.0, help="probability")
    parser.add_argument("--reorder-by", type=int, default=3, help="packets that overtake at most")
    parser.add_argument("--ack-loss", type=float, default=0.0, help="probability")
    parser.add_argument("--ecn-threshold", type=int, help="waiting packets from which on CE is set")
    parser.add_argument("--size", type=float, help="of each transfer, MiB; default: 6 to 20 by RTT")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of virtual time for each transfer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--flows", action="store_true", help="two flows at once instead of the table")
    parser.add_argument("--single", action="store_true", help="repair of a single loss instead of the table")
    parser.add_argument("--json", metavar="FILE", help="write the figures")
    parser.add_argument("--compare", metavar="FILE", help="print what --json wrote there beside them")
    parser.add_argument("--update", action="store_true", help="write the tests' snapshot instead")
    options = parser.parse_args()
    if options.update:
        SNAPSHOT.write_text(snapshot())
        return
    if options.single:
        for rtt in options.rtt:
            for name in options.control:
                print(single_line(rtt / 1e3, name, 64))
        return
    figures = run_pairs(options) if options.flows else run_table(options)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
