"""A device with several queues, each with a process and a stack of its own behind the same addresses."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import pytest
import trio

from tcpcore.driver import LinkUnavailableError, TunLink
from tests.system.kernel import (
    DEVICE,
    KERNEL_ADDRESSES,
    OURS,
    OURS6,
    connect_kernel,
    deadline,
    echo,
    one_listener,
    receive_all,
    running_host,
)
from tests.system.queue_worker import PORT

pytestmark = pytest.mark.tun

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = ("A", "B")
CONNECTIONS: Final = 64
"""So many that each queue has some: the odds against it are 1 in 2 to the 63."""

IFF_TUN: Final = 0x0001
IFF_TAP: Final = 0x0002
IFF_NO_PI: Final = 0x1000
IFF_MULTI_QUEUE: Final = 0x0100
TUNSETIFF: Final = 0x400454CA


@contextmanager
def device(flags: int) -> Iterator[int]:
    """A device that somebody else made."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), flags))
        yield descriptor
    finally:
        os.close(descriptor)


@asynccontextmanager
async def queues(count: int = len(NAMES), *, offload: bool = True) -> AsyncIterator[list[TunLink]]:
    """The queues of a new device."""
    async with AsyncExitStack() as closing:
        links = TunLink.open_queues(DEVICE, *KERNEL_ADDRESSES, count=count, offload=offload)
        for link in links:
            closing.push_async_callback(link.aclose)
        yield links


@asynccontextmanager
async def worker(link: TunLink, name: str) -> AsyncIterator[trio.Process]:
    """A process that serves this queue; killed in the end."""
    command = [sys.executable, "-m", "tests.system.queue_worker", str(link.fileno()), name]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, cwd=ROOT, pass_fds=[link.fileno()])
    assert process.stdout is not None
    try:
        async with process.stdout:
            assert await process.stdout.receive_some() == b"ready"
            yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def ask(stream: trio.SocketStream, question: bytes) -> str:
    """Who answers; the question has to come back whole."""
    await stream.send_all(question)
    answer = bytearray()
    while len(answer) <= len(question):
        answer += await stream.receive_some()
    assert answer[1:] == question
    return answer[:1].decode()


@pytest.mark.parametrize("address", [OURS, OURS6], ids=["ipv4", "ipv6"])
async def test_processes_share_the_connections(address: str) -> None:
    with deadline():
        async with queues() as links, worker(links[0], "A"), worker(links[1], "B"):
            streams = [await connect_kernel(address, PORT) for _ in range(CONNECTIONS)]
            served = [await ask(stream, b"%d" % number) for number, stream in enumerate(streams)]
            assert set(served) == set(NAMES)
            assert [await ask(stream, b"still there?") for stream in streams] == served
            for stream in streams:
                await stream.aclose()


async def test_a_process_that_dies_takes_only_its_own_connections_along() -> None:
    with deadline():
        async with queues() as links, worker(links[1], "B"):
            async with worker(links[0], "A") as first:
                streams = [await connect_kernel(OURS, PORT) for _ in range(CONNECTIONS)]
                served = [await ask(stream, b"who?") for stream in streams]
                first.kill()
                await first.wait()
            others = [stream for stream, name in zip(streams, served, strict=True) if name == "B"]
            assert {await ask(stream, b"unharmed?") for stream in others} == {"B"}
            async with worker(links[0], "a"):
                orphan = streams[served.index("A")]
                with pytest.raises(trio.BrokenResourceError):
                    await ask(orphan, b"forgotten?")
                assert {await ask(stream, b"unharmed?") for stream in others} == {"B"}
                fresh = [await connect_kernel(OURS, PORT) for _ in range(CONNECTIONS)]
                assert {await ask(stream, b"who?") for stream in fresh} == {"a", "B"}
            for stream in [*streams, *fresh]:
                await stream.aclose()


@pytest.mark.parametrize("offload", [True, False], ids=["offload", "software"])
async def test_one_queue_works_as_a_device(rng: random.Random, offload: bool) -> None:
    block = rng.randbytes(300_000)
    with deadline():
        async with queues(1, offload=offload) as (link,), running_host(rng, link=link) as host:
            async with trio.open_nursery() as nursery:
                listener = await one_listener(host)
                async with listener, await connect_kernel(OURS, listener.port) as kernel:
                    ours = await listener.accept()
                    nursery.start_soon(echo, ours)
                    nursery.start_soon(kernel.send_all, block)
                    received = bytearray()
                    while len(received) < len(block):
                        received += await kernel.receive_some()
                    await kernel.send_eof()
                    assert await receive_all(kernel) == b""
                    await ours.aclose()
            assert received == block


@pytest.mark.parametrize("offload", [True, False])
async def test_descriptor_tells_what_it_is(offload: bool) -> None:
    async with queues(offload=offload) as links:
        inherited = TunLink.from_descriptor(os.dup(links[1].fileno()))
        assert (inherited.name, inherited.capabilities) == (DEVICE, links[1].capabilities)
        await inherited.aclose()


async def test_descriptor_becomes_non_blocking() -> None:
    with device(IFF_TUN | IFF_NO_PI) as descriptor:
        link = TunLink.from_descriptor(os.dup(descriptor))
        assert list(link.receive()) == []
        await link.aclose()


def test_descriptor_of_another_kind_of_device_is_refused() -> None:
    with (
        device(IFF_TAP | IFF_NO_PI) as descriptor,
        pytest.raises(LinkUnavailableError, match="carries Ethernet frames"),
    ):
        TunLink.from_descriptor(descriptor)


async def test_attach_gives_a_queue_more() -> None:
    async with queues(1):
        link = TunLink.attach(DEVICE)
        assert link.capabilities.segmentation_offload
        await link.aclose()


async def test_a_device_of_several_queues_cannot_be_opened_as_one() -> None:
    async with queues():
        with pytest.raises(LinkUnavailableError, match=f"{DEVICE}: it is no TUN device, or made for another"):
            TunLink.open(DEVICE)


def test_a_device_of_one_queue_gets_no_others() -> None:
    with device(IFF_TUN | IFF_NO_PI):
        with pytest.raises(LinkUnavailableError, match=f"see: ip -d link show {DEVICE}"):
            TunLink.open_queues(DEVICE, count=2)
        with pytest.raises(LinkUnavailableError, match="in use by another program"):
            TunLink.attach(DEVICE)


def test_all_queues_are_taken() -> None:
    with (
        device(IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE),
        pytest.raises(LinkUnavailableError, match="all its 256 queues are in use"),
    ):
        TunLink.open_queues(DEVICE, count=256)


def test_nothing_is_left_of_a_device_that_cannot_be_configured() -> None:
    with pytest.raises(LinkUnavailableError, match=f"cannot configure {DEVICE}"):
        TunLink.open_queues(DEVICE, count=2, mtu=1)
    assert DEVICE not in [name for _, name in socket.if_nameindex()]
