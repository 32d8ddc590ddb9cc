"""An echo server with its own TCP, on a TUN device. It needs CAP_NET_ADMIN, which
``unshare --user --map-root-user --net`` gives to anybody.

python echo_tun.py &
nc 10.77.0.2 7
"""

import trio

from tcpcore.driver import TCPStream, TunLink, open_stack


async def echo(stream: TCPStream) -> None:
    """Send everything back until the client is done."""
    async for data in stream:
        await stream.send_all(data)


async def main() -> None:
    """Serve port 7 on both address families."""
    link = TunLink.open("echo0", "10.77.0.1/24", "fd77::1/64")
    async with open_stack(link, ["10.77.0.2/24", "fd77::2/64"]) as host:
        await trio.serve_listeners(echo, await host.open_tcp_listeners(7))


if __name__ == "__main__":
    trio.run(main)
