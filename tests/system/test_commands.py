"""The commands as a user runs them: processes of their own, over a TUN in a namespace of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest
import trio

from tests.system.kernel import OURS, connect_kernel, deadline

pytestmark = pytest.mark.tun

SCRIPTS = sysconfig.get_path("scripts")


def test_the_headless_demo_delivers_everything_exactly_once() -> None:
    command = [f"{SCRIPTS}/wireside", "demo", "--headless", "--seconds", "3", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "each arrived exactly once and in order at 4 people" in lines[-1]
    assert sum("ESTABLISHED" in line for line in lines) == 4
    assert "running in memory" not in done.stdout + done.stderr


async def test_the_server_serves_tells_netstat_and_leaves_with_fin(tmp_path: Path) -> None:
    control = tmp_path / "control"
    common = ["--control", str(control)]
    run = [f"{SCRIPTS}/wireside-server", "run", "--database", str(tmp_path / "db"), *common]
    netstat = [f"{SCRIPTS}/wireside-server", "netstat", "--json", *common]
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            server: trio.Process = await nursery.start(trio.run_process, run)
            while not await trio.Path(control).exists():
                await trio.lowlevel.checkpoint()
            stream = await connect_kernel(OURS, 7070)
            told = await trio.run_process(netstat, capture_stdout=True)
            report = json.loads(told.stdout)
            assert [entry["state"] for entry in report["connections"]] == ["ESTABLISHED"]
            assert report["listeners"][0]["port"] == 7070
            server.send_signal(signal.SIGTERM)
            with deadline():
                while await stream.receive_some():
                    pass  # what the server says before its FIN
            await stream.aclose()
    assert server.returncode == 0
    assert not await trio.Path("/sys/class/net/ws0").exists()
