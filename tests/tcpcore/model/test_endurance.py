"""5 GB over one connection: its numbers pass 2**32 twice, its windows are large, and every byte is in place."""

from __future__ import annotations

import random

import pytest

from tcpcore import Config, Connection, LinkCapabilities, Stack
from tcpcore.seqnum import MODULUS
from tcpcore.testing import Pair

GIGABYTE = 1_000_000_000
PERIOD = 65521
"""A prime: bytes that come from another place, as 2**16 or 2**32 away, are other bytes."""
BLOCK = 1 << 20
JUMBO = LinkCapabilities(mtu=65535, checksum_offload=True, segmentation_offload=True)


@pytest.fixture
def late_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ISS is just below 2**32, and so is the first TSval."""
    monkeypatch.setattr("tcpcore.stack.stack.initial_numbers", lambda *_: (MODULUS - 5, MODULUS - 1_000_005))


class Stream:
    """A stream of bytes with a period, that can be begun anywhere."""

    def __init__(self) -> None:
        period = random.Random(1).randbytes(PERIOD)
        self._cycle = period * (BLOCK // PERIOD + 2)
        self.position = 0

    def peek(self, length: int) -> bytes:
        """The next bytes, which stay the next."""
        start = self.position % PERIOD
        return self._cycle[start : start + length]

    def skip(self, length: int) -> None:
        """Go on."""
        self.position += length


def carry(source: Stack, target: Stack, now: float) -> None:
    for packet in source.transmit(now):
        target.receive(b"".join((packet.header, *packet.payload)), now, checked=True)


def connected(config: Config) -> tuple[Stack, Stack, Connection, Connection]:
    a = Stack(["192.0.2.1/24"], config, random.Random(1), b"a" * 32, JUMBO)
    b = Stack(["192.0.2.2/24"], config, random.Random(2), b"b" * 32, JUMBO)
    listener = b.listen(80)
    active = a.connect(("192.0.2.2", 80), 1000.0)
    for source, target in ((a, b), (b, a), (a, b)):
        carry(source, target, 1000.0)
    passive = listener.accept()
    assert passive is not None
    return a, b, active, passive


def push(connection: Connection, stream: Stream, total: int, now: float) -> None:
    """Send as much as is taken."""
    taken = length = 0
    while taken == length and stream.position < total:
        length = min(BLOCK, total - stream.position)
        taken = connection.send(stream.peek(length), now)
        stream.skip(taken)


def pull(connection: Connection, stream: Stream, now: float) -> None:
    """Read what there is; it has to be what comes next."""
    while chunk := connection.receive(BLOCK, now):
        assert chunk == stream.peek(len(chunk)), stream.position
        stream.skip(len(chunk))


@pytest.mark.usefixtures("late_numbers")
def test_five_gigabytes_arrive_in_place() -> None:
    a, b, active, passive = connected(Config())
    heap = bytes(30 << 20)  # once freed, glibc keeps what each round frees: half of the time would go into page faults
    del heap
    sent, received, total, now = Stream(), Stream(), 5 * GIGABYTE, 1000.0
    while received.position < total:
        now += 0.0005
        push(active, sent, total, now)
        carry(a, b, now)
        pull(passive, received, now)
        carry(b, a, now)
    assert received.position == sent.position == total
    assert active.snd_una == passive.rcv_nxt == MODULUS - 4 + total > 2 * MODULUS
    assert active.segments_retransmitted == passive.paws_drops == 0
    assert a.statistics().drops == b.statistics().drops == {}
    assert passive.timestamp_clock(1000.0) > passive.timestamp_clock(now)  # it wrapped as well
    assert passive.receive_buffer == Config().max_receive_buffer


@pytest.mark.usefixtures("late_numbers")
@pytest.mark.parametrize("timestamps", [True, False])
def test_bad_network_at_the_wrap(timestamps: bool) -> None:
    config = Config(timestamps=timestamps)
    pair = Pair(config, latency=0.01, seed=5, loss=0.02, duplicate=0.02, reorder=0.05, corrupt=0.01)
    active, passive = pair.connect()
    data = random.Random(5).randbytes(300_000)
    assert pair.transfer(active, passive, data) == data
    assert pair.transfer(passive, active, data) == data
    assert active.snd_una > MODULUS < passive.snd_una


def test_another_place_holds_other_bytes() -> None:
    """So the check can fail: at no distance that an error of arithmetic makes are bytes alike."""
    stream = Stream()
    here = stream.peek(1000)
    for distance in (1, 1 << 14, 1 << 16, 65535, 1 << 31, MODULUS, 65495, 65483):
        stream.position = distance
        assert stream.peek(1000) != here
