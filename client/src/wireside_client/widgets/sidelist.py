"""A narrow list beside the messages: rooms on the left, people on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from wireside_client.text import clean_line, fit


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the list; ``badge`` stands at its right edge."""

    key: str
    colour: str = ""
    badge: str = ""
    current: bool = False


class SideList(ScrollView, can_focus=False):
    """Draws the items in sight; a click picks one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"side--current", "side--badge"}

    class Picked(Message):
        """The item ``key`` was clicked."""

        def __init__(self, side_list: SideList, key: str) -> None:
            self.side_list = side_list
            self.key = key
            super().__init__()

        @property
        def control(self) -> SideList:
            """The list."""
            return self.side_list

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.items: Sequence[Item] = ()

    def show(self, items: Sequence[Item]) -> None:
        """Show these items."""
        self.items = items
        self.virtual_size = Size(self.scrollable_content_region.width, len(items))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        number = y + int(self.scroll_offset.y)
        width = self.scrollable_content_region.width
        if number >= len(self.items):
            return Strip.blank(width, self.rich_style)
        item = self.items[number]
        badge = f" {item.badge}" if item.badge else ""
        mark = "▌" if item.current else " "
        name = fit(mark + clean_line(item.key), max(1, width - len(badge)))
        style = Style(color=item.colour or None, bold=item.current or bool(badge))
        if item.current:
            style += self.get_component_rich_style("side--current", partial=True)
        segments = [Segment(name, style)]
        if badge:
            segments.append(Segment(badge, self.get_component_rich_style("side--badge", partial=True)))
        return Strip(segments).crop_extend(0, width, self.rich_style).apply_style(self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Pick the item under the mouse."""
        number = event.y + int(self.scroll_offset.y)
        if 0 <= number < len(self.items):
            self.post_message(self.Picked(self, self.items[number].key))
