"""A room: its members, and the newest part of its log."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from wireside_server.limits import FLUSH_SIZE, TAIL_MESSAGES, TAIL_SIZE

if TYPE_CHECKING:
    from wireside_server.domain.users import User


class Log:
    """The tail of a room's log: events encoded once, kept up to `TAIL_MESSAGES` and `TAIL_SIZE`."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        """Number of the newest message, 0 when there is none."""
        self._tail: deque[bytes] = deque()
        self._size = 0
        self._memo: tuple[int, int, bytes] = (-1, -1, b"")

    @property
    def first(self) -> int:
        """Number of the oldest message in memory; ``last + 1`` when there is none."""
        return self.last - len(self._tail) + 1

    def append(self, data: bytes) -> None:
        """Add the encoded message with number ``last + 1``."""
        self._tail.append(data)
        self._size += len(data)
        self.last += 1
        while len(self._tail) > TAIL_MESSAGES or self._size > TAIL_SIZE:
            self._size -= len(self._tail.popleft())

    def since(self, seq: int) -> tuple[bytes, int] | None:
        """The messages after ``seq`` up to `FLUSH_SIZE`, and the number of the last of them.

        ``None``: the message after ``seq`` is no longer in memory.
        """
        if seq + 1 < self.first:
            return None
        if self._memo[:2] != (seq, self.last):
            self._memo = (seq, self.last, b"".join(islice(self._tail, seq + 1 - self.first, None)))
        data = self._memo[2]
        if len(data) <= FLUSH_SIZE:
            return data, self.last
        return self._first_part(seq)

    def _first_part(self, seq: int) -> tuple[bytes, int]:
        parts: list[bytes] = []
        size = 0
        for data in islice(self._tail, seq + 1 - self.first, None):
            if parts and size + len(data) > FLUSH_SIZE:
                break
            parts.append(data)
            size += len(data)
        return b"".join(parts), seq + len(parts)


class Room:
    """A room that somebody is in."""

    def __init__(self, name: str, last: int = 0) -> None:
        self.name = name
        self.log = Log(last)
        self.members: dict[str, User] = {}
        """By `wireside_protocol.limits.nick_key`."""

    def nicks(self) -> tuple[str, ...]:
        """The members, in alphabetical order."""
        return tuple(user.nick for _, user in sorted(self.members.items()))
