"""BBR, version 3 (draft-ietf-ccwg-bbr-06): the rate and the window follow a model of the path, not single losses.

Methods are in the order of the draft's section 5 and have its names, in our spelling; ``bbrmodel`` has the estimators,
``bbrcontrol`` the variables and section 5.6.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import ClassVar, Final

from tcpcore.conn.congestion.base import CongestionControl
from tcpcore.conn.congestion.bbrcontrol import (
    ACKS_INIT,
    ACKS_PROBE_FEEDBACK,
    ACKS_PROBE_STARTING,
    ACKS_PROBE_STOPPING,
    ACKS_REFILLING,
    CRUISE,
    DOWN,
    DRAIN,
    GAINS,
    PROBE_BW,
    PROBE_RTT,
    REFILL,
    STARTUP,
    UP,
    BBRControl,
)
from tcpcore.conn.congestion.bbrmodel import BETA, EXTRA_ACKED_FILTER_LEN
from tcpcore.conn.rate import Departure, RateSample
from tcpcore.conn.rtt import RttEstimator

LOSS_THRESH: Final = 0.02
"""Loss in a round trip that is no sign of too much in flight."""
NOISE_THRESH: Final = 0.1
"""The same while there is no queue; not the draft's, which cannot tell a lossy path from a full one."""
CHANCE: Final = 3.0
"""Standard deviations by which chance may exceed it."""
QUEUE_SHARE: Final = 1 / 8
QUEUE_TIME: Final = 0.001
"""Round trips that are all longer than the shortest by this share of it, and by these seconds, have met a queue."""
STARTUP_FULL_LOSS_COUNT: Final = 6
DRAIN_ROUNDS: Final = 3
PROBE_RTT_DURATION: Final = 0.2
RENO_ROUNDS: Final = 63


class BBR(BBRControl):
    """The state machine, and what it makes of ACKs and of losses."""

    __slots__ = ()

    name: ClassVar = "bbr"
    governs: ClassVar = True

    # What recovery tells (sections 5.5.10, 5.5.11, 5.6.4.4)

    def on_ack(self, acked: int, flight: int, *, una: int, nxt: int, rtt: RttEstimator, now: float) -> None:
        """All that counts is in the rate sample."""

    def on_loss(self, flight: int, *, now: float) -> None:
        """OnEnterFastRecovery; the model decides what loss means."""
        self._save_state_upon_loss()
        self._in_recovery = True

    def on_ecn(self, flight: int, *, now: float) -> None:
        """Nothing is sent ECN-capable (section 3.7)."""

    def on_rto(self, flight: int, *, first: bool, now: float) -> None:
        """OnEnterRTO: everything is lost, one segment may leave."""
        self._save_state_upon_loss()
        self._in_recovery = True
        self.cwnd = self.mss

    def on_idle(self, restart_window: int) -> None:
        """What leaves is paced at the bandwidth, there is no burst to fear (section 5.4.2)."""

    def on_recovered(self) -> None:
        """RestoreCwnd; the model bounds it with this ACK."""
        self._in_recovery = False
        self._restore_cwnd()

    def save(self) -> CongestionControl:
        """The model lives on; what a loss changes of it is kept in it."""
        return self

    def undo(self, saved: CongestionControl) -> CongestionControl:
        """HandleSpuriousLossDetection."""
        self.on_recovered()
        self.short.loss_in_round = False
        self.full_pipe.restart(0.0)
        bw, inflight, longterm = self._undo_bounds
        self.short.bw = max(self.short.bw, bw)
        self.short.inflight = max(self.short.inflight, inflight)
        self.inflight_longterm = max(self.inflight_longterm, longterm)
        state, self._undo_state = self._undo_state, None
        if state == STARTUP != self._state:
            self.full_pipe.reached = False
            if self._state != PROBE_RTT:
                self._state = STARTUP
        elif state == UP != self._state and self._state != PROBE_RTT:
            self._start_refill()
        return self

    def on_lost_range(self, departure: Departure, size: int, *, apart: bool, sack: bool, now: float) -> None:
        """HandleLostPacket: did what was in flight when it left lose too much?"""
        if not self.short.loss_in_round:
            self._save_state_upon_loss()
        self.short.lost(self._c.delivered)
        self._loss_ranges += apart
        self._sack = sack
        lost, in_flight = self._c.lost - departure.lost, departure.tx_in_flight
        if self._is_bw_probe_sample and self._is_inflight_too_high(lost, in_flight):
            # InflightAtLoss: it may have become too high within the range
            before, lost_before, share = in_flight - size, lost - size, self._loss_allowed(in_flight) / in_flight
            prefix = (share * before - lost_before) / (1 - share)
            self._handle_inflight_too_high(before + prefix, departure.app_limited, now)

    def _is_inflight_too_high(self, lost: int, in_flight: int) -> bool:
        return lost > self._loss_allowed(in_flight) or (lost > 0 and not self._sack)

    def _loss_allowed(self, in_flight: int) -> float:
        if self._meets_queue:
            return in_flight * LOSS_THRESH
        noise = in_flight * NOISE_THRESH
        return noise + CHANCE * sqrt(noise * self.mss)

    @property
    def _meets_queue(self) -> bool:
        shortest = self.min_rtt.value
        return min(self._round_rtt, self._last_round_rtt) - shortest > max(shortest * QUEUE_SHARE, QUEUE_TIME)

    def _handle_inflight_too_high(self, in_flight: float, app_limited: bool, now: float) -> None:
        self._probe_too_high = True
        self._is_bw_probe_sample = False
        if not app_limited:
            self.inflight_longterm = float(int(max(in_flight, self._target_inflight() * BETA)))
        if self._state == UP:
            self._undo_state = UP
            self._start_down(now)

    def _save_state_upon_loss(self) -> None:
        self._save_cwnd()
        self._undo_state = None
        self._undo_bounds = (self.short.bw, self.short.inflight, self.inflight_longterm)

    # Each ACK (section 5.2.3)

    def on_sample(self, sample: RateSample, *, srtt: float | None, now: float) -> None:
        """UpdateOnACK."""
        if not self.rate and srtt is not None:
            self.rate = self._initial_rate(srtt)
        self._update_model(sample, now)
        self._check_startup_done(sample)
        self._check_drain_done(sample, now)
        self._update_probe_bw_cycle_phase(sample, now)
        self.min_rtt.update(sample.rtt, now)
        self._check_probe_rtt(sample, now)
        self.short.advance(sample)
        self.bw = min(self.max_bw.value, self.short.bw)
        self._set_pacing_rate(GAINS[self._state][0])
        self._set_cwnd(sample)

    def _update_model(self, sample: RateSample, now: float) -> None:
        delivered = self._c.delivered
        self.short.update(sample, delivered)
        self.rounds.update(sample.prior_delivered, delivered)
        if self.rounds.start:
            self._rounds_since_probe_up += 1
            self._c.round_begins()
            self._last_round_rtt, self._round_rtt = self._round_rtt, inf
        if sample.rtt is not None:
            self._round_rtt = min(self._round_rtt, sample.rtt)
        rate = sample.delivery_rate
        if rate > 0.0 and (rate >= self.max_bw.value or not sample.is_app_limited):
            self.max_bw.update(rate)
        if self.short.round_start:
            if self.short.loss_in_round and self._state not in (STARTUP, REFILL, UP) and self._heeds_loss(sample):
                self.short.adapt(self.max_bw.value, self.cwnd)
            self.short.loss_in_round = False
        length = EXTRA_ACKED_FILTER_LEN if self.full_pipe.reached else 1
        self.extra_acked.update(sample.newly_acked, self.bw, self.cwnd, self.rounds.count, length, now)
        if self.rounds.start and not sample.is_app_limited:
            self.full_pipe.update(rate)

    def _heeds_loss(self, sample: RateSample) -> bool:
        return self._meets_queue or self._is_inflight_too_high(sample.lost, sample.tx_in_flight)

    # Startup and Drain (sections 5.3.1, 5.3.2)

    def _check_startup_done(self, sample: RateSample) -> None:
        if self._state == STARTUP:
            self._check_startup_high_loss(sample)
            if self.full_pipe.reached:
                self._state = DRAIN
                self._drain_start_round = self.rounds.count
        if self.short.round_start:
            self._loss_ranges = 0

    def _check_startup_high_loss(self, sample: RateSample) -> None:
        if not (self.short.round_start and self._in_recovery):
            return
        needed = STARTUP_FULL_LOSS_COUNT if self._sack else 1
        if self._loss_ranges >= needed and self._is_inflight_too_high(sample.lost, sample.tx_in_flight):
            self._undo_state = STARTUP
            self.full_pipe.reached = True
            self.inflight_longterm = float(max(int(self._bdp_multiple(1.0)), self.short.inflight_latest))

    def _check_drain_done(self, sample: RateSample, now: float) -> None:
        if self._state == DRAIN and (
            sample.in_flight <= self._inflight(1.0) or self.rounds.count > self._drain_start_round + DRAIN_ROUNDS
        ):
            self._start_down(now)

    # ProbeBW (section 5.3.3)

    def _is_time_to_probe_bw(self, now: float) -> bool:
        reno_rounds = min(self._target_inflight() // self.mss, RENO_ROUNDS)
        if now > self._cycle_stamp + self._probe_wait or self._rounds_since_probe_up >= reno_rounds:
            self._start_refill()
            return True
        return False

    def _start_down(self, now: float) -> None:
        self.short.reset_signals()
        self._acked_per_increment = inf
        self._rounds_since_probe_up = self._rng.randrange(2)
        self._probe_wait = 2.0 + self._rng.random()
        self._cycle_stamp = now
        self._ack_phase = ACKS_PROBE_STOPPING
        self.rounds.begin(self._c.delivered)
        self._state = DOWN

    def _start_refill(self) -> None:
        self.short.forget()
        self._probe_up_rounds = self._probe_up_acked = 0
        self._probe_precautionary = False
        self._ack_phase = ACKS_REFILLING
        self.rounds.begin(self._c.delivered)
        self._state = REFILL

    def _start_up(self, sample: RateSample) -> None:
        self._ack_phase = ACKS_PROBE_STARTING
        self.rounds.begin(self._c.delivered)
        self.full_pipe.restart(sample.delivery_rate)
        self._state = UP
        self._raise_inflight_longterm_slope()

    def _update_probe_bw_cycle_phase(self, sample: RateSample, now: float) -> None:
        if not self.full_pipe.reached or self._adapt_long_term_model(sample):
            return
        state = self._state
        if state in (DOWN, CRUISE):
            if not self._is_time_to_probe_bw(now) and state == DOWN and self._is_time_to_cruise(sample):
                self._state = CRUISE
        elif state == REFILL:
            if self.rounds.start:
                self._is_bw_probe_sample = True
                self._start_up(sample)
        elif state == UP and self._is_time_to_go_down(sample):
            self._probe_too_high = False
            self._start_down(now)

    def _is_time_to_cruise(self, sample: RateSample) -> bool:
        return sample.in_flight <= min(self._inflight_with_headroom(), self._inflight(1.0))

    def _is_time_to_go_down(self, sample: RateSample) -> bool:
        if self._probe_too_high and sample.in_flight >= self.inflight_longterm:
            self._probe_precautionary = True
            return True
        if self._is_bounded_by_longterm():
            self.full_pipe.restart(sample.delivery_rate)
            return False
        return self.full_pipe.now

    def _is_bounded_by_longterm(self) -> bool:
        return self._c.is_cwnd_limited and self.cwnd >= self.inflight_longterm

    def _raise_inflight_longterm_slope(self) -> None:
        growth = 1 << self._probe_up_rounds
        self._probe_up_rounds = min(self._probe_up_rounds + 1, 30)
        self._acked_per_increment = max(self.cwnd / growth, self.mss)

    def _probe_inflight_longterm_upward(self, sample: RateSample) -> None:
        if not self._is_bounded_by_longterm():
            return
        self._probe_up_acked += sample.newly_acked
        if self._probe_up_acked >= self._acked_per_increment:
            delta = int(self._probe_up_acked // self._acked_per_increment)
            self._probe_up_acked -= int(delta * self._acked_per_increment)
            self.inflight_longterm += delta * self.mss
        if self.rounds.start:
            self._raise_inflight_longterm_slope()

    def _adapt_long_term_model(self, sample: RateSample) -> bool:
        """Whether it decided about the state."""
        if self.rounds.start and self._ack_phase == ACKS_PROBE_STARTING:
            self._ack_phase = ACKS_PROBE_FEEDBACK
        if self.rounds.start and self._ack_phase == ACKS_PROBE_STOPPING:
            self._is_bw_probe_sample = False
            self._ack_phase = ACKS_INIT
            if self._state in PROBE_BW:
                if not sample.is_app_limited:
                    self.max_bw.advance()
                if self._probe_precautionary and not self._probe_too_high:
                    self._start_refill()
                    return True
        if self.inflight_longterm != inf and not self._is_inflight_too_high(sample.lost, sample.tx_in_flight):
            self.inflight_longterm = max(self.inflight_longterm, sample.tx_in_flight)
            if self._state == UP:
                self._probe_inflight_longterm_upward(sample)
        return False

    # ProbeRTT (section 5.3.4) and idle (section 5.4)

    def _check_probe_rtt(self, sample: RateSample, now: float) -> None:
        if self._state != PROBE_RTT and self.min_rtt.expired and not self._idle_restart:
            self._save_cwnd()
            self._state = PROBE_RTT
            self._probe_rtt_done_stamp = None
            self._ack_phase = ACKS_PROBE_STOPPING
            self.rounds.begin(self._c.delivered)
        if self._state == PROBE_RTT:
            self._handle_probe_rtt(sample, now)
        if sample.delivered > 0:
            self._idle_restart = False

    def _handle_probe_rtt(self, sample: RateSample, now: float) -> None:
        self._c.mark_app_limited(sample.in_flight)
        if self._probe_rtt_done_stamp is None:
            if sample.in_flight <= self._probe_rtt_cwnd():
                self._probe_rtt_done_stamp = now + PROBE_RTT_DURATION
                self._probe_rtt_round_done = False
                self.rounds.begin(self._c.delivered)
            return
        if self.rounds.start:
            self._probe_rtt_round_done = True
        if self._probe_rtt_round_done:
            self._check_probe_rtt_done(now)

    def _check_probe_rtt_done(self, now: float) -> None:
        if self._probe_rtt_done_stamp is None or now <= self._probe_rtt_done_stamp:
            return
        self.min_rtt.probed(now)
        self._restore_cwnd()
        self.short.forget()
        if self.full_pipe.reached:
            self._start_down(now)
            self._state = CRUISE
        else:
            self._state = STARTUP

    def on_restart(self, *, now: float) -> None:
        """HandleRestartFromIdle."""
        self._idle_restart = True
        self.extra_acked.restart(now)
        if self._state in PROBE_BW:
            self._set_pacing_rate(1.0)
        elif self._state == PROBE_RTT:
            self._check_probe_rtt_done(now)
