"""Where connections begin and end, twins stay equal too: SYN, ACK, FIN, TIME-WAIT and a SYN that ends it early."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpcore import Config, Connection, State
from tcpcore.seqnum import wrap
from tcpcore.wire.options import build_syn_options, build_timestamp
from tcpcore.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN
from tests.tcpcore.conn.test_prediction import PORTS, TEXT, Setting, World, examples
from tests.tcpcore.conn.twins import COMPILED, Twins, switchable
from tests.tcpcore.wire.strategies import repaired

pytestmark = pytest.mark.skipif(COMPILED, reason="compiled functions cannot be replaced")


class Door(World):
    """A stack with a listener and no connection yet."""

    def _establish(self) -> Connection:
        self.listener = self.stack.listen(PORTS[1], backlog=2)
        self.now += 1000.0
        return self.stack.connect(("192.0.2.200", 9), self.now)  # somebody has to be there

    @property
    def newest(self) -> Connection | None:
        """The connection that the packets are for."""
        found = [each for each in self.stack.connections() if each is not self.connection]
        return found[-1] if found else None


def syn(rng: Random, door: Door) -> bytes:
    """A SYN; while there is a connection maybe once more the same, or one that may take TIME-WAIT over."""
    old = door.newest
    seq, tsval = rng.getrandbits(32), rng.choice((5, 1 << 31, (1 << 32) - 2))
    if old is not None and rng.random() < 0.7:
        seq = rng.choice((old.irs, old.rcv_nxt, old.rcv_nxt + 1, old.rcv_nxt - 1))
        tsval = old.ts_recent + rng.choice((0, 1, 1, -1))
    options = build_syn_options(rng.choice((1460, 536, 40)), rng.choice((7, 0, 15)), True, (wrap(tsval), 0))
    if rng.random() < 0.1:
        options = rng.choice((b"", options[:4], build_timestamp(wrap(tsval), 0)))
    flags = rng.choice((SYN, SYN, SYN, SYN | ECE | CWR, SYN | ECE, SYN | FIN, SYN | ACK))
    text = TEXT[:10] if rng.random() < 0.1 else b""
    packet = door.packet(seq, 0, flags, rng.choice((65535, 1000, 0)), options, text)
    if rng.random() < 0.05:  # to another host, or from none
        at = rng.choice((16, 12)) if door.setting.version == 4 else rng.choice((24, 8))
        packet = repaired(packet[:at] + bytes((0xFF,)) + packet[at + 1 :])
    return packet


def other(rng: Random, door: Door) -> bytes:
    """Something that follows a SYN: mostly what comes next."""
    tcb = door.newest
    assert tcb is not None
    seq = tcb.rcv_nxt + rng.choice((0,) * 20 + (1, -1))
    ack = rng.choice((tcb.snd_nxt,) * 20 + (tcb.snd_una, tcb.snd_una, tcb.snd_nxt + 1, tcb.iss))
    flags = rng.choice((ACK,) * 9 + (ACK | FIN, ACK | FIN, ACK | PSH, ACK | FIN | PSH, ACK | ECE, RST, ACK | RST))
    stamp = wrap(tcb.ts_recent + rng.choice((0,) + (1,) * 20 + (-1,)))
    options = build_timestamp(stamp, wrap(tcb.timestamp_clock(door.now) - rng.choice((0, 10))))
    text = TEXT[: rng.choice((1, 100))] if rng.random() < 0.1 else b""
    return door.packet(seq, ack, flags, rng.choice((8000, 8000, 0)), options if rng.random() < 0.98 else b"", text)


def accept(door: Door) -> bool:
    return door.listener.accept() is not None


def use(rng: Random, door: Door) -> object:
    """A user call."""
    tcb = door.newest
    if tcb is None:
        return None
    call = rng.randrange(5)
    if call == 0:
        return tcb.send(TEXT[:100], door.now)
    if call == 1:
        return tcb.receive(1000, door.now)
    if call == 2:
        tcb.close(door.now)
    elif call == 3:
        tcb.shutdown(door.now)
    else:
        tcb.set_option("keepalive", rng.random() < 0.5, door.now)
    return None


def step(twins: Twins[Door], rng: Random) -> None:
    """One thing happens to both."""
    what, seed, checked = rng.random(), rng.random(), rng.random() < 0.5
    if what < 0.55:
        make = syn if twins.fast.newest is None or rng.random() < 0.1 else other
        packet = make(rng, twins.fast)
        if rng.random() < 0.02:
            packet = packet[:-1] + bytes((packet[-1] ^ 1,))
        twins.both(lambda door: door.receive(packet, checked))
    elif what < 0.65:
        twins.both(accept)
    elif what < 0.85:
        twins.both(lambda door: use(Random(seed), door))
    elif what < 0.9:
        passed = rng.choice((0.001, 0.05, 1.0, 3.0))
        twins.fast.now = twins.plain.now = twins.fast.now + passed
        twins.both(Door.advance)
    if rng.random() < 0.9:
        twins.both(Door.transmit)
        twins.both(Door.take_ready)
    twins.compare()


configs = st.builds(
    Config,
    msl=st.just(2.0),
    keepalive_idle=st.just(1.0),
    max_time_wait=st.sampled_from([1, 100]),
    congestion_control=st.sampled_from(["cubic", "bbr"]),
    sack=st.booleans(),
    timestamps=st.sampled_from([True, True, True, False]),
    accept_overflow=st.sampled_from(["drop", "reset"]),
    syn_cookies=st.sampled_from(["when-full", "when-full", "always"]),
    linger=st.sampled_from([None, 1.0]),
    rfc1337=st.booleans(),
    mtu_probing=st.sampled_from(["black-hole", "always"]),
)


def test_connections_come_and_go() -> None:
    seen: set[State] = set()
    reopened = 0

    @examples(300)
    @given(configs, st.sampled_from([4, 6]), st.booleans(), st.integers(0, 1 << 32))
    def run(config: Config, version: int, observed: bool, seed: int) -> None:
        nonlocal reopened
        twins, rng = Twins(lambda: Door(Setting(version, config, observed=observed)), shortcuts), Random(seed)
        before: Connection | None = None
        for _ in range(60):
            was = None if before is None else before.state
            step(twins, rng)
            tcb = twins.fast.newest
            reopened += was is State.TIME_WAIT and tcb is not before and tcb is not None
            before = tcb
            if tcb is not None:
                seen.add(tcb.state)

    with switchable() as shortcuts:
        run()
    assert shortcuts.at_edges > 500
    assert shortcuts.syns > 1000
    assert reopened > 20
    assert seen >= set(State) - {State.CLOSED, State.LISTEN, State.SYN_SENT}
