"""Tools for tests of programs on ``tcpcore``: two stacks in virtual time, and hand-made segments."""

from tcpcore.testing.pair import Pair
from tcpcore.testing.peer import PEER_ADDRESS, PEER_ISS, PLAIN, STACK_ADDRESS, Peer, brief, tcp_packet

__all__ = ["PEER_ADDRESS", "PEER_ISS", "PLAIN", "STACK_ADDRESS", "Pair", "Peer", "brief", "tcp_packet"]
