"""``ImpairedLink`` between memory links and running stacks, in trio's virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tcpcore import LinkCapabilities
from tcpcore.driver import Host, ImpairedLink, LinkUnavailableError, MemoryLink, Path, open_stack
from tcpcore.driver.link import BATCH
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.packet import Packet
from tcpcore.wire.tcp import parse_untrusted as parse_tcp
from tests.tcpcore.driver.helpers import CLIENT, OFFLOAD, PLAIN, SERVER, receive_exactly, stream_pair

DATA = random.Random(3).randbytes(200_000)


def path(seed: int = 1, **settings: Any) -> Path:
    return Path(rng=random.Random(seed), **settings)


def impaired(
    outgoing: Path | None = None, incoming: Path | None = None, capabilities: LinkCapabilities = PLAIN
) -> tuple[ImpairedLink, MemoryLink]:
    near, far = MemoryLink.pair(capabilities)
    return ImpairedLink(near, outgoing=outgoing or path(), incoming=incoming or path()), far


async def arrival(link: ImpairedLink | MemoryLink) -> tuple[float, list[bytes]]:
    """When the link is readable, and what it has then."""
    await link.wait_readable()
    return trio.current_time(), [bytes(data) for data, _ in link.receive()]


async def test_packets_are_late_in_both_directions(autojump_clock: MockClock) -> None:
    link, far = impaired(path(delay=0.25), path(delay=0.5))
    began = trio.current_time()
    far.send([Packet(b"in")])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits_until, link, began + 0.5, b"in")
        await trio.testing.wait_all_tasks_blocked()
        link.send([Packet(b"out")])
        await waits_until(far, began + 0.25, b"out")


async def waits_until(link: ImpairedLink | MemoryLink, moment: float, data: bytes) -> None:
    assert await arrival(link) == (moment, [data])


async def test_without_delay_a_packet_leaves_at_once() -> None:
    link, far = impaired()
    link.send([Packet(b"out")])
    assert [bytes(data) for data, _ in far.receive()] == [b"out"]
    far.send([Packet(b"in")])
    assert [bytes(data) for data, _ in link.receive()] == [b"in"]
    await trio.lowlevel.checkpoint()


async def test_batches_are_kept() -> None:
    link, far = impaired()
    far.send([Packet(b"%d" % number) for number in range(BATCH + 5)])
    counts = [len(list(link.receive())) for _ in range(3)]
    assert counts == [BATCH, 5, 0]
    await trio.lowlevel.checkpoint()


async def test_settings_change_while_running(autojump_clock: MockClock) -> None:
    link, far = impaired(path(loss=1.0))
    link.send([Packet(b"lost")])
    link.outgoing.change(loss=0.0)
    link.send([Packet(b"packet")])
    assert (await arrival(far))[1] == [b"packet"]
    assert link.outgoing.lost == 1


def test_capabilities_without_segmentation() -> None:
    link, _ = impaired(capabilities=OFFLOAD)
    assert link.capabilities == LinkCapabilities(checksum_offload=True)


async def test_what_is_on_its_way_out_leaves_before_the_link_closes(autojump_clock: MockClock) -> None:
    link, far = impaired(path(delay=5.0))
    link.send([Packet(b"last")])
    await link.aclose()
    await link.aclose()
    assert await arrival(far) == (trio.current_time(), [b"last"])
    with pytest.raises(LinkUnavailableError):
        await link.wait_readable()


@asynccontextmanager
async def two_hosts(link: ImpairedLink, far: MemoryLink) -> AsyncIterator[tuple[Host, Host]]:
    client = open_stack(link, [f"{CLIENT}/24"], rng=random.Random(1), secret=b"client", close_timeout=60.0)
    server = open_stack(far, [f"{SERVER}/24"], rng=random.Random(2), secret=b"server", close_timeout=60.0)
    async with client as one, server as other:
        yield one, other


BAD: dict[str, Any] = {
    "delay": 0.02, "jitter": 0.01, "rate": 10e6, "queue": 20, "loss": 0.03, "duplicate": 0.05, "reorder": 0.05,
    "corrupt": 0.05,
}  # fmt: skip


@pytest.mark.parametrize("capabilities", [PLAIN, OFFLOAD], ids=["plain", "offload"])
async def test_streams_arrive_whole(capabilities: LinkCapabilities, autojump_clock: MockClock) -> None:
    """What comes in with offload is cut before it is impaired, too."""
    link, far = impaired(path(1, **BAD), path(2, **BAD), capabilities)
    async with two_hosts(link, far) as (client, server):
        near, other = await stream_pair(client, server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send_all, DATA)
            nursery.start_soon(other.send_all, DATA)
            assert await receive_exactly(near, len(DATA)) == DATA
            assert await receive_exactly(other, len(DATA)) == DATA
        for way in (link.outgoing, link.incoming):
            assert way.sent > len(DATA) // 1500
            assert min(way.lost, way.duplicated, way.reordered, way.corrupted) > 0
    assert client.statistics().tcp_in_errs + client.statistics().ip_in_hdr_errors > 0


async def test_a_stream_takes_the_time_that_its_path_takes(autojump_clock: MockClock) -> None:
    link, far = impaired(path(rate=1e6, queue=1000), path(delay=0.1))
    async with two_hosts(link, far) as (client, server):
        near, other = await stream_pair(client, server)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send_all, DATA)
            assert await receive_exactly(other, len(DATA)) == DATA
        assert 1.6 < trio.current_time() - began < 1.9


async def test_packets_that_came_with_offload_are_cut_and_summed() -> None:
    link, far = impaired(capabilities=OFFLOAD)
    header = bytearray.fromhex("4500 0000 0001 4000 4006 0000 c0000201 c0000202")
    tcp = bytearray.fromhex("0050 0fa0 00000001 00000001 5018 ffff 0000 0000")
    payload = DATA[:4000]
    header[2:4] = (40 + len(payload)).to_bytes(2, "big")
    whole = Packet(bytes(header), (), 0, 0, 10)
    far.send([Packet(bytes(whole) + tcp, (payload,), len(payload), 20, 16, 1460)])
    pieces = [(bytes(data), vouched) for data, vouched in link.receive()]
    assert [len(data) for data, _ in pieces] == [1500, 1500, 1120]
    segments = [parse_tcp(parse_ip(data), checked=False) for data, _ in pieces]
    assert b"".join(bytes(segment.payload) for segment in segments) == payload
    assert not any(vouched for _, vouched in pieces)
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("data", [b"", b"nonsense", bytes.fromhex("4500001400010000400167e6c0000201c0000202")])
async def test_other_packets_that_came_with_offload_pass(data: bytes) -> None:
    link, far = impaired(capabilities=OFFLOAD)
    far.send([Packet(data, checksum_offset=0)])
    assert [bytes(data) for data, _ in link.receive()] == [data]
    await trio.lowlevel.checkpoint()
