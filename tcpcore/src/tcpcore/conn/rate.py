"""Delivery rate sampling (draft-ietf-ccwg-bbr section 4.1): how fast the path delivered what an ACK is for.

Only congestion control that asks for it has a sampler. Names are those of the draft; octets, seconds, octets a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcpcore.conn.sack import Delivery
    from tcpcore.conn.tcb import Tcb


class Departure:
    """What was known when octets left (section 4.1.2.1.2): one for all that leaves at the same moment."""

    __slots__ = ("app_limited", "delivered", "delivered_time", "first_sent_time", "lost", "time", "tx_in_flight")

    def __init__(self, sampler: RateSampler, tx_in_flight: int, now: float) -> None:
        self.time = now
        self.delivered = sampler.delivered
        self.delivered_time = sampler.delivered_time
        self.first_sent_time = sampler.first_sent_time
        self.app_limited = sampler.app_limited > 0
        self.lost = sampler.lost
        self.tx_in_flight = tx_in_flight


class RateSample:
    """What one ACK tells (section 4.1.2.1.3).

    ``delivery_rate`` is 0 when it cannot be trusted; ``lost``: since the newest octets of the ACK left; ``rtt``:
    ``None`` when all that the ACK is for was sent again.
    """

    __slots__ = (
        "delivered", "delivery_rate", "in_flight", "is_app_limited", "lost", "newly_acked", "prior_delivered", "rtt",
        "tx_in_flight",
    )  # fmt: skip

    def __init__(self, departure: Departure, sampler: RateSampler, newly_acked: int, in_flight: int) -> None:
        self.newly_acked = newly_acked
        self.in_flight = in_flight
        """Now, with the ACK."""
        self.prior_delivered = departure.delivered
        self.delivered = sampler.delivered - departure.delivered
        self.delivery_rate = 0.0
        self.is_app_limited = departure.app_limited
        self.tx_in_flight = departure.tx_in_flight
        self.lost = sampler.lost - departure.lost
        self.rtt: float | None = None


class RateSampler:
    """State of a connection (section 4.1.2.1.1); ``delivered`` and ``lost`` are totals since it began."""

    __slots__ = ("_last", "_limited", "_limited_round", "app_limited", "delivered", "delivered_time",
                 "first_sent_time", "lost")  # fmt: skip

    def __init__(self) -> None:
        self.delivered = 0
        self.delivered_time = 0.0
        self.first_sent_time = 0.0
        self.app_limited = 0
        """What has to be delivered until samples are free of the moment when there was nothing to send; 0: they are."""
        self.lost = 0
        self._last: Departure | None = None
        self._limited = self._limited_round = False

    @property
    def is_cwnd_limited(self) -> bool:
        """Whether the congestion window was used up, in this round trip or the last."""
        return self._limited or self._limited_round

    def round_begins(self) -> None:
        """A packet-timed round trip is over."""
        self._limited_round, self._limited = self._limited, False

    def departs(self, size: int, in_flight: int, cwnd: int, mss: int, now: float) -> Departure:
        """``size`` octets leave and make it ``in_flight`` (section 4.1.2.2)."""
        in_flight = max(in_flight, size)  # without SACK it is a guess, and may leave nothing over
        if in_flight == size:
            self.first_sent_time = self.delivered_time = now
        if in_flight + mss > cwnd:
            self._limited = True
        last = self._last
        if last is None or last.time != now or last.delivered != self.delivered:
            self._last = last = Departure(self, in_flight, now)
        last.tx_in_flight = in_flight
        return last

    def sample(self, delivery: Delivery, in_flight: int, min_rtt: float, now: float) -> RateSample | None:
        """What ``delivery`` tells (section 4.1.2.3); ``None``: nothing arrived that left under our eyes."""
        newest = delivery.newest
        if not delivery.bytes or newest is None:
            return None
        self.delivered += delivery.bytes
        self.delivered_time = now
        departure = newest[2]
        self.first_sent_time = departure.time
        if self.app_limited and self.delivered > self.app_limited:
            self.app_limited = 0
        sample = RateSample(departure, self, delivery.bytes, in_flight)
        # The longer of both: neither a burst that was sent nor ACKs that arrive together pretend to be bandwidth
        interval = max(departure.time - departure.first_sent_time, now - departure.delivered_time)
        if interval > 0.0 and interval >= min_rtt:
            sample.delivery_rate = sample.delivered / interval
        if delivery.first is not None:
            sample.rtt = now - delivery.first[0]
        return sample

    def mark_app_limited(self, in_flight: int) -> None:
        """What is sent from now on, for a round trip, tells less than the path can do."""
        self.app_limited = max(self.delivered + in_flight, 1)


def departs(tcb: Tcb, sampler: RateSampler, size: int, in_flight: int, now: float) -> Departure:
    """``size`` octets are about to leave and will make it ``in_flight``."""
    congestion = tcb.congestion
    if in_flight <= size and sampler.app_limited:
        congestion.on_restart(now=now)
    return sampler.departs(size, in_flight, congestion.cwnd, tcb.mss, now)


def check_app_limited(tcb: Tcb, sampler: RateSampler, now: float) -> None:
    """Section 4.1.2.4, before anything is queued, acknowledged or timed out: could we have sent, and had nothing?"""
    if tcb.send_buffer.end > tcb.snd_nxt or (tcb.pacer is not None and tcb.pacer.next > now):
        return
    pipe = tcb.pipe
    if pipe < tcb.congestion.cwnd and (tcb.scoreboard is None or not tcb.scoreboard.lost):
        sampler.mark_app_limited(pipe)


def note_losses(tcb: Tcb, sampler: RateSampler, now: float) -> None:
    """Tell congestion control of each range that was found lost (draft section 5.2.4)."""
    board = tcb.scoreboard
    if board is None or not board.losses:
        return
    losses, board.losses = board.losses, None
    until: int | None = None
    for departure, start, end in losses:
        sampler.lost += end - start
        tcb.congestion.on_lost_range(departure, end - start, apart=start != until, sack=tcb.sack_ok, now=now)
        until = end


def acknowledged(tcb: Tcb, sampler: RateSampler, delivery: Delivery, now: float) -> None:
    """Recovery has looked at ``delivery``: now the model of the path does."""
    note_losses(tcb, sampler, now)
    sample = sampler.sample(delivery, tcb.pipe, tcb.rtt.min_rtt or 0.0, now)
    if sample is not None:
        tcb.congestion.on_sample(sample, srtt=tcb.rtt.srtt, now=now)
