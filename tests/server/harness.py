"""A server in this task tree, and clients on memory streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio
import trio.testing
from trio.abc import Stream

from wireside_protocol import Decoder, Message, encode
from wireside_protocol.messages import Hello, Join, Joined, RoomMessage, Said, Say, Welcome
from wireside_server.inspection import Inspector
from wireside_server.log import make_log
from wireside_server.server import Server
from wireside_server.session import Client
from wireside_server.store import Store

M = TypeVar("M", bound=Message)
TIME = 1000.5


class Peer:
    """The client's end of a connection."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._decoder = Decoder()

    async def send(self, *messages: Message) -> None:
        await self.stream.send_all(b"".join(encode(message) for message in messages))

    async def receive(self) -> Message | None:
        """The next message, ``None`` at the end of the stream."""
        while True:
            message = self._decoder.next_message()
            if message is not None:
                return message
            data = await self.stream.receive_some(65536)
            if not data:
                return None
            self._decoder.receive_data(bytes(data))

    async def expect(self, kind: type[M]) -> M:
        """The next message, which is of type ``kind``."""
        message = await self.receive()
        assert isinstance(message, kind), message
        return message

    async def wait_for(self, kind: type[M]) -> M:
        """The next message of type ``kind``; those before it are dropped."""
        while True:
            message = await self.receive()
            assert message is not None, f"the stream ended before {kind.__name__}"
            if isinstance(message, kind):
                return message

    async def end(self) -> list[Message]:
        """What comes until the end of the stream."""
        found = []
        while (message := await self.receive()) is not None:
            found.append(message)
        return found

    async def hello(self, nick: str, *features: str) -> Welcome:
        await self.send(Hello(1, 1, "test", nick, features))
        return await self.expect(Welcome)

    async def join(self, room: str, after: int | None = None) -> Joined:
        await self.send(Join(2, room, after))
        return await self.wait_for(Joined)

    async def say(self, room: str, text: str, message_id: str) -> Said:
        await self.send(Say(3, room, text, message_id))
        return await self.wait_for(Said)

    async def texts(self, count: int) -> list[str]:
        """The texts of the next ``count`` room messages."""
        return [(await self.wait_for(RoomMessage)).text for _ in range(count)]


class House:
    """A running server without listeners."""

    def __init__(self, store: Store, nursery: trio.Nursery, inspector: Inspector | None) -> None:
        self.lines: list[str] = []
        self.server = Server(store, make_log(self.lines.append), inspector, time=lambda: TIME)
        self._nursery = nursery

    def connect(self, pair: tuple[Stream, Stream] | None = None, **options: Any) -> Peer:
        """A new connection; on a memory stream that takes everything unless ``pair`` is given."""
        ours, theirs = pair or trio.testing.memory_stream_pair()
        log = self.server.log.bind(remote="192.0.2.1 1234")
        self._nursery.start_soon(self.server.run_client, Client(self.server, theirs, log, **options))
        return Peer(ours)

    async def serve(self, stream: Stream) -> None:
        """The handler of a listener."""
        await self.server.run_client(Client(self.server, stream, self.server.log))

    async def enter(self, nick: str, room: str, after: int | None = None) -> Peer:
        """A user in a room."""
        peer = self.connect()
        await peer.hello(nick)
        await peer.join(room, after)
        return peer

    def logged(self, event: str) -> list[str]:
        return [line for line in self.lines if f"event={event}" in line]


@asynccontextmanager
async def open_house(database: str = ":memory:", inspector: Inspector | None = None) -> AsyncIterator[House]:
    store = Store(database)
    try:
        async with trio.open_nursery() as journal:
            try:
                async with trio.open_nursery() as clients:
                    house = House(store, clients, inspector)
                    journal.start_soon(house.server.journal.run)
                    try:
                        yield house
                    finally:
                        house.server.dismiss_all("shutdown")
            finally:
                house.server.journal.close()
    finally:
        store.close()
