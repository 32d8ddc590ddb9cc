"""What congestion control decides: two numbers, on four events."""

from __future__ import annotations


class CongestionControl:
    """``cwnd`` and ``ssthresh`` in bytes; ``ssthresh`` is ``None`` until the first loss."""

    __slots__ = ("cwnd", "mss", "ssthresh")

    name = "none"

    def __init__(self, mss: int, initial_window_segments: int) -> None:
        self.mss = mss
        # RFC 6928 section 2
        self.cwnd = min(initial_window_segments * mss, max(2 * mss, initial_window_segments * 1460))
        self.ssthresh: int | None = None

    def on_ack(self, acked: int, flight: int, *, now: float) -> None:
        """``acked`` bytes were acknowledged outside recovery; ``flight`` bytes were outstanding before."""
        raise NotImplementedError

    def on_loss(self, flight: int, *, now: float) -> None:
        """Loss was found by duplicate ACKs: set ``ssthresh`` and reduce ``cwnd`` to it."""
        raise NotImplementedError

    def on_rto(self, flight: int, *, first: bool, now: float) -> None:
        """The retransmission timer fired, for the ``first`` time for this data or again."""
        raise NotImplementedError

    @property
    def slow_start(self) -> bool:
        """Whether the window still grows exponentially."""
        return self.ssthresh is None or self.cwnd < self.ssthresh
