"""The bytes from SND.UNA on: sent and unacknowledged ones first, then those that were never sent.

The user's ``bytes`` are kept by reference; positions are absolute sequence numbers.

        start (SND.UNA)            SND.NXT                end
        |  chunk  | chunk |  chunk    |   |  chunk  |      |
"""

from __future__ import annotations

from bisect import bisect_right

_COMPACT = 64
Chunk = bytes | memoryview


class SendBuffer:
    """Chunks in a list with a head index: append and acknowledge are amortised O(1), a look-up O(log n)."""

    __slots__ = ("_chunks", "_edges", "_head", "end", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self._chunks: list[Chunk] = []
        self._edges: list[int] = []
        self._head = 0

    def __len__(self) -> int:
        return self.end - self.start

    def append(self, data: Chunk) -> None:
        """Queue ``data`` behind what is there."""
        self._edges.append(self.end)
        self._chunks.append(data)
        self.end += len(data)

    def acknowledge(self, ack: int) -> None:
        """Forget everything before ``ack``."""
        self.start = ack
        head, chunks, edges = self._head, self._chunks, self._edges
        last = len(chunks)
        while head < last and edges[head] + len(chunks[head]) <= ack:
            chunks[head] = b""
            head += 1
        if head == last:
            self._chunks, self._edges, head = [], [], 0
        elif head >= _COMPACT and head * 2 >= last:
            del chunks[:head], edges[:head]
            head = 0
        self._head = head

    def pieces(self, seq: int, length: int) -> list[Chunk]:
        """The ``length`` bytes from ``seq`` on, as references and views."""
        at = bisect_right(self._edges, seq, self._head) - 1
        chunk = self._chunks[at]
        offset = seq - self._edges[at]
        if offset == 0 and len(chunk) == length:
            return [chunk]
        if len(chunk) - offset >= length:
            return [memoryview(chunk)[offset : offset + length]]
        result: list[Chunk] = [memoryview(chunk)[offset:]]
        length -= len(chunk) - offset
        while length > 0:
            at += 1
            chunk = self._chunks[at]
            result.append(chunk if len(chunk) <= length else memoryview(chunk)[:length])
            length -= len(chunk)
        return result
