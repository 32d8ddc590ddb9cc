"""Messages to bytes and back; whatever the bytes are, nothing but `ProtocolError` is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, get_args, get_origin

import msgpack  # type: ignore[import-untyped]
from cattrs import BaseValidationError, Converter
from cattrs.preconf.msgpack import MsgpackConverter, make_converter

from wireside_protocol.errors import BAD_REQUEST, TOO_LONG, UNKNOWN_TYPE, ProtocolError
from wireside_protocol.limits import MAX_CHUNK, MAX_INTEGER, MAX_MEMBERS, MAX_SERVER_MESSAGE
from wireside_protocol.messages import MESSAGES, Message, type_name


def _structure_int(value: Any, _: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise ValueError("not an integer from 0 to 2**63 - 1")
    return value


def _structure_float(value: Any, _: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise ValueError("not a number")
    return float(value)


def _structure_str(value: Any, _: Any) -> str:
    if type(value) is not str:
        raise ValueError("not a string")
    return value


def _structure_bool(value: Any, _: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("not a boolean")
    return value


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple


def _is_map(annotation: Any) -> bool:
    return get_origin(annotation) is dict


def _make_list_hook(annotation: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    item = get_args(annotation)[0]
    structure = converter.get_structure_hook(item)

    def structure_list(values: Any, _: Any) -> tuple[Any, ...]:
        if type(values) is not tuple:
            raise ValueError("not a list")
        return tuple([structure(value, item) for value in values])

    return structure_list


def _make_map_hook(annotation: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    item = get_args(annotation)[1]
    structure = converter.get_structure_hook(item)

    def structure_map(values: Any, _: Any) -> dict[str, Any]:
        if type(values) is not dict or not all(type(key) is str for key in values):
            raise ValueError("not a map with string keys")
        return {key: structure(value, item) for key, value in values.items()}

    return structure_map


def _make_converter() -> MsgpackConverter:
    converter = make_converter(detailed_validation=False)
    converter.register_structure_hook(int, _structure_int)
    converter.register_structure_hook(float, _structure_float)
    converter.register_structure_hook(str, _structure_str)
    converter.register_structure_hook(bool, _structure_bool)
    converter.register_structure_hook_factory(_is_list, _make_list_hook)
    converter.register_structure_hook_factory(_is_map, _make_map_hook)
    return converter


_CONVERTER: Final = _make_converter()
_TYPES: Final = {type_name(cls): cls for cls in MESSAGES}
_NAMES: Final = {cls: name for name, cls in _TYPES.items()}
_STRUCTURE: Final = {cls: _CONVERTER.get_structure_hook(cls) for cls in MESSAGES}
_UNSTRUCTURE: Final = {cls: _CONVERTER.get_unstructure_hook(cls) for cls in MESSAGES}
_FIRST_BUFFER: Final = 4096
"""Of a decoder, bytes. msgpack's own choice is 1 MiB, and traffic touches page after page of it for good."""


def encode(message: Message) -> bytes:
    """One message as it goes over the wire; the same bytes serve every receiver."""
    cls = type(message)
    packed: bytes = msgpack.packb({"t": _NAMES[cls], **_UNSTRUCTURE[cls](message)})
    return packed


class Decoder:
    """Takes bytes as they come and gives whole messages.

    ``max_message`` bounds one message, ``max_list`` the length of any list inside one, ``accept`` the
    types wanted: the others are as good as unknown.
    """

    def __init__(
        self,
        *,
        max_message: int = MAX_SERVER_MESSAGE,
        max_list: int = MAX_MEMBERS,
        accept: Iterable[type[Message]] = MESSAGES,
    ) -> None:
        self._max_message = max_message
        self._accepted = frozenset(accept)
        # Lists are allocated from their announced length: without a bound, nested headers take gigabytes.
        self._unpacker = msgpack.Unpacker(
            raw=False,
            use_list=False,
            read_size=_FIRST_BUFFER,
            max_buffer_size=max_message + MAX_CHUNK,
            max_array_len=max_list,
        )
        self._fed = 0
        self._start = 0
        self._error: ProtocolError | None = None

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take up to `MAX_CHUNK` bytes, to be followed by `next_message` until it gives ``None``."""
        if self._error is not None:
            raise self._error
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull:
            raise self._fail(TOO_LONG, f"a message has at most {self._max_message} bytes") from None
        self._fed += len(data)

    def next_message(self) -> Message | None:
        """The next message; ``None``: more bytes are needed.

        Raises `ProtocolError`. Unless it is fatal the next call goes on with the next message.
        """
        while True:
            fields = self._next_map()
            if fields is None:
                return None
            cls = self._class_of(fields)
            if cls is not None:
                return self._structure(cls, fields)

    def _next_map(self) -> dict[str, Any] | None:
        if self._error is not None:
            raise self._error
        try:
            value = self._unpacker.unpack()
        except msgpack.OutOfData:
            self._check_size(self._fed)
            return None
        except (ValueError, TypeError, OverflowError, msgpack.UnpackException):
            raise self._fail(BAD_REQUEST, "this is not msgpack") from None
        end = self._unpacker.tell()
        self._check_size(end)
        self._start = end
        if type(value) is not dict:
            raise self._fail(BAD_REQUEST, "a message is a msgpack map")
        return value

    def _class_of(self, fields: dict[str, Any]) -> type[Message] | None:
        name = fields.get("t")
        if type(name) is not str:
            raise ProtocolError(BAD_REQUEST, 'a message has its type under "t"', id=_id_of(fields))
        cls = _TYPES.get(name)
        if cls in self._accepted:
            return cls
        if fields.get("optional") is True:
            return None
        raise ProtocolError(UNKNOWN_TYPE, f"there is no message {name[:40]!r} here", id=_id_of(fields))

    def _structure(self, cls: type[Message], fields: dict[str, Any]) -> Message:
        try:
            message: Message = _STRUCTURE[cls](fields, cls)
        except KeyError as error:
            raise ProtocolError(BAD_REQUEST, f"{fields['t']} lacks {error}", id=_id_of(fields)) from None
        except (ValueError, TypeError, OverflowError, BaseValidationError) as error:
            raise ProtocolError(BAD_REQUEST, f"{fields['t']}: {error}", id=_id_of(fields)) from None
        return message

    def _check_size(self, end: int) -> None:
        if end - self._start > self._max_message:
            raise self._fail(TOO_LONG, f"a message has at most {self._max_message} bytes")

    def _fail(self, code: str, text: str) -> ProtocolError:
        self._error = ProtocolError(code, text, fatal=True)
        return self._error


def _id_of(fields: dict[str, Any]) -> int | None:
    value = fields.get("id")
    return value if type(value) is int and 0 <= value <= MAX_INTEGER else None
