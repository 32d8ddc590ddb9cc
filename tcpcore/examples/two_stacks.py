"""Two stacks talk in one process over a link in memory, in virtual time: no network and no waiting."""

import trio
import trio.testing

from tcpcore.driver import Host, MemoryLink, open_stack


async def serve_one(host: Host, *, task_status: trio.TaskStatus[None]) -> None:
    """Answer one client in capitals, an hour late."""
    (listener,) = await host.open_tcp_listeners(7)
    task_status.started()
    stream = await listener.accept()
    async with stream:
        question = await stream.receive_some()
        await trio.sleep(3600)
        await stream.send_all(question.upper())


async def main() -> None:
    """Ask, and print the answer with what TCP made of it."""
    left, right = MemoryLink.pair()
    async with (
        open_stack(left, ["192.0.2.1/24"]) as client,
        open_stack(right, ["192.0.2.2/24"]) as server,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(serve_one, server)
        async with await client.open_tcp_stream("192.0.2.2", 7) as stream:
            await stream.send_all(b"is anybody there?")
            print(await stream.receive_some())  # noqa: T201
            status = stream.status()
            print(f"{status.state}, round trip {status.srtt} s, {status.segments_out} segments sent")  # noqa: T201


if __name__ == "__main__":
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
