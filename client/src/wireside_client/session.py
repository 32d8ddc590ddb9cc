"""One user's conversation with a server, without I/O: bytes in, events out, bytes to send.

A session outlives its connections. It keeps the last sequence number of each room and every message not yet
acknowledged; after a reconnect it resumes the rooms from there and sends those messages again under the same
message id. What the user sees of a room is in order, without gaps and without duplicates: a message
beyond the next number is not shown but fetched again, with what is missing before it, as history.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wireside_client.events import (
    AskNetstat,
    AskStatus,
    Command,
    Event,
    Failed,
    JoinRoom,
    LeaveRoom,
    LinkChanged,
    LinkState,
    ListPeople,
    Outbox,
    Rename,
    RoundTrip,
    SayText,
)
from wireside_protocol import PROTOCOL_VERSION, ProtocolError
from wireside_protocol.codec import Decoder, encode
from wireside_protocol.messages import (
    FROM_SERVER,
    RESUME_FEATURE,
    ConnectionReport,
    Error,
    Goodbye,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Left,
    Message,
    Netstat,
    NetstatReport,
    People,
    Ping,
    Pong,
    Presence,
    Request,
    RoomMessage,
    Said,
    Say,
    Status,
    Welcome,
    Who,
)

PAGE = 100
"""Messages asked for in one request for history."""


@dataclass(slots=True)
class Room:
    """A room we want to be in: what the user was shown (``last``) and what is known to exist (``newest``)."""

    name: str
    last: int | None = None
    newest: int = 0
    joined: bool = False
    filling: bool = False


class Session:
    """The sans-IO client.

    ``backlog`` is the number of messages said before our first joining that are shown; ``max_unsent``
    bounds the messages waiting for their acknowledgement, ``max_pending`` all requests waiting for their
    reply. ``token`` is the secret with which a reconnecting client takes its nick over,
    ``message_prefix`` makes its message ids unique; both are random by default.
    """

    def __init__(
        self,
        nick: str,
        rooms: Iterable[str] = (),
        *,
        backlog: int = PAGE,
        max_unsent: int = 1000,
        max_pending: int = 4000,
        token: str | None = None,
        message_prefix: str | None = None,
    ) -> None:
        self.nick = nick
        self.rooms = {name: Room(name) for name in rooms}
        self.welcome: Welcome | None = None
        """The server's greeting on this connection; ``None`` while there is none."""
        self.refusal: Error | None = None
        """Why the server does not want us; it closes the connection."""
        self.farewell = ""
        """The reason of the server's last Goodbye."""
        self.duplicates = 0
        self.gaps = 0
        self.stray_replies = 0
        self.malformed = 0
        self._backlog = backlog
        self._max_unsent = max_unsent
        self._max_pending = max_pending
        self._token = secrets.token_hex(16) if token is None else token
        self._message_prefix = secrets.token_hex(6) if message_prefix is None else message_prefix
        self._said = 0
        self._next_id = 0
        self._unsent: dict[str, Say] = {}
        self._pending: dict[int, Request] = {}
        self._ping_sent: dict[int, float] = {}
        self._out = bytearray()
        self._decoder = Decoder(accept=FROM_SERVER)

    @property
    def unsent(self) -> int:
        """How many messages of ours are not yet acknowledged."""
        return len(self._unsent)

    # The connection

    def connection_made(self) -> None:
        """Greet the server on a fresh connection."""
        self.connection_lost()
        self.refusal = None
        self.farewell = ""
        features = (RESUME_FEATURE + self._token,)
        self._request(lambda id: Hello(id, PROTOCOL_VERSION, "wireside", self.nick, features))

    def connection_lost(self) -> None:
        """Forget what belonged to the connection; rooms and unacknowledged messages stay."""
        self.welcome = None
        self._pending.clear()
        self._ping_sent.clear()
        self._out.clear()
        self._decoder = Decoder(accept=FROM_SERVER)
        for room in self.rooms.values():
            room.joined = room.filling = False

    def data_to_send(self) -> bytes:
        """Take the bytes that must go out now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Digest bytes from the server; raises ``ProtocolError`` when the stream cannot be followed."""
        self._decoder.receive_data(data)
        events: list[Event] = []
        while True:
            try:
                message = self._decoder.next_message()
            except ProtocolError as error:
                if error.fatal:
                    raise
                self.malformed += 1
                message = Error(error.id, error.code, error.text)
            if message is None:
                return events
            self._receive(message, now, events)

    def ping(self, now: float) -> None:
        """Ask for a sign of life; the answer is a ``RoundTrip``."""
        id = self._request(lambda id: Ping(id=id))
        if id is not None:
            self._ping_sent[id] = now

    # The user

    def execute(self, command: Command) -> list[Event]:
        """Do what the user asks; what needs a server is dropped with a ``Failed`` while there is none."""
        match command:
            case SayText(room, text):
                return self._user_say(room, text)
            case JoinRoom(name):
                return self._user_join(name)
            case LeaveRoom(name):
                return self._user_leave(name)
            case ListPeople(room_name):
                return self._ask(lambda id: Who(id=id, room=room_name))
            case AskStatus(connection):
                return self._ask(lambda id: Status(id=id, connection=connection))
            case AskNetstat():
                return self._ask(lambda id: Netstat(id=id))
            case Rename(nick):
                self.nick = nick
        return []

    def say(self, room: str, text: str) -> str | None:
        """Queue ``text`` for ``room``; the message id, or ``None`` when too many are unacknowledged."""
        if len(self._unsent) >= self._max_unsent:
            return None
        self._said += 1
        message_id = f"{self._message_prefix}-{self._said}"
        self._unsent[message_id] = Say(id=0, room=room, text=text, message_id=message_id)
        if self.welcome is not None:
            self._send_say(message_id)
        return message_id

    def _user_say(self, room: str, text: str) -> list[Event]:
        if self.say(room, text) is None:
            return [Failed(None, "too-many", f"{self._max_unsent} messages are not acknowledged yet")]
        return [Outbox(self.unsent)]

    def _user_join(self, name: str) -> list[Event]:
        room = self.rooms.setdefault(name, Room(name))
        if self.welcome is not None and not room.joined:
            self._send_join(room)
        return []

    def _user_leave(self, name: str) -> list[Event]:
        if self.rooms.pop(name, None) is None:
            return [Failed(None, "not-in-room", f"you are not in {name}")]
        if self.welcome is not None:
            self._request(lambda id: Leave(id=id, room=name))
            return []
        return [Left(id=0, room=name)]

    def _ask(self, make: Callable[[int], Request]) -> list[Event]:
        if self.welcome is None:
            return [Failed(make(0), "offline", "not connected")]
        if self._request(make) is None:
            return [Failed(make(0), "too-many", "too many requests wait for their reply")]
        return []

    # Sending

    def _request(self, make: Callable[[int], Request]) -> int | None:
        if len(self._pending) >= self._max_pending:
            return None
        self._next_id += 1
        request = make(self._next_id)
        self._pending[self._next_id] = request
        self._out += encode(request)
        return self._next_id

    def _send_say(self, message_id: str) -> None:
        say = self._unsent[message_id]
        self._request(lambda id: Say(id=id, room=say.room, text=say.text, message_id=message_id))

    def _send_join(self, room: Room) -> None:
        self._request(lambda id: Join(id=id, room=room.name, after=room.last))

    def _fill(self, room: Room) -> None:
        if not room.filling and room.last is not None and room.last < room.newest:
            room.filling = True
            after = room.last
            self._request(lambda id: History(id=id, room=room.name, after=after, limit=PAGE))

    # Receiving

    def _receive(self, message: Message, now: float, events: list[Event]) -> None:
        if isinstance(message, RoomMessage):
            self._receive_message(message, events)
            return
        if isinstance(message, Presence):
            events.append(message)
            return
        if isinstance(message, Goodbye):
            self.farewell = message.reason
            return
        id = getattr(message, "id", None)
        request = self._pending.pop(id, None) if isinstance(id, int) else None
        if isinstance(message, Error):
            self._receive_error(message, request, events)
        elif request is None:
            self.stray_replies += 1
        else:
            self._receive_reply(message, request, now, events)

    def _receive_reply(self, message: Message, request: Request, now: float, events: list[Event]) -> None:
        match message:
            case Welcome():
                self._receive_welcome(message, now, events)
            case Joined():
                self._receive_joined(message, events)
            case Said():
                self._unsent.pop(message.message_id, None)
                events += [message, Outbox(self.unsent)]
            case HistoryPage():
                self._receive_page(message, events)
            case Pong():
                sent = self._ping_sent.pop(message.id, None)
                if sent is not None:
                    events.append(RoundTrip(now - sent))
            case Left() | People() | ConnectionReport() | NetstatReport():
                events.append(message)
            case _:
                self.stray_replies += 1

    def _receive_welcome(self, welcome: Welcome, now: float, events: list[Event]) -> None:
        self.welcome = welcome
        self.nick = welcome.nick
        events.append(LinkChanged(LinkState.ONLINE))
        for room in self.rooms.values():
            self._send_join(room)
        for message_id in list(self._unsent):
            self._send_say(message_id)
        self.ping(now)

    def _receive_joined(self, joined: Joined, events: list[Event]) -> None:
        room = self.rooms.get(joined.room)
        if room is None:
            return
        room.joined = True
        room.newest = max(room.newest, joined.last)
        events.append(joined)
        if room.last is None:
            room.last = max(0, joined.last - self._backlog)
            self._fill(room)
        elif room.last > joined.last:  # a server that lost its log counts from the start again
            room.last = room.newest = joined.last

    def _receive_message(self, message: RoomMessage, events: list[Event]) -> None:
        room = self.rooms.get(message.room)
        if room is None or room.last is None:
            return
        if message.seq <= room.last:
            self.duplicates += 1
        elif message.seq == room.last + 1:
            room.last = message.seq
            room.newest = max(room.newest, message.seq)
            events.append(message)
        else:
            self.gaps += not room.filling
            room.newest = max(room.newest, message.seq)
            self._fill(room)

    def _receive_page(self, page: HistoryPage, events: list[Event]) -> None:
        room = self.rooms.get(page.room)
        if room is None or room.last is None:
            return
        before = room.last
        for message in page.messages:
            if message.seq > room.last and message.room == room.name:
                room.last = message.seq
                events.append(message)
        room.filling = False
        if room.last == before:  # the log has no more: what is missing is gone for good
            room.last = room.newest = max(room.last, room.newest)
        self._fill(room)

    def _receive_error(self, error: Error, request: Request | None, events: list[Event]) -> None:
        match request:
            case Hello():
                self.refusal = error
                return
            case Say():
                self._unsent.pop(request.message_id, None)
                events.append(Outbox(self.unsent))
            case Join():
                self.rooms.pop(request.room, None)
            case History():
                room = self.rooms.get(request.room)
                if room is not None:
                    room.filling = False
        events.append(Failed(request, error.code, error.text))
