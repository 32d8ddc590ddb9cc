"""The control socket: whoever connects gets the netstat maps as JSON, and the end of the stream."""

from __future__ import annotations

import json
import os
import socket
import stat
from typing import Any, Final

import trio
from trio.abc import Listener

from wireside_server.errors import StartError
from wireside_server.inspection import Inspector
from wireside_server.limits import CONTROL_TIMEOUT

_MAX_SNAPSHOT: Final = 64 * 1024 * 1024


class ControlError(Exception):
    """No snapshot could be had; the text is one line for people."""


class ControlSocket(Listener[trio.SocketStream]):
    """A Unix socket for its owner alone (mode 0600), removed when it is closed."""

    def __init__(self, path: str, listener: trio.SocketListener, inspector: Inspector | None) -> None:
        self._path = path
        self._listener = listener
        self._inspector = inspector

    @classmethod
    async def open(cls, path: str, inspector: Inspector | None) -> ControlSocket:
        """Bind ``path``, replacing the socket of a server that is no more; raises `StartError`."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _remove_stale(path)
            mask = os.umask(0o177)
            try:
                listening.bind(path)
            finally:
                os.umask(mask)
            listening.listen(16)
        except OSError as error:
            listening.close()
            reason = error.strerror or error
            raise StartError(f"cannot make the control socket {path}: {reason}") from error
        except StartError:
            listening.close()
            raise
        return cls(path, trio.SocketListener(trio.socket.from_stdlib_socket(listening)), inspector)

    async def accept(self) -> trio.SocketStream:
        """As of any listener."""
        return await self._listener.accept()

    async def aclose(self) -> None:
        """Stop listening and remove the socket."""
        if self._listener.socket.fileno() >= 0:
            try:
                os.unlink(self._path)
            except OSError:
                pass
        await self._listener.aclose()

    async def answer(self, stream: trio.SocketStream) -> None:
        """Send the snapshot; a reader that takes no notice is left after a few seconds."""
        with trio.move_on_after(CONTROL_TIMEOUT):
            async with stream:
                try:
                    await stream.send_all(json.dumps(self._snapshot()).encode())
                except trio.BrokenResourceError:
                    pass

    def _snapshot(self) -> dict[str, Any]:
        if self._inspector is None:
            return {"connections": [], "listeners": [], "statistics": {}}
        return self._inspector.netstat()


def _remove_stale(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise StartError(f"{path} exists and is not a socket; choose another --control")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONTROL_TIMEOUT)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        else:
            raise StartError(f"another server has the control socket {path}; choose another --control")


def fetch_snapshot(path: str) -> dict[str, Any]:
    """Ask the server behind ``path``; blocks, and raises `ControlError`."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CONTROL_TIMEOUT)
            connection.connect(path)
            data = bytearray()
            while chunk := connection.recv(65536):
                data += chunk
                if len(data) > _MAX_SNAPSHOT:
                    raise ControlError(f"what answers on {path} is no wireside-server")
        snapshot = json.loads(data)
    except OSError as error:
        raise ControlError(f"no server answers on {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ControlError(f"what answers on {path} is no wireside-server") from error
    if not isinstance(snapshot, dict) or not {"connections", "listeners", "statistics"} <= snapshot.keys():
        raise ControlError(f"what answers on {path} is no wireside-server")
    return snapshot
