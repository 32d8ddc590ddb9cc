"""The whole server on loopback: kernel sockets, control socket, shutdown, command line."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
from functools import partial
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from tests.server.harness import Peer
from wireside_protocol.messages import Goodbye, RoomMessage
from wireside_server.app import serve
from wireside_server.cli import main
from wireside_server.config import (
    Subnet,
    default_control,
    default_database,
    parse_address,
    parse_subnet,
)
from wireside_server.control import ControlError, ControlSocket, fetch_snapshot
from wireside_server.errors import StartError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


async def connect(port: int) -> Peer:
    return Peer(await trio.open_tcp_stream("127.0.0.1", port))


async def test_serves_kernel_sockets_and_shuts_down(tmp_path: Path) -> None:
    port, control, lines = free_port(), str(tmp_path / "control"), list[str]()
    database = str(tmp_path / "log.sqlite3")
    start = partial(serve, host=None, kernel=("127.0.0.1", port), control=control, log=lines.append)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(start, database=database))
        ada, ben = await connect(port), await connect(port)
        await ada.hello("ada")
        await ben.hello("ben")
        await ada.join("lobby")
        await ben.join("lobby")
        await ada.say("lobby", "hi", "m1")
        assert await ben.texts(1) == ["hi"]
        assert stat.S_IMODE(os.stat(control).st_mode) == 0o600
        snapshot = await trio.to_thread.run_sync(fetch_snapshot, control)
        assert snapshot == {"connections": [], "listeners": [], "statistics": {}}
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            assert (await ben.end())[-1] == Goodbye("shutdown")
            assert (await ada.end())[-1] == Goodbye("shutdown")
    assert os.listdir(tmp_path) == ["log.sqlite3"]
    assert "event=stopped" in lines[-1]
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(start, database=database))
        eve = await connect(port)
        await eve.hello("eve")
        assert (await eve.join("lobby", after=0)).last == 1
        assert (await eve.expect(RoomMessage)).text == "hi"
        nursery.cancel_scope.cancel()
    await eve.stream.aclose()
    await ada.stream.aclose()
    await ben.stream.aclose()


async def test_a_reset_is_told_in_the_log() -> None:
    port, lines, gone = free_port(), list[str](), trio.Event()

    def log(line: str) -> None:
        lines.append(line)
        if "event=gone" in line:
            gone.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, host=None, kernel=("127.0.0.1", port), log=log))
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await Peer(stream).hello("ada")
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()
        await gone.wait()
        nursery.cancel_scope.cancel()
    assert 'reason="reset by peer"' in next(line for line in lines if "event=gone" in line)


async def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StartError, match="in use"):
        await serve(host=None, kernel=("127.0.0.1", taken.getsockname()[1]))


async def test_nothing_to_listen_on() -> None:
    with pytest.raises(StartError, match="nothing to listen on"):
        await serve(host=None)


async def test_control_socket_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    control = await ControlSocket.open(path, None)
    with pytest.raises(StartError, match="another server"):
        await ControlSocket.open(path, None)
    await control.aclose()
    assert os.listdir(tmp_path) == []


async def test_control_socket_replaces_no_file(tmp_path: Path) -> None:
    path = tmp_path / "control"
    path.write_text("precious")
    with pytest.raises(StartError, match="not a socket"):
        await ControlSocket.open(str(path), None)
    assert path.read_text() == "precious"
    with pytest.raises(StartError, match="cannot make"):
        await ControlSocket.open(str(tmp_path / "none" / "control"), None)


def test_snapshot_errors(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no server answers"):
        fetch_snapshot(str(tmp_path / "none"))


def test_subnets() -> None:
    assert parse_subnet("10.77.0.0/24", 4) == Subnet("10.77.0.1/24", "10.77.0.2/24")
    assert parse_subnet("fd77::/64", 6) == Subnet("fd77::1/64", "fd77::2/64")
    for text in ("10.77.0.1/24", "10.77.0.0/31", "fd77::/64", "x"):
        with pytest.raises(ValueError, match=r"subnet|small"):
            parse_subnet(text, 4)


def test_addresses() -> None:
    assert parse_address("127.0.0.1:7070") == ("127.0.0.1", 7070)
    assert parse_address("[::1]:7070") == ("::1", 7070)
    for text in ("7070", "host:", ":7070", "::1:7070", "host:70700", "host:x"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            parse_address(text)


def test_default_paths() -> None:
    assert default_database({"XDG_STATE_HOME": "/s"}) == "/s/wireside/server.sqlite3"
    assert default_database({"STATE_DIRECTORY": "/var/lib/x"}) == "/var/lib/x/server.sqlite3"
    assert default_control({"XDG_RUNTIME_DIR": "/run/user/1"}) == "/run/user/1/wireside-server.sock"
    assert default_control({}) == f"/tmp/wireside-server-{os.getuid()}.sock"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--no-tun"], 2, "--no-tun needs --kernel"),
        (["--subnet", "10.0.0.0/33"], 2, "is not a subnet"),
        (["--subnet", "none", "--subnet6", "none"], 2, "needs an address"),
        (["--kernel", "7070"], 2, "is not HOST:PORT"),
        (["--port", "0"], 2, "--port"),
        (["--keepalive-count", "0"], 2, "--keepalive-count"),
        (["--no-tun", "--kernel", "127.0.0.1:7070", "--database", "/"], 1, "cannot open the database"),
        (["--config", "/nonexistent.toml"], 2, "cannot read"),
    ],
)
def test_command_line_errors(arguments: list[str], status: int, text: str) -> None:
    result = CliRunner().invoke(main, ["run", *arguments])
    assert result.exit_code == status
    assert text in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("colour = 1", "there is no setting 'colour'"),
        ("port = [1]", "port is a single value"),
        ("port", "is not TOML"),
        ('port = "many"', "not a valid integer"),
        ("no-tun = true", "--no-tun needs --kernel"),
    ],
)
def test_configuration_file(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "server.toml"
    path.write_text(content)
    result = CliRunner().invoke(main, ["run", "--config", str(path)])
    assert result.exit_code == 2
    assert text in result.output


def test_environment_goes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text('subnet = "nonsense"')
    environment = {"WIRESIDE_SERVER_CONFIG": str(path), "WIRESIDE_SERVER_SUBNET": "worse"}
    result = CliRunner().invoke(main, ["run"], env=environment)
    assert "'worse' is not a subnet" in result.output


async def test_netstat_command(tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    control = await ControlSocket.open(path, None)
    invoke = partial(CliRunner().invoke, main, env={"WIRESIDE_SERVER_CONTROL": path})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, control.answer, [control])
        text = await trio.to_thread.run_sync(invoke, ["netstat"])
        data = await trio.to_thread.run_sync(invoke, ["netstat", "--json"])
        nursery.cancel_scope.cancel()
    assert text.output.startswith("Active Internet connections")
    assert json.loads(data.output)["listeners"] == []
    failed = await trio.to_thread.run_sync(invoke, ["netstat"])
    assert failed.exit_code == 1
    assert "is the server running?" in failed.output
