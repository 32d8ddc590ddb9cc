"""The server on tcpcore: two stacks in one process, joined by a memory link."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from tcpcore.driver import MemoryLink, open_stack
from tests.server.harness import Peer
from wireside_protocol.messages import ConnectionReport, Goodbye, Netstat, NetstatReport, Status
from wireside_server.app import serve
from wireside_server.config import Keepalive
from wireside_server.errors import StartError


async def test_chat_status_and_shutdown() -> None:
    here, there = MemoryLink.pair()
    lines: list[str] = []
    async with (
        open_stack(here, ["192.0.2.1/24"]) as client_host,
        open_stack(there, ["192.0.2.2/24"]) as server_host,
        trio.open_nursery() as nursery,
    ):
        keepalive = Keepalive(idle=60, interval=5, count=3)
        await nursery.start(partial(serve, host=server_host, keepalive=keepalive, log=lines.append))
        stream = await client_host.open_tcp_stream("192.0.2.2", 7070)
        ada = Peer(stream)
        await ada.hello("ada")
        await ada.join("lobby")
        assert (await ada.say("lobby", "hi", "m1")).seq == 1
        port = stream.local[1]
        await ada.send(Status(5), Netstat(6))
        report = await ada.wait_for(ConnectionReport)
        assert report.connection == f"192.0.2.1 {port} 7070"
        assert report.status["state"] == "ESTABLISHED"
        assert report.status["keepalive"] is True
        assert "keepalive" in {timer["name"] for timer in report.status["timers"]}
        netstat = await ada.wait_for(NetstatReport)
        assert [connection["remote_port"] for connection in netstat.connections] == [port]
        assert netstat.listeners[0]["port"] == 7070
        with pytest.raises(StartError, match="in use"):
            await serve(host=server_host)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            assert (await ada.end())[-1] == Goodbye("shutdown")
            await stream.aclose()
    assert "reason=shutdown" in next(line for line in lines if "event=gone" in line)


async def test_a_reset_closes_the_client() -> None:
    here, there = MemoryLink.pair()
    lines: list[str] = []
    gone = trio.Event()

    def log(line: str) -> None:
        lines.append(line)
        if "event=gone" in line:
            gone.set()

    async with (
        open_stack(here, ["192.0.2.1/24"]) as client_host,
        open_stack(there, ["192.0.2.2/24"]) as server_host,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(partial(serve, host=server_host, log=log))
        stream = await client_host.open_tcp_stream("192.0.2.2", 7070)
        await Peer(stream).hello("ada")
        stream.abort()
        await gone.wait()
        nursery.cancel_scope.cancel()
        await stream.aclose()
    assert 'nick=ada reason="reset by peer"' in next(line for line in lines if "event=gone" in line)
