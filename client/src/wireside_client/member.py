"""A scripted member of a room: a session with its runner, and a ledger that notes what it says and sees."""

from __future__ import annotations

from collections.abc import Callable

import trio

from wireside_client.events import Event, LinkChanged, LinkState
from wireside_client.ledger import Ledger
from wireside_client.net import Connect, Net
from wireside_client.session import Session
from wireside_protocol.messages import Joined, RoomMessage


class RefusedError(OSError):
    """The server does not let a member in; the text says why."""


class Member:
    """``nick`` in ``room``; ``hear`` gets each event, ``ledger`` each message."""

    def __init__(
        self,
        nick: str,
        room: str,
        connect: Connect,
        *,
        ledger: Ledger | None = None,
        hear: Callable[[Event], None] | None = None,
    ) -> None:
        self.nick = nick
        self.room = room
        self.session = Session(nick, [room], backlog=0)
        self.reconnects = 0
        self._net = Net(self.session, connect, self._sink)
        self._ledger = ledger
        self._hear = hear
        self._settled = trio.Event()
        self._refusal: str | None = None

    async def run(self) -> None:
        """Be there until cancelled."""
        await self._net.run()

    async def wait_joined(self) -> None:
        """Until the server let us into the room; raises `RefusedError`."""
        await self._settled.wait()
        if self._refusal is not None:
            raise RefusedError(f"{self.nick}: {self._refusal}")

    def say(self, text: str) -> bool:
        """Say ``text``; ``False`` when too much of ours is still unacknowledged."""
        message_id = self._net.say(self.room, text)
        if message_id is None:
            return False
        if self._ledger is not None:
            self._ledger.said(self.room, message_id, text, trio.current_time())
        return True

    def _sink(self, event: Event) -> None:
        match event:
            case RoomMessage() if self._ledger is not None:
                self._ledger.arrived(self.nick, event, trio.current_time())
            case Joined():
                self._settled.set()
            case LinkChanged(LinkState.REFUSED, reason):
                self._refusal = reason
                self._settled.set()
            case LinkChanged(LinkState.RECONNECTING):
                self.reconnects += 1
        if self._hear is not None:
            self._hear(event)
