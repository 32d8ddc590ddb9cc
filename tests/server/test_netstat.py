"""The text of netstat, and the reasons of the log."""

from __future__ import annotations

import errno

import pytest
import trio

from tcpcore import errors
from wireside_server.log import make_log
from wireside_server.netstat import format_netstat
from wireside_server.reasons import reason_of

LISTENER = {
    "address": None,
    "port": 7070,
    "half_open": 3,
    "half_open_limit": 1024,
    "accept_queue": 1,
    "accept_queue_limit": 128,
    "half_open_overflows": 2,
    "accept_overflows": 0,
    "cookies_sent": 98976,
    "cookies_accepted": 4,
}


def connection(local: str, remote: str, state: str) -> dict[str, object]:
    return {
        "local_address": local,
        "local_port": 7070,
        "remote_address": remote,
        "remote_port": 40312,
        "recv_q": 5,
        "send_q": 120,
        "state": state,
    }


def test_table() -> None:
    snapshot = {
        "listeners": [LISTENER, {**LISTENER, "address": "fd77::2"}],
        "connections": [
            connection("10.77.0.2", "10.77.0.1", "ESTABLISHED"),
            connection("fd77::2", "fd77::1", "TIME-WAIT"),
        ],
        "statistics": {},
    }
    assert format_netstat(snapshot).splitlines() == [
        "Active Internet connections (servers and established)",
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State",
        "tcp        0      0 *:7070                  *:*                     LISTEN",
        "tcp6       0      0 fd77::2:7070            :::*                    LISTEN",
        "tcp        5    120 10.77.0.2:7070          10.77.0.1:40312         ESTABLISHED",
        "tcp6       5    120 fd77::2:7070            fd77::1:40312           TIME_WAIT",
        "",
        "Listen queues (length/limit) and SYN cookies (sent/accepted)",
        "Local Address             Half-open Accept queue Overflows half/accept   Cookies",
        "*:7070                       3/1024        1/128                   2/0   98976/4",
        "fd77::2:7070                 3/1024        1/128                   2/0   98976/4",
    ]


def test_table_of_nothing() -> None:
    assert len(format_netstat({"listeners": [], "connections": []}).splitlines()) == 2


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (errors.ConnectionResetError(), "reset by peer"),
        (errors.KeepaliveTimeoutError(), "keepalive timed out"),
        (errors.ConnectionTimeoutError(), "timed out"),
        (OSError(errno.ECONNRESET, "x"), "reset by peer"),
        (OSError(errno.EPIPE, "x"), "reset by peer"),
        (OSError(errno.ETIMEDOUT, "x"), "timed out"),
        (OSError(errno.EHOSTUNREACH, "x"), "unreachable"),
        (None, "broken"),
    ],
)
def test_reasons(cause: Exception | None, reason: str) -> None:
    error = trio.BrokenResourceError()
    error.__cause__ = cause
    assert reason_of(error) == reason


def test_log_lines() -> None:
    lines: list[str] = []
    make_log(lines.append).bind(remote="192.0.2.1 5").info("gone", nick=None, reason="reset by peer")
    (line,) = lines
    assert "level=info event=gone" in line
    assert 'remote="192.0.2.1 5" reason="reset by peer"' in line
    make_log(None).error("unheard")
