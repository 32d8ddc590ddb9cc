"""What a client sees: hello, rooms, messages, history, resuming, errors."""

from __future__ import annotations

import trio
import trio.testing

from tests.server.harness import TIME, open_house
from wireside_protocol import encode
from wireside_protocol.messages import (
    ConnectionReport,
    Error,
    Goodbye,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Left,
    Netstat,
    NetstatReport,
    People,
    Ping,
    Pong,
    Presence,
    RoomMessage,
    Said,
    Say,
    Status,
    Welcome,
    Who,
)


async def test_hello_join_say() -> None:
    async with open_house() as house:
        ada = house.connect()
        welcome = await ada.hello("ada")
        assert (welcome.version, welcome.nick, welcome.time) == (1, "ada", TIME)
        assert await ada.join("lobby") == Joined(2, "lobby", 0, ("ada",))
        await ada.send(Say(3, "lobby", "hello", "m1"))
        replies = [await ada.receive(), await ada.receive()]
        assert Said(3, "lobby", 1, TIME, "m1") in replies
        assert RoomMessage("lobby", 1, "ada", "hello", TIME, "m1") in replies


async def test_everybody_in_the_room_gets_the_message_and_the_presence() -> None:
    async with open_house() as house:
        ada = await house.enter("ada", "lobby")
        ben = await house.enter("ben", "lobby")
        assert await ada.expect(Presence) == Presence("lobby", "ben", joined=True)
        eve = await house.enter("eve", "other")
        await ben.say("lobby", "hi", "m1")
        assert (await ada.expect(RoomMessage)).nick == "ben"
        await ben.send(Leave(9, "lobby"))
        assert await ben.wait_for(Left) == Left(9, "lobby")
        assert await ada.expect(Presence) == Presence("lobby", "ben", joined=False)
        await eve.send(Ping(5))
        assert await eve.expect(Pong) == Pong(5, TIME)


async def test_first_request_must_be_hello() -> None:
    async with open_house() as house:
        peer = house.connect()
        await peer.send(Ping(4))
        assert (await peer.expect(Error)).code == "not-welcome"
        await peer.hello("ada")
        await peer.send(Hello(5, 1, "x", "ada"))
        assert (await peer.expect(Error)).code == "not-welcome"


async def test_errors_of_hello() -> None:
    async with open_house() as house:
        await house.enter("ada", "lobby")
        peer = house.connect()
        wrong = {
            "version": Hello(1, 2, "x", "ben"),
            "bad-nick": Hello(1, 1, "x", "b e n"),
            "nick-in-use": Hello(1, 1, "x", "ADA"),
            "too-long": Hello(1, 1, "x" * 101, "ben"),
        }
        for code, hello in wrong.items():
            await peer.send(hello)
            assert (await peer.expect(Error)).code == code
        await peer.hello("ben")


async def test_errors_of_requests() -> None:
    async with open_house() as house:
        peer = await house.enter("ada", "lobby")
        wrong = [
            ("bad-room", Join(7, "#lobby")),
            ("not-in-room", Say(7, "other", "x", "m")),
            ("not-in-room", Leave(7, "other")),
            ("not-in-room", History(7, "other")),
            ("too-long", Say(7, "lobby", "x" * 4097, "m")),
            ("bad-request", Say(7, "lobby", "x", "")),
            ("bad-room", Who(7, "")),
            ("unavailable", Status(7)),
            ("unavailable", Netstat(7)),
        ]
        for code, request in wrong:
            await peer.send(request)
            error = await peer.expect(Error)
            assert (error.id, error.code) == (7, code)


async def test_too_many_rooms() -> None:
    async with open_house() as house:
        peer = await house.enter("ada", "room0")
        await peer.send(*(Join(n, f"room{n}") for n in range(1, 101)))
        for _ in range(99):
            await peer.expect(Joined)
        assert (await peer.expect(Error)).code == "too-many"


async def test_bad_message_leaves_the_connection_open() -> None:
    async with open_house() as house:
        peer = await house.enter("ada", "lobby")
        await peer.stream.send_all(b"\x82\xa1t\xa5dance\xa2id\x07" + encode(Ping(8)))
        assert await peer.expect(Error) == Error(7, "unknown-type", "there is no message 'dance' here")
        await peer.expect(Pong)


async def test_garbage_closes_that_connection_alone() -> None:
    async with open_house() as house:
        ada = await house.enter("ada", "lobby")
        bad = await house.enter("bad", "lobby")
        await bad.stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        error, goodbye = await bad.end()
        assert isinstance(error, Error)
        assert goodbye == Goodbye("bad-request")
        assert [(await ada.expect(Presence)).joined for _ in range(2)] == [True, False]
        assert "protocol error" in house.logged("gone")[0]


async def test_an_oversize_message_closes_the_connection() -> None:
    async with open_house() as house:
        peer = await house.enter("ada", "lobby")
        await peer.stream.send_all(b"\x81\xa1t\xdb\x00\xff\xff\xff" + bytes(70_000))
        assert (await peer.end())[-1] == Goodbye("too-long")


async def test_repeating_a_message_id_makes_no_second_message() -> None:
    async with open_house() as house:
        ada = await house.enter("ada", "lobby")
        first = await ada.say("lobby", "once", "m1")
        await ada.say("lobby", "twice", "m2")
        assert await ada.say("lobby", "once", "m1") == first
        await ada.send(Say(4, "lobby", "a", "m3"), Say(5, "lobby", "a", "m3"))
        assert (await ada.wait_for(Said)).seq == (await ada.wait_for(Said)).seq == 3
        ben = await house.enter("ben", "lobby", after=0)
        assert await ben.texts(3) == ["once", "twice", "a"]


async def test_resume_after_a_broken_connection() -> None:
    async with open_house() as house:
        ada, ben = await house.enter("ada", "lobby"), await house.enter("ben", "lobby")
        for n in range(3):
            await ben.say("lobby", str(n), f"m{n}")
        assert await ada.texts(2) == ["0", "1"]
        await ada.stream.aclose()
        await ben.wait_for(Presence)
        await ben.say("lobby", "3", "m3")
        again = house.connect()
        await again.hello("ada")
        assert (await again.join("lobby", after=2)).last == 4
        assert [await again.expect(RoomMessage) for _ in range(2)] == [
            RoomMessage("lobby", 3, "ben", "2", TIME, "m2"),
            RoomMessage("lobby", 4, "ben", "3", TIME, "m3"),
        ]


async def test_token_takes_the_nick_over() -> None:
    async with open_house() as house:
        ben = await house.enter("ben", "lobby")
        old = house.connect()
        (token,) = (await old.hello("ada")).features
        await old.join("lobby")
        new = house.connect()
        await new.send(Hello(1, 1, "x", "ada", ("resume:wrong",)))
        assert (await new.expect(Error)).code == "nick-in-use"
        await new.send(Hello(1, 1, "x", "ada", (token,)))
        welcome = await new.expect(Welcome)
        assert welcome.features != (token,)
        assert await old.end() == [Goodbye("replaced")]
        assert (await new.join("lobby")).members == ("ada", "ben")
        assert [(await ben.expect(Presence)).joined for _ in range(3)] == [True, False, True]
        assert "reason=replaced" in house.logged("gone")[0]


async def test_after_beyond_the_end_means_the_end() -> None:
    async with open_house() as house:
        ada = await house.enter("ada", "lobby", after=99)
        await ada.say("lobby", "x", "m1")


async def test_history_pages() -> None:
    async with open_house() as house:
        ada = await house.enter("ada", "lobby")
        for n in range(1, 8):
            await ada.say("lobby", str(n), f"m{n}")
        expected = {
            History(5, "lobby", limit=3): (["1", "2", "3"], True),
            History(5, "lobby", after=4, limit=3): (["5", "6", "7"], False),
            History(5, "lobby", before=6, limit=2): (["4", "5"], True),
            History(5, "lobby", before=3, limit=5): (["1", "2"], False),
            History(5, "lobby", after=3, before=6): (["4", "5"], False),
            History(5, "lobby", after=9): ([], False),
        }
        for request, (texts, more) in expected.items():
            await ada.send(request)
            page = await ada.wait_for(HistoryPage)
            assert ([message.text for message in page.messages], page.more) == (texts, more)


async def test_who() -> None:
    async with open_house() as house:
        ada = await house.enter("ada", "lobby")
        await house.enter("Ben", "lobby")
        await house.enter("eve", "other")
        await ada.send(Who(4), Who(5, "lobby"), Who(6, "empty"))
        assert (await ada.wait_for(People)).rooms == {"lobby": ("ada", "Ben"), "other": ("eve",)}
        assert (await ada.expect(People)).rooms == {"lobby": ("ada", "Ben")}
        assert (await ada.expect(People)).rooms == {"empty": ()}


class FakeInspector:
    """A stack with one connection, and far too many of it in netstat."""

    def connection(self, key: str) -> dict[str, object] | None:
        return {"state": "ESTABLISHED"} if key == "192.0.2.1 1234 7070" else None

    def netstat(self) -> dict[str, object]:
        connections = [{"filler": "x" * 2000}] * 1000
        return {"connections": connections, "listeners": [{"port": 7070}], "statistics": {"drops": {}}}


async def test_status_and_netstat() -> None:
    inspector = FakeInspector()
    async with open_house(inspector=inspector) as house:
        peer = house.connect(connection="192.0.2.1 1234 7070")
        await peer.hello("ada")
        await peer.send(Status(1), Status(2, "192.0.2.9 1 7070"), Status(3, "nonsense"), Netstat(4))
        expected = ConnectionReport(1, "192.0.2.1 1234 7070", {"state": "ESTABLISHED"})
        assert await peer.expect(ConnectionReport) == expected
        assert (await peer.expect(Error)).code == "unavailable"
        assert (await peer.expect(Error)).code == "bad-request"
        report = await peer.expect(NetstatReport)
        assert 0 < len(report.connections) < 1000
        assert report.listeners == ({"port": 7070},)


async def test_half_close_gets_its_replies() -> None:
    async with open_house() as house:
        pair = trio.testing.memory_stream_pair()
        peer = house.connect(pair)
        await peer.hello("ada")
        await peer.join("lobby")
        await peer.send(Say(3, "lobby", "bye", "m1"), Ping(4))
        await pair[0].send_eof()
        kinds = {type(message) for message in await peer.end()}
        assert {Pong, Said} <= kinds
        assert "reason=clean" in house.logged("gone")[0]


async def test_no_hello_in_time(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house() as house:
        peer = house.connect()
        assert await peer.end() == [Goodbye("no hello")]
        assert autojump_clock.current_time() >= 30
        assert 'reason="no hello"' in house.logged("gone")[0]


async def test_shutdown_says_goodbye() -> None:
    async with open_house() as house:
        ada = await house.enter("ada", "lobby")
        house.server.dismiss_all("shutdown")
        assert await ada.end() == [Goodbye("shutdown")]
        late = house.connect()
        assert await late.end() == [Goodbye("shutdown")]
