"""Path MTU discovery by ICMP (RFC 1191, RFC 8201): a path takes only smaller packets, and loss is not congestion.

A message counts at once (RFC 5927 section 7.2 would wait until the segment times out): it has to quote a number in
flight, it cannot push the size below what every path carries, and what it did is probed away after ten minutes.
"""

from __future__ import annotations

from typing import Final

from tcpcore import timing
from tcpcore.conn.state import CLOSED, LISTEN, OPENING, TIME_WAIT
from tcpcore.conn.tcb import DEFAULT_MSS, FIXED_HEADERS, Tcb

_PLATEAUS: Final = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296)
"""RFC 1191 section 7: what to try when a router does not tell its MTU."""
_LEAST_MTU: Final = {4: 68, 6: 1280}
"""A router that names less: on IPv4 it is an old one, on IPv6 the message is void (RFC 8201 section 4)."""


def ceiling(tcb: Tcb) -> int:
    """The largest packet that makes sense: what the link takes, and the peer's MSS."""
    return min(tcb.env.capabilities.mtu, tcb.peer_mss + FIXED_HEADERS[tcb.version])


def told(tcb: Tcb, quoted_length: int, mtu: int) -> int:
    """The MTU that a packet too big message stands for, in bytes; 0: the message is void."""
    if mtu < _LEAST_MTU[tcb.version]:
        if tcb.version == 6:
            return 0
        mtu = next((plateau for plateau in _PLATEAUS if plateau < quoted_length), _LEAST_MTU[4])
    if quoted_length <= mtu or tcb.state in _UNCONCERNED:
        return 0
    return max(mtu, DEFAULT_MSS[tcb.version] + FIXED_HEADERS[tcb.version])


def reduce(tcb: Tcb, mtu: int, now: float) -> bool:
    """The path takes ``mtu`` only: send what is outstanding again, in smaller segments. False: that is no news."""
    before = tcb.mss
    if mtu >= tcb.path_mtu:
        return False
    tcb.mtu_search = None
    adopt(tcb, mtu)
    learn(tcb, now)
    if tcb.mss == before:
        return False
    _send_again(tcb, now)
    return True


def adopt(tcb: Tcb, mtu: int) -> None:
    """Send packets of up to ``mtu`` bytes from now on."""
    congestion = tcb.congestion
    tcb.path_mtu = mtu
    tcb.mss = congestion.mss = tcb.mss_for(mtu)
    congestion.cwnd = max(congestion.cwnd, tcb.mss)  # room for a segment at least


def learn(tcb: Tcb, now: float) -> None:
    """Let those that connect later begin with what this connection found out."""
    if tcb.path_mtu < ceiling(tcb):
        tcb.env.path_mtus.put(tcb.remote_packed, tcb.path_mtu, now)
        watch(tcb, now)
    else:
        tcb.env.path_mtus.forget(tcb.remote_packed)
        tcb.timers.clear(timing.PATH_MTU)


def watch(tcb: Tcb, now: float) -> None:
    """Look for a larger size after a while."""
    tcb.timers.set(timing.PATH_MTU, now, tcb.config.path_mtu_lifetime)


def _send_again(tcb: Tcb, now: float) -> None:
    if tcb.scoreboard is None:
        return
    tcb.scoreboard.lose(tcb.snd_una, tcb.snd_nxt)
    if tcb.recovery is None:
        tcb.recover = tcb.snd_nxt  # duplicate ACKs that our duplicates draw are no sign of loss (RFC 6582)
    tcb.timers.set(timing.RETRANSMIT, now, tcb.rtt.rto)
    tcb.touch()


_UNCONCERNED: Final = OPENING | {CLOSED, LISTEN, TIME_WAIT}
"""A SYN fits every path."""
