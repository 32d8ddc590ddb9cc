"""SYN cookies (RFC 4987 section 3.6): what a half-open connection would remember, kept by the peer instead.

ISS         29 bits keyed hash of all the rest and of a time in ticks of 64 s | 3 bits index into ``MSS_TABLE``
TSval       27 bits clock | 1 bit SACK permitted | 4 bits window scale, 15: none

The peer's ACK brings both back. Without timestamps there is no window scale and no SACK. A SYN,ACK that is a cookie
is never sent again: the peer repeats its SYN.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from tcpcore.conn import arrives, window
from tcpcore.conn.environment import Environment
from tcpcore.conn.packets import emit_stateless, syn_options
from tcpcore.conn.tcb import Tcb
from tcpcore.seqnum import wrap
from tcpcore.wire.tcp import ACK, SYN, Segment

TICK: Final = 64.0
"""Seconds; a cookie is valid in the tick it was sent in and in the next."""
LIFETIME: Final = 2 * TICK
"""No cookie is valid for longer, seconds."""
MSS_TABLE: Final = (64, 536, 1220, 1360, 1420, 1440, 1460, 8940)
"""The largest that does not exceed the peer's MSS is used: minimum, defaults, tunnels, Ethernet, jumbo frames."""

_NO_WSCALE: Final = 15
_SACK_PERMITTED: Final = 16
_OPTION_BITS: Final = 31
_NO_TIMESTAMPS: Final = 32
_HASHED: Final = Struct(">HHIBBq")


def answer(tcb: Tcb, syn: Segment, now: float) -> None:
    """Send the SYN,ACK to ``syn``; ``tcb`` is a new control block that nobody needs afterwards."""
    if syn.timestamp is None or not tcb.config.timestamps:
        syn.wscale, syn.sack_permitted = None, False
    arrives.take_syn(tcb, syn, now)
    options = _NO_TIMESTAMPS
    if tcb.ts_on:
        options = (_NO_WSCALE if syn.wscale is None else syn.wscale) | (_SACK_PERMITTED if syn.sack_permitted else 0)
        # The bits put the TSval a little into the past, so that those of the connection go on from it
        tcb.ts_offset -= (tcb.timestamp_clock(now) - options) & _OPTION_BITS
    index = max(i for i, mss in enumerate(MSS_TABLE) if mss <= tcb.peer_mss)
    iss = _cookie(tcb.env, tcb.local_packed, tcb.remote_packed, syn, syn.seq, index, options, int(now // TICK))
    emit_stateless(
        tcb.env, tcb.local_packed, tcb.remote_packed, (tcb.local[1], tcb.remote[1]),
        iss, tcb.rcv_nxt, SYN | ACK, now, window.offer(tcb, syn=True), syn_options(tcb, SYN | ACK, now),
    )  # fmt: skip


def restore(env: Environment, local: bytes, remote: bytes, seg: Segment, now: float) -> Segment | None:
    """The SYN that the cookie in ``seg`` (numbers as on the wire) stands for; ``None``: forged, or too old.

    Its window is 0: that of ``seg`` counts. ``seg`` has to be the first in sequence after the SYN.
    """
    cookie, irs = wrap(seg.ack - 1), wrap(seg.seq - 1)
    index = cookie % len(MSS_TABLE)
    timestamps = seg.timestamp is not None and env.config.timestamps
    options = seg.timestamp_echo & _OPTION_BITS if timestamps else _NO_TIMESTAMPS
    tick = int(now // TICK)
    if all(cookie != _cookie(env, local, remote, seg, irs, index, options, sent) for sent in (tick, tick - 1)):
        return None
    syn = Segment(seg.source_port, seg.destination_port, irs, 0, SYN, 0, mss=MSS_TABLE[index])
    if timestamps:
        wscale = options & ~_SACK_PERMITTED
        syn.timestamp = seg.timestamp
        syn.wscale = None if wscale == _NO_WSCALE else wscale
        syn.sack_permitted = bool(options & _SACK_PERMITTED)
    return syn


def resume(tcb: Tcb, syn: Segment, now: float) -> None:
    """Bring ``tcb``, new and in LISTEN with the cookie as its ISS, to where it were had it sent the SYN,ACK."""
    arrives.listen(tcb, syn, now)
    tcb.syn_due = False
    tcb.snd_nxt = tcb.iss + 1
    window.offer(tcb, syn=True)


def _cookie(
    env: Environment, local: bytes, remote: bytes, seg: Segment, irs: int, index: int, options: int, tick: int
) -> int:
    rest = _HASHED.pack(seg.destination_port, seg.source_port, irs, index, options, tick)
    return env.keyed_hash(b"syn-cookie" + local + remote + rest, 4) & -len(MSS_TABLE) | index
