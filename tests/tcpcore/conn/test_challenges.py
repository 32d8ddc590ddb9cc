"""Challenge ACKs of one connection (RFC 5961 section 7): two ends never answer each other without end."""

from __future__ import annotations

from tcpcore import Config
from tcpcore.testing import Pair, brief
from tests.tcpcore.conn.conftest import MakePeer


def test_second_challenge_within_half_a_second_is_not_sent(make_peer: MakePeer) -> None:
    peer = make_peer(challenge_ack_interval=0.5)
    connection = peer.established()
    assert brief(peer.send("R", seq=100)) == [". 1:1(0) ack 1"]
    peer.now += 0.25
    assert peer.send("R", seq=100) == []
    peer.now += 0.25
    assert brief(peer.send("R", seq=100)) == [". 1:1(0) ack 1"]
    assert connection.challenge_acks_out == 2
    assert peer.stack.statistics().rate_limited == 1


def test_ends_out_of_each_others_window_fall_silent() -> None:
    """The peer died without a word, and an old duplicate of our SYN reaches its listener."""
    pair = Pair(Config(receive_buffer=1000, timestamps=False), latency=0.01)
    packets: list[bytes] = []

    def record(packet: bytes, direction: str) -> bool:
        packets.append(packet)
        return True

    pair.deliver = record
    a, b = pair.connect(80, pair.b.listen(80))
    syn = packets[0]
    pair.transfer(a, b, bytes(5000))
    pair.deliver = lambda packet, direction: False
    b.abort(pair.now)
    pair.run(1.0)
    packets.clear()
    pair.deliver = record
    pair.b.receive(syn, pair.now)
    pair.run(30.0)
    assert len(packets) < 100
