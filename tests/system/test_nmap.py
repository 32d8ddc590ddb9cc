"""``nmap`` probes our stack: its verdict on our sequence numbers, and whether anything breaks."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tcpcore.driver import Host, TCPStream
from tests.conftest import in_ci
from tests.server.harness import Peer, open_house
from tests.system.kernel import OURS, OURS6, connect_kernel, deadline, echo, running_host

pytestmark = [
    pytest.mark.tun,
    pytest.mark.skipif(shutil.which("nmap") is None and not in_ci(), reason="no nmap command"),
]

ECHO, CHAT, CLOSED = 7, 7070, 9
PATIENCE = 60.0


@asynccontextmanager
async def services(rng: random.Random) -> AsyncIterator[Host]:
    """Echo and chat on our stack."""
    async with open_house() as house, running_host(rng) as host, trio.open_nursery() as nursery:
        for port, handler in ((ECHO, _echo), (CHAT, house.serve)):
            nursery.start_soon(trio.serve_listeners, handler, await host.open_tcp_listeners(port))
        yield host
        nursery.cancel_scope.cancel()


async def _echo(stream: TCPStream) -> None:
    try:
        await echo(stream)
    except trio.BrokenResourceError:
        pass  # a scanner takes its leave with a RST


async def nmap(*arguments: str) -> str:
    """What ``nmap`` prints when it probes an open, an open and a closed port, and nothing else."""
    ports = ["-p", f"{ECHO},{CHAT},{CLOSED}"]
    command = ["nmap", "-v", "-Pn", "-n", "--disable-arp-ping", "--host-timeout", "45s", *ports, *arguments]
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT, check=False)
    output = done.stdout.decode()
    assert done.returncode == 0, output
    return output


@pytest.mark.parametrize("address", [OURS, OURS6], ids=["ipv4", "ipv6"])
async def test_nmap_finds_no_pattern_and_breaks_nothing(rng: random.Random, address: str) -> None:
    # In IPv6 without -sV, which takes seconds and is above IP
    options = ["-sV", "--version-light"] if address == OURS else ["-6"]
    async with services(rng) as host:
        output = await nmap("-O", "--max-os-tries", "1", *options, address)
        found = dict(re.findall(r"^(\d+)/tcp +(\w+)", output, re.MULTILINE))
        assert found == {str(ECHO): "open", str(CHAT): "open", str(CLOSED): "closed"}, output
        if address == OURS:  # nmap rates sequence numbers in IPv4 only
            assert re.search(r"TCP Sequence Prediction: Difficulty=\d+ \(Good luck!\)", output), output
        await check_services(address)
        assert all(status.half_open <= 10 for status in host.listener_statuses())


async def check_services(address: str) -> None:
    """Echo and chat go on as if nothing had been."""
    with deadline():
        async with await connect_kernel(address, ECHO) as stream:
            await stream.send_all(b"still there?")
            assert await stream.receive_some() == b"still there?"
        async with await connect_kernel(address, CHAT) as stream:
            peer = Peer(stream)
            await peer.hello("visitor")
            await peer.join("hall")
            await peer.say("hall", "hello", "m1")
            assert await peer.texts(1) == ["hello"]
