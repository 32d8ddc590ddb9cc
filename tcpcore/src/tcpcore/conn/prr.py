"""Proportional rate reduction (RFC 6937bis): in recovery, what is sent follows what arrives."""

from __future__ import annotations


class ProportionalRateReduction:
    """Names are those of the RFC; all in octets."""

    __slots__ = ("prr_delivered", "prr_out", "recover_fs")

    def __init__(self, recover_fs: int) -> None:
        self.recover_fs = max(recover_fs, 1)
        """What was in flight when recovery began."""
        self.prr_delivered = 0
        self.prr_out = 0
        """Sent since then."""

    def on_ack(self, delivered: int, pipe: int, ssthresh: int, mss: int, *, safe: bool) -> int:
        """The congestion window after an ACK that delivered ``delivered`` and left ``pipe`` in flight.

        ``safe``: SND.UNA advanced, and no further loss showed.
        """
        self.prr_delivered += delivered
        if pipe > ssthresh:
            sndcnt = -(-self.prr_delivered * ssthresh // self.recover_fs) - self.prr_out
        else:
            sndcnt = max(self.prr_delivered - self.prr_out, delivered)
            if safe:
                sndcnt += mss
            sndcnt = min(ssthresh - pipe, sndcnt)
        if self.prr_out == 0:
            sndcnt = max(sndcnt, mss)  # the fast retransmit itself
        return pipe + max(sndcnt, 0)
