"""Twins: two worlds to which the same happens, one of them without any shortcut; nobody may tell them apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from random import Random
from typing import Any, Final, Generic, TypeVar

import pytest

from tcpcore import Observer
from tcpcore.conn import acknowledgement, edges, output, packets, prediction
from tcpcore.conn.tcb import Tcb
from tcpcore.errors import TCPError
from tcpcore.seqnum import wrap
from tcpcore.wire import usual
from tcpcore.wire.checksum import Buffer, pseudo_header_sum
from tcpcore.wire.ippacket import TCP
from tcpcore.wire.ipv4 import build_ipv4_header
from tcpcore.wire.ipv6 import build_ipv6_header
from tcpcore.wire.options import build_timestamp
from tcpcore.wire.packet import Packet
from tcpcore.wire.segment import RST, URG, Segment
from tcpcore.wire.tcp import CHECKSUM_OFFSET, build_header
from tcpcore.wire.usual import Usual

COMPILED: Final = not str(prediction.__file__).endswith(".py")
"""Then functions of the core call each other, whatever its modules have under their names."""
_UNSET: Final = object()
_ATOMS: Final = (int, float, str, bool, complex, type(None))
_BYTES: Final = (bytes, bytearray, memoryview)
World = TypeVar("World")
Result = TypeVar("Result")


class Shortcuts:
    """What the ladder and the general builders do without, on or off; and how often a prediction came true."""

    def __init__(self) -> None:
        self.allowed = True
        self.predicted = self.at_edges = self.syns = 0
        self._arrives, self._nothing_is_missing = prediction.arrives, acknowledgement.nothing_is_missing
        self._edges = edges.predicted
        self._parse_usual, self._emit = usual.parse_usual_untrusted, packets.emit
        self._parse_usual_syn = usual.parse_usual_syn_untrusted

    def parse_usual(self, packet: Buffer) -> Usual:
        return self._parse_usual(packet) if self.allowed else usual.NOT_USUAL

    def parse_usual_syn(self, packet: Buffer) -> tuple[bytes, Segment] | None:
        syn = self._parse_usual_syn(packet) if self.allowed else None
        self.syns += syn is not None
        return syn

    def edges(self, tcb: Tcb, fields: Usual, packet: Buffer, now: float) -> bool:
        taken = self._edges(tcb, fields, packet, now)
        self.at_edges += taken
        return taken

    def arrives(self, tcb: Tcb, fields: Usual, packet: Buffer, now: float) -> bool:
        taken = self._arrives(tcb, fields, packet, now)
        self.predicted += taken
        return taken

    def nothing_is_missing(self, tcb: Tcb) -> bool:
        return self.allowed and self._nothing_is_missing(tcb)

    def emit(self, tcb: Tcb, *arguments: Any, **named: Any) -> None:
        (self._emit if self.allowed else emit_plainly)(tcb, *arguments, **named)


@contextmanager
def switchable() -> Iterator[Shortcuts]:
    """Put a switch in front of every shortcut, until the block ends."""
    shortcuts = Shortcuts()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usual, "parse_usual_untrusted", shortcuts.parse_usual)
        patch.setattr(usual, "parse_usual_syn_untrusted", shortcuts.parse_usual_syn)
        patch.setattr(prediction, "arrives", shortcuts.arrives)
        patch.setattr(edges, "predicted", shortcuts.edges)
        patch.setattr(acknowledgement, "nothing_is_missing", shortcuts.nothing_is_missing)
        patch.setattr(output, "emit", shortcuts.emit)
        yield shortcuts


def emit_plainly(
    tcb: Tcb, seq: int, ack: int, flags: int, wnd: int, now: float, stamped: bool = False,
    options: bytes = b"", payload: Sequence[Buffer] = (), length: int = 0, size: int = 0, ecn: int = 0,
) -> None:  # fmt: skip
    """``packets.emit`` with the general builders of headers, and nothing computed beforehand."""
    size = size or tcb.mss
    count = max(-(-length // size), 1)
    up = min(tcb.snd_up - seq, 0xFFFF) if flags & URG else 0
    if stamped:
        options = build_timestamp(tcb.timestamp_clock(now), wrap(tcb.ts_recent)) + options
    ports = (int.from_bytes(tcb.ends[-4:-2], "big"), int.from_bytes(tcb.ends[-2:], "big"))
    tcp = bytearray(build_header(*ports, wrap(seq), wrap(ack), flags, wnd, up, options))
    total = len(tcp) + length
    pseudo = pseudo_header_sum(tcb.local_packed, tcb.remote_packed, TCP, total)
    tcp[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 2] = pseudo.to_bytes(2, "big")
    traffic_class, addresses = tcb.config.traffic_class | ecn, (tcb.local_packed, tcb.remote_packed)
    if tcb.version == 4:
        ip = build_ipv4_header(*addresses, TCP, total, tcb.identification, tcb.config.ttl, traffic_class)
        tcb.identification = (tcb.identification + count) % 0x10000
    else:
        ip = build_ipv6_header(*addresses, TCP, total, tcb.config.ttl, traffic_class, tcb.flow_label)
    packet = Packet(ip + tcp, payload, length, len(ip), CHECKSUM_OFFSET, size if length > size else 0)
    if tcb.pseudo_sum < 0:
        packets.prepare(tcb)
    env = tcb.env
    tcb.segments_out += count
    env.counters.ip_out_requests += count
    env.counters.out_segs += count
    env.counters.out_rsts += bool(flags & RST)
    env.outbox.append(packet)
    if env.observer is not None:
        env.observer.segment_sent(tcb, packet, now)


class Twins(Generic[World]):
    """``fast`` takes the shortcuts, ``plain`` does not."""

    def __init__(self, make: Callable[[], World], shortcuts: Shortcuts) -> None:
        self.shortcuts = shortcuts
        self.fast, self.plain = make(), make()

    def both(self, call: Callable[[World], Result]) -> Result | None:
        """``call`` for each; the results, or errors, have to be the same. ``None``: it was an error."""
        fast, plain = self._one(self.fast, call, allowed=True), self._one(self.plain, call, allowed=False)
        assert (found := difference(fast, plain)) is None, found
        return None if isinstance(fast, Exception) else fast

    def compare(self) -> None:
        """Assert that everything that can be reached from both is equal."""
        assert (found := difference(self.fast, self.plain)) is None, found

    def _one(self, world: World, call: Callable[[World], Result], *, allowed: bool) -> Result | Exception:
        self.shortcuts.allowed = allowed
        try:
            return call(world)
        except (TCPError, ValueError) as error:
            return error


class Diary(Observer):
    """What the observer of a stack was told, since it was asked last."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def segment_sent(self, tcb: Tcb | None, packet: Packet, now: float) -> None:
        self.events.append(("sent", tcb is None, bytes(packet), now))

    def segment_received(self, tcb: Tcb | None, segment: Segment, now: float) -> None:
        self.events.append(("received", tcb is None, repr(segment), bytes(segment.payload), now))

    def segment_dropped(self, reason: str, now: float) -> None:
        self.events.append(("dropped", reason, now))

    def state_changed(self, tcb: Tcb, old: object, new: object) -> None:
        self.events.append(("state", old, new))

    def timer_fired(self, tcb: Tcb, timer: object, now: float) -> None:
        self.events.append(("timer", timer, now))

    def congestion_event(self, tcb: Tcb, event: str, now: float) -> None:
        self.events.append(("congestion", event, now))


def on_the_wire(sent: Sequence[Packet]) -> list[tuple[int, int, list[bytes]]]:
    """Packets to be compared: what each asks of the link, and the bytes that leave after it was cut."""
    return [(len(each), each.segment_size, [bytes(piece) for piece in each.cut()]) for each in sent]


def difference(one: object, other: object) -> str | None:
    """The way to the first thing in which two object graphs differ; ``None``: they are equal.

    Objects are equal with equal slots and attributes, buffers with equal bytes, whatever their type.
    """
    return _difference(one, other, "", {})


def _difference(one: Any, other: Any, where: str, seen: dict[int, int]) -> str | None:
    if one is other:
        return None
    if isinstance(one, _BYTES) and isinstance(other, _BYTES):
        return None if bytes(one) == bytes(other) else f"{where}: {bytes(one)!r} is not {bytes(other)!r}"
    if type(one) is not type(other) or isinstance(one, _ATOMS):
        return None if type(one) is type(other) and one == other else f"{where}: {one!r} is not {other!r}"
    if isinstance(one, Random):
        return None if one.getstate() == other.getstate() else f"{where}: another random number was drawn"
    if isinstance(one, blake2b):
        return None if one.digest() == other.digest() else f"{where}: another hash"
    if isinstance(one, list | tuple | deque | Mapping):
        return _difference_of_elements(one, other, where, seen)
    if isinstance(one, Exception):
        return None if one.args == other.args else f"{where}: {one!r} is not {other!r}"
    if id(one) in seen:
        return None if seen[id(one)] == id(other) else f"{where}: {one!r} is another {other!r}"
    seen[id(one)] = id(other)
    kind: type = type(one)
    names = _names(kind) + tuple(getattr(one, "__dict__", ()))
    if not names and one != other:
        return f"{where}: {one!r} is not {other!r}"
    for name in names:
        mine, others = getattr(one, name, _UNSET), getattr(other, name, _UNSET)
        if (found := _difference(mine, others, f"{where}.{name}", seen)) is not None:
            return found
    return None


def _difference_of_elements(one: Any, other: Any, where: str, seen: dict[int, int]) -> str | None:
    if one == other:
        return None
    if len(one) != len(other):
        return f"{where}: {one!r} is not {other!r}"
    if isinstance(one, Mapping):
        pairs = zip(one.items(), other.items(), strict=True)
    else:
        pairs = zip(one, other, strict=True)
    for at, (mine, others) in enumerate(pairs):
        if (found := _difference(mine, others, f"{where}[{at}]", seen)) is not None:
            return found
    return None


@cache
def _names(kind: type) -> tuple[str, ...]:
    """All slots."""
    slots = (each.__dict__.get("__slots__", ()) for each in kind.__mro__)
    return tuple(name for each in slots for name in ((each,) if isinstance(each, str) else each) if name[:2] != "__")
