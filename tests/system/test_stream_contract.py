"""Trio's own test of half-closeable streams: our stream at one end, the kernel's socket at the other."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from tcpcore.driver import Host, TCPStream
from tests.system.kernel import pair_from_kernel, pair_from_us, running_host

pytestmark = pytest.mark.tun


@pytest.fixture
async def host(rng: random.Random) -> AsyncIterator[Host]:
    """Our host with every stream call a schedule point, as the contract wants."""
    async with running_host(rng, time_slice=0.0) as host:
        yield host


async def test_kernel_sends_and_we_receive(host: Host) -> None:
    async def make() -> tuple[TCPStream, trio.SocketStream]:
        return await pair_from_kernel(host)

    await trio.testing.check_half_closeable_stream(make, None)


async def test_we_send_and_kernel_receives(host: Host) -> None:
    async def make() -> tuple[trio.SocketStream, TCPStream]:
        ours, kernel = await pair_from_us(host)
        return kernel, ours

    await trio.testing.check_half_closeable_stream(make, None)
