"""Text from strangers, made fit for a terminal: no control characters, wrapped by display width."""

from __future__ import annotations

import os
import time
import unicodedata
import zlib

from rich.cells import cell_len, chop_cells

NICK_COLOURS = ("#61afef", "#98c379", "#e5c07b", "#c678dd", "#56b6c2", "#e06c75", "#d19a66", "#7fbbb3")
# tmux counts these as cells of their own, so that a row with one of them would shear.
_MISCOUNTED = {0xFE0F: None, 0x20E3: None, **dict.fromkeys(range(0x1F3FB, 0x1F400))}


def clean(text: str) -> str:
    """``text`` without what could steer a terminal; tabs become spaces, newlines stay."""
    if "TMUX" in os.environ:
        text = text.translate(_MISCOUNTED)
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_clean_character, text.expandtabs(4)))


def _clean_character(character: str) -> str:
    if character == "\n" or character.isprintable() or character == "\u200d":
        return character
    return "" if unicodedata.category(character) == "Cf" else "�"


def clean_line(text: str) -> str:
    """As `clean`, on one line."""
    return clean(text).replace("\n", " ")


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells; words longer than a line are cut."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += [paragraph] if cell_len(paragraph) <= width else _wrap_paragraph(paragraph, max(width, 2))
    return lines


def _wrap_paragraph(paragraph: str, width: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in paragraph.split(" "):
        candidate = f"{line} {word}" if line else word
        if cell_len(candidate) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        *full, line = chop_cells(word, width) or [""]
        lines += full
    return [*lines, line]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """``text`` cut or filled to exactly ``width`` cells."""
    if cell_len(text) > width:
        text = (chop_cells(text, max(width - 1, 1)) or [""])[0] + "…" if width > 1 else "…"[:width]
    filling = " " * (width - cell_len(text))
    return filling + text if right else text + filling


def nick_colour(nick: str) -> str:
    """The colour of a nick, the same everywhere and always."""
    return NICK_COLOURS[zlib.crc32(nick.encode()) % len(NICK_COLOURS)]


def clock(seconds: float) -> str:
    """Local time of day of a moment in seconds since 1970."""
    try:
        return time.strftime("%H:%M", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "--:--"
