"""``TCPStream`` keeps the promises of a trio stream."""

from __future__ import annotations

import hashlib
import random

import pytest
import trio
import trio.testing

from tcpcore import Config, LinkCapabilities, Ready, errors
from tcpcore.driver import TCPStream
from tests.tcpcore.driver.helpers import (
    CLIENT,
    OFFLOAD,
    PLAIN,
    SERVER,
    SERVER6,
    clog,
    pair_maker,
    receive_exactly,
    stream_pair,
    two_hosts,
)

SMALL = Config(send_buffer=16384, receive_buffer=16384, nodelay=True)


@pytest.mark.parametrize("capabilities", [PLAIN, OFFLOAD], ids=["plain", "offload"])
async def test_trio_stream_contract(capabilities: LinkCapabilities, autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(capabilities, SMALL) as (client, server):
        maker = pair_maker(client, server)

        async def clogged() -> tuple[TCPStream, TCPStream]:
            near, far = await maker()
            for stream in (near, far, near, far):  # what one sends acknowledges the other, and makes room there
                await clog(stream)
            return near, far

        await trio.testing.check_half_closeable_stream(maker, clogged)


async def test_advice_wakes_nobody(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server), trio.open_nursery() as nursery:
        near, far = await stream_pair(client, server)
        received: list[bytes] = []

        async def read() -> None:
            received.append(await near.receive_some())

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        near.connection.advise(errors.HostUnreachableError("the host is unreachable"))
        await near.send_all(b"x")
        await trio.sleep(1)
        assert received == []
        await far.send_all(b"y")
        await trio.sleep(1)
        assert received == [b"y"]


@pytest.mark.parametrize("address", [SERVER, SERVER6])
async def test_addresses(address: str, autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server):
        near, far = await stream_pair(client, server, address)
        assert near.remote == far.local
        assert far.remote == near.local
        assert near.remote[0] == address
        assert near.status().state == "ESTABLISHED"
        assert (CLIENT in near.local) == (address == SERVER)


@pytest.mark.parametrize("capabilities", [PLAIN, OFFLOAD], ids=["plain", "offload"])
async def test_bulk_arrives_whole(capabilities: LinkCapabilities, autojump_clock: trio.testing.MockClock) -> None:
    data = random.Random(3).randbytes(3_000_000)
    async with two_hosts(capabilities, time_slice=0.001) as (client, server), trio.open_nursery() as nursery:
        near, far = await stream_pair(client, server)

        async def send() -> None:
            await near.send_all(data)
            await near.aclose()

        nursery.start_soon(send)
        digest = hashlib.sha256()
        async for chunk in far:
            digest.update(chunk)
        assert digest.digest() == hashlib.sha256(data).digest()
        await far.aclose()


async def test_urgent_data_comes_in_line_up_to_its_mark(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=SMALL) as (client, server):
        near, far = await stream_pair(client, server)
        await near.send_all(b"urgent", urgent=True)
        await near.send_all(b"calm")
        await trio.sleep(1)
        assert far.urgent == 6
        assert [await far.receive_some(), await far.receive_some()] == [b"urgent", b"calm"]
        assert far.urgent == 0


async def test_news_of_urgent_data_wakes_no_reader(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=SMALL) as (client, server), trio.open_nursery() as nursery:
        near, far = await stream_pair(client, server)
        received: list[bytes] = []

        async def read() -> None:
            received.append(await far.receive_some())

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        far.on_ready(Ready.URGENT)
        await trio.testing.wait_all_tasks_blocked()
        assert received == []
        await near.send_all(b"text")
    assert received == [b"text"]


async def test_configuration_of_one_listener_and_one_stream(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server):
        (listener,) = await server.open_tcp_listeners(0, config=Config(nodelay=True))
        async with listener:
            near = await client.open_tcp_stream(SERVER, listener.port, config=Config(keepalive=True))
            far = await listener.accept()
        assert (near.get_option("keepalive"), near.get_option("nodelay")) == (True, False)
        assert (far.get_option("keepalive"), far.get_option("nodelay")) == (False, True)


async def test_mutable_data_may_change_after_send_all(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=SMALL) as (client, server):
        near, far = await stream_pair(client, server)
        data = bytearray(b"before")
        await near.send_all(data)
        data[:] = b"after!"
        assert await receive_exactly(far, 6) == b"before"


async def test_small_sends_of_one_pass_share_segments(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=Config(nodelay=True), time_slice=1000.0) as (client, server):
        near, far = await stream_pair(client, server)
        before = near.status().segments_out
        for _ in range(100):
            await near.send_all(b"0123456789")
        assert await receive_exactly(far, 1000) == b"0123456789" * 100
        assert near.status().segments_out - before <= 4


async def test_send_all_waits_for_the_receiver(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=SMALL) as (client, server), trio.open_nursery() as nursery:
        near, far = await stream_pair(client, server)
        done = trio.Event()

        async def send() -> None:
            await near.send_all(bytes(100_000))
            done.set()

        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        assert not done.is_set()
        assert far.status().recv_q <= 16384
        assert len(await receive_exactly(far, 100_000)) == 100_000
        await done.wait()


async def test_cancelled_receive_loses_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server):
        near, far = await stream_pair(client, server)
        with trio.move_on_after(1) as scope:
            await far.receive_some()
        assert scope.cancelled_caught
        await near.send_all(b"still here")
        await trio.sleep(1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await far.receive_some()
        assert scope.cancelled_caught
        assert await receive_exactly(far, 10) == b"still here"


async def test_cancelled_send_all_keeps_the_stream(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=SMALL) as (client, server):
        near, far = await stream_pair(client, server)
        with trio.move_on_after(1) as scope:
            await near.send_all(bytes(200_000))
        assert scope.cancelled_caught
        await near.send_eof()
        received = await receive_exactly(far, 200_000)
        assert 0 < len(received) < 200_000


@pytest.mark.parametrize("forcefully", [False, True])
async def test_close_delivers_what_is_queued(forcefully: bool, autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=SMALL) as (client, server):
        near, far = await stream_pair(client, server)
        await near.send_all(bytes(16000))
        with trio.CancelScope() as scope:
            if forcefully:
                scope.cancel()
            await near.aclose()
        assert len(await receive_exactly(far, 20_000)) == 16000
        await far.aclose()


async def test_abort_resets(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server):
        near, far = await stream_pair(client, server)
        near.abort()
        with pytest.raises(trio.BrokenResourceError) as caught:
            await far.receive_some()
        assert isinstance(caught.value.__cause__, errors.ConnectionResetError)
        with pytest.raises(trio.BrokenResourceError):
            await far.send_all(b"x")
        with pytest.raises(trio.ClosedResourceError):
            await near.receive_some()


async def test_bad_arguments(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server):
        near, _ = await stream_pair(client, server)
        with pytest.raises(ValueError, match="max_bytes"):
            await near.receive_some(0)
        with pytest.raises(ValueError, match="option"):
            near.set_option("no-such-option", 1)


async def test_options_of_a_live_connection(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server):
        near, _ = await stream_pair(client, server)
        near.set_option("nodelay", True)
        near.set_option("keepalive_idle", 60.0)
        assert near.get_option("nodelay") is True
        assert near.get_option("keepalive_idle") == 60.0
        assert near.status().nodelay


async def test_keepalive_finds_a_vanished_peer(autojump_clock: trio.testing.MockClock) -> None:
    """Two hours of silence, then ten probes 75 s apart."""
    async with two_hosts() as (client, server):
        near, _ = await stream_pair(client, server)
        near.set_option("keepalive", True)
        await server.link.aclose()
        started = trio.current_time()
        with pytest.raises(trio.BrokenResourceError) as caught:
            await near.receive_some()
        assert isinstance(caught.value.__cause__, errors.KeepaliveTimeoutError)
        assert trio.current_time() - started == pytest.approx(7200 + 10 * 75, abs=2)


async def test_keepalive_holds_a_living_peer(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (client, server):
        near, far = await stream_pair(client, server)
        near.set_option("keepalive", True)
        with trio.move_on_after(24 * 3600):
            await near.receive_some()
        await far.send_all(b"alive")
        assert await receive_exactly(near, 5) == b"alive"
