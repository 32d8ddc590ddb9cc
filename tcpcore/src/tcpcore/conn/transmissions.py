"""When what is in flight was sent: a round-trip time from every ACK (RFC 7323 section 4) that Karn allows (RFC 6298).

One entry for all that left at one moment, oldest first; nothing is kept while nothing is in flight.
"""

from __future__ import annotations

from collections import deque
from typing import Final

LIMIT: Final = 4096
"""Entries kept; what is sent beyond counts as sent with the newest of them: its round trips only look longer."""


class Transmissions(deque[tuple[int, float]]):
    """(end, time): the octets before ``end`` that no earlier entry covers were first sent at ``time``, seconds."""

    __slots__ = ("resent_to",)

    def __init__(self, end: int, now: float) -> None:
        super().__init__(((end, now),))
        self.resent_to = 0
        """End of what was sent more than once: an ACK of octets before it may be for any copy."""

    def sent(self, end: int, now: float) -> None:
        """New octets up to ``end`` leave."""
        time = self[-1][1]
        if time == now or len(self) >= LIMIT:
            self[-1] = (end, time)
        else:
            self.append((end, now))

    def acknowledged(self, ack: int) -> tuple[float, float]:
        """When the oldest and the newest of the octets were sent that ``ack`` is the first to acknowledge."""
        end, oldest = self[0]
        newest = oldest
        while end < ack:
            self.popleft()
            if not self:
                return oldest, newest  # the octet of a window probe is in no entry
            end, newest = self[0]
        if end == ack:
            self.popleft()
        return oldest, newest
