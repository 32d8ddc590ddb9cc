"""What is measured on which server, how large, and what its figures are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

Figures = dict[str, float]


@dataclass(frozen=True)
class Sizes:
    """How much of each; times in seconds."""

    seconds: float = 2.0
    warm_up: float = 0.5
    idle_seconds: float = 5.0
    round_trips: int = 20_000
    connections: int = 10_000
    few: int = 100
    """Members of a crowd, and of the offered load."""
    members: tuple[int, ...] = (10, 100, 1000)
    at_once: int = 50


QUICK: Final = Sizes(seconds=0.5, warm_up=0.2, idle_seconds=1.0, round_trips=4000, connections=2000)


@dataclass(frozen=True)
class Variant:
    """A server. ``transport``: ``loopback`` or ``veth`` with the kernel's TCP, ``tun`` with ours."""

    name: str
    transport: str
    serve: str = "own"
    spin: float = 0.0

    @property
    def kernel(self) -> bool:
        """Whether it is a yardstick."""
        return self.transport != "tun"


SPIN: Final = 50e-6
VARIANTS: Final = {
    variant.name: variant
    for variant in (
        Variant("loopback", "loopback"),
        Variant("veth", "veth"),
        Variant("tun", "tun"),
        Variant("tun-trio", "tun", serve="trio"),
        Variant("tun-spin", "tun", spin=SPIN),
    )
}
YARDSTICKS: Final = tuple(name for name, variant in VARIANTS.items() if variant.kernel)
OURS: Final = tuple(name for name, variant in VARIANTS.items() if not variant.kernel)


@dataclass(frozen=True)
class Phase:
    """A part of a load: what the server told before and after, and the generator's figures."""

    before: Figures
    after: Figures
    load: Figures
    kernel: Figures
    """What the kernel's counters grew by."""

    def grown(self, name: str) -> float:
        """By how much a figure of the server grew."""
        return self.after[name] - self.before[name]

    @property
    def server_seconds(self) -> float:
        """Processor time of the server."""
        return self.grown("processor")


Phases = dict[str, Phase]


@dataclass(frozen=True)
class Run:
    """A program and the load on it, in processes of their own."""

    program: str
    load: str
    task: dict[str, Any] = field(default_factory=dict)
    members: int = 0


@dataclass(frozen=True)
class Benchmark:
    """``runs``: their phases together give the figures; each has a name."""

    name: str
    variants: tuple[str, ...]
    runs: dict[str, Run]
    derive: Callable[[dict[str, Phases]], Figures]


def _bulk_in(runs: dict[str, Phases]) -> Figures:
    phase = runs["only"]["run"]
    size = max(phase.grown("received"), 1.0)
    return {"gbit_per_s": size * 8e-9 / phase.grown("time"), "cpu_s_per_gb": phase.server_seconds / (size * 1e-9)}


def _bulk_out(runs: dict[str, Phases]) -> Figures:
    phase = runs["only"]["run"]
    size = phase.load["bytes"]
    return {"gbit_per_s": size * 8e-9 / phase.load["seconds"], "cpu_s_per_gb": phase.server_seconds / (size * 1e-9)}


def _echo(runs: dict[str, Phases]) -> Figures:
    return _latencies(runs["only"]["echo"])


def _latencies(phase: Phase) -> Figures:
    return {name: phase.load[name] for name in ("p50_us", "p99_us", "p99_9_us")}


def _connects(runs: dict[str, Phases]) -> Figures:
    phase = runs["only"]["run"]
    return {
        "connects_per_s": phase.load["count"] / phase.load["seconds"],
        "cpu_us_per_connect": phase.server_seconds * 1e6 / max(phase.load["count"], 1),
        "failures": phase.load["failures"],
    }


def _deliveries(phase: Phase) -> Figures:
    count = phase.load["deliveries"]
    return {
        "deliveries_per_s": count / phase.load["seconds"],
        "cpu_s_per_million": phase.server_seconds * 1e6 / max(count, 1),
    }


def _fan_out(runs: dict[str, Phases]) -> Figures:
    return _deliveries(runs["only"]["fan-out"])


def _offered(runs: dict[str, Phases]) -> Figures:
    phase = runs["only"]["run"]
    return _latencies(phase) | _deliveries(phase)


def _idle(runs: dict[str, Phases]) -> Figures:
    """``burst_resent``: what both ends sent again, at most so many timeouts."""
    crowd, alone = runs["crowd"], runs["alone"]
    opened, burst = crowd["open"], crowd["burst"]
    count = opened.load["connections"]
    empty = opened.before["resident"]
    echo, fan_out = _latencies(crowd["echo"]), _deliveries(crowd["fan-out"])
    echo_alone, fan_out_alone = _latencies(alone["echo"]), _deliveries(alone["fan-out"])
    return {
        "open_s": max(opened.load["seconds"], opened.after["opened_at"] - opened.load["began"]),
        "kib_open": (opened.after["resident"] - empty) / count / 1024,
        "kib_after_echo": (crowd["touch"].after["resident"] - empty) / count / 1024,
        "idle_cpu_percent": crowd["rest"].server_seconds / crowd["rest"].load["seconds"] * 100,
        "echo_p50_us": echo["p50_us"],
        "echo_p99_us": echo["p99_us"],
        "echo_p50_slowdown": echo["p50_us"] / echo_alone["p50_us"],
        "echo_p99_slowdown": echo["p99_us"] / echo_alone["p99_us"],
        "fan_out_per_s": fan_out["deliveries_per_s"],
        "fan_out_slowdown": fan_out_alone["deliveries_per_s"] / max(fan_out["deliveries_per_s"], 1e-9),
        "burst_s": burst.load["seconds"],
        "burst_resent_by_server": burst.grown("retransmitted"),
        "burst_resent_by_kernel": burst.kernel["retransmitted"],
        "burst_kernel_timeouts": burst.kernel["timeouts"],
        "failures": burst.load["missing"],
    }


def benchmarks(sizes: Sizes) -> list[Benchmark]:
    """All, in the order of the table."""
    timed = {"seconds": sizes.seconds, "warm_up": sizes.warm_up}
    every, plain = tuple(VARIANTS), ("loopback", "veth", "tun")
    crowd = timed | {"round_trips": sizes.round_trips, "members": sizes.few}

    def one(
        name: str, variants: tuple[str, ...], run: Run, derive: Callable[[dict[str, Phases]], Figures]
    ) -> Benchmark:
        return Benchmark(name, variants, {"only": run}, derive)

    def many(kind: str, program: str) -> list[Benchmark]:
        return [
            one(
                f"fan-out-{kind}-{members}",
                plain,
                Run(program, "fan-out", timed | {"members": members}, members),
                _fan_out,
            )
            for members in sizes.members
        ]

    return [
        one("bulk-in", plain, Run("sink", "bulk-in", timed), _bulk_in),
        one("bulk-out", plain, Run("source", "bulk-out", timed), _bulk_out),
        one("echo", (*plain, "tun-spin"), Run("echo", "echo", {"round_trips": sizes.round_trips}), _echo),
        one("connects-1", every, Run("close-at-once", "connects", timed | {"at_once": 1}), _connects),
        one(
            f"connects-{sizes.at_once}",
            every,
            Run("close-at-once", "connects", timed | {"at_once": sizes.at_once}),
            _connects,
        ),
        *many("naive", "broadcast"),
        *many("gathered", "gathering-broadcast"),
        one(
            "offered-load",
            (*plain, "tun-spin"),
            Run("steady-broadcast", "offered", timed | {"members": sizes.few}, sizes.few),
            _offered,
        ),
        Benchmark(
            "idle",
            ("loopback", "tun"),
            {
                "crowd": Run(
                    "crowd",
                    "crowd",
                    crowd | {"connections": sizes.connections, "idle_seconds": sizes.idle_seconds},
                    sizes.few,
                ),
                "alone": Run("crowd", "crowd", crowd | {"connections": sizes.few, "idle_seconds": 0.0}, sizes.few),
            },
            _idle,
        ),
    ]
