"""A listener and its two queues: half-open connections, and complete ones that wait for the user."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any

from tcpcore.config import Config
from tcpcore.conn.connection import Connection
from tcpcore.conn.tcb import Backlog, Ready, Tcb
from tcpcore.stack.cookies import LIFETIME
from tcpcore.status import ListenerStatus

if TYPE_CHECKING:
    from tcpcore.stack.stack import Stack


class Listener(Backlog):
    """A port in LISTEN. ``owner`` is free for the user; ``config`` is that of its connections.

    Half-open queue full: SYNs are answered with cookies (``Config.syn_cookies``), or the oldest half-open
    connection makes room. Accept queue full: new SYNs are dropped, and the last ACKs of handshakes dropped, so that
    their peers try again, or answered with RST (``Config.accept_overflow``). All of it is counted.
    """

    __slots__ = (
        "_cookies_until", "_counts", "_stack", "accept_queue", "address", "backlog", "config", "half_open", "owner",
        "port", "ready",
    )  # fmt: skip

    def __init__(self, stack: Stack, address: str | None, port: int, backlog: int, config: Config) -> None:
        self._stack = stack
        self.config = config
        self.address = address
        self.port = port
        self.backlog = max(1, min(backlog, config.somaxconn))
        self.owner: Any = None
        self.half_open: dict[Tcb, None] = {}
        self.accept_queue: deque[Tcb] = deque()
        self.ready = 0
        self._cookies_until = -inf
        self._counts = dict.fromkeys(
            (
                "half_open_overflows",
                "accept_overflows",
                "syn_ack_retransmissions",
                "half_open_timeouts",
                "cookies_sent",
                "cookies_accepted",
                "cookies_failed",
                "accepted",
            ),
            0,
        )

    def accept(self) -> Connection | None:
        """The oldest complete connection, or ``None``; its user calls work even if it has ended since."""
        if not self.accept_queue:
            return None
        connection = self.accept_queue.popleft()
        self._counts["accepted"] += 1
        assert isinstance(connection, Connection)
        return connection

    def take_ready(self) -> int:
        """The ``Ready`` bits set since the last call: READABLE when a connection can be accepted."""
        bits, self.ready = self.ready, 0
        return bits

    def close(self, now: float) -> None:
        """Stop listening: connections nobody accepted are reset (RFC 9293 section 3.10.4, LISTEN)."""
        self._stack.forget_listener(self)
        for tcb in [*self.half_open, *self.accept_queue]:
            tcb.backlog = None
            assert isinstance(tcb, Connection)
            tcb.abort(now)
        self.half_open.clear()
        self.accept_queue.clear()

    def status(self) -> ListenerStatus:
        """Both queues, their limits, and what overflowed."""
        return ListenerStatus(
            address=self.address,
            port=self.port,
            half_open=len(self.half_open),
            half_open_limit=self.config.syn_backlog,
            accept_queue=len(self.accept_queue),
            accept_queue_limit=self.backlog,
            **self._counts,
        )

    def admit(self, tcb: Tcb) -> None:
        """A SYN opened ``tcb``: into the half-open queue, where the oldest makes room."""
        if self._is_full():
            self._counts["half_open_overflows"] += 1
            self._stack.env.counters.listen_drops += 1
            oldest = next(iter(self.half_open))
            oldest.finish()
        self.half_open[tcb] = None
        tcb.backlog = self

    def wants_cookie(self) -> bool:
        """Whether the next SYN is to be answered without keeping state."""
        mode = self.config.syn_cookies
        return mode == "always" or (mode == "when-full" and self._is_full())

    def cookie_sent(self, now: float) -> None:
        """Count one, and expect it back for as long as it is valid."""
        self._counts["cookies_sent"] += 1
        self._cookies_until = now + LIFETIME

    def expects_cookie(self, now: float) -> bool:
        """Whether an ACK for no connection can carry a valid cookie."""
        return now < self._cookies_until

    def cookie_checked(self, valid: bool) -> None:
        """Count one that came back."""
        self._counts["cookies_accepted" if valid else "cookies_failed"] += 1

    def has_room(self) -> bool:
        """Whether the accept queue takes one more; counted when it does not."""
        if len(self.accept_queue) < self.backlog:
            return True
        self._counts["accept_overflows"] += 1
        self._stack.env.counters.listen_overflows += 1
        return False

    def established(self, tcb: Tcb) -> None:
        """A handshake is complete."""
        self.half_open.pop(tcb, None)
        self.accept_queue.append(tcb)
        self._stack.env.counters.passive_opens += 1
        if not self.ready:
            self._stack.ready_listeners.append(self)
        self.ready |= Ready.READABLE

    def syn_ack_retransmitted(self) -> None:
        """Count one."""
        self._counts["syn_ack_retransmissions"] += 1

    def gone(self, tcb: Tcb) -> None:
        """A half-open connection ended: by RST, by silence, or to make room."""
        self.half_open.pop(tcb, None)
        if tcb.error is not None:
            self._counts["half_open_timeouts"] += 1

    def _is_full(self) -> bool:
        return len(self.half_open) >= self.config.syn_backlog
