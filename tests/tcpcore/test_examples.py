"""The programs in ``tcpcore/examples`` run as they stand."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.system import kernel

EXAMPLES = Path(__file__).parents[2] / "tcpcore" / "examples"


def test_every_example_is_run_here() -> None:
    names = {"echo_tun.py", "echo_workers.py", "two_stacks.py"}
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix} == names


async def test_two_stacks(capsys: pytest.CaptureFixture[str], autojump_clock: Any) -> None:
    await runpy.run_path(str(EXAMPLES / "two_stacks.py"))["main"]()
    told = r"b'IS ANYBODY THERE\?'\n(ESTABLISHED|CLOSE-WAIT), round trip 0.0 s, \d segments sent\n"
    assert re.fullmatch(told, capsys.readouterr().out)


@pytest.mark.tun
async def test_echo_on_a_tun_device() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runpy.run_path(str(EXAMPLES / "echo_tun.py"))["main"])
        with trio.fail_after(kernel.PATIENCE):
            stream = await connect_once_it_listens("10.77.0.2", 7)
            async with stream:
                await stream.send_all(b"hello")
                assert await stream.receive_some() == b"hello"
        nursery.cancel_scope.cancel()


@pytest.mark.tun
async def test_echo_by_several_processes() -> None:
    answers: set[bytes] = set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runpy.run_path(str(EXAMPLES / "echo_workers.py"))["main"])
        with trio.fail_after(kernel.PATIENCE):
            while len(answers) < 2:
                async with await connect_once_it_listens("10.77.0.2", 7) as stream:
                    await stream.send_all(b"hello")
                    answers.add(bytes(await stream.receive_some()))
        nursery.cancel_scope.cancel()
    assert all(re.fullmatch(rb"\d+: hello", answer) for answer in answers)


async def connect_once_it_listens(address: str, port: int) -> trio.SocketStream:
    while True:
        try:
            return await trio.open_tcp_stream(address, port, local_address=None)
        except OSError:
            await trio.lowlevel.checkpoint()
