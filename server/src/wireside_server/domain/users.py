"""Users, their nicks, and the tokens with which they take them over."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from typing import Protocol

from wireside_protocol.errors import NICK_IN_USE, ProtocolError
from wireside_protocol.limits import nick_key
from wireside_server.domain.rooms import Room


class Outlet(Protocol):
    """Where a user's output goes; nothing here blocks."""

    def post(self, data: bytes) -> None:
        """Send ``data`` for certain."""

    def offer(self, data: bytes) -> None:
        """Send ``data`` unless the client lags."""

    def follow(self, room: Room, seq: int) -> None:
        """Send the messages of ``room`` after ``seq``, now and as they come."""

    def unfollow(self, room: Room) -> None:
        """Send no more of ``room``."""

    def notify(self, room: Room) -> None:
        """The log of ``room`` has grown."""

    def dismiss(self, reason: str) -> None:
        """Say goodbye and close."""


class User:
    """One user, as long as its session lives."""

    def __init__(self, nick: str, token: str, outlet: Outlet) -> None:
        self.nick = nick
        self.key = nick_key(nick)
        self.token = token
        self.outlet = outlet
        self.rooms: dict[str, Room] = {}


class Users:
    """Everybody who is here; ``make_token`` gives a string that cannot be guessed."""

    def __init__(self, make_token: Callable[[], str] = lambda: secrets.token_hex(16)) -> None:
        self._by_key: dict[str, User] = {}
        self._make_token = make_token

    def __len__(self) -> int:
        return len(self._by_key)

    def has(self, user: User) -> bool:
        """Whether ``user`` still holds its nick."""
        return self._by_key.get(user.key) is user

    def holder(self, nick: str, tokens: Collection[str]) -> User | None:
        """Who has ``nick`` and must give way to ``tokens``; raises `ProtocolError` when it need not."""
        user = self._by_key.get(nick_key(nick))
        if user is None:
            return None
        if any(secrets.compare_digest(user.token.encode(), token.encode()) for token in tokens):
            return user
        raise ProtocolError(NICK_IN_USE, f"{user.nick} is already here")

    def add(self, nick: str, outlet: Outlet) -> User:
        """A new user with a nick that is free."""
        user = User(nick, self._make_token(), outlet)
        self._by_key[user.key] = user
        return user

    def remove(self, user: User) -> None:
        """Free the nick of ``user``."""
        del self._by_key[user.key]
