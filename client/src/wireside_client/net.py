"""The session over any trio stream: connects, reconnects, pings, and tells a sink what happened."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from wireside_client.events import Command, LinkChanged, LinkState, Rename, Sink
from wireside_client.session import Session
from wireside_protocol import ProtocolError

Connect = Callable[[], Awaitable[trio.abc.Stream]]
RECEIVE_SIZE = 65536


async def _no_wait() -> None:
    pass


@dataclass
class Backoff:
    """Seconds to wait between attempts: doubling from ``first`` to ``limit``, less up to half by chance."""

    first: float = 0.5
    limit: float = 30.0
    rng: random.Random = field(default_factory=random.Random)
    attempts: int = 0

    def next(self) -> float:
        """The wait before the next attempt."""
        ceiling = min(self.limit, self.first * 2.0 ** min(self.attempts, 20))
        self.attempts += 1
        return ceiling * self.rng.uniform(0.5, 1.0)


class Net:
    """Keeps ``session`` connected until cancelled.

    ``connect`` opens a stream (``OSError`` and trio's stream errors mean: try again later). ``sink``
    gets every event, synchronously. ``ready`` is awaited before each read, so that a user who cannot
    keep up slows the server down instead of filling memory. A server that is silent for two
    ``ping_interval`` (seconds) is taken for dead.
    """

    def __init__(
        self,
        session: Session,
        connect: Connect,
        sink: Sink,
        *,
        ready: Callable[[], Awaitable[None]] = _no_wait,
        backoff: Backoff | None = None,
        ping_interval: float = 15.0,
        connect_timeout: float = 10.0,
    ) -> None:
        self.session = session
        self._connect = connect
        self._sink = sink
        self._ready = ready
        self._backoff = backoff or Backoff()
        self._ping_interval = ping_interval
        self._connect_timeout = connect_timeout
        self._wake = trio.Event()
        self._scope = trio.CancelScope()
        self._heard = False
        self._was_online = False
        self._reason = ""

    def execute(self, command: Command) -> None:
        """Carry out a command of the user; call inside the trio run."""
        for event in self.session.execute(command):
            self._sink(event)
        self._wake.set()
        if isinstance(command, Rename):
            self._was_online = False
            self._backoff.attempts = 0
            self._scope.cancel()

    def say(self, room: str, text: str) -> str | None:
        """Say ``text``; the message id, or ``None`` when too many messages are unacknowledged."""
        message_id = self.session.say(room, text)
        self._wake.set()
        return message_id

    async def run(self) -> None:
        """Connect and stay connected; ends only by cancellation."""
        self._sink(LinkChanged(LinkState.CONNECTING))
        while True:
            with trio.CancelScope() as self._scope:
                await self._attempt()
                refusal = self.session.refusal
                self.session.connection_lost()
                if refusal is not None and not (self._was_online and refusal.code == "nick-in-use"):
                    self._sink(LinkChanged(LinkState.REFUSED, refusal.text))
                    await trio.sleep_forever()
                wait = self._backoff.next()
                self._sink(LinkChanged(LinkState.RECONNECTING, self._reason, wait))
                await trio.sleep(wait)
            self.session.connection_lost()

    async def _attempt(self) -> None:
        self._reason = "cannot connect"
        stream: trio.abc.Stream | None = None
        try:
            with trio.move_on_after(self._connect_timeout):
                stream = await self._connect()
            if stream is not None:
                async with stream:
                    await self._converse(stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._reason = str(error) or "connection lost"

    async def _converse(self, stream: trio.abc.Stream) -> None:
        self._reason = "connection lost"
        self.session.connection_made()
        self._wake.set()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send, stream)
                nursery.start_soon(self._keep_alive, nursery.cancel_scope)
                await self._receive(stream)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except* ProtocolError as group:
            self._reason = f"the server does not speak our protocol: {group.exceptions[0]}"

    async def _receive(self, stream: trio.abc.Stream) -> None:
        while self.session.refusal is None:
            await self._ready()
            data = await stream.receive_some(RECEIVE_SIZE)
            if not data:
                self._reason = self.session.farewell or "the server closed the connection"
                return
            self._heard = True
            for event in self.session.receive_data(bytes(data), trio.current_time()):
                if isinstance(event, LinkChanged):
                    self._was_online = True
                    self._backoff.attempts = 0
                self._sink(event)
            self._wake.set()

    async def _send(self, stream: trio.abc.Stream) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            data = self.session.data_to_send()
            if data:
                await stream.send_all(data)

    async def _keep_alive(self, scope: trio.CancelScope) -> None:
        while True:
            self._heard = False
            await trio.sleep(self._ping_interval)
            if self.session.welcome is not None:
                self.session.ping(trio.current_time())
                self._wake.set()
            if not self._heard:
                await trio.sleep(self._ping_interval)
                if not self._heard:
                    self._reason = "the server does not answer"
                    scope.cancel()
                    return
