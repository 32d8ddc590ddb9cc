"""An echo server of several processes, each with its own TCP, on one address and port; the answers tell which.
It needs CAP_NET_ADMIN, which ``unshare --user --map-root-user --net`` gives to anybody; the workers need nothing.

python echo_workers.py &
nc 10.77.0.2 7
"""

import os
import sys
from contextlib import aclosing

import trio

from tcpcore.driver import TCPStream, TunLink, open_stack

WORKERS = 2


async def echo(stream: TCPStream) -> None:
    """Send everything back, with the number of this process, until the client is done."""
    async for data in stream:
        await stream.send_all(b"%d: " % os.getpid() + data)


async def work(descriptor: int) -> None:
    """Serve the connections of one queue."""
    link = TunLink.from_descriptor(descriptor)
    async with open_stack(link, ["10.77.0.2/24", "fd77::2/64"]) as host:
        await trio.serve_listeners(echo, await host.open_tcp_listeners(7))


async def keep_working(link: TunLink) -> None:
    """Keep a process on this queue. The queue stays open here, so that nobody else suffers when one dies."""
    async with aclosing(link):
        while True:
            command = [sys.executable, __file__, str(link.fileno())]
            await trio.run_process(command, pass_fds=[link.fileno()], check=False)
            await trio.sleep(1)


async def main() -> None:
    """Make the device and start the workers."""
    links = TunLink.open_queues("echo0", "10.77.0.1/24", "fd77::1/64", count=WORKERS)
    async with trio.open_nursery() as nursery:
        for link in links:
            nursery.start_soon(keep_working, link)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        trio.run(work, int(sys.argv[1]))
    else:
        trio.run(main)
