"""Slow clients: they lag, they cost no memory, they hold up nobody."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from tests.server.harness import Peer, open_house
from wireside_protocol import encode
from wireside_protocol.messages import (
    Goodbye,
    Hello,
    Join,
    Joined,
    Ping,
    Pong,
    Presence,
    RoomMessage,
    Welcome,
)
from wireside_server import limits, session
from wireside_server.domain.rooms import Room
from wireside_server.output import Output


def message(seq: int, size: int = 1000) -> RoomMessage:
    return RoomMessage("lobby", seq, "ada", "x" * size, 1.0, f"m{seq}")


async def no_log(room: str, after: int) -> tuple[RoomMessage, ...]:
    raise AssertionError("the log on disk is not needed")


async def test_a_slow_reader_holds_up_nobody() -> None:
    async with open_house() as house:
        ada, ben = await house.enter("ada", "lobby"), await house.enter("ben", "lobby")
        slow = house.connect(trio.testing.lockstep_stream_pair())
        await slow.hello("slow")
        await slow.join("lobby")
        count = limits.TAIL_MESSAGES + 50
        for n in range(count):
            await ada.say("lobby", str(n), f"m{n}")
        expected = [str(n) for n in range(count)]
        assert await ben.texts(count) == expected
        assert await slow.texts(count) == expected
        await slow.stream.aclose()


async def test_a_client_that_takes_nothing_is_closed_as_slow(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house() as house:
        peer = house.connect(trio.testing.lockstep_stream_pair())
        await peer.send(Hello(1, 1, "x", "slow"))
        await trio.sleep(limits.SLOW_TIMEOUT + 1)
        assert "reason=slow" in house.logged("gone")[0]


async def test_a_client_that_does_not_read_its_replies_is_not_read_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wireside_server.output.MAX_REPLIES", 100)
    async with open_house() as house:
        pair = trio.testing.memory_stream_pair()
        peer = house.connect((pair[0], BlockedSender(pair[1])))
        await peer.send(Hello(1, 1, "x", "ada"), *(Ping(n) for n in range(1000)))
        await trio.testing.wait_all_tasks_blocked()
        (client,) = house.server._clients
        assert client.output._size < 300
        BlockedSender.gate.set()
        await peer.expect(Welcome)
        assert [(await peer.expect(Pong)).id for _ in range(1000)] == list(range(1000))


class BlockedSender(trio.abc.Stream):
    """A stream that sends nothing until ``gate`` is set."""

    gate: trio.Event

    def __init__(self, stream: trio.abc.Stream) -> None:
        type(self).gate = trio.Event()
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.gate.wait()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.gate.wait()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_output_of_one_turn_is_one_send() -> None:
    sent: list[bytes] = []

    class Recorder(trio.abc.SendStream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            sent.append(bytes(data))
            await trio.lowlevel.checkpoint()

        async def wait_send_all_might_not_block(self) -> None:
            await trio.lowlevel.checkpoint()

        async def aclose(self) -> None:
            await trio.lowlevel.checkpoint()

    output = Output(Recorder(), no_log)
    room = Room("lobby")
    output.follow(room, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.run)
        await trio.testing.wait_all_tasks_blocked()
        output.post(b"reply")
        for seq in range(1, 4):
            room.log.append(encode(message(seq, 5)))
            output.notify(room)
        await trio.testing.wait_all_tasks_blocked()
        output.finish()
    assert sent == [b"reply" + b"".join(encode(message(seq, 5)) for seq in range(1, 4))]


async def test_a_lagging_client_gets_no_presence() -> None:
    output = Output(trio.testing.memory_stream_pair()[0], no_log)
    output.post(bytes(limits.MAX_REPLIES))
    before = output._size
    output.offer(encode(Presence("lobby", "ada", joined=True)))
    assert output._size == before


async def test_catching_up_stops_when_the_room_is_left() -> None:
    asked = trio.Event()
    go_on = trio.Event()

    async def read(room: str, after: int) -> tuple[RoomMessage, ...]:
        asked.set()
        await go_on.wait()
        return (message(after + 1),)

    ours, theirs = trio.testing.memory_stream_pair()
    output = Output(theirs, read)
    room = Room("lobby", last=5)
    output.follow(room, 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.run)
        await asked.wait()
        output.unfollow(room)
        go_on.set()
        output.finish()
    await theirs.aclose()
    assert await Peer(ours).end() == []


def test_log_keeps_a_tail() -> None:
    room = Room("lobby")
    for seq in range(1, limits.TAIL_MESSAGES + 11):
        room.log.append(b"%04d" % seq)
    assert (room.log.first, room.log.last) == (11, limits.TAIL_MESSAGES + 10)
    assert room.log.since(9) is None
    assert room.log.since(room.log.last - 2) == (b"05210522", 522)
    assert room.log.since(room.log.last) == (b"", 522)


def test_log_is_bounded_in_bytes_and_given_in_parts() -> None:
    room = Room("lobby")
    for _ in range(100):
        room.log.append(bytes(10_000))
    assert room.log.last - room.log.first + 1 == limits.TAIL_SIZE // 10_000
    found = room.log.since(room.log.first - 1)
    assert found is not None
    assert len(found[0]) <= limits.FLUSH_SIZE
    assert found[1] == room.log.first - 1 + limits.FLUSH_SIZE // 10_000


def test_members_share_the_same_bytes() -> None:
    room = Room("lobby")
    room.log.append(b"one")
    room.log.append(b"two")
    first, second = room.log.since(0), room.log.since(0)
    assert first is not None
    assert second is not None
    assert first[0] is second[0]


async def test_too_many_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wireside_server.server.MAX_CLIENTS", 1)
    async with open_house() as house:
        await house.enter("ada", "lobby")
        assert await house.connect().end() == [Goodbye("too-many")]


async def test_a_fault_in_one_client_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def faulty(client: session.Client, request: object) -> None:
        raise RuntimeError("a fault")

    async with open_house() as house:
        ada = await house.enter("ada", "lobby")
        bad = await house.enter("bad", "lobby")
        with monkeypatch.context() as patch:
            patch.setattr(session, "answer", faulty)
            await bad.send(Ping(1))
            assert await bad.end() == []
        await ada.send(Join(5, "other"))
        await ada.wait_for(Joined)
        assert "a fault" in house.logged('"internal error"')[0]
        assert (await house.enter("bad", "lobby")) is not None
