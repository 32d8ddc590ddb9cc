"""The runner over memory streams and a scripted server, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import trio
import trio.testing

from wireside_client.events import Event, LinkChanged, LinkState, Rename
from wireside_client.net import Backoff, Net
from wireside_client.session import Session
from wireside_protocol import Decoder, encode
from wireside_protocol.messages import Error, Hello, Join, Joined, Message, Ping, Pong, RoomMessage, Said, Say, Welcome


class Server:
    """Answers as a server would; remembers what was said, so that a repetition is seen."""

    def __init__(self) -> None:
        self.log: list[RoomMessage] = []
        self.say_count = 0
        self.acknowledge = True
        self.answer_pings = True
        self.taken: set[str] = set()
        self.attempts: list[float] = []
        self.reachable = True
        self.streams: list[trio.abc.Stream] = []
        self.nursery: trio.Nursery

    async def connect(self) -> trio.abc.Stream:
        self.attempts.append(trio.current_time())
        if not self.reachable:
            raise OSError("unreachable")
        near, far = trio.testing.memory_stream_pair()
        self.streams.append(far)
        self.nursery.start_soon(self._serve, far)
        return near

    async def _serve(self, stream: trio.abc.Stream) -> None:
        decoder = Decoder()
        try:
            async for data in stream:
                decoder.receive_data(data)
                while (message := decoder.next_message()) is not None:
                    for reply in self._reply(message):
                        await stream.send_all(encode(reply))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    def _reply(self, message: Message) -> list[Message]:
        match message:
            case Hello():
                if message.nick in self.taken:
                    return [Error(message.id, "nick-in-use", f"{message.nick} is taken")]
                return [Welcome(message.id, 1, "test", message.nick, (), 0.0)]
            case Join():
                after = message.after
                missed = [] if after is None else self.log[after:]
                return [Joined(message.id, message.room, len(self.log), ()), *missed]
            case Ping():
                return [Pong(message.id, 0.0)] if self.answer_pings else []
            case Say():
                return self._say(message)
        return []

    def _say(self, say: Say) -> list[Message]:
        self.say_count += 1
        known = next((one for one in self.log if one.message_id == say.message_id), None)
        if known is None:
            known = RoomMessage(say.room, len(self.log) + 1, "you", say.text, 0.0, say.message_id)
            self.log.append(known)
        if not self.acknowledge:
            return []
        return [known, Said(say.id, say.room, known.seq, 0.0, say.message_id)]


class Client:
    def __init__(self, server: Server) -> None:
        self.events: list[Event] = []
        self.session = Session("you", ["lobby"], backlog=0)
        self.net = Net(self.session, server.connect, self.events.append, backoff=Backoff(rng=random.Random(1)))

    def states(self) -> list[LinkState]:
        return [event.state for event in self.events if isinstance(event, LinkChanged)]

    def texts(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, RoomMessage)]


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.001)


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)


async def test_reconnects_resumes_and_repeats_what_was_not_acknowledged(clock: trio.testing.MockClock) -> None:
    server = Server()
    client = Client(server)
    async with trio.open_nursery() as server.nursery:
        server.nursery.start_soon(client.net.run)
        await until(lambda: client.session.rooms["lobby"].joined)
        client.net.say("lobby", "one")
        await until(lambda: client.texts() == ["one"])
        server.acknowledge = False
        client.net.say("lobby", "two")
        await until(lambda: len(server.log) == 2)
        server.acknowledge = True
        await server.streams[-1].aclose()
        await until(lambda: not client.session.unsent)
        await until(lambda: len(client.texts()) == 2)
        server.nursery.cancel_scope.cancel()
    assert client.texts() == ["one", "two"]
    assert [message.text for message in server.log] == ["one", "two"]
    assert server.say_count == 3
    assert client.states() == [LinkState.CONNECTING, LinkState.ONLINE, LinkState.RECONNECTING, LinkState.ONLINE]


async def test_backs_off_up_to_a_limit(clock: trio.testing.MockClock) -> None:
    server = Server()
    server.reachable = False
    client = Client(server)
    async with trio.open_nursery() as server.nursery:
        server.nursery.start_soon(client.net.run)
        await until(lambda: len(server.attempts) == 12)
        server.nursery.cancel_scope.cancel()
    waits = [later - earlier for earlier, later in zip(server.attempts, server.attempts[1:], strict=False)]
    for number, wait in enumerate(waits):
        ceiling = min(30.0, 0.5 * 2**number)
        assert ceiling / 2 <= wait <= ceiling
    first = client.events[1]
    assert isinstance(first, LinkChanged)
    assert first.reason == "unreachable"
    assert first.retry_in == pytest.approx(waits[0])


async def test_a_silent_server_is_taken_for_dead(clock: trio.testing.MockClock) -> None:
    server = Server()
    client = Client(server)
    async with trio.open_nursery() as server.nursery:
        server.nursery.start_soon(client.net.run)
        await until(lambda: client.session.rooms["lobby"].joined)
        await trio.sleep(100)
        assert LinkState.RECONNECTING not in client.states()
        server.answer_pings = False
        silent_since = trio.current_time()
        await until(lambda: LinkState.RECONNECTING in client.states())
        assert trio.current_time() - silent_since <= 46
        server.nursery.cancel_scope.cancel()


async def test_a_connection_attempt_that_hangs_is_given_up(clock: trio.testing.MockClock) -> None:
    attempts = []

    async def connect() -> trio.abc.Stream:
        attempts.append(trio.current_time())
        await trio.sleep_forever()
        raise AssertionError

    net = Net(Session("you"), connect, lambda event: None)
    with trio.move_on_after(11):
        await net.run()
    assert len(attempts) == 2


async def test_a_taken_nick_waits_for_another_one(clock: trio.testing.MockClock) -> None:
    server = Server()
    server.taken.add("you")
    client = Client(server)
    async with trio.open_nursery() as server.nursery:
        server.nursery.start_soon(client.net.run)
        await until(lambda: LinkState.REFUSED in client.states())
        await trio.sleep(1000)
        assert len(server.attempts) == 1
        client.net.execute(Rename("me"))
        await until(lambda: client.session.rooms["lobby"].joined)
        assert client.session.nick == "me"
        server.nursery.cancel_scope.cancel()


async def test_nonsense_from_the_server_leads_to_another_attempt(clock: trio.testing.MockClock) -> None:
    server = Server()
    client = Client(server)
    async with trio.open_nursery() as server.nursery:
        server.nursery.start_soon(client.net.run)
        await until(lambda: client.session.rooms["lobby"].joined)
        await server.streams[-1].send_all(b"\xc1" * 10)
        await until(lambda: len(server.attempts) == 2)
        server.nursery.cancel_scope.cancel()
    reasons = [event.reason for event in client.events if isinstance(event, LinkChanged)]
    assert any("protocol" in reason for reason in reasons)
