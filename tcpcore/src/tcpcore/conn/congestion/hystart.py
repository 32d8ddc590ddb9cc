"""HyStart++ (RFC 9406): slow start ends when the round-trip time grows, before the queue overflows."""

from __future__ import annotations

from math import inf
from typing import Final

MIN_RTT_THRESH: Final = 0.004
MAX_RTT_THRESH: Final = 0.016
MIN_RTT_DIVISOR: Final = 8
N_RTT_SAMPLE: Final = 8
CSS_GROWTH_DIVISOR: Final = 4
CSS_ROUNDS: Final = 5


class HyStart:
    """Watches the round trips of the first slow start of a connection; names are those of RFC 9406 section 4.2."""

    __slots__ = ("_baseline", "_current", "_last", "_rounds", "_samples", "_window_end")

    def __init__(self) -> None:
        self._window_end = 0
        self._last = self._current = inf
        self._samples = 0
        self._baseline = inf
        """cssBaselineMinRtt; finite: in conservative slow start."""
        self._rounds = 0

    def on_ack(self, acked: int, rtt: float | None, una: int, nxt: int) -> tuple[int, bool]:
        """Bytes by which the window grows, and whether slow start ends here; times are seconds."""
        if una >= self._window_end and self._round_ends(nxt):
            return 0, True
        if rtt is not None:
            self._current = min(self._current, rtt)
            self._samples += 1
        if self._samples >= N_RTT_SAMPLE:
            self._judge()
        return (acked if self._baseline == inf else acked // CSS_GROWTH_DIVISOR), False

    def _round_ends(self, nxt: int) -> bool:
        self._window_end = nxt
        self._last, self._current = self._current, inf
        self._samples = 0
        if self._baseline != inf:
            self._rounds += 1
        return self._rounds >= CSS_ROUNDS

    def _judge(self) -> None:
        if self._baseline != inf:
            if self._current < self._baseline:  # the growth was an accident: back to slow start
                self._baseline = inf
                self._rounds = 0
        elif self._last != inf:
            threshold = max(MIN_RTT_THRESH, min(self._last / MIN_RTT_DIVISOR, MAX_RTT_THRESH))
            if self._current >= self._last + threshold:
                self._baseline = self._current
                self._rounds = 0
