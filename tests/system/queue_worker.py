"""One of several servers on one device: a stack of its own on the queue whose descriptor it inherits.

It says ``ready``, then answers every piece of data with its name in front.
"""

from __future__ import annotations

import sys
from functools import partial

import trio

from tcpcore.driver import TCPStream, TunLink, open_stack
from tests.system.kernel import OUR_ADDRESSES

PORT = 7070


async def answer(name: str, stream: TCPStream) -> None:
    """Serve one connection."""
    async for data in stream:
        await stream.send_all(name.encode() + data)


async def main(descriptor: str, name: str) -> None:
    """Serve until killed."""
    async with open_stack(TunLink.from_descriptor(int(descriptor)), OUR_ADDRESSES, close_timeout=0.0) as host:
        listeners = await host.open_tcp_listeners(PORT)
        print("ready", end="", flush=True)
        await trio.serve_listeners(partial(answer, name), listeners)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
