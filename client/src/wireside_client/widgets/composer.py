"""The line in which a message is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from wireside_protocol.limits import MAX_TEXT

HISTORY = 200
"""Lines remembered."""


class Composer(Input):
    """An input with the lines sent before (up, down) and completion of names (tab)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(-1)", "Previous line", show=False),
        Binding("down", "recall(1)", "Next line", show=False),
        Binding("tab", "complete", "Complete a name", show=False, priority=True),
    ]

    class Sent(Message):
        """The user pressed enter on a line that is not empty."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    def __init__(self, *, id: str | None = None, names: Callable[[], Iterable[str]] = tuple) -> None:
        super().__init__(id=id, placeholder="Message, or /help", max_length=MAX_TEXT, compact=True)
        self._names = names
        self._history: list[str] = []
        self._position = 0
        self._draft = ""

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Send the line."""
        event.stop()
        text = self.value.strip()
        self.clear()
        if not text:
            return
        if self._history[-1:] != [text]:
            self._history.append(text)
            del self._history[:-HISTORY]
        self._position = len(self._history)
        self._draft = ""
        self.post_message(self.Sent(text))

    def action_recall(self, step: int) -> None:
        """Show an earlier or later line."""
        if self._position == len(self._history):
            self._draft = self.value
        self._position = min(max(self._position + step, 0), len(self._history))
        lines: Sequence[str] = [*self._history, self._draft]
        self.value = lines[self._position]
        self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        """Complete the name or command before the cursor as far as it is certain."""
        before, after = self.value[: self.cursor_position], self.value[self.cursor_position :]
        start = before.rfind(" ") + 1
        completed = complete(before[start:], self._names(), at_start=start == 0)
        self.value = before[:start] + completed + after
        self.cursor_position = start + len(completed)


def complete(word: str, names: Iterable[str], *, at_start: bool) -> str:
    """``word``, longer by what all names that begin with it have in common."""
    matches = sorted(name for name in names if name.lower().startswith(word.lower())) if word else []
    if not matches:
        return word
    if len(matches) == 1:
        end = ": " if at_start and not word.startswith("/") else " "
        return matches[0] + end
    first, last = matches[0], matches[-1]
    length = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length] if length > len(word) else word
