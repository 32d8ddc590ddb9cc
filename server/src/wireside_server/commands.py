"""What the server does for each request: one row, one function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from wireside_protocol import PROTOCOL_VERSION, Message, ProtocolError, encode
from wireside_protocol.errors import BAD_REQUEST, NOT_WELCOME, UNAVAILABLE, VERSION
from wireside_protocol.limits import (
    MAX_HISTORY,
    MAX_SERVER_MESSAGE,
    check_client,
    check_message_id,
    check_text,
)
from wireside_protocol.messages import (
    RESUME_FEATURE,
    ConnectionReport,
    Error,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Left,
    Netstat,
    NetstatReport,
    People,
    Ping,
    Pong,
    Said,
    Say,
    Status,
    Welcome,
    Who,
)
from wireside_server import __version__
from wireside_server.domain.users import User
from wireside_server.store import Draft, Stored

if TYPE_CHECKING:
    from wireside_server.session import Client


async def answer(client: Client, request: Any) -> None:
    """Do what ``request`` asks for; raises `ProtocolError` for an answer of type ``error``."""
    if client.user is None:
        if not isinstance(request, Hello):
            raise ProtocolError(NOT_WELCOME, "say hello first")
        client.user = hello(client, request)
        return
    handler = HANDLERS.get(type(request))
    if handler is None:
        raise ProtocolError(NOT_WELCOME, "one hello is enough")
    await handler(client, client.user, request)


def hello(client: Client, request: Hello) -> User:
    """The one request of a client that is not welcome yet."""
    if request.version != PROTOCOL_VERSION:
        raise ProtocolError(VERSION, f"this server speaks version {PROTOCOL_VERSION}")
    check_client(request.client, request.features)
    tokens = [
        feature.removeprefix(RESUME_FEATURE) for feature in request.features if feature.startswith(RESUME_FEATURE)
    ]
    user = client.server.hub.enter(request.nick, tokens, client.output)
    client.log.info("welcome", nick=user.nick, client=request.client)
    features = (RESUME_FEATURE + user.token,)
    name = f"wireside-server {__version__}"
    client.reply(Welcome(request.id, PROTOCOL_VERSION, name, user.nick, features, client.server.time()))
    return user


async def _join(client: Client, user: User, request: Join) -> None:
    room = client.server.hub.join(user, request.room)
    last = room.log.last
    client.reply(Joined(request.id, room.name, last, room.nicks()))
    client.output.follow(room, last if request.after is None else min(request.after, last))


async def _leave(client: Client, user: User, request: Leave) -> None:
    client.server.hub.leave(user, request.room)
    client.reply(Left(request.id, request.room))


async def _say(client: Client, user: User, request: Say) -> None:
    client.server.hub.room_of(user, request.room)
    check_text(request.text)
    check_message_id(request.message_id)

    def done(stored: Stored | None) -> None:
        client.output.answered()
        client.reply(_said(request.id, stored))

    draft = Draft(request.room, user.nick, request.text, client.server.time(), request.message_id)
    client.output.unanswered += 1
    try:
        await client.server.journal.submit(draft, done)
    except BaseException:
        client.output.answered()
        raise


def _said(id: int, stored: Stored | None) -> Message:
    if stored is None:
        return Error(id, UNAVAILABLE, "the message could not be stored; try again")
    message = stored.message
    return Said(id, message.room, message.seq, message.time, message.message_id)


async def _history(client: Client, user: User, request: History) -> None:
    client.server.hub.room_of(user, request.room)
    limit = min(request.limit, MAX_HISTORY)
    page = await client.server.journal.page(request.room, request.after, request.before, limit)
    client.reply(HistoryPage(request.id, request.room, page.messages, page.more))


async def _who(client: Client, _: User, request: Who) -> None:
    client.reply(People(request.id, client.server.hub.who(request.room)))


async def _ping(client: Client, _: User, request: Ping) -> None:
    client.reply(Pong(request.id, client.server.time()))


async def _status(client: Client, _: User, request: Status) -> None:
    key = client.connection if request.connection is None else request.connection
    inspector = client.inspector or client.server.inspector
    if key is None or inspector is None:
        raise ProtocolError(UNAVAILABLE, "this connection is on the kernel's TCP")
    if len(key.split(" ")) != 3:
        raise ProtocolError(BAD_REQUEST, "a connection is: remote address, remote port, local port")
    status = inspector.connection(key)
    if status is None:
        raise ProtocolError(UNAVAILABLE, "there is no such connection now")
    client.reply(ConnectionReport(request.id, key, status))


async def _netstat(client: Client, _: User, request: Netstat) -> None:
    inspector = client.server.inspector
    if inspector is None:
        raise ProtocolError(UNAVAILABLE, "this server runs on the kernel's TCP alone")
    report = inspector.netstat()
    connections = tuple(report["connections"])
    while True:
        message = NetstatReport(request.id, connections, tuple(report["listeners"]), report["statistics"])
        data = encode(message)
        if len(data) <= MAX_SERVER_MESSAGE or not connections:
            break
        connections = connections[: len(connections) // 2]
    client.output.post(data)


Handler = Callable[["Client", User, Any], Awaitable[None]]
HANDLERS: Final[dict[type[Message], Handler]] = {
    Join: _join,
    Leave: _leave,
    Say: _say,
    History: _history,
    Who: _who,
    Ping: _ping,
    Status: _status,
    Netstat: _netstat,
}
