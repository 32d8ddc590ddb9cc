"""What congestion control decides: two numbers, on five events; ``tcpcore.conn.recovery`` says when."""

from __future__ import annotations

from tcpcore.conn.rtt import RttEstimator


def initial_window(mss: int, segments: int) -> int:
    """Bytes that may leave at first, ``segments`` of common size (RFC 6928 section 2)."""
    return min(segments * mss, max(2 * mss, segments * 1460))


class CongestionControl:
    """``cwnd`` and ``ssthresh`` in bytes; ``ssthresh`` is ``None`` until the first loss.

    While recovery lasts, proportional rate reduction governs ``cwnd`` and ends it at ``ssthresh``.
    A copy of the object is all that an undo needs.
    """

    __slots__ = ("cwnd", "mss", "ssthresh")

    name = "none"

    def __init__(self, mss: int, initial_window_segments: int) -> None:
        self.mss = mss
        self.cwnd = initial_window(mss, initial_window_segments)
        self.ssthresh: int | None = None

    def on_ack(self, acked: int, flight: int, *, una: int, nxt: int, rtt: RttEstimator, now: float) -> None:
        """``acked`` bytes were acknowledged outside recovery, up to ``una``; ``flight`` were outstanding before."""
        raise NotImplementedError

    def on_loss(self, flight: int, *, now: float) -> None:
        """Loss was found, for the first time in this window of data: set ``ssthresh``."""
        raise NotImplementedError

    def on_ecn(self, flight: int, *, now: float) -> None:
        """A router marked a packet instead of dropping it: set ``ssthresh``, to more than after a loss (RFC 8511)."""
        raise NotImplementedError

    def on_rto(self, flight: int, *, first: bool, now: float) -> None:
        """The retransmission timer fired, for the ``first`` time for this data or again."""
        raise NotImplementedError

    def on_idle(self, restart_window: int) -> None:
        """Nothing was sent for longer than the RTO: what is known of the path is old (RFC 5681 section 4.1)."""
        if self.cwnd > restart_window:
            self.ssthresh = max(self.ssthresh or 0, self.cwnd - self.cwnd // 4)  # RFC 7661 section 4.4.3
            self.cwnd = restart_window

    @property
    def slow_start(self) -> bool:
        """Whether the window still grows exponentially."""
        return self.ssthresh is None or self.cwnd < self.ssthresh

    def is_limited(self, flight: int) -> bool:
        """Whether the window was used: one that was not proves nothing and does not grow (RFC 7661)."""
        return flight + self.mss >= self.cwnd // (2 if self.slow_start else 1)
