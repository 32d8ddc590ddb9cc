"""All chosen benchmarks: rounds interleaved, so that what the machine does besides meets every variant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks import per_packet
from tests.benchmarks.speed.cell import measure
from tests.benchmarks.speed.figures import CORE, Results
from tests.benchmarks.speed.plan import VARIANTS, Benchmark, Figures
from tests.benchmarks.speed.process import ChildFailedError

PER_PACKET: Final = "per-packet"


@dataclass(frozen=True)
class Step:
    """One measurement to make."""

    benchmark: str
    variant: str
    measure: Callable[[], Figures]

    def __str__(self) -> str:
        """For a progress bar."""
        return f"{self.benchmark} {self.variant}"


def steps(benchmarks: Sequence[Benchmark], variants: Sequence[str], rounds: int, congestion: str) -> Iterator[Step]:
    """Benchmark by benchmark, in rounds of all its variants; ``congestion`` control is the kernel's."""
    for benchmark in benchmarks:
        for _ in range(rounds):
            for variant in benchmark.variants:
                if variant in variants:
                    yield _step(benchmark, variant, congestion)


def per_packet_steps(rounds: int) -> list[Step]:
    """The core by itself."""
    return [Step(PER_PACKET, CORE, per_packet.measure)] * rounds


def _step(benchmark: Benchmark, variant: str, congestion: str) -> Step:
    return Step(benchmark.name, variant, lambda: measure(benchmark, VARIANTS[variant], congestion))


def run(todo: Sequence[Step], before: Callable[[Step], None], failed: Callable[[Step, str], None]) -> Results:
    """Make them; each that fails is told of, and missing in the results. ``before``: called before each."""
    results: Results = {}
    for step in todo:
        before(step)
        try:
            figures = step.measure()
        except ChildFailedError as error:
            failed(step, str(error))
            continue
        except Exception as error:  # one that cannot be measured must not cost what the others gave
            failed(step, f"{type(error).__name__}: {error}".partition("\n")[0])
            continue
        variants = results.setdefault(step.benchmark, {}).setdefault(step.variant, {})
        for name, value in figures.items():
            variants.setdefault(name, []).append(value)
    return results
