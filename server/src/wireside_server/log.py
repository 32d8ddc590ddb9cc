"""One line for each event."""

from __future__ import annotations

import logging
from collections.abc import Callable

import structlog
from structlog.typing import FilteringBoundLogger


class _Lines:
    """The end of structlog's chain: passes finished lines on."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.info = self.warning = self.error = write


def make_log(write: Callable[[str], None] | None) -> FilteringBoundLogger:
    """A logger that calls ``write`` with each line, without a line end; ``None``: nothing is logged."""
    log: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(write or (lambda line: None)),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if write else logging.CRITICAL),
        processors=[
            _drop_none,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
    )
    return log


def _drop_none(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: value for key, value in event.items() if value is not None}
