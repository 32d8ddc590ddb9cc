"""What a SYN tells: IRS, options, the first window (RFC 9293 section 3.7.1, RFC 7323 section 2.2)."""

from __future__ import annotations

from tcpcore.conn import congestion, ecn, mtuprobe, usertimeout, window
from tcpcore.conn.congestion.base import initial_window
from tcpcore.conn.tcb import TIMESTAMP_OPTION, Tcb
from tcpcore.wire.tcp import ECE, Segment


def take_syn(tcb: Tcb, seg: Segment, now: float) -> None:
    """Set RCV.NXT, IRS, the options and the send window from a SYN."""
    tcb.irs = seg.seq
    tcb.rcv_nxt = tcb.rcv_adv = seg.seq + 1
    _take_syn_options(tcb, seg, now)
    if seg.flags & ECE:
        ecn.agree(tcb, seg)
    tcb.snd_wnd = tcb.max_snd_wnd = seg.wnd  # the window of a SYN is never scaled (RFC 7323 section 2.2)
    tcb.snd_wl1 = seg.seq


def _take_syn_options(tcb: Tcb, seg: Segment, now: float) -> None:
    """Agree on MSS, window scale and timestamps (RFC 9293 section 3.7.1, RFC 7323 sections 2.2 and 3.2)."""
    config = tcb.config
    if seg.mss is not None:
        tcb.peer_mss = seg.mss if seg.mss > 64 else 64  # a tiny MSS is an attack on our packet rate
    if seg.wscale is not None and config.window_scaling:
        tcb.snd_wscale = seg.wscale
        tcb.rcv_wscale = window.wscale_for(config.largest_receive_buffer)
    else:
        tcb.snd_wscale = tcb.rcv_wscale = None
    tcb.ts_on = seg.timestamp is not None and config.timestamps
    tcb.sack_ok = seg.sack_permitted and config.sack
    if seg.timestamp is not None and tcb.ts_on:
        tcb.ts_recent, tcb.ts_recent_at = seg.timestamp, now
    if seg.user_timeout is not None:
        usertimeout.received(tcb, seg.user_timeout, now)
    options = TIMESTAMP_OPTION if tcb.ts_on else 0
    mtuprobe.opened(tcb, now)
    tcb.mss = tcb.mss_for(tcb.path_mtu)
    tcb.rcv_mss = tcb.own_mss() - options
    tcb.last_ack_sent = tcb.rcv_nxt
    if tcb.congestion.governs:
        tcb.control(congestion.create(config.congestion_control, tcb.mss, config.initial_window_segments))
    else:
        tcb.congestion.mss = tcb.mss
        tcb.congestion.cwnd = initial_window(tcb.mss, config.initial_window_segments)
