"""What we report of text beyond a gap (SACK, RFC 2018) and of text that came twice (DSACK, RFC 2883)."""

from __future__ import annotations

from tcpcore.conn.outoforder import REPORTED
from tcpcore.conn.tcb import Tcb
from tcpcore.seqnum import wrap
from tcpcore.wire.options import build_sack


def is_due(tcb: Tcb) -> bool:
    """Whether an ACK has something to report."""
    return tcb.sack_ok and (tcb.out_of_order is not None or tcb.dsack is not None)


def duplicate(tcb: Tcb, left: int, right: int) -> None:
    """The next ACK reports that ``left`` to ``right`` came twice."""
    if tcb.sack_ok and left < right:
        tcb.dsack = (left, right)


def option(tcb: Tcb, room: int) -> bytes:
    """The option of an ACK that goes out now, in at most ``room`` bytes: a duplicate first, then what came last."""
    blocks: list[tuple[int, int]] = []
    if tcb.dsack is not None:
        blocks.append(tcb.dsack)
        tcb.dsack = None
    if tcb.out_of_order is not None:
        blocks += tcb.out_of_order.report()
    del blocks[min((room - 4) // 8, REPORTED) :]
    return build_sack([(wrap(left), wrap(right)) for left, right in blocks]) if blocks else b""
