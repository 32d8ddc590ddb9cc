"""ICMP echo, asked by the system's own ``ping``."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import trio

from tcpcore.driver import Host
from tests.system.kernel import OURS, OURS6

pytestmark = [pytest.mark.tun, pytest.mark.skipif(shutil.which("ping") is None, reason="no ping command")]


@pytest.mark.parametrize("size", [0, 56, 1400, 4000])
@pytest.mark.parametrize("address", [OURS, OURS6], ids=["ipv4", "ipv6"])
async def test_ping_is_answered(host: Host, address: str, size: int) -> None:
    command = ["ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", "-s", str(size), address]
    done = await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT, check=False)
    assert b"2 received, 0% packet loss" in done.stdout, done.stdout.decode()
