"""The language of packet scripts: one line, one event. ``docs/scripts.md`` describes it for people who write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from tcpcore.testing.peer import FLAGS
from tcpcore.wire.tcp import ACK, RST

Value = bool | int | float | str | None
Range = tuple[int, int]

_LINE: Final = re.compile(r"(?:(?P<plus>\+)?(?P<time>\d+(?:\.\d+)?)(?:\s+|$))?(?:@(?P<who>\w+)\s+)?(?P<body>.*)")
_SEGMENT: Final = re.compile(r"(?P<flags>[A-Z.]+|-)\s+(?P<seq>-?\d+):(?P<end>-?\d+)\((?P<length>\d+)\)(?P<rest>.*)")
_OPTIONS: Final = re.compile(r"<(?P<options>[^>]*)>")
_TEXT: Final = re.compile(r'"(?P<text>[^"]*)"')
_FIELDS: Final = ("ack", "win", "urg", "ttl", "tos", "id")


class ScriptSyntaxError(ValueError):
    """A line that is no event; the message says what was expected."""


@dataclass(slots=True)
class Options:
    """TCP options of a segment; ``ts`` is (TSval, TSecr), ``raw`` any bytes put behind the others."""

    mss: int | None = None
    wscale: int | None = None
    sack_permitted: bool = False
    ts: Range | None = None
    sack: tuple[Range, ...] = ()
    uto: int | None = None
    """User timeout, seconds (RFC 5482)."""
    raw: bytes = b""


@dataclass(slots=True)
class SegmentLine:
    """A segment to the stack (``<``) or from it (``>``). Numbers are relative: each side's SYN is 0."""

    flags: int
    seq: int
    length: int
    fields: dict[str, int] = field(default_factory=dict)
    """Those of ack, win, urg, ttl, tos and id that the line names."""
    options: Options | None = None
    """``None``: not named; of a segment from the stack they are then not looked at."""
    text: bytes | None = None


@dataclass(slots=True)
class ICMPLine:
    """An ICMP message; an error quotes the stack's segment that begins at ``seq``."""

    kind: str
    fields: dict[str, int]


@dataclass(slots=True)
class CallLine:
    """A user call, a setting or a check: a word, its arguments, and what has to come out."""

    word: str
    arguments: list[str]
    settings: dict[str, Value]
    result: str | None


@dataclass(slots=True)
class Line:
    """One event of a script."""

    number: int
    source: str
    time: Decimal | None
    """Seconds; ``None``: at the time of the line before."""
    relative: bool
    who: str
    """Which peer and connection it is about."""
    direction: Literal["<", ">", ""]
    event: SegmentLine | ICMPLine | CallLine | None
    """``None``: only time passes, and nothing may be sent."""


def parse(text: str) -> list[Line]:
    """The events of a script. Raises ``ScriptSyntaxError`` with the line's number."""
    lines = []
    for number, source in enumerate(text.splitlines(), 1):
        stripped = _without_comment(source)
        if not stripped:
            continue
        try:
            lines.append(_parse_line(number, stripped))
        except (ScriptSyntaxError, ValueError) as error:
            raise ScriptSyntaxError(f"line {number}: {source.strip()}: {error}") from error
    return lines


def value(text: str) -> Value:
    """A setting's value: ``true``, ``false``, ``none``, a number, or a word."""
    words: dict[str, Value] = {"true": True, "false": False, "none": None}
    if text in words:
        return words[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _without_comment(source: str) -> str:
    quoted = False
    for at, char in enumerate(source):
        quoted ^= char == '"'
        if char == "#" and not quoted:
            return source[:at].strip()
    return source.strip()


def _parse_line(number: int, text: str) -> Line:
    match = _LINE.fullmatch(text)
    assert match is not None
    body = match["body"].strip()
    direction: Literal["<", ">", ""] = "<" if body[:1] == "<" else ">" if body[:1] == ">" else ""
    event: SegmentLine | ICMPLine | CallLine | None
    if direction:
        words = body[1:].split()
        event = _icmp(words[1:]) if words[:1] == ["icmp"] else _segment(body[1:].strip())
    else:
        event = _call(body) if body else None
    time = Decimal(match["time"]) if match["time"] else None
    return Line(number, text, time, bool(match["plus"]), match["who"] or "", direction, event)


def _segment(text: str) -> SegmentLine:
    match = _SEGMENT.fullmatch(text)
    if match is None:
        raise ScriptSyntaxError("a segment is written FLAGS SEQ:END(LENGTH) [ack N] [win N] [urg N] [<options>]")
    seq, end, length = int(match["seq"]), int(match["end"]), int(match["length"])
    if end != seq + length:
        raise ScriptSyntaxError(f"{seq} + {length} is not {end}")
    line = SegmentLine(_flags(match["flags"]), seq, length)
    rest = match["rest"]
    if (quoted := _TEXT.search(rest)) is not None:
        line.text = quoted["text"].encode("latin-1")
        if len(line.text) != length:
            raise ScriptSyntaxError(f"the text has {len(line.text)} bytes, not {length}")
        rest = _TEXT.sub("", rest)
    if (options := _OPTIONS.search(rest)) is not None:
        line.options = _options(options["options"])
        rest = _OPTIONS.sub("", rest)
    line.fields = _fields(rest.split())
    if (line.flags & ACK > 0) != ("ack" in line.fields) and not line.flags & RST:
        raise ScriptSyntaxError("`.` stands for ACK, and `ack N` gives its number")
    return line


def _flags(letters: str) -> int:
    try:
        return 0 if letters == "-" else sum(FLAGS[letter] for letter in letters)
    except KeyError as error:
        raise ScriptSyntaxError(f"flags are of {''.join(FLAGS)}, or - for none") from error


def _fields(words: list[str]) -> dict[str, int]:
    names, numbers = words[::2], words[1::2]
    if len(names) != len(numbers) or not set(names) <= set(_FIELDS):
        raise ScriptSyntaxError(f"after the numbers come {', '.join(_FIELDS)}, each with a number")
    return {name: int(number, 0) for name, number in zip(names, numbers, strict=True)}


def _options(text: str) -> Options:
    options = Options()
    for part in filter(None, map(str.strip, text.split(","))):
        name, *words = part.split()
        match name, words:
            case "mss", [number]:
                options.mss = int(number)
            case "wscale", [number]:
                options.wscale = int(number)
            case "sackOK", []:
                options.sack_permitted = True
            case "ts", [pair]:
                options.ts = _range(pair)
            case "sack", [_, *_]:
                options.sack = tuple(map(_range, words))
            case "uto", [number]:
                options.uto = int(number)
            case "raw", [octets]:
                options.raw = bytes.fromhex(octets)
            case _:
                raise ScriptSyntaxError(
                    f"option {part!r} is none of: mss N, wscale N, sackOK, ts VAL:ECR, sack L:R ..., uto S, raw HEX"
                )
    return options


def _range(pair: str) -> Range:
    left, _, right = pair.partition(":")
    return int(left), int(right)


def _icmp(words: list[str]) -> ICMPLine:
    if not words:
        raise ScriptSyntaxError("icmp needs a kind")
    names, numbers = words[1::2], words[2::2]
    if len(names) != len(numbers):
        raise ScriptSyntaxError("after the kind come names, each with a number")
    return ICMPLine(words[0], {name: int(number) for name, number in zip(names, numbers, strict=True)})


def _call(text: str) -> CallLine:
    call, found, result = text.partition(" = ")
    word, *arguments = call.split()
    settings = {name: value(given) for name, mark, given in (a.partition("=") for a in arguments) if mark}
    plain = [argument for argument in arguments if "=" not in argument]
    return CallLine(word, plain, settings, result.strip() if found else None)


def flag_letters(flags: int) -> str:
    """The letters of ``flags``, as scripts write them."""
    return "".join(letter for letter, bit in FLAGS.items() if flags & bit) or "-"
