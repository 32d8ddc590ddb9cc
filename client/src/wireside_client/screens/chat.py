"""The chat: rooms, messages, people, the composer and the status line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from wireside_client.commands import COMMANDS, Call, UsageError, parse
from wireside_client.events import (
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
from wireside_client.text import clean_line, nick_colour
from wireside_client.widgets.composer import Composer
from wireside_client.widgets.messages import Entry, MessageLog, Transcript, entry_of
from wireside_client.widgets.sidelist import Item, SideList
from wireside_protocol.messages import Joined, Left, People, Presence, RoomMessage

_LIGHTS = {
    LinkState.CONNECTING: ("○", "#e5c07b"),
    LinkState.ONLINE: ("●", "#98c379"),
    LinkState.RECONNECTING: ("◌", "#e5c07b"),
    LinkState.REFUSED: ("✕", "#e06c75"),
}


@dataclass(slots=True)
class Room:
    """What the user sees of a room."""

    name: str
    transcript: Transcript = field(default_factory=Transcript)
    members: set[str] = field(default_factory=set)


class ChatScreen(Screen[None]):
    """Shows what the link delivers and sends what the user types."""

    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (96, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
        Binding("shift+up", "line(-1)", show=False),
        Binding("shift+down", "line(1)", show=False),
        Binding("ctrl+home", "top", show=False),
        Binding("ctrl+end", "bottom", show=False),
        Binding("alt+up", "room(-1)", "Previous room", show=False),
        Binding("alt+down", "room(1)", "Next room", show=False),
        Binding("alt+a", "unread", "Next unread room", show=False),
    ]

    def __init__(
        self,
        nick: str,
        server: str,
        send: Callable[[Command], bool],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.nick = nick
        self.server = server
        self.rooms: dict[str, Room] = {}
        self.current: str | None = None
        self.link = LinkChanged(LinkState.CONNECTING)
        self.round_trip: float | None = None
        self.unsent = 0
        self._send = send
        self._clock = clock
        self._monotonic = monotonic
        self._retry_at = 0.0
        self._start = Transcript()

    def compose(self) -> ComposeResult:
        """Rooms left, messages in the middle, people right, composer and status below."""
        with Horizontal(id="chat"):
            yield SideList(id="rooms")
            with Vertical(id="middle"):
                yield Static(id="topic")
                yield MessageLog(id="log")
                yield Static(id="unseen")
            yield SideList(id="people")
        yield Composer(id="composer", names=self._names)
        with Horizontal(id="status"):
            yield Static(id="link")
            yield Static("F1 help  F2 TCP  ^Q quit", id="keys")

    def on_mount(self) -> None:
        """Ready to type."""
        self.query_one("#rooms").border_title = "Rooms"
        self.query_one("#people").border_title = "People"
        self.query_one(MessageLog).own_nick = self.nick
        self.query_one(MessageLog).show(self._start)
        self.query_one(Composer).focus()
        self.set_interval(1.0, self._show_link)
        self._show_link()

    # What the link delivers

    def receive(self, events: Iterable[Event]) -> None:
        """Show events, in order."""
        entries: list[Entry] = []
        lists_changed = False
        for event in events:
            match event:
                case RoomMessage():
                    lists_changed |= self._receive_message(event, entries)
                case Joined() | Left() | Presence():
                    entries = self._flush(entries)
                    self._receive_membership(event)
                    lists_changed = True
                case People():
                    for name, members in event.rooms.items():
                        people = ", ".join(sorted(members, key=str.lower)) or "nobody"
                        entries.append(self._notice_entry(f"{name}: {people}"))
                case Failed():
                    entries.append(self._notice_entry(event.text))
                case LinkChanged():
                    self._receive_link(event, entries)
                case RoundTrip():
                    self.round_trip = event.seconds
                    self._show_link()
                case Outbox():
                    self.unsent = event.unsent
                    self._show_link()
        self._flush(entries)
        if lists_changed:
            self._show_lists()

    def _flush(self, entries: list[Entry]) -> list[Entry]:
        if entries:
            self.query_one(MessageLog).extend(entries)
        return []

    def _receive_message(self, message: RoomMessage, entries: list[Entry]) -> bool:
        room = self.rooms.get(message.room)
        if room is None:
            return False
        if message.room == self.current:
            entries.append(entry_of(message))
            return False
        room.transcript.add(entry_of(message))
        room.transcript.unread += 1
        return True

    def _receive_membership(self, event: Joined | Left | Presence) -> None:
        match event:
            case Joined():
                is_new = event.room not in self.rooms
                room = self.rooms.setdefault(event.room, Room(event.room))
                room.members = set(event.members) | {self.nick}
                if is_new and (self.current is None or self._wanted == event.room):
                    self.go_to(event.room)
            case Left():
                self.rooms.pop(event.room, None)
                if self.current == event.room:
                    self.current = None
                    self.go_to(next(iter(self.rooms), None))
            case Presence() if event.room in self.rooms:
                members = self.rooms[event.room].members
                (members.add if event.joined else members.discard)(event.nick)
                verb = "came in" if event.joined else "left"
                entry = self._notice_entry(f"{clean_line(event.nick)} {verb}")
                if event.room == self.current:
                    self.query_one(MessageLog).extend([entry])
                else:
                    self.rooms[event.room].transcript.add(entry)

    _wanted: str | None = None

    def _receive_link(self, event: LinkChanged, entries: list[Entry]) -> None:
        before, self.link = self.link.state, event
        self._retry_at = self._monotonic() + event.retry_in
        if event.state is not LinkState.ONLINE:
            self.round_trip = None
        if event.state is LinkState.REFUSED:
            entries.append(self._notice_entry(f"refused: {clean_line(event.reason)}; /nick NAME tries another name"))
        elif event.state is LinkState.RECONNECTING and before is LinkState.ONLINE:
            entries.append(self._notice_entry(f"connection lost: {clean_line(event.reason)}"))
        elif event.state is LinkState.ONLINE and before is LinkState.RECONNECTING:
            entries.append(self._notice_entry("online again"))
        self._show_link()

    # What the user does

    def on_composer_sent(self, event: Composer.Sent) -> None:
        """A line: a command, or a message for the room."""
        if event.text.startswith("/") and not event.text.startswith("//"):
            try:
                self._run(parse(event.text))
            except UsageError as error:
                self.notice(str(error))
        elif self.current is None:
            self.notice("you are in no room yet: /join ROOM")
        else:
            self._command(SayText(self.current, event.text.removeprefix("/")))
            self.query_one(MessageLog).follow()

    def _run(self, call: Call) -> None:
        match call.name:
            case "join":
                self._wanted = call.argument
                if call.argument in self.rooms:
                    self.go_to(call.argument)
                else:
                    self._command(JoinRoom(call.argument))
            case "leave":
                name = call.argument or self.current
                if name is None:
                    self.notice("you are in no room")
                else:
                    self._command(LeaveRoom(name))
            case "who":
                self._command(ListPeople(call.argument or self.current))
            case "nick":
                self.nick = call.argument
                self.query_one(MessageLog).own_nick = self.nick
                self._command(Rename(call.argument))
            case "help":
                self.notice("\n".join(f"{spec.usage:<14} {spec.help}" for spec in COMMANDS.values()))
            case "tcp":
                self.app.call_later(self.app.run_action, "panel")
            case "quit":
                self.app.exit()

    def _command(self, command: Command) -> None:
        if not self._send(command):
            self.notice("the network has stopped: leave with Ctrl+Q and start again")

    def notice(self, text: str) -> None:
        """Tell the user something, in the log."""
        self.query_one(MessageLog).extend([self._notice_entry(text)])

    def go_to(self, name: str | None) -> None:
        """Show a room (``None``: none is left)."""
        self.current = name
        room = None if name is None else self.rooms[name]
        if room is not None:
            room.transcript.unread = 0
        self._wanted = None
        self.query_one(MessageLog).show(self._start if room is None else room.transcript)
        self._show_lists()

    def on_side_list_picked(self, event: SideList.Picked) -> None:
        """A click on a room goes there; on a person, begins a line to them."""
        composer = self.query_one(Composer)
        if event.side_list.id == "rooms":
            self.go_to(event.key)
        else:
            composer.insert_text_at_cursor(f"{event.key}: ")
        composer.focus()

    def on_message_log_unseen(self, event: MessageLog.Unseen) -> None:
        """Say how much is below."""
        badge = self.query_one("#unseen", Static)
        badge.update(f"↓ {event.count} new  (Ctrl+End)")
        badge.set_class(event.count > 0, "-shown")

    def action_scroll(self, direction: int) -> None:
        """A screenful up or down."""
        log = self.query_one(MessageLog)
        log.scroll_relative(y=direction * max(1, log.size.height - 2), animate=False, immediate=True, force=True)

    def action_line(self, direction: int) -> None:
        """One line up or down."""
        self.query_one(MessageLog).scroll_relative(y=direction, animate=False, immediate=True, force=True)

    def action_top(self) -> None:
        """To the oldest message."""
        self.query_one(MessageLog).scroll_to(y=0, animate=False, immediate=True, force=True)

    def action_bottom(self) -> None:
        """To the newest message."""
        self.query_one(MessageLog).follow()

    def action_room(self, step: int) -> None:
        """To the next room."""
        names = list(self.rooms)
        if names and self.current is not None:
            self.go_to(names[(names.index(self.current) + step) % len(names)])

    def action_unread(self) -> None:
        """To a room with unread messages."""
        for name, room in self.rooms.items():
            if room.transcript.unread:
                self.go_to(name)
                return

    # Drawing

    def _names(self) -> list[str]:
        members = self.rooms[self.current].members if self.current is not None else set()
        return [clean_line(name) for name in members] + [f"/{name}" for name in COMMANDS]

    def _notice_entry(self, text: str) -> Entry:
        return Entry(self._clock(), None, "\n".join(clean_line(line) for line in text.split("\n")))

    def _show_lists(self) -> None:
        rooms = [
            Item(room.name, badge=str(room.transcript.unread or ""), current=room.name == self.current)
            for room in self.rooms.values()
        ]
        self.query_one("#rooms", SideList).show(rooms)
        members = self.rooms[self.current].members if self.current is not None else set()
        people = [Item(nick, colour=nick_colour(clean_line(nick))) for nick in sorted(members, key=str.lower)]
        self.query_one("#people", SideList).show(people)
        self.query_one("#people").border_title = f"People {len(people)}" if people else "People"
        number = f"{len(people)} {'person' if len(people) == 1 else 'people'}"
        topic = Text.assemble((self.current or "no room", "bold"), (f"  {number}" if people else "", "#8b92a0"))
        self.query_one("#topic", Static).update(topic)

    def _show_link(self) -> None:
        light, colour = _LIGHTS[self.link.state]
        text = Text.assemble((f"{light} {self.link.state.value}", colour), f"  {self.nick}@{self.server}")
        if self.link.state is LinkState.RECONNECTING:
            text.append(f"  next try in {max(0.0, self._retry_at - self._monotonic()):.0f} s", "#e5c07b")
        if self.round_trip is not None:
            text.append(f"  RTT {self.round_trip * 1000:.1f} ms", "#8b92a0")
        if self.unsent:
            text.append(f"  {self.unsent} unsent", "#e5c07b")
        self.query_one("#link", Static).update(text)
