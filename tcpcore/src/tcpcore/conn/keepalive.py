"""Keepalive (RFC 9293 section 3.8.4): off unless asked for; every setting may change on a live connection.

The timer is lazy: arrivals only note the time, and a timer that fires too early is armed again for the rest.
"""

from __future__ import annotations

from typing import Final

from tcpcore import timing
from tcpcore.conn.state import CLOSE_WAIT, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2
from tcpcore.conn.tcb import Tcb
from tcpcore.errors import KeepaliveTimeoutError

_STATES: Final = frozenset({ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, FIN_WAIT_2})


def rearm(tcb: Tcb, now: float) -> None:
    """Arm or disarm the timer by the settings and the time the peer was last heard."""
    if not tcb.config.keepalive or tcb.state not in _STATES:
        tcb.timers.clear(timing.KEEPALIVE)
        return
    tcb.timers.set(timing.KEEPALIVE, now, max(due(tcb, now) - now, 0.0))


def due(tcb: Tcb, now: float) -> float:
    """When the next probe is due, should the peer stay silent."""
    if tcb.keepalive_probes:
        return tcb.timers.deadline(timing.KEEPALIVE)
    return tcb.last_received + tcb.config.keepalive_idle


def heard(tcb: Tcb, now: float) -> None:
    """A segment came in."""
    tcb.last_received = now
    if tcb.keepalive_probes:
        tcb.keepalive_probes = 0
        rearm(tcb, now)


def expired(tcb: Tcb, now: float) -> None:
    """The timer fired: probe, wait on, or give the connection up."""
    config = tcb.config
    if not config.keepalive or tcb.state not in _STATES:
        return
    if tcb.keepalive_probes == 0 and (left := tcb.last_received + config.keepalive_idle - now) > 0:
        tcb.timers.set(timing.KEEPALIVE, now, left)
    elif tcb.in_flight:
        # Retransmissions probe already, and they have limits of their own
        tcb.timers.set(timing.KEEPALIVE, now, config.keepalive_interval)
    elif tcb.keepalive_probes >= config.keepalive_count:
        tcb.rst_wanted = True
        tcb.finish(KeepaliveTimeoutError(f"no answer to {tcb.keepalive_probes} keepalive probes"))
    else:
        tcb.keepalive_probes += 1
        tcb.probe_now = True
        tcb.timers.set(timing.KEEPALIVE, now, config.keepalive_interval)
