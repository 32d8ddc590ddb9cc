"""The receive window and its silly-window avoidance (RFC 9293 sections 3.8.6.2.2, RFC 7323 section 2)."""

from __future__ import annotations

from typing import Final

from tcpcore.config import Config
from tcpcore.conn.tcb import Tcb

MAX_UNSCALED: Final = 65535
MAX_WSCALE: Final = 14


def wscale_for(buffer: int) -> int:
    """The smallest shift that lets a 16-bit field express ``buffer`` bytes."""
    shift = buffer.bit_length() - 16
    if shift <= 0:
        return 0
    return shift if shift < MAX_WSCALE else MAX_WSCALE


def first_offer(config: Config) -> int:
    """The window field of a SYN, which is never scaled."""
    return min(config.first_receive_buffer, MAX_UNSCALED)


def offer(tcb: Tcb, *, syn: bool = False) -> int:
    """The window field of a segment that goes out now; moves ``rcv_adv``.

    The right edge never moves left, and moves right only by a worthwhile step (MUST-39, SHLD-14).
    """
    shift = 0 if syn else tcb.rcv_wscale or 0
    rcv_nxt, buffer, step = tcb.rcv_nxt, tcb.receive_buffer, tcb.rcv_mss
    wnd, room = tcb.rcv_adv - rcv_nxt, buffer - tcb.rcv_queue.length
    if step > buffer // 2:
        step = buffer // 2
    if room < wnd + step or room < 0:
        field = wnd >> shift
        return field if field < MAX_UNSCALED else MAX_UNSCALED
    if (field := room >> shift) > MAX_UNSCALED:
        field = MAX_UNSCALED
    if field << shift > wnd:
        tcb.rcv_adv = rcv_nxt + (field << shift)
    return field


def update_is_worthwhile(tcb: Tcb) -> bool:
    """Whether the user has read enough for an ACK of its own that says so."""
    wnd, buffer = tcb.rcv_adv - tcb.rcv_nxt, tcb.receive_buffer
    step = buffer - tcb.rcv_queue.length - wnd
    if step < buffer // 2 and wnd >= tcb.rcv_mss:
        return False
    step = min(step, largest(tcb) - wnd)
    return step >= min(tcb.receive_buffer, largest(tcb)) // 2 or wnd < tcb.rcv_mss <= step


def largest(tcb: Tcb) -> int:
    """The largest window that the field can tell."""
    return MAX_UNSCALED << (tcb.rcv_wscale or 0)
