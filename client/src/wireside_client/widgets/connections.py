"""The table of all connections; only the rows in sight are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tcpcore.status import ConnectionStatus
from wireside_client.status import endpoint, key_of, structure
from wireside_client.text import clean_line, fit
from wireside_client.widgets.diagram import STATE_COLOURS
from wireside_client.widgets.figures import count, milliseconds


@dataclass(frozen=True, slots=True)
class Column:
    """A column; it appears when the table has ``at`` cells."""

    title: str
    width: int
    value: Callable[[ConnectionStatus], str]
    at: int = 0
    right: bool = True


COLUMNS = (
    Column("STATE", 12, lambda s: s.state, right=False),
    Column("RECV-Q", 7, lambda s: count(s.recv_q)),
    Column("SEND-Q", 7, lambda s: count(s.send_q)),
    Column("CWND", 7, lambda s: count(s.cwnd), at=70),
    Column("SRTT", 7, lambda s: milliseconds(s.srtt), at=60),
    Column("RTO", 6, lambda s: milliseconds(s.rto), at=80),
    Column("FLIGHT", 7, lambda s: count(s.in_flight), at=90),
    Column("RETX", 5, lambda s: count(s.segments_retransmitted), at=78),
    Column("OUT", 7, lambda s: count(s.bytes_out), at=98),
    Column("IN", 7, lambda s: count(s.bytes_in), at=98),
)


class ConnectionTable(ScrollView, can_focus=False):
    """Lists status maps; the selection stays on its connection when rows come and go."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--head", "table--selected"}

    class Selected(Message):
        """The user chose the connection ``key``."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.maps: Sequence[Mapping[str, Any]] = ()
        self.own_key: str | None = None
        self.selected: str | None = None
        self._keys: dict[str, int] = {}

    def show(self, maps: Sequence[Mapping[str, Any]]) -> None:
        """Show these connections."""
        self.maps = maps
        self._keys = {key_of(fields): number for number, fields in enumerate(maps)}
        self.virtual_size = Size(self.scrollable_content_region.width, len(maps) + 1)
        self.border_title = f"Connections ({len(maps)})"
        self.refresh()

    def find(self, key: str | None) -> Mapping[str, Any] | None:
        """The status map of a connection."""
        number = None if key is None else self._keys.get(key)
        return None if number is None else self.maps[number]

    def move(self, step: int) -> None:
        """Select the row ``step`` below the selected one."""
        if not self.maps:
            return
        number = self._keys.get(self.selected or "", -1 if step > 0 else 0)
        number = min(max(number + step, 0), len(self.maps) - 1)
        self._select(number)

    def page(self, direction: int) -> None:
        """Move the selection by a screenful."""
        self.move(direction * max(1, self.scrollable_content_region.height - 2))

    def on_click(self, event: events.Click) -> None:
        """Select the row under the mouse."""
        number = event.get_content_offset_capture(self).y - 1 + int(self.scroll_offset.y)
        if 0 <= number < len(self.maps) and event.y > 0:
            self._select(number)

    def _select(self, number: int) -> None:
        self.selected = key_of(self.maps[number])
        top, rows = int(self.scroll_offset.y), self.scrollable_content_region.height - 1
        if not top <= number < top + rows:
            self.scroll_to(y=number if number < top else number - rows + 1, animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Selected(self.selected))

    def render_line(self, y: int) -> Strip:
        """One row of the screen; the first is the heading."""
        width = self.scrollable_content_region.width
        columns = [column for column in COLUMNS if width >= column.at]
        peer_width = max(12, width - 2 - sum(column.width + 1 for column in columns))
        if y == 0:
            return self._head(columns, peer_width, width)
        number = y - 1 + int(self.scroll_offset.y)
        if number >= len(self.maps):
            return Strip.blank(width, self.rich_style)
        return self._row(self.maps[number], columns, peer_width, width)

    def _head(self, columns: Sequence[Column], peer_width: int, width: int) -> Strip:
        style = self.get_component_rich_style("table--head", partial=True)
        cells = [fit("  REMOTE", peer_width + 2)]
        cells += [" " + fit(column.title, column.width, right=column.right) for column in columns]
        return (
            Strip([Segment("".join(cells), style)]).crop_extend(0, width, self.rich_style).apply_style(self.rich_style)
        )

    def _row(self, fields: Mapping[str, Any], columns: Sequence[Column], peer_width: int, width: int) -> Strip:
        key = key_of(fields)
        status = structure(fields, ConnectionStatus)
        mark = "●" if key == self.own_key else " "
        if status is None:
            return Strip([Segment(fit(f"{mark} (unreadable status)", width))]).apply_style(self.rich_style)
        peer = clean_line(endpoint(status.remote_address, status.remote_port))
        segments = [Segment(f"{mark} {fit(peer, peer_width)}")]
        for column in columns:
            style = Style(color=STATE_COLOURS.get(status.state), bold=True) if column.title == "STATE" else None
            segments.append(
                Segment(" " + fit(clean_line(column.value(status)), column.width, right=column.right), style)
            )
        strip = Strip(segments).crop_extend(0, width, self.rich_style)
        if key == self.selected:
            strip = strip.apply_style(self.get_component_rich_style("table--selected", partial=True))
        return strip.apply_style(self.rich_style)
