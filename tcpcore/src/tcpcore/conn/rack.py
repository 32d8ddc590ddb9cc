"""RACK: loss by time (RFC 8985 section 6). What was sent well before something that arrived is lost.

The variables are those of section 5.2; times are seconds.
"""

from __future__ import annotations

from typing import Final

from tcpcore.conn.sack import Delivery, Scoreboard

DUP_THRESH: Final = 3
PERSIST: Final = 16
"""Recoveries for which a window widened by DSACK stays."""


class Rack:
    """The most recently sent segment that was delivered, and how much reordering is waited for."""

    __slots__ = ("_dsack_round", "_persist", "_wnd_mult", "end_seq", "reordering_seen", "rtt", "xmit_ts")

    def __init__(self) -> None:
        self.xmit_ts = 0.0
        self.end_seq = 0
        self.rtt = 0.0
        self.reordering_seen = False
        self._wnd_mult = 1
        self._persist = 0
        self._dsack_round: int | None = None

    def delivered(self, delivery: Delivery, min_rtt: float, now: float) -> None:
        """Steps 2 and 3: ``delivery`` is what an ACK delivered at ``now``."""
        if delivery.reordered:
            self.reordering_seen = True
        if delivery.first is not None:
            self._advance(*delivery.first, now)
        # An ACK within less than a round trip is for the first copy
        if delivery.again is not None and now - delivery.again[0] >= min_rtt:
            self._advance(*delivery.again, now)

    def _advance(self, xmit_ts: float, end_seq: int, now: float) -> None:
        if (xmit_ts, end_seq) > (self.xmit_ts, self.end_seq):
            self.xmit_ts, self.end_seq = xmit_ts, end_seq
            self.rtt = now - xmit_ts

    def duplicate_reported(self, snd_una: int, snd_nxt: int) -> None:
        """Step 4: a DSACK tells that something was sent again needlessly; wait longer, once a round trip."""
        if self._dsack_round is not None and snd_una >= self._dsack_round:
            self._dsack_round = None
        if self._dsack_round is None:
            self._dsack_round = snd_nxt
            self._wnd_mult += 1
            self._persist = PERSIST

    def recovered(self) -> None:
        """Step 4: a recovery ended."""
        self._persist -= 1
        if self._persist <= 0:
            self._wnd_mult = 1

    def reo_wnd(self, sacked_segments: int, *, recovering: bool, min_rtt: float, srtt: float) -> float:
        """Step 4: how long a segment may be overtaken."""
        if not self.reordering_seen and (recovering or sacked_segments >= DUP_THRESH):
            return 0.0
        return min(self._wnd_mult * min_rtt / 4, srtt)

    def detect(self, board: Scoreboard, reo_wnd: float, now: float) -> float | None:
        """Step 5: mark what is lost; in how many seconds to look again."""
        return board.detect(self.xmit_ts, self.end_seq, self.rtt + reo_wnd, now)
