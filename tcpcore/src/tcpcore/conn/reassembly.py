"""Received text: what the user can read, and what arrived beyond a gap (RFC 9293 section 3.10.7.4, seventh)."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

_JOIN_BELOW = 16 << 10
_JOIN_UP_TO = 64 << 10
_TINY = 256
"""Chunks below so many bytes are joined as they come: a ``bytes`` object for each octet takes 50 times its room."""


class ReceiveQueue:
    """Bytes in order that wait for the user. The queue itself is made on demand: an idle connection has none."""

    __slots__ = ("_chunks", "length")

    def __init__(self) -> None:
        self._chunks: deque[bytes] | None = None
        self.length = 0

    def append(self, data: bytes) -> None:
        """Queue ``data`` for the user."""
        chunks = self._chunks
        if chunks is None:
            self._chunks = deque((data,))
        elif len(data) < _TINY and len(chunks[-1]) < _TINY:
            chunks[-1] += data
        else:
            chunks.append(data)
        self.length += len(data)

    def take(self, max_bytes: int) -> bytes:
        """At least one and at most ``max_bytes`` bytes; small chunks are joined, large ones are not copied."""
        chunks = self._chunks
        if not chunks:
            return b""
        first = chunks.popleft()
        if len(first) > max_bytes:
            chunks.appendleft(first[max_bytes:])
            first = first[:max_bytes]
        elif chunks and len(first) < _JOIN_BELOW:
            first = self._join(first, chunks, min(max_bytes, _JOIN_UP_TO))
        self.length -= len(first)
        if not chunks:
            self._chunks = None
        return first

    def _join(self, first: bytes, chunks: deque[bytes], limit: int) -> bytes:
        parts, size = [first], len(first)
        while chunks and len(chunks[0]) < _JOIN_BELOW and size + len(chunks[0]) <= limit:
            parts.append(chunks.popleft())
            size += len(parts[-1])
        return b"".join(parts) if len(parts) > 1 else first

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


class OutOfOrder:
    """Ranges beyond RCV.NXT, sorted and without overlap; the first copy of a byte is kept (RFC 5722's lesson)."""

    __slots__ = ("_data", "_lefts")

    def __init__(self) -> None:
        self._lefts: list[int] = []
        self._data: list[bytes] = []

    def __len__(self) -> int:
        return len(self._lefts)

    def insert(self, seq: int, data: bytes) -> bool:
        """Keep what is new in ``data``; False when all of it was there already."""
        index = bisect_left(self._lefts, seq)
        if index and (right := self._lefts[index - 1] + len(self._data[index - 1])) > seq:
            data = data[right - seq :]
            seq = right
        added = False
        while data:
            gap = self._lefts[index] - seq if index < len(self._lefts) else len(data)
            if gap > 0:
                self._lefts.insert(index, seq)
                self._data.insert(index, data[:gap])
                added = True
                index += 1
            if index >= len(self._lefts):
                break
            skip = gap + len(self._data[index]) if gap < len(data) else len(data)
            seq += skip
            data = data[skip:]
            index += 1
        return added

    def pop_from(self, rcv_nxt: int) -> bytes | None:
        """Remove and return the bytes that continue at ``rcv_nxt``; ``None`` when a gap is still open."""
        while self._lefts and self._lefts[0] <= rcv_nxt:
            left = self._lefts.pop(0)
            data = self._data.pop(0)
            if left + len(data) > rcv_nxt:
                return data[rcv_nxt - left :]
        return None

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Contiguous ranges as (left, right)."""
        merged: list[tuple[int, int]] = []
        for left, data in zip(self._lefts, self._data, strict=True):
            if merged and merged[-1][1] == left:
                merged[-1] = (merged[-1][0], left + len(data))
            else:
                merged.append((left, left + len(data)))
        return tuple(merged)

    def bytes_held(self) -> int:
        """Bytes in all ranges."""
        return sum(map(len, self._data))
