"""Sizes and grammars that both ends hold to; the ``check_`` functions raise `ProtocolError`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from wireside_protocol.errors import BAD_NICK, BAD_REQUEST, BAD_ROOM, TOO_LONG, TOO_MANY, ProtocolError

MAX_CLIENT_MESSAGE: Final = 64 * 1024
"""Bytes of one encoded message from a client."""
MAX_SERVER_MESSAGE: Final = 1024 * 1024
"""Bytes of one encoded message from a server."""
MAX_CHUNK: Final = 1024 * 1024
"""Bytes that a decoder takes at once beyond one message."""
MAX_TEXT: Final = 4096
"""Characters of a room message."""
MAX_NICK: Final = 32
MAX_ROOM: Final = 64
MAX_MESSAGE_ID: Final = 64
MAX_CLIENT_NAME: Final = 100
MAX_FEATURES: Final = 32
MAX_FEATURE: Final = 200
MAX_HISTORY: Final = 500
"""Messages of one history page."""
MAX_CONNECTIONS: Final = 1000
"""Connections in one netstat report."""
MAX_ROOMS: Final = 100
"""Rooms that one user may be in."""
MAX_MEMBERS: Final = 4096
"""Members of one room; no list from a server is longer."""
MAX_INTEGER: Final = 2**63 - 1

_NAME: Final = re.compile(r"[^\W_][\w.\-]*")
_MESSAGE_ID: Final = re.compile(r"[!-~]+")


def check_nick(nick: str) -> None:
    """A nick: 1 to `MAX_NICK` letters, digits, ``_ . -``, the first a letter or digit, in form NFC."""
    _check_name("a nick", nick, MAX_NICK, BAD_NICK)


def check_room(room: str) -> None:
    """A room name: as a nick, up to `MAX_ROOM` characters."""
    _check_name("a room name", room, MAX_ROOM, BAD_ROOM)


def check_text(text: str) -> None:
    """A text: 1 to `MAX_TEXT` characters, no control characters but newline and tab."""
    if len(text) > MAX_TEXT:
        raise ProtocolError(TOO_LONG, f"a message has at most {MAX_TEXT} characters")
    if not text:
        raise ProtocolError(BAD_REQUEST, "a message needs some text")
    if any(unicodedata.category(character) == "Cc" and character not in "\n\t" for character in text):
        raise ProtocolError(BAD_REQUEST, "a message must not contain control characters")


def check_message_id(message_id: str) -> None:
    """A message id: 1 to `MAX_MESSAGE_ID` visible ASCII characters."""
    if len(message_id) > MAX_MESSAGE_ID:
        raise ProtocolError(TOO_LONG, f"a message id has at most {MAX_MESSAGE_ID} characters")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ProtocolError(BAD_REQUEST, "a message id is made of visible ASCII characters")


def check_client(client: str, features: Sequence[str]) -> None:
    """What a client says about itself in ``Hello``."""
    if len(client) > MAX_CLIENT_NAME or any(len(feature) > MAX_FEATURE for feature in features):
        raise ProtocolError(TOO_LONG, f"a client's name has at most {MAX_CLIENT_NAME} characters")
    if not client.isprintable():
        raise ProtocolError(BAD_REQUEST, "a client's name is printable")
    if len(features) > MAX_FEATURES:
        raise ProtocolError(TOO_MANY, f"at most {MAX_FEATURES} features")


def nick_key(nick: str) -> str:
    """What two nicks have in common when they are the same nick: upper and lower case are one."""
    return unicodedata.normalize("NFC", nick.casefold())


def _check_name(what: str, name: str, limit: int, code: str) -> None:
    if not 0 < len(name) <= limit:
        raise ProtocolError(code, f"{what} has 1 to {limit} characters")
    if not _NAME.fullmatch(name) or not unicodedata.is_normalized("NFC", name):
        raise ProtocolError(code, f"{what} is made of letters, digits and _ . - and begins with a letter or digit")
