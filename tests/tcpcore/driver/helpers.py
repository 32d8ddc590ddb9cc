"""Two hosts joined by a memory link, as most driver tests want them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from tcpcore import Config, LinkCapabilities
from tcpcore.driver import Host, MemoryLink, TCPStream, open_stack

CLIENT = "192.0.2.1"
SERVER = "192.0.2.2"
SERVER6 = "2001:db8::2"
PORT = 7070
PLAIN = LinkCapabilities()
OFFLOAD = LinkCapabilities(checksum_offload=True, segmentation_offload=True)


@asynccontextmanager
async def two_hosts(
    capabilities: LinkCapabilities = PLAIN, config: Config | None = None, *, time_slice: float = 0.0
) -> AsyncIterator[tuple[Host, Host]]:
    """Client host and server host, seeded."""
    near, far = MemoryLink.pair(capabilities)
    client = open_stack(
        near, [f"{CLIENT}/24", "2001:db8::1/64"], config=config, rng=random.Random(1), secret=b"client",
        time_slice=time_slice,
    )  # fmt: skip
    server = open_stack(
        far, [f"{SERVER}/24", f"{SERVER6}/64"], config=config, rng=random.Random(2), secret=b"server",
        time_slice=time_slice,
    )  # fmt: skip
    async with client as one, server as other:
        yield one, other


async def stream_pair(client: Host, server: Host, address: str = SERVER) -> tuple[TCPStream, TCPStream]:
    """A connection: the client's stream and the server's."""
    (listener,) = await server.open_tcp_listeners(0)
    async with listener:
        near = await client.open_tcp_stream(address, listener.port)
        return near, await listener.accept()


def pair_maker(client: Host, server: Host) -> Callable[[], Awaitable[tuple[TCPStream, TCPStream]]]:
    """What ``trio.testing.check_half_closeable_stream`` asks for."""

    async def make() -> tuple[TCPStream, TCPStream]:
        return await stream_pair(client, server)

    return make


async def clog(stream: TCPStream) -> None:
    """Send until nothing more is taken; no virtual time passes."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_for_ever, stream)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()


async def _send_for_ever(stream: TCPStream) -> None:
    while True:
        await stream.send_all(bytes(4096))


async def receive_exactly(stream: TCPStream, count: int) -> bytes:
    """That many bytes, or fewer when the stream ends before."""
    received = bytearray()
    while len(received) < count and (data := await stream.receive_some(count - len(received))):
        received += data
    return bytes(received)
