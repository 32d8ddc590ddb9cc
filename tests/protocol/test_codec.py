"""The codec: whole messages in, whole messages out, and `ProtocolError` for everything else."""

from __future__ import annotations

import tracemalloc
from typing import Any, get_type_hints

import attrs
import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wireside_protocol import Decoder, ProtocolError, encode, messages
from wireside_protocol.limits import MAX_INTEGER
from wireside_protocol.messages import Hello, HistoryPage, Join, Message, Ping, RoomMessage

INTEGERS = st.integers(0, MAX_INTEGER)
FLOATS = st.floats(allow_nan=False)
TEXT = st.text(max_size=20)
LISTS = st.lists(TEXT, max_size=3).map(tuple)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MAPS = st.dictionaries(TEXT, VALUES, max_size=4)
ROOM_MESSAGES = st.builds(RoomMessage, TEXT, INTEGERS, TEXT, TEXT, FLOATS, TEXT)
STRATEGIES: dict[Any, st.SearchStrategy[Any]] = {
    int: INTEGERS,
    int | None: st.none() | INTEGERS,
    str: TEXT,
    str | None: st.none() | TEXT,
    float: FLOATS,
    bool: st.booleans(),
    tuple[str, ...]: LISTS,
    tuple[RoomMessage, ...]: st.lists(ROOM_MESSAGES, max_size=2).map(tuple),
    dict[str, tuple[str, ...]]: st.dictionaries(TEXT, LISTS, max_size=2),
    dict[str, Any]: MAPS,
    tuple[dict[str, Any], ...]: st.lists(MAPS, max_size=2).map(tuple),
}


def any_message(cls: type[Message]) -> st.SearchStrategy[Message]:
    hints = get_type_hints(cls)
    return st.builds(cls, **{field.name: STRATEGIES[hints[field.name]] for field in attrs.fields(cls)})


MESSAGES = st.sampled_from(messages.MESSAGES).flatmap(any_message)


def decode_all(decoder: Decoder, data: bytes) -> list[Message]:
    decoder.receive_data(data)
    found = []
    while (message := decoder.next_message()) is not None:
        found.append(message)
    return found


def error_of(value: Any, **options: Any) -> ProtocolError:
    decoder = Decoder(**options)
    decoder.receive_data(value if isinstance(value, bytes) else msgpack.packb(value))
    with pytest.raises(ProtocolError) as caught:
        decoder.next_message()
    return caught.value


@given(st.lists(MESSAGES, max_size=4), st.integers(1, 50))
def test_round_trip_in_pieces(sent: list[Message], size: int) -> None:
    stream = b"".join(encode(message) for message in sent)
    decoder = Decoder()
    received: list[Message] = []
    for at in range(0, len(stream), size):
        received += decode_all(decoder, stream[at : at + size])
    assert received == sent


def outcome(decoder: Decoder, data: bytes) -> None:
    """Follow ``data`` to its end or to a fatal error; any other exception fails the test."""
    try:
        decoder.receive_data(data)
    except ProtocolError:
        return
    while not at_end(decoder):
        pass


def at_end(decoder: Decoder) -> bool:
    try:
        return decoder.next_message() is None
    except ProtocolError as error:
        return error.fatal


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes(chunks: list[bytes]) -> None:
    decoder = Decoder(max_message=256)
    for chunk in chunks:
        outcome(decoder, chunk)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | TEXT | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted({field.name for cls in messages.MESSAGES for field in attrs.fields(cls)})


@given(
    st.sampled_from([messages.type_name(cls) for cls in messages.MESSAGES]),
    st.dictionaries(st.sampled_from(KEYS), ANYTHING),
)
def test_any_values_in_the_fields(name: str, fields: dict[str, Any]) -> None:
    outcome(Decoder(), msgpack.packb({"t": name, **fields}))


@pytest.mark.parametrize(
    "fields",
    [
        {"id": True, "room": "lobby"},
        {"id": -1, "room": "lobby"},
        {"id": 2**63, "room": "lobby"},
        {"id": 1.0, "room": "lobby"},
        {"id": 1},
        {"id": 1, "room": b"lobby"},
        {"id": 1, "room": None},
        {"id": 1, "room": ["lobby"]},
        {"id": 1, "room": "lobby", "after": "3"},
    ],
)
def test_strict_types(fields: dict[str, Any]) -> None:
    error = error_of({"t": "join", **fields})
    assert (error.code, error.fatal) == ("bad-request", False)


def test_a_string_is_not_a_list_of_strings() -> None:
    fields = {"t": "hello", "id": 4, "version": 1, "client": "x", "nick": "ada", "features": "ab"}
    assert error_of(fields).id == 4


def test_an_integer_is_a_float() -> None:
    assert decode_all(Decoder(), msgpack.packb({"t": "pong", "id": 1, "time": 5})) == [messages.Pong(1, 5.0)]


def test_unknown_keys_are_ignored() -> None:
    assert decode_all(Decoder(), msgpack.packb({"t": "ping", "id": 1, "colour": "red"})) == [Ping(1)]


def test_unknown_type() -> None:
    error = error_of({"t": "dance", "id": 7})
    assert (error.code, error.id, error.fatal) == ("unknown-type", 7, False)


def test_optional_unknown_type_is_skipped() -> None:
    data = msgpack.packb({"t": "dance", "id": 7, "optional": True}) + encode(Ping(8))
    assert decode_all(Decoder(), data) == [Ping(8)]


def test_types_not_accepted_are_unknown() -> None:
    assert error_of({"t": "goodbye", "reason": "x"}, accept=messages.REQUESTS).code == "unknown-type"


def test_goes_on_after_a_bad_message() -> None:
    decoder = Decoder()
    decoder.receive_data(msgpack.packb({"t": "join", "id": 1}) + encode(Ping(2)))
    with pytest.raises(ProtocolError, match="lacks 'room'"):
        decoder.next_message()
    assert decoder.next_message() == Ping(2)


@pytest.mark.parametrize("value", [1, "text", [1], {1: 2}, b"\xc1", b"\x92" * 2000])
def test_what_is_not_a_map_is_fatal(value: Any) -> None:
    error = error_of(value)
    assert (error.code, error.fatal) == ("bad-request", True)


def test_a_fatal_error_stays() -> None:
    decoder = Decoder()
    decoder.receive_data(b"\xc1")
    for _ in range(2):
        with pytest.raises(ProtocolError):
            decoder.next_message()
    with pytest.raises(ProtocolError):
        decoder.receive_data(encode(Ping(1)))


def test_size_limit_of_a_whole_message() -> None:
    big = encode(Hello(1, 1, "c" * 300, "ada"))
    assert decode_all(Decoder(max_message=len(big)), big)
    assert error_of(big, max_message=len(big) - 1).code == "too-long"


def test_size_limit_before_the_end_is_seen() -> None:
    """A list that comes in dribs and drabs is refused as soon as it is over the limit."""
    decoder = Decoder(max_message=100)
    decoder.receive_data(b"\x81\xa1t\xdc\x01\x00")
    assert decoder.next_message() is None
    assert decode_all(decoder, b"\xc0" * 94) == []
    with pytest.raises(ProtocolError, match="at most 100 bytes"):
        decode_all(decoder, b"\xc0")


def test_many_small_messages_at_once_are_no_large_message() -> None:
    stream = encode(Ping(1)) * 1000
    assert len(decode_all(Decoder(max_message=64), stream)) == 1000


def test_an_announced_string_is_not_waited_for_beyond_the_limit() -> None:
    decoder = Decoder(max_message=1000)
    assert decode_all(decoder, b"\x81\xa1t\xdb\x7f\xff\xff\xff" + b"x" * 900) == []
    with pytest.raises(ProtocolError, match="at most 1000 bytes"):
        decode_all(decoder, b"x" * 100)


def test_nested_lists_announced_large() -> None:
    """Each header announces 4 billion items; none of them may be allocated."""
    assert error_of(b"\xdd\xff\xff\xff\xff" * 500).fatal


def test_a_decoder_at_rest_needs_little_memory() -> None:
    tracemalloc.start()
    try:
        decoder = Decoder()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 100_000  # most of it is msgpack's stack for nested values
    decoder.receive_data(encode(Ping(1)))
    assert decoder.next_message() == Ping(1)


def test_chunk_beyond_the_buffer() -> None:
    with pytest.raises(ProtocolError) as caught:
        Decoder(max_message=10).receive_data(b"\xdb\x00\xff\xff\xff" + bytes(2 * 1024 * 1024))
    assert caught.value.code == "too-long"


def test_history_page_keeps_its_messages() -> None:
    page = HistoryPage(1, "lobby", (RoomMessage("lobby", 1, "ada", "hi", 1.5, "m1"),), more=False)
    assert decode_all(Decoder(), encode(page)) == [page]


def test_messages_are_frozen() -> None:
    join = Join(1, "lobby")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        join.room = "other"  # type: ignore[misc]
