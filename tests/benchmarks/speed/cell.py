"""One measurement: a server, a load on it, and what both tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from tests.benchmarks.speed import network
from tests.benchmarks.speed.plan import Benchmark, Figures, Phase, Phases, Run, Variant
from tests.benchmarks.speed.process import Child

_QUIET = "rest"
"""The phase in which nothing may run in the server that the program does not run itself."""


def measure(benchmark: Benchmark, variant: Variant, congestion: str) -> Figures:
    """All figures of ``benchmark``, once; ``congestion`` control is the kernel's. Raises ``ChildFailedError``."""
    runs: dict[str, Phases] = {}
    late: list[Figures] = []
    for name, run in benchmark.runs.items():
        runs[name], lateness = _run(run, variant, congestion)
        late.append(lateness)
    every = [phase for phases in runs.values() for phase in phases.values()]
    return benchmark.derive(runs) | _common(every) | {name: max(each[name] for each in late) for name in late[0]}


def _run(run: Run, variant: Variant, congestion: str) -> tuple[Phases, Figures]:
    """The phases, and how late the bystander was in them."""
    module = "tests.benchmarks.speed."
    serving = dataclasses.asdict(variant) | {"congestion": congestion, "program": run.program, "members": run.members}
    with Child(f"{module}servers", serving) as server:
        if variant.transport == "veth":
            server.hear()
            network.join_namespaces(server.pid)
            server.tell()
        listening = server.hear()
        task = {"load": run.load, "congestion": congestion} | listening
        patience = run.task.get("seconds", 0.0) + run.task.get("idle_seconds", 0.0)
        with Child(f"{module}generators", task | run.task, patience) as generator:
            return _phases(server, generator, run), server.ask(ask="lateness")


def _phases(server: Child, generator: Child, run: Run) -> Phases:
    """Mark the server before and after each phase of the load."""
    phases: Phases = {}
    while "ready" in (message := generator.hear(beside=server)):
        name = message["ready"]
        if name == _QUIET:
            server.ask(ask="bystander", on=False)
        before, kernel_before = server.ask(ask="mark"), network.kernel_counters()
        generator.tell()
        load = generator.hear(beside=server)["figures"]
        extra: dict[str, Any] = {}
        if name == "open":
            load["connections"] = run.task["connections"]
            extra = server.ask(ask="opened", count=run.task["connections"])
        after, kernel_after = server.ask(ask="mark") | extra, network.kernel_counters()
        kernel: Figures = {key: kernel_after[key] - kernel_before[key] for key in kernel_after}
        phases[name] = Phase(before, after, load, kernel)
        if name == _QUIET:
            server.ask(ask="bystander", on=True)
    return phases


def _common(phases: Iterable[Phase]) -> Figures:
    """What every benchmark tells besides: its busiest phase, and what was lost."""
    measured = list(phases)
    return {
        "server_cpu_s": sum(phase.server_seconds for phase in measured),
        "server_cpu_percent": max(phase.server_seconds / phase.grown("time") * 100 for phase in measured),
        "generator_cpu_percent": max(phase.load["processor"] / phase.load["seconds"] * 100 for phase in measured),
        "resent_by_server": sum(phase.grown("retransmitted") for phase in measured),
        "resent_by_kernel": sum(phase.kernel["retransmitted"] for phase in measured),
        "dropped_by_server": sum(phase.grown("dropped") for phase in measured),
        "dropped_by_queue": sum(phase.kernel["dropped"] for phase in measured),
    }
