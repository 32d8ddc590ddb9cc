"""CUBIC congestion control (RFC 9438), with HyStart++ in slow start. Windows are in bytes."""

from __future__ import annotations

from typing import ClassVar, Final

from tcpcore.conn.congestion.base import CongestionControl
from tcpcore.conn.congestion.hystart import HyStart
from tcpcore.conn.rtt import RttEstimator

C: Final = 0.4
"""Segments per second cubed."""
BETA: Final = 0.7
BETA_ECN: Final = 0.85
ALPHA: Final = 3 * (1 - BETA) / (1 + BETA)
"""Additive increase that is as fast as Reno's on average (section 4.3)."""


class Cubic(CongestionControl):
    """The window is a cubic function of the time since the last reduction, flat where loss was met last."""

    __slots__ = ("_cwnd_prior", "_epoch", "_hystart", "_k", "_searching", "_seen", "_w_est", "_w_max", "_window")

    name: ClassVar = "cubic"

    def __init__(self, mss: int, initial_window_segments: int) -> None:
        super().__init__(mss, initial_window_segments)
        self._hystart: HyStart | None = None
        self._searching = True
        """Slow start has never ended: HyStart++ looks where it should, from the first ACK on."""
        self._w_max = 0.0
        self._cwnd_prior = 0.0
        self._epoch: float | None = None
        """When the present congestion avoidance began; it stands still while the window is not used."""
        self._k = 0.0
        self._seen = 0.0
        """When the last ACK came."""
        self._w_est = 0.0
        self._window = 0.0
        """``cwnd`` with the fraction of a byte that small steps leave."""

    def on_ack(self, acked: int, flight: int, *, una: int, nxt: int, rtt: RttEstimator, now: float) -> None:
        """Grow, as the time since the last reduction allows."""
        seen, self._seen = self._seen, now
        slow_start = self.slow_start
        if not self.is_limited(flight, slow_start=slow_start):
            if self._epoch is not None:
                self._epoch += now - max(seen, self._epoch)  # section 5.8
            return
        if slow_start:
            self._slow_start(acked, rtt.latest, una, nxt)
        else:
            self._avoid_congestion(acked, rtt.srtt or 0.0, now)

    def on_loss(self, flight: int, *, now: float) -> None:
        """Multiplicative decrease (section 4.6) and fast convergence (section 4.7)."""
        self._reduce(flight, BETA)

    def on_ecn(self, flight: int, *, now: float) -> None:
        """The same with RFC 8511's factor."""
        self._reduce(flight, BETA_ECN)

    def _reduce(self, flight: int, beta: float) -> None:
        self._hystart, self._searching = None, False
        self._epoch = None
        cwnd = float(self.cwnd)
        self._cwnd_prior = cwnd
        self._w_max = cwnd * (1 + BETA) / 2 if cwnd < self._w_max else cwnd
        self.ssthresh = max(int(flight * beta), 2 * self.mss)

    def on_rto(self, flight: int, *, first: bool, now: float) -> None:
        """Timeout (section 4.8): one segment, and the next congestion avoidance begins at its own window."""
        if first:
            self._reduce(flight, BETA)
        self._epoch, self._w_max = None, 0.0
        self.cwnd = self.mss

    def on_idle(self, restart_window: int) -> None:
        """The time of an idle period does not count."""
        super().on_idle(restart_window)
        self._epoch = None

    def save(self) -> Cubic:
        """A copy; ``copy.copy`` cannot make one of a compiled class."""
        saved = Cubic(self.mss, 1)
        saved.cwnd, saved.ssthresh = self.cwnd, self.ssthresh
        saved._hystart, saved._searching = self._hystart, self._searching
        saved._epoch, saved._seen = self._epoch, self._seen
        saved._w_max, saved._cwnd_prior, saved._k = self._w_max, self._cwnd_prior, self._k
        saved._w_est, saved._window = self._w_est, self._window
        return saved

    def _slow_start(self, acked: int, rtt: float | None, una: int, nxt: int) -> None:
        if not self._searching:
            self.cwnd += acked
            return
        if self._hystart is None:
            self._hystart = HyStart()
        growth, ends = self._hystart.on_ack(acked, rtt, una, nxt)
        self.cwnd += growth
        if ends:
            self.ssthresh = self.cwnd
            self._hystart, self._searching = None, False

    def _avoid_congestion(self, acked: int, srtt: float, now: float) -> None:
        mss = self.mss
        if self._epoch is None:
            self._begin(now)
        elapsed = now - (self._epoch or 0.0)
        cwnd = self._window
        alpha = ALPHA if self._w_est < self._cwnd_prior else 1.0
        self._w_est += alpha * mss * acked / cwnd
        if self._w_cubic(elapsed) < self._w_est:
            cwnd = max(cwnd, self._w_est)  # the Reno-friendly region (section 4.3)
        else:
            target = min(max(self._w_cubic(elapsed + srtt), cwnd), 1.5 * cwnd)
            cwnd += (target - cwnd) * acked / cwnd
        self._window = cwnd
        self.cwnd = int(cwnd)

    def _begin(self, now: float) -> None:
        self._epoch = now
        self._window = self._w_est = float(self.cwnd)
        if self._w_max <= self.cwnd:
            self._w_max, self._k = float(self.cwnd), 0.0
        else:
            self._k = ((self._w_max - self.cwnd) / self.mss / C) ** (1 / 3)

    def _w_cubic(self, elapsed: float) -> float:
        return C * (elapsed - self._k) ** 3 * self.mss + self._w_max
