"""What holds for every connection and every stack whenever nobody is at work on them."""

from __future__ import annotations

from dataclasses import fields
from math import inf

from tcpcore import Connection, Observer, Stack, State
from tcpcore.conn.sack import LOST, SACKED
from tcpcore.conn.state import OPENING
from tcpcore.conn.tcb import Tcb
from tcpcore.seqnum import unwrap
from tcpcore.status import ConnectionStatus, StackStatistics
from tcpcore.timing import Timer
from tcpcore.wire.tcp import SYN, Segment

CONNECTION_FIELDS = tuple(field.name for field in fields(ConnectionStatus))
STACK_FIELDS = tuple(field.name for field in fields(StackStatistics))
NUMBERS = ("snd_una", "snd_nxt", "rcv_nxt", "rcv_adv")
SYNCHRONISED = frozenset(State) - OPENING - {State.CLOSED, State.LISTEN}
KEPT_ALIVE = frozenset({State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.FIN_WAIT_2})


class Track:
    """One connection's past: what may never move back, and the right edge of all windows it was offered."""

    def __init__(self, tcb: Tcb) -> None:
        self.tcb = tcb
        self.edge = tcb.snd_una + tcb.max_snd_wnd
        self.numbers: dict[str, int] = {}
        self.send_limit = self.receive_limit = 0
        self.seen: object = None
        self.notice_limits()

    def offered(self, segment: Segment) -> None:
        """A segment for this connection, with the numbers and the window of the wire; it may be a forged one."""
        shift = 0 if segment.flags & SYN else self.tcb.snd_wscale or 0
        self.edge = max(self.edge, unwrap(segment.ack, self.tcb.snd_una) + (segment.wnd << shift))

    def notice_limits(self) -> None:
        """A buffer that is made smaller keeps what it has."""
        self.send_limit = max(self.send_limit, self.tcb.config.send_buffer)
        self.receive_limit = max(self.receive_limit, self.tcb.receive_buffer)

    def check(self, now: float) -> None:
        tcb = self.tcb
        self.notice_limits()
        self.edge = max(self.edge, tcb.snd_una + tcb.snd_wnd)
        check_send_sequence(tcb, self.edge)
        if tcb.state in SYNCHRONISED:
            check_scoreboard(tcb)
        if tcb.state in SYNCHRONISED:
            for name in NUMBERS:
                assert getattr(tcb, name) >= self.numbers.get(name, 0), f"{name} moved back"
                self.numbers[name] = getattr(tcb, name)
            assert tcb.rcv_nxt <= tcb.rcv_adv
        self.check_buffers()
        if tcb.state is State.CLOSED:
            assert tcb.timers.next_deadline() == inf
            assert len(tcb.send_buffer) == 0
            assert tcb.out_of_order is None
        else:
            check_timers(tcb)
        changes = (tcb.state, tcb.segments_in, tcb.segments_out, tcb.config, tcb.timers.next_deadline())
        if self.seen != changes:  # the look at everything costs the most by far
            self.seen = changes
            check_status(tcb, now)

    def check_buffers(self) -> None:
        tcb = self.tcb
        beyond = tcb.out_of_order.bytes_held() if tcb.out_of_order is not None else 0
        assert tcb.syn_rest is None or tcb.state is State.SYN_RECEIVED
        assert len(tcb.send_buffer) <= self.send_limit
        assert tcb.rcv_queue.length + beyond <= self.receive_limit
        assert tcb.out_of_order is None or 0 < len(tcb.out_of_order) <= tcb.config.max_out_of_order


def check_send_sequence(tcb: Tcb, edge: int) -> None:
    """SND.UNA =< SND.NXT =< the end of what the user sent, and =< the largest window ever offered but for a FIN."""
    assert tcb.snd_una <= tcb.snd_nxt
    if tcb.state is State.CLOSED:
        return
    assert tcb.snd_nxt <= max(tcb.send_buffer.end, tcb.iss + 1) + (tcb.fin_seq is not None)
    assert tcb.snd_nxt <= max(edge, tcb.iss + 1) + (tcb.fin_seq is not None)


def check_scoreboard(tcb: Tcb) -> None:
    """It has every octet in flight, once."""
    board = tcb.scoreboard
    assert (board is None) == (tcb.in_flight == 0)
    if board is None:
        assert tcb.pipe == 0
        return
    ranges = board._ranges[board._head :]
    assert [each.start for each in ranges] == [tcb.snd_una, *(each.end for each in ranges[:-1])]
    assert ranges[-1].end == tcb.snd_nxt
    assert all(each.start < each.end for each in ranges)
    assert board.sacked == sum(each.end - each.start for each in ranges if each.state == SACKED)
    assert board.lost == sum(each.end - each.start for each in ranges if each.state == LOST)
    assert board._islands == len(board.blocks())
    assert tcb.sack_ok or not board.sacked
    assert tcb.recovery is None or tcb.snd_una < tcb.recovery.point <= tcb.snd_nxt
    assert tcb.tlp_end is None or tcb.tlp_end <= tcb.snd_nxt


def check_timers(tcb: Tcb) -> None:
    """The timers that run are those that have something to wait for, and nothing waits without a timer."""
    armed = tcb.timers.armed
    assert armed(Timer.TIME_WAIT) == (tcb.state is State.TIME_WAIT)
    if tcb.state in (State.TIME_WAIT, State.LISTEN):
        assert [timer for timer in Timer if armed(timer)] == [Timer.TIME_WAIT] * (tcb.state is State.TIME_WAIT)
        return
    assert armed(Timer.RETRANSMIT) == (tcb.in_flight > 0)
    assert armed(Timer.FIN_WAIT_2) == (tcb.state is State.FIN_WAIT_2 and tcb.closed_by_user)
    if tcb.state in OPENING:
        assert not armed(Timer.PERSIST)
        return
    if tcb.send_buffer.end > tcb.snd_nxt and not tcb.in_flight:
        assert armed(Timer.PERSIST) or armed(Timer.CORK) or armed(Timer.PACING), (
            "unsent data, nothing in flight, no timer"
        )
    assert armed(Timer.DELAYED_ACK) == (tcb.rcv_nxt > tcb.last_ack_sent)
    assert armed(Timer.KEEPALIVE) or not (tcb.config.keepalive and tcb.state in KEPT_ALIVE)
    assert armed(Timer.USER_TIMEOUT) or tcb.user_timeout is None or not tcb.in_flight
    assert tcb.closed_by_user or not armed(Timer.LINGER)


def check_status(tcb: Tcb, now: float) -> None:
    """STATUS works in every state and agrees."""
    assert isinstance(tcb, Connection)
    status = tcb.status(now)
    assert status.state == str(tcb.state)
    assert (status.recv_q, status.send_q) == (tcb.rcv_queue.length, len(tcb.send_buffer))
    assert status.in_flight == tcb.in_flight
    assert {timer.name for timer in status.timers} == {str(timer) for timer in Timer if tcb.timers.armed(timer)}
    assert all(timer.remaining >= 0 for timer in status.timers)
    check_not_negative(status, CONNECTION_FIELDS)
    assert tcb.mss > 0
    assert tcb.congestion.cwnd >= tcb.mss


def check_not_negative(record: object, names: tuple[str, ...]) -> None:
    """No counter, size or time of a status is."""
    for name in names:
        value = getattr(record, name)
        assert not isinstance(value, int | float) or value >= 0, name


class StackCheck(Observer):
    """The tracks of one stack's connections, and what its tables owe to each other."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.tracks: dict[Tcb, Track] = {}
        stack.observe(self)

    def segment_received(self, tcb: Tcb | None, segment: Segment, now: float) -> None:
        if tcb is not None:
            self.track(tcb).offered(segment)

    def track(self, tcb: Tcb) -> Track:
        """The past of ``tcb``, from now on if it has none."""
        return self.tracks.get(tcb) or self.tracks.setdefault(tcb, Track(tcb))

    def check(self, now: float) -> None:
        """After ``transmit``."""
        connections = self.stack.connections()
        for connection in connections:
            self.track(connection)
            assert connection.state is not State.CLOSED
        for track in list(self.tracks.values()):
            track.check(now)
            if track.tcb.state is State.CLOSED:
                del self.tracks[track.tcb]
        self.check_statistics(connections)
        self.check_deadline(connections)
        assert 0 <= self.stack.env.receive_grown == sum(each.receive_grown for each in connections)
        for listener in self.stack.listeners():
            status = listener.status()
            assert len(listener.accept_queue) == status.accept_queue <= status.accept_queue_limit
            assert len(listener.half_open) == status.half_open <= status.half_open_limit
            assert all(tcb.state is State.SYN_RECEIVED for tcb in listener.half_open)

    def check_statistics(self, connections: list[Connection]) -> None:
        statistics = self.stack.statistics()
        established = sum(each.state in (State.ESTABLISHED, State.CLOSE_WAIT) for each in connections)
        assert statistics.tcp_curr_estab == established
        assert statistics.tcp_connections == len(connections)
        check_not_negative(statistics, STACK_FIELDS)
        assert all(count > 0 for count in statistics.drops.values())

    def check_deadline(self, connections: list[Connection]) -> None:
        earliest = min((each.timers.next_deadline() for each in connections), default=inf)
        told = self.stack.next_deadline()
        assert earliest == inf or (told is not None and told <= earliest)
