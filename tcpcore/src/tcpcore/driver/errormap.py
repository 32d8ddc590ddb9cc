"""Our errors in the terms of trio and of the operating system, which programs for sockets understand."""

from __future__ import annotations

import errno
import os
from typing import Final

import trio

from tcpcore import errors

_ERRNO: Final[tuple[tuple[type[errors.TCPError], int], ...]] = (
    (errors.ConnectionRefusedError, errno.ECONNREFUSED),
    (errors.ConnectionResetError, errno.ECONNRESET),
    (errors.ConnectionAbortedError, errno.ECONNABORTED),
    (errors.ConnectionTimeoutError, errno.ETIMEDOUT),
    (errors.HostUnreachableError, errno.EHOSTUNREACH),
    (errors.AddressInUseError, errno.EADDRINUSE),
    (errors.AddressError, errno.EADDRNOTAVAIL),
    (errors.InsufficientResourcesError, errno.ENOBUFS),
    (errors.ConnectionNotExistError, errno.ENOTCONN),
    (errors.ConnectionClosingError, errno.EPIPE),
)


def os_error(error: errors.TCPError, doing: str) -> OSError:
    """The ``OSError``, of the right subclass, for ``error`` met while ``doing``. Raise it ``from`` that."""
    code = next((code for kind, code in _ERRNO if isinstance(error, kind)), errno.EIO)
    detail = str(error)
    return OSError(code, f"{os.strerror(code)} ({doing}{': ' + detail if detail else ''})")


def broken(error: Exception | None) -> trio.BrokenResourceError:
    """What a stream raises when its connection has ended by ``error``. Raise it ``from`` the error."""
    if error is None:
        return trio.BrokenResourceError("the connection is closed")
    return trio.BrokenResourceError(str(error) or type(error).__name__)


def link_down(failure: OSError) -> OSError:
    """What opening, listening and accepting raise once the link is gone. Raise it ``from`` that."""
    return OSError(errno.ENETDOWN, f"{os.strerror(errno.ENETDOWN)} ({failure})")
