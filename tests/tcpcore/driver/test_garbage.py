"""Connections and packets leave nothing for the garbage collector: what is done with goes at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from tcpcore import Config
from tcpcore.driver import TCPStream
from tests.tcpcore.driver.helpers import SERVER, receive_exactly, two_hosts

ROUNDS = 20


@pytest.fixture
def uncollected() -> Iterator[list[object]]:
    """Everything that only the collector would free, from here to the end of the test."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def test_no_cycles_per_connection(uncollected: list[object], autojump_clock: trio.testing.MockClock) -> None:
    async def echo(stream: TCPStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async with two_hosts(config=Config(msl=1.0)) as (client, server), trio.open_nursery() as nursery:
        (listener,) = await server.open_tcp_listeners(7070)
        nursery.start_soon(listener.serve, echo)
        for _ in range(ROUNDS):
            async with await client.open_tcp_stream(SERVER, 7070) as stream:
                await stream.send_all(b"x" * 100_000)
                await receive_exactly(stream, 100_000)
        await trio.sleep(10)
        assert (client.connection_statuses(), server.connection_statuses()) == ([], [])
        gc.collect()
        ours = [thing for thing in uncollected if type(thing).__module__.startswith("tcpcore")]
        assert ours == []
        nursery.cancel_scope.cancel()
