"""Urgent data (RFC 9293 section 3.8.5, RFC 6093): a mark in the stream, up to which the user is asked to hurry.

All of it is read in line: nothing is taken out of the stream, the mark only moves forward.
"""

from __future__ import annotations

from tcpcore.conn.state import RECEIVING
from tcpcore.conn.tcb import Ready, Tcb


def announced(tcb: Tcb, mark: int) -> None:
    """The peer's urgent data ends before ``mark``: tell the user, unless it is known or read already (MUST-32)."""
    if tcb.read_closed or tcb.closed_by_user:
        return
    if mark > _unread(tcb) and (tcb.rcv_up is None or mark > tcb.rcv_up):
        tcb.rcv_up = mark
        tcb.notify(Ready.URGENT)


def remaining(tcb: Tcb) -> int:
    """Octets from the next one the user reads to the mark, arrived or not (MUST-33)."""
    if tcb.rcv_up is None:
        return 0
    mark = tcb.rcv_up
    if tcb.state not in RECEIVING:
        mark = min(mark, _end(tcb))  # the rest never comes
    return max(mark - _unread(tcb), 0)


def up_to_mark(tcb: Tcb, max_bytes: int) -> int:
    """As many of ``max_bytes`` as lie before the mark; a mark that the user has passed is forgotten."""
    left = remaining(tcb)
    if left == 0:
        tcb.rcv_up = None
        return max_bytes
    return min(left, max_bytes)


def _end(tcb: Tcb) -> int:
    """Sequence number behind the last octet of text received in order."""
    if tcb.rcv_fin is not None and tcb.rcv_nxt > tcb.rcv_fin:
        return tcb.rcv_fin
    return tcb.rcv_nxt


def _unread(tcb: Tcb) -> int:
    """Sequence number of the next octet the user reads."""
    return _end(tcb) - tcb.rcv_queue.length
