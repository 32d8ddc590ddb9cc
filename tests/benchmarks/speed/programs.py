"""The server programs: trio's Stream interface and nothing else, so that they run on any TCP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import trio

from tests.benchmarks.speed.messages import CHUNK, JOIN, MESSAGE_SIZE, STAMP

Stream = trio.abc.Stream

TURN: Final = 64
"""Messages that a gathering program sends to a member at a time."""


class Program:
    """What a server does with its connections. ``received``: bytes that it counted, if it does."""

    def __init__(self, members: int = 0) -> None:
        """``members``: how many connections a program that sends to many waits for."""
        self.members = members
        self.received = 0
        self.connections = 0
        self.opened_at = 0.0
        self._more = trio.Event()

    async def serve(self, stream: Stream) -> None:
        """One connection, for as long as its peer stays."""
        self.connections += 1
        self.opened_at = time.monotonic()
        self._more.set()
        try:
            await self.handle(stream)
        except trio.BrokenResourceError:
            pass  # a generator that has its figures leaves without reading what is on its way

    async def opened(self, count: int) -> None:
        """Return when so many connections were accepted."""
        while self.connections < count:
            self._more = trio.Event()
            await self._more.wait()

    async def handle(self, stream: Stream) -> None:
        """What it is about."""
        raise NotImplementedError

    async def background(self) -> None:
        """What runs beside the connections."""


class Sink(Program):
    """Counts what comes."""

    async def handle(self, stream: Stream) -> None:
        while data := await stream.receive_some(CHUNK):
            self.received += len(data)


class Source(Program):
    """Sends without end."""

    async def handle(self, stream: Stream) -> None:
        chunk = bytes(CHUNK)
        while True:
            await stream.send_all(chunk)


class Echo(Program):
    """Sends back what comes."""

    async def handle(self, stream: Stream) -> None:
        while data := await stream.receive_some(CHUNK):
            await stream.send_all(data)


class CloseAtOnce(Program):
    """Accepts, and closes."""

    async def handle(self, stream: Stream) -> None:
        await stream.aclose()


class Broadcast(Program):
    """Sends messages to all members, one ``send_all`` per message and member, as fast as it can."""

    def __init__(self, members: int) -> None:
        super().__init__(members)
        self.streams: list[Stream] = []
        self.complete = trio.Event()

    def join(self, stream: Stream) -> None:
        """One more member."""
        self.streams.append(stream)
        if len(self.streams) == self.members:
            self.complete.set()

    async def handle(self, stream: Stream) -> None:
        self.join(stream)
        while await stream.receive_some(CHUNK):
            pass

    async def background(self) -> None:
        await self.complete.wait()
        try:
            await self.send_messages()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the generator has its figures

    async def send_messages(self) -> None:
        """Until a member leaves."""
        message, streams = bytes(MESSAGE_SIZE), self.streams
        while True:
            for stream in streams:
                await stream.send_all(message)


class GatheringBroadcast(Broadcast):
    """Queues the messages of a turn for each member itself, and sends each member's queue at once."""

    async def send_messages(self) -> None:
        message, streams = bytes(MESSAGE_SIZE), self.streams
        queues = [bytearray() for _ in streams]
        while True:
            for _ in range(TURN):
                for queue in queues:
                    queue += message
            for stream, queue in zip(streams, queues, strict=True):
                await stream.send_all(queue)
                queue.clear()


class SteadyBroadcast(Broadcast):
    """So many messages per second, each with the time at which its sending began."""

    rate = 200.0

    async def send_messages(self) -> None:
        streams, padding = self.streams, bytes(MESSAGE_SIZE - STAMP.size)
        due = trio.current_time()
        while True:
            due += 1 / self.rate
            await trio.sleep_until(due)
            message = STAMP.pack(time.monotonic_ns()) + padding
            for stream in streams:
                await stream.send_all(message)


class Crowd(Broadcast):
    """Echoes; connections that ask for it become members instead, and are sent messages once all have joined."""

    async def handle(self, stream: Stream) -> None:
        while data := await stream.receive_some(CHUNK):
            if data == JOIN:
                self.join(stream)
            else:
                await stream.send_all(data)


PROGRAMS: Final[dict[str, Callable[[int], Program]]] = {
    "sink": Sink,
    "source": Source,
    "echo": Echo,
    "close-at-once": CloseAtOnce,
    "broadcast": Broadcast,
    "gathering-broadcast": GatheringBroadcast,
    "steady-broadcast": SteadyBroadcast,
    "crowd": Crowd,
}
