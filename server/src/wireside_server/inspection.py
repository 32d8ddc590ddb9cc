"""The server's side of its TCP connections, as plain maps for messages and the control socket."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from wireside_protocol.limits import MAX_CONNECTIONS

if TYPE_CHECKING:
    from tcpcore import Connection
    from tcpcore.driver import Host


class Inspector(Protocol):
    """What can be told about a TCP stack."""

    def connection(self, key: str) -> dict[str, Any] | None:
        """The status of the connection ``remote_address remote_port local_port``, or ``None``."""

    def netstat(self) -> dict[str, Any]:
        """The maps ``connections``, ``listeners`` and ``statistics``."""


class HostInspector:
    """The stack of a `tcpcore.driver.Host`."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def connection(self, key: str) -> dict[str, Any] | None:
        """The status of the connection ``remote_address remote_port local_port``, or ``None``."""
        for connection in self._host.stack.connections():
            if connection_key(connection) == key:
                return asdict(connection.status(self._host.now()))
        return None

    def netstat(self) -> dict[str, Any]:
        """The oldest `MAX_CONNECTIONS` connections, the listeners and the statistics."""
        now = self._host.now()
        statuses = [connection.status(now) for connection in self._host.stack.connections()]
        statuses.sort(key=lambda status: status.age, reverse=True)
        return {
            "connections": [asdict(status) for status in statuses[:MAX_CONNECTIONS]],
            "listeners": [asdict(status) for status in self._host.listener_statuses()],
            "statistics": asdict(self._host.statistics()),
        }


def connection_key(connection: Connection) -> str:
    """How a status request names ``connection``."""
    address, port = connection.remote
    return f"{address} {port} {connection.local[1]}"
