"""The whole server: listeners on our TCP and on the kernel's, one task for each client, shutdown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from attrs import frozen
from trio.abc import Listener

from wireside_protocol import DEFAULT_PORT
from wireside_server import kernel as kernel_tcp
from wireside_server.config import Keepalive
from wireside_server.control import ControlSocket
from wireside_server.errors import StartError
from wireside_server.inspection import HostInspector, connection_key
from wireside_server.log import make_log
from wireside_server.reasons import SHUTDOWN
from wireside_server.server import Server
from wireside_server.session import Client
from wireside_server.store import Store

if TYPE_CHECKING:
    from tcpcore.driver import Host, TCPStream


@frozen
class Front:
    """Listeners, and what is done with each connection that comes in through them."""

    listeners: list[Listener[Any]]
    handler: Callable[[Any], Awaitable[object]]


async def serve(
    *,
    host: Host | None,
    port: int = DEFAULT_PORT,
    kernel: tuple[str, int] | None = None,
    database: str = ":memory:",
    control: str | None = None,
    keepalive: Keepalive | None = None,
    log: Callable[[str], None] | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; on cancellation says Goodbye, closes every connection with FIN, then returns.

    ``kernel`` is the address for kernel sockets besides ``host``, ``control`` the path of the control
    socket, ``log`` gets one line for each event. Raises `StartError` when it cannot start.
    """
    inspector = HostInspector(host) if host is not None else None
    store = Store(database)
    try:
        server = Server(store, make_log(log), inspector)
        fronts = await _open_fronts(server, host, port, kernel, control, keepalive or Keepalive())
        own = host and " ".join(str(address.ip) for address in host.stack.addresses)
        server.log.info("serving", own=own, port=host and port, kernel=kernel and "{} {}".format(*kernel))
        await _run(server, fronts, task_status)
    finally:
        store.close()


async def _open_fronts(
    server: Server,
    host: Host | None,
    port: int,
    kernel: tuple[str, int] | None,
    control: str | None,
    keepalive: Keepalive,
) -> list[Front]:
    fronts: list[Front] = []
    try:
        if host is not None:
            fronts.append(Front(await _open_own(host, port), partial(_serve_own, server, keepalive)))
        if kernel is not None:
            listeners = await kernel_tcp.open_listeners(*kernel)
            fronts.append(Front([*listeners], partial(_serve_kernel, server, keepalive)))
        if control is not None:
            socket = await ControlSocket.open(control, server.inspector)
            fronts.append(Front([socket], socket.answer))
        if not fronts:
            raise StartError("there is nothing to listen on: neither a TUN device nor kernel sockets")
    except BaseException:
        with trio.CancelScope(shield=True):
            for front in fronts:
                for listener in front.listeners:
                    await listener.aclose()
        raise
    return fronts


async def _run(server: Server, fronts: Sequence[Front], task_status: trio.TaskStatus[None]) -> None:
    """Accept until cancelled; then wait for the clients, which end by themselves, and for the journal."""
    async with trio.open_nursery() as journal:
        journal.start_soon(server.journal.run)
        try:
            async with trio.open_nursery() as clients:
                try:
                    async with trio.open_nursery() as accepting:
                        for front in fronts:
                            accepting.start_soon(
                                partial(
                                    trio.serve_listeners,
                                    front.handler,
                                    front.listeners,
                                    handler_nursery=clients,
                                )
                            )
                        task_status.started()
                finally:
                    server.dismiss_all(SHUTDOWN)
        finally:
            server.journal.close()
            server.log.info("stopped")


async def _open_own(host: Host, port: int) -> list[Listener[Any]]:
    try:
        return [*await host.open_tcp_listeners(port)]
    except OSError as error:
        raise StartError(f"cannot listen on port {port}: {error.strerror}") from error


async def _serve_own(server: Server, keepalive: Keepalive, stream: TCPStream) -> None:
    stream.set_option("nodelay", True)
    stream.set_option("keepalive_idle", keepalive.idle)
    stream.set_option("keepalive_interval", keepalive.interval)
    stream.set_option("keepalive_count", keepalive.count)
    stream.set_option("keepalive", True)
    stream.set_option("user_timeout", keepalive.patience)  # probes rest while data is unacknowledged
    address, port = stream.remote
    log = server.log.bind(remote=f"{address} {port}", tcp="own")
    await server.run_client(Client(server, stream, log, connection_key(stream.connection)))


async def _serve_kernel(server: Server, keepalive: Keepalive, stream: trio.SocketStream) -> None:
    kernel_tcp.set_keepalive(stream, keepalive)
    log = server.log.bind(remote=kernel_tcp.remote_name(stream), tcp="kernel")
    await server.run_client(Client(server, stream, log))
