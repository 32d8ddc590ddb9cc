"""100,000 spoofed SYNs, while 50 clients chat: ``python -m tests.benchmarks.syn_flood --help``.

Three processes in a network namespace of their own: the server as users run it, on its TUN; the clients on kernel
sockets; and the flood. Nothing leaves the namespace.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from tcpcore.driver.netns import enter_private_namespace
from tests.system.flood import Injector, spoofed_syn
from tests.system.kernel import DEVICE, OURS
from wireside_client.load import Outcome, Plan, run_load

PORT: Final = 7070
LOT: Final = 50
SCRIPTS: Final = sysconfig.get_path("scripts")
MIB: Final = 1 << 20


def flood(count: int, rate: float, seed: int) -> None:
    """The flood's process: ``count`` SYNs, ``rate`` per second (0: as fast as the device takes them)."""
    rng = random.Random(seed)
    packets = [spoofed_syn(rng, OURS, PORT) for _ in range(count)]
    injector = Injector(DEVICE)
    began = time.perf_counter()
    for sent in range(0, count, LOT):
        for packet in packets[sent : sent + LOT]:
            injector.send(packet)
        ahead = (sent + LOT) / rate - (time.perf_counter() - began) if rate else 0.0
        if ahead > 0:
            time.sleep(ahead)
    injector.close()
    print(f"{time.perf_counter() - began:.3f}")


@dataclass(frozen=True)
class Server:
    """The server's process, seen from outside."""

    process: subprocess.Popen[bytes]
    control: Path

    def rss(self) -> int:
        """Resident bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self) -> float:
        """Seconds of processor time."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def netstat(self) -> dict[str, Any]:
        """What its control socket tells."""
        command = [f"{SCRIPTS}/wireside-server", "netstat", "--json", "--control", str(self.control)]
        told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return told


@contextmanager
def running_server(directory: str) -> Iterator[Server]:
    """``wireside-server run`` until it serves; it is told to leave in the end."""
    control = Path(directory) / "control"
    command = [f"{SCRIPTS}/wireside-server", "run", "--control", str(control), "--database", f"{directory}/db"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not control.exists():
            time.sleep(0.01)
        yield Server(process, control)
        process.terminate()


async def chat(clients: int, rate: float, seconds: float) -> Outcome:
    """The clients talk."""
    connect = partial(trio.open_tcp_stream, OURS, PORT)
    return await run_load(connect, Plan(clients=clients, rooms=5, rate=rate, seconds=seconds, settle=60.0), seed=1)


async def chat_in_flood(options: argparse.Namespace) -> tuple[Outcome, float]:
    """The clients talk, and the flood begins a second later; its seconds."""
    command = [sys.executable, "-m", __spec__.name, "--flooder", "--syns", str(options.syns)]
    command += ["--rate", str(options.rate), "--seed", str(options.seed)]
    outcomes: list[Outcome] = []

    async def talk() -> None:
        outcomes.append(await chat(options.clients, options.say_rate, options.seconds))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk)
        await trio.sleep(1.0)
        done = await trio.run_process(command, capture_stdout=True)
    return outcomes[0], float(done.stdout)


def report(what: str, outcome: Outcome) -> None:
    """The clients' view."""
    print(f"\n{what}")
    for line in outcome.lines():
        print("   ", line)


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--syns", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=10_000.0, help="SYNs per second; 0: as fast as possible")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--say-rate", type=float, default=50.0, help="messages per second of all clients")
    parser.add_argument("--seconds", type=float, default=14.0, help="for which the clients talk")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--flooder", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.flooder:
        flood(options.syns, options.rate, options.seed)
        return
    enter_private_namespace()
    with tempfile.TemporaryDirectory() as directory, running_server(directory) as server:
        report("without a flood", trio.run(chat, options.clients, options.say_rate, options.seconds))
        rss, cpu = server.rss(), server.cpu()
        outcome, seconds = trio.run(chat_in_flood, options)
        report(f"{options.syns} SYNs in {seconds:.2f} s ({options.syns / seconds:.0f}/s)", outcome)
        print(f"\nserver: {server.cpu() - cpu:.2f} s of processor, RSS {rss / MIB:.1f} -> {server.rss() / MIB:.1f} MiB")
        told = server.netstat()
        print("listener", json.dumps(told["listeners"][0], indent=2))
        statistics = told["statistics"]
        names = ("tcp_in_segs", "tcp_out_segs", "tcp_retrans_segs", "tcp_connections", "tcp_listen_drops")
        print({name: statistics[name] for name in (*names, "rate_limited", "drops")})


if __name__ == "__main__":
    main()
