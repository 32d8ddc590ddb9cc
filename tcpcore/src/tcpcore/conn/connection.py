"""A connection as its user sees it: the control block with the calls of RFC 9293 section 3.10 as methods."""

from __future__ import annotations

from typing import Any

from tcpcore.conn import arrives, calls, timeouts, urgent
from tcpcore.conn.output import output
from tcpcore.conn.state import CLOSED, OPENING, SENDING
from tcpcore.conn.tcb import Tcb
from tcpcore.status import ConnectionStatus
from tcpcore.wire.tcp import Segment


class Connection(Tcb):
    """One TCP connection. Times (``now``) are float seconds of one monotonic clock.

    ``soft_error`` is ``None`` or what hinders the connection until the peer acknowledges something new: ICMP, or R1
    retransmissions without an answer (RFC 9293 section 3.9.1.8); ``Ready.ADVICE`` tells when that begins.
    ``state``, ``error`` (``None`` or what ended the connection, one of ``tcpcore.errors``), ``local`` and
    ``remote`` ((address, port)) are plain attributes; ``owner`` is free for the user.
    """

    __slots__ = ()

    @property
    def readable(self) -> bool:
        """Whether ``receive`` would not block."""
        return self.rcv_queue.length > 0 or self.state is CLOSED or self._at_end

    @property
    def writable(self) -> bool:
        """Whether ``send`` would take something, or raise."""
        if self.state in SENDING or self.state in OPENING:
            return len(self.send_buffer) < self.config.send_buffer
        return True

    @property
    def urgent(self) -> int:
        """Bytes from the next one ``receive`` gives to the end of the peer's urgent data, arrived or not; 0: none."""
        return urgent.remaining(self)

    def send(self, data: bytes | memoryview, now: float, urgent: bool = False) -> int:
        """Take bytes into the send buffer and return how many; 0 = would block, wait for ``Ready.WRITABLE``.

        ``data`` is kept by reference. ``urgent``: the peer's user is told at once, even when its window is closed,
        that the stream is urgent up to the end of what was taken (RFC 9293 section 3.8.5; RFC 6093 advises new
        applications against it). Raises ``ConnectionClosingError`` after ``shutdown``, and what ended the
        connection after its end.
        """
        return calls.send(self, data, now, urgent)

    def receive(self, max_bytes: int, now: float) -> bytes | None:
        """Up to ``max_bytes`` bytes; ``None`` = would block, ``b""`` = end of the stream.

        Urgent data comes in line; no call returns bytes from both sides of its end, so that the one after which
        ``urgent`` is 0 has reached it. A RST takes what was not read yet away (RFC 9293 section 3.10.7.4).
        Raises what ended the connection, once everything received before has been read.
        """
        return calls.receive(self, max_bytes, now)

    def peek(self, max_bytes: int) -> bytes:
        """Up to ``max_bytes`` bytes that ``receive`` would return, left where they are."""
        return self.rcv_queue.peek(urgent.up_to_mark(self, max_bytes))

    def shutdown(self, now: float) -> None:
        """Half close: a FIN after what is queued. Raises ``ConnectionNotExistError`` when closed already."""
        calls.shutdown(self)

    def shutdown_read(self, now: float) -> None:
        """BSD's meaning: what is unread and what comes is dropped, ``receive`` returns ``b""``."""
        calls.close_read(self)

    def close(self, now: float) -> None:
        """Give the connection up: what was sent is delivered in the background; unread data makes it a reset.

        The setting ``linger`` says for how many seconds it may take; what is not delivered then is dropped, with RST.
        """
        calls.close(self, now)

    def abort(self, now: float) -> None:
        """Reset the connection now."""
        calls.abort(self)

    def status(self, now: float) -> ConnectionStatus:
        """Every variable, option, timer, queue and counter."""
        return calls.status(self, now)

    def set_option(self, name: str, value: Any, now: float) -> None:
        """Change a setting of this connection only. Raises ``ValueError``; names are in ``calls.OPTIONS``."""
        calls.set_option(self, name, value, now)

    def get_option(self, name: str) -> Any:
        """The setting's value. Raises ``ValueError`` on an unknown name."""
        if name not in calls.OPTIONS:
            raise ValueError(f"no option {name!r}; there are {', '.join(sorted(calls.OPTIONS))}")
        return getattr(self.config, name)

    def take_ready(self) -> int:
        """The ``Ready`` bits set since the last call."""
        bits, self.ready = self.ready, 0
        return bits

    def segment_arrives(self, segment: Segment, now: float) -> None:
        """For the stack: a segment for this connection, numbers as on the wire."""
        arrives.unwrap_segment(self, segment)
        arrives.segment_arrives(self, segment, now)
        if self.out_of_order is not None and self.ack_now and not self.out_of_order.fits_one_report(self.sack_ok):
            self.output(now)
        self.touch_if_due()

    def expire(self, now: float) -> None:
        """For the stack: fire the timers that are due."""
        timeouts.expire(self, now)
        self.touch()

    def output(self, now: float) -> None:
        """For the stack: queue what must go out now."""
        output(self, now)

    @property
    def _at_end(self) -> bool:
        return self.read_closed or (self.rcv_fin is not None and self.rcv_nxt > self.rcv_fin)
