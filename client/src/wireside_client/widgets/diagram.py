"""The state diagram of RFC 9293, Figure 5, with the current state lit."""

from __future__ import annotations

import re

from rich.text import Text
from textual.widgets import Static

ART = """\
  ┌─────────────── CLOSED ◀───────────────────┐
  │ passive OPEN      │ active OPEN           │
  ▼                   └──────────┐            │
 LISTEN ───────── SEND ─────▶ SYN-SENT        │
  │ SYN    ┌─────── SYN ──────┘  │            │
  ▼        ▼                     │ SYN+ACK    │
 SYN-RECEIVED ─ ACK of SYN ─▶ ESTABLISHED     │
  │ CLOSE  ┌────── CLOSE ─────┘    │ FIN      │
  ▼        ▼                       ▼          │
 FIN-WAIT-1 ── FIN ─▶ CLOSING   CLOSE-WAIT    │
  │ ACK of FIN          │ ACK      │ CLOSE    │
  ▼                     ▼          ▼          │
 FIN-WAIT-2 ── FIN ─▶ TIME-WAIT LAST-ACK ─────┤
                        └───── 2 MSL ─────────┘"""
STATES = (
    "CLOSED",
    "LISTEN",
    "SYN-SENT",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
)
_PLACES = {
    state: match.span() for state in STATES if (match := re.search(rf"(?<![\w-]){state}(?![\w-])", ART)) is not None
}
_OPENING, _OPEN, _CLOSING, _LATE = "#e5c07b", "#98c379", "#d19a66", "#e06c75"
STATE_COLOURS = {
    "CLOSED": "#7f848e",
    "LISTEN": "#61afef",
    "SYN-SENT": _OPENING,
    "SYN-RECEIVED": _OPENING,
    "ESTABLISHED": _OPEN,
    "FIN-WAIT-1": _CLOSING,
    "FIN-WAIT-2": _CLOSING,
    "CLOSING": _CLOSING,
    "TIME-WAIT": _CLOSING,
    "CLOSE-WAIT": _LATE,
    "LAST-ACK": _LATE,
}


def draw(current: str) -> Text:
    """The diagram with ``current`` lit; an unknown state lights none."""
    text = Text(ART, style="#6b7280", no_wrap=True)
    text.highlight_regex(r"[A-Za-z2+]+", "italic #8b92a0")
    for state, (start, end) in _PLACES.items():
        if state == current:
            text.stylize(f"not italic bold #101014 on {STATE_COLOURS[state]}", start - 1, end + 1)
        else:
            text.stylize("not italic #c8ccd4 on #2c313a", start, end)
    return text


class StateDiagram(Static):
    """Shows where a connection stands among the eleven states."""

    current = ""

    def show(self, state: str) -> None:
        """Light ``state``."""
        if state != self.current:
            self.current = state
            self.update(draw(state))

    def on_mount(self) -> None:
        """Begin with nothing lit."""
        self.update(draw(self.current))
