"""Reassembly of IPv4 fragments (RFC 791 section 3.2, RFC 815) and of IPv6 fragments (RFC 8200 section 4.5).

Any overlap gives the whole datagram up, with the fragments of it that are still to come (RFC 5722, for IPv4 too);
only an exact duplicate is harmless and ignored (RFC 8200). Datagrams expire in the order they began.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from math import inf
from typing import Final

from tcpcore.conn.environment import Environment
from tcpcore.wire.ippacket import IPPacket
from tcpcore.wire.ipv4 import MAX_LENGTH, build_ipv4_header
from tcpcore.wire.ipv6 import build_ipv6_header
from tcpcore.wire.packet import Buffer

MAX_FRAGMENTS: Final = 64
"""Fragments of one datagram: enough for 64 KiB in packets of 1280 bytes, the least that IPv6 allows."""
QUOTE: Final = {4: 548, 6: 1232}
"""Bytes of an offending packet that an ICMP error carries (RFC 1812 section 4.3.2.3, RFC 4443 section 3.1)."""

_Key = tuple[bytes, bytes, int, int]


class Incomplete:
    """A datagram of which fragments are missing; without pieces and ``failed``: one that was given up."""

    __slots__ = ("deadline", "end", "failed", "first", "first_packet", "pieces", "size")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.pieces: dict[int, bytes] = {}
        self.size = 0
        self.end: int | None = None
        """Length of the whole, once the last fragment is there."""
        self.first: IPPacket | None = None
        self.first_packet = b""
        """The start of the packet with offset 0, for an ICMP error."""
        self.failed = False

    def trouble(self, offset: int, end: int, more: bool) -> str | None:
        """Why bytes ``offset`` to ``end`` cannot be part of this datagram."""
        if len(self.pieces) >= MAX_FRAGMENTS:
            return "fragment-limit"
        if any(offset < other + len(piece) and other < end for other, piece in self.pieces.items()):
            return "fragment-overlap"
        if self.end is not None and (not more or end > self.end):
            return "fragment-length"
        if not more and any(other > offset for other in self.pieces):
            return "fragment-length"
        return None


class Reassembly:
    """The incomplete datagrams of a stack, oldest first; limits and timeout are those of its configuration."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._datagrams: OrderedDict[_Key, Incomplete] = OrderedDict()
        self._bytes = 0
        self.due = inf
        """No later than the oldest datagram expires."""

    def add(self, ip: IPPacket, packet: Buffer, now: float) -> bytes | None:
        """Take the fragment ``ip``, parsed from ``packet``: the whole packet, unfragmented, if it was the last."""
        if ip.fragment is None:
            raise ValueError("not a fragment")
        identification, offset, more = ip.fragment
        # In IPv6 only the first fragment's next header counts, so it is no part of the key
        key = (ip.source, ip.destination, ip.protocol if ip.version == 4 else 0, identification)
        datagram = self._datagrams.get(key) or self._begin(key, now)
        if datagram.failed:
            self._env.drop("fragment-late", now)
            return None
        data = bytes(ip.payload)
        if datagram.pieces.get(offset) == data:
            self._env.drop("fragment-duplicate", now)
            return None
        if (reason := datagram.trouble(offset, offset + len(data), more)) is not None:
            self._give_up(datagram, reason, now)
            return None
        if offset == 0:
            ip.payload = memoryview(b"")  # the buffer is the caller's
            datagram.first, datagram.first_packet = ip, bytes(packet[: QUOTE[ip.version]])
        datagram.pieces[offset] = data
        datagram.size += len(data)
        self._bytes += len(data)
        if not more:
            datagram.end = offset + len(data)
        if datagram.size == datagram.end and datagram.first is not None:
            return self._complete(key, datagram, datagram.first, now)
        while self._bytes > self._env.config.reassembly_bytes:
            self._drop_oldest(now)
        return None

    def expire(self, now: float) -> Iterator[Incomplete]:
        """Drop what is due at ``now``; the datagrams whose sender is owed an ICMP error (RFC 1122 section 3.3.2)."""
        while self._datagrams and next(iter(self._datagrams.values())).deadline <= now:
            _, datagram = self._datagrams.popitem(last=False)
            if not datagram.failed:
                self._give_up(datagram, "reassembly-timeout", now)
                if datagram.first is not None:
                    yield datagram
        self.due = next(iter(self._datagrams.values())).deadline if self._datagrams else inf

    def _begin(self, key: _Key, now: float) -> Incomplete:
        while len(self._datagrams) >= self._env.config.max_reassembly:
            self._drop_oldest(now)
        datagram = self._datagrams[key] = Incomplete(now + self._env.config.reassembly_timeout)
        if self.due == inf:
            self.due = datagram.deadline
        return datagram

    def _drop_oldest(self, now: float) -> None:
        _, datagram = self._datagrams.popitem(last=False)
        if not datagram.failed:
            self._give_up(datagram, "reassembly-overflow", now)

    def _give_up(self, datagram: Incomplete, reason: str, now: float) -> None:
        """Keep nothing but the fact, until the timeout, so that late fragments begin no new datagram."""
        self._bytes -= datagram.size
        datagram.pieces, datagram.size, datagram.failed = {}, 0, True
        self._env.counters.ip_reassembly_fails += 1
        self._env.drop(reason, now)

    def _complete(self, key: _Key, datagram: Incomplete, first: IPPacket, now: float) -> bytes | None:
        if first.version == 4 and datagram.size + 20 > MAX_LENGTH:
            self._give_up(datagram, "fragment-length", now)
            return None
        del self._datagrams[key]
        if not self._datagrams:
            self.due = inf
        self._bytes -= datagram.size
        self._env.counters.ip_reassembled += 1
        if first.version == 4:
            header = build_ipv4_header(
                first.source,
                first.destination,
                first.protocol,
                datagram.size,
                key[3],
                first.hop_limit,
                first.traffic_class,
                dont_fragment=False,
            )
        else:
            header = build_ipv6_header(
                first.source, first.destination, first.protocol, datagram.size, first.hop_limit, first.traffic_class
            )
        return b"".join((header, *(piece for _, piece in sorted(datagram.pieces.items()))))
