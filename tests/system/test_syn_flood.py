"""A SYN flood from spoofed addresses, while the kernel's own TCP connects in earnest (RFC 4987)."""

from __future__ import annotations

import random
import socket

import pytest

from tcpcore import Config
from tcpcore.driver import TunLink, open_stack
from tcpcore.testing import tcp_packet
from tcpcore.wire.tcp import SYN
from tests.system.kernel import (
    DEVICE,
    KERNEL_ADDRESSES,
    OUR_ADDRESSES,
    OURS,
    connect_kernel,
    deadline,
    tcp_info,
    until,
)

pytestmark = pytest.mark.tun

SYNS = 2000
LOT = 50
BACKLOG = 128
PORT = 7070


def spoofed_syn(rng: random.Random) -> bytes:
    """From a neighbour that does not exist."""
    source, destination = bytes((10, 77, 0, rng.randrange(3, 255))), socket.inet_aton(OURS)
    port, seq = rng.randrange(1024, 65536), rng.getrandbits(32)
    return tcp_packet(port, PORT, seq, 0, SYN, 65535, source=source, destination=destination)


async def test_kernel_client_gets_through_a_flood(rng: random.Random) -> None:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    link = TunLink.open(DEVICE, *KERNEL_ADDRESSES)
    config = Config(syn_backlog=BACKLOG)
    with raw, deadline():
        async with open_stack(link, OUR_ADDRESSES, config=config, rng=rng, close_timeout=0.0) as host:
            (listener,) = await host.open_tcp_listeners(PORT, address=OURS)
            sent = 0
            while sent < SYNS:
                for _ in range(LOT):
                    raw.sendto(spoofed_syn(rng), (OURS, 0))
                sent += LOT
                await until(lambda: host.statistics().tcp_in_segs >= sent)  # noqa: B023
            assert listener.status().half_open == BACKLOG
            assert listener.status().cookies_sent >= SYNS - BACKLOG - LOT

            kernel = await connect_kernel(OURS, PORT)
            async with kernel, await listener.accept() as ours:
                await kernel.send_all(b"in spite of all")
                assert await ours.receive_some() == b"in spite of all"
                await ours.send_all(block := rng.randbytes(200_000))
                received = bytearray()
                while len(received) < len(block):
                    received += await kernel.receive_some()
                assert received == block
                status, info = ours.status(), tcp_info(kernel)
                assert (status.timestamps, info.timestamps) == (True, True)
                assert (status.snd_wscale, status.rcv_wscale) == (info.rcv_wscale, info.snd_wscale)
                assert status.segments_retransmitted == 0
            assert listener.status().cookies_accepted == 1
            assert len(host.stack.connections()) <= BACKLOG + 1
