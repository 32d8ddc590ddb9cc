"""BBR's model of the path (draft-ietf-ccwg-bbr section 5.5), one class for each thing that is estimated.

Octets, seconds, octets a second. A round is a packet-timed round trip: from a packet's departure to its ACK.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tcpcore.conn.rate import RateSample

BETA: Final = 0.7
"""What is left at least after a round with loss."""
FULL_BW_GROWTH: Final = 1.25
FULL_BW_ROUNDS: Final = 3
EXTRA_ACKED_FILTER_LEN: Final = 10
"""Rounds."""
MIN_RTT_FILTER_LEN: Final = 10.0
PROBE_RTT_INTERVAL: Final = 5.0


class Rounds:
    """Section 5.5.1: ``start`` is whether the last ACK began a round."""

    __slots__ = ("_next_delivered", "count", "start")

    def __init__(self) -> None:
        self._next_delivered = 0
        self.start = False
        self.count = 0

    def begin(self, delivered: int) -> None:
        """A round begins now, whatever is in flight."""
        self._next_delivered = delivered

    def update(self, prior_delivered: int, delivered: int) -> None:
        """An ACK for what left when ``prior_delivered`` were delivered."""
        self.start = prior_delivered >= self._next_delivered
        if self.start:
            self.begin(delivered)
            self.count += 1


class MaxBandwidth:
    """Sections 5.5.3 to 5.5.6: the maximum over the present ProbeBW cycle and the one before."""

    __slots__ = ("_current", "_previous")

    def __init__(self) -> None:
        self._previous = self._current = 0.0

    @property
    def value(self) -> float:
        """The estimate; 0: none yet."""
        return max(self._previous, self._current)

    def update(self, rate: float) -> None:
        """A delivery rate sample."""
        self._current = max(self._current, rate)

    def advance(self) -> None:
        """A cycle ended; one without samples does not count."""
        if self._current:
            self._previous, self._current = self._current, 0.0


class FullPipe:
    """Section 5.3.1.2: is the rate still growing? ``reached``: it once was not; ``now``: it is not."""

    __slots__ = ("_bw", "_rounds", "now", "reached")

    def __init__(self) -> None:
        self.reached = False
        self.restart(0.0)

    def restart(self, bw: float) -> None:
        """Watch for growth beyond ``bw``."""
        self._bw, self._rounds, self.now = bw, 0, False

    def update(self, rate: float) -> None:
        """A round is over whose samples were not limited by the application."""
        if self.now:
            return
        if rate >= self._bw * FULL_BW_GROWTH:
            self.restart(rate)
            return
        self._rounds += 1
        if self._rounds >= FULL_BW_ROUNDS:
            self.now = self.reached = True


class ExtraAcked:
    """Section 5.5.9: by how much ACKs come in lumps; ``value`` is the maximum over some rounds."""

    __slots__ = ("_began", "_delivered", "_filter")

    def __init__(self) -> None:
        self._began = 0.0
        self._delivered = 0
        self._filter: deque[tuple[int, float]] = deque()
        """(round, extra), later and smaller ones behind."""

    @property
    def value(self) -> float:
        """Octets beyond what the bandwidth explains."""
        return self._filter[0][1] if self._filter else 0.0

    def restart(self, now: float) -> None:
        """Silence before ``now`` tells nothing."""
        self._began = now

    def update(self, acked: int, bw: float, cwnd: int, round_count: int, length: int, now: float) -> None:
        """An ACK for ``acked`` octets; the filter is ``length`` rounds long."""
        expected = bw * (now - self._began)
        if self._delivered <= expected:
            self._delivered, self._began, expected = 0, now, 0.0
        self._delivered += acked
        extra = min(self._delivered - expected, cwnd)
        kept = self._filter
        while kept and kept[-1][1] <= extra:
            kept.pop()
        if not kept or kept[-1][0] != round_count:
            kept.append((round_count, extra))
        while kept[0][0] <= round_count - length:
            kept.popleft()


class MinRtt:
    """Sections 5.3.4.3 and 5.5.7: ``value`` over 10 s; ``expired``: for 5 s nothing was as short, time to look."""

    __slots__ = ("_recent", "_recent_at", "_value_at", "expired", "value")

    def __init__(self) -> None:
        self.value = self._recent = inf
        self._value_at = self._recent_at = 0.0
        self.expired = False

    def update(self, rtt: float | None, now: float) -> None:
        """An ACK; ``rtt`` if it gave a sample."""
        first = self._recent == inf
        self.expired = not first and now > self._recent_at + PROBE_RTT_INTERVAL
        if rtt is not None and (rtt < self._recent or self.expired):
            self._recent, self._recent_at = rtt, now
        if self._recent < self.value or now > self._value_at + MIN_RTT_FILTER_LEN:
            self.value, self._value_at = self._recent, self._recent_at

    def probed(self, now: float) -> None:
        """ProbeRTT is over: the next is due in 5 s."""
        self._recent_at = now


class ShortTerm:
    """Section 5.5.10.3: what the last round with loss delivered bounds ``bw`` and ``inflight`` until the next probe."""

    __slots__ = ("_round_delivered", "bw", "bw_latest", "inflight", "inflight_latest", "loss_in_round", "round_start")

    def __init__(self) -> None:
        self._round_delivered = 0
        self.round_start = False
        """Whether the last ACK ended a round that began with a loss."""
        self.forget()
        self.reset_signals()

    def forget(self) -> None:
        """No bounds (ResetShortTermModel)."""
        self.bw = self.inflight = inf

    def reset_signals(self) -> None:
        """Nothing is known of this round (ResetCongestionSignals)."""
        self.loss_in_round = False
        self.bw_latest = 0.0
        self.inflight_latest = 0

    def lost(self, delivered: int) -> None:
        """Something is lost; the first in a round begins one."""
        if not self.loss_in_round:
            self._round_delivered = delivered
        self.loss_in_round = True

    def update(self, sample: RateSample, delivered: int) -> None:
        """Near the start of ACK processing."""
        self.bw_latest = max(self.bw_latest, sample.delivery_rate)
        self.inflight_latest = max(self.inflight_latest, sample.delivered)
        self.round_start = sample.prior_delivered >= self._round_delivered
        if self.round_start:
            self._round_delivered = delivered

    def adapt(self, max_bw: float, cwnd: int) -> None:
        """A round with loss is over (InitLowerBounds, LossLowerBounds)."""
        bw = max_bw if self.bw == inf else self.bw
        inflight = cwnd if self.inflight == inf else self.inflight
        self.bw = max(self.bw_latest, BETA * bw)
        self.inflight = max(self.inflight_latest, BETA * inflight)

    def advance(self, sample: RateSample) -> None:
        """Near the end of ACK processing: a new round has begun."""
        if self.round_start:
            self.bw_latest = sample.delivery_rate
            self.inflight_latest = sample.delivered
