"""Path MTU discovery by ICMP (RFC 1191, RFC 8201): a path takes only smaller packets, and loss is not congestion."""

from __future__ import annotations

from typing import Final

from tcpcore.conn.state import CLOSED, LISTEN, OPENING, TIME_WAIT
from tcpcore.conn.tcb import DEFAULT_MSS, FIXED_HEADERS, TIMESTAMP_OPTION, Tcb
from tcpcore.timing import Timer

_PLATEAUS: Final = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296)
"""RFC 1191 section 7: what to try when a router does not tell its MTU."""
_LEAST_MTU: Final = 68


def too_big(tcb: Tcb, quoted_length: int, mtu: int, now: float) -> bool:
    """A packet of ``quoted_length`` bytes did not fit ``mtu``: send what is outstanding again, in smaller segments.

    False when that tells nothing new. The MSS never falls below the default that every path carries, so a forged
    message costs little (RFC 5927 section 7), and it never grows.
    """
    if tcb.state in _UNCONCERNED:
        return False
    if mtu < _LEAST_MTU and tcb.version == 4:
        mtu = next((plateau for plateau in _PLATEAUS if plateau < quoted_length), _LEAST_MTU)
    if quoted_length <= mtu:
        return False
    mss = max(mtu - FIXED_HEADERS[tcb.version], DEFAULT_MSS[tcb.version])
    mss -= TIMESTAMP_OPTION if tcb.ts_on else 0
    if mss >= tcb.mss:
        return False
    tcb.mss = tcb.congestion.mss = mss
    _send_again(tcb, now)
    return True


def _send_again(tcb: Tcb, now: float) -> None:
    if not tcb.in_flight:
        return
    tcb.rtx_nxt, tcb.rtx_end = tcb.snd_una, tcb.snd_nxt
    if not tcb.in_recovery:
        tcb.recover = tcb.snd_nxt  # duplicate ACKs that our duplicates draw are no sign of loss (RFC 6582)
    tcb.timers.set(Timer.RETRANSMIT, now, tcb.rtt.rto)
    tcb.touch()


_UNCONCERNED: Final = OPENING | {CLOSED, LISTEN, TIME_WAIT}
"""A SYN fits every path."""
