"""Header prediction (Van Jacobson): the segment that nearly always comes next, in a fraction of the ladder's time.

It is in sequence and carries text, or acknowledges something, or both; the connection is ESTABLISHED and nothing is
missing in either direction. What then is left of SEGMENT ARRIVES (RFC 9293 section 3.10.7.4) stands here in the RFC's
order. Any other segment is left to ``tcpcore.conn.arrives``, which leaves an equal control block for this one too:
tests/tcpcore/conn/test_prediction.py shows it.
"""

from __future__ import annotations

from math import inf
from typing import Final

from tcpcore.conn import acknowledgement, text
from tcpcore.conn.tcb import Ready, Tcb
from tcpcore.seqnum import HALF, MASK
from tcpcore.timing import PERSIST
from tcpcore.wire.checksum import Buffer
from tcpcore.wire.tcp import FIN
from tcpcore.wire.usual import Usual, segment

_READABLE: Final = Ready.READABLE


def arrives(tcb: Tcb, usual: Usual, packet: Buffer, now: float) -> bool:
    """In ESTABLISHED: process ``packet``, of which ``usual`` tells, if it is the predicted one.

    Else change nothing and say False.
    """
    _, traffic_class, seq, ack, flags, wnd, tsval, tsecr, headers = usual
    rcv_nxt, una = tcb.rcv_nxt, tcb.snd_una
    acked = ack - una & MASK
    newer = tsval - tcb.ts_recent & MASK
    length = len(packet) - headers
    if (
        seq != rcv_nxt & MASK
        or acked > tcb.snd_nxt - una
        or newer >= HALF
        or length > tcb.rcv_adv - rcv_nxt
        or not (length or acked)
        or flags & FIN
        or not tcb.ts_on
        or tcb.out_of_order is not None
        or tcb.rcv_fin is not None
        or tcb.read_closed
        or tcb.ecn is not None
        or tcb.keepalive_probes
        or tcb.out_probe
        or (acked and not acknowledgement.nothing_is_missing(tcb))
    ):
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
    if acked:
        acknowledgement.in_order(tcb, ack, now)
    if (  # a window that was open and stays so; SND.WL2 =< SND.UNA, so that the segment is no old one
        wnd
        and tcb.snd_wnd
        and tcb.snd_wl1 <= rcv_nxt
        and not tcb.probes_unanswered
        and tcb.timers.deadlines[PERSIST] == inf
    ):
        tcb.snd_wl1, tcb.snd_wl2 = rcv_nxt, ack
        tcb.snd_wnd = wnd = wnd << (tcb.snd_wscale or 0)
        if wnd > tcb.max_snd_wnd:
            tcb.max_snd_wnd = wnd
    else:
        acknowledgement.update_send_window(tcb, rcv_nxt, ack, wnd)
    # Seventh, process the segment text
    if length:
        tcb.rcv_nxt = rcv_nxt + length
        tcb.bytes_in += length
        tcb.last_data_in = now
        tcb.rcv_queue.append(bytes(packet[headers:]))
        if not tcb.ready & _READABLE:
            tcb.notify(_READABLE)
        if not tcb.ack_now:
            text.acknowledge_soon(tcb, now)
    tcb.touch_if_due()
    return True
