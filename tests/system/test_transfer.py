"""Bulk data, windows that close, and ends that vanish, with the kernel as the peer."""

from __future__ import annotations

import hashlib
import random
import socket
import struct

import pytest
import trio

from tcpcore import errors
from tcpcore.driver import Host
from tests.system.kernel import OURS, OURS6, deadline, pair_from_kernel, pair_from_us, receive_all, tcp_info

pytestmark = pytest.mark.tun

MEGABYTE = 1_000_000
both_versions = pytest.mark.parametrize("address", [OURS, OURS6], ids=["ipv4", "ipv6"])
both_directions = pytest.mark.parametrize("outwards", [True, False], ids=["to-kernel", "from-kernel"])


async def transfer(
    source: trio.abc.HalfCloseableStream, sink: trio.abc.ReceiveStream, block: bytes, repeats: int
) -> None:
    """Send ``block`` so many times and end; the other end has to see just that."""
    expected, received = hashlib.sha256(block * repeats), hashlib.sha256()

    async def send() -> None:
        for _ in range(repeats):
            await source.send_all(block)
        await source.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        async for chunk in sink:
            received.update(chunk)
    assert received.digest() == expected.digest()


@both_versions
@both_directions
async def test_twenty_megabytes_arrive_whole(host: Host, address: str, outwards: bool, rng: random.Random) -> None:
    block = rng.randbytes(MEGABYTE)
    with deadline():
        ours, kernel = await pair_from_kernel(host, address)
        async with ours, kernel:
            source, sink = (ours, kernel) if outwards else (kernel, ours)
            await transfer(source, sink, block, 20)
            # A process that waits for the processor is probed by the kernel (RFC 8985): nothing else may come twice
            assert tcp_info(kernel).total_retrans == ours.status().segments_duplicate
            assert ours.status().segments_retransmitted == ours.status().dsacks_in
            assert ours.status().bytes_out + ours.status().bytes_in == 20 * MEGABYTE
    assert host.link.dropped == 0
    assert host.statistics().drops == {}


async def test_both_directions_at_once(host: Host, rng: random.Random) -> None:
    block = rng.randbytes(MEGABYTE)
    with deadline():
        ours, kernel = await pair_from_us(host)
        async with ours, kernel, trio.open_nursery() as nursery:
            for source, sink in ((ours, kernel), (kernel, ours)):
                nursery.start_soon(transfer, source, sink, block, 5)


@both_directions
async def test_receiver_that_does_not_read_stops_the_sender(host: Host, outwards: bool, rng: random.Random) -> None:
    block = rng.randbytes(20 * MEGABYTE)
    sent = False

    async def send(stream: trio.abc.HalfCloseableStream) -> None:
        nonlocal sent
        await stream.send_all(block)
        await stream.send_eof()
        sent = True

    with deadline():
        ours, kernel = await pair_from_kernel(host)
        source, sink = (ours, kernel) if outwards else (kernel, ours)
        async with ours, kernel, trio.open_nursery() as nursery:
            nursery.start_soon(send, source)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert not sent
            assert (await receive_all(sink)) == block


@both_directions
async def test_half_closed_connection_still_carries_the_other_direction(
    host: Host, outwards: bool, rng: random.Random
) -> None:
    block = rng.randbytes(MEGABYTE)
    with deadline():
        ours, kernel = await pair_from_kernel(host)
        source, sink = (ours, kernel) if outwards else (kernel, ours)
        async with ours, kernel:
            await sink.send_eof()
            assert await source.receive_some() == b""
            await transfer(source, sink, block, 1)


async def test_reset_by_the_kernel_breaks_our_stream(host: Host) -> None:
    with deadline():
        ours, kernel = await pair_from_kernel(host)
        kernel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await kernel.aclose()
        async with ours:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await ours.receive_some()
            assert isinstance(caught.value.__cause__, errors.ConnectionResetError)
    assert host.stack.connections() == []


async def test_our_abort_resets_the_kernels_socket(host: Host) -> None:
    with deadline():
        ours, kernel = await pair_from_kernel(host)
        async with kernel:
            ours.abort()
            with pytest.raises(trio.BrokenResourceError) as caught:
                await kernel.receive_some()
            assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_data_for_a_closed_reader_is_answered_with_reset(host: Host) -> None:
    with deadline():
        ours, kernel = await pair_from_kernel(host)
        async with kernel:
            await kernel.send_all(b"never read")
            await trio.testing.wait_all_tasks_blocked()
            await ours.aclose()
            with pytest.raises(trio.BrokenResourceError) as caught:
                await kernel.receive_some()
            assert isinstance(caught.value.__cause__, ConnectionResetError)
