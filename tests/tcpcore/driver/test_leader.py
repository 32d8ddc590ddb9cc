"""The task that waits for data reads the link itself, for all; when it stops, somebody else reads."""

from __future__ import annotations

import itertools

import pytest
import trio
import trio.testing

from tcpcore import Config
from tcpcore.driver import Host, TCPStream, engine
from tcpcore.driver.engine import FEW, WAKE
from tcpcore.driver.link import BATCH
from tcpcore.wire.packet import Packet
from tests.tcpcore.driver.helpers import receive_exactly, stream_pair, two_hosts

NODELAY = Config(nodelay=True)


class Reader:
    """A task that reads on, and what it got."""

    def __init__(self, stream: TCPStream) -> None:
        self.stream = stream
        self.received: list[bytes] = []
        self.error: BaseException | None = None
        self.scope = trio.CancelScope()

    async def run(self) -> None:
        with self.scope:
            try:
                while data := await self.stream.receive_some():
                    self.received.append(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self.error = error


async def leading(client: Host, server: Host, nursery: trio.Nursery) -> tuple[TCPStream, Reader]:
    """A connection whose reader at the server leads, and its other end."""
    near, far = await stream_pair(client, server)
    reader = Reader(far)
    nursery.start_soon(reader.run)
    await trio.testing.wait_all_tasks_blocked()
    await say(near, b"first")
    assert reader.received == [b"first"]
    assert far.leads
    return near, reader


async def say(stream: TCPStream, message: bytes) -> None:
    await stream.send_all(message)
    await trio.testing.wait_all_tasks_blocked()


async def test_leader_hears_its_own(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=NODELAY) as (client, server), trio.open_nursery() as nursery:
        near, reader = await leading(client, server, nursery)
        for number in range(100):
            await say(near, b"%d" % number)
        assert reader.received == [b"first", *(b"%d" % number for number in range(100))]
        assert reader.stream.leads
        nursery.cancel_scope.cancel()


async def test_leader_reads_for_others(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=NODELAY) as (client, server), trio.open_nursery() as nursery:
        _, leader = await leading(client, server, nursery)
        near, far = await stream_pair(client, server)
        other = Reader(far)
        nursery.start_soon(other.run)
        await say(near, b"for the other")
        assert other.received == [b"for the other"]
        assert leader.stream.leads
        assert not far.leads
        nursery.cancel_scope.cancel()


async def test_cancelled_leader_leaves_the_link_to_others(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=NODELAY) as (client, server), trio.open_nursery() as nursery:
        near, leader = await leading(client, server, nursery)
        other_near, far = await stream_pair(client, server)
        leader.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert not leader.stream.leads
        await say(near, b"kept")
        await say(other_near, b"for the other")
        assert await receive_exactly(far, 13) == b"for the other"
        assert await receive_exactly(leader.stream, 4) == b"kept"


async def test_leader_that_does_not_come_back_is_replaced(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=NODELAY) as (client, server), trio.open_nursery() as nursery:
        near, far = await stream_pair(client, server)
        other_near, other_far = await stream_pair(client, server)

        async def read_once() -> None:
            await far.receive_some()
            await far.receive_some()
            await trio.sleep_forever()

        nursery.start_soon(read_once)
        await trio.testing.wait_all_tasks_blocked()
        await say(near, b"once")
        assert far.leads
        await say(near, b"twice")
        assert not far.leads
        await say(other_near, b"read by the pump")
        assert other_far.connection.readable
        nursery.cancel_scope.cancel()


async def test_leader_whose_stream_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=NODELAY) as (client, server), trio.open_nursery() as nursery:
        _, leader = await leading(client, server, nursery)
        await leader.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(leader.error, trio.ClosedResourceError)
        near, far = await stream_pair(client, server)
        await say(near, b"goes on")
        assert await receive_exactly(far, 7) == b"goes on"


async def test_leader_hears_of_a_timeout(autojump_clock: trio.testing.MockClock) -> None:
    """It sleeps at the link, where no packet comes any more."""
    async with two_hosts(config=NODELAY) as (client, server), trio.open_nursery() as nursery:
        _, leader = await leading(client, server, nursery)
        leader.stream.set_option("keepalive", True)
        await client.link.aclose()
        await trio.sleep(3 * 3600)
        assert isinstance(leader.error, trio.BrokenResourceError)


async def test_leader_when_the_link_goes(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts(config=NODELAY) as (client, server), trio.open_nursery() as nursery:
        _, leader = await leading(client, server, nursery)
        await server.link.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(leader.error, trio.BrokenResourceError)
        with pytest.raises(OSError, match="link"):
            await server.open_tcp_listeners(0)


async def test_data_that_waits_in_the_link_costs_a_checkpoint(autojump_clock: trio.testing.MockClock) -> None:
    """With a slice of 0 each call is a schedule point, also one that only had to read the link."""
    async with two_hosts(config=NODELAY) as (client, server):
        near, far = await stream_pair(client, server)
        await near.send_all(b"hand over")
        await far.receive_some()
        await near.send_all(b"read by me")
        await far.receive_some()
        now = trio.current_time()
        near.connection.send(b"there already", now)
        near._engine.turn(now)
        with trio.testing.assert_checkpoints():
            assert await far.receive_some() == b"there already"


async def test_nobody_is_silent_while_packets_may_wait(autojump_clock: trio.testing.MockClock) -> None:
    """Also when they are read one by one; timers that wait for an answer look at ``Stack.unheard``."""
    async with two_hosts() as (client, server):
        await trio.testing.wait_all_tasks_blocked()
        client.link.send([Packet(b"nonsense")] * 2)
        seen = [(server._engine.receive(), server.stack.unheard) for _ in range(3)]
        assert seen == [(1, True), (1, True), (0, False)]


@pytest.mark.parametrize("count", [5 * WAKE, FEW + 1 + 5 * BATCH])
async def test_many_are_woken_in_several_passes_and_read_for_meanwhile(
    count: int, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "perf_counter", lambda: 0.0)  # reading ahead is bounded by time
    async with two_hosts(config=NODELAY) as (client, server), trio.open_nursery() as nursery:
        pairs = [await stream_pair(client, server) for _ in range(count)]
        readers = [Reader(far) for _, far in pairs]
        for reader in readers:
            nursery.start_soon(reader.run)
        await trio.testing.wait_all_tasks_blocked()
        for near, _ in pairs:
            near.connection.send(b"to all", trio.current_time())
        client._engine.drain()
        passes: list[tuple[int, int]] = []
        while not passes or passes[-1][0] < count:
            await trio.lowlevel.cancel_shielded_checkpoint()
            done = sum(bool(reader.received) for reader in readers)
            passes.append((done, sum(far.connection.readable for _, far in pairs)))
        assert max(later[0] - before[0] for before, later in itertools.pairwise(passes)) <= 2 * WAKE
        assert max(waiting for _, waiting in passes) > 3 * WAKE
        nursery.cancel_scope.cancel()
