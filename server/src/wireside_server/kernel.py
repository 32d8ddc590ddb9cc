"""The kernel's TCP: listeners and options of its sockets."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import trio

from wireside_server.config import Keepalive
from wireside_server.errors import StartError


async def open_listeners(host: str, port: int) -> Sequence[trio.SocketListener]:
    """Listeners on ``host``, a name or an address; raises `StartError`."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise StartError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def set_keepalive(stream: trio.SocketStream, keepalive: Keepalive) -> None:
    """Switch keepalive on; a socket that is already dead is left as it is."""
    try:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, round(keepalive.idle)))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, round(keepalive.interval)))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, keepalive.count)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(keepalive.patience * 1000))
    except OSError:
        pass


def remote_name(stream: trio.SocketStream) -> str:
    """The peer's address and port."""
    try:
        address, port = stream.socket.getpeername()[:2]
    except OSError:
        return "unknown"
    return f"{address} {port}"
