"""The model's users, who remember what they wrote and read."""

from __future__ import annotations

import random

from tcpcore import Connection

TEXT = random.Random(1).randbytes(1 << 21)
"""Every user sends a part of this that begins where no other's does."""


class User:
    """One end of a connection: what it wrote and read, what it waits for, and whether the streams have to be whole."""

    count = 0

    def __init__(self, connection: Connection, side: str) -> None:
        self.connection = connection
        self.side = side
        User.count += 1
        self.first = User.count * 4099 % (1 << 20)
        self.written = 0
        self.read = bytearray()
        self.compared = 0
        self.at_end = False
        self.excused = False
        self.waits_to_read = self.waits_to_write = False

    @property
    def sent(self) -> bytes:
        return TEXT[self.first : self.first + self.written]

    def send(self, size: int, now: float, urgent: bool = False) -> None:
        begin = self.first + self.written
        taken = self.connection.send(TEXT[begin : begin + size], now, urgent=urgent)
        self.written += taken
        self.waits_to_write |= taken < size

    def receive(self, size: int, now: float) -> bool:
        """Whether there was something."""
        most = min(size, self.connection.urgent or size)
        data = self.connection.receive(size, now)
        self.at_end |= data == b""
        self.waits_to_read = data is None
        assert data is None or len(data) <= most
        self.read += data or b""
        return bool(data)

    def same_ends(self, other: User) -> bool:
        """Whether both have the same end of a connection with these addresses and ports."""
        ends = (self.side, self.connection.local, self.connection.remote)
        return ends == (other.side, other.connection.local, other.connection.remote)

    def progress(self) -> tuple[object, ...]:
        """What no attacker may change."""
        tcb = self.connection
        return tcb.state, tcb.rcv_nxt, tcb.snd_una, tcb.snd_nxt, tcb.rcv_queue.length
