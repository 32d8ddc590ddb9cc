"""A SYN flood from spoofed addresses, while the kernel's own TCP connects and chats in earnest (RFC 4987).

``python -m tests.benchmarks.syn_flood`` is the whole of it, with 100,000 SYNs and figures.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from tcpcore import Config
from tcpcore.driver import Host, TCPListener, TunLink, open_stack
from tests.server.harness import open_house
from tests.system.flood import Injector, spoofed_syn
from tests.system.kernel import DEVICE, KERNEL_ADDRESSES, OUR_ADDRESSES, OURS, connect_kernel, deadline, tcp_info, until
from wireside_client.load import Outcome, Plan, run_load

pytestmark = pytest.mark.tun

LOT = 50
BACKLOG = 128
PORT = 7070
MOST_MEMORY = 8 << 20
"""Bytes that the process may grow by in a flood; without a limit 20,000 half-open connections take 70 MB."""


@asynccontextmanager
async def flooded_host(rng: random.Random) -> AsyncIterator[tuple[Host, TCPListener]]:
    """A host with a small half-open queue, and its listener."""
    link = TunLink.open(DEVICE, *KERNEL_ADDRESSES)
    config = Config(syn_backlog=BACKLOG)
    async with open_stack(link, OUR_ADDRESSES, config=config, rng=rng, close_timeout=0.0) as host:
        (listener,) = await host.open_tcp_listeners(PORT, address=OURS)
        yield host, listener


async def flood(host: Host, rng: random.Random, syns: int) -> None:
    """Send SYNs no faster than the host takes them; it drops none."""
    injector = Injector(DEVICE)
    try:
        for _ in range(0, syns, LOT):
            for _ in range(LOT):
                injector.send(spoofed_syn(rng, OURS, PORT))
            taken = host.statistics().tcp_in_segs + LOT
            with trio.move_on_after(0.1):  # the host sees other segments as well
                while host.statistics().tcp_in_segs < taken:
                    await trio.lowlevel.checkpoint()
    finally:
        injector.close()


def resident() -> int:
    """Bytes of this process's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_kernel_client_gets_through_a_flood(rng: random.Random) -> None:
    syns = 2000
    with deadline():
        async with flooded_host(rng) as (host, listener):
            await flood(host, rng, syns)
            await until(lambda: listener.status().half_open == BACKLOG)
            await until(lambda: listener.status().cookies_sent == syns - BACKLOG)

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


async def test_fifty_clients_chat_through_a_flood(rng: random.Random) -> None:
    syns, clients = 20_000, 50
    outcomes: list[Outcome] = []

    async def chat() -> None:
        plan = Plan(clients=clients, rooms=5, rate=100.0, seconds=2.0)
        outcomes.append(await run_load(partial(connect_kernel, OURS, PORT), plan, seed=rng.getrandbits(32)))

    with trio.fail_after(60):
        async with open_house() as house, flooded_host(rng) as (host, listener), trio.open_nursery() as nursery:
            nursery.start_soon(listener.serve, house.serve)
            async with trio.open_nursery() as crowd:
                crowd.start_soon(chat)
                await until(lambda: listener.status().accepted == clients)
                before = resident()
                await flood(host, rng, syns)
                assert resident() - before < MOST_MEMORY
                await until(lambda: listener.status().cookies_sent == syns - BACKLOG)
                assert listener.status().half_open == BACKLOG
            assert host.statistics().tcp_listen_drops == 0
            nursery.cancel_scope.cancel()
    (outcome,) = outcomes
    assert outcome.verdict.faultless, outcome
    assert (outcome.verdict.said, outcome.reconnects) == (200, 0)
