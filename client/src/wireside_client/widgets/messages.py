"""The log of one room: messages kept as data, wrapped to the width, drawn row by row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message as TextualMessage
from textual.scroll_view import ScrollView
from textual.strip import Strip

from wireside_client.text import clean, clean_line, clock, fit, nick_colour, wrap
from wireside_protocol.messages import RoomMessage

MAX_MESSAGES = 10_000
"""Messages of a room kept in memory; the server has the rest."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to read: somebody's message, or a notice (no nick)."""

    time: float
    nick: str | None
    text: str


def entry_of(message: RoomMessage) -> Entry:
    """The message as it may be shown."""
    return Entry(message.time, clean_line(message.nick), clean(message.text))


@dataclass(slots=True)
class Transcript:
    """What was said in a room, and where its reader stopped reading."""

    entries: list[Entry] = field(default_factory=list)
    unread: int = 0

    def add(self, entry: Entry) -> int:
        """Append; the number of entries dropped from the top."""
        self.entries.append(entry)
        surplus = len(self.entries) - MAX_MESSAGES
        if surplus < MAX_MESSAGES // 10:
            return 0
        del self.entries[:surplus]
        return surplus


@dataclass(frozen=True, slots=True)
class Row:
    """One row on the screen: line ``line`` of ``entry``."""

    entry: Entry
    line: int
    text: str


class MessageLog(ScrollView, can_focus=False):
    """Shows a `Transcript`, follows its end, and stays put while the reader is further up."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--time", "log--bar", "log--notice", "log--own"}

    class Unseen(TextualMessage):
        """``count`` messages are below what the reader sees."""

        def __init__(self, count: int) -> None:
            self.count = count
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.transcript = Transcript()
        self.own_nick = ""
        self.unseen = 0
        self._rows: list[Row] = []
        self._width = 0

    def show(self, transcript: Transcript) -> None:
        """Show another room, at its end."""
        self.transcript = transcript
        self._wrap_all()
        self.follow()

    def extend(self, entries: Iterable[Entry]) -> None:
        """Append entries to the transcript shown."""
        at_end = self.is_following
        added = 0
        for entry in entries:
            dropped = self.transcript.add(entry)
            if dropped:
                self._drop(dropped)
            self._rows += self._rows_of(entry)
            added += 1
        self._resize()
        if at_end:
            self.follow()
        else:
            self._set_unseen(self.unseen + added)

    @property
    def is_following(self) -> bool:
        """Whether the last row is in sight."""
        return self.scroll_target_y >= self.max_scroll_y - 1

    def follow(self) -> None:
        """Go to the end and stay there."""
        self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True, force=True)
        self._set_unseen(0)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The reader scrolled."""
        super().watch_scroll_y(old_value, new_value)
        if self.unseen and self.is_following:
            self._set_unseen(0)

    def on_resize(self) -> None:
        """Wrap anew, keeping the first message in sight where it was."""
        if self._text_width() == self._width:
            return
        at_end = self.is_following or not self._rows
        top = self._rows[min(int(self.scroll_y), len(self._rows) - 1)].entry if self._rows else None
        self._wrap_all()
        if at_end:
            self.follow()
        else:
            y = next((number for number, row in enumerate(self._rows) if row.entry is top), 0)
            self.scroll_to(y=y, animate=False, immediate=True, force=True)

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        number = y + int(self.scroll_offset.y)
        width = self.scrollable_content_region.width
        if number >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        return self._strip(self._rows[number]).crop_extend(0, width, self.rich_style).apply_style(self.rich_style)

    def text_rows(self) -> list[str]:
        """Every row's own text, for tests and for copying."""
        return [row.text for row in self._rows]

    def _strip(self, row: Row) -> Strip:
        entry = row.entry
        nick_width = self._nick_width()
        time = self.get_component_rich_style("log--time", partial=True)
        bar = self.get_component_rich_style("log--bar", partial=True)
        stamp = clock(entry.time) if row.line == 0 else ""
        if entry.nick is None:
            notice = self.get_component_rich_style("log--notice", partial=True)
            head = "•" if row.line == 0 else " "
            return Strip(
                [
                    Segment(f"{stamp:5} ", time),
                    Segment(fit(head, nick_width, right=True), notice),
                    Segment(" │ ", bar),
                    Segment(row.text, notice),
                ]
            )
        nick = fit(entry.nick if row.line == 0 else "", nick_width, right=True)
        own = entry.nick == self.own_nick
        body = self.get_component_rich_style("log--own", partial=True) if own else None
        return Strip(
            [
                Segment(f"{stamp:5} ", time),
                Segment(nick, Style(color=nick_colour(entry.nick), bold=True)),
                Segment(" │ ", bar),
                Segment(row.text, body),
            ]
        )

    def _nick_width(self) -> int:
        return 8 if self.size.width < 60 else 12

    def _text_width(self) -> int:
        return max(10, self.scrollable_content_region.width - self._nick_width() - 9)

    def _rows_of(self, entry: Entry) -> list[Row]:
        return [Row(entry, number, line) for number, line in enumerate(wrap(entry.text, self._width))]

    def _wrap_all(self) -> None:
        self._width = self._text_width()
        self._rows = [row for entry in self.transcript.entries for row in self._rows_of(entry)]
        self._resize()

    def _drop(self, entries: int) -> None:
        firsts = (number for number, row in enumerate(self._rows) if row.line == 0)
        rows = next(islice(firsts, entries, None), len(self._rows))
        del self._rows[:rows]
        self.scroll_to(y=max(0, self.scroll_y - rows), animate=False, immediate=True, force=True)

    def _resize(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows))
        self.refresh()

    def _set_unseen(self, count: int) -> None:
        if count != self.unseen:
            self.unseen = count
            self.post_message(self.Unseen(count))
