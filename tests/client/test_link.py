"""The seam between asyncio and trio."""

from __future__ import annotations

import asyncio
import threading

import trio

from wireside_client.events import Event, JoinRoom, RoundTrip
from wireside_client.link import Port, ThreadLink
from wireside_client.net import Net
from wireside_client.session import Session


def collect(link: ThreadLink, enough: int) -> tuple[list[list[Event]], list[BaseException | None]]:
    batches: list[list[Event]] = []
    ends: list[BaseException | None] = []

    async def main() -> None:
        done = asyncio.Event()

        def deliver(events: list[Event]) -> None:
            batches.append(events)
            if sum(map(len, batches)) >= enough:
                done.set()

        def on_end(error: BaseException | None) -> None:
            ends.append(error)
            done.set()

        link.start(deliver, on_end)
        await asyncio.wait_for(done.wait(), 5)
        await link.stop()

    asyncio.run(main())
    assert not [thread for thread in threading.enumerate() if thread.name == "trio-net"]
    return batches, ends


def test_events_arrive_in_order_in_few_batches_and_a_full_buffer_holds_the_network() -> None:
    async def main(port: Port) -> None:
        for number in range(1000):
            await port.ready()
            port.sink(RoundTrip(float(number)))
            assert port.waiting <= 300
        await trio.sleep_forever()

    batches, ends = collect(ThreadLink(main, limit=300), 1000)
    assert [event.seconds for batch in batches for event in batch if isinstance(event, RoundTrip)] == list(range(1000))
    assert len(batches) < 20
    assert ends == [None]


def test_an_exception_in_the_network_is_told() -> None:
    async def main(port: Port) -> None:
        raise RuntimeError("broken")

    link = ThreadLink(main)
    _, ends = collect(link, 1)
    assert [str(error) for error in ends] == ["broken"]
    assert link.send(JoinRoom("x")) is False


def test_commands_reach_the_session_even_when_they_come_early() -> None:
    session = Session("you")

    async def connect() -> trio.abc.Stream:
        raise OSError("nobody there")

    async def main(port: Port) -> None:
        net = Net(session, connect, port.sink)
        port.execute(JoinRoom("early"))
        port.attach(net)
        port.execute(JoinRoom("late"))
        port.sink(RoundTrip(0.0))
        await trio.sleep_forever()

    collect(ThreadLink(main), 1)
    assert list(session.rooms) == ["early", "late"]
