"""Windows of 1 GiB, the most that a shift of 14 can express (RFC 7323 section 2.3)."""

from __future__ import annotations

import pytest

from tcpcore import Connection, LinkCapabilities
from tcpcore.testing import Peer, brief
from tests.tcpcore.conn.conftest import MakePeer

GIB = 1 << 30
LARGEST = 65535 << 14


@pytest.fixture
def peer(make_peer: MakePeer) -> Peer:
    return make_peer(window_scaling=True, receive_buffer=GIB, send_buffer=GIB)


def open_wide(peer: Peer, wscale: int = 14) -> Connection:
    """A connection on which both ends have offered all they can."""
    listener = peer.listen()
    (answer,) = peer.send("S", mss=65495, wscale=wscale)
    assert answer.wscale == 14
    peer.send(".", seq=1, ack=1)
    (answer,) = peer.send(".", seq=0, ack=1)  # an old number: it is answered with the window
    assert answer.wnd == 65535
    connection = listener.accept()
    assert connection is not None
    assert connection.status(peer.now).rcv_wnd == connection.status(peer.now).snd_wnd == LARGEST
    return connection


@pytest.mark.parametrize("wscale", [14, 15, 255])
def test_shift_is_14_at_most(peer: Peer, wscale: int) -> None:
    """ "If a shift.cnt larger than 14 is received, MUST use 14"."""
    assert open_wide(peer, wscale).snd_wscale == 14


def test_last_octet_of_the_window_is_taken_and_the_next_is_not(peer: Peer) -> None:
    connection = open_wide(peer)
    peer.send(".", seq=1 + LARGEST - 2, ack=1, data=b"abcd")
    assert connection.out_of_order is not None
    assert connection.out_of_order.ranges() == ((connection.rcv_adv - 2, connection.rcv_adv),)
    assert peer.stack.statistics().drops == {"beyond-window": 1}
    before = connection.segments_duplicate
    assert brief(peer.send(".", seq=1 + LARGEST, ack=1, data=b"e")) == [". 1:1(0) ack 1"]
    assert connection.segments_duplicate == before + 1


def test_window_is_used_to_its_last_full_segment(peer: Peer) -> None:
    peer.stack.env.capabilities = LinkCapabilities(segmentation_offload=True)
    connection = open_wide(peer)
    connection.congestion.cwnd = 2 * GIB
    block = bytes(1 << 20)
    while connection.send(block, peer.now):
        pass
    assert sum(packet.payload_length for packet in peer.stack.transmit(peer.now)) == connection.in_flight
    assert LARGEST - connection.mss < connection.in_flight <= LARGEST
    rest = GIB - connection.in_flight
    assert sum(len(seg.payload) for seg in peer.send(".", seq=1, ack=1 + LARGEST // 2)) == rest
    peer.send(".", seq=1, ack=1 + GIB)
    assert connection.in_flight == 0


def test_read_of_what_no_window_can_tell_is_not_told(make_peer: MakePeer) -> None:
    """Without a scale the field ends at 65535: a larger buffer is no reason for an ACK after each read."""
    peer = make_peer(receive_buffer=1 << 20, delayed_ack=0.25)
    connection = peer.established()
    for number in range(3):
        peer.after(0.25)
        assert peer.send(".", seq=1 + number * 100, ack=1, data=bytes(100)) == []
        assert connection.receive(100, peer.now) == bytes(100)
        assert peer.answers() == []
