"""Tasks that handle the connections of a listener: who has handled one waits for the next.

To wake a task takes half as long as to begin one. A handler notices no difference: each begins in the context
(``contextvars``) in which the service was started, whatever handlers before it set.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Final

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task

from tcpcore.driver.stream import TCPStream

Handler = Callable[[TCPStream], Awaitable[object]]

IDLE: Final = 64
"""Tasks that wait for a connection, at most."""


class Handlers:
    """Runs ``handler`` for one stream after another, each in a task of ``nursery``, and closes the stream after it."""

    def __init__(self, nursery: trio.Nursery, handler: Handler) -> None:
        """An error of the handler is the nursery's."""
        self._nursery = nursery
        self._handler = handler
        self._context = copy_context()
        self._idle: list[Task] = []
        self._next: dict[Task, TCPStream] = {}
        """Streams of tasks that were woken and have not run yet."""

    def start(self, stream: TCPStream) -> None:
        """Handle ``stream``: the handler begins in the scheduler's next pass."""
        if self._idle:
            task = self._idle.pop()
            self._next[task] = stream
            trio.lowlevel.reschedule(task)
        else:  # the task that calls may be any: nothing of its context is the handler's
            self._context.run(self._nursery.start_soon, self._work, stream)

    async def _work(self, stream: TCPStream) -> None:
        while True:
            try:
                await self._handler(stream)
            finally:
                stream.close_now()
            if len(self._idle) == IDLE:
                break
            del stream  # it would live until the next one comes
            stream = await self._wait(trio.lowlevel.current_task())

    async def _wait(self, task: Task) -> TCPStream:
        """The next stream for ``task``, and a context as new."""

        def cancelled(_: RaiseCancelT) -> Abort:
            self._idle.remove(task)
            return Abort.SUCCEEDED

        task.context = self._context.copy()
        self._idle.append(task)
        await trio.lowlevel.wait_task_rescheduled(cancelled)
        return self._next.pop(task)
