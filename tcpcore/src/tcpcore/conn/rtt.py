"""Round-trip time and retransmission timeout (RFC 6298)."""

from __future__ import annotations

from typing import Final

ALPHA: Final = 1 / 8
BETA: Final = 1 / 4
K: Final = 4
GRANULARITY: Final = 0.001


class RttEstimator:
    """Smoothed RTT, its variation and the RTO, in seconds."""

    __slots__ = ("_backoff", "_base", "_max_rto", "_min_rto", "min_rtt", "rttvar", "srtt")

    def __init__(self, initial_rto: float, min_rto: float, max_rto: float) -> None:
        self.srtt: float | None = None
        self.rttvar: float | None = None
        self.min_rtt: float | None = None
        self._min_rto = min_rto
        self._max_rto = max_rto
        self._base = initial_rto
        self._backoff = 0

    @property
    def rto(self) -> float:
        """The timeout now, back-off included."""
        return float(min(self._base * (1 << self._backoff), self._max_rto))

    def sample(self, rtt: float) -> None:
        """Take one measurement (section 2.2, 2.3) and end the back-off (section 5.7)."""
        rtt = max(rtt, 0.0)
        self.min_rtt = rtt if self.min_rtt is None else min(self.min_rtt, rtt)
        if self.srtt is None or self.rttvar is None:
            self.srtt = rtt
            self.rttvar = rtt / 2
        else:
            self.rttvar = (1 - BETA) * self.rttvar + BETA * abs(self.srtt - rtt)
            self.srtt = (1 - ALPHA) * self.srtt + ALPHA * rtt
        self._base = max(self.srtt + max(GRANULARITY, K * self.rttvar), self._min_rto)
        self._backoff = 0

    def back_off(self) -> None:
        """Double the RTO (section 5.5), up to its limit."""
        if self.rto < self._max_rto:
            self._backoff += 1

    def acknowledged(self) -> None:
        """A window probe was answered: the back-off of probes ends."""
        self._backoff = 0

    def restart(self, rto: float) -> None:
        """Begin data transfer with ``rto`` when the SYN was retransmitted (section 5.7)."""
        self._base = rto
        self._backoff = 0
