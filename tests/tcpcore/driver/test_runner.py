"""Hosts: opening, refusing, timing out, serving, leaving, and a link that dies."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from tcpcore import Config, Observer, errors
from tcpcore.driver import LinkUnavailableError, MemoryLink, TCPStream, open_stack
from tcpcore.wire.packet import Buffer, Packet
from tests.tcpcore.driver.helpers import CLIENT, PORT, SERVER, receive_exactly, stream_pair, two_hosts


async def echo(stream: TCPStream) -> None:
    async for data in stream:
        await stream.send_all(data)


async def test_connection_refused(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, _):
        with pytest.raises(ConnectionRefusedError, match=f"{SERVER} port {PORT}") as caught:
            await client.open_tcp_stream(SERVER, PORT)
        assert isinstance(caught.value.__cause__, errors.ConnectionRefusedError)
        await trio.testing.wait_all_tasks_blocked()
        assert client.connection_statuses() == []


async def test_connect_times_out(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, _):
        started = trio.current_time()
        with pytest.raises(TimeoutError) as caught:
            await client.open_tcp_stream("192.0.2.77", PORT)
        assert isinstance(caught.value.__cause__, errors.ConnectionTimeoutError)
        assert trio.current_time() - started == 183.0


async def test_cancelled_connect_leaves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, _):
        with trio.move_on_after(2) as scope:
            await client.open_tcp_stream("192.0.2.77", PORT)
        assert scope.cancelled_caught
        await trio.testing.wait_all_tasks_blocked()
        assert client.connection_statuses() == []


@pytest.mark.parametrize(("host", "port"), [("not-an-address", PORT), (SERVER, 70000)])
async def test_bad_address(host: str, port: int, autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, _):
        with pytest.raises(OSError, match=f"connecting to {host}") as caught:
            await client.open_tcp_stream(host, port)
        assert caught.value.errno == errno.EADDRNOTAVAIL


async def test_listening_twice(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (_, server):
        await server.open_tcp_listeners(PORT)
        with pytest.raises(OSError, match=f"port {PORT}") as caught:
            await server.open_tcp_listeners(PORT)
        assert caught.value.errno == errno.EADDRINUSE
        with pytest.raises(OSError, match="listening") as caught:
            await server.open_tcp_listeners(PORT + 1, address="198.51.100.1")
        assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize("own", [False, True], ids=["trio.serve_listeners", "serve"])
async def test_serving(own: bool, autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(time_slice=0.001) as (client, server), trio.open_nursery() as nursery:
        listeners = await server.open_tcp_listeners(PORT)
        if own:
            nursery.start_soon(listeners[0].serve, echo)
        else:
            nursery.start_soon(trio.serve_listeners, echo, listeners)
        answers = {}

        async def ask(number: int) -> None:
            stream = await client.open_tcp_stream(SERVER, PORT)
            async with stream:
                await stream.send_all(b"%04d" % number)
                await stream.send_eof()
                answers[number] = await receive_exactly(stream, 100)

        async with trio.open_nursery() as clients:
            for number in range(50):
                clients.start_soon(ask, number)
        assert answers == {number: b"%04d" % number for number in range(50)}
        assert listeners[0].status().accepted == 50
        nursery.cancel_scope.cancel()


async def test_closing_a_listener_wakes_accept(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (_, server), trio.open_nursery() as nursery:
        (listener,) = await server.open_tcp_listeners(PORT)

        async def accept() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        await listener.aclose()
        await listener.aclose()


async def test_one_task_accepts_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (_, server):
        (listener,) = await server.open_tcp_listeners(PORT)
        with pytest.RaisesGroup(trio.BusyResourceError):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listener.accept)
                nursery.start_soon(listener.accept)


async def test_leaving_delivers_and_sends_fin(autojump_clock: trio.testing.MockClock) -> None:
    near, far = MemoryLink.pair()
    async with open_stack(near, [f"{CLIENT}/24"], rng=random.Random(1)) as client:
        async with open_stack(far, [f"{SERVER}/24"], rng=random.Random(2)) as server:
            stream, served = await stream_pair(client, server)
            await served.send_all(b"goodbye")
        assert await receive_exactly(stream, 100) == b"goodbye"
        with pytest.raises(trio.ClosedResourceError):
            await served.receive_some()


async def test_leaving_takes_at_most_the_timeout_then_resets(autojump_clock: trio.testing.MockClock) -> None:
    near, far = MemoryLink.pair()
    async with open_stack(near, [f"{CLIENT}/24"], config=Config(receive_buffer=4096)) as client:
        async with open_stack(far, [f"{SERVER}/24"], close_timeout=5.0) as server:
            stream, served = await stream_pair(client, server)
            await served.send_all(bytes(10_000))
            started = trio.current_time()
        assert trio.current_time() - started == pytest.approx(5.0, abs=0.1)
        with pytest.raises(trio.BrokenResourceError):
            await receive_exactly(stream, 10_000)


async def test_an_error_in_the_block_comes_out_unwrapped(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(KeyError):
        async with two_hosts():
            raise KeyError("mine")


async def test_cancelling_the_block_still_says_goodbye(autojump_clock: trio.testing.MockClock) -> None:
    near, far = MemoryLink.pair()
    async with open_stack(near, [f"{CLIENT}/24"]) as client:
        streams: list[TCPStream] = []
        with trio.CancelScope() as scope:
            async with open_stack(far, [f"{SERVER}/24"]) as server:
                streams.extend(await stream_pair(client, server))
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert await streams[0].receive_some() == b""


async def test_a_link_that_dies_breaks_streams(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server):
        near, _ = await stream_pair(client, server)
        (listener,) = await client.open_tcp_listeners(PORT)
        failed = []

        async def receive() -> None:
            with pytest.raises(trio.BrokenResourceError, match="closed"):
                await near.receive_some()
            failed.append("receive")

        async def accept() -> None:
            with pytest.raises(OSError, match="closed") as caught:
                await listener.accept()
            assert caught.value.errno == errno.ENETDOWN
            failed.append("accept")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            nursery.start_soon(accept)
            await trio.testing.wait_all_tasks_blocked()
            await client.link.aclose()
        assert sorted(failed) == ["accept", "receive"]
        with pytest.raises(OSError, match="closed") as caught:
            await client.open_tcp_stream(SERVER, PORT)
        assert caught.value.errno == errno.ENETDOWN


async def test_parameters_are_checked() -> None:
    near, _ = MemoryLink.pair()
    with pytest.raises(ValueError, match="negative"):
        async with open_stack(near, [f"{CLIENT}/24"], close_timeout=-1):
            pass


async def test_spin_serves_too(autojump_clock: trio.testing.MockClock) -> None:
    near, far = MemoryLink.pair()
    async with (
        open_stack(near, [f"{CLIENT}/24"], spin=50e-6) as client,
        open_stack(far, [f"{SERVER}/24"], spin=50e-6, config=Config(timestamps=False)) as server,
    ):
        stream, served = await stream_pair(client, server)
        await stream.send_all(b"ping")
        assert await receive_exactly(served, 4) == b"ping"


async def test_statuses(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server):
        near, _ = await stream_pair(client, server)
        await server.open_tcp_listeners(PORT)
        assert [status.local_port for status in client.connection_statuses()] == [near.local[1]]
        assert [status.port for status in server.listener_statuses()] == [PORT]
        assert client.statistics().tcp_active_opens == 1
        assert server.statistics().tcp_passive_opens == 1
        assert client.now() == trio.current_time()


async def test_closed_memory_link_is_unavailable() -> None:
    near, _ = MemoryLink.pair()
    await near.aclose()
    with pytest.raises(LinkUnavailableError):
        await near.wait_readable()


class SlowLink(MemoryLink):
    """Time passes before each packet is read."""

    clock: trio.testing.MockClock

    def receive(self) -> Iterator[tuple[Buffer, bool]]:
        for item in super().receive():
            self.clock.jump(0.005)
            yield item


class DropTimes(Observer):
    def __init__(self) -> None:
        self.times: list[float] = []

    def segment_dropped(self, reason: str, now: float) -> None:
        self.times.append(now)


async def test_each_packet_of_a_batch_comes_when_it_is_read(autojump_clock: trio.testing.MockClock) -> None:
    near, far = SlowLink.pair()
    assert isinstance(far, SlowLink)
    far.clock, observer = autojump_clock, DropTimes()
    async with open_stack(far, [f"{SERVER}/24"]) as host:
        host.stack.observe(observer)
        began = trio.current_time()
        near.send([Packet(b"nonsense")] * 3)
        await trio.testing.wait_all_tasks_blocked()
    assert [time - began for time in observer.times] == pytest.approx([0.005, 0.010, 0.015])
