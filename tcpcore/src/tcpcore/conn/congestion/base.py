"""What congestion control decides: two numbers, on five events; ``tcpcore.conn.recovery`` says when."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Final

from tcpcore.conn.rtt import RttEstimator

if TYPE_CHECKING:
    from tcpcore.conn.rate import Departure, RateSample, RateSampler

PACING_SLOW_START: Final = 2.0
PACING_AVOIDANCE: Final = 1.2
"""Congestion windows that pacing lets leave in one round trip (Linux's)."""


def initial_window(mss: int, segments: int) -> int:
    """Bytes that may leave at first, ``segments`` of common size (RFC 6928 section 2)."""
    return min(segments * mss, max(2 * mss, segments * 1460))


class CongestionControl:
    """``cwnd`` and ``ssthresh`` in bytes; ``ssthresh`` is ``None`` until the first loss.

    While recovery lasts, proportional rate reduction governs ``cwnd`` and ends it at ``ssthresh``.
    An algorithm that ``governs`` decides there too: it has a model of the path (draft-ietf-ccwg-bbr), fed by delivery
    rate samples and told of every loss, is always paced, and does not heed ECN, so that nothing is sent ECN-capable.
    """

    __slots__ = ("cwnd", "mss", "ssthresh")

    name: ClassVar = "none"
    governs: ClassVar = False

    def __init__(self, mss: int, initial_window_segments: int) -> None:
        self.mss = mss
        self.cwnd = initial_window(mss, initial_window_segments)
        self.ssthresh: int | None = None

    def on_ack(self, acked: int, flight: int, *, una: int, nxt: int, rtt: RttEstimator, now: float) -> None:
        """``acked`` bytes were acknowledged, up to ``una``; ``flight`` were outstanding when new text last left."""
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

    def on_recovered(self) -> None:
        """Everything that was outstanding when loss was found has arrived."""

    def on_restart(self, *, now: float) -> None:
        """The user, who had nothing to send, has, and nothing is in flight."""

    def save(self) -> CongestionControl:
        """Loss was found and nobody has reacted yet: what ``undo`` has to know."""
        raise NotImplementedError

    def undo(self, saved: CongestionControl) -> CongestionControl:
        """It was none: who goes on, as if it had not been."""
        saved.mss = self.mss
        saved.cwnd = max(saved.cwnd, self.cwnd)
        return saved

    # Of algorithms with a model of the path

    def sampler(self, rng: random.Random) -> RateSampler | None:
        """A new sampler if delivery rates are wanted; ``rng`` for the algorithm's own decisions."""
        return None

    def on_lost_range(self, departure: Departure, size: int, *, apart: bool, sack: bool, now: float) -> None:
        """``size`` bytes are lost; ``apart``: not next to those told of before."""

    def on_sample(self, sample: RateSample, *, srtt: float | None, now: float) -> None:
        """An ACK delivered something; losses that it showed have been told."""

    def pacing_rate(self, srtt: float) -> float:
        """Bytes a second, if paced."""
        gain = PACING_SLOW_START if self.ssthresh is None or self.cwnd < self.ssthresh // 2 else PACING_AVOIDANCE
        return max(gain * self.cwnd / srtt, 1.0)

    @property
    def state(self) -> str:
        """For people."""
        return "slow start" if self.slow_start else "congestion avoidance"

    @property
    def bandwidth(self) -> float | None:
        """Bytes a second that the path is believed to deliver, if that is known."""
        return None

    @property
    def path_min_rtt(self) -> float | None:
        """Seconds of a round trip without queue, if the algorithm has an estimate of its own."""
        return None

    @property
    def slow_start(self) -> bool:
        """Whether the window still grows exponentially."""
        return self.ssthresh is None or self.cwnd < self.ssthresh

    def is_limited(self, flight: int, *, slow_start: bool) -> bool:
        """Whether the window was used: one that was not proves nothing and does not grow (RFC 7661)."""
        return flight + self.mss >= self.cwnd // (2 if slow_start else 1)
