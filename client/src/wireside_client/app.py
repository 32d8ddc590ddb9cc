"""The terminal application: screens over a link to the network."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Callable
from pathlib import PurePath
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from wireside_client.events import Command, Event, Failed
from wireside_client.link import Link
from wireside_client.screens.chat import ChatScreen
from wireside_client.screens.help import HelpScreen
from wireside_client.screens.panel import PanelScreen
from wireside_protocol.messages import ConnectionReport, Netstat, NetstatReport, Status


class WiresideApp(App[None]):
    """Chat as ``nick`` over ``link``; ``server`` is the address shown."""

    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = "styles.tcss"
    TITLE: str | None = "Wireside"
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", priority=True, show=False),
        Binding("f2", "panel", "TCP", priority=True, show=False),
        Binding("ctrl+q", "quit", "Quit", priority=True, show=False),
    ]

    def __init__(
        self,
        link: Link,
        nick: str,
        server: str,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.link = link
        self.chat = ChatScreen(nick, server, self.send, clock=clock, monotonic=monotonic)
        self._monotonic = monotonic
        self.network_error: BaseException | None = None

    def on_mount(self) -> None:
        """Show the chat, then start the network."""
        self.theme = "textual-dark"
        self.push_screen(self.chat)
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self.link.start(self._deliver, self._ended)

    def send(self, command: Command) -> bool:
        """Hand a command to the network."""
        return self.link.send(command)

    def action_panel(self) -> None:
        """Open or close the connection state panel."""
        if isinstance(self.screen, PanelScreen):
            self.screen.dismiss()
        elif self.screen is self.chat:
            self.push_screen(PanelScreen(self.send, self._monotonic))

    def action_help_quit(self) -> None:
        """Ctrl+C copies; say how to quit."""
        self.notify("Ctrl+Q quits")

    def action_help(self) -> None:
        """Open or close the help."""
        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss()
        else:
            self.push_screen(HelpScreen())

    def _deliver(self, events: list[Event]) -> None:
        if not self.is_running or not self.chat.is_mounted:
            return
        with self._context():
            panel = next((screen for screen in self.screen_stack if isinstance(screen, PanelScreen)), None)
            rest = []
            for event in events:
                match event:
                    case ConnectionReport() | NetstatReport() | Failed(request=Status() | Netstat()):
                        if panel is not None and panel.is_mounted:
                            panel.receive(event)
                    case _:
                        rest.append(event)
            self.chat.receive(rest)

    def _ended(self, error: BaseException | None) -> None:
        self.network_error = error
        if error is not None and self.is_running:
            self.call_later(self.chat.notice, f"the network stopped: {_innermost(error)}")


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


async def run_app(app: WiresideApp) -> None:
    """Run until the user quits or a signal (SIGTERM, SIGHUP) asks; the terminal is restored in each case."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, app.exit)
    loop.call_later(1.0, tune_collector)
    try:
        await app.run_async()
    finally:
        await asyncio.shield(app.link.stop())


def tune_collector() -> None:
    """Make full garbage collections rare: each would delay the network's timers by some 70 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
