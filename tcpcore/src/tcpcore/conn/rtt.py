"""Round-trip time and retransmission timeout (RFC 6298), with a sample from every ACK (RFC 7323 appendix G)."""

from __future__ import annotations

from typing import Final

ALPHA: Final = 1 / 8
BETA: Final = 1 / 4
K: Final = 4
GRANULARITY: Final = 0.001


class RttEstimator:
    """Smoothed RTT, its variation and the RTO, in seconds."""

    __slots__ = ("_backoff", "_base", "_max_rto", "_min_rto", "latest", "min_rtt", "rto", "rttvar", "srtt")

    def __init__(self, initial_rto: float, min_rto: float, max_rto: float) -> None:
        self.srtt: float | None = None
        self.rttvar: float | None = None
        self.min_rtt: float | None = None
        self.latest: float | None = None
        self._min_rto = min_rto
        self._max_rto = max_rto
        self._base = initial_rto
        self._backoff = 0
        self.rto = min(initial_rto, max_rto)
        """The timeout now, back-off included."""

    def seen(self, rtt: float) -> None:
        """The newest octets that an ACK is for took ``rtt`` seconds: the path is no longer than that."""
        if self.min_rtt is None or rtt < self.min_rtt:
            self.min_rtt = max(rtt, 0.0)

    def sample(self, rtt: float, expected: int = 1, late: float = 0.0) -> None:
        """Take one measurement (section 2.2, 2.3), seconds, and end the back-off (section 5.7).

        ``expected``: samples that one round trip gives; together they weigh what one does in RFC 6298.
        ``late``: seconds of it that may be our own doing: the RTO has to cover them, ``latest`` tells of the path.
        """
        if rtt < 0.0:
            rtt = 0.0
        self.latest = rtt - late if rtt > late else 0.0
        if self.srtt is None or self.rttvar is None:
            srtt, rttvar = rtt, rtt / 2
        else:
            srtt, rttvar = self.srtt, self.rttvar
            rttvar += (abs(srtt - rtt) - rttvar) * BETA / expected
            srtt += (rtt - srtt) * ALPHA / expected
        self.srtt, self.rttvar = srtt, rttvar
        margin = K * rttvar
        base = srtt + (margin if margin > GRANULARITY else GRANULARITY)
        self._base = base if base > self._min_rto else self._min_rto
        self.acknowledged()

    def back_off(self) -> None:
        """Double the RTO (section 5.5), up to its limit."""
        if self.rto < self._max_rto:
            self._backoff += 1
            self.rto = min(self._base * (1 << self._backoff), self._max_rto)

    def acknowledged(self) -> None:
        """There is an answer: the back-off ends."""
        self._backoff = 0
        self.rto = self._base if self._base < self._max_rto else self._max_rto

    def restart(self, rto: float) -> None:
        """Begin data transfer with ``rto`` when the SYN was retransmitted (section 5.7)."""
        self._base = rto
        self.acknowledged()
