"""Congestion control algorithms, chosen by name (``Config.congestion_control``)."""

from __future__ import annotations

from typing import Final

from tcpcore.conn.congestion.base import CongestionControl
from tcpcore.conn.congestion.bbr import BBR
from tcpcore.conn.congestion.cubic import Cubic
from tcpcore.conn.congestion.reno import Reno

ALGORITHMS: Final[dict[str, type[CongestionControl]]] = {algorithm.name: algorithm for algorithm in (Cubic, Reno, BBR)}


def create(name: str, mss: int, initial_window_segments: int) -> CongestionControl:
    """A new one of ``ALGORITHMS``."""
    return ALGORITHMS[name](mss, initial_window_segments)


def replacement(old: CongestionControl, name: str) -> CongestionControl:
    """Another algorithm that goes on where ``old`` is."""
    new = create(name, old.mss, 1)
    new.cwnd, new.ssthresh = old.cwnd, old.ssthresh
    return new
