"""Explicit congestion notification (RFC 3168), with the milder response of RFC 8511.

A router that is about to be congested marks packets instead of dropping them: CE in the IP header. The receiver tells
the sender by ECE, on every ACK until CWR says that the sender has reduced its window.
"""

from __future__ import annotations

from typing import Final

from tcpcore.conn.tcb import Tcb
from tcpcore.wire.tcp import ACK, CWR, ECE, Segment

ECT: Final = 2
"""ECN-capable transport, ECT(0): the low bits of the traffic class."""
CE: Final = 3
"""Congestion experienced."""
SETUP: Final = ECE | CWR
"""What a SYN carries to offer ECN (section 6.1.1)."""


class ECN:
    """State of a connection whose both ends agreed on ECN.

    ``echo``: tell the peer with each ACK. ``cwr_due``: tell it that we reduced. ``recover``: SND.NXT at that time.
    """

    __slots__ = ("cwr_due", "echo", "recover")

    def __init__(self, una: int) -> None:
        self.echo = False
        self.cwr_due = False
        self.recover = una

    def reduced(self, nxt: int) -> None:
        """The window is smaller, for whatever reason (section 6.1.2): echoes of data before ``nxt`` ask for no more."""
        self.recover = nxt
        self.cwr_due = True


def offer(tcb: Tcb) -> int:
    """Flags of our SYN; one that got lost may have been dropped for them (section 6.1.1.1)."""
    return SETUP if tcb.config.ecn == "on" and not tcb.syn_retransmitted else 0


def agree(tcb: Tcb, syn: Segment) -> None:
    """The peer's SYN, or SYN,ACK, has come."""
    if syn.flags & ACK:
        agreed = syn.flags & SETUP == ECE and tcb.config.ecn == "on"
    else:
        agreed = syn.flags & SETUP == SETUP and tcb.config.ecn != "off"
    tcb.ecn = ECN(tcb.iss) if agreed and not tcb.syn_retransmitted else None


def text_arrived(tcb: Tcb, ecn: ECN, seg: Segment) -> None:
    """Section 6.1.3: CWR ends the echo, CE begins it again."""
    before = ecn.echo
    if seg.flags & CWR:
        ecn.echo = False
    if tcb.received_traffic_class & CE == CE:
        ecn.echo = True
        tcb.ce_in += 1
    if ecn.echo != before:
        tcb.ack_now = True  # at once, as on loss


def echo_arrived(tcb: Tcb, ecn: ECN, flight: int, now: float) -> None:
    """Section 6.1.2: an ACK with ECE, before which ``flight`` was outstanding; reduce once for a window of data."""
    congestion = tcb.congestion
    if tcb.snd_una <= ecn.recover or tcb.recovery is not None or congestion.governs:
        return
    congestion.on_ecn(min(flight, congestion.cwnd), now=now)
    congestion.cwnd = max(congestion.ssthresh or 0, tcb.mss)
    ecn.reduced(tcb.snd_nxt)
    tcb.undo = None  # what it would go back to is more than this path takes
    tcb.tell("ecn", now)


def flags(ecn: ECN, flags: int, *, new: bool) -> int:
    """``flags`` of a segment that leaves, with what ECN adds; ``new``: it carries text for the first time."""
    if ecn.echo:
        flags |= ECE
    if new and ecn.cwr_due:
        ecn.cwr_due = False
        flags |= CWR
    return flags
