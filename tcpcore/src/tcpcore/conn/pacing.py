"""Pacing: what the congestion window allows leaves spread over the round trip (draft-ietf-ccwg-bbr section 5.6.2).

No sleeps: output sends one quantum and arms a timer for the next. A timer that fires late is made up for, a little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tcpcore import timing

if TYPE_CHECKING:
    from tcpcore.conn.tcb import Tcb

QUANTUM: Final = 0.001
"""Seconds of the rate that leave at once."""
MAX_QUANTUM: Final = 65536
CREDIT: Final = 0.001
"""Seconds by which a late timer is made up for."""
EARLY: Final = 1e-6
"""Seconds that are no reason to wait."""


def send_quantum(rate: float, mss: int) -> int:
    """Octets that leave at once at ``rate`` octets a second (section 5.6.3)."""
    return max(min(int(rate * QUANTUM), MAX_QUANTUM), 2 * mss)


class Pacer:
    """``next``: when the next quantum may leave (C.next_send_time)."""

    __slots__ = ("_began", "_left", "next", "waits")

    def __init__(self) -> None:
        self.next = 0.0
        self.waits = False
        """For ``next``, and nothing else."""
        self._left = 0
        self._began = 0.0
        """The present quantum: one at a moment, so that none begins while another leaves late."""

    def room(self, quantum: int, now: float) -> int:
        """Octets of the present quantum that may leave."""
        if now + EARLY >= self.next and now != self._began:
            self._left, self._began = quantum, now
            self.next = max(self.next, now - CREDIT if self.waits else now)
            self.waits = False
        return self._left

    def sent(self, size: int, rate: float, now: float) -> None:
        """``size`` octets left."""
        self._left -= size
        self.next = max(self.next, now - CREDIT) + size / rate


def bounded(tcb: Tcb, pacer: Pacer, length: int, now: float) -> int:
    """How much of a segment of ``length`` may leave; with 0, the timer will tell when."""
    rate = rate_of(tcb)
    if rate is None:
        return length
    mss = tcb.mss
    room = pacer.room(send_quantum(rate, mss), now)
    if length <= room:
        return length
    if room < mss:
        pacer.waits = True
        tcb.timers.set(timing.PACING, now, max(pacer.next - now, EARLY))
        return 0
    return room - room % mss


def sent(tcb: Tcb, pacer: Pacer, length: int, now: float) -> None:
    """Text left."""
    rate = rate_of(tcb)
    if rate is not None:
        pacer.sent(length, rate, now)


def rate_of(tcb: Tcb) -> float | None:
    """Octets a second, or ``None`` before the first round-trip time: nothing is known that could be spread."""
    srtt = tcb.rtt.srtt
    return None if not srtt else tcb.congestion.pacing_rate(srtt)
