"""Every message of the protocol, as a frozen class; README.md says what each means.

On the wire a message is one msgpack map: its type under ``"t"``, its fields under their names.
"""

from __future__ import annotations

import re
from typing import Any, Final

from attrs import field, frozen

PROTOCOL_VERSION: Final = 1
DEFAULT_PORT: Final = 7070
RESUME_FEATURE: Final = "resume:"
"""Prefix of the feature that carries the token with which a client takes its nick over."""


@frozen
class Message:
    """What is sent in either direction."""


@frozen
class Request(Message):
    """From a client; answered by exactly one `Reply` with the same ``id``."""

    id: int


@frozen
class Reply(Message):
    """From the server, to one request."""

    id: int


@frozen
class Event(Message):
    """From the server, unasked."""


@frozen
class Hello(Request):
    """The first message of a client."""

    version: int
    client: str
    nick: str
    features: tuple[str, ...] = ()


@frozen
class Join(Request):
    """Enter a room; with ``after``, everything beyond that number is sent from the log."""

    room: str
    after: int | None = None


@frozen
class Leave(Request):
    """Leave a room."""

    room: str


@frozen
class Say(Request):
    """A message for a room; ``message_id`` is the client's, and makes a repetition harmless."""

    room: str
    text: str
    message_id: str


@frozen
class History(Request):
    """A page of a room's log, oldest first: numbers above ``after``, or the newest below ``before``."""

    room: str
    after: int = 0
    before: int | None = None
    limit: int = 100


@frozen
class Who(Request):
    """Who is in a room, or in each room."""

    room: str | None = None


@frozen
class Ping(Request):
    """Are you there?"""


@frozen
class Status(Request):
    """The server's side of a TCP connection; ``None``: of this one."""

    connection: str | None = None


@frozen
class Netstat(Request):
    """Every TCP connection and listener of the server."""


@frozen
class Welcome(Reply):
    """To `Hello`; ``time`` is the server's clock, seconds since 1970."""

    version: int
    server: str
    nick: str
    features: tuple[str, ...]
    time: float


@frozen
class Joined(Reply):
    """To `Join`; ``last`` is the number of the room's newest message, 0 when there is none."""

    room: str
    last: int
    members: tuple[str, ...]


@frozen
class Left(Reply):
    """To `Leave`."""

    room: str


@frozen
class Said(Reply):
    """To `Say`, once the message is on disk."""

    room: str
    seq: int
    time: float
    message_id: str


@frozen
class RoomMessage(Event):
    """A message of a room; numbers start at 1 and have no gaps."""

    room: str
    seq: int
    nick: str
    text: str
    time: float
    message_id: str


@frozen
class HistoryPage(Reply):
    """To `History`; ``more``: there are further messages in the direction asked for."""

    room: str
    messages: tuple[RoomMessage, ...]
    more: bool


@frozen
class People(Reply):
    """To `Who`."""

    rooms: dict[str, tuple[str, ...]]


@frozen
class Pong(Reply):
    """To `Ping`."""

    time: float


@frozen
class ConnectionReport(Reply):
    """To `Status`; ``status`` has the fields of ``tcpcore.ConnectionStatus``."""

    connection: str
    status: dict[str, Any] = field(hash=False)


@frozen
class NetstatReport(Reply):
    """To `Netstat`; the fields of ``ConnectionStatus``, ``ListenerStatus`` and ``StackStatistics``."""

    connections: tuple[dict[str, Any], ...] = field(hash=False)
    listeners: tuple[dict[str, Any], ...] = field(hash=False)
    statistics: dict[str, Any] = field(hash=False)


@frozen
class Error(Message):
    """The other answer to any request; ``id`` is ``None`` where the request had none to be read."""

    id: int | None
    code: str
    text: str


@frozen
class Presence(Event):
    """Somebody came into a room or left it."""

    room: str
    nick: str
    joined: bool


@frozen
class Goodbye(Event):
    """The server closes the connection after this."""

    reason: str


REQUESTS: Final[tuple[type[Message], ...]] = (Hello, Join, Leave, Say, History, Who, Ping, Status, Netstat)
REPLIES: Final[tuple[type[Message], ...]] = (
    Welcome,
    Joined,
    Left,
    Said,
    HistoryPage,
    People,
    Pong,
    ConnectionReport,
    NetstatReport,
    Error,
)
EVENTS: Final[tuple[type[Message], ...]] = (RoomMessage, Presence, Goodbye)
FROM_SERVER: Final = REPLIES + EVENTS
MESSAGES: Final = REQUESTS + FROM_SERVER


def type_name(message_class: type[Message]) -> str:
    """The class's name on the wire: ``RoomMessage`` is ``room-message``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", message_class.__name__).lower()
