"""What a client tells its user (events) and what its user asks for (commands): plain immutable records.

Messages of the protocol that a user wants to see (``RoomMessage``, ``Presence``, ``Joined``, ``Left``,
``People``, ``ConnectionReport``, ``NetstatReport``) are events as they are.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from wireside_protocol.messages import (
    ConnectionReport,
    Joined,
    Left,
    NetstatReport,
    People,
    Presence,
    Request,
    RoomMessage,
    Said,
)


class LinkState(enum.Enum):
    """Where the connection to the server stands."""

    CONNECTING = "connecting"
    ONLINE = "online"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The connection's state changed; ``retry_in`` seconds are left until the next attempt."""

    state: LinkState
    reason: str = ""
    retry_in: float = 0.0


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """The server answered a ping after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Outbox:
    """``unsent`` messages of ours are not yet acknowledged by the server."""

    unsent: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The server (or, with code ``too-many``, our own limit) refused a request."""

    request: Request | None
    code: str
    text: str


Event: TypeAlias = (
    LinkChanged
    | RoundTrip
    | Outbox
    | Failed
    | RoomMessage
    | Presence
    | Joined
    | Left
    | Said
    | People
    | ConnectionReport
    | NetstatReport
)
Sink: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class SayText:
    """Say ``text`` in ``room``."""

    room: str
    text: str


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Enter ``room`` and stay in it over reconnects."""

    room: str


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    """Leave ``room``."""

    room: str


@dataclass(frozen=True, slots=True)
class ListPeople:
    """Ask who is in ``room`` (``None``: in every room)."""

    room: str | None = None


@dataclass(frozen=True, slots=True)
class AskStatus:
    """Ask for one connection's TCP status (``None``: our own)."""

    connection: str | None = None


@dataclass(frozen=True, slots=True)
class AskNetstat:
    """Ask for every connection, listener and total of the server's stack."""


@dataclass(frozen=True, slots=True)
class Rename:
    """Reconnect at once under another nick."""

    nick: str


Command: TypeAlias = SayText | JoinRoom | LeaveRoom | ListPeople | AskStatus | AskNetstat | Rename
