"""Received text that the user can read (RFC 9293 section 3.10.7.4, seventh)."""

from __future__ import annotations

from typing import Final

_JOIN_BELOW: Final = 16 << 10
_JOIN_UP_TO: Final = 64 << 10
_TINY: Final = 256
"""Chunks below so many bytes are joined as they come: a ``bytes`` object for each octet takes 50 times its room."""


class ReceiveQueue:
    """Bytes in order that wait for the user. The queue itself is made on demand: an idle connection has none."""

    __slots__ = ("_chunks", "length")

    def __init__(self) -> None:
        self._chunks: list[bytes] | None = None
        self.length = 0

    def append(self, data: bytes) -> None:
        """Queue ``data`` for the user."""
        chunks = self._chunks
        if chunks is None:
            self._chunks = [data]
        elif len(data) < _TINY and len(chunks[-1]) < _TINY:
            chunks[-1] += data
        else:
            chunks.append(data)
        self.length += len(data)

    def take(self, max_bytes: int) -> bytes:
        """At least one and at most ``max_bytes`` bytes; small chunks are joined, large ones are not copied."""
        chunks = self._chunks
        if chunks is None:
            return b""
        first = chunks[0]
        if len(first) > max_bytes:
            chunks[0] = first[max_bytes:]
            first = first[:max_bytes]
        elif len(chunks) == 1:
            self._chunks = None
        elif len(first) >= _JOIN_BELOW:
            del chunks[0]
        else:
            first = self._join(chunks, min(max_bytes, _JOIN_UP_TO))
        self.length -= len(first)
        return first

    def _join(self, chunks: list[bytes], limit: int) -> bytes:
        """The first chunk, with the small ones behind it."""
        size, count = len(chunks[0]), 1
        while count < len(chunks) and len(chunks[count]) < _JOIN_BELOW and size + len(chunks[count]) <= limit:
            size += len(chunks[count])
            count += 1
        joined = b"".join(chunks[:count]) if count > 1 else chunks[0]
        if count < len(chunks):
            del chunks[:count]
        else:
            self._chunks = None
        return joined

    def peek(self, max_bytes: int) -> bytes:
        """Up to ``max_bytes`` bytes, which stay in the queue."""
        parts: list[bytes] = []
        for chunk in self._chunks or ():
            parts.append(chunk[:max_bytes])
            max_bytes -= len(parts[-1])
            if max_bytes == 0:
                break
        return b"".join(parts)

    def clear(self) -> None:
        """Drop everything."""
        self._chunks = None
        self.length = 0
