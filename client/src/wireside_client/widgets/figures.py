"""Numbers as people read them, and text in columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from wireside_client.text import clean_line, fit

Pair = tuple[str, str]


def count(number: int) -> str:
    """A number in at most six cells: ``999999``, then ``1.0M``, ``1.0G``."""
    if number < 1_000_000:
        return str(number)
    for unit in "MGTP":
        number_of_units = number / 1_000_000
        if number_of_units < 1000:
            return f"{number_of_units:.1f}{unit}"
        number //= 1000
    return ">1E"


def milliseconds(seconds: float | None) -> str:
    """A time as milliseconds without the unit, ``-`` when unknown."""
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f}" if seconds < 1 else f"{seconds * 1000:.0f}"


def duration(seconds: float | None) -> str:
    """A time with its unit, ``-`` when unknown."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 600:
        return f"{seconds:.1f} s"
    if seconds < 36_000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def columns(pairs: Sequence[Pair], width: int, *, count: int = 2) -> Text:
    """Names and values, down ``count`` columns of equal width; a pair of empty strings leaves a gap."""
    rows = -(-len(pairs) // count)
    cell = max(16, (width - 2 * (count - 1)) // count)
    text = Text(no_wrap=True)
    for row in range(rows):
        for number, (name, value) in enumerate(pairs[row::rows]):
            name, value = clean_line(name), clean_line(value)
            value_width = max(0, cell - len(name) - 1)
            text.append("  " if number else "")
            text.append(name + " ", "#8b92a0")
            text.append(fit(value, value_width, right=True))
        text.append("\n")
    text.right_crop()
    return text
