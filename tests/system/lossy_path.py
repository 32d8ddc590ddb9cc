"""One transfer over a bad path in real time, between kernel and kernel, or between the kernel and us.

    source's process --- IP packets ---> this process: ``Path`` ---> sink's process
                     <------------------ another ``Path`` <---------

Whose TCP an end is makes no difference here: both are descriptors with one packet per read and write, nothing above
1500 bytes. The n-th packet behind the bottleneck meets the same fate in every run of one seed.
"""

from __future__ import annotations

import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as File
from typing import IO, Any, Final, Literal, Self

from tcpcore.path import Path

TCP = Literal["kernel", "ours"]
ROOT: Final = File(__file__).parents[2]
BATCH: Final = 32
"""Packets of one direction read before the other has its turn and what is due leaves."""
_READ: Final = 2048
_PATIENCE: Final = 20.0
"""Seconds in which a process starts or answers."""
_LINKTYPE_RAW: Final = 101
_NANOSECONDS: Final = 0xA1B23C4D


@dataclass(frozen=True)
class Transfer:
    """What to do. ``delay``: seconds, one way; ``ack_loss`` is of the way back; the rest is ``Path``'s."""

    source: TCP = "ours"
    sink: TCP = "kernel"
    algorithm: str = "cubic"
    seconds: float = 10.0
    bytes: int = 1 << 40
    delay: float = 0.010
    loss: float = 0.0
    ack_loss: float = 0.0
    burst: tuple[float, float] | None = None
    reorder: float = 0.0
    reorder_by: int = 3
    rate: float | None = 100e6
    queue: int = 200
    seed: int = 1

    def paths(self) -> tuple[Path, Path]:
        """There and back."""
        there, back = (
            Path(rng=random.Random(seed), delay=self.delay, rate=self.rate, queue=self.queue)
            for seed in (2 * self.seed, 2 * self.seed + 1)
        )
        there.change(loss=self.loss, burst=self.burst, reorder=self.reorder, reorder_by=self.reorder_by)
        back.change(loss=self.ack_loss)
        return there, back


@dataclass(frozen=True)
class Outcome:
    """What happened. ``source`` and ``sink``: what the ends told; times in seconds."""

    goodput: float
    """Bit/s at the sink's user, from the end of the handshake on."""
    segments_retransmitted: int
    bytes_retransmitted: int
    delivered_twice: int
    """Data segments that came to the sink though it had them: retransmissions that nobody needed."""
    lost: int
    dropped: int
    """By the bottleneck's full queue."""
    queue_mean: float
    queue_max: float
    """Delays in the queue of the way there."""
    overruns: int
    """Packets that an end did not take; 0 in a fair run."""
    late_p50: float
    late_p99: float
    forwarded: int
    seconds: float
    processor: float
    """Seconds of the forwarding process."""
    source: dict[str, Any]
    sink: dict[str, Any]


class Capture:
    """A pcap file that grows."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        file.write(struct.pack("=IHHiIII", _NANOSECONDS, 2, 4, 0, 0, 1 << 17, _LINKTYPE_RAW))

    def add(self, packet: bytes, now: float) -> None:
        """One packet, at that time."""
        seconds = int(now)
        record = struct.pack("=IIII", seconds, int((now - seconds) * 1e9), len(packet), len(packet))
        self._file.write(record + packet)


Views = tuple[Capture, Capture]
"""One connection as its source sees it, and as its sink does."""


@contextmanager
def capturing(prefix: str | None) -> Iterator[Views | None]:
    """Both views, in ``PREFIX-source.pcap`` and ``PREFIX-sink.pcap``."""
    if prefix is None:
        yield None
        return
    with open(f"{prefix}-source.pcap", "wb") as source, open(f"{prefix}-sink.pcap", "wb") as sink:
        yield Capture(source), Capture(sink)


class Way:
    """One direction: from a descriptor over a path to a descriptor."""

    def __init__(self, path: Path, origin: int, target: int, views: Views | None) -> None:
        self.path = path
        self.origin = origin
        self.overruns = 0
        self.forwarded = 0
        self.twice = 0
        self.lateness = array("d")
        self._target = target
        self._views = views
        self._seen: set[bytes] = set()

    def take(self) -> None:
        """Let a batch of the origin's packets enter the path."""
        path, origin = self.path, self.origin
        for _ in range(BATCH):
            try:
                packet = os.read(origin, _READ)
            except BlockingIOError:
                return
            now = time.monotonic()
            path.send(packet, now)
            if self._views is not None:
                self._views[0].add(packet, now)

    def deliver(self) -> float:
        """Let what is due leave it; the seconds until there is more."""
        path = self.path
        while (due := path.next_time()) is not None:
            now = time.monotonic()
            if due > now:
                return due - now
            self.lateness.append(now - due)
            for packet in path.receive(now):
                self._put(packet, now)
        return _PATIENCE

    def _put(self, packet: bytes, now: float) -> None:
        self.forwarded += 1
        if carries_data(packet):
            number = packet[24:28]
            self.twice += number in self._seen
            self._seen.add(number)
        try:
            os.write(self._target, packet)
        except BlockingIOError:
            self.overruns += 1
        if self._views is not None:
            self._views[1].add(packet, now)


def carries_data(packet: bytes) -> bool:
    """Whether an IPv4 packet without options is a TCP segment with text."""
    return packet[0] == 0x45 and packet[9] == 6 and len(packet) > 20 + (packet[32] >> 4) * 4


class End:
    """One end's process, for the length of a ``with`` block."""

    def __init__(self, role: str, tcp: TCP, transfer: Transfer) -> None:
        self.descriptor = -1
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(_PATIENCE)
        arguments = [tcp, role, "--control", str(theirs.fileno()), "--algorithm", transfer.algorithm]
        arguments += ["--seconds", str(transfer.seconds), "--bytes", str(transfer.bytes), "--seed", str(transfer.seed)]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.lossy_ends", *arguments], cwd=ROOT, pass_fds=[theirs.fileno()]
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.control.close()
        self._process.kill()
        self._process.wait()
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def wait_ready(self) -> None:
        """``descriptor`` carries its packets from now on."""
        _, descriptors, _, _ = socket.recv_fds(self.control, 16, 1)
        if not descriptors:
            raise RuntimeError("an end of the path did not start")
        (self.descriptor,) = descriptors
        os.set_blocking(self.descriptor, False)

    def tell(self) -> None:
        """Start, or stop."""
        self.control.send(b"!")

    def report(self) -> dict[str, Any]:
        """Its figures."""
        told = self.control.recv(1 << 16)
        if not told:
            raise RuntimeError("an end of the path failed")
        figures: dict[str, Any] = json.loads(told)
        return figures


def forward(ways: tuple[Way, Way], until: socket.socket) -> None:
    """Carry packets until that socket is readable."""
    there, back = ways
    watched = [there.origin, back.origin, until.fileno()]
    while True:
        readable, _, _ = select.select(watched, [], [], min(there.deliver(), back.deliver()))
        if there.origin in readable:
            there.take()
        if back.origin in readable:
            back.take()
        if until.fileno() in readable:
            return


def run(transfer: Transfer, views: Views | None = None) -> Outcome:
    """Do it, in real time."""
    with End("sink", transfer.sink, transfer) as sink, End("source", transfer.source, transfer) as source:
        sink.wait_ready()
        source.wait_ready()
        there, back = transfer.paths()
        ways = (
            Way(there, source.descriptor, sink.descriptor, views),
            Way(back, sink.descriptor, source.descriptor, views and (views[1], views[0])),
        )
        began, processor = time.monotonic(), time.process_time()
        source.tell()
        forward(ways, sink.control)
        seconds, processor = time.monotonic() - began, time.process_time() - processor
        received = sink.report()
        source.tell()
        forward(ways, source.control)
        return outcome(ways, source.report(), received, seconds, processor)


def outcome(
    ways: tuple[Way, Way], sent: dict[str, Any], received: dict[str, Any], seconds: float, processor: float
) -> Outcome:
    """All figures together."""
    there, back = ways
    lateness = sorted((*there.lateness, *back.lateness)) or [0.0]
    return Outcome(
        goodput=received["bytes"] * 8 / received["seconds"],
        segments_retransmitted=sent["segments_retransmitted"],
        bytes_retransmitted=sent["bytes_retransmitted"],
        delivered_twice=there.twice,
        lost=there.path.lost + back.path.lost,
        dropped=there.path.dropped + back.path.dropped,
        queue_mean=there.path.mean_queue_delay,
        queue_max=there.path.max_queue_delay,
        overruns=there.overruns + back.overruns + sent.get("link_dropped", 0),
        late_p50=lateness[len(lateness) // 2],
        late_p99=lateness[len(lateness) * 99 // 100],
        forwarded=there.forwarded + back.forwarded,
        seconds=seconds,
        processor=processor,
        source=sent,
        sink=received,
    )
