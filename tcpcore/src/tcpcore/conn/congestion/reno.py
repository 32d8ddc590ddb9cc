"""Reno congestion control (RFC 5681)."""

from __future__ import annotations

from tcpcore.conn.congestion.base import CongestionControl


class Reno(CongestionControl):
    """Slow start, congestion avoidance, halving on loss."""

    __slots__ = ("_acked",)

    name = "reno"

    def __init__(self, mss: int, initial_window_segments: int) -> None:
        super().__init__(mss, initial_window_segments)
        self._acked = 0

    def on_ack(self, acked: int, flight: int, *, now: float) -> None:
        """Grow by what was acknowledged, then by one segment per window (section 3.1)."""
        if flight + self.mss < self.cwnd // 2:
            return  # the application, not the network, limits: an unused window proves nothing (RFC 7661)
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
        self.cwnd = self.ssthresh
        self._acked = 0

    def on_rto(self, flight: int, *, first: bool, now: float) -> None:
        """Back to one segment; ``ssthresh`` is set only the first time (section 3.1)."""
        if first:
            self.ssthresh = max(flight // 2, 2 * self.mss)
        self.cwnd = self.mss
        self._acked = 0
