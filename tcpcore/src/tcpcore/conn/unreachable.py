"""ICMP errors about a connection (RFC 1122 section 4.2.3.9, RFC 5461, RFC 5927).

Soft errors are told (``Ready.ADVICE``) and explain a connection attempt that times out; hard ones end a connection
only while it is being opened: later, whoever guesses four numbers could cut it (RFC 5461 section 4.1 does as much).
"""

from __future__ import annotations

from tcpcore.conn import mtuprobe, pathmtu
from tcpcore.conn.state import OPENING
from tcpcore.conn.tcb import Tcb
from tcpcore.errors import ConnectionRefusedError, HostUnreachableError
from tcpcore.seqnum import unwrap


def is_outstanding(tcb: Tcb, seq: int) -> bool:
    """Whether the segment quoted, ``seq`` as on the wire, is in flight: SND.UNA =< seq < SND.NXT (RFC 5927, 4.1)."""
    return tcb.snd_una <= unwrap(seq, tcb.snd_una) < tcb.snd_nxt


def too_big(tcb: Tcb, quoted_length: int, mtu: int, now: float) -> None:
    """A packet of ``quoted_length`` bytes did not fit ``mtu`` (RFC 1191, RFC 8201)."""
    mtu = pathmtu.told(tcb, quoted_length, mtu)
    if mtu == 0:
        tcb.env.drop("icmp-mtu", now)
    elif mtu >= tcb.path_mtu:
        mtuprobe.refused(tcb, mtu, now)
    elif pathmtu.reduce(tcb, mtu, now):
        tcb.env.counters.path_mtu_reductions += 1


def soft_error(tcb: Tcb, text: str) -> None:
    """The network could not deliver, for now."""
    tcb.advise(HostUnreachableError(text))
    tcb.env.counters.icmp_soft_errors += 1


def hard_error(tcb: Tcb, text: str) -> None:
    """The peer told that it will not take part."""
    if tcb.state not in OPENING:
        soft_error(tcb, text)
        return
    tcb.env.counters.icmp_hard_errors += 1
    tcb.finish(ConnectionRefusedError(text))
