"""The domain alone: no streams, no tasks."""

from __future__ import annotations

import pytest

from wireside_protocol import Decoder, Message, ProtocolError
from wireside_protocol.messages import Presence, RoomMessage
from wireside_server.domain.hub import Hub
from wireside_server.domain.rooms import Room
from wireside_server.domain.users import Users


class Recorder:
    """An outlet that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.followed: list[str] = []
        self.grown: list[str] = []
        self.dismissed: str | None = None

    def post(self, data: bytes) -> None:
        self.data += data

    offer = post

    def follow(self, room: Room, seq: int) -> None:
        self.followed.append(room.name)

    def unfollow(self, room: Room) -> None:
        self.followed.append(f"not {room.name}")

    def notify(self, room: Room) -> None:
        self.grown.append(room.name)

    def dismiss(self, reason: str) -> None:
        self.dismissed = reason

    def messages(self) -> list[Message]:
        decoder = Decoder()
        decoder.receive_data(self.data)
        return list(iter(decoder.next_message, None))


def message(room: str, seq: int) -> RoomMessage:
    return RoomMessage(room, seq, "ada", "x", 1.0, f"m{seq}")


def test_presence_goes_to_the_others() -> None:
    hub = Hub()
    a, b = Recorder(), Recorder()
    ada, ben = hub.enter("ada", (), a), hub.enter("ben", (), b)
    hub.join(ada, "lobby")
    hub.join(ben, "lobby")
    hub.join(ben, "lobby")
    hub.exit(ben)
    hub.exit(ben)
    assert a.messages() == [Presence("lobby", "ben", joined=True), Presence("lobby", "ben", joined=False)]
    assert b.messages() == []
    assert hub.who(None) == {"lobby": ("ada",)}


def test_a_nick_is_free_again_after_exit() -> None:
    hub = Hub()
    hub.exit(hub.enter("ada", (), Recorder()))
    hub.enter("ADA", (), Recorder())
    assert len(hub.users) == 1


def test_takeover_needs_the_token() -> None:
    tokens = iter(["one", "two"])
    hub = Hub(users=Users(lambda: next(tokens)))
    old = Recorder()
    user = hub.enter("ada", (), old)
    hub.join(user, "lobby")
    with pytest.raises(ProtocolError, match="nick-in-use"):
        hub.enter("Ada", ("two", "é"), Recorder())
    new = hub.enter("Ada", ("x", "one"), Recorder())
    assert old.dismissed == "replaced"
    assert (new.token, new.rooms, hub.rooms) == ("two", {}, {})
    hub.exit(user)
    assert hub.users.has(new)


def test_each_member_is_notified_once_for_a_group() -> None:
    hub = Hub({"lobby": 4})
    outlet = Recorder()
    room = hub.join(hub.enter("ada", (), outlet), "lobby")
    assert room.log.last == 4
    hub.publish([message("lobby", 5), message("lobby", 6), message("elsewhere", 1)])
    assert (outlet.grown, room.log.last) == (["lobby"], 6)


def test_an_empty_room_keeps_its_numbers() -> None:
    hub = Hub()
    user = hub.enter("ada", (), Recorder())
    hub.join(user, "lobby")
    hub.leave(user, "lobby")
    hub.publish([message("lobby", 1)])
    assert hub.rooms == {}
    assert hub.join(user, "lobby").log.last == 1


def test_a_full_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wireside_server.domain.hub.MAX_MEMBERS", 1)
    hub = Hub()
    hub.join(hub.enter("ada", (), Recorder()), "lobby")
    with pytest.raises(ProtocolError, match="full"):
        hub.join(hub.enter("ben", (), Recorder()), "lobby")


def test_who_fits_into_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wireside_server.domain.hub.PAGE_SIZE", 100)
    hub = Hub()
    user = hub.enter("ada", (), Recorder())
    for n in range(20):
        hub.join(user, f"room{n}")
    assert 0 < len(hub.who(None)) < 20
