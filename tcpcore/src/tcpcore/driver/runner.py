"""``open_stack``: a stack that runs over a link for the length of a ``with`` block."""

from __future__ import annotations

import gc
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Final

import trio

from tcpcore import Config, ConnectionStatus, ListenerStatus, Stack, StackStatistics, State
from tcpcore.driver import tasks
from tcpcore.driver.engine import Engine
from tcpcore.driver.errormap import link_down, os_error
from tcpcore.driver.link import Link
from tcpcore.driver.listener import TCPListener
from tcpcore.driver.stream import TCPStream
from tcpcore.errors import TCPError

_DELIVERED: Final = frozenset((State.FIN_WAIT_2, State.TIME_WAIT))
"""The peer has everything and our FIN; a RST could only take from it what it has not read."""

_DEFAULT_THRESHOLDS: Final = ((700, 10, 10), (2000, 10, 10), (2000, 10, 0))
"""Those of the garbage collector, by version of Python."""
_THRESHOLDS: Final = (5_000, 5, 160)
"""All objects are visited after 4 million new ones; new ones at most 25,000 at a time, which takes some 20 ms."""


class Host:
    """A running stack: what a program opens streams and listeners on."""

    def __init__(self, engine: Engine) -> None:
        """For ``open_stack``."""
        self._engine = engine

    @property
    def stack(self) -> Stack:
        """The stack itself, to look inside; call nothing on it that sends."""
        return self._engine.stack

    @property
    def link(self) -> Link:
        """The link under the stack."""
        return self._engine.link

    def now(self) -> float:
        """The time that the stack knows: trio's clock, seconds."""
        return trio.current_time()

    async def open_tcp_stream(
        self, host: str, port: int, *, local: tuple[str, int] | None = None, config: Config | None = None
    ) -> TCPStream:
        """Connect to an IP address, from the address of that family or from ``local``.

        ``config``: instead of the stack's.
        Raises ``OSError``: ``ConnectionRefusedError``, ``TimeoutError``, ``EHOSTUNREACH`` and others.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_link()
        now = self.now()
        try:
            connection = self.stack.connect((host, port), now, local=local, config=config)
        except TCPError as error:
            raise os_error(error, f"connecting to {host} port {port}") from error
        stream = TCPStream(self._engine, connection)
        self._engine.sent(0)
        await stream.wait_connected()
        return stream

    async def open_tcp_listeners(
        self, port: int, *, address: str | None = None, backlog: int = 128, config: Config | None = None
    ) -> list[TCPListener]:
        """Listen on ``port`` (0: a free one) of ``address`` or of all: a list for ``trio.serve_listeners``.

        ``config``: of the listener and its connections, instead of the stack's.
        Raises ``OSError``: ``EADDRINUSE``, ``EADDRNOTAVAIL``.
        """
        await trio.lowlevel.checkpoint()
        self._check_link()
        try:
            listener = self.stack.listen(port, address=address, backlog=backlog, config=config)
        except TCPError as error:
            raise os_error(error, f"listening on {address or 'all addresses'} port {port}") from error
        return [TCPListener(self._engine, listener)]

    def connection_statuses(self) -> list[ConnectionStatus]:
        """Everything about every connection."""
        now = self.now()
        return [connection.status(now) for connection in self.stack.connections()]

    def listener_statuses(self) -> list[ListenerStatus]:
        """Every listener and its queues."""
        return [listener.status() for listener in self.stack.listeners()]

    def statistics(self) -> StackStatistics:
        """The stack's totals."""
        return self.stack.statistics()

    def _check_link(self) -> None:
        if self._engine.failure is not None:
            raise link_down(self._engine.failure) from self._engine.failure


@asynccontextmanager
async def open_stack(
    link: Link,
    addresses: Sequence[str],
    *,
    config: Config | None = None,
    rng: random.Random | None = None,
    secret: bytes | None = None,
    close_timeout: float = 1.0,
    time_slice: float = 0.001,
    spin: float = 0.0,
) -> AsyncIterator[Host]:
    """Run a stack with ``addresses`` over ``link``; on exit close every connection and the link.

    On exit listeners stop, connections send FIN and have ``close_timeout`` seconds to end, also when
    cancelled; what is not delivered by then is reset. ``time_slice``: seconds for which stream calls may go without a
    schedule point; with 0 each call is one. ``spin``: seconds to poll the link after traffic, which lowers
    latency (50e-6 suffices) and costs a core while traffic flows. Raises ``ValueError`` or ``AddressError``
    for a wrong parameter, and closes the link then too.
    """
    if min(close_timeout, time_slice, spin) < 0:
        raise ValueError("close_timeout, time_slice and spin must not be negative")
    _keep_heap()
    _collect_less_often()
    failure: BaseException | None = None
    try:
        stack = Stack(addresses, config=config or Config(), rng=rng, secret=secret, capabilities=link.capabilities)
        engine = Engine(stack, link, time_slice=time_slice, spin=spin)
        running = trio.CancelScope(shield=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tasks.run, engine, running)
            try:
                yield Host(engine)
            except BaseException as error:
                if nursery.cancel_scope.cancel_called:
                    raise
                failure = error  # raised below, so that the nursery does not wrap it in a group
            await _leave(engine, close_timeout)
            running.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await link.aclose()
    if failure is not None:
        raise failure


async def _leave(engine: Engine, close_timeout: float) -> None:
    """Close everything politely, then reset what is left."""
    stack = engine.stack
    for listener in stack.listeners():
        if isinstance(listener.owner, TCPListener):
            listener.owner.close_now()
    for connection in stack.connections():
        if isinstance(connection.owner, TCPStream):
            connection.owner.close_now()
        else:
            with suppress(TCPError):
                connection.close(trio.current_time())
    engine.drain()
    with trio.move_on_after(close_timeout, shield=True):
        await tasks.wait_gone(engine)
    for connection in stack.connections():
        if connection.state not in _DELIVERED:
            connection.abort(trio.current_time())
    engine.drain()


@cache
def _keep_heap() -> None:
    """Keep glibc from giving freed memory back after each batch; once per process.

    Freeing one large block raises its thresholds for good. No page of it is ever touched.
    """
    block = bytes(30 << 20)
    del block


@cache
def _collect_less_often() -> None:
    """Let the garbage collector look at new objects less often, unless the program has set that itself; once.

    Thousands of connections are 100,000 objects, which each full collection visits; our own leave it nothing to do.
    """
    if gc.get_threshold() in _DEFAULT_THRESHOLDS:
        gc.set_threshold(*_THRESHOLDS)
