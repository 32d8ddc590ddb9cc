"""SYN cookies (RFC 4987 section 3.6): what a half-open connection would remember, kept by the peer instead.

ISS         29 bits keyed hash of all the rest and of a time in ticks of 64 s | 3 bits index into ``MSS_TABLE``
TSval       27 bits clock | 1 bit SACK permitted | 4 bits window scale, 15: none

The peer's ACK brings both back. Without timestamps there is no window scale and no SACK. A SYN,ACK that is a cookie
is never sent again: the peer repeats its SYN.
"""

from __future__ import annotations

from bisect import bisect_right
from struct import Struct
from typing import Final

from tcpcore.config import Config
from tcpcore.conn import arrives, usertimeout, window
from tcpcore.conn.environment import Environment
from tcpcore.conn.packets import emit_stateless
from tcpcore.conn.tcb import DEFAULT_MSS, Tcb, announced_mss, timestamp_value
from tcpcore.seqnum import wrap
from tcpcore.stack.isn import initial_numbers
from tcpcore.wire.options import build_syn_options
from tcpcore.wire.tcp import ACK, SYN, Segment
from tcpcore.wire.usual import ends

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


def answer(env: Environment, config: Config, local: bytes, remote: bytes, syn: Segment, now: float) -> None:
    """Send the SYN,ACK to ``syn``. No control block is made for it: that would be a third of the work in a flood."""
    ports, version = (syn.destination_port, syn.source_port), 4 if len(local) == 4 else 6
    options, wscale, sack, timestamp = _NO_TIMESTAMPS, None, False, None
    if syn.timestamp is not None and config.timestamps:
        sack = syn.sack_permitted and config.sack
        options = (_NO_WSCALE if syn.wscale is None else syn.wscale) | (_SACK_PERMITTED if sack else 0)
        if syn.wscale is not None and config.window_scaling:
            wscale = window.wscale_for(config.largest_receive_buffer)
        clock = timestamp_value(initial_numbers(env, ends(remote, local, *reversed(ports)), now)[1], now)
        # The bits put the TSval a little into the past, so that those of the connection go on from it
        timestamp = (wrap(clock - ((clock - options) & _OPTION_BITS)), syn.timestamp)
    index = max(bisect_right(MSS_TABLE, DEFAULT_MSS[version] if syn.mss is None else syn.mss) - 1, 0)
    iss = _cookie(env, local, remote, syn, syn.seq, index, options, int(now // TICK))
    offered = build_syn_options(
        announced_mss(env, config, version), wscale, sack, timestamp, usertimeout.advertised(config)
    )
    emit_stateless(
        env, local, remote, ports, iss, syn.seq + 1, SYN | ACK, now, window.first_offer(config), offered
    )  # fmt: skip


def restore(env: Environment, config: Config, local: bytes, remote: bytes, seg: Segment, now: float) -> Segment | None:
    """The SYN that the cookie in ``seg`` (numbers as on the wire) stands for; ``None``: forged, or too old.

    Its window is 0: that of ``seg`` counts. ``seg`` has to be the first in sequence after the SYN.
    """
    cookie, irs = wrap(seg.ack - 1), wrap(seg.seq - 1)
    index = cookie % len(MSS_TABLE)
    timestamps = seg.timestamp is not None and config.timestamps
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
