"""The connection state panel (F2): what the server's TCP knows about each of its connections."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static, Tab, Tabs

from tcpcore.status import ConnectionStatus, ListenerStatus, StackStatistics
from wireside_client.events import AskNetstat, AskStatus, Command, Failed
from wireside_client.status import endpoint, structure
from wireside_client.text import clean_line
from wireside_client.widgets.connections import ConnectionTable
from wireside_client.widgets.details import Counters, Queues, Timers, Variables
from wireside_client.widgets.diagram import StateDiagram
from wireside_protocol.messages import ConnectionReport, Netstat, NetstatReport, Status

PERIOD = 0.25
"""Seconds between two snapshots."""
PATIENCE = 2.0
"""Seconds after which an unanswered request for a snapshot is given up."""
PARTS = ("state", "variables", "timers", "queues", "counters")


class PanelScreen(Screen[None]):
    """Asks for snapshots while it is visible and shows them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2,escape,q", "dismiss", "Back to the chat", key_display="F2"),
        Binding("up", "move(-1)", "Connection", key_display="↑↓"),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
        Binding("left", "part(-1)", "Part", key_display="←→"),
        Binding("right", "part(1)", show=False),
    ]

    def __init__(self, send: Callable[[Command], bool], monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._send = send
        self._monotonic = monotonic
        self._asked: float | None = None
        self._visible = True

    def compose(self) -> ComposeResult:
        """Wide: two columns. Narrow: the table above, one part at a time below."""
        with Horizontal(id="panel"):
            with Vertical(id="panel-left"):
                yield ConnectionTable(id="connections")
                yield Static(id="panel-note")
                yield Tabs(*[Tab(part.title(), id=part) for part in PARTS], id="parts")
                with Horizontal(id="panel-lower"):
                    yield Queues(id="part-queues")
                    yield Counters(id="part-counters")
            with Vertical(id="panel-right"):
                yield StateDiagram(id="part-state")
                yield Variables(id="part-variables")
                yield Timers(id="part-timers", monotonic=self._monotonic)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Start asking."""
        self.query_one(StateDiagram).border_title = "State"
        self.query_one(Tabs).can_focus = False
        self._show_part("state")
        self.set_interval(PERIOD, self.ask)
        self.ask()

    def on_screen_suspend(self) -> None:
        """Something covers the panel: no more requests."""
        self._visible = False

    def on_screen_resume(self) -> None:
        """Visible again."""
        self._visible = True

    def ask(self) -> None:
        """Request a snapshot, unless one is still awaited."""
        now = self._monotonic()
        if not self._visible or (self._asked is not None and now - self._asked < PATIENCE):
            return
        self._asked = now
        table = self.query_one(ConnectionTable)
        if table.own_key is None or table.find(table.selected) is None:
            self._send(AskStatus(None if table.own_key is None else table.selected))
        self._send(AskNetstat())

    def receive(self, event: ConnectionReport | NetstatReport | Failed) -> None:
        """Take what the link delivers."""
        match event:
            case ConnectionReport():
                self._receive_report(event)
            case NetstatReport():
                self._receive_netstat(event)
            case Failed():
                self._receive_failed(event)

    def _receive_report(self, report: ConnectionReport) -> None:
        table = self.query_one(ConnectionTable)
        if table.own_key is None:
            table.own_key = report.connection
        if table.selected is None:
            table.selected = report.connection
        if table.selected == report.connection and table.find(report.connection) is None:
            self._show_connection(structure(report.status, ConnectionStatus))

    def _receive_netstat(self, report: NetstatReport) -> None:
        self._asked = None
        table = self.query_one(ConnectionTable)
        table.show(report.connections)
        if table.selected is None and report.connections and self._note_shown():
            table.move(1)
        chosen = table.find(table.selected)
        if chosen is not None:
            self._show_connection(structure(chosen, ConnectionStatus))
        listeners = [structure(fields, ListenerStatus) for fields in report.listeners]
        statistics = structure(report.statistics, StackStatistics) if report.statistics else None
        self.query_one(Queues).show_stack([one for one in listeners if one is not None], statistics)

    def _receive_failed(self, failed: Failed) -> None:
        if isinstance(failed.request, Netstat):
            self._asked = None
            self._note("No TCP state to see: " + _reason(failed))
        elif isinstance(failed.request, Status) and failed.request.connection is None:
            self._note("Your own connection cannot be seen: " + _reason(failed))

    def on_connection_table_selected(self, event: ConnectionTable.Selected) -> None:
        """Show the selected connection at once, from what is known."""
        fields = self.query_one(ConnectionTable).find(event.key)
        if fields is not None:
            self._show_connection(structure(fields, ConnectionStatus))

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        """Narrow layout: show that part."""
        self._show_part(str(event.tab.id))

    def action_move(self, step: int) -> None:
        """Select another connection."""
        self.query_one(ConnectionTable).move(step)

    def action_page(self, direction: int) -> None:
        """Select a connection further away."""
        self.query_one(ConnectionTable).page(direction)

    def action_part(self, step: int) -> None:
        """Narrow layout: the next part."""
        tabs = self.query_one(Tabs)
        if step > 0:
            tabs.action_next_tab()
        else:
            tabs.action_previous_tab()

    def _show_part(self, shown: str) -> None:
        for part in PARTS:
            self.query_one(f"#part-{part}").set_class(part == shown, "-shown")
        self.query_one("#panel-lower").set_class(shown in ("queues", "counters"), "-shown")
        self.query_one("#panel-right").set_class(shown not in ("queues", "counters"), "-shown")

    def _show_connection(self, status: ConnectionStatus | None) -> None:
        for box in (Variables, Timers, Queues, Counters):
            self.query_one(box).show(status)
        diagram = self.query_one(StateDiagram)
        diagram.show("" if status is None else status.state)
        if status is not None:
            remote = clean_line(endpoint(status.remote_address, status.remote_port))
            local = clean_line(endpoint(status.local_address, status.local_port))
            diagram.border_title = "State"
            self.query_one(Variables).border_title = f"Variables  {local} ⇄ {remote}"

    def _note(self, text: str) -> None:
        note = self.query_one("#panel-note", Static)
        note.update(text)
        note.add_class("-shown")

    def _note_shown(self) -> bool:
        return self.query_one("#panel-note").has_class("-shown")


def _reason(failed: Failed) -> str:
    if failed.code == "unavailable":
        return "the server runs on its kernel's sockets (" + clean_line(failed.text) + ")"
    return clean_line(failed.text)
