"""Output of one client: gathered while its writer is busy or waiting for its turn, sent in one piece.

Room messages are not queued at all. The client has a cursor into each room's log, and the writer takes
from there what the client has not got: from memory, or, when it lags far behind, from disk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from trio.abc import SendStream

from wireside_protocol import encode
from wireside_protocol.messages import Goodbye, RoomMessage
from wireside_server.domain.rooms import Room
from wireside_server.limits import GRACE, MAX_REPLIES, MAX_UNANSWERED, SLOW_TIMEOUT
from wireside_server.reasons import SLOW, reason_of

ReadLog = Callable[[str, int], Awaitable[tuple[RoomMessage, ...]]]
"""The next messages of a room after a number, from disk."""


class Output:
    """What is to be sent to one client; `run` is its writer, everything else is synchronous.

    ``reading`` is the scope of the client's reader, cancelled by `dismiss` and when the stream breaks;
    ``reason`` then says why.
    """

    def __init__(self, stream: SendStream, read_log: ReadLog) -> None:
        self.reading = trio.CancelScope()
        self.reason: str | None = None
        self.unanswered = 0
        """Requests of the client whose reply waits for the disk."""
        self._stream = stream
        self._read_log = read_log
        self._replies: list[bytes] = []
        self._size = 0
        self._cursors: dict[Room, int] = {}
        self._grown: set[Room] = set()
        self._writing = trio.CancelScope()
        self._parked: trio.Event | None = None
        self._drained = trio.Event()
        self._finishing = False
        self._muted = False

    def post(self, data: bytes) -> None:
        """Send ``data``: the reader is held up when too much of this piles up."""
        if not self._muted:
            self._replies.append(data)
            self._size += len(data)
            self._wake()

    def offer(self, data: bytes) -> None:
        """Send ``data`` unless the client lags."""
        if self._size < MAX_REPLIES:
            self.post(data)

    def follow(self, room: Room, seq: int) -> None:
        """Send the messages of ``room`` after ``seq``."""
        if not self._muted:
            self._cursors[room] = seq
            self.notify(room)

    def unfollow(self, room: Room) -> None:
        """Send no more of ``room``."""
        self._cursors.pop(room, None)
        self._grown.discard(room)

    def notify(self, room: Room) -> None:
        """The log of ``room`` has grown."""
        if room in self._cursors:
            self._grown.add(room)
            self._wake()

    def dismiss(self, reason: str) -> None:
        """Say goodbye and stop the reader, whose end is the end of the client."""
        if self.reason is None:
            self.reason = reason
            self.post(encode(Goodbye(reason)))
            self._mute()

    def finish(self) -> None:
        """Let `run` return when the replies are sent, or after `GRACE` seconds."""
        self._finishing = True
        self._writing.deadline = min(self._writing.deadline, trio.current_time() + GRACE)
        self._wake()

    def answered(self) -> None:
        """One request less waits for the disk."""
        self.unanswered -= 1
        self._drained.set()

    async def ready(self) -> None:
        """Wait until the client may be read from: until what it asked for has mostly been sent."""
        while self._size > MAX_REPLIES or self.unanswered >= MAX_UNANSWERED:
            await self._wait_drained()

    async def all_answered(self) -> None:
        """Wait until no request waits for the disk."""
        while self.unanswered:
            await self._wait_drained()

    async def run(self) -> None:
        """Send until `finish`, or until the stream breaks; never raises for the stream."""
        with self._writing:
            try:
                await self._send_all()
            except trio.TooSlowError:
                self._fail(SLOW)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._fail(reason_of(error))

    async def _send_all(self) -> None:
        while True:
            data = self._gather() or await self._catch_up()
            if data:
                with trio.fail_after(SLOW_TIMEOUT):
                    await self._stream.send_all(data)
            elif self._finishing:
                return
            elif not self._grown:
                self._parked = trio.Event()
                await self._parked.wait()

    def _gather(self) -> bytes:
        """The replies, and the new messages of the rooms as far as they are in memory."""
        parts, self._replies, self._size = self._replies, [], 0
        self._drained.set()
        for room in tuple(self._grown):
            found = room.log.since(self._cursors[room])
            if found is not None:
                data, self._cursors[room] = found
                parts.append(data)
                if self._cursors[room] == room.log.last:
                    self._grown.discard(room)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _catch_up(self) -> bytes:
        """The next messages of a room that is far ahead, from disk."""
        if not self._grown:
            return b""
        room = next(iter(self._grown))
        cursor = self._cursors[room]
        messages = await self._read_log(room.name, cursor)
        if self._cursors.get(room) != cursor:
            return b""
        self._cursors[room] = messages[-1].seq if messages else room.log.first - 1
        return b"".join(map(encode, messages))

    def _fail(self, reason: str) -> None:
        if self.reason is None:
            self.reason = reason
        self._replies, self._size = [], 0
        self._mute()

    def _mute(self) -> None:
        """Take nothing more, and stop the reader."""
        self._muted = True
        self._cursors.clear()
        self._grown.clear()
        self._drained.set()
        self.reading.cancel()

    def _wake(self) -> None:
        if self._parked is not None:
            self._parked.set()
            self._parked = None

    async def _wait_drained(self) -> None:
        self._drained = trio.Event()
        await self._drained.wait()
