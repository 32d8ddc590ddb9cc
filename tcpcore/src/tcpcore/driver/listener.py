"""A listening port as a trio listener."""

from __future__ import annotations

from collections.abc import Callable

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task

from tcpcore import Listener, ListenerStatus
from tcpcore.driver.engine import Engine
from tcpcore.driver.errormap import link_down
from tcpcore.driver.handlers import Handler, Handlers
from tcpcore.driver.stream import TCPStream
from tcpcore.driver.tasks import breathe


class TCPListener(trio.abc.Listener[TCPStream]):
    """One listening port of a host, on one address or on all.

    ``trio.serve_listeners`` serves it; its own ``serve`` does so with fewer task switches per connection.
    """

    def __init__(self, engine: Engine, listener: Listener) -> None:
        """For the driver: listeners come from ``Host.open_tcp_listeners``."""
        self.listener = listener
        self._engine = engine
        self._waiter: Task | None = None
        self._accepting = False
        self._closed = False
        self._on_connection: Callable[[TCPStream], None] | None = None
        listener.owner = self

    @property
    def port(self) -> int:
        """The port, also when the system chose it."""
        return self.listener.port

    def status(self) -> ListenerStatus:
        """The listener and its queues, now."""
        return self.listener.status()

    async def accept(self) -> TCPStream:
        """The next connection whose handshake is done. ``OSError``: the link is gone."""
        if self._accepting:
            raise trio.BusyResourceError("another task is accepting on this listener")
        self._accepting = True
        try:
            if self.listener.accept_queue or self._closed:
                await breathe(self._engine)
            while True:
                self._check_open()
                connection = self.listener.accept()
                if connection is not None:
                    return TCPStream(self._engine, connection)
                await self._wait()
        finally:
            self._accepting = False

    async def serve(self, handler: Handler) -> None:
        """Start ``handler(stream)`` for each connection as soon as its handshake is done, and close after it.

        Like ``trio.serve_listeners`` it runs until cancelled, then closes the listener, and an error of a
        handler ends it.
        """
        async with self, trio.open_nursery() as nursery:
            if self._accepting:
                raise trio.BusyResourceError("another task is accepting on this listener")
            self._accepting = True
            self._on_connection = Handlers(nursery, handler).start
            try:
                while True:
                    self._check_open()
                    self._start_handlers()
                    await self._wait()
            finally:
                self._on_connection = None
                self._accepting = False

    async def aclose(self) -> None:
        """Stop listening; connections not yet accepted are reset. A second call does nothing."""
        self.close_now()
        await trio.lowlevel.checkpoint()

    def close_now(self) -> None:
        """``aclose`` without a checkpoint."""
        if not self._closed:
            self._closed = True
            now = trio.current_time()
            self.listener.close(now)
            self._engine.sent(0)
            self._wake()

    def on_ready(self, bits: int) -> None:
        """Connections wait to be accepted, or (all bits) the link is gone."""
        if self._on_connection is None or self._engine.failure is not None:
            self._wake()
        else:
            self._start_handlers()

    def _start_handlers(self) -> None:
        while self._on_connection is not None and (connection := self.listener.accept()) is not None:
            self._on_connection(TCPStream(self._engine, connection))

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this listener was closed")
        if self._engine.failure is not None:
            raise link_down(self._engine.failure) from self._engine.failure

    async def _wait(self) -> None:
        self._waiter = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._cancelled)

    def _cancelled(self, _: RaiseCancelT) -> Abort:
        self._waiter = None
        return Abort.SUCCEEDED

    def _wake(self) -> None:
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            trio.lowlevel.reschedule(waiter)
