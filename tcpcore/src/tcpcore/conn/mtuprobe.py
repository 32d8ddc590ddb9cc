"""Packetization layer path MTU discovery (RFC 4821, RFC 8899): what a path takes, found out without ICMP.

A segment larger than the others, of new data, is a probe (RFC 4821 section 7.5). There is at most one on its way.

    PATH_MTU   search_low and eff_pmtu: packets of this size get through
    ``high``   search_high: nothing larger is worth a try
"""

from __future__ import annotations

from typing import Final

from tcpcore.conn import pathmtu
from tcpcore.conn.tcb import Tcb

BASE_MTUS: Final = {4: (1024, 576), 6: (1280,)}
"""What a black hole is left with (section 7.7), and where probing from the start begins (section 7.2)."""
RESOLUTION: Final = 32
"""A smaller range is not searched (section 7.3)."""
FOLLOWERS: Final = 3
"""Segments that have to follow a probe, so that their duplicate ACKs tell of its loss (section 7.4)."""
BLACK_HOLE_AFTER: Final = 3
"""Retransmissions that make a black hole, where the user has switched R1 off."""


class Search:
    """The search of one connection, whose lower bound is its ``path_mtu``.

    ``size``: MTU that the probe on its way tests, 0: there is none; it carries the sequence numbers ``start`` to
    ``end``. ``untried``: ``high`` itself comes first, for the path may have no bound at all.
    """

    __slots__ = ("end", "high", "size", "start", "untried")

    def __init__(self, high: int) -> None:
        self.high = high
        self.size = self.start = self.end = 0
        self.untried = True


def opened(tcb: Tcb, now: float) -> None:
    """The peer's SYN told its MSS: choose the MTU to begin with."""
    ceiling = pathmtu.ceiling(tcb)
    if tcb.path_mtu < ceiling:
        pathmtu.watch(tcb, now)
    elif tcb.config.mtu_probing == "always" and ceiling > (base := BASE_MTUS[tcb.version][0]):
        tcb.path_mtu = base
        tcb.mtu_search = Search(ceiling)


def switched(tcb: Tcb, now: float) -> None:
    """The user changed the setting: without probing, time alone lets the size grow again."""
    if tcb.config.mtu_probing == "off" and tcb.mtu_search is not None:
        tcb.mtu_search = None
        pathmtu.watch(tcb, now)


def due(tcb: Tcb) -> int:
    """Payload bytes of the probe that comes next; 0: not now (section 7.4)."""
    search = tcb.mtu_search
    if search is None or search.size or tcb.retransmissions or tcb.recovery is not None or tcb.dup_acks:
        return 0
    length = tcb.mss_for(_next_size(tcb, search))
    needed = length + FOLLOWERS * tcb.mss
    enough = min(tcb.send_buffer.end - tcb.snd_nxt, tcb.snd_wnd, tcb.congestion.cwnd)
    return length if enough >= needed else 0


def sent(tcb: Tcb, length: int) -> None:
    """The probe leaves: ``length`` bytes up to SND.NXT."""
    search = tcb.mtu_search
    if search is not None:
        search.size = _next_size(tcb, search)
        search.start, search.end = tcb.snd_nxt - length, tcb.snd_nxt
        tcb.env.counters.mtu_probes_out += 1


def acknowledged(tcb: Tcb, ack: int, now: float) -> None:
    """``ack`` acknowledges new data; SND.UNA has not moved yet."""
    search = tcb.mtu_search
    if search is None or not search.size or ack < search.start:
        return
    if ack >= search.end:  # section 7.6.1: probe success
        size, search.size = search.size, 0
        search.untried = False
        pathmtu.adopt(tcb, size)
        _end_if_found(tcb, search, now)
    elif ack > search.start or tcb.recovery is not None:
        search.size = 0  # section 7.6.4: inconclusive, parts of it are sent again among others that were lost


def is_lost(tcb: Tcb) -> bool:
    """Whether the probe, and nothing else, is missing."""
    search, board = tcb.mtu_search, tcb.scoreboard
    if search is None or board is None or not search.size or tcb.snd_una != search.start:
        return False
    return board.lost <= search.end - search.start


def lost(tcb: Tcb, now: float) -> None:
    """Section 7.6.2: the probe is sent again in segments that fit, and its loss is no congestion."""
    search = tcb.mtu_search
    if search is not None:
        _fail(tcb, search, search.size - 1)
        _resend(tcb, search)
        _end_if_found(tcb, search, now)


def refused(tcb: Tcb, mtu: int, now: float) -> None:
    """ICMP told that a packet did not fit ``mtu``, which is not below PATH_MTU: that counts if it was the probe."""
    search = tcb.mtu_search
    if search is None or search.size <= mtu:
        return
    _fail(tcb, search, mtu)
    search.untried = mtu > tcb.path_mtu
    _resend(tcb, search)
    _end_if_found(tcb, search, now)


def timed_out(tcb: Tcb, now: float) -> None:
    """The retransmission timer fired: look whether the size of the segments may be the reason."""
    search, mss = tcb.mtu_search, tcb.mss
    if search is not None and search.size:
        if tcb.snd_una == search.start:
            _fail(tcb, search, search.size - 1)
            _end_if_found(tcb, search, now)
        search.size = 0  # section 7.6.3: a timeout is one of the path, whatever was lost
    known = tcb.env.path_mtus.get(tcb.remote_packed, now)
    if known is not None and known < tcb.path_mtu:
        pathmtu.reduce(tcb, known, now)
    elif tcb.retransmissions % (tcb.config.r1 or BLACK_HOLE_AFTER) == 0 and tcb.config.mtu_probing != "off":
        _suspect_black_hole(tcb)
    if tcb.mss < mss:
        tcb.congestion.cwnd = tcb.mss  # the loss window is one segment of the new size (RFC 5681 section 3.1)


def expired(tcb: Tcb, now: float) -> None:
    """What was learned is old: the path may take more by now (RFC 1191 section 6.3, RFC 8201 section 4)."""
    ceiling = pathmtu.ceiling(tcb)
    if tcb.config.mtu_probing != "off":
        tcb.mtu_search = Search(ceiling)
        return
    pathmtu.adopt(tcb, tcb.env.path_mtus.get(tcb.remote_packed, now) or ceiling)
    if tcb.path_mtu < ceiling:
        pathmtu.watch(tcb, now)


def _next_size(tcb: Tcb, search: Search) -> int:
    return search.high if search.untried else (tcb.path_mtu + search.high + 1) // 2


def _fail(tcb: Tcb, search: Search, high: int) -> None:
    search.high, search.untried, search.size = high, False, 0
    tcb.env.counters.mtu_probes_lost += 1


def _resend(tcb: Tcb, search: Search) -> None:
    if tcb.scoreboard is not None:
        tcb.scoreboard.lose(max(search.start, tcb.snd_una), search.end)
        tcb.touch()


def _end_if_found(tcb: Tcb, search: Search, now: float) -> None:
    if not search.untried and search.high - tcb.path_mtu < RESOLUTION:
        tcb.mtu_search = None
        pathmtu.learn(tcb, now)


def _suspect_black_hole(tcb: Tcb) -> None:
    """Section 7.7, full-stop timeout: full-sized segments vanish, a smaller size may get through."""
    lost = min(tcb.in_flight, tcb.mss)
    base = next((mtu for mtu in BASE_MTUS[tcb.version] if tcb.mss_for(mtu) < lost), None)
    if base is None:
        return
    known = tcb.mtu_search.high if tcb.mtu_search is not None else tcb.path_mtu
    tcb.mtu_search = Search(min(known, pathmtu.ceiling(tcb)))
    tcb.env.counters.mtu_black_holes += 1
    pathmtu.adopt(tcb, base)
