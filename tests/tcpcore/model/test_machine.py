"""Two stacks, any calls, any network, any time: Hypothesis looks for an order of events that breaks an invariant.

``TCPCORE_MODEL_EXAMPLES=20000 pytest tests/tcpcore/model/test_machine.py`` looks longer, at new examples each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import takewhile
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tcpcore import Config, Connection, LinkCapabilities, Listener, State
from tcpcore.conn import calls
from tcpcore.conn.state import OPENING
from tcpcore.conn.tcb import Ready
from tcpcore.errors import AddressInUseError, TCPError
from tcpcore.path import congestion_experienced
from tcpcore.testing import Pair
from tcpcore.wire import icmp
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ippacket import TCP
from tcpcore.wire.tcp import ACK, CWR, ECE, FIN, RST, SYN, URG
from tests.tcpcore.model import forgery
from tests.tcpcore.model.choices import ENDING, OPTIONS, configs
from tests.tcpcore.model.invariants import SYNCHRONISED, StackCheck
from tests.tcpcore.model.users import User

EXAMPLES = int(os.environ.get("TCPCORE_MODEL_EXAMPLES", "0"))
PATIENCE = 20_000
"""Events after which two ends that have nothing to say any more are silent."""
PORTS = (80, 81)
ADDRESSES = {"a": {4: "192.0.2.1", 6: "2001:db8::1"}, "b": {4: "192.0.2.2", 6: "2001:db8::2"}}
OTHER = {"a": "b", "b": "a"}
index = st.integers(0, 50)
sides = st.sampled_from("ab")
seldom = st.integers(0, 7).map(lambda number: number == 7)
families = st.sampled_from([4, 4, 6])
sizes = st.sampled_from([1, 2, 50, 1447, 1448, 1449, 4000, 20_000, 100_000])


class Machine(RuleBasedStateMachine):
    """Packets wait in ``wire`` until a rule does something to them."""

    @initialize(a=configs, b=configs, seed=st.integers(0, 1000), offload=st.booleans(), connections=st.integers(0, 2))
    def begin(self, a: Config, b: Config, seed: int, offload: bool, connections: int) -> None:
        User.count = 0
        capabilities = LinkCapabilities(checksum_offload=offload, segmentation_offload=offload)
        self.pair = Pair(a, b, 0.01, seed, capabilities=capabilities)
        self.pair.deliver = self.take
        self.wire: list[tuple[bytes, str]] = []
        self.stacks = {"a": self.pair.a, "b": self.pair.b}
        self.checks = [StackCheck(stack) for stack in self.stacks.values()]
        self.users: list[User] = []
        self.listeners: list[tuple[str, Listener]] = []
        self.told: dict[Connection | Listener, int] = {}
        self.free_port = 5000
        self.fickle = any(
            each.syn_cookies == "always" or each.syn_backlog == 1 or each.accept_overflow == "reset" for each in (a, b)
        )
        """Whether a handshake may fail for want of room, or of memory of the SYN."""
        self.least_buffer = min(a.first_receive_buffer, b.first_receive_buffer)
        self.listen("b", 80, 5)
        for _ in range(connections):
            self.connect("a", 80, 4)
            self.deliver_in_order(5)
            self.accept(0)

    def take(self, packet: bytes, direction: str) -> bool:
        """Instead of delivery: keep the packet, with the stack it goes to."""
        assert len(packet) <= 1500
        self.wire.append((packet, direction[2]))
        return False

    # User calls

    @rule(side=sides, port=st.sampled_from(PORTS), backlog=st.sampled_from([1, 5]))
    def listen(self, side: str, port: int, backlog: int) -> None:
        try:
            self.listeners.append((side, self.stacks[side].listen(port, backlog=backlog)))
        except AddressInUseError:
            assert any(who == side and listener.port == port for who, listener in self.listeners)

    @rule(side=sides, port=st.sampled_from((80, 80, 81)), family=families)
    def connect(self, side: str, port: int, family: int) -> None:
        other = OTHER[side]
        connection = self.stacks[side].connect((ADDRESSES[other][family], port), self.pair.now)
        self.users.append(user := User(connection, side))
        user.excused = self.fickle or not any(who == other and each.port == port for who, each in self.listeners)

    @rule(family=families)
    def connect_both_at_once(self, family: int) -> None:
        ports = {"a": self.free_port, "b": self.free_port + 1}
        self.free_port += 2
        for side, other in OTHER.items():
            remote = (ADDRESSES[other][family], ports[other])
            local = (ADDRESSES[side][family], ports[side])
            self.users.append(User(self.stacks[side].connect(remote, self.pair.now, local), side))

    @precondition(lambda self: self.listeners)
    @rule(at=index)
    def accept(self, at: int) -> None:
        side, listener = self.listeners[at % len(self.listeners)]
        connection = listener.accept()
        if connection is not None:
            user = User(connection, side)
            user.excused = self.peer_of(user) is None or any(user.same_ends(each) for each in self.users)
            self.users.append(user)

    @precondition(lambda self: self.listeners)
    @rule(at=index, really=seldom)
    def close_listener(self, at: int, really: bool) -> None:
        if not really:
            return
        side, listener = self.listeners.pop(at % len(self.listeners))
        listener.close(self.pair.now)
        for user in self.users:
            if user.side != side and user.connection.remote[1] == listener.port and self.peer_of(user) is None:
                user.excused = True

    @precondition(lambda self: self.users)
    @rule(at=index, size=sizes, urgent=seldom)
    def send(self, at: int, size: int, urgent: bool = False) -> None:
        size = min(size, 20 * self.least_buffer)  # a window of a byte takes no megabytes in the time of a test
        self.call(at, lambda user: user.send(size, self.pair.now, urgent))

    @precondition(lambda self: self.users)
    @rule(at=index, size=sizes)
    def receive(self, at: int, size: int) -> None:
        self.call(at, lambda user: user.receive(size, self.pair.now))

    @precondition(lambda self: self.users)
    @rule(at=index, size=sizes)
    def peek(self, at: int, size: int) -> None:
        connection = self.users[at % len(self.users)].connection
        most = min(size, connection.rcv_queue.length)
        assert len(connection.peek(size)) == min(most, connection.urgent or most)

    @precondition(lambda self: self.users)
    @rule(at=index, really=seldom)
    def shutdown(self, at: int, really: bool) -> None:
        if not really:
            return
        user = self.users[at % len(self.users)]
        user.excused |= user.connection.state is State.SYN_SENT
        self.call(at, lambda user: user.connection.shutdown(self.pair.now))

    @precondition(lambda self: self.users)
    @rule(at=index, how=st.sampled_from(["shutdown_read", "close", "abort"]), really=seldom)
    def give_up(self, at: int, how: str, really: bool) -> None:
        if not really:
            return
        user = self.users[at % len(self.users)]
        user.excused, user.waits_to_read = True, False
        self.call(at, lambda user: getattr(user.connection, how)(self.pair.now))

    @precondition(lambda self: self.users)
    @rule(at=index, name=st.sampled_from(sorted(OPTIONS)), data=st.data(), really=seldom)
    def set_option(self, at: int, name: str, data: st.DataObject, really: bool) -> None:
        if name in ENDING and not really:
            return
        user = self.users[at % len(self.users)]
        value = data.draw(OPTIONS[name])
        user.excused |= name in ENDING
        try:
            user.connection.set_option(name, value, self.pair.now)
        except ValueError:
            assert "user_timeout" in name  # the limits in the wrong order
        else:
            assert user.connection.get_option(name) == value

    # The network

    @rule(count=st.sampled_from([1, 2, 5, 20, 100]))
    def deliver_in_order(self, count: int) -> None:
        for _ in range(count):
            self.pair.flush()
            if self.wire:
                self.pass_on(*self.wire.pop(0))

    @precondition(lambda self: self.users)
    @rule(at=index, sizes=st.lists(sizes, min_size=1, max_size=4), read=st.booleans())
    def converse(self, at: int, sizes: list[int], read: bool) -> None:
        """Both sides write, all of it arrives, and maybe is read."""
        for number, size in enumerate(sizes):
            self.send(at + number, size)
        self.deliver_in_order(100)
        for number, size in enumerate(sizes):
            if read:
                self.receive(at + number, size)
        self.deliver_in_order(100)

    @precondition(lambda self: self.users)
    @rule(at=index, every=st.integers(1, 12), how=st.sampled_from(["lose", "delay", "double"]), read=st.booleans())
    def bad_network(self, at: int, every: int, how: str, read: bool) -> None:
        """Much is written, and one packet in ``every`` is lost, comes last, or comes twice."""
        self.send(at, 20_000)
        for number in range(60):
            self.pair.flush()
            if not self.wire:
                break
            packet, side = self.wire.pop(0)
            if number % every or how == "double":
                self.pass_on(packet, side)
            if number % every == 0 and how != "lose" and number < 40:
                self.wire.append((packet, side))
            if read:
                self.receive(at + 1, 20_000)

    @precondition(lambda self: self.wire)
    @rule(at=index)
    def deliver_any(self, at: int) -> None:
        self.pass_on(*self.wire.pop(at % len(self.wire)))

    @precondition(lambda self: self.wire)
    @rule(at=index)
    def duplicate(self, at: int) -> None:
        self.pass_on(*self.wire[at % len(self.wire)])

    @precondition(lambda self: self.wire)
    @rule(at=index, count=st.integers(1, 5))
    def lose(self, at: int, count: int) -> None:
        first = at % len(self.wire)
        del self.wire[first : first + count]

    @precondition(lambda self: self.wire)
    @rule(at=index, count=st.integers(1, 5))
    def mark(self, at: int, count: int) -> None:
        """A router is about to be congested."""
        first = at % len(self.wire)
        self.wire[first : first + count] = [
            (congestion_experienced(packet), side) for packet, side in self.wire[first : first + count]
        ]

    @precondition(lambda self: self.wire)
    @rule(largest=st.sampled_from([300, 576, 1300]), told=st.booleans())
    def narrow_path(self, largest: int, told: bool) -> None:
        """Larger packets vanish; maybe a router tells."""
        for packet, side in [each for each in self.wire if len(each[0]) > largest]:
            self.wire.remove((packet, side))
            ip = parse_ip(packet)
            if told and ip.version == 4:
                kind, code = icmp.DESTINATION_UNREACHABLE, icmp.FRAGMENTATION_NEEDED
                self.pass_on(forgery.icmp_error(packet, kind, code, largest), OTHER[side])

    @precondition(lambda self: self.wire)
    @rule(at=index, bit=st.integers(0, 20_000), cut=st.booleans())
    def damage(self, at: int, bit: int, cut: bool) -> None:
        packet, side = self.wire[at % len(self.wire)]
        if cut:
            self.pass_on(packet[: bit % len(packet)], side)
        else:
            copy = bytearray(packet)
            copy[bit // 8 % len(copy)] ^= 1 << bit % 8
            self.pass_on(bytes(copy), side)

    @precondition(lambda self: self.wire)
    @rule(at=index, kind=st.integers(0, 12), code=st.integers(0, 4), mtu=st.integers(0, 1500), off=st.integers(-3, 3))
    def icmp_error(self, at: int, kind: int, code: int, mtu: int, off: int) -> None:
        """About a packet on its way, from a router; or forged, with a sequence number that is wrong by ``off``."""
        packet, side = self.wire[at % len(self.wire)]
        ip = parse_ip(packet)
        if ip.protocol != TCP:
            return
        ports = int.from_bytes(ip.payload[:2], "big"), int.from_bytes(ip.payload[2:4], "big")
        ends = {(ip.source, ports[0]), (ip.destination, ports[1])}
        for user in self.users:
            tcb = user.connection
            if {(tcb.local_packed, tcb.local[1]), (tcb.remote_packed, tcb.remote[1])} == ends:
                user.excused |= tcb.state in OPENING  # a hard error ends it, or the half-open one at the other end
        self.pass_on(forgery.icmp_error(packet, kind, code, mtu, off * 100_000), OTHER[side])

    @precondition(lambda self: self.users)
    @rule(
        at=index,
        flags=st.sampled_from([RST, RST | ACK, SYN, SYN | ACK, ACK, FIN | ACK, URG | ACK, 0, 0xFF]),
        offset=st.integers(1, 1 << 30),
        before=st.booleans(),
        ack=st.integers(-(1 << 30), 1 << 30),
        data=st.binary(max_size=20),
    )
    def attack(self, at: int, flags: int, offset: int, before: bool, ack: int, data: bytes) -> None:
        """Somebody who knows the addresses and ports, and guesses the numbers: nothing may change."""
        user = self.users[at % len(self.users)]
        connection = user.connection
        if connection.state not in SYNCHRONISED:
            return
        left = connection.rcv_nxt - offset - len(data) - 2
        seq = left if before else connection.rcv_adv + offset
        self.attempt(user, seq, connection.snd_una + ack, flags, data)

    @precondition(lambda self: self.users)
    @rule(at=index, flags=st.sampled_from([RST, RST | ACK, SYN, SYN | ACK]), offset=st.integers(1, 200_000))
    def attack_within_the_window(self, at: int, flags: int, offset: int) -> None:
        """RFC 5961: even a good guess is not enough."""
        user = self.users[at % len(self.users)]
        connection = user.connection
        if connection.state not in SYNCHRONISED or connection.rcv_wnd < 2:
            return
        seq = connection.rcv_nxt + 1 + offset % (connection.rcv_wnd - 1)
        self.attempt(user, seq, connection.snd_nxt, flags, b"")

    @precondition(lambda self: self.users)
    @rule(at=index, offset=st.integers(1, 200_000), ahead=st.sampled_from([2, 3, 1000, 1 << 29]), data=st.binary())
    def attack_with_an_ack_of_the_future(self, at: int, offset: int, ahead: int, data: bytes) -> None:
        user = self.users[at % len(self.users)]
        connection = user.connection
        if connection.state not in SYNCHRONISED or connection.rcv_wnd < 2:
            return
        seq = connection.rcv_nxt + 1 + offset % (connection.rcv_wnd - 1)
        self.attempt(user, seq, connection.snd_nxt + ahead, ACK, data)

    def attempt(self, user: User, seq: int, ack: int, flags: int, data: bytes) -> None:
        """It has to fail, but for a SYN that may open a connection in TIME-WAIT again (RFC 6191)."""
        if user.connection.state is State.TIME_WAIT and flags & (SYN | ACK | RST) == SYN:
            return
        before = user.progress()
        self.pass_on(forgery.segment(user.connection, seq, ack, flags, data), user.side)
        assert user.progress() == before

    @precondition(lambda self: self.users)
    @rule(
        at=index,
        flags=st.sampled_from([0, 0, 0, ECE, CWR]),
        window=st.sampled_from([1.0, 1.0, 1.0, 0.3, 0.0]),
        ago=st.integers(-10, 3000),
        edges=st.lists(st.tuples(st.integers(-3000, 30_000), st.integers(-3000, 30_000)), max_size=3),
    )
    def lie(self, at: int, flags: int, window: float, ago: int, edges: list[tuple[int, int]]) -> None:
        """Reports of what did not happen may cost time, but nothing of the stream."""
        user = self.users[at % len(self.users)]
        tcb = user.connection
        if tcb.state in SYNCHRONISED:
            blocks = [(tcb.snd_una + left, tcb.snd_una + right) for left, right in edges]
            echo = tcb.timestamp_clock(self.pair.now) - ago
            self.pass_on(forgery.lie(tcb, flags, int(window * tcb.snd_wnd), echo, blocks), user.side)

    # Time

    @rule()
    def next_deadline(self) -> None:
        deadlines = [each for stack in self.stacks.values() if (each := stack.next_deadline()) is not None]
        if deadlines:
            self.pass_time(max(min(deadlines) - self.pair.now, 0.0))

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.3, 2.0, 70.0, 1000.0]))
    def pass_time(self, seconds: float) -> None:
        """Maybe past deadlines: who runs us may be late."""
        self.pair.now += seconds
        self.pair.a.advance(self.pair.now)
        self.pair.b.advance(self.pair.now)

    # What must hold

    @invariant()
    def check(self) -> None:
        self.pair.flush()
        for check in self.checks:
            check.check(self.pair.now)
        for user in self.users:
            if len(user.read) > user.compared:
                user.compared = len(user.read)
                self.check_prefix(user)
        for stack in self.stacks.values():
            for ready in stack.take_ready():
                self.told[ready] = self.told.get(ready, 0) | ready.take_ready()
        for user in self.users:
            self.check_wake_ups(user)

    def check_wake_ups(self, user: User) -> None:
        """Ready bits are edges: who waits is told, or waits for ever."""
        connection, bits = user.connection, self.told.get(user.connection, 0)
        user.waits_to_read &= not bits & Ready.READABLE
        user.waits_to_write &= not bits & Ready.WRITABLE
        assert not (user.waits_to_read and connection.readable)
        assert not (user.waits_to_write and connection.writable and not len(connection.send_buffer))
        assert connection.state in OPENING or bits & (Ready.CONNECTED | Ready.CLOSED)
        assert connection.state not in (State.CLOSED, State.TIME_WAIT) or bits & Ready.CLOSED
        self.told[connection] = bits & (Ready.CONNECTED | Ready.CLOSED)

    def check_prefix(self, user: User) -> None:
        if (peer := self.peer_of(user)) is not None and not self.ambiguous(user):
            assert peer.sent.startswith(bytes(user.read)), "the stream is not what was sent"

    def teardown(self) -> None:
        """The network gets well, everybody reads to the end and closes: every connection ends, nothing stays."""
        if not hasattr(self, "pair"):
            return
        self.pair.deliver = lambda packet, direction: True
        for packet, side in self.wire:
            self.pass_on(packet, side)
        for _ in range(PATIENCE):
            busy = self.read_and_shut_down()
            if not (self.pair.step() or busy):
                break
            self.check()
        for user in self.users:
            self.check_streams(user)
        for _, listener in self.listeners:
            listener.close(self.pair.now)
        for user in self.users:
            user.connection.close(self.pair.now)
        steps = sum(1 for _ in takewhile(lambda _: self.pair.step(), range(PATIENCE)))
        assert steps < PATIENCE, "they answer each other for ever"
        self.check()
        for stack in self.stacks.values():
            assert stack.connections() == []
            assert stack.next_deadline() is None

    def read_and_shut_down(self) -> bool:
        busy = False
        for at in range(len(self.listeners)):
            self.accept(at)
        for at, user in enumerate(self.users):
            if user.connection.state not in OPENING:
                self.call(at, lambda user: user.connection.shutdown(self.pair.now))
            busy |= bool(self.call(at, lambda user: user.receive(1 << 20, self.pair.now)))
        return busy

    def check_streams(self, user: User) -> None:
        peer = self.peer_of(user)
        if user.excused or (peer is not None and peer.excused):
            return
        assert peer is not None, "a handshake did not end"
        assert user.connection.error is None
        assert user.at_end
        assert bytes(user.read) == peer.sent

    # Helpers

    def call(self, at: int, function: Callable[[User], Any]) -> Any:
        """A user call; an error is one of ours, and not for a connection that is open both ways."""
        user = self.users[at % len(self.users)]
        try:
            return function(user)
        except TCPError:
            assert user.connection.state is not State.ESTABLISHED
            return None

    def pass_on(self, packet: bytes, side: str) -> None:
        self.stacks[side].receive(packet, self.pair.now)

    def peer_of(self, user: User) -> User | None:
        """The first user at the other end of ``user``'s connection."""
        ends = (user.connection.remote, user.connection.local)
        return next((each for each in self.users if (each.connection.local, each.connection.remote) == ends), None)

    def ambiguous(self, user: User) -> bool:
        """Whether old duplicates made a second connection with these addresses and ports."""
        peer = self.peer_of(user)
        return sum(user.same_ends(each) or (peer is not None and peer.same_ends(each)) for each in self.users) > 2


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    deadline=None,
    derandomize=not EXAMPLES,
    max_examples=EXAMPLES or 80,
    stateful_step_count=100,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


def test_every_option_is_tried() -> None:
    assert set(OPTIONS) == calls.OPTIONS
