"""The errors of the protocol: one exception, and every code that an ``Error`` message may carry."""

from __future__ import annotations

from typing import Final

BAD_REQUEST: Final = "bad-request"
UNKNOWN_TYPE: Final = "unknown-type"
NOT_WELCOME: Final = "not-welcome"
NICK_IN_USE: Final = "nick-in-use"
BAD_NICK: Final = "bad-nick"
BAD_ROOM: Final = "bad-room"
NOT_IN_ROOM: Final = "not-in-room"
TOO_LONG: Final = "too-long"
TOO_MANY: Final = "too-many"
UNAVAILABLE: Final = "unavailable"
VERSION: Final = "version"

CODES: Final = frozenset(
    {
        BAD_REQUEST,
        UNKNOWN_TYPE,
        NOT_WELCOME,
        NICK_IN_USE,
        BAD_NICK,
        BAD_ROOM,
        NOT_IN_ROOM,
        TOO_LONG,
        TOO_MANY,
        UNAVAILABLE,
        VERSION,
    }
)


class ProtocolError(Exception):
    """The peer, or a person through it, broke a rule of the protocol.

    ``code`` is one of `CODES`, ``text`` one line for people. ``id`` is the request at fault, where it
    could be read. ``fatal`` says that the byte stream cannot be followed any further.
    """

    def __init__(self, code: str, text: str, *, id: int | None = None, fatal: bool = False) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.id = id
        self.fatal = fatal
