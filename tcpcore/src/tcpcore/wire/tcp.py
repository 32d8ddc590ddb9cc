"""TCP segments (RFC 9293 section 3.1).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-------------------------------+-------------------------------+
|          Source port          |       Destination port        |
+-------------------------------+-------------------------------+
|                        Sequence number                        |
+---------------------------------------------------------------+
|                    Acknowledgement number                     |
+-------+-------+-+-+-+-+-+-+-+-+-------------------------------+
|  Data |       |C|E|U|A|P|R|S|F|                               |
| offset| Rsrvd |W|C|R|C|S|S|Y|I|            Window             |
|       |       |R|E|G|K|H|T|N|N|                               |
+-------+-------+-+-+-+-+-+-+-+-+-------------------------------+
|            Checksum           |         Urgent pointer        |
+-------------------------------+-------------------------------+
|               Options, data offset - 5 words of 4 bytes       |
+---------------------------------------------------------------+
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from tcpcore.wire import options as tcp_options
from tcpcore.wire.bad import BadPacket
from tcpcore.wire.checksum import ALL_ONES, Buffer, add, fold_sum, pseudo_header_sum
from tcpcore.wire.ippacket import TCP, IPPacket
from tcpcore.wire.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Segment, flag_names

__all__ = [
    "ACK",
    "CHECKSUM_OFFSET",
    "CWR",
    "ECE",
    "FIN",
    "HEADER_LENGTH",
    "PSH",
    "RST",
    "SYN",
    "URG",
    "Segment",
    "build_header",
    "flag_names",
    "parse_untrusted",
]

HEADER_LENGTH: Final = 20
"""Bytes of a header without options."""
CHECKSUM_OFFSET: Final = 16
"""Where the checksum is in the header, bytes."""

_HEADER: Final = Struct(">HHIIBBHHH")
_TIMESTAMP_ONLY: Final = Struct(">III")


def parse_untrusted(ip: IPPacket, checked: bool) -> Segment:
    """The segment in ``ip``, numbers as on the wire, payload referring to the packet's buffer.

    ``checked``: the link vouches for the checksum, which then may be incomplete. Raises only ``BadPacket``.
    """
    view = ip.payload
    if len(view) < HEADER_LENGTH:
        raise BadPacket("tcp-truncated")
    source_port, destination_port, seq, ack, data_offset, flags, wnd, _, up = _HEADER.unpack_from(view)
    header_length = (data_offset >> 4) * 4
    if not HEADER_LENGTH <= header_length <= len(view):
        raise BadPacket("tcp-data-offset")
    if not checked:
        pseudo = pseudo_header_sum(ip.source, ip.destination, TCP, len(view))
        if add(pseudo, fold_sum(view)) != ALL_ONES:
            raise BadPacket("tcp-checksum")
    segment = Segment(source_port, destination_port, seq, ack, flags, wnd, up, view[header_length:])
    if header_length == 32:
        # The usual options of all but SYN, at once: NOP, NOP, timestamps.
        layout, timestamp, echo = _TIMESTAMP_ONLY.unpack_from(view, HEADER_LENGTH)
        if layout == tcp_options.TIMESTAMP_LAYOUT:
            segment.timestamp = timestamp
            segment.timestamp_echo = echo
            return segment
    if header_length == 40 and tcp_options.takes_usual_syn(view, segment):
        return segment
    if header_length > HEADER_LENGTH:
        tcp_options.parse_untrusted(view[HEADER_LENGTH:header_length], segment)
    return segment


def build_header(
    source_port: int,
    destination_port: int,
    seq: int,
    ack: int,
    flags: int,
    wnd: int,
    up: int = 0,
    options: Buffer = b"",
    checksum: int = 0,
) -> bytes:
    """A header; ``options`` fills words of 4 bytes, numbers are as on the wire."""
    data_offset = (HEADER_LENGTH + len(options)) << 2
    return _HEADER.pack(source_port, destination_port, seq, ack, data_offset, flags, wnd, checksum, up) + options
