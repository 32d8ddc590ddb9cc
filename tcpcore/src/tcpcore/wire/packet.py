"""A packet on its way out: headers, payload by reference, and what offload it needs.

    +--------------------+----------------------------------------------+
    | header             | payload, zero or more pieces, never copied   |
    | IP | TCP           |                                              |
    +--------------------+----------------------------------------------+
         ^ checksum_start: transport checksum covers from here to the end

The transport checksum field of ``header`` holds the folded pseudo-header sum (not complemented), as checksum
offload wants it; ``bytes(packet)`` completes it in software. ``segment_size`` above 0 asks that the payload
be cut into pieces of that size with headers of their own (TCP segmentation offload); ``cut`` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final

from tcpcore.wire.checksum import ALL_ONES, Buffer, checksum

__all__ = ["Buffer", "Packet"]

_U16: Final = Struct(">H")
_U32: Final = Struct(">I")
_FIN_PSH: Final = 0x09
_CWR: Final = 0x80


class Packet:
    """One IP packet to send. ``checksum_offset`` counts from ``checksum_start``; -1: checksum complete."""

    __slots__ = ("checksum_offset", "checksum_start", "header", "payload", "payload_length", "segment_size")

    def __init__(
        self,
        header: bytes | bytearray,
        payload: Sequence[Buffer] = (),
        payload_length: int = 0,
        checksum_start: int = 0,
        checksum_offset: int = -1,
        segment_size: int = 0,
    ) -> None:
        self.header = header
        self.payload = payload
        self.payload_length = payload_length
        self.checksum_start = checksum_start
        self.checksum_offset = checksum_offset
        self.segment_size = segment_size

    def __len__(self) -> int:
        """Bytes in all, headers included."""
        return len(self.header) + self.payload_length

    def __bytes__(self) -> bytes:
        """The whole packet with its checksum complete."""
        if self.checksum_offset < 0:
            return b"".join((self.header, *self.payload))
        whole = bytearray().join((self.header, *self.payload))
        at = self.checksum_start + self.checksum_offset
        _U16.pack_into(whole, at, checksum(memoryview(whole)[self.checksum_start :]))
        return bytes(whole)

    def cut(self) -> Iterator[Packet]:
        """TCP segmentation in software: packets of at most ``segment_size`` payload bytes, in order.

        A packet that needs no cutting yields itself. One that does is TCP with an incomplete checksum: its
        pieces share its payload and leave their checksums as incomplete as it did.
        """
        if not 0 < self.segment_size < self.payload_length:
            yield self
            return
        whole = memoryview(self.payload[0] if len(self.payload) == 1 else b"".join(self.payload))
        for number, start in enumerate(range(0, self.payload_length, self.segment_size)):
            yield self._piece(whole[start : start + self.segment_size], number, start)

    def _piece(self, payload: memoryview, number: int, start: int) -> Packet:
        header = bytearray(self.header)
        tcp = self.checksum_start
        _adapt_ip_header(header, len(header) + len(payload), number)
        (seq,) = _U32.unpack_from(header, tcp + 4)
        _U32.pack_into(header, tcp + 4, (seq + start) & 0xFFFFFFFF)
        if start > 0:
            header[tcp + 13] &= ~_CWR
        if start + len(payload) < self.payload_length:
            header[tcp + 13] &= ~_FIN_PSH
        at = tcp + self.checksum_offset
        (pseudo,) = _U16.unpack_from(header, at)
        shorter = self.payload_length - len(payload)
        _U16.pack_into(header, at, (pseudo - shorter) % ALL_ONES or ALL_ONES)
        return Packet(header, (payload,), len(payload), tcp, self.checksum_offset)


def _adapt_ip_header(header: bytearray, total_length: int, number: int) -> None:
    """Give the ``number``-th piece its own length, and in IPv4 its own identification and header checksum."""
    if header[0] >> 4 == 6:
        _U16.pack_into(header, 4, total_length - 40)
        return
    (identification,) = _U16.unpack_from(header, 4)
    _U16.pack_into(header, 2, total_length)
    _U16.pack_into(header, 4, (identification + number) & 0xFFFF)
    header[10:12] = b"\0\0"
    _U16.pack_into(header, 10, checksum(header[: (header[0] & 15) * 4]))
