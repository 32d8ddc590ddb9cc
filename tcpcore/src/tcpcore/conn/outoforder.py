"""Text that arrived beyond a gap (RFC 9293 section 3.10.7.4, seventh; SHLD-31), and how SACK reports it (RFC 2018)."""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import Final

REPORTED: Final = 4
"""SACK blocks that fit a segment's options."""
BESIDE_TIMESTAMPS: Final = 3
_SMALL: Final = 4 << 10
"""Pieces below this are joined, so that a peer's single octets cost no object each."""
_LEFT: Final = attrgetter("left")


class Block:
    """Contiguous text, ``left`` to ``right``, in pieces."""

    __slots__ = ("left", "pieces", "right")

    def __init__(self, left: int) -> None:
        self.left = left
        self.right = left
        self.pieces: list[bytes] = []

    def append(self, data: bytes) -> None:
        """``data`` follows what is here."""
        self.right += len(data)
        if self.pieces and len(self.pieces[-1]) + len(data) <= _SMALL:
            self.pieces[-1] += data
        else:
            self.pieces.append(data)


class OutOfOrder:
    """Blocks beyond RCV.NXT, sorted, with gaps between them; of a byte that comes twice the first copy is kept."""

    __slots__ = ("_blocks", "_held", "_recent", "_unreported")

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._recent: list[Block] = []
        """Those that grew last come first."""
        self._held = 0
        self._unreported = 0
        """Blocks that began to grow since the last report."""

    def __len__(self) -> int:
        return len(self._blocks)

    def insert(self, seq: int, data: bytes) -> bool:
        """Keep what is new in ``data``; False when all of it was there already."""
        blocks = self._blocks
        index = bisect_right(blocks, seq, key=_LEFT) - 1
        if index >= 0 and blocks[index].right >= seq:
            data = data[blocks[index].right - seq :]
            if not data:
                self._touch(blocks[index])
                return False
        else:
            index += 1
            blocks.insert(index, Block(seq))
        block = blocks[index]
        while data:
            data = self._extend(block, index, data)
        self._touch(block)
        return True

    def _extend(self, block: Block, index: int, data: bytes) -> bytes:
        """Append to ``block`` up to the next one, and that one too if they meet; what is left of ``data``."""
        following = self._blocks[index + 1] if index + 1 < len(self._blocks) else None
        if following is None or block.right + len(data) < following.left:
            block.append(data)
            self._held += len(data)
            return b""
        gap = following.left - block.right
        block.append(data[:gap])
        self._held += gap
        block.pieces += following.pieces
        block.right = following.right
        del self._blocks[index + 1]
        if following in self._recent:
            self._recent.remove(following)
        return data[gap + following.right - following.left :]

    def _touch(self, block: Block) -> None:
        if self._recent[:1] != [block]:
            self._unreported += 1
            if block in self._recent:
                self._recent.remove(block)
            self._recent.insert(0, block)
            del self._recent[REPORTED:]

    def take(self, rcv_nxt: int) -> list[bytes]:
        """Remove and return the pieces that continue at ``rcv_nxt``; empty while a gap is open."""
        taken: list[bytes] = []
        while self._blocks and (block := self._blocks[0]).left <= rcv_nxt:
            del self._blocks[0]
            if block in self._recent:
                self._recent.remove(block)
            self._held -= block.right - block.left
            skip = rcv_nxt - block.left
            for piece in block.pieces:
                if skip < len(piece):
                    taken.append(piece[skip:])
                skip = max(skip - len(piece), 0)
            rcv_nxt = max(rcv_nxt, block.right)
        return taken

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """All blocks as (left, right)."""
        return tuple((block.left, block.right) for block in self._blocks)

    def bytes_held(self) -> int:
        """Bytes in all blocks."""
        return self._held

    def fits_one_report(self, sack: bool) -> bool:
        """Whether the ACK of more segments can tell of these too; without SACK each needs its own (RFC 5681, 4.2)."""
        return sack and self._unreported < BESIDE_TIMESTAMPS

    def report(self) -> list[tuple[int, int]]:
        """At most four blocks for SACK, the one that grew last first (RFC 2018 section 4)."""
        self._unreported = 0
        blocks = self._recent
        if len(blocks) < min(len(self._blocks), REPORTED):  # the ACKs that told of the others may be lost
            blocks = [*blocks, *(block for block in self._blocks[: 2 * REPORTED] if block not in blocks)][:REPORTED]
        return [(block.left, block.right) for block in blocks]

    def around(self, seq: int) -> tuple[int, int] | None:
        """The block with ``seq``, as (left, right); ``None``: there is none."""
        index = bisect_right(self._blocks, seq, key=_LEFT) - 1
        if index >= 0 and seq < (block := self._blocks[index]).right:
            return block.left, block.right
        return None
