"""Reno congestion control (RFC 5681)."""

from __future__ import annotations

from typing import ClassVar, Final

from tcpcore.conn.congestion.base import CongestionControl
from tcpcore.conn.rtt import RttEstimator

BETA_ECN: Final = 0.8


class Reno(CongestionControl):
    """Slow start, congestion avoidance, halving on loss."""

    __slots__ = ("_acked",)

    name: ClassVar = "reno"

    def __init__(self, mss: int, initial_window_segments: int) -> None:
        super().__init__(mss, initial_window_segments)
        self._acked = 0

    def on_ack(self, acked: int, flight: int, *, una: int, nxt: int, rtt: RttEstimator, now: float) -> None:
        """Grow by what was acknowledged, then by one segment per window (section 3.1)."""
        if not self.is_limited(flight, slow_start=self.slow_start):
            return
        if self.slow_start:
            # By bytes: a peer that acknowledges 64 KiB at once must not slow the start down (RFC 3465, L unlimited)
            self.cwnd += acked
            return
        self._acked += acked
        if self._acked >= self.cwnd:
            self._acked -= self.cwnd
            self.cwnd += self.mss

    def on_loss(self, flight: int, *, now: float) -> None:
        """Equation (4)."""
        self.ssthresh = max(flight // 2, 2 * self.mss)
        self._acked = 0

    def on_ecn(self, flight: int, *, now: float) -> None:
        """RFC 8511 section 3."""
        self.ssthresh = max(int(flight * BETA_ECN), 2 * self.mss)
        self._acked = 0

    def on_rto(self, flight: int, *, first: bool, now: float) -> None:
        """Back to one segment; ``ssthresh`` is set only the first time (section 3.1)."""
        if first:
            self.ssthresh = max(flight // 2, 2 * self.mss)
        self.cwnd = self.mss
        self._acked = 0

    def save(self) -> Reno:
        """A copy; ``copy.copy`` cannot make one of a compiled class."""
        saved = Reno(self.mss, 1)
        saved.cwnd, saved.ssthresh, saved._acked = self.cwnd, self.ssthresh, self._acked
        return saved
