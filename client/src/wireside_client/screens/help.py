"""Keys and commands (F1)."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from wireside_client.commands import COMMANDS

KEYS = (
    ("Enter", "send"),
    ("Up / Down", "lines sent before"),
    ("Tab", "complete a name or command"),
    ("PgUp / PgDn", "scroll the messages (Shift+Up/Down: a line)"),
    ("Ctrl+Home / Ctrl+End", "oldest / newest message"),
    ("Alt+Up / Alt+Down", "previous / next room"),
    ("Alt+A", "next room with unread messages"),
    ("F1", "this help"),
    ("F2", "the TCP connection from inside"),
    ("Ctrl+P", "command palette, themes"),
    ("Ctrl+Q", "quit"),
)


class HelpScreen(ModalScreen[None]):
    """A list of keys and commands."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,enter", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        """One text in a box."""
        text = Text()
        for key, meaning in KEYS:
            text.append(f"{key:<22}", "bold")
            text.append(meaning + "\n")
        text.append("\n")
        for spec in COMMANDS.values():
            text.append(f"{spec.usage:<22}", "bold")
            text.append(spec.help + "\n")
        text.append("\nA message that begins with a slash: type it twice.")
        with VerticalScroll(id="help") as box:
            box.border_title = "Help"
            yield Static(text)
