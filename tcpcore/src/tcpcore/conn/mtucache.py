"""What is known of the way to each destination (RFC 1191 section 6.3, RFC 8201 section 5.2).

A new connection begins with it. One that is open takes a smaller value over when its retransmission timer fires: so a
message about one connection costs no walk through the others.
"""

from __future__ import annotations


class PathMtus:
    """MTU of the paths that take less than the link, for ``lifetime`` seconds after it was learned.

    At most ``limit`` are kept; ``evicted`` counts those that had to go before their time.
    """

    __slots__ = ("_entries", "_lifetime", "_limit", "evicted")

    def __init__(self, limit: int, lifetime: float) -> None:
        self._limit = limit
        self._lifetime = lifetime
        self._entries: dict[bytes, tuple[int, float]] = {}
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, destination: bytes, now: float) -> int | None:
        """The MTU of the path to ``destination`` (packed), bytes; ``None``: nothing is known, or no longer."""
        entry = self._entries.get(destination)
        if entry is None:
            return None
        mtu, learned_at = entry
        if now - learned_at >= self._lifetime:
            del self._entries[destination]
            return None
        return mtu

    def put(self, destination: bytes, mtu: int, now: float) -> None:
        """Remember ``mtu``; its time begins anew."""
        self._entries.pop(destination, None)
        if len(self._entries) >= self._limit:
            del self._entries[next(iter(self._entries))]
            self.evicted += 1
        self._entries[destination] = mtu, now

    def forget(self, destination: bytes) -> None:
        """The path takes whatever the link takes."""
        self._entries.pop(destination, None)
