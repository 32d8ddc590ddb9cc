"""A received segment: the RFC's SEG variables, and the options we understand."""

from __future__ import annotations

from typing import Final

from tcpcore.wire.checksum import Buffer

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80

_FLAG_NAMES: Final = (
    (SYN, "SYN"),
    (FIN, "FIN"),
    (RST, "RST"),
    (PSH, "PSH"),
    (ACK, "ACK"),
    (URG, "URG"),
    (ECE, "ECE"),
    (CWR, "CWR"),
)


def flag_names(flags: int) -> str:
    """The names of ``flags``, as in ``SYN,ACK``; ``none`` when there are none."""
    return ",".join(name for bit, name in _FLAG_NAMES if flags & bit) or "none"


class Segment:
    """One TCP segment. ``seq`` and ``ack`` come as on the wire, for the connection to unwrap.

    ``mss``, ``wscale`` and ``timestamp`` (TSval; ``timestamp_echo`` is TSecr) are ``None`` where the option
    is absent. ``sack`` holds (left edge, right edge) pairs as on the wire. ``wnd`` is not scaled.
    ``user_timeout`` (RFC 5482) is in seconds.
    """

    __slots__ = (
        "ack",
        "destination_port",
        "flags",
        "mss",
        "payload",
        "sack",
        "sack_permitted",
        "seq",
        "source_port",
        "timestamp",
        "timestamp_echo",
        "up",
        "user_timeout",
        "wnd",
        "wscale",
    )

    def __init__(
        self,
        source_port: int,
        destination_port: int,
        seq: int,
        ack: int,
        flags: int,
        wnd: int,
        up: int = 0,
        payload: Buffer = b"",
        mss: int | None = None,
        wscale: int | None = None,
        sack_permitted: bool = False,
        timestamp: int | None = None,
        timestamp_echo: int = 0,
        sack: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.source_port = source_port
        self.destination_port = destination_port
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.wnd = wnd
        self.up = up
        self.payload = payload
        self.mss = mss
        self.wscale = wscale
        self.sack_permitted = sack_permitted
        self.timestamp = timestamp
        self.timestamp_echo = timestamp_echo
        self.sack = sack
        self.user_timeout: int | None = None

    @property
    def length(self) -> int:
        """SEG.LEN: payload bytes, with SYN and FIN counting one each."""
        flags = self.flags
        return len(self.payload) + (flags & FIN) + (flags >> 1 & 1)

    def __repr__(self) -> str:
        text = f"<{flag_names(self.flags)} seq={self.seq}"
        if self.flags & ACK:
            text += f" ack={self.ack}"
        text += f" win={self.wnd} len={len(self.payload)}"
        if self.flags & URG:
            text += f" up={self.up}"
        if self.mss is not None:
            text += f" mss={self.mss}"
        if self.wscale is not None:
            text += f" wscale={self.wscale}"
        if self.sack_permitted:
            text += " sack-permitted"
        if self.timestamp is not None:
            text += f" ts={self.timestamp},{self.timestamp_echo}"
        if self.user_timeout is not None:
            text += f" uto={self.user_timeout}"
        if self.sack:
            text += " sack=" + ",".join(f"{left}-{right}" for left, right in self.sack)
        return text + ">"
