"""The hub: who is in which room, and who is told what. Every method is synchronous."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from wireside_protocol import ProtocolError, encode
from wireside_protocol.errors import NOT_IN_ROOM, TOO_MANY
from wireside_protocol.limits import MAX_MEMBERS, MAX_ROOMS, check_nick, check_room
from wireside_protocol.messages import Presence, RoomMessage
from wireside_server.domain.rooms import Room
from wireside_server.domain.users import Outlet, User, Users
from wireside_server.limits import PAGE_SIZE


class Hub:
    """Users and rooms; ``last`` has the number of the newest message of each room with messages.

    Methods raise `ProtocolError` for what a user may not do, and have then changed nothing.
    """

    def __init__(self, last: Mapping[str, int] | None = None, users: Users | None = None) -> None:
        self.users = Users() if users is None else users
        self.rooms: dict[str, Room] = {}
        self._last = dict(last or {})

    def enter(self, nick: str, tokens: Collection[str], outlet: Outlet) -> User:
        """A new user; one who has the nick and whose token is among ``tokens`` is dismissed."""
        check_nick(nick)
        holder = self.users.holder(nick, tokens)
        if holder is not None:
            self.exit(holder)
            holder.outlet.dismiss("replaced")
        return self.users.add(nick, outlet)

    def exit(self, user: User) -> None:
        """``user`` is gone; a second time does nothing."""
        if not self.users.has(user):
            return
        self.users.remove(user)
        for room in tuple(user.rooms.values()):
            self._remove(user, room)

    def join(self, user: User, name: str) -> Room:
        """``user`` enters the room, whose other members are told; following it is the caller's."""
        check_room(name)
        room = self.rooms.get(name)
        if room is None:
            room = Room(name, self._last.get(name, 0))
        if user.key in room.members:
            return room
        if len(user.rooms) >= MAX_ROOMS:
            raise ProtocolError(TOO_MANY, f"you are in {MAX_ROOMS} rooms; leave one first")
        if len(room.members) >= MAX_MEMBERS:
            raise ProtocolError(TOO_MANY, f"{name} is full")
        self._tell(room, Presence(name, user.nick, joined=True))
        self.rooms[name] = user.rooms[name] = room
        room.members[user.key] = user
        return room

    def leave(self, user: User, name: str) -> None:
        """``user`` leaves the room, whose other members are told."""
        self._remove(user, self.room_of(user, name))

    def room_of(self, user: User, name: str) -> Room:
        """The room called ``name``, which ``user`` must be in."""
        room = user.rooms.get(name)
        if room is None:
            raise ProtocolError(NOT_IN_ROOM, "join the room first")
        return room

    def publish(self, messages: Iterable[RoomMessage]) -> None:
        """Messages are stored: put them into the logs and let the members know, once each room."""
        grown: set[Room] = set()
        for message in messages:
            self._last[message.room] = message.seq
            room = self.rooms.get(message.room)
            if room is not None:
                room.log.append(encode(message))
                grown.add(room)
        for room in grown:
            for member in room.members.values():
                member.outlet.notify(room)

    def who(self, name: str | None) -> dict[str, tuple[str, ...]]:
        """The members of one room, or of all rooms as far as `PAGE_SIZE` goes."""
        if name is not None:
            check_room(name)
            room = self.rooms.get(name)
            return {name: room.nicks() if room is not None else ()}
        found: dict[str, tuple[str, ...]] = {}
        size = 0
        for room in self.rooms.values():
            nicks = room.nicks()
            size += sum(4 * len(nick) + 2 for nick in (room.name, *nicks))
            if size > PAGE_SIZE:
                break
            found[room.name] = nicks
        return found

    def _remove(self, user: User, room: Room) -> None:
        del room.members[user.key]
        del user.rooms[room.name]
        user.outlet.unfollow(room)
        if not room.members:
            del self.rooms[room.name]
        self._tell(room, Presence(room.name, user.nick, joined=False))

    def _tell(self, room: Room, event: Presence) -> None:
        data = encode(event)
        for member in room.members.values():
            member.outlet.offer(data)
