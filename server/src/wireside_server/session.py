"""One client, from its connection to its end; `Client.serve` reads top to bottom."""

from __future__ import annotations

import trio
from structlog.typing import FilteringBoundLogger
from trio.abc import Stream

from wireside_protocol import Decoder, Message, ProtocolError, encode
from wireside_protocol.limits import MAX_CLIENT_MESSAGE, MAX_FEATURES
from wireside_protocol.messages import REQUESTS, Error, RoomMessage
from wireside_server.commands import answer
from wireside_server.domain.users import User
from wireside_server.inspection import Inspector
from wireside_server.limits import CATCH_UP, GRACE, HELLO_TIMEOUT, READ_SIZE
from wireside_server.output import Output
from wireside_server.reasons import BROKEN, CLEAN, NO_HELLO, reason_of
from wireside_server.server import Server


class Client:
    """A client; ``connection`` and ``inspector`` are set when it is on our own TCP."""

    def __init__(
        self,
        server: Server,
        stream: Stream,
        log: FilteringBoundLogger,
        connection: str | None = None,
        inspector: Inspector | None = None,
    ) -> None:
        self.server = server
        self.log = log
        self.connection = connection
        self.inspector = inspector
        self.user: User | None = None
        self.output = Output(stream, self._read_log)
        self._stream = stream
        self._decoder = Decoder(max_message=MAX_CLIENT_MESSAGE, max_list=2 * MAX_FEATURES, accept=REQUESTS)

    async def serve(self) -> None:
        """Serve the client to its end. Only `Output.dismiss` ends this early, cancellation does not."""
        self.log.info("connected")
        with trio.CancelScope(shield=True):
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.output.run)
                    try:
                        reason = await self._read()
                    finally:
                        if self.user is not None:
                            self.server.hub.exit(self.user)
                        self.output.finish()
            finally:
                with trio.move_on_after(GRACE):
                    await self._stream.aclose()
        self.log.info("gone", nick=self.user and self.user.nick, reason=reason)

    def reply(self, message: Message) -> None:
        """Send one message."""
        self.output.post(encode(message))

    async def _read(self) -> str:
        """Answer requests until there are no more, or until `Output.dismiss`; why it ended."""
        with self.output.reading:
            try:
                reason = await self._converse()
                await self.output.all_answered()
                return self.output.reason or reason
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                return reason_of(error)
            except ProtocolError as error:
                self.reply(Error(error.id, error.code, error.text))
                self.output.dismiss(error.code)
                return f"protocol error: {error}"
        return self.output.reason or BROKEN

    async def _converse(self) -> str:
        with trio.move_on_after(HELLO_TIMEOUT):
            while self.user is None:
                request = await self._next_request()
                if request is None:
                    return CLEAN
                await self._answer(request)
        if self.user is None:
            self.output.dismiss(NO_HELLO)
            return NO_HELLO
        while (request := await self._next_request()) is not None:
            await self._answer(request)
        return CLEAN

    async def _next_request(self) -> Message | None:
        """The next request, ``None`` at the end; raises a fatal `ProtocolError`, answers any other."""
        while True:
            await self.output.ready()
            try:
                request = self._decoder.next_message()
            except ProtocolError as error:
                if error.fatal:
                    raise
                self.reply(Error(error.id, error.code, error.text))
                continue
            if request is not None:
                return request
            data = await self._stream.receive_some(READ_SIZE)
            if not data:
                return None
            self._decoder.receive_data(data)

    async def _answer(self, request: Message) -> None:
        try:
            await answer(self, request)
        except ProtocolError as error:
            self.reply(Error(getattr(request, "id", None), error.code, error.text))

    async def _read_log(self, room: str, after: int) -> tuple[RoomMessage, ...]:
        page = await self.server.journal.page(room, after, None, CATCH_UP)
        return page.messages
