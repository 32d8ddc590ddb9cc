"""The table of ``netstat -an``, and the queues of the listeners below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_STATES: Final = {
    "SYN-SENT": "SYN_SENT",
    "SYN-RECEIVED": "SYN_RECV",
    "FIN-WAIT-1": "FIN_WAIT1",
    "FIN-WAIT-2": "FIN_WAIT2",
    "CLOSE-WAIT": "CLOSE_WAIT",
    "LAST-ACK": "LAST_ACK",
    "TIME-WAIT": "TIME_WAIT",
}
_HEAD: Final = ("Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "State")
_FORMAT: Final = "{:<5} {:>6} {:>6} {:<23} {:<23} {}"


def format_netstat(snapshot: Mapping[str, Any]) -> str:
    """The text for ``connections`` and ``listeners`` as `wireside_server.inspection` gives them."""
    lines = ["Active Internet connections (servers and established)", _FORMAT.format(*_HEAD)]
    listeners: Sequence[Mapping[str, Any]] = snapshot["listeners"]
    lines += (_FORMAT.format(*_listener_row(listener)) for listener in listeners)
    lines += (_FORMAT.format(*_connection_row(connection)) for connection in snapshot["connections"])
    lines += _queues(listeners)
    return "\n".join(lines)


def _listener_row(listener: Mapping[str, Any]) -> tuple[object, ...]:
    local = _endpoint(listener["address"], listener["port"])
    return _proto(listener["address"]), 0, 0, local, _endpoint(_any(listener["address"]), "*"), "LISTEN"


def _connection_row(connection: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        _proto(connection["local_address"]),
        connection["recv_q"],
        connection["send_q"],
        _endpoint(connection["local_address"], connection["local_port"]),
        _endpoint(connection["remote_address"], connection["remote_port"]),
        _STATES.get(connection["state"], connection["state"]),
    )


def _queues(listeners: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not listeners:
        return
    form = "{:<23} {:>11} {:>12} {:>21} {:>9}"
    yield ""
    yield "Listen queues (length/limit) and SYN cookies (sent/accepted)"
    yield form.format("Local Address", "Half-open", "Accept queue", "Overflows half/accept", "Cookies")
    for listener in listeners:
        yield form.format(
            _endpoint(listener["address"], listener["port"]),
            f"{listener['half_open']}/{listener['half_open_limit']}",
            f"{listener['accept_queue']}/{listener['accept_queue_limit']}",
            f"{listener['half_open_overflows']}/{listener['accept_overflows']}",
            f"{listener['cookies_sent']}/{listener['cookies_accepted']}",
        )


def _proto(address: str | None) -> str:
    return "tcp6" if address is not None and ":" in address else "tcp"


def _any(address: str | None) -> str | None:
    if address is None:
        return None
    return "::" if ":" in address else "0.0.0.0"


def _endpoint(address: str | None, port: object) -> str:
    return f"{'*' if address is None else address}:{port}"
