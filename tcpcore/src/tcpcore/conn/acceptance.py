"""SEGMENT ARRIVES, first: check the sequence number (RFC 9293 section 3.10.7.4), and PAWS (RFC 7323 section 5)."""

from __future__ import annotations

from typing import Final

from tcpcore import timing
from tcpcore.conn import sackreport
from tcpcore.conn.state import SYN_RECEIVED, TIME_WAIT
from tcpcore.conn.tcb import Tcb
from tcpcore.wire.tcp import ACK, ECE, FIN, RST, SYN, Segment

TS_RECENT_LIFETIME: Final = 24 * 86400.0
"""PAWS does not trust an older TS.Recent (RFC 7323 section 5.5)."""


def check_sequence(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Acceptability (MUST-10..), PAWS (RFC 7323 section 5), then the segment is trimmed to the window."""
    if tcb.ts_on and not _check_timestamp(tcb, seg, now):
        return False
    rcv_nxt, edge = tcb.rcv_nxt, tcb.rcv_adv
    seq, length = seg.seq, seg.length
    if length == 0:
        acceptable = rcv_nxt <= seq < edge or seq == rcv_nxt
    else:
        acceptable = seq < edge and seq + length > rcv_nxt
    if not acceptable and seq == rcv_nxt:
        # A zero window still takes valid ACKs, URGs and RSTs (MUST-66)
        seg.payload, seg.flags = b"", seg.flags & ~FIN
        tcb.ack_now = True
        tcb.env.drop("beyond-window", now)
        acceptable = True
    if not acceptable and not _takes_known_syn(tcb, seg):
        _unacceptable(tcb, seg, now)
        return False
    if length and (seq < rcv_nxt or seq + length > edge):
        trim(tcb, seg)
    if tcb.ts_on and seq <= tcb.last_ack_sent and seg.timestamp is not None and not seg.flags & RST:
        # R3 of RFC 7323 section 5.3; R1 has found the timestamp newer, or TS.Recent too old to compare
        tcb.ts_recent, tcb.ts_recent_at, tcb.ts_echo = seg.timestamp, now, seg.timestamp_echo
    return True


def _takes_known_syn(tcb: Tcb, seg: Segment) -> bool:
    """Figure 7, line 6: of the SYN,ACK in a simultaneous open the SYN is known, the ACK counts."""
    if tcb.state is not SYN_RECEIVED or tcb.backlog is not None:
        return False
    if seg.flags & (SYN | ACK | RST) != SYN | ACK or seg.seq != tcb.irs:
        return False
    seg.seq += 1
    seg.flags &= ~SYN
    seg.wnd >>= tcb.snd_wscale or 0  # the window of a SYN is never scaled (RFC 7323 section 2.2)
    return True


def _unacceptable(tcb: Tcb, seg: Segment, now: float) -> None:
    if seg.flags & RST:
        return
    tcb.segments_duplicate += 1
    if tcb.state is SYN_RECEIVED and seg.flags & (SYN | ACK) == SYN and seg.seq == tcb.irs:
        tcb.syn_due = True  # our SYN,ACK got lost
        if not seg.flags & ECE:
            tcb.ecn = None  # the peer takes its offer back (RFC 3168 section 6.1.1.1)
    elif tcb.state is TIME_WAIT and seg.flags & FIN and seg.seq + seg.length == tcb.rcv_nxt:
        tcb.ack_now = True  # the peer's FIN again: "Acknowledge it, and restart the 2 MSL timeout"
        tcb.timers.set(timing.TIME_WAIT, now, 2 * tcb.config.msl)
    elif not seg.payload and seg.seq != tcb.rcv_nxt - 1:
        tcb.challenge_ack(now)  # dataless: rate-limited, so that two ends cannot answer each other forever
    else:
        tcb.ack_now = True
        sackreport.duplicate(tcb, seg.seq, min(seg.seq + len(seg.payload), tcb.rcv_nxt))


def _check_timestamp(tcb: Tcb, seg: Segment, now: float) -> bool:
    """R1 of RFC 7323 section 5.3; and section 3.2: segments without the option are dropped once it is agreed."""
    if seg.flags & RST:
        return True
    if seg.timestamp is None:
        tcb.env.drop("timestamp-missing", now)
        return False
    if seg.timestamp < tcb.ts_recent and now - tcb.ts_recent_at < TS_RECENT_LIFETIME:
        tcb.paws_drops += 1
        tcb.env.drop("paws", now)
        tcb.challenge_ack(now)
        return False
    return True


def trim(tcb: Tcb, seg: Segment) -> None:
    """Cut off what lies outside the window (RFC 9293: "tailored so that it begins at RCV.NXT")."""
    before = tcb.rcv_nxt - seg.seq
    if before > 0:
        tcb.ack_now = True  # part of it is a duplicate: the peer may not know
        if seg.flags & SYN:
            before -= 1
            if tcb.state is SYN_RECEIVED:  # else the fourth step wants to see it
                tcb.syn_due = not seg.flags & ACK
                seg.flags &= ~SYN
                seg.wnd >>= tcb.snd_wscale or 0  # as in _takes_known_syn
        sackreport.duplicate(tcb, tcb.rcv_nxt - before, tcb.rcv_nxt)
        seg.payload = seg.payload[before:]
        seg.seq = tcb.rcv_nxt
    beyond = seg.seq + seg.length - tcb.rcv_adv
    if beyond > 0:
        tcb.env.counters.drops["beyond-window"] += 1
        if seg.flags & FIN:
            seg.flags &= ~FIN
            beyond -= 1
        if beyond:
            seg.payload = seg.payload[:-beyond]
