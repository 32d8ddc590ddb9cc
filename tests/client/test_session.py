"""The session without I/O: greeting, resuming, duplicates, gaps."""

from __future__ import annotations

import pytest

from wireside_client.events import (
    AskNetstat,
    Event,
    Failed,
    JoinRoom,
    LeaveRoom,
    LinkChanged,
    LinkState,
    Outbox,
    Rename,
    RoundTrip,
    SayText,
)
from wireside_client.session import Session
from wireside_protocol import Decoder, Message, ProtocolError, encode
from wireside_protocol.messages import (
    Error,
    Goodbye,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Left,
    Ping,
    Pong,
    RoomMessage,
    Said,
    Say,
    Welcome,
)


def said(seq: int, room: str = "lobby") -> RoomMessage:
    return RoomMessage(room, seq, "ada", f"text {seq}", 0.0, f"m{seq}")


class Peer:
    """The server's end: reads what the session sends and feeds it replies."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def sent(self) -> list[Message]:
        decoder = Decoder()
        decoder.receive_data(self.session.data_to_send())
        messages = []
        while (message := decoder.next_message()) is not None:
            messages.append(message)
        return messages

    def reply(self, *messages: Message, now: float = 0.0) -> list[Event]:
        return self.session.receive_data(b"".join(map(encode, messages)), now)

    def welcome(self, last: int = 0) -> list[Message]:
        """Connect and let the session into its rooms; what it sent after the greeting."""
        self.session.connection_made()
        (hello,) = self.sent()
        assert isinstance(hello, Hello)
        self.reply(Welcome(hello.id, 1, "test", hello.nick, (), 0.0))
        sent = self.sent()
        for message in sent:
            if isinstance(message, Join):
                self.reply(Joined(message.id, message.room, last, ("ada",)))
        return sent


@pytest.fixture
def session() -> Session:
    return Session("you", ["lobby"], token="secret", message_prefix="p", backlog=0)


@pytest.fixture
def peer(session: Session) -> Peer:
    return Peer(session)


def seqs(events: list[Event]) -> list[int]:
    return [event.seq for event in events if isinstance(event, RoomMessage)]


def test_greets_joins_and_pings(session: Session, peer: Peer) -> None:
    session.connection_made()
    (hello,) = peer.sent()
    assert isinstance(hello, Hello)
    assert (hello.nick, hello.features) == ("you", ("resume:secret",))
    events = peer.reply(Welcome(hello.id, 1, "test", "you", (), 0.0), now=5.0)
    assert events == [LinkChanged(LinkState.ONLINE)]
    join, ping = peer.sent()
    assert isinstance(join, Join)
    assert join.after is None
    assert isinstance(ping, Ping)
    assert peer.reply(Pong(ping.id, 0.0), now=5.25) == [RoundTrip(0.25)]


def test_a_message_is_kept_until_acknowledged_and_sent_again_with_the_same_id(session: Session, peer: Peer) -> None:
    peer.welcome()
    peer.sent()
    assert session.execute(SayText("lobby", "hello")) == [Outbox(1)]
    (first,) = peer.sent()
    session.connection_lost()
    again = [message for message in peer.welcome() if isinstance(message, Say)]
    assert isinstance(first, Say)
    assert [message.message_id for message in again] == [first.message_id]
    assert peer.reply(Said(again[0].id, "lobby", 1, 0.0, first.message_id))[-1] == Outbox(0)
    session.connection_lost()
    assert not [message for message in peer.welcome() if isinstance(message, Say)]


def test_resumes_after_the_last_message_seen(session: Session, peer: Peer) -> None:
    peer.welcome(last=7)
    assert seqs(peer.reply(said(8), said(9))) == [8, 9]
    session.connection_lost()
    (join,) = [message for message in peer.welcome(last=12) if isinstance(message, Join)]
    assert join.after == 9
    assert seqs(peer.reply(said(10), said(11), said(12))) == [10, 11, 12]


def test_a_duplicate_is_not_shown(session: Session, peer: Peer) -> None:
    peer.welcome()
    assert seqs(peer.reply(said(1), said(1), said(2), said(1))) == [1, 2]
    assert session.duplicates == 2


def test_a_gap_is_filled_from_history_before_anything_beyond_it(session: Session, peer: Peer) -> None:
    peer.welcome()
    peer.sent()
    assert seqs(peer.reply(said(1), said(4), said(5))) == [1]
    (history,) = peer.sent()
    assert isinstance(history, History)
    assert history.after == 1
    assert seqs(peer.reply(HistoryPage(history.id, "lobby", (said(2), said(3)), True))) == [2, 3]
    (history,) = peer.sent()
    assert isinstance(history, History)
    assert seqs(peer.reply(HistoryPage(history.id, "lobby", (said(4), said(5)), False))) == [4, 5]
    assert peer.sent() == []
    assert session.gaps == 1


def test_a_gap_that_the_log_no_longer_has_is_given_up(session: Session, peer: Peer) -> None:
    peer.welcome()
    peer.sent()
    peer.reply(said(3))
    (history,) = peer.sent()
    assert isinstance(history, History)
    peer.reply(HistoryPage(history.id, "lobby", (), False))
    assert seqs(peer.reply(said(4))) == [4]


def test_the_backlog_is_fetched_on_first_joining() -> None:
    session = Session("you", ["lobby"], backlog=2)
    peer = Peer(session)
    peer.welcome(last=10)
    (history,) = peer.sent()
    assert isinstance(history, History)
    assert history.after == 8
    assert seqs(peer.reply(HistoryPage(history.id, "lobby", (said(9), said(10)), False))) == [9, 10]


def test_the_outbox_is_bounded() -> None:
    session = Session("you", ["lobby"], max_unsent=2)
    assert [session.say("lobby", "x") is None for _ in range(3)] == [False, False, True]
    (failed,) = session.execute(SayText("lobby", "x"))
    assert isinstance(failed, Failed)
    assert failed.code == "too-many"


def test_requests_without_a_server_fail_at_once(session: Session) -> None:
    (failed,) = session.execute(AskNetstat())
    assert isinstance(failed, Failed)
    assert failed.code == "offline"


def test_a_refused_message_is_not_sent_again(session: Session, peer: Peer) -> None:
    peer.welcome()
    peer.sent()
    session.execute(SayText("lobby", "x"))
    (say,) = peer.sent()
    assert isinstance(say, Say)
    events = peer.reply(Error(say.id, "too-long", "too long"))
    assert events == [Outbox(0), Failed(say, "too-long", "too long")]


def test_joining_leaving_and_renaming(session: Session, peer: Peer) -> None:
    peer.welcome()
    peer.sent()
    session.execute(JoinRoom("den"))
    (join,) = peer.sent()
    assert isinstance(join, Join)
    peer.reply(Joined(join.id, "den", 3, ()))
    session.execute(LeaveRoom("den"))
    (leave,) = peer.sent()
    assert peer.reply(Left(getattr(leave, "id"), "den")) == [Left(getattr(leave, "id"), "den")]  # noqa: B009
    (failed,) = session.execute(LeaveRoom("den"))
    assert isinstance(failed, Failed)
    session.execute(Rename("me"))
    session.connection_made()
    (hello,) = peer.sent()
    assert isinstance(hello, Hello)
    assert hello.nick == "me"


def test_a_refusal_a_farewell_and_stray_replies(session: Session, peer: Peer) -> None:
    session.connection_made()
    (hello,) = peer.sent()
    assert isinstance(hello, Hello)
    assert peer.reply(Pong(77, 0.0), Goodbye("maintenance")) == []
    assert (session.stray_replies, session.farewell) == (1, "maintenance")
    peer.reply(Error(hello.id, "nick-in-use", "taken"))
    assert session.refusal is not None
    assert session.refusal.code == "nick-in-use"


def test_nonsense_ends_the_connection_and_an_unknown_type_does_not(session: Session, peer: Peer) -> None:
    peer.welcome()
    events = session.receive_data(b"\x81\xa1t\xa4what", 0.0)
    assert [event for event in events if isinstance(event, Failed)]
    assert session.malformed == 1
    with pytest.raises(ProtocolError):
        session.receive_data(b"\xc1\xc1", 0.0)
