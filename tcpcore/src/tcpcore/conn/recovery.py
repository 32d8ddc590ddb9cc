"""Loss recovery: what is lost, and how fast it is sent again.

With SACK, time tells what is lost (RACK, RFC 8985); without it, three duplicate ACKs and partial ACKs do (RFC 5681,
RFC 6582). Either way what is sent follows what arrives (PRR, RFC 6937bis), and a timeout loses everything (RFC 6298).
Output sends again what the scoreboard calls lost.
"""

from __future__ import annotations

from typing import Final

from tcpcore import timing
from tcpcore.conn import mtuprobe, rate, spurious, tlp
from tcpcore.conn.prr import ProportionalRateReduction
from tcpcore.conn.rack import Rack
from tcpcore.conn.sack import Delivery, Scoreboard
from tcpcore.conn.tcb import Tcb
from tcpcore.wire.tcp import Segment

DUPLICATE_THRESHOLD: Final = 3


class Recovery:
    """Lasts until everything up to ``point``, SND.NXT at its start, is acknowledged.

    ``prr`` is ``None`` after a timeout: the window then grows as in slow start.
    """

    __slots__ = ("point", "prr")

    def __init__(self, point: int, prr: ProportionalRateReduction | None) -> None:
        self.point = point
        self.prr = prr


def deliver(tcb: Tcb, board: Scoreboard | None, seg: Segment, now: float) -> Delivery:
    """Note on the scoreboard what an ACK, SND.UNA =< SEG.ACK =< SND.NXT, tells; SND.UNA has not moved yet."""
    delivery = Delivery()
    if tcb.rate is not None:
        rate.check_app_limited(tcb, tcb.rate, now)
    if seg.ack > tcb.snd_una and board is not None:
        board.acknowledge(seg.ack, delivery)
    if seg.sack and tcb.sack_ok:
        blocks = seg.sack
        if _is_duplicate_report(tcb, seg):
            delivery.duplicate = blocks[0][1]
            spurious.duplicate_reported(tcb, blocks[0], now)
            blocks = blocks[1:]
        for left, right in blocks:
            if board is not None and seg.ack <= left < right <= tcb.snd_nxt:
                board.sack(left, right, delivery)
    return delivery


def react(tcb: Tcb, seg: Segment, delivery: Delivery, acked: int, flight: int, now: float) -> None:
    """SND.UNA has moved by ``acked``; ``flight`` was outstanding before: find losses, adapt the congestion window."""
    board = tcb.scoreboard
    whole = tcb.recovery is None and tcb.tlp_end is None and not tcb.dup_acks and (board is None or not board.sacked)
    if whole and acked and not delivery.reordered:  # the common case: nothing is missing
        _grow(tcb, acked, now)
        return
    if spurious.is_detected(tcb, seg, delivery, acked):
        spurious.undo(tcb, now)
    if tlp.repaired_a_loss(tcb, seg, delivery):
        _reduce_once(tcb, flight, now)
    if delivery.bytes and not acked:
        tcb.timers.set(timing.RETRANSMIT, now, tcb.rtt.rto)  # while anything arrives, RACK finds what is lost again
    recovery = tcb.recovery
    if tcb.sack_ok:
        _follow(tcb, delivery, now)
    found = board is not None and _find_losses(tcb, board, acked, now)
    if recovery is None:
        if found:
            _enter(tcb, delivery, now)
        elif acked:
            _grow(tcb, acked, now)
    elif tcb.snd_una >= recovery.point:
        _leave(tcb, recovery, now)
    elif recovery.prr is not None:
        _reduce(tcb, recovery.prr, delivery, safe=acked > 0 and not found)
        if found and not tcb.sack_ok:
            tcb.congestion.cwnd = max(tcb.congestion.cwnd, tcb.pipe + tcb.mss)  # RFC 6582 section 3.2, step 3
    elif acked:
        _grow(tcb, acked, now)


def reordering_expired(tcb: Tcb, now: float) -> None:
    """The wait for segments that were overtaken is over (RFC 8985 section 6.3)."""
    board = tcb.scoreboard
    if board is not None and _find_by_time(tcb, board, now) and tcb.recovery is None:
        _enter(tcb, Delivery(), now)
    if tcb.rate is not None:
        rate.note_losses(tcb, tcb.rate, now)


def on_timeout(tcb: Tcb, now: float) -> None:
    """RFC 6298 section 5.4 to 5.6: everything outstanding counts as lost, from SND.UNA on."""
    first = tcb.retransmissions == 0
    if first and tcb.recovery is None:
        spurious.begin(tcb, by_timeout=True)
    tcb.congestion.on_rto(min(tcb.in_flight, tcb.congestion.cwnd), first=first, now=now)
    _note_reduction(tcb)
    tcb.retransmissions += 1
    tcb.rtt.back_off()
    tcb.dup_acks = 0
    tcb.recover = tcb.snd_nxt
    tcb.recovery = Recovery(tcb.snd_nxt, None)
    tcb.tlp_end = None
    if tcb.scoreboard is not None:
        tcb.scoreboard.lose_all()
    if tcb.rate is not None:
        rate.note_losses(tcb, tcb.rate, now)
    tcb.timers.clear(timing.REORDERING)
    tcb.timers.set(timing.RETRANSMIT, now, tcb.rtt.rto)
    tcb.tell("timeout", now)


def state_name(tcb: Tcb) -> str:
    """For people: what the sender is doing."""
    if tcb.recovery is not None and not tcb.congestion.governs:
        return "loss" if tcb.recovery.prr is None else "fast recovery"
    return tcb.congestion.state


def _is_duplicate_report(tcb: Tcb, seg: Segment) -> bool:
    """Whether the first block is a DSACK: below SEG.ACK, or inside the second (RFC 2883 section 4)."""
    left, right = seg.sack[0]
    if not tcb.iss < left < right <= tcb.snd_nxt:
        return False
    if right <= seg.ack:
        return True
    return len(seg.sack) > 1 and seg.sack[1][0] <= left and right <= seg.sack[1][1]


def _grow(tcb: Tcb, acked: int, now: float) -> None:
    tcb.congestion.on_ack(acked, tcb.flight_after_send, una=tcb.snd_una, nxt=tcb.snd_nxt, rtt=tcb.rtt, now=now)


def _follow(tcb: Tcb, delivery: Delivery, now: float) -> None:
    if tcb.rack is None:
        tcb.rack = Rack()
    tcb.rack.delivered(delivery, tcb.rtt.min_rtt or 0.0, now)


def _find_losses(tcb: Tcb, board: Scoreboard, acked: int, now: float) -> bool:
    return _find_by_time(tcb, board, now) if tcb.sack_ok else _find_by_duplicates(tcb, board, acked)


def _find_by_time(tcb: Tcb, board: Scoreboard, now: float) -> bool:
    rtt, rack, before = tcb.rtt, tcb.rack, board.lost
    if rack is None:
        return False
    sacked = board.sacked // tcb.mss
    reo_wnd = rack.reo_wnd(
        sacked, recovering=tcb.recovery is not None, min_rtt=rtt.min_rtt or 0.0, srtt=rtt.srtt or 0.0
    )
    wait = rack.detect(board, reo_wnd, now)
    if wait is None:
        tcb.timers.clear(timing.REORDERING)
    else:
        tcb.timers.set(timing.REORDERING, now, wait)
    return board.lost > before


def _find_by_duplicates(tcb: Tcb, board: Scoreboard, acked: int) -> bool:
    """RFC 6582 section 3.2: the third duplicate, and each partial ACK, tell of one lost segment at SND.UNA."""
    recovery = tcb.recovery
    if recovery is None:
        tcb.dup_acks = 0 if acked else tcb.dup_acks + 1
        if tcb.dup_acks != DUPLICATE_THRESHOLD or tcb.snd_una <= tcb.recover:
            return False
    elif recovery.prr is None or tcb.snd_una >= recovery.point:
        return False
    elif acked:
        # A partial ACK stands for the duplicates of what it covers, but for the segment that was sent again
        tcb.dup_acks = max(tcb.dup_acks - max(acked // tcb.mss - 1, 0), 0)
    else:
        tcb.dup_acks += 1
        return False
    board.lose(tcb.snd_una, min(tcb.snd_una + tcb.mss, tcb.snd_nxt))
    return True


def _enter(tcb: Tcb, delivery: Delivery, now: float) -> None:
    if tcb.mtu_search is not None and mtuprobe.is_lost(tcb):
        mtuprobe.lost(tcb, now)
        if tcb.scoreboard is not None:
            tcb.scoreboard.losses = None
        return
    spurious.begin(tcb, by_timeout=False)
    flight = min(tcb.in_flight, tcb.congestion.cwnd)  # without what limited transmit sent (RFC 5681 section 3.2)
    tcb.congestion.on_loss(flight, now=now)
    tcb.recover = tcb.snd_nxt
    sacked = tcb.scoreboard.sacked if tcb.scoreboard is not None else 0
    prr = ProportionalRateReduction(tcb.in_flight - sacked + delivery.bytes)
    tcb.recovery = Recovery(tcb.snd_nxt, prr)
    tcb.tlp_end = None  # a probe that found this loss does not tell of another
    _note_reduction(tcb)
    _reduce(tcb, prr, delivery, safe=False)
    tcb.tell("fast-retransmit", now)


def _reduce(tcb: Tcb, prr: ProportionalRateReduction, delivery: Delivery, *, safe: bool) -> None:
    congestion = tcb.congestion
    if congestion.governs:
        return
    delivered = delivery.bytes if tcb.sack_ok or delivery.bytes else tcb.mss  # a duplicate ACK is for one segment
    cwnd = prr.on_ack(delivered, tcb.pipe, congestion.ssthresh or congestion.cwnd, tcb.mss, safe=safe)
    congestion.cwnd = max(cwnd, tcb.mss)


def _reduce_once(tcb: Tcb, flight: int, now: float) -> None:
    """A loss that is repaired already: congestion control is to react all the same."""
    congestion = tcb.congestion
    congestion.on_loss(min(flight, congestion.cwnd), now=now)
    congestion.cwnd = congestion.ssthresh or congestion.cwnd
    tcb.undo = None
    _note_reduction(tcb)
    tcb.tell("tail-loss", now)


def _note_reduction(tcb: Tcb) -> None:
    if tcb.ecn is not None:
        tcb.ecn.reduced(tcb.snd_nxt)


def _leave(tcb: Tcb, recovery: Recovery, now: float) -> None:
    if recovery.prr is not None:
        tcb.congestion.cwnd = tcb.congestion.ssthresh or tcb.congestion.cwnd
    tcb.congestion.on_recovered()
    if tcb.rack is not None:
        tcb.rack.recovered()
    tcb.recovery = None
    tcb.dup_acks = 0
    if tcb.scoreboard:
        tlp.arm(tcb, now)  # nobody watched the end of what left meanwhile
    tcb.tell("recovered", now)
