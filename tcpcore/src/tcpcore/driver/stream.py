"""A TCP connection as a trio stream."""

from __future__ import annotations

import operator
from time import perf_counter
from typing import Any, Final

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, checkpoint_if_cancelled

from tcpcore import Connection, ConnectionStatus, Ready, State
from tcpcore.driver.engine import SEND_AT_ONCE, Engine
from tcpcore.driver.errormap import broken, link_down, os_error
from tcpcore.driver.tasks import breathe, read
from tcpcore.errors import ConnectionAbortedError, TCPError

RECEIVE_SIZE: Final = 65536
"""What ``receive_some()`` gives at most, bytes."""

_OPENING: Final = frozenset((State.SYN_SENT, State.SYN_RECEIVED))
_READ_SIDE: Final = Ready.READABLE | Ready.CLOSED | Ready.ERROR
_WRITE_SIDE: Final = Ready.WRITABLE | Ready.CONNECTED | Ready.CLOSED | Ready.ERROR


class TCPStream(trio.abc.HalfCloseableStream):
    """One connection of a host.

    Every call is a cancellation point, and a schedule point at least once in the host's time slice.
    ``aclose`` lets the stack deliver what is queued, then FIN, in the background, cancelled or not; ``abort``
    sends RST.
    One task may send and one may receive at a time, else ``trio.BusyResourceError``.
    """

    __slots__ = (
        "_closed",
        "_engine",
        "_eof_sent",
        "_reader",
        "_receiving",
        "_sending",
        "_writer",
        "connection",
        "leads",
    )

    def __init__(self, engine: Engine, connection: Connection) -> None:
        """For the driver: streams come from a host or a listener."""
        self.connection = connection
        self._engine = engine
        self._reader: Task | None = None
        self._writer: Task | None = None
        self._receiving = False
        self._sending = False
        self._eof_sent = False
        self._closed = False
        self.leads = False
        """Whether the receiving task reads the link meanwhile."""
        connection.owner = self

    @property
    def local(self) -> tuple[str, int]:
        """Our address and port."""
        return self.connection.local

    @property
    def remote(self) -> tuple[str, int]:
        """The peer's address and port."""
        return self.connection.remote

    def status(self) -> ConnectionStatus:
        """Everything about the connection, now."""
        return self.connection.status(self._engine.clock())

    def set_option(self, name: str, value: Any) -> None:
        """Change an option of the live connection, as ``"nodelay"``; ``ValueError`` for an unknown one."""
        self.connection.set_option(name, value, self._engine.clock())
        self._engine.touched()

    def get_option(self, name: str) -> Any:
        """The value of an option."""
        return self.connection.get_option(name)

    def abort(self) -> None:
        """End the connection at once with RST; what is queued is lost."""
        if not self._closed:
            self._closed = True
            self.connection.abort(self._engine.clock())
            self._leave()

    @property
    def urgent(self) -> int:
        """Bytes up to the end of the peer's urgent data, in line; no ``receive_some`` reads across that."""
        return self.connection.urgent

    async def send_all(self, data: bytes | bytearray | memoryview, *, urgent: bool = False) -> None:
        """Give ``data`` to the stack, waiting for room. Bytes are kept by reference, all else is copied.

        ``urgent``: tell the peer's user at once that the stream is urgent up to the end of ``data``.
        """
        if self._sending or self._closed or self._eof_sent:
            self._claim_sending()
        engine = self._engine
        if perf_counter() < engine.slice_end:
            await checkpoint_if_cancelled()
        else:
            await self._breathe_sending()
        if type(data) is not bytes:
            data = bytes(data)
        try:
            taken = self.connection.send(data, engine.now, urgent)
        except TCPError as error:
            raise broken(engine.failure or error) from error
        if taken > SEND_AT_ONCE or not engine.gathering:
            engine.sent(taken)
        if taken < len(data):
            await self._send_rest(memoryview(data)[taken:], urgent)

    async def _breathe_sending(self) -> None:
        """A schedule point, during which nobody else may send."""
        self._claim_sending()
        try:
            await breathe(self._engine)
            self._check_sendable()
        finally:
            self._sending = False

    async def _send_rest(self, rest: memoryview, urgent: bool) -> None:
        self._claim_sending()
        try:
            while rest:
                await self._wait_writer()
                self._check_sendable()
                rest = rest[self._give(rest, urgent) :]
        finally:
            self._sending = False

    def _give(self, data: memoryview, urgent: bool) -> int:
        try:
            taken = self.connection.send(data, self._engine.now, urgent)
        except TCPError as error:
            raise broken(self._engine.failure or error) from error
        self._engine.sent(taken)
        return taken

    async def wait_send_all_might_not_block(self) -> None:
        """Return when there is room to send, or the connection has ended."""
        self._claim_sending()
        try:
            connection = self.connection
            if connection.writable or connection.error is not None:
                await breathe(self._engine)
            while not (connection.writable or connection.error is not None or self._closed):
                await self._wait_writer()
            self._check_sendable()
        finally:
            self._sending = False

    async def send_eof(self) -> None:
        """FIN after what is queued; receiving goes on."""
        self._claim_sending(eof=True)
        try:
            await breathe(self._engine)
            if self._closed:
                raise trio.ClosedResourceError("this stream was closed")
            if not self._eof_sent:
                try:
                    self.connection.shutdown(self._engine.clock())
                except TCPError as error:
                    raise broken(self._engine.failure or error) from error
                self._eof_sent = True
                self._engine.sent(0)
        finally:
            self._sending = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Bytes that came in, at least one and at most ``max_bytes``; ``b""`` at the end of the stream."""
        size = RECEIVE_SIZE if max_bytes is None else operator.index(max_bytes)
        if size < 1:
            raise ValueError("max_bytes must be at least 1")
        if self._receiving:
            raise trio.BusyResourceError("another task is receiving on this stream")
        connection = self.connection
        if connection.rcv_queue.length or connection.readable or self._closed:
            if perf_counter() < self._engine.slice_end:
                await checkpoint_if_cancelled()
            else:
                await self._breathe_receiving()
            if (data := self._take(size)) is not None:
                return data
        return await self._wait_and_take(size)

    async def _breathe_receiving(self) -> None:
        """A schedule point, during which nobody else may receive."""
        self._receiving = True
        try:
            await breathe(self._engine)
        finally:
            self._receiving = False

    async def _wait_and_take(self, size: int) -> bytes:
        engine = self._engine
        self._receiving = True
        try:
            while True:
                if engine.read_by_somebody:
                    self._reader = trio.lowlevel.current_task()
                    await trio.lowlevel.wait_task_rescheduled(self._reader_cancelled)
                else:
                    await read(engine, self)
                if (data := self._take(size)) is not None:
                    return data
        finally:
            self._receiving = False

    def _take(self, size: int) -> bytes | None:
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")
        connection, engine = self.connection, self._engine
        try:
            data = connection.receive(size, engine.now)
        except TCPError as error:
            raise broken(engine.failure or error) from error
        if connection.pending and not engine.gathering:
            engine.touched()
        return data

    @property
    def closed(self) -> bool:
        """Whether this end was closed by us."""
        return self._closed

    async def aclose(self) -> None:
        """Close: what is queued is still delivered. A second call does nothing."""
        if self._closed and not self._engine.slice_over:
            return
        self.close_now()
        await breathe(self._engine)

    def close_now(self) -> None:
        """``aclose`` without a checkpoint."""
        if self._closed:
            return
        self._closed = True
        try:
            self.connection.close(self._engine.clock())
        except TCPError:
            pass  # it has ended already
        self._leave()

    def _leave(self) -> None:
        """The stack goes on alone: what it has yet to say reaches nobody."""
        self._engine.sent(0)
        self.on_ready(-1)
        self.connection.owner = None

    async def wait_connected(self) -> None:
        """Return when the handshake is done; ``OSError`` when it failed. Cancelled: it is given up."""
        connection = self.connection
        try:
            while connection.state in _OPENING:
                await self._wait_writer()
        except trio.Cancelled:
            self.abort()
            raise
        error = connection.error
        if error is None and connection.state == State.CLOSED:
            error = ConnectionAbortedError("the connection was closed while it was opened")
        if error is not None:
            self._closed = True
            address, port = self.remote
            if self._engine.failure is not None:
                raise link_down(self._engine.failure) from error
            raise os_error(error, f"connecting to {address} port {port}") from error

    def _claim_sending(self, *, eof: bool = False) -> None:
        if self._sending:
            raise trio.BusyResourceError("another task is sending on this stream")
        if self._closed or (self._eof_sent and not eof):
            raise self._not_sendable()
        self._sending = True

    def _check_sendable(self) -> None:
        if self._closed or self._eof_sent:
            raise self._not_sendable()

    def _not_sendable(self) -> trio.ClosedResourceError:
        return trio.ClosedResourceError("this stream was closed" if self._closed else "send_eof was called")

    async def _wait_writer(self) -> None:
        self._writer = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._writer_cancelled)

    def _reader_cancelled(self, _: RaiseCancelT) -> Abort:
        self._reader = None
        return Abort.SUCCEEDED

    def _writer_cancelled(self, _: RaiseCancelT) -> Abort:
        self._writer = None
        return Abort.SUCCEEDED

    def on_ready(self, bits: int) -> None:
        """Wake who waits for ``bits``; all of them: -1."""
        reader, writer = self._reader, self._writer
        if bits & _READ_SIDE:
            if self.leads:
                self.leads = False
                self._engine.interrupt()
            elif reader is not None:
                self._reader = None
                self._engine.reader_woken = True
                trio.lowlevel.reschedule(reader)
        if writer is not None and bits & _WRITE_SIDE:
            self._writer = None
            trio.lowlevel.reschedule(writer)
