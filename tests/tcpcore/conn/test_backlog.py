"""The two queues of a listener (RFC 4987; Linux's limits)."""

from __future__ import annotations

from tcpcore import Ready, State
from tcpcore.testing import PLAIN, Pair, Peer, brief
from tcpcore.wire.packet import Packet
from tcpcore.wire.tcp import ACK, PSH, SYN
from tests.tcpcore.conn.conftest import MakePeer


def syn_from(peer: Peer, port: int) -> list[str]:
    peer.port, peer.iss = port, None
    return brief(peer.send("S"))


def test_full_half_open_queue_drops_its_oldest(make_peer: MakePeer) -> None:
    peer = make_peer(syn_backlog=2, syn_cookies="never")
    listener = peer.listen()
    for port in (1, 2, 3):
        assert syn_from(peer, port) == ["S. 0:0(0) ack 1"]
    assert [c.remote[1] for c in peer.stack.connections()] == [2, 3]
    status = listener.status()
    assert (status.half_open, status.half_open_limit, status.half_open_overflows) == (2, 2, 1)


def test_syn_acks_leave_after_what_connections_send() -> None:
    pair = Pair(PLAIN)
    listener = pair.b.listen(80)
    _, served = pair.connect(listener=listener)
    for _ in range(3):
        pair.a.connect(("192.0.2.2", 80), pair.now)
    for packet in pair.a.transmit(pair.now):
        pair.b.receive(bytes(packet), pair.now)
    served.send(b"text", pair.now)
    assert pair.b.waiting == 4
    assert flags_of(pair.b.transmit(pair.now, 2)) == [ACK | PSH, SYN | ACK, SYN | ACK]
    assert pair.b.waiting == 1
    assert flags_of(pair.b.transmit(pair.now, 2)) == [SYN | ACK]
    assert pair.b.waiting == 0


def flags_of(packets: list[Packet]) -> list[int]:
    return [packet.header[33] for packet in packets]


def test_syn_ack_is_retransmitted_5_times_with_back_off_and_then_gone(peer: Peer) -> None:
    listener = peer.listen()
    peer.send("S")
    waits = []
    while (deadline := peer.stack.next_deadline()) is not None:
        waits.append(deadline - peer.now)
        expected = [] if len(waits) == 6 else ["S. 0:0(0) ack 1"]
        assert brief(peer.after(waits[-1])) == expected
    assert waits == [1, 2, 4, 8, 16, 32]
    status = listener.status()
    assert (status.half_open, status.syn_ack_retransmissions, status.half_open_timeouts) == (0, 5, 1)
    assert peer.stack.connections() == []


def test_syn_ack_is_not_retransmitted_early(peer: Peer) -> None:
    peer.listen()
    peer.send("S")
    assert peer.after(1 - 1 / 1024) == []
    assert brief(peer.after(1 / 1024)) == ["S. 0:0(0) ack 1"]


def test_full_accept_queue_drops_syns(peer: Peer) -> None:
    listener = peer.listen(backlog=1)
    peer.send("S")
    peer.send(".", seq=1, ack=1)
    assert syn_from(peer, 4001) == []
    assert listener.status().accept_overflows == 1
    assert peer.stack.statistics().tcp_listen_drops == 1
    assert listener.accept() is not None
    assert syn_from(peer, 4001) == ["S. 0:0(0) ack 1"]


def test_full_accept_queue_drops_the_last_ack(peer: Peer) -> None:
    listener = peer.listen(backlog=1)
    syn_from(peer, 4001)
    late = peer.iss
    syn_from(peer, 4000)
    peer.send(".", seq=1, ack=1)
    peer.port, peer.iss = 4001, late
    assert peer.send(".", seq=1, ack=1) == []
    assert listener.status().half_open == 1
    assert listener.accept() is not None
    peer.send(".", seq=1, ack=1)
    assert (listener.status().half_open, listener.status().accept_queue) == (0, 1)


def test_backlog_is_at_most_somaxconn(make_peer: MakePeer) -> None:
    peer = make_peer(somaxconn=3)
    assert peer.listen(backlog=100).status().accept_queue_limit == 3


def test_connection_table_limits_the_half_open_too(make_peer: MakePeer) -> None:
    peer = make_peer(max_connections=1)
    peer.listen()
    syn_from(peer, 1)
    assert syn_from(peer, 2) == []
    assert peer.stack.statistics().drops == {"listen-overflow": 1}


def test_listener_becomes_ready_and_accepts_in_order(peer: Peer) -> None:
    listener = peer.listen()
    for port in (1, 2):
        syn_from(peer, port)
        peer.send(".", seq=1, ack=1)
    assert listener in peer.stack.take_ready()
    assert listener.take_ready() == Ready.READABLE
    accepted = [listener.accept(), listener.accept(), listener.accept()]
    assert [c.remote[1] if c else None for c in accepted] == [1, 2, None]
    assert listener.status().accepted == 2


def test_close_resets_both_queues(peer: Peer) -> None:
    listener = peer.listen()
    syn_from(peer, 1)
    peer.send(".", seq=1, ack=1)
    peer.port = 2
    peer.send("S")
    listener.close(peer.now)
    assert [text.split()[0] for text in brief(peer.answers())] == ["R.", "R."]
    assert peer.stack.connections() == []


def test_connection_that_ended_can_be_accepted_and_tells_why(peer: Peer) -> None:
    listener = peer.listen()
    peer.send("S")
    peer.send(".", seq=1, ack=1, data=b"bye")
    peer.send("R", seq=4)
    connection = listener.accept()
    assert connection is not None
    assert connection.state is State.CLOSED
