"""Who looks on: what ``Stack.observe`` delivers to. Never compiled, because users' classes inherit from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcpcore.conn.state import State
    from tcpcore.conn.tcb import Tcb
    from tcpcore.timing import Timer
    from tcpcore.wire.packet import Packet
    from tcpcore.wire.tcp import Segment


class Observer:
    """What ``Stack.observe`` delivers to: override what is of interest.

    ``tcb`` is ``None`` for packets that belong to no connection.
    """

    def segment_sent(self, tcb: Tcb | None, packet: Packet, now: float) -> None:
        """A TCP packet goes to the link; it may be a super-segment that the link cuts."""

    def segment_received(self, tcb: Tcb | None, segment: Segment, now: float) -> None:
        """A valid TCP segment came in; sequence numbers are those of the wire."""

    def segment_dropped(self, reason: str, now: float) -> None:
        """A packet was dropped; ``reason`` is a key of ``StackStatistics.drops``."""

    def state_changed(self, tcb: Tcb, old: State, new: State) -> None:
        """The connection took an arrow of Figure 5."""

    def timer_fired(self, tcb: Tcb, timer: Timer, now: float) -> None:
        """A timer expired."""

    def congestion_event(self, tcb: Tcb, event: str, now: float) -> None:
        """``event`` is ``fast-retransmit``, ``timeout``, ``tail-loss``, ``ecn``, ``recovered`` or ``spurious``."""
