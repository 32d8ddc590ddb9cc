"""The grammars of names, texts and ids."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wireside_protocol import ProtocolError, limits


@pytest.mark.parametrize("nick", ["a", "ada", "Ada.L-1_", "7of9", "Åsa", "李雷", "x" * 32])
def test_good_nicks(nick: str) -> None:
    limits.check_nick(nick)


@pytest.mark.parametrize("nick", ["", "x" * 33, "_ada", "-a", "a b", "a\n", "a\x1b[2J", "#a", "A\u030asa", "a\u202eb"])
def test_bad_nicks(nick: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        limits.check_nick(nick)
    assert caught.value.code == "bad-nick"


def test_rooms() -> None:
    limits.check_room("x" * 64)
    with pytest.raises(ProtocolError) as caught:
        limits.check_room("x" * 65)
    assert caught.value.code == "bad-room"


@pytest.mark.parametrize(
    ("check", "value", "code"),
    [
        (limits.check_text, "", "bad-request"),
        (limits.check_text, "a\x1b[2J", "bad-request"),
        (limits.check_text, "\x9b31m", "bad-request"),
        (limits.check_text, "x" * 4097, "too-long"),
        (limits.check_message_id, "", "bad-request"),
        (limits.check_message_id, "a b", "bad-request"),
        (limits.check_message_id, "x" * 65, "too-long"),
    ],
)
def test_bad_texts_and_ids(check: Callable[[str], None], value: str, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        check(value)
    assert caught.value.code == code


def test_good_texts_and_ids() -> None:
    limits.check_text("line one\n\tline two 😀")
    limits.check_text("x" * 4096)
    limits.check_message_id("7d1f6a52-aa")


def test_hello_limits() -> None:
    limits.check_client("wireside 0.1", ("a",))
    with pytest.raises(ProtocolError, match="too-long"):
        limits.check_client("x" * 101, ())
    with pytest.raises(ProtocolError, match="printable"):
        limits.check_client("x\x1b[2J", ())
    with pytest.raises(ProtocolError, match="too-long"):
        limits.check_client("x", ("f" * 201,))
    with pytest.raises(ProtocolError, match="too-many"):
        limits.check_client("x", ("f",) * 33)


def test_case_makes_no_other_nick() -> None:
    assert limits.nick_key("Ada") == limits.nick_key("aDA")
