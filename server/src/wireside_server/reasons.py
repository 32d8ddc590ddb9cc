"""Why a client is gone, in the words of the log."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Final

from tcpcore import errors

CLEAN: Final = "clean"
RESET: Final = "reset by peer"
TIMED_OUT: Final = "timed out"
KEEPALIVE: Final = "keepalive timed out"
SLOW: Final = "slow"
NO_HELLO: Final = "no hello"
SHUTDOWN: Final = "shutdown"
BROKEN: Final = "broken"


def reason_of(error: BaseException) -> str:
    """The reason behind an error of a stream, on our TCP or on the kernel's."""
    for cause in _chain(error):
        if isinstance(cause, errors.KeepaliveTimeoutError):
            return KEEPALIVE
        if isinstance(cause, errors.ConnectionTimeoutError | TimeoutError):
            return TIMED_OUT
        if isinstance(cause, errors.ConnectionResetError | ConnectionResetError | BrokenPipeError):
            return RESET
        if isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
            return "unreachable"
    return BROKEN


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
