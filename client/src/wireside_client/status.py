"""Status maps from a server, made into ``tcpcore``'s records again.

A server of another version may send fewer fields or more: missing ones get a neutral value, unknown ones
are ignored.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import cattrs

from tcpcore.status import ConnectionStatus, ListenerStatus, StackStatistics

_T = TypeVar("_T", ConnectionStatus, ListenerStatus, StackStatistics)
_NEUTRAL: dict[Any, Any] = {int: 0, float: 0.0, str: "", bool: False, tuple: (), dict: {}}
_CONVERTER = cattrs.Converter(detailed_validation=False)


def _neutral(hint: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType) and type(None) in get_args(hint):
        return None
    return _NEUTRAL[origin or hint]


NEUTRAL_FIELDS: dict[type, dict[str, Any]] = {
    cls: {name: _neutral(hint) for name, hint in get_type_hints(cls).items()}
    for cls in (ConnectionStatus, ListenerStatus, StackStatistics)
}


def structure(fields: Mapping[str, Any], cls: type[_T]) -> _T | None:
    """The record; ``None`` when a field is of another kind than it must be."""
    try:
        return _CONVERTER.structure({**NEUTRAL_FIELDS[cls], **fields}, cls)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, cattrs.BaseValidationError):
        return None


def key_of(fields: Mapping[str, Any]) -> str:
    """The name of a connection in a ``Status`` request."""
    return f"{fields.get('remote_address')} {fields.get('remote_port')} {fields.get('local_port')}"


def endpoint(address: str | None, port: int) -> str:
    """``address:port``, with brackets around IPv6 and ``*`` for every address."""
    if address is None:
        return f"*:{port}"
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
