"""The seam between the user interface (asyncio) and the network (trio): a thread, and messages both ways.

The interface never waits for the network and the network never for a frame: events gather in a bounded
buffer that is handed over at most every 33 ms, commands are run inside trio without a reply. A full
buffer makes the network stop reading, so that a flood is held by TCP's flow control.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import outcome
import trio

from wireside_client.events import Command, Event
from wireside_client.net import Net
from wireside_protocol.messages import ConnectionReport, NetstatReport

FLUSH_INTERVAL = 1 / 30
"""Seconds between two deliveries to the interface."""
Deliver = Callable[[list[Event]], None]
SNAPSHOTS = (ConnectionReport, NetstatReport)


class Link(Protocol):
    """What the user interface needs of the network."""

    def start(self, deliver: Deliver, on_end: Callable[[BaseException | None], None]) -> None:
        """Begin; ``deliver`` and ``on_end`` are called in the running event loop."""

    def send(self, command: Command) -> bool:
        """Hand a command over; ``False`` when the network is not running."""

    async def stop(self) -> None:
        """End the network and wait for it."""


class Port:
    """The network's end of the seam; what ``main`` of a `ThreadLink` gets."""

    def __init__(self, push: Callable[[Event], None], limit: int) -> None:
        self._push = push
        self._limit = limit
        self._net: Net | None = None
        self._early: deque[Command] = deque(maxlen=limit)
        self._room = trio.Event()
        self.waiting = 0

    def sink(self, event: Event) -> None:
        """Tell the interface."""
        self._push(event)

    async def ready(self) -> None:
        """Wait while the interface is behind."""
        while self.waiting >= self._limit:
            self._room = trio.Event()
            await self._room.wait()

    def attach(self, net: Net) -> None:
        """Commands go to ``net`` from now on."""
        self._net = net
        while self._early:
            net.execute(self._early.popleft())

    def execute(self, command: Command) -> None:
        """Run a command of the interface."""
        if self._net is None:
            self._early.append(command)
        else:
            self._net.execute(command)

    def drained(self) -> None:
        """The interface took what was waiting."""
        self._room.set()


class ThreadLink:
    """Runs ``main(port)`` under trio in a thread called "trio-net".

    ``limit`` is the number of events that may wait for the interface before the network stops reading.
    """

    def __init__(self, main: Callable[[Port], Awaitable[None]], *, limit: int = 10_000) -> None:
        self._main = main
        self._port = Port(self._push, limit)
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._armed = False
        self._last_flush = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: asyncio.Future[None] | None = None
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope: trio.CancelScope | None = None
        self._deliver: Deliver | None = None
        self._on_end: Callable[[BaseException | None], None] | None = None

    def start(self, deliver: Deliver, on_end: Callable[[BaseException | None], None]) -> None:
        """Start the thread; ``on_end`` gets what ended it (``None``: it was stopped)."""
        self._deliver, self._on_end = deliver, on_end
        self._loop = asyncio.get_running_loop()
        self._done = self._loop.create_future()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="trio-net", daemon=True)
        self._thread.start()
        started.wait()

    def send(self, command: Command) -> bool:
        """Hand ``command`` to the network; ``False`` when it is not running."""
        if self._token is None:
            return False
        try:
            self._token.run_sync_soon(self._port.execute, command)
        except trio.RunFinishedError:
            return False
        return True

    async def stop(self) -> None:
        """Cancel the network and wait up to three seconds for it to say goodbye."""
        if self._done is None or self._thread is None:
            return
        if self._token is not None and self._scope is not None:
            try:
                self._token.run_sync_soon(self._scope.cancel)
                self._token.run_sync_soon(self._port.drained)
            except trio.RunFinishedError:
                pass
        try:
            await asyncio.wait_for(asyncio.shield(self._done), 3)
        except TimeoutError:
            return
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    # In the thread of the network

    def _run(self, started: threading.Event) -> None:
        async def main() -> None:
            with trio.CancelScope() as self._scope:
                self._token = trio.lowlevel.current_trio_token()
                started.set()
                await self._main(self._port)

        result = outcome.capture(trio.run, main)
        started.set()
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._ended, result)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            pass

    def _push(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, SNAPSHOTS):
                self._drop_snapshots(type(event))
            self._events.append(event)
            self._port.waiting = len(self._events)
            arm, self._armed = not self._armed, True
        if arm and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._arm)
            except RuntimeError:
                pass

    def _drop_snapshots(self, kind: type[Event]) -> None:
        if self._events and isinstance(self._events[-1], kind):
            self._events.pop()

    # In the thread of the interface

    def _arm(self) -> None:
        assert self._loop is not None
        delay = self._last_flush + FLUSH_INTERVAL - self._loop.time()
        if delay <= 0:
            self._flush()
        else:
            self._loop.call_later(delay, self._flush)

    def _flush(self) -> None:
        assert self._loop is not None
        assert self._deliver is not None
        self._last_flush = self._loop.time()
        with self._lock:
            events = list(self._events)
            self._events.clear()
            self._port.waiting = 0
            self._armed = False
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._port.drained, idempotent=True)
            except trio.RunFinishedError:
                pass
        self._deliver(events)

    def _ended(self, result: outcome.Outcome[Any]) -> None:
        assert self._done is not None
        self._done.set_result(None)
        if self._on_end is not None:
            self._on_end(result.error if isinstance(result, outcome.Error) else None)
