"""The load's process: plain kernel sockets, no trio. ``tests.benchmarks.speed.cell`` runs it.

Each phase of a load is announced, begins when the parent has marked the server, and ends with figures.
"""

from __future__ import annotations

import errno
import json
import select
import socket
import struct
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any, Final

from tests.benchmarks.speed.marks import (
    GENERATOR_CORE,
    percentiles,
    pin,
    processor,
    raise_file_limit,
    say,
    take_priority,
)
from tests.benchmarks.speed.messages import CHUNK, ECHO_SIZE, JOIN, MESSAGE_SIZE, STAMP

Socket = socket.SocketType
"""The type below ``socket.socket``: made and closed without a line of Python."""
Address = tuple[str, int]
Task = dict[str, Any]

OPENING: Final = 200
"""Connections that are being opened at a time."""
PATIENCE: Final = 20
"""Seconds after which a silent server has failed."""
MOST_FAILURES: Final = 1000

clock = time.perf_counter


class Phase:
    """One measured part of a load."""

    def __init__(self, name: str) -> None:
        """Return when the parent has marked the server."""
        self._name = name
        say(ready=name)
        if not sys.stdin.readline():
            sys.exit(1)  # the parent is gone
        self._began, self._processor = time.monotonic(), processor()

    def end(self) -> dict[str, float]:
        """The part is over: its time and what this process used."""
        return {
            "began": self._began,
            "seconds": time.monotonic() - self._began,
            "processor": processor() - self._processor,
        }

    def report(self, common: dict[str, float], **figures: float) -> None:
        """Tell what was found."""
        say(done=self._name, figures=common | figures)


def connect(address: Address, congestion: str) -> Socket:
    """A connection, for messages."""
    connection = Socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
    _prepare(connection)
    connection.connect(address)
    return connection


def _prepare(connection: Socket) -> None:
    """Let its calls fail rather than hang; its end leaves nothing behind that the kernel would retransmit."""
    limit = struct.pack("@ll", PATIENCE, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


# Bulk


def bulk_in(task: Task, address: Address) -> None:
    """Send as fast as it goes; the server counts."""
    connection = connect(address, task["congestion"])
    _push(connection, task["warm_up"])
    phase = Phase("run")
    _push(connection, task["seconds"])
    phase.report(phase.end())


def _push(connection: Socket, seconds: float) -> None:
    chunk, end = bytes(CHUNK), clock() + seconds
    while clock() < end:
        connection.send(chunk)


def bulk_out(task: Task, address: Address) -> None:
    """Receive as fast as it comes."""
    connection = connect(address, task["congestion"])
    buffer = memoryview(bytearray(CHUNK))
    _pull(connection, buffer, task["warm_up"])
    phase = Phase("run")
    total = _pull(connection, buffer, task["seconds"])
    phase.report(phase.end(), bytes=total)


def _pull(connection: Socket, buffer: memoryview, seconds: float) -> int:
    total, end = 0, clock() + seconds
    while clock() < end or not total:
        total += _some(connection.recv_into(buffer))
    return total


def _some(length: int) -> int:
    if not length:
        raise EOFError("the server closed the connection")
    return length


# Echo


def echo(task: Task, address: Address) -> None:
    """One message at a time on one connection."""
    connection = connect(address, task["congestion"])
    round_trips([connection], task["round_trips"] // 10 + 1)
    _measure_echo([connection], task["round_trips"])


def _measure_echo(connections: Sequence[Socket], count: int) -> None:
    phase = Phase("echo")
    times = round_trips(connections, count)
    common = phase.end()
    median, most, nearly_all = percentiles(times, 0.5, 0.99, 0.999)
    phase.report(common, p50_us=median / 1e3, p99_us=most / 1e3, p99_9_us=nearly_all / 1e3)


def round_trips(connections: Sequence[Socket], count: int) -> array[int]:
    """Nanoseconds of each; the connections take turns."""
    message, buffer = bytes(ECHO_SIZE), bytearray(ECHO_SIZE)
    times = array("q", bytes(8 * count))
    now = time.perf_counter_ns
    for number, connection in zip(range(count), cycle(connections), strict=False):
        began = now()
        connection.send(message)
        got = connection.recv_into(buffer)
        while got < ECHO_SIZE:
            got += _some(connection.recv_into(buffer, ECHO_SIZE - got))
        times[number] = now() - began
    return times


# Connects


def connects(task: Task, address: Address) -> None:
    """Connect, read the end of the stream, close; ``at_once`` connections at a time."""
    load = _connect_in_turn if task["at_once"] == 1 else _connect_at_once
    load(address, task["warm_up"], task["at_once"])
    phase = Phase("run")
    count, failures = load(address, task["seconds"], task["at_once"])
    phase.report(phase.end(), count=count, failures=failures)


def _connect_in_turn(address: Address, seconds: float, _: int) -> tuple[int, int]:
    count = failures = 0
    family, kind = socket.AF_INET, socket.SOCK_STREAM
    end = clock() + seconds
    while (clock() < end or not count) and failures < MOST_FAILURES:
        connection = Socket(family, kind)
        try:
            connection.connect(address)
            connection.recv(1)
            count += 1
        except OSError:
            failures += 1
        connection.close()
    return count, failures


def _connect_at_once(address: Address, seconds: float, at_once: int) -> tuple[int, int]:
    count = failures = 0
    buffer = bytearray(1)
    open_now: dict[int, Socket] = {}
    with select.epoll() as epoll:
        end = clock() + seconds
        while (clock() < end or not count) and failures < MOST_FAILURES:
            while len(open_now) < at_once and failures < MOST_FAILURES:
                connection = _begin(address)
                if connection is None:
                    failures += 1
                else:
                    descriptor = connection.fileno()
                    open_now[descriptor] = connection
                    epoll.register(descriptor, select.EPOLLIN)
            for descriptor, _ in epoll.poll(0.1, at_once):
                connection = open_now.pop(descriptor)
                try:
                    connection.recv_into(buffer)
                    count += 1
                except OSError:
                    failures += 1
                connection.close()
    for connection in open_now.values():
        connection.close()
    return count, failures


def _begin(address: Address) -> Socket | None:
    """A connection that is being opened; ``None``: it failed at once."""
    connection = Socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    if connection.connect_ex(address) in (0, errno.EINPROGRESS):
        return connection
    connection.close()
    return None


# Messages to many


def fan_out(task: Task, address: Address) -> None:
    """Members who count what they are sent."""
    members = [connect(address, task["congestion"]) for _ in range(task["members"])]
    _measure_fan_out(members, task)


def _measure_fan_out(members: Sequence[Socket], task: Task) -> None:
    with _polling(members) as epoll:
        receivers = {member.fileno(): member.recv_into for member in members}
        _take_all(epoll, receivers, task["warm_up"])
        phase = Phase("fan-out")
        total = _take_all(epoll, receivers, task["seconds"])
        phase.report(phase.end(), deliveries=total / MESSAGE_SIZE)


def _polling(connections: Sequence[Socket]) -> select.epoll:
    epoll = select.epoll(len(connections))
    for connection in connections:
        epoll.register(connection.fileno(), select.EPOLLIN)
    return epoll


def _take_all(epoll: select.epoll, receivers: dict[int, Callable[..., int]], seconds: float) -> int:
    total, most = 0, len(receivers)
    buffer = memoryview(bytearray(CHUNK))
    poll, end = epoll.poll, clock() + seconds
    while clock() < end or not total:
        for descriptor, _ in poll(0.1, most):
            got = receivers[descriptor](buffer)
            if not got:
                raise EOFError("the server closed a member's connection")
            total += got
    return total


class Inbox:
    """One member's messages, of which each carries the time at which it was sent."""

    def __init__(self, connection: Socket) -> None:
        self._receive = connection.recv_into
        self._buffer = memoryview(bytearray(CHUNK))
        self._filled = 0

    def read(self, latencies: array[int]) -> None:
        """Add the nanoseconds that each whole message in it took."""
        end = self._filled + _some(self._receive(self._buffer[self._filled :]))
        now = time.monotonic_ns()
        whole = end - end % MESSAGE_SIZE
        for at in range(0, whole, MESSAGE_SIZE):
            latencies.append(now - STAMP.unpack_from(self._buffer, at)[0])
        self._filled = end - whole
        self._buffer[: self._filled] = bytes(self._buffer[whole:end])


def offered(task: Task, address: Address) -> None:
    """Members to whom the server sends so many messages per second."""
    members = [connect(address, task["congestion"]) for _ in range(task["members"])]
    inboxes = {member.fileno(): Inbox(member) for member in members}
    with _polling(members) as epoll:
        _take_messages(epoll, inboxes, task["warm_up"])
        phase = Phase("run")
        latencies = _take_messages(epoll, inboxes, task["seconds"])
        common = phase.end()
    median, most, nearly_all = percentiles(latencies, 0.5, 0.99, 0.999)
    phase.report(common, deliveries=len(latencies), p50_us=median / 1e3, p99_us=most / 1e3, p99_9_us=nearly_all / 1e3)


def _take_messages(epoll: select.epoll, inboxes: dict[int, Inbox], seconds: float) -> array[int]:
    latencies, most = array("q"), len(inboxes)
    end = clock() + seconds
    while clock() < end or not latencies:
        for descriptor, _ in epoll.poll(0.1, most):
            inboxes[descriptor].read(latencies)
    return latencies


# Many connections


def crowd(task: Task, address: Address) -> None:
    """Many connections, of which few are busy."""
    phase = Phase("open")
    connections = _open_all(address, task["connections"])
    phase.report(phase.end())
    phase = Phase("touch")
    round_trips(connections, len(connections))
    phase.report(phase.end())
    phase = Phase("rest")
    time.sleep(task["idle_seconds"])
    phase.report(phase.end())
    busy = connections[:: max(len(connections) // task["members"], 1)][: task["members"]]
    round_trips(busy, len(busy) + task["round_trips"] // 10)
    _measure_echo(busy, task["round_trips"])
    with _polling(connections) as epoll:
        phase = Phase("burst")
        missing = _burst(connections, epoll)
        phase.report(phase.end(), missing=missing)
    for member in busy:
        member.send(JOIN)
    _measure_fan_out(busy, task)


def _open_all(address: Address, count: int) -> list[Socket]:
    """Some at a time."""
    connections: list[Socket] = []
    with select.epoll() as epoll:
        opening = 0
        while len(connections) < count or opening:
            while opening < OPENING and len(connections) < count:
                connection = _begin(address)
                if connection is None:
                    raise OSError(f"connection {len(connections) + 1} could not be opened")
                epoll.register(connection.fileno(), select.EPOLLOUT | select.EPOLLONESHOT)
                connections.append(connection)
                opening += 1
            done = epoll.poll(PATIENCE, OPENING)
            if not done:
                raise TimeoutError(f"{opening} of {len(connections)} connections do not open")
            opening -= len(done)
    for connection in connections:
        connection.setblocking(True)
        _prepare(connection)
    return connections


def _burst(connections: Sequence[Socket], epoll: select.epoll) -> int:
    """A message on each connection, then all answers; how many did not come."""
    message, buffer = bytes(ECHO_SIZE), bytearray(ECHO_SIZE)
    receivers = {connection.fileno(): connection.recv_into for connection in connections}
    for connection in connections:
        connection.send(message)
    awaited = ECHO_SIZE * len(connections)
    while awaited:
        ready = epoll.poll(PATIENCE, len(connections))
        if not ready:
            break
        for descriptor, _ in ready:
            awaited -= _some(receivers[descriptor](buffer))
    return -(-awaited // ECHO_SIZE)


LOADS: Final[dict[str, Callable[[Task, Address], None]]] = {
    "bulk-in": bulk_in,
    "bulk-out": bulk_out,
    "echo": echo,
    "connects": connects,
    "fan-out": fan_out,
    "offered": offered,
    "crowd": crowd,
}


def main() -> None:
    """The task is the one argument, JSON."""
    task = json.loads(sys.argv[1])
    pin(GENERATOR_CORE)
    take_priority()
    raise_file_limit()
    LOADS[task["load"]](task, (task["address"], task["port"]))
    say(end=True)


if __name__ == "__main__":
    main()
