"""The server's process: one program on one TCP. ``tests.benchmarks.speed.cell`` runs it.

It says where it listens, then answers each line of JSON that comes: ``mark``, ``opened``,
``bystander`` or ``lateness``.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import trio

from tcpcore import Config
from tcpcore.driver import Host, TunLink, open_stack
from tcpcore.driver.netns import enter_private_namespace
from tests.benchmarks.speed import network
from tests.benchmarks.speed.marks import (
    SERVER_CORE,
    percentiles,
    pin,
    processor,
    raise_file_limit,
    resident,
    say,
    take_priority,
)
from tests.benchmarks.speed.programs import PROGRAMS, Program

BACKLOG: Final = 4096
NAP: Final = 0.001
"""Seconds that the bystander sleeps at a time."""

Handler = Callable[[trio.abc.Stream], Awaitable[None]]
Serve = Callable[[Handler], Awaitable[object]]


@dataclass(frozen=True)
class Service:
    """A listening port; ``serve(handler)`` runs until cancelled."""

    address: str
    port: int
    serve: Serve
    host: Host | None = None


@asynccontextmanager
async def kernel_service(address: str, congestion: str) -> AsyncIterator[Service]:
    """The kernel's sockets."""
    listeners = await trio.open_tcp_listeners(0, host=address, backlog=BACKLOG)
    listening = listeners[0].socket
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
    port = listening.getsockname()[1]
    yield Service(address, port, _served_by_trio(listeners))


def _served_by_trio(listeners: list[Any]) -> Serve:
    """``trio.serve_listeners`` as it comes."""

    async def serve(handler: Handler) -> None:
        await trio.serve_listeners(handler, listeners)

    return serve


@asynccontextmanager
async def our_service(serve: str, spin: float) -> AsyncIterator[Service]:
    """Our stack on a TUN. ``serve``: ``own``, or ``trio`` for ``trio.serve_listeners``.

    ``nodelay`` as trio has it on the kernel's sockets.
    """
    link = TunLink.open(network.TUN_DEVICE, f"{network.TUN_KERNEL}/24")
    config = Config(nodelay=True, somaxconn=BACKLOG)
    async with open_stack(link, [f"{network.OURS}/24"], config=config, spin=spin, close_timeout=0.0) as host:
        listeners = await host.open_tcp_listeners(0, backlog=BACKLOG)
        how = listeners[0].serve if serve == "own" else _served_by_trio(listeners)
        yield Service(network.OURS, listeners[0].port, how, host)


def service(task: dict[str, Any]) -> AbstractAsyncContextManager[Service]:
    """The one that a task asks for."""
    if task["transport"] == "tun":
        return our_service(task["serve"], task["spin"])
    address = network.VETH_SERVER if task["transport"] == "veth" else network.LOOPBACK
    return kernel_service(address, task["congestion"])


class Bystander:
    """Sleeps a millisecond at a time and notes how late it wakes."""

    def __init__(self) -> None:
        self._late = array("d")
        self._begun = False
        self._running = trio.Event()

    def switch(self, on: bool) -> None:
        """Let it run or rest."""
        if on:
            self._running.set()
        else:
            self._running = trio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._running.wait()
            began = time.perf_counter()
            await trio.sleep(NAP)
            self._late.append(max(time.perf_counter() - began - NAP, 0.0))

    def begin(self) -> None:
        """What was before does not count; called again, nothing."""
        if not self._begun:
            self._begun, self._late = True, array("d")

    def figures(self) -> dict[str, float]:
        """How late it was, ms."""
        median, most = percentiles(self._late, 0.5, 0.99)
        latest = max(self._late, default=0.0)
        return {"late_p50_ms": median * 1e3, "late_p99_ms": most * 1e3, "late_max_ms": latest * 1e3}


class Server:
    """A program, what is served, and who asks about it."""

    def __init__(self, program: Program, served: Service) -> None:
        self.program = program
        self.service = served
        self.bystander = Bystander()

    async def run(self) -> None:
        """Until standard input ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.bystander.run)
            nursery.start_soon(self.program.background)
            nursery.start_soon(self.service.serve, self.program.serve)
            self.bystander.switch(True)
            say(address=self.service.address, port=self.service.port)
            async for line in _lines():
                await self._answer(json.loads(line))
            nursery.cancel_scope.cancel()

    async def _answer(self, request: dict[str, Any]) -> None:
        match request["ask"]:
            case "opened":
                await self.program.opened(request["count"])
                say(opened_at=self.program.opened_at)
            case "bystander":
                self.bystander.switch(request["on"])
                say()
            case "mark":
                self.bystander.begin()
                say(**self.mark())
            case "lateness":
                say(**self.bystander.figures())

    def mark(self) -> dict[str, Any]:
        """Where it stands."""
        figures: dict[str, Any] = {"retransmitted": 0, "dropped": 0}
        if self.service.host is not None:
            totals = self.service.host.statistics()
            figures["retransmitted"] = totals.tcp_retrans_segs
            figures["dropped"] = sum(totals.drops.values()) + self.service.host.link.dropped
        return figures | {
            "time": time.monotonic(),
            "processor": processor(),
            "resident": resident(),
            "received": self.program.received,
        }


async def _lines() -> AsyncIterator[bytes]:
    """Standard input."""
    rest = b""
    async with trio.lowlevel.FdStream(sys.stdin.fileno()) as source:
        while data := await source.receive_some():
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line


async def serve(task: dict[str, Any]) -> None:
    """Serve as ``task`` says."""
    program = PROGRAMS[task["program"]](task["members"])
    async with service(task) as served:
        await Server(program, served).run()


def main() -> None:
    """The task is the one argument, JSON."""
    task = json.loads(sys.argv[1])
    pin(SERVER_CORE)
    take_priority()
    raise_file_limit()
    if task["transport"] == "veth":
        enter_private_namespace()
        network.tune_kernel()
        say(ready="for a veth pair")
        sys.stdin.readline()
        network.configure_far()
    trio.run(serve, task)


if __name__ == "__main__":
    main()
