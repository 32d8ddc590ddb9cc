"""Header prediction where a connection begins and ends: the ACK of our SYN,ACK, the ACK of our FIN, the peer's FIN.

None of them carries text, and nothing is missing in either direction. What then is left of SEGMENT ARRIVES (RFC 9293
section 3.10.7.4) stands here in the RFC's order. Any other segment is left to ``tcpcore.conn.arrives``, which leaves an
equal control block for these too: tests/tcpcore/conn/test_prediction.py shows it.
"""

from __future__ import annotations

from typing import Final

from tcpcore.conn import acknowledgement, arrives, roundtrip
from tcpcore.conn.state import (
    CLOSE_WAIT,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    RECEIVING,
    SYN_RECEIVED,
)
from tcpcore.conn.tcb import Tcb
from tcpcore.seqnum import HALF, MASK
from tcpcore.wire.checksum import Buffer
from tcpcore.wire.tcp import FIN
from tcpcore.wire.usual import Usual, segment

_STATES: Final = frozenset({SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK})


def predicted(tcb: Tcb, usual: Usual, packet: Buffer, now: float) -> bool:
    """Process ``packet``, of which ``usual`` tells, if it is one of these; else change nothing and say False."""
    _, traffic_class, seq, ack, flags, wnd, tsval, tsecr, headers = usual
    rcv_nxt, una = tcb.rcv_nxt, tcb.snd_una
    acked = ack - una & MASK
    newer = tsval - tcb.ts_recent & MASK
    opening = tcb.state is SYN_RECEIVED
    if (
        seq != rcv_nxt & MASK
        or acked > tcb.snd_nxt - una
        or newer >= HALF
        or len(packet) != headers
        or tcb.rcv_adv <= rcv_nxt
        or not tcb.ts_on
        or tcb.state not in _STATES
        or tcb.out_of_order is not None
        or tcb.keepalive_probes
        or tcb.out_probe
    ):
        return False
    if opening:
        if not acked or tcb.backlog is None or tcb.syn_retransmitted or tcb.syn_rest is not None or flags & FIN:
            return False
    elif not (acknowledgement.nothing_is_missing(tcb) if acked else tcb.snd_nxt == una and tcb.tlp_end is None):
        return False
    if tcb.env.observer is not None:
        tcb.env.observer.segment_received(tcb, segment(usual, packet), now)
    tcb.segments_in += 1
    tcb.last_received = now
    tcb.received_traffic_class = traffic_class
    # First, check sequence number: PAWS finds the timestamp newer; R3 of RFC 7323 section 5.3
    if rcv_nxt <= tcb.last_ack_sent:
        tcb.ts_recent += newer
        tcb.ts_recent_at, tcb.ts_echo = now, tsecr
    # Fifth, check the ACK field
    ack = una + acked
    if opening:
        if arrives.has_room(tcb, ack):
            roundtrip.measure_only_syn(tcb, now)
            arrives.establish(tcb, rcv_nxt, ack, wnd, now)
    else:
        if acked:
            acknowledgement.in_order(tcb, ack, now)
        acknowledgement.update_send_window(tcb, rcv_nxt, ack, wnd)
        if arrives.acknowledges_fin(tcb, now) and flags & FIN and tcb.state in RECEIVING:
            tcb.rcv_fin = rcv_nxt  # Seventh: there is no text before it
            arrives.eighth_check_fin(tcb, now)
    tcb.touch_if_due()
    return True
