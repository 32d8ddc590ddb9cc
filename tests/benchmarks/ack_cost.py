"""What one ACK with new SACK blocks costs with many segments in flight: ``python -m tests.benchmarks.ack_cost``.

The whole of SEGMENT ARRIVES is timed, from the parsed segment on, while every twentieth segment is missing; what the
ACK then lets out is not.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from tcpcore.conn.connection import Connection
from tcpcore.seqnum import wrap
from tcpcore.testing import PEER_ISS, PLAIN, Peer
from tcpcore.wire.tcp import ACK, Segment

MSS: Final = 1000
LOSS: Final = 20
"""Every so many segments one is missing."""
ROUNDS: Final = 5


def connection_with(segments: int) -> tuple[Peer, Connection]:
    """An established connection with so many segments in flight, each sent at a time of its own."""
    config = replace(PLAIN, sack=True, window_scaling=True, congestion_control="cubic", send_buffer=segments * MSS)
    peer = Peer(config)
    connection = peer.established(mss=MSS, wscale=14, sack=True)
    connection.congestion.cwnd = segments * MSS
    connection.snd_wnd = connection.max_snd_wnd = 1 << 30
    for _ in range(segments):
        peer.now += 1e-6
        connection.send(bytes(MSS), peer.now)
        peer.stack.transmit(peer.now)
    return peer, connection


def measure(segments: int) -> float:
    """Microseconds for an ACK, on average over all that come for a window of ``segments``."""
    peer, connection = connection_with(segments)
    base = connection.snd_una
    seq = wrap(PEER_ISS + 1)
    blocks: list[tuple[int, int]] = []
    spent, count = 0.0, 0
    for number in range(1, segments):
        if number % LOSS == 0:
            continue
        left, right = base + number * MSS, base + (number + 1) * MSS
        if blocks and blocks[0][1] == wrap(left):
            blocks[0] = (blocks[0][0], wrap(right))
        else:
            blocks = [(wrap(left), wrap(right)), *blocks[:2]]
        seg = Segment(4000, 80, seq, wrap(base), ACK, 65535, sack=tuple(blocks))
        peer.now += 1e-6
        began = time.perf_counter()
        connection.segment_arrives(seg, peer.now)
        spent += time.perf_counter() - began
        count += 1
    assert connection.scoreboard is not None
    assert connection.scoreboard.sacked > connection.scoreboard.lost > 0
    return spent / count * 1e6


def main() -> None:
    """Print the best of a few rounds."""
    for segments in (100, 1_000, 10_000):
        print(f"{segments:6} segments in flight: {min(measure(segments) for _ in range(ROUNDS)):5.1f} us an ACK")


if __name__ == "__main__":
    main()
