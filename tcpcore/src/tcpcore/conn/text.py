"""The text of a segment (RFC 9293 section 3.10.7.4, seventh): to the user, or kept until what is missing comes."""

from __future__ import annotations

from math import inf

from tcpcore import timing
from tcpcore.conn import sackreport
from tcpcore.conn.outoforder import OutOfOrder
from tcpcore.conn.tcb import Ready, Tcb
from tcpcore.wire.tcp import Segment


def take_in_order(tcb: Tcb, data: bytes, now: float) -> None:
    """``data`` begins at RCV.NXT: it, and what waited for it, is the user's; acknowledge at once or soon."""
    _deliver(tcb, data)
    if tcb.out_of_order is not None:
        for piece in tcb.out_of_order.take(tcb.rcv_nxt):
            _deliver(tcb, piece if tcb.rcv_fin is None else piece[: tcb.rcv_fin - tcb.rcv_nxt])
        if not len(tcb.out_of_order):
            tcb.out_of_order = None
        tcb.ack_now = True  # a hole was filled, in part at least (RFC 5681 section 4.2)
    tcb.last_data_in = now
    if not tcb.ack_now:
        acknowledge_soon(tcb, now)


def acknowledge_soon(tcb: Tcb, now: float) -> None:
    """Text was taken: every second full-sized segment is acknowledged at once (MUST-59)."""
    delay = tcb.config.delayed_ack
    if tcb.rcv_nxt - tcb.last_ack_sent >= 2 * tcb.rcv_mss or delay == 0.0:
        tcb.ack_now = True
    elif tcb.timers.deadlines[timing.DELAYED_ACK] == inf:
        tcb.timers.set(timing.DELAYED_ACK, now, delay)


def _deliver(tcb: Tcb, data: bytes) -> None:
    if tcb.rcv_fin is not None:
        data = data[: tcb.rcv_fin - tcb.rcv_nxt]  # nothing comes behind a FIN
    tcb.rcv_nxt += len(data)
    tcb.bytes_in += len(data)
    if not tcb.read_closed:
        tcb.rcv_queue.append(data)
        tcb.notify(Ready.READABLE)


def keep_out_of_order(tcb: Tcb, seg: Segment, now: float) -> None:
    """``seg`` begins beyond RCV.NXT: keep its text, if there is room for one more range."""
    tcb.ack_now = True  # at once, so that the sender sees duplicate ACKs (RFC 5681 section 4.2)
    tcb.segments_out_of_order += 1
    if tcb.out_of_order is None:
        tcb.out_of_order = OutOfOrder()
    if len(tcb.out_of_order) >= tcb.config.max_out_of_order:
        tcb.env.drop("out-of-order-limit", now)
        return
    if tcb.sack_ok and (known := tcb.out_of_order.around(seg.seq)) is not None:
        sackreport.duplicate(tcb, seg.seq, min(known[1], seg.seq + len(seg.payload)))
    if not tcb.out_of_order.insert(seg.seq, bytes(seg.payload)):
        tcb.segments_duplicate += 1
