"""A world of its own: our server on our TCP, a few people in it, and the user among them.

Where the process may make itself a network namespace with a TUN device, the people and the user reach
the server with the kernel's TCP through that device, so that two implementations talk to each other.
Elsewhere two of our own stacks are joined in memory. Everything runs in one trio run.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from typing import Any

import trio

from tcpcore.driver import (
    Host,
    MemoryLink,
    NamespaceUnavailableError,
    TunLink,
    enter_private_namespace,
    open_stack,
    tun_available,
)
from tcpcore.status import ConnectionStatus
from wireside_client.events import Event
from wireside_client.ledger import Ledger, Verdict
from wireside_client.link import Port
from wireside_client.member import Member
from wireside_client.net import Connect, Net
from wireside_client.people import NICKS, Troupe
from wireside_client.session import Session
from wireside_client.status import endpoint
from wireside_client.text import clean_line
from wireside_client.widgets.figures import count, milliseconds
from wireside_protocol import DEFAULT_PORT
from wireside_protocol.messages import RoomMessage

ROOM = "lobby"
SERVER = "10.77.0.2"
SERVER_ADDRESSES = ("10.77.0.2/24", "fd77::2/64")
CLIENT_ADDRESSES = ("10.77.0.1/24", "fd77::1/64")
DRAIN = 10.0
"""Seconds for the last messages to arrive."""


class DemoError(OSError):
    """The demo cannot run; the text is one line."""


@dataclass(frozen=True, slots=True)
class World:
    """A running server: its host, and how to reach it."""

    host: Host
    connect: Connect


def enter_world() -> str | None:
    """Move this process, which must have one thread only, to a namespace with TUN devices.

    Returns ``None``, or one line that says why that is impossible here.
    """
    try:
        enter_private_namespace()
    except NamespaceUnavailableError as error:
        return str(error)
    return tun_available()


def _find_server() -> Callable[..., Awaitable[None]]:
    found = entry_points(group="wireside.servers", name="default")
    for entry in found:
        serve: Callable[..., Awaitable[None]] = entry.load()
        return serve
    raise DemoError("the demo needs the package wireside-server")


@asynccontextmanager
async def open_world(*, tun: bool) -> AsyncIterator[World]:
    """A server on our own TCP, behind a TUN device or in memory."""
    serve = _find_server()
    if tun:
        link = TunLink.open("ws0", *CLIENT_ADDRESSES)
        async with open_stack(link, list(SERVER_ADDRESSES)) as host, _serving(serve, host):
            yield World(host, partial(trio.open_tcp_stream, SERVER, DEFAULT_PORT))
    else:
        near, far = MemoryLink.pair()
        async with (
            open_stack(far, list(SERVER_ADDRESSES)) as host,
            open_stack(near, list(CLIENT_ADDRESSES)) as clients,
            _serving(serve, host),
        ):
            yield World(host, partial(clients.open_tcp_stream, SERVER, DEFAULT_PORT))


@asynccontextmanager
async def _serving(serve: Callable[..., Awaitable[None]], host: Host) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, host=host, port=DEFAULT_PORT))
        yield
        nursery.cancel_scope.cancel()


def _make_people(
    world: World, number: int, rng: random.Random, ledger: Ledger | None = None
) -> tuple[list[Member], Troupe]:
    people: list[Member] = []

    def hear(event: Event) -> None:
        troupe.hear(event)

    for position, nick in enumerate(NICKS[:number]):
        people.append(Member(nick, ROOM, world.connect, ledger=ledger, hear=hear if position == 0 else None))
    troupe = Troupe(people, rng)
    return people, troupe


async def demo_for_screen(port: Port, *, nick: str, people: int, seed: int, tun: bool) -> None:
    """The world with the user's terminal in it, until cancelled."""
    async with open_world(tun=tun) as world, trio.open_nursery() as nursery:
        members, troupe = _make_people(world, people, random.Random(seed))
        for member in members:
            nursery.start_soon(member.run)
        for member in members:
            await member.wait_joined()
        net = Net(Session(nick, [ROOM]), world.connect, port.sink, ready=port.ready)
        port.attach(net)
        nursery.start_soon(net.run)
        await troupe.play()


async def demo_for_eyes(
    echo: Callable[[str], Any], *, nick: str, people: int, seed: int, seconds: float, tun: bool
) -> Verdict:
    """The world without a terminal; ``echo`` gets what ``nick`` reads, the connections, a summary."""
    began = trio.current_time()

    def observe(event: Event) -> None:
        if isinstance(event, RoomMessage):
            elapsed = trio.current_time() - began
            echo(f"{elapsed:6.2f} s  {clean_line(event.nick):>8} | {clean_line(event.text)}")

    async with open_world(tun=tun) as world, trio.open_nursery() as nursery:
        ledger = Ledger({ROOM: [nick, *NICKS[:people]]})
        members, troupe = _make_people(world, people, random.Random(seed), ledger)
        observer = Member(nick, ROOM, world.connect, ledger=ledger, hear=observe)
        everyone = [*members, observer]
        for member in everyone:
            nursery.start_soon(member.run)
        with trio.fail_after(DRAIN):
            for member in everyone:
                await member.wait_joined()
        with trio.move_on_after(seconds):
            await troupe.play()
        with trio.move_on_after(DRAIN):
            await ledger.wait_complete()
        for line in netstat_lines(world.host.connection_statuses()):
            echo(line)
        verdict = ledger.verdict()
        echo(summary(verdict, len(everyone)))
        nursery.cancel_scope.cancel()
    return verdict


def netstat_lines(statuses: list[ConnectionStatus]) -> list[str]:
    """A table of connections, as netstat shows them."""
    row = "{:>6} {:>6}  {:<22} {:<22} {:<12} {:>8} {:>6} {:>6} {:>7} {:>7} {:>4}".format
    lines = [row("Recv-Q", "Send-Q", "Local", "Remote", "State", "SRTT/ms", "RTO/ms", "cwnd", "In", "Out", "Retx")]
    lines += [
        row(
            count(status.recv_q),
            count(status.send_q),
            endpoint(status.local_address, status.local_port),
            endpoint(status.remote_address, status.remote_port),
            status.state,
            milliseconds(status.srtt),
            milliseconds(status.rto),
            count(status.cwnd),
            count(status.bytes_in),
            count(status.bytes_out),
            count(status.segments_retransmitted),
        )
        for status in statuses
    ]
    return lines


def summary(verdict: Verdict, people: int) -> str:
    """The outcome in one line."""
    if verdict.faultless:
        return f"{verdict.said} messages said, each arrived exactly once and in order at {people} people"
    return (
        f"{verdict.said} messages said to {people} people: {verdict.missing} deliveries missing, "
        f"{verdict.duplicates} doubled, {verdict.disordered} out of order, {verdict.altered} altered"
    )
