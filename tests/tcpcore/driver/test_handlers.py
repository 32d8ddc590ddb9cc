"""Tasks that handle connections: one takes the next when it is done, and no handler notices."""

from __future__ import annotations

from contextvars import ContextVar

import pytest
import trio
import trio.testing

from tcpcore.driver import Host, TCPStream
from tcpcore.driver.handlers import IDLE
from tests.tcpcore.driver.helpers import PORT, SERVER, two_hosts

MARK: ContextVar[str] = ContextVar("MARK", default="none")


async def visit(client: Host) -> None:
    """Open a connection, wait for the server's end of it, close."""
    async with await client.open_tcp_stream(SERVER, PORT) as stream:
        assert await stream.receive_some() == b""


async def test_a_task_takes_the_next_connection(autojump_clock: trio.testing.MockClock) -> None:
    tasks = []

    async def handler(_: TCPStream) -> None:
        tasks.append(trio.lowlevel.current_task())

    async with two_hosts() as (client, server), trio.open_nursery() as nursery:
        (listener,) = await server.open_tcp_listeners(PORT)
        nursery.start_soon(listener.serve, handler)
        for _ in range(3):
            await visit(client)
        assert len(tasks) == 3
        assert len(set(tasks)) == 1
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("at_once", [False, True])
async def test_handlers_begin_in_the_context_of_the_service(
    at_once: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """Not in that of the handler before, nor of the task that happened to read the packet."""
    seen = []

    async def handler(stream: TCPStream) -> None:
        seen.append(MARK.get())
        MARK.set("handler's own")
        if at_once:
            await stream.receive_some()  # leads, and accepts the next one

    async with two_hosts() as (client, server), trio.open_nursery() as nursery:
        (listener,) = await server.open_tcp_listeners(PORT)
        MARK.set("service's")
        nursery.start_soon(listener.serve, handler)
        MARK.set("later")
        streams = []
        for _ in range(4):
            if at_once:
                streams.append(await client.open_tcp_stream(SERVER, PORT))
                await trio.testing.wait_all_tasks_blocked()
            else:
                await visit(client)
        assert seen == ["service's"] * 4
        nursery.cancel_scope.cancel()


async def test_few_tasks_stay(autojump_clock: trio.testing.MockClock) -> None:
    running: trio.Nursery | None = None
    leave = trio.Event()
    came = 0

    async def handler(_: TCPStream) -> None:
        nonlocal running, came
        running = trio.lowlevel.current_task().parent_nursery
        came += 1
        await leave.wait()

    async with two_hosts() as (client, server), trio.open_nursery() as nursery:
        (listener,) = await server.open_tcp_listeners(PORT)
        nursery.start_soon(listener.serve, handler)
        async with trio.open_nursery() as visitors:
            for _ in range(IDLE + 20):
                visitors.start_soon(visit, client)
            await trio.testing.wait_all_tasks_blocked()
            assert running is not None
            assert came == len(running.child_tasks) == IDLE + 20
            leave.set()
        await trio.testing.wait_all_tasks_blocked()
        assert len(running.child_tasks) == IDLE
        for _ in range(3):
            await visit(client)
        assert came == IDLE + 23
        nursery.cancel_scope.cancel()


async def test_an_error_ends_the_service_and_those_that_wait(autojump_clock: trio.testing.MockClock) -> None:
    failing = False

    async def handler(_: TCPStream) -> None:
        if failing:
            raise ValueError("from the handler")

    async with two_hosts() as (client, server):
        (listener,) = await server.open_tcp_listeners(PORT)
        with pytest.RaisesGroup(pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="from the handler"))):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listener.serve, handler)
                for _ in range(3):
                    await visit(client)
                failing = True
                await client.open_tcp_stream(SERVER, PORT)
                await trio.sleep_forever()
        with pytest.raises(ConnectionRefusedError):
            await client.open_tcp_stream(SERVER, PORT)


async def test_who_was_woken_and_is_cancelled_still_closes(autojump_clock: trio.testing.MockClock) -> None:
    handled = []

    async def handler(stream: TCPStream) -> None:
        handled.append(stream)
        if len(handled) == 2:
            await trio.lowlevel.checkpoint_if_cancelled()

    async with two_hosts() as (client, server), trio.open_nursery() as nursery:
        (listener,) = await server.open_tcp_listeners(PORT)
        nursery.start_soon(listener.serve, handler)
        await visit(client)
        accepted = listener.on_ready

        def cancel_after(bits: int) -> None:
            accepted(bits)
            nursery.cancel_scope.cancel()

        listener.on_ready = cancel_after  # type: ignore[method-assign]
        nursery.start_soon(visit, client)
        await trio.sleep_forever()
    assert [stream.closed for stream in handled] == [True, True]
