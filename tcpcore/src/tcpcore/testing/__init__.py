"""Tools for tests of programs on ``tcpcore``: two stacks in virtual time, and hand-made segments."""

from tcpcore.testing.pair import Pair
from tcpcore.testing.peer import PLAIN, Peer, brief

__all__ = ["PLAIN", "Pair", "Peer", "brief"]
