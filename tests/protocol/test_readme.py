"""protocol/README.md is the specification: it and the code must say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import attrs
import msgpack  # type: ignore[import-untyped]
import pytest

from wireside_protocol import Decoder, encode, errors, limits, messages

README = (Path(__file__).parents[2] / "protocol" / "README.md").read_text("utf-8")
SECTIONS = {
    match[1]: match[2] for match in re.finditer(r"^### `([a-z-]+)`$(.*?)(?=^##)", README, re.MULTILINE | re.DOTALL)
}
TYPES: dict[Any, str] = {
    int: "integer",
    int | None: "integer or nil",
    str: "string",
    str | None: "string or nil",
    float: "float",
    bool: "boolean",
    tuple[str, ...]: "list of strings",
    tuple[messages.RoomMessage, ...]: "list of room messages",
    dict[str, tuple[str, ...]]: "map of string to list of strings",
    dict[str, Any]: "map",
    tuple[dict[str, Any], ...]: "list of maps",
}


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def default(field: attrs.Attribute[Any]) -> str:
    if field.default is attrs.NOTHING:
        return ""
    return json.dumps(field.default)


def test_every_message_has_a_section() -> None:
    assert set(SECTIONS) == {messages.type_name(cls) for cls in messages.MESSAGES}


@pytest.mark.parametrize("cls", messages.MESSAGES, ids=messages.type_name)
def test_field_table(cls: type[messages.Message]) -> None:
    hints = get_type_hints(cls)
    expected = [[field.name, TYPES[hints[field.name]], default(field)] for field in attrs.fields(cls)]
    assert rows(SECTIONS[messages.type_name(cls)]) == expected


@pytest.mark.parametrize("cls", messages.MESSAGES, ids=messages.type_name)
def test_example(cls: type[messages.Message]) -> None:
    found = re.search(r"```json\n(.*?)\n```", SECTIONS[messages.type_name(cls)], re.DOTALL)
    assert found is not None
    example = json.loads(found[1])
    decoder = Decoder()
    decoder.receive_data(msgpack.packb(example))
    message = decoder.next_message()
    assert type(message) is cls
    assert msgpack.unpackb(encode(message)) == example


def test_requests_name_their_reply_and_errors() -> None:
    for cls in messages.REQUESTS:
        answered = re.search(r"Answered by `([a-z-]+)`(.*?)\.\n", SECTIONS[messages.type_name(cls)], re.DOTALL)
        assert answered is not None
        assert answered[1] in {messages.type_name(reply) for reply in messages.REPLIES}
        assert set(re.findall(r"`([a-z-]+)`", answered[2])) <= errors.CODES


def test_error_table() -> None:
    section = README.split("## Errors\n")[1].split("\n## ")[0]
    assert {code for code, _ in rows(section)} == errors.CODES


def test_limit_table() -> None:
    section = README.split("## Limits\n")[1]
    expected = {name: str(value) for name, value in vars(limits).items() if name.startswith("MAX_")}
    assert {name: value for name, value, _ in rows(section)} == expected
