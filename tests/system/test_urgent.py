"""Urgent data between us and the kernel: both mean the same octet (RFC 6093 section 3.1)."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from itertools import accumulate

import pytest

from tcpcore.driver import Host
from tests.system.kernel import OURS, deadline, pair_from_kernel

pytestmark = pytest.mark.tun

STREAM = b"calmurgent!later"


async def edges(receive_some: Callable[[], Awaitable[bytes | bytearray]]) -> list[int]:
    """Read ``STREAM``: where each read ended."""
    chunks: list[bytes | bytearray] = []
    while len(b"".join(chunks)) < len(STREAM):
        chunks.append(await receive_some())
    assert b"".join(chunks) == STREAM
    return list(accumulate(map(len, chunks)))


async def test_mark_of_the_kernel_is_behind_its_urgent_octet(host: Host) -> None:
    with deadline():
        ours, kernel = await pair_from_kernel(host, OURS)
        async with ours, kernel:
            for data, flags in ((b"calm", 0), (b"urgent!", socket.MSG_OOB), (b"later", 0)):
                assert await kernel.socket.send(data, flags) == len(data)
            assert len(b"calmurgent!") in await edges(ours.receive_some)
            assert ours.urgent == 0


async def test_kernel_stops_before_the_last_octet_of_ours(host: Host) -> None:
    """Linux counts one octet as urgent: the one before the pointer."""
    with deadline():
        ours, kernel = await pair_from_kernel(host, OURS)
        async with ours, kernel:
            kernel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            await ours.send_all(b"calm")
            await ours.send_all(b"urgent!", urgent=True)
            await ours.send_all(b"later")
            assert len(b"calmurgent") in await edges(kernel.receive_some)
