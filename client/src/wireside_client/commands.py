"""Slash commands: a line of the composer becomes a `Call`, or a hint."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from wireside_protocol import ProtocolError
from wireside_protocol.limits import check_nick, check_room


@dataclass(frozen=True, slots=True)
class Spec:
    """What a command is called, takes and does."""

    usage: str
    help: str
    required: bool = False


COMMANDS = {
    "join": Spec("/join ROOM", "enter a room, or go to it", required=True),
    "leave": Spec("/leave [ROOM]", "leave this room, or another"),
    "who": Spec("/who [ROOM]", "who is here, or in another room"),
    "nick": Spec("/nick NAME", "change your name", required=True),
    "tcp": Spec("/tcp", "look inside the connection (F2)"),
    "help": Spec("/help", "keys and commands (F1)"),
    "quit": Spec("/quit", "leave Wireside (Ctrl+Q)"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A command and its argument, ``""`` when there is none."""

    name: str
    argument: str


class UsageError(Exception):
    """The line is no command; the text is a hint for the user."""


def parse(line: str) -> Call:
    """Read a line that begins with a slash; raises `UsageError`."""
    name, _, argument = line[1:].strip().partition(" ")
    name, argument = name.lower(), argument.strip()
    spec = COMMANDS.get(name)
    if spec is None:
        raise UsageError(_unknown(name))
    if spec.required and not argument:
        raise UsageError(f"usage: {spec.usage}")
    try:
        if argument:
            (check_nick if name == "nick" else check_room)(argument)
    except ProtocolError as error:
        raise UsageError(error.text) from None
    return Call(name, argument)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean /{close[0]}?" if close else "try /help"
    return f"there is no command /{name}: {hint}"
