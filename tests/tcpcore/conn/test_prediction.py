"""Header prediction, and every other shortcut, leaves the control block that the ladder of the RFC leaves.

``TCPCORE_MODEL_EXAMPLES=3000 pytest tests/tcpcore/conn/test_prediction.py`` looks longer, at new examples each time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore import Config, Connection, LinkCapabilities, Stack, State
from tcpcore.seqnum import MASK, wrap
from tcpcore.stack.isn import initial_numbers
from tcpcore.testing import PEER_ADDRESS, STACK_ADDRESS, Pair, tcp_packet
from tcpcore.timing import Timer
from tcpcore.wire.options import build_sack, build_syn_options, build_timestamp
from tcpcore.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG
from tcpcore.wire.usual import ends
from tests.tcpcore.conn.twins import COMPILED, Diary, Shortcuts, Twins, difference, on_the_wire, switchable
from tests.tcpcore.model.choices import OPTIONS
from tests.tcpcore.wire.strategies import repaired

EXAMPLES = int(os.environ.get("TCPCORE_MODEL_EXAMPLES", "0"))
pytestmark = pytest.mark.skipif(COMPILED, reason="compiled functions cannot be replaced")

PORTS: Final = (4000, 80)
ADDRESSES: Final = {
    4: (PEER_ADDRESS, STACK_ADDRESS),
    6: (bytes.fromhex("20010db8000000000000000000000009"), bytes.fromhex("20010db8000000000000000000000001")),
}
SECRET: Final = b"s" * 32
TEXT: Final = Random(5).randbytes(1 << 17)
HALF: Final = 1 << 31


def examples(count: int) -> settings:
    """``count`` examples, always the same; or as many times more of new ones as the environment asks for."""
    return settings(deadline=None, derandomize=not EXAMPLES, max_examples=max(EXAMPLES * count // 100, count))


USUAL: Final = Config(receive_buffer=20_000, msl=1.0)


@dataclass(frozen=True)
class Setting:
    """What a pair of worlds begins with; ``before_wrap``: octets of ours, and of the peer's, before 2**32."""

    version: int = 4
    config: Config = USUAL
    before_wrap: tuple[int, int] = (3000, 3000)
    peer_mss: int = 1460
    peer_wscale: int | None = 3
    peer_sack: bool = True
    peer_ecn: bool = False
    timestamp: int = (1 << 32) - 20
    """The peer's first TSval."""
    offload: bool = False
    observed: bool = False


class World:
    """A stack with one connection, to a peer made by hand."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        link = LinkCapabilities(checksum_offload=setting.offload, segmentation_offload=setting.offload)
        self.stack = Stack(["192.0.2.1/24", "2001:db8::1/64"], setting.config, Random(7), SECRET, link)
        self.diary = Diary()
        if setting.observed:
            self.stack.observe(self.diary)
        self.addresses = ADDRESSES[setting.version]
        key = ends(*self.addresses, *PORTS)
        iss, _ = initial_numbers(self.stack.env, key, 0.0)
        self.now = ((MASK - setting.before_wrap[0] - iss) & MASK) * 4e-6 + 1.0
        self.wire: list[tuple[int, int, list[bytes]]] = []
        self.connection = self._establish()

    def _establish(self) -> Connection:
        setting, now = self.setting, self.now
        listener = self.stack.listen(PORTS[1])
        irs = wrap(-setting.before_wrap[1])
        offer = build_syn_options(setting.peer_mss, setting.peer_wscale, setting.peer_sack, (setting.timestamp, 0))
        flags = SYN | ECE | CWR if setting.peer_ecn else SYN
        self.stack.receive(self.packet(irs, 0, flags, 65535, offer), now)
        (connection,) = self.stack.connections()
        self.stack.transmit(now)
        stamp = build_timestamp(setting.timestamp, connection.timestamp_clock(now))
        self.stack.receive(self.packet(irs + 1, connection.snd_nxt, ACK, 8000, stamp), now)
        self.stack.transmit(now)
        assert listener.accept() is connection
        assert connection.state is State.ESTABLISHED
        return connection

    def packet(
        self, seq: int, ack: int, flags: int, wnd: int, options: bytes = b"", data: bytes = b"", up: int = 0
    ) -> bytes:
        return tcp_packet(*PORTS, wrap(seq), wrap(ack), flags, wnd, up, options, data, *self.addresses)

    def receive(self, packet: bytes, checked: bool) -> None:
        buffer = memoryview(bytearray(packet))
        self.stack.receive(buffer, self.now, checked)
        buffer[:] = bytes(len(packet))  # what is kept was copied

    def transmit(self) -> list[tuple[int, int, list[bytes]]]:
        return on_the_wire(self.stack.transmit(self.now))

    def next_deadline(self) -> float | None:
        return self.stack.next_deadline()

    def advance(self) -> None:
        self.stack.advance(self.now)

    def take_ready(self) -> list[int]:
        return [each.take_ready() if isinstance(each, Connection) else -1 for each in self.stack.take_ready()]


class Conversation:
    """Twins, and what happens to them."""

    def __init__(self, setting: Setting, shortcuts: Shortcuts) -> None:
        self.twins = Twins(lambda: World(setting), shortcuts)
        self.setting = setting
        self.tally: Counter[str] = Counter()
        self.twins.compare()

    @property
    def tcb(self) -> Connection:
        return self.twins.fast.connection

    @property
    def now(self) -> float:
        return self.twins.fast.now

    def receive(self, packet: bytes, checked: bool = False) -> None:
        before = self.twins.shortcuts.predicted
        self.twins.both(lambda world: world.receive(packet, checked))
        self.tally["packets"] += 1
        self.tally["predicted"] += self.twins.shortcuts.predicted - before
        self.twins.compare()

    def transmit(self) -> None:
        self.twins.both(World.transmit)
        self.twins.compare()

    def pass_time(self, end: float) -> None:
        """Fire timers until ``end``, a hundred at most."""
        for _ in range(100):
            deadline = self.twins.both(World.next_deadline)
            if deadline is None or deadline > end:
                break
            self.set_clock(max(self.now, deadline))
            self.twins.both(World.advance)
            self.transmit()
        self.set_clock(end)

    def set_clock(self, now: float) -> None:
        self.twins.fast.now = self.twins.plain.now = now


Step = Callable[[Conversation], None]


@dataclass(frozen=True)
class Arrival:
    """A packet of the peer, told in terms of what the stack expects."""

    text: int = 0
    """Octets; with ``fills``, more than there is room for."""
    fills: bool = False
    ack: tuple[str, int] = ("nxt", 0)
    """So many octets beyond SND.UNA, SND.NXT, or what is half way."""
    seq: int = 0
    """Beyond RCV.NXT."""
    tsval: int | None = 1
    """Beyond TS.Recent; ``None``: no timestamp."""
    echo: int = 10
    """Milliseconds since we sent the TSval that is echoed."""
    wnd: int = 8000
    flags: int = ACK
    sack: tuple[int, int] | None = None
    """Beyond SND.UNA; in front of the timestamp."""
    damage: str = ""
    traffic_class: int = 0
    hop_limit: int = 64
    checked: bool = False
    answered: bool = True
    """Whether the stack transmits before anything else happens."""

    def __call__(self, to: Conversation) -> None:
        tcb = to.tcb
        bases = {"una": tcb.snd_una, "half": (tcb.snd_una + tcb.snd_nxt + 1) // 2, "nxt": tcb.snd_nxt}
        ack = bases[self.ack[0]] + self.ack[1]
        length = max(self.text + tcb.rcv_wnd * self.fills, 0)
        options = b""
        if self.sack is not None:
            left, right = self.sack
            options += build_sack([(wrap(tcb.snd_una + left), wrap(tcb.snd_una + right))])
        if self.tsval is not None:
            stamp = wrap(tcb.ts_recent + self.tsval)
            options += build_timestamp(stamp, wrap(tcb.timestamp_clock(to.now) - self.echo))
        seq = tcb.rcv_nxt + self.seq
        data = TEXT[seq % 65536 :][: min(length, 60_000)]
        packet = to.twins.fast.packet(
            seq,
            ack,
            self.flags,
            self.wnd,
            options,
            data,
            3 if self.flags & URG or self.damage == "urgent pointer" else 0,
        )
        to.receive(self._changed(packet), self.checked)
        if self.answered:
            to.transmit()

    def _changed(self, packet: bytes) -> bytes:
        changed, header = bytearray(packet), 20 if packet[0] >> 4 == 4 else 40
        if header == 20:
            changed[1], changed[8] = self.traffic_class, self.hop_limit
        else:
            changed[0] |= self.traffic_class >> 4
            changed[1] |= self.traffic_class << 4 & 0xF0
            changed[7] = self.hop_limit
        if self.damage == "checksum":
            changed[-1] ^= 1
        elif self.damage == "reserved":
            changed[header + 12] |= 1
        elif self.damage == "ip option" and header == 40:
            changed[40:40] = bytes((changed[6], 0, 1, 4, 0, 0, 0, 0))
            changed[6] = 60
        elif self.damage == "ip option":
            changed[20:20] = b"\1\1\1\0"
            changed[0] += 1
        elif self.damage in ("fragment", "evil bit") and header == 20:
            changed[6] |= 0x20 if self.damage == "fragment" else 0x80
        whole = repaired(bytes(changed))
        if self.damage == "header checksum" and not self.checked:  # who vouches for a packet does so for all of it
            return whole[:10] + bytes((whole[10] ^ 1,)) + whole[11:]
        if self.damage == "padding":
            return whole + b"\0\0\0"
        return whole[:-1] if self.damage == "cut" else whole


@dataclass(frozen=True)
class Send:
    """The user sends."""

    size: int
    urgent: bool = False
    answered: bool = True

    def __call__(self, to: Conversation) -> None:
        data = TEXT[to.tcb.send_buffer.end % 65536 :][: self.size]
        to.twins.both(lambda world: world.connection.send(data, world.now, self.urgent))
        if self.answered:
            to.transmit()


@dataclass(frozen=True)
class Receive:
    """The user reads, and asks who is ready."""

    size: int

    def __call__(self, to: Conversation) -> None:
        to.twins.both(World.take_ready)
        to.twins.both(lambda world: world.connection.receive(self.size, world.now))
        to.transmit()


@dataclass(frozen=True)
class Wait:
    """Time passes; below 0: until the next timer."""

    seconds: float

    def __call__(self, to: Conversation) -> None:
        deadline = to.twins.both(lambda world: world.connection.timers.next_deadline())
        assert deadline is not None
        if self.seconds >= 0:
            to.pass_time(to.now + self.seconds)
        elif deadline < inf:
            to.pass_time(max(deadline, to.now))


@dataclass(frozen=True)
class End:
    """``shutdown``, ``shutdown_read``, ``close`` or ``abort``."""

    how: str

    def __call__(self, to: Conversation) -> None:
        to.twins.both(lambda world: getattr(world.connection, self.how)(world.now))
        to.transmit()


@dataclass(frozen=True)
class Set:
    """An option is changed."""

    name: str
    value: Any

    def __call__(self, to: Conversation) -> None:
        to.twins.both(lambda world: world.connection.set_option(self.name, self.value, world.now))
        to.transmit()


def seldom(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Mostly ``usual``."""
    return st.sampled_from([usual] * 8 * len(others) + list(others))


usual_arrivals = st.builds(
    Arrival,
    text=st.sampled_from([0, 0, 1, 100, 1448, 2896, 5000]),
    ack=st.sampled_from([("nxt", 0), ("nxt", 0), ("una", 0), ("half", 0), ("una", 1), ("una", 1448), ("una", 2896)]),
    tsval=st.sampled_from([0, 1, 1, 50]),
    wnd=seldom(8000, 65_535, 1000, 100, 1, 0),
    flags=st.sampled_from([ACK, ACK | PSH]),
    traffic_class=st.sampled_from([0, 0, 0, 0xB8, 3]),
    checked=st.booleans(),
    answered=st.booleans(),
)
strange_arrivals = st.builds(
    Arrival,
    text=st.sampled_from([0, 0, 1, 100, 1448, -1]),
    fills=seldom(False, True),
    ack=seldom(
        ("nxt", 0),
        ("una", 0),
        ("half", 0),
        ("una", 1),
        ("una", 1448),
        ("una", -1),
        ("una", -100),
        ("una", -90_000),
        ("nxt", 1),
        ("nxt", 2),
        ("nxt", 1000),
        ("nxt", HALF),
    ),
    seq=seldom(0, -1, -100, -5000, 1, 100, 1448, 5000, 19_999, 20_000),
    tsval=seldom(1, None, 0, -1, -30, HALF - 1, HALF, HALF + 1),
    echo=seldom(10, 0, 500, -5, 1 << 20),
    wnd=seldom(8000, 65_535, 1000, 100, 1, 0),
    flags=seldom(ACK, ACK | PSH, ACK | URG, ACK | ECE, ACK | CWR, ACK | FIN, ACK | SYN, ACK | RST, PSH),
    sack=seldom(None, (1448, 2896), (1, 100), (-100, 0)),
    damage=st.sampled_from(
        [""] * 8
        + ["checksum", "fragment", "ip option", "evil bit", "reserved", "header checksum", "padding", "cut"]
        + ["urgent pointer"]
    ),
    hop_limit=seldom(64, 1, 255, 0),
    checked=st.booleans(),
    answered=st.booleans(),
)
sizes = st.sampled_from([1, 100, 1448, 1449, 4000, 20_000])
calls: st.SearchStrategy[Step] = st.one_of(
    st.builds(Send, sizes, seldom(False, True), st.booleans()),
    st.builds(Receive, sizes),
    st.builds(Wait, st.sampled_from([0.001, 0.03, 0.05, 0.3, 2.0, -1.0])),
)
rare: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from(sorted(OPTIONS)).flatmap(lambda name: st.builds(Set, st.just(name), OPTIONS[name])),
    st.builds(End, st.sampled_from(["shutdown", "shutdown_read", "close", "abort"])),
    st.just(Wait(25 * 86400.0)),
)
kinds: dict[str, st.SearchStrategy[Step]] = {"u": usual_arrivals, "s": strange_arrivals, "c": calls, "r": rare}
steps = st.sampled_from("uuuuuuuuuuuussssssccccccr").flatmap(kinds.__getitem__)
conversations = st.lists(steps, min_size=5, max_size=40)
starts = st.builds(
    Setting,
    version=st.sampled_from([4, 6]),
    config=st.builds(
        Config,
        receive_buffer=seldom(20_000, None, 5000, 1),
        receive_buffer_initial=st.just(5000),
        congestion_control=st.sampled_from(["cubic", "reno"]),
        nodelay=st.booleans(),
        delayed_ack=st.sampled_from([0.04, 0.0]),
        send_buffer=st.sampled_from([1 << 20, 5000]),
        user_timeout=st.sampled_from([None, 1000.0]),
        msl=st.just(1.0),
    ),
    before_wrap=st.tuples(*[st.sampled_from([100, 3000, 20_000, HALF])] * 2),
    peer_mss=st.sampled_from([1460, 536]),
    peer_wscale=st.sampled_from([None, 0, 3, 14]),
    peer_sack=st.booleans(),
    timestamp=st.sampled_from([1, HALF - 5, (1 << 32) - 20]),
    offload=st.booleans(),
    observed=st.booleans(),
)


def test_predicted_packets_leave_what_the_ladder_leaves() -> None:
    tally: Counter[str] = Counter()

    @examples(250)
    @given(starts, conversations)
    def converse(setting: Setting, conversation: list[Step]) -> None:
        to = Conversation(setting, shortcuts)
        for step in conversation:
            step(to)
        tally.update(to.tally)

    with switchable() as shortcuts:
        converse()
    assert tally["predicted"] > tally["packets"] / 5, tally


@dataclass(frozen=True)
class Situation:
    """What a connection is brought into, and how to see that it is in it."""

    steps: tuple[Step, ...]
    holds: Callable[[Connection], object]
    setting: Setting = Setting()


def armed(timer: Timer) -> Callable[[Connection], bool]:
    return lambda tcb: tcb.timers.armed(timer)


NOTHING_NEW = ("una", 0)
TWICE = (Wait(-1), Wait(-1))
LOSS = (Send(20_000), Arrival(ack=NOTHING_NEW, sack=(2896, 11_000)))
CLOSED = (Send(20_000), Arrival(wnd=0))
SITUATIONS = {
    "an ACK is delayed": Situation((Arrival(text=100),), armed(Timer.DELAYED_ACK)),
    "much is in flight": Situation((Send(20_000),), lambda tcb: tcb.in_flight > 5000 and tcb.unreported_write is False),
    "the send buffer is full": Situation(
        (Send(20_000),), lambda tcb: tcb.unreported_write, Setting(config=Config(send_buffer=5000))
    ),
    "the window is closed": Situation(CLOSED, armed(Timer.PERSIST)),
    "a window probe is out": Situation((*CLOSED, *TWICE), lambda tcb: tcb.out_probe),
    "a window opened": Situation((*CLOSED, *TWICE, Arrival(wnd=8000)), lambda tcb: tcb.snd_wnd and tcb.in_flight),
    "text is missing": Situation((Arrival(text=100, seq=1448),), lambda tcb: tcb.out_of_order),
    "a FIN waits": Situation((Arrival(text=9, seq=99, flags=ACK | FIN),), lambda tcb: tcb.rcv_fin is not None),
    "a FIN without text waits": Situation(
        (Arrival(seq=99, flags=ACK | FIN),), lambda tcb: tcb.rcv_fin is not None and tcb.out_of_order is None
    ),
    "a segment was lost": Situation(LOSS, lambda tcb: tcb.recovery is not None and tcb.recovery.prr is not None),
    "a loss is repaired": Situation((*LOSS, Arrival()), lambda tcb: tcb.recovery is None and tcb.rack),
    "a timeout": Situation((Send(9000), Wait(1.0)), lambda tcb: tcb.recovery is not None and tcb.recovery.prr is None),
    "a tail loss probe is out": Situation((Send(1000), Wait(-1)), lambda tcb: tcb.tlp_end is not None),
    "without SACK": Situation(
        (Send(9000), Arrival(ack=NOTHING_NEW)), lambda tcb: tcb.dup_acks and not tcb.sack_ok, Setting(peer_sack=False)
    ),
    "a keepalive probe is out": Situation(
        (Set("keepalive_idle", 0.5), Set("keepalive", True), Wait(0.6)), lambda tcb: tcb.keepalive_probes
    ),
    "a corked tail": Situation((Set("cork", True), Send(100)), armed(Timer.CORK)),
    "Nagle's algorithm": Situation((Send(9), Send(9)), lambda tcb: tcb.send_buffer.end > tcb.snd_nxt > tcb.snd_una),
    "nothing was transmitted yet": Situation(
        (Arrival(text=1448, answered=False), Send(9, answered=False)), lambda tcb: tcb.pending
    ),
    "urgent data to the peer": Situation((Send(100, urgent=True),), lambda tcb: tcb.snd_up > tcb.snd_una),
    "urgent data of the peer": Situation((Arrival(text=9, flags=ACK | URG),), lambda tcb: tcb.rcv_up),
    "nobody reads": Situation((Arrival(text=9), End("shutdown_read")), lambda tcb: tcb.read_closed),
    "our FIN is out": Situation((Send(9), End("shutdown")), lambda tcb: tcb.state is State.FIN_WAIT_1),
    "our FIN arrived": Situation((End("shutdown"), Arrival()), lambda tcb: tcb.state is State.FIN_WAIT_2),
    "the peer's FIN arrived": Situation((Arrival(flags=ACK | FIN),), lambda tcb: tcb.state is State.CLOSE_WAIT),
    "ECN": Situation((Send(9000),), lambda tcb: tcb.ecn, Setting(peer_ecn=True)),
    "BBR": Situation((Send(9000),), lambda tcb: tcb.rate, Setting(config=Config(congestion_control="bbr"))),
    "pacing": Situation((Send(9000),), lambda tcb: tcb.pacer, Setting(config=Config(pacing=True))),
    "a larger MTU is looked for": Situation(
        (Send(20_000),), lambda tcb: tcb.mtu_search, Setting(config=Config(mtu_probing="always"))
    ),
    "the receive buffer grows": Situation(
        (Arrival(text=1448), Wait(0.001), Receive(20_000)) * 8,
        lambda tcb: tcb.receive_grown,
        Setting(config=Config(receive_buffer_initial=3000)),
    ),
    "the receive buffer is full": Situation((Arrival(fills=True),), lambda tcb: tcb.rcv_wnd == 0),
    "TS.Recent is too old": Situation((Wait(25 * 86400.0),), lambda tcb: tcb.state is State.ESTABLISHED),
    "the peer has no timestamps": Situation(
        (Arrival(tsval=None),), lambda tcb: not tcb.ts_on, Setting(config=Config(timestamps=False))
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_in_every_situation(situation: Situation) -> None:
    @examples(15)
    @given(st.sampled_from([4, 6]), st.lists(st.one_of(usual_arrivals, steps), min_size=3, max_size=12))
    def converse(version: int, conversation: list[Step]) -> None:
        to = Conversation(replace(situation.setting, version=version), shortcuts)
        for step in situation.steps:
            step(to)
        assert situation.holds(to.tcb)
        for step in conversation:
            step(to)

    with switchable() as shortcuts:
        converse()


def pairs(
    config: Config, latency: float, seed: int, loss: float, duplicate: float, reorder: float, offload: bool
) -> Callable[[], Pair]:
    link = LinkCapabilities(checksum_offload=offload, segmentation_offload=offload)
    return lambda: Pair(config, None, latency, seed, loss, duplicate, reorder, 0.0, link)


def inside(pair: Pair) -> tuple[object, ...]:
    """Both stacks, and all that is on its way between them."""
    return pair.a, pair.b, pair.a_to_b, pair.b_to_a, pair.now


rates = st.sampled_from([0.0, 0.02, 0.1])
networks = st.builds(
    pairs,
    st.builds(
        Config,
        congestion_control=st.sampled_from(["cubic", "reno", "bbr"]),
        sack=seldom(True, False),
        ecn=seldom("off", "on"),
        receive_buffer=st.sampled_from([None, 10_000]),
        receive_buffer_initial=st.just(10_000),
        nodelay=st.booleans(),
    ),
    st.sampled_from([0.0, 0.01]), st.integers(0, 9999), rates, rates, rates, st.booleans(),
)  # fmt: skip


def test_both_ends_of_a_bad_network() -> None:
    predicted = 0

    @examples(40)
    @given(networks, st.integers(0, 9999))
    def run(make: Callable[[], Pair], seed: int) -> None:
        nonlocal predicted
        rng, twins = Random(seed), Twins(make, shortcuts)
        before = shortcuts.predicted
        sides = twins.both(lambda pair: "") is None or {id(pair): pair.connect() for pair in (twins.fast, twins.plain)}
        assert isinstance(sides, dict)
        for _ in range(80):
            side, size, reads = rng.randrange(2), rng.choice((1, 100, 1448, 20_000)), rng.random() < 0.7
            twins.both(lambda pair: sides[id(pair)][side].send(TEXT[:size], pair.now))  # noqa: B023
            twins.both(lambda pair: reads and sides[id(pair)][1 - side].receive(size, pair.now))  # noqa: B023
            twins.both(Pair.step)
            assert (found := difference(inside(twins.fast), inside(twins.plain))) is None, found
        predicted += shortcuts.predicted - before

    with switchable() as shortcuts:
        run()
    assert predicted > 100


@examples(200)
@given(
    st.sampled_from([4, 6]),
    st.tuples(st.integers(0, MASK), st.integers(0, MASK), st.integers(0, 0xFFFF)),
    st.sampled_from([ACK, ACK | PSH, ACK | FIN, ACK | URG, RST, RST | ACK, ACK | ECE | CWR]),
    st.sampled_from([0, 1, 1448, 1449, 14_480, 65_000]),
    st.booleans(),
    st.sampled_from([b"", build_sack([(1, 2), (3, 4)])]),
    st.tuples(st.integers(1, 255), st.sampled_from([0, 0xB8, 0xFC]), st.sampled_from([0, 1, 2])),
)
def test_headers_from_the_template_are_those_of_the_general_builders(
    version: int, numbers: tuple[int, int, int], flags: int, length: int, stamped: bool, options: bytes,
    marks: tuple[int, int, int],
) -> None:  # fmt: skip
    def emit(world: World) -> list[tuple[int, int, list[bytes]]]:
        connection, now = world.connection, world.now
        connection.identification, connection.snd_up = numbers[2], numbers[0] + 10
        result = []
        for size in (0, 1000):
            payload = (TEXT[: length // 3], memoryview(TEXT)[length // 3 : length])
            shortcuts.emit(
                connection, *numbers[:2], flags, numbers[2], now, stamped, options, payload, length, size, marks[2]
            )
            connection.set_option("ttl", marks[0], now)
            connection.set_option("traffic_class", marks[1], now)
            result += world.transmit()
        return result

    with switchable() as shortcuts:
        twins = Twins(lambda: World(Setting(version, offload=True)), shortcuts)
        sent = twins.both(emit)
        twins.compare()
    assert sent is not None
    assert len(sent) == 2
