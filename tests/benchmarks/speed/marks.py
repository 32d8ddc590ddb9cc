"""What the processes of a speed benchmark share: processor time, percentiles, and lines of JSON."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

SERVER_CORE: Final = 0
GENERATOR_CORE: Final = 1


def processor() -> float:
    """Seconds of processor time of this process, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident() -> int:
    """Bytes of this process's memory that are in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def percentiles(values: Iterable[float], *shares: float) -> list[float]:
    """The value below which each share of ``values`` lies; zeros without values."""
    ordered = sorted(values) or [0.0]
    return [ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in shares]


def pin(core: int) -> None:
    """Keep this process on one core, where there are two at least."""
    cores: Sequence[int] = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[core]})


def take_priority() -> None:
    """Give this process's session the priority of the process: the kernel weighs sessions before processes."""
    try:
        Path("/proc/self/autogroup").write_text(str(os.getpriority(os.PRIO_PROCESS, 0)))
    except OSError:
        pass  # a kernel that does not group by session


def raise_file_limit() -> None:
    """As many open files as this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def say(**message: Any) -> None:
    """One line to the process that runs the benchmark."""
    os.write(1, json.dumps(message).encode() + b"\n")
