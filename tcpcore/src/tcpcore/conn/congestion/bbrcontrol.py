"""BBR's variables (draft-ietf-ccwg-bbr-06 section 5.2.1), and what it controls with them: rate and window (5.6)."""

from __future__ import annotations

import random
from math import inf
from typing import Final

from tcpcore.conn.congestion.base import CongestionControl
from tcpcore.conn.congestion.bbrmodel import ExtraAcked, FullPipe, MaxBandwidth, MinRtt, Rounds, ShortTerm
from tcpcore.conn.pacing import send_quantum
from tcpcore.conn.rate import RateSample, RateSampler

STARTUP: Final = "startup"
DRAIN: Final = "drain"
DOWN: Final = "probe-bw-down"
CRUISE: Final = "probe-bw-cruise"
REFILL: Final = "probe-bw-refill"
UP: Final = "probe-bw-up"
PROBE_RTT: Final = "probe-rtt"
PROBE_BW: Final = frozenset({DOWN, CRUISE, REFILL, UP})
GAINS: Final = {
    STARTUP: (2.77, 2.0), DRAIN: (0.5, 2.0), DOWN: (0.9, 2.0), CRUISE: (1.0, 2.0), REFILL: (1.0, 2.0), UP: (1.25, 2.25),
    PROBE_RTT: (1.0, 0.5),
}  # fmt: skip
"""Pacing gain and cwnd gain of each state (section 5.6.1)."""
PACING_MARGIN: Final = 0.99
HEADROOM: Final = 0.15
"""Of ``inflight_longterm``, left to others while cruising."""
MIN_PIPE_CWND: Final = 4
"""Segments."""
OFFLOAD_QUANTA: Final = 3
UNKNOWN_SRTT: Final = 0.001

ACKS_INIT: Final = 0
ACKS_REFILLING: Final = 1
ACKS_PROBE_STARTING: Final = 2
ACKS_PROBE_FEEDBACK: Final = 3
ACKS_PROBE_STOPPING: Final = 4


class BBRControl(CongestionControl):
    """``inflight_longterm``: more in flight has met too much loss; ``short`` has the short-term bounds."""

    __slots__ = (
        "_ack_phase", "_acked_per_increment", "_c", "_cycle_stamp", "_drain_start_round", "_idle_restart",
        "_in_recovery", "_initial_cwnd", "_is_bw_probe_sample", "_last_round_rtt", "_loss_ranges", "_prior_cwnd",
        "_probe_precautionary", "_probe_rtt_done_stamp", "_probe_rtt_round_done", "_probe_too_high",
        "_probe_up_acked", "_probe_up_rounds", "_probe_wait", "_rng", "_round_rtt", "_rounds_since_probe_up", "_sack",
        "_state", "_undo_bounds", "_undo_state", "bw", "extra_acked", "full_pipe", "inflight_longterm", "max_bw",
        "min_rtt", "rate", "rounds", "short",
    )  # fmt: skip

    def __init__(self, mss: int, initial_window_segments: int) -> None:
        super().__init__(mss, initial_window_segments)
        self._c = RateSampler()
        self._initial_cwnd = self.cwnd
        self._state = STARTUP
        self.rounds = Rounds()
        self.max_bw = MaxBandwidth()
        self.full_pipe = FullPipe()
        self.extra_acked = ExtraAcked()
        self.min_rtt = MinRtt()
        self.short = ShortTerm()
        self.inflight_longterm: float = inf
        """Whole octets, so that ``cwnd`` can reach it."""
        self.bw = 0.0
        self.rate = 0.0
        """C.pacing_rate; 0: nothing was measured yet."""
        self._prior_cwnd = 0
        self._in_recovery = self._idle_restart = False
        self._loss_ranges = 0
        """Lost in this round, those side by side counted as one."""
        self._sack = True
        self._undo_state: str | None = None
        self._undo_bounds = (inf, inf, inf)
        self._drain_start_round = 0
        self._ack_phase = ACKS_INIT
        self._is_bw_probe_sample = self._probe_too_high = self._probe_precautionary = False
        self._acked_per_increment = inf
        self._probe_up_acked = self._probe_up_rounds = 0
        self._rounds_since_probe_up = 0
        self._round_rtt = self._last_round_rtt = inf
        """The shortest of this round and of the last: what only one packet met was no queue."""
        self._cycle_stamp = self._probe_wait = 0.0
        self._probe_rtt_done_stamp: float | None = None
        self._probe_rtt_round_done = False

    # Control parameters (section 5.6)

    def sampler(self, rng: random.Random) -> RateSampler:
        """Its ``C`` variables; before it is asked for them it does nothing."""
        self._rng = rng
        return self._c

    def pacing_rate(self, srtt: float) -> float:
        """C.pacing_rate."""
        return self.rate or self._initial_rate(srtt)

    def _initial_rate(self, srtt: float) -> float:
        return GAINS[STARTUP][0] * self._initial_cwnd / (srtt or UNKNOWN_SRTT)

    def _set_pacing_rate(self, gain: float) -> None:
        rate = gain * self.bw * PACING_MARGIN
        if rate > 0.0 and (self.full_pipe.reached or rate > self.rate):
            self.rate = rate

    def _bdp_multiple(self, gain: float) -> float:
        if self.min_rtt.value == inf:
            return self._initial_cwnd
        return gain * self.bw * self.min_rtt.value

    def _quantization_budget(self, inflight_cap: float) -> float:
        cap = max(inflight_cap, OFFLOAD_QUANTA * send_quantum(self.rate, self.mss), MIN_PIPE_CWND * self.mss)
        return cap + 2 * self.mss if self._state == UP else cap

    def _inflight(self, gain: float) -> float:
        return self._quantization_budget(self._bdp_multiple(gain))

    def _set_cwnd(self, sample: RateSample) -> None:
        gain = GAINS[self._state][1]
        max_inflight = int(self._quantization_budget(self._bdp_multiple(gain) + self.extra_acked.value))
        if self.full_pipe.reached:
            self.cwnd = min(self.cwnd + sample.newly_acked, max_inflight)
        elif self.cwnd < max_inflight or self._c.delivered < self._initial_cwnd:
            self.cwnd += sample.newly_acked
        self.cwnd = max(self.cwnd, MIN_PIPE_CWND * self.mss)
        if self._state == PROBE_RTT:
            self.cwnd = min(self.cwnd, self._probe_rtt_cwnd())
        self._bound_cwnd_for_model()

    def _probe_rtt_cwnd(self) -> int:
        return max(int(self._bdp_multiple(GAINS[PROBE_RTT][1])), MIN_PIPE_CWND * self.mss)

    def _bound_cwnd_for_model(self) -> None:
        cap = inf
        if self._state in (CRUISE, PROBE_RTT):
            cap = self._inflight_with_headroom()
        elif self._state in PROBE_BW:
            cap = self.inflight_longterm
        cap = max(min(cap, self.short.inflight), MIN_PIPE_CWND * self.mss)
        if self.cwnd > cap:
            self.cwnd = int(cap)

    def _save_cwnd(self) -> None:
        if self._in_recovery or self._state == PROBE_RTT:
            self._prior_cwnd = max(self._prior_cwnd, self.cwnd)
        else:
            self._prior_cwnd = self.cwnd

    def _restore_cwnd(self) -> None:
        self.cwnd = max(self.cwnd, self._prior_cwnd)

    def _target_inflight(self) -> float:
        return min(self._bdp_multiple(1.0), self.cwnd)

    def _inflight_with_headroom(self) -> float:
        longterm = self.inflight_longterm
        if longterm == inf:
            return inf
        return max(longterm - max(self.mss, HEADROOM * longterm), MIN_PIPE_CWND * self.mss)

    # For people

    @property
    def state(self) -> str:
        """That of the draft's state machine."""
        return self._state

    @property
    def bandwidth(self) -> float | None:
        """BBR.bw."""
        return self.bw or None

    @property
    def path_min_rtt(self) -> float | None:
        """BBR.min_rtt."""
        return None if self.min_rtt.value == inf else self.min_rtt.value
