"""STATUS (RFC 9293 section 3.10.6), the stack's totals, and the observer."""

from __future__ import annotations

from typing import Any

from tcpcore import Ready, State
from tcpcore.conn.observer import Observer
from tcpcore.conn.tcb import Tcb
from tcpcore.testing import PLAIN, Pair, Peer
from tcpcore.timing import Timer
from tcpcore.wire.packet import Packet
from tcpcore.wire.tcp import Segment


class Recorder(Observer):
    """Notes the name of every event, and what happened."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def segment_sent(self, tcb: Tcb | None, packet: Packet, now: float) -> None:
        self.events.append(("sent", tcb is not None))

    def segment_received(self, tcb: Tcb | None, segment: Segment, now: float) -> None:
        self.events.append(("received", tcb is not None))

    def segment_dropped(self, reason: str, now: float) -> None:
        self.events.append(("dropped", reason))

    def state_changed(self, tcb: Tcb, old: State, new: State) -> None:
        self.events.append(("state", str(new)))

    def timer_fired(self, tcb: Tcb, timer: Timer, now: float) -> None:
        self.events.append(("timer", str(timer)))

    def congestion_event(self, tcb: Tcb, event: str, now: float) -> None:
        self.events.append(("congestion", event))


def test_variables_have_the_wires_numbers(peer: Peer) -> None:
    connection = peer.established(mss=1000, wnd=5000)
    connection.send(b"abc", peer.now)
    peer.answers()
    status = connection.status(peer.now)
    assert peer.iss is not None
    assert status.iss == peer.iss
    assert (status.snd_una, status.snd_nxt) == (peer.iss + 1, peer.iss + 4)
    assert status.irs == (1 << 32) - 100
    assert status.rcv_nxt == (1 << 32) - 99
    assert (status.snd_wnd, status.rcv_wnd, status.mss, status.in_flight) == (5000, 65535, 1000, 3)
    assert (status.state, status.local_port, status.remote_port) == ("ESTABLISHED", 80, 4000)


def test_queues_and_ages(peer: Peer) -> None:
    connection = peer.established()
    peer.send(".", seq=1, ack=1, data=b"abc")
    peer.send(".", seq=10, ack=1, data=b"later")
    peer.send(".", seq=15, ack=1, data=b"more")
    peer.after(8)
    status = connection.status(peer.now)
    assert (status.recv_q, status.send_q, status.age, status.last_data_in) == (3, 0, 8, 8)
    assert status.last_data_out is None
    assert [right - left for left, right in status.out_of_order] == [9]


def test_timers_tell_what_is_left(peer: Peer) -> None:
    connection = peer.established()
    connection.set_option("keepalive", True, peer.now)
    peer.after(100)
    connection.send(b"x", peer.now)
    peer.answers()
    timers = {timer.name: (timer.remaining, timer.duration) for timer in connection.status(peer.now).timers}
    assert timers == {"retransmit": (0.25, 0.25), "keepalive": (7100, 7200)}


def test_error_is_told(peer: Peer) -> None:
    connection = peer.established()
    peer.send("R", seq=1)
    assert connection.status(peer.now).error == "the peer reset the connection"


def test_congestion_state_is_named(peer: Peer) -> None:
    connection = peer.established()
    assert connection.status(peer.now).congestion_state == "slow start"
    connection.congestion.ssthresh = 1
    assert connection.status(peer.now).congestion_state == "congestion avoidance"


def test_statistics_count_a_conversation() -> None:
    pair = Pair(PLAIN)
    a, b = pair.connect()
    assert pair.transfer(a, b, b"hello") == b"hello"
    a_totals, b_totals = pair.a.statistics(), pair.b.statistics()
    assert (a_totals.tcp_active_opens, b_totals.tcp_passive_opens) == (1, 1)
    assert (a_totals.tcp_curr_estab, a_totals.tcp_connections) == (1, 1)
    assert a_totals.tcp_out_segs == b_totals.tcp_in_segs
    a.abort(pair.now)
    pair.run(1)
    assert (pair.a.statistics().tcp_out_rsts, pair.b.statistics().tcp_estab_resets) == (1, 1)
    assert pair.b.statistics().tcp_curr_estab == 0


def test_refused_open_counts_as_a_failed_attempt(peer: Peer) -> None:
    peer.connect()
    peer.send("R.", ack=1)
    assert peer.stack.statistics().tcp_attempt_fails == 1


def test_connection_is_ready_once(peer: Peer) -> None:
    connection = peer.established()
    connection.take_ready()
    peer.stack.take_ready()
    peer.send(".", seq=1, ack=1, data=b"a")
    peer.send(".", seq=2, ack=1, data=b"b")
    assert peer.stack.take_ready() == [connection]
    assert connection.take_ready() == Ready.READABLE
    assert peer.stack.take_ready() == []


def test_observer_sees_everything(peer: Peer) -> None:
    recorder = Recorder()
    peer.stack.observe(recorder)
    connection = peer.established(mss=100)
    connection.send(bytes(500), peer.now)
    peer.answers()
    for _ in range(3):
        peer.send(".", seq=1, ack=1)
    peer.send(".", seq=1, ack=501)
    connection.send(b"x", peer.now)
    peer.after(0.25)
    peer.stack.receive(b"", peer.now)
    peer.port = 4001
    peer.local_port = 81
    peer.send("S")
    for event in (
        ("sent", True), ("sent", False), ("received", True), ("received", False), ("dropped", "ip-truncated"),
        ("state", "SYN-RECEIVED"), ("state", "ESTABLISHED"), ("timer", "retransmit"),
        ("congestion", "fast-retransmit"), ("congestion", "recovered"), ("congestion", "timeout"),
    ):  # fmt: skip
        assert event in recorder.events
    peer.stack.observe(None)
