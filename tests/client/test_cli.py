"""The command line: mistakes are one line and exit status 2."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from wireside_client.cli import AddressType, main


@pytest.mark.parametrize(
    "arguments",
    [
        ["chat", "host:99999", "--nick", "ada"],
        ["chat", "host:x", "--nick", "ada"],
        ["chat", ":7070", "--nick", "ada"],
        ["chat", "fd77::2", "--nick", "ada"],
        ["chat", "[fd77::2", "--nick", "ada"],
        ["chat", "host", "--nick", "a b"],
        ["chat", "host", "--nick", "ada", "--room", "#"],
        ["chat", "host", "--nick", "ada"],
        ["chat", "host"],
        ["demo", "--nick", "ada"],
        ["demo", "--people", "0"],
        ["load", "host", "--clients", "0"],
        ["load"],
        ["nonsense"],
    ],
)
def test_a_mistake_is_one_line(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("wireside: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("chat.example:7", ("chat.example", 7)),
        ("chat.example", ("chat.example", 7070)),
        ("[fd77::2]:7071", ("fd77::2", 7071)),
        ("[fd77::2]", ("fd77::2", 7070)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert AddressType().convert(text, None, None) == address


@pytest.mark.parametrize("command", [[], ["chat"], ["demo"], ["load"]])
def test_help(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout
