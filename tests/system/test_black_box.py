"""What a peer sees that plays by its own rules: crafted packets over a TUN, in virtual time.

The words of the tests' names are those of RFC 9293, RFC 5961, RFC 4987, RFC 2525 and RFC 1337. Segments are written
as ``PA 1:6 ack 1``: flags, the numbers of their text, what they acknowledge, both ISS being 0.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise, product

import pytest
import trio
from trio.testing import MockClock

from tcpcore import Config, State
from tcpcore.driver import TCPStream
from tcpcore.seqnum import wrap
from tests.system.crafted import CraftedPeer, Wire, wire

pytestmark = pytest.mark.tun

CONFIG = Config(
    challenge_ack_interval=0.0,
    timestamps=False,
    window_scaling=False,
    receive_buffer=65535,
    initial_rto=0.25,
    min_rto=0.25,
    delayed_ack=0.0,
    nodelay=True,
    fin_wait_2_timeout=4.0,
    msl=8.0,
)
"""Times that a float can express."""
SYNCHRONISED = ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"]
FIN_FIRST = {"CLOSE-WAIT", "LAST-ACK", "CLOSING", "TIME-WAIT"}
"""States in which the peer's FIN has been received."""
WINDOW = 65535

every_version = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])
every_state = pytest.mark.parametrize("state", SYNCHRONISED)


@pytest.fixture
def clock() -> MockClock:
    """Virtual time, which waits for the kernel: packets pass the device at once, or nearly so."""
    return MockClock(autojump_threshold=0.005)


async def reach(state: str, on: Wire) -> tuple[CraftedPeer, TCPStream, int, int]:
    """A connection in ``state``, its RCV.NXT and SND.NXT; no listener could take a SYN instead of it."""
    peer, ours = await on.established()
    await on.listener.aclose()
    if state in ("CLOSE-WAIT", "LAST-ACK"):
        assert await peer.exchange("FA", 1, 1) == ["A 1:1 ack 2"]
    if state not in ("ESTABLISHED", "CLOSE-WAIT"):
        await ours.send_eof()
        assert await peer.answers() == [f"FA 1:1 ack {2 if state == 'LAST-ACK' else 1}"]
    if state == "FIN-WAIT-2":
        assert await peer.exchange("A", 1, 2) == []
    elif state == "CLOSING":
        assert await peer.exchange("FA", 1, 1) == ["A 2:2 ack 2"]
    elif state == "TIME-WAIT":
        assert await peer.exchange("FA", 1, 2) == ["A 2:2 ack 2"]
    assert str(ours.connection.state) == state
    return peer, ours, 1 + (state in FIN_FIRST), 1 + (state not in ("ESTABLISHED", "CLOSE-WAIT"))


def variables(ours: TCPStream) -> tuple[object, ...]:
    """What a segment that changes nothing leaves as it was."""
    status = ours.status()
    names = ("state", "snd_una", "snd_nxt", "snd_wnd", "snd_wl1", "snd_wl2", "rcv_nxt", "rcv_wnd", "recv_q", "bytes_in")
    return tuple(getattr(status, name) for name in names)


# Opening


@every_version
@pytest.mark.parametrize("flags", ["A", "PA", "FA"])
async def test_only_ack_of_iss_plus_1_establishes_in_syn_received(
    rng: random.Random, clock: MockClock, version: int, flags: str
) -> None:
    async with wire(rng, CONFIG, version=version) as on:
        peer = await on.peer()
        await peer.exchange("S")
        for ack in (0, 2, 100_000, wrap(-100_000), 1 << 31):
            assert await peer.exchange(flags, 1, ack, data=b"guess") == [f"R {ack}:{ack}"]
            (connection,) = on.host.stack.connections()
            assert connection.state is State.SYN_RECEIVED
        assert await peer.exchange("A", 1, 1) == []
        ours = await on.listener.accept()
        assert ours.connection.state is State.ESTABLISHED
        assert ours.status().recv_q == 0


async def test_closed_listener_resets_unaccepted_connections(rng: random.Random, clock: MockClock) -> None:
    async with wire(rng, CONFIG) as on:
        half_open, complete = await on.peer(), await on.peer()
        for peer in (half_open, complete):
            await peer.exchange("S")
        await complete.exchange("A", 1, 1)
        await on.listener.aclose()
        assert await half_open.answers() == ["RA 1:1 ack 1"]
        assert await complete.answers() == ["RA 1:1 ack 1"]
        assert await half_open.exchange("A", 1, 1) == ["R 1:1"]
        assert on.host.stack.connections() == []


async def test_full_accept_queue_drops_syns_and_does_not_complete_handshakes(
    rng: random.Random, clock: MockClock
) -> None:
    async with wire(rng, CONFIG, backlog=1) as on:
        first, second, third = await on.peer(), await on.peer(), await on.peer()
        await first.exchange("S")
        await second.exchange("S")
        await first.exchange("A", 1, 1)  # the queue is full

        assert await third.exchange("S") == []
        assert await second.exchange("PA", 1, 1, data=b"early") == []
        assert {str(c.state) for c in on.host.stack.connections()} == {"ESTABLISHED", "SYN-RECEIVED"}
        status = on.listener.status()
        assert (status.accept_queue, status.half_open, status.accept_overflows) == (1, 1, 2)
        assert str(await second.next()) == "SA 0:0 ack 1"  # it asks again

        (await on.listener.accept()).close_now()
        assert await third.exchange("S") == ["SA 0:0 ack 1"]
        assert await second.exchange("PA", 1, 1, data=b"early") == ["A 1:1 ack 6"]
        assert await (await on.listener.accept()).receive_some() == b"early"


@every_version
@pytest.mark.parametrize("flags", ["A", "PA", "FA"])
async def test_cookie_is_not_retransmitted_and_the_first_segment_completes_it(
    rng: random.Random, clock: MockClock, version: int, flags: str
) -> None:
    async with wire(rng, replace(CONFIG, syn_backlog=1), version=version) as on:
        kept, cookie = await on.peer(), await on.peer()
        await kept.exchange("S")
        assert await cookie.exchange("S", options=[("MSS", 1460)]) == ["SA 0:0 ack 1"]
        for _ in range(3):
            assert str(await kept.next()) == "SA 0:0 ack 1"
        assert await cookie.answers() == []
        assert [str(c.remote[1]) for c in on.host.stack.connections()] == [str(kept.port)]

        data = b"" if flags == "A" else b"at once"
        end = 1 + len(data) + (flags == "FA")
        assert await cookie.exchange(flags, 1, 1, data=data) == ([f"A 1:1 ack {end}"] if data else [])
        ours = await on.listener.accept()
        assert ours.connection.state is (State.CLOSE_WAIT if flags == "FA" else State.ESTABLISHED)
        assert ours.status().recv_q == len(data)
        await ours.send_all(b"welcome")
        assert await cookie.answers() == [f"PA 1:8 ack {end}"]
        assert on.listener.status().cookies_accepted == 1


# Segments outside the window, and blind attacks


@every_version
@every_state
async def test_out_of_window_syn_data_and_fin_are_acknowledged(
    rng: random.Random, clock: MockClock, version: int, state: str
) -> None:
    segments = [("S", b""), ("SA", b""), ("A", b""), ("A", b"text"), ("FA", b""), ("FA", b"text")]
    async with wire(rng, CONFIG, version=version) as on:
        peer, ours, rcv_nxt, snd_nxt = await reach(state, on)
        before = variables(ours)
        for (flags, data), seq in product(segments, (rcv_nxt - 1000, rcv_nxt + WINDOW + 1000)):
            assert await peer.exchange(flags, seq, snd_nxt, data=data) == [f"A {snd_nxt}:{snd_nxt} ack {rcv_nxt}"]
            assert variables(ours) == before


@every_state
async def test_acknowledgements_of_dataless_out_of_window_segments_are_limited_in_rate(
    rng: random.Random, clock: MockClock, state: str
) -> None:
    async with wire(rng, replace(CONFIG, challenge_ack_rate=4)) as on:
        peer, _, rcv_nxt, snd_nxt = await reach(state, on)
        acknowledgement = f"A {snd_nxt}:{snd_nxt} ack {rcv_nxt}"
        for flags in ("S", "A", "FA") * 4:
            await peer.send(flags, rcv_nxt + 100_000, snd_nxt)
        answers = await peer.answers()
        assert set(answers) == {acknowledgement}
        assert len(answers) <= 4
        assert on.host.statistics().rate_limited == 8
        # Text is no part of a loop of two ends that answer each other: always acknowledged
        assert await peer.exchange("A", rcv_nxt + 100_000, snd_nxt, data=b"text") == [acknowledgement]


@every_state
async def test_ack_of_snd_nxt_plus_1_gets_an_ack_and_changes_nothing(
    rng: random.Random, clock: MockClock, state: str
) -> None:
    async with wire(rng, CONFIG) as on:
        peer, ours, rcv_nxt, snd_nxt = await reach(state, on)
        before = variables(ours)
        for data, window in ((b"", 10), (b"text", 20_000)):
            answers = await peer.exchange("A", rcv_nxt, snd_nxt + 1, data=data, window=window)
            assert answers == [f"A {snd_nxt}:{snd_nxt} ack {rcv_nxt}"]
            assert variables(ours) == before


@every_state
async def test_rst_in_window_but_not_at_rcv_nxt_draws_a_challenge_ack(
    rng: random.Random, clock: MockClock, state: str
) -> None:
    async with wire(rng, CONFIG) as on:
        peer, ours, rcv_nxt, snd_nxt = await reach(state, on)
        before = variables(ours)
        for flags, offset in (("R", 1), ("RA", 1000), ("R", ours.status().rcv_wnd - 1)):
            assert await peer.exchange(flags, rcv_nxt + offset, snd_nxt) == [f"A {snd_nxt}:{snd_nxt} ack {rcv_nxt}"]
        for offset in (-1, ours.status().rcv_wnd, 1 << 30):
            assert await peer.exchange("R", rcv_nxt + offset, snd_nxt) == []  # outside: dropped
        assert variables(ours) == before


@every_state
@pytest.mark.parametrize("flags", ["R", "RA"])
async def test_rst_at_rcv_nxt_kills(rng: random.Random, clock: MockClock, state: str, flags: str) -> None:
    async with wire(rng, CONFIG) as on:
        peer, ours, rcv_nxt, snd_nxt = await reach(state, on)
        assert await peer.exchange(flags, rcv_nxt, snd_nxt) == []
        assert ours.connection.state is State.CLOSED
        assert on.host.stack.connections() == []
        assert await peer.exchange("A", rcv_nxt, snd_nxt) == [f"R {snd_nxt}:{snd_nxt}"]
        if state in ("ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"):
            with pytest.raises(trio.BrokenResourceError, match="reset"):
                await ours.receive_some()


async def test_rst_in_time_wait_is_ignored_with_rfc_1337(rng: random.Random, clock: MockClock) -> None:
    async with wire(rng, replace(CONFIG, rfc1337=True)) as on:
        peer, ours, rcv_nxt, snd_nxt = await reach("TIME-WAIT", on)
        assert await peer.exchange("R", rcv_nxt, snd_nxt) == []
        assert ours.connection.state is State.TIME_WAIT
        assert await peer.exchange("FA", 1, snd_nxt) == [f"A {snd_nxt}:{snd_nxt} ack {rcv_nxt}"]
        await trio.sleep(2 * CONFIG.msl)
        assert await peer.answers() == []
        assert on.host.stack.connections() == []


# Windows


@pytest.mark.parametrize("mss", [536, 1460])
async def test_zero_window_stays_zero_after_reading_mss_minus_1_bytes(
    rng: random.Random, clock: MockClock, mss: int
) -> None:
    buffer = 8 * mss
    async with wire(rng, replace(CONFIG, mss=mss, receive_buffer=buffer)) as on:
        peer, ours = await on.established()
        for start in range(0, buffer, mss):
            assert await peer.exchange("A", 1 + start, 1, data=bytes(mss)) == [f"A 1:1 ack {1 + start + mss}"]
        assert peer.seen[-1].window == 0
        end = 1 + buffer
        assert len(await ours.receive_some(mss - 1)) == mss - 1
        assert await peer.answers() == []
        assert await peer.exchange("A", end, 1, data=b"?") == [f"A 1:1 ack {end}"]  # a window probe
        assert peer.seen[-1].window == 0
        assert len(await ours.receive_some(1)) == 1
        assert await peer.answers() == [f"A 1:1 ack {end}"]
        assert peer.seen[-1].window == mss


@every_version
async def test_segment_overflowing_the_receive_buffer_is_dropped(
    rng: random.Random, clock: MockClock, version: int
) -> None:
    async with wire(rng, replace(CONFIG, receive_buffer=1000), version=version) as on:
        peer, ours = await on.established()
        assert await peer.exchange("A", 1, 1, data=b"a" * 1000) == ["A 1:1 ack 1001"]
        assert peer.seen[-1].window == 0
        assert await peer.exchange("PA", 1001, 1, data=b"b" * 100) == ["A 1:1 ack 1001"]
        assert await peer.exchange("FA", 1001, 1) == ["A 1:1 ack 1001"]
        assert ours.status().recv_q == 1000
        assert await ours.receive_some() == b"a" * 1000
        assert await peer.answers() == ["A 1:1 ack 1001"]
        assert ours.connection.state is State.ESTABLISHED
        assert await peer.exchange("PA", 1001, 1, data=b"b" * 100) == ["A 1:1 ack 1101"]
        assert await ours.receive_some() == b"b" * 100
        assert on.host.statistics().drops["beyond-window"] >= 1


async def test_text_beyond_the_window_is_never_delivered(rng: random.Random, clock: MockClock) -> None:
    async with wire(rng, replace(CONFIG, receive_buffer=1000)) as on:
        peer, ours = await on.established()
        assert await peer.exchange("A", 901, 1, data=b"c" * 1300) == ["A 1:1 ack 1"]
        assert await peer.exchange("A", 2001, 1, data=b"d" * 100) == ["A 1:1 ack 1"]
        assert await peer.exchange("A", 1, 1, data=b"a" * 900) == ["A 1:1 ack 1001"]
        assert await ours.receive_some() == b"a" * 900 + b"c" * 100
        assert ours.status().recv_q == 0


@every_version
async def test_window_probes_double(rng: random.Random, clock: MockClock, version: int) -> None:
    async with wire(rng, CONFIG, version=version) as on:
        peer, ours = await on.established(window=0)
        await ours.send_all(b"text")
        times = [trio.current_time()]
        for _ in range(6):
            probe = await peer.next()
            assert str(probe) == "A 1:2 ack 1"
            times.append(probe.time)
            await peer.send("A", 1, 1, window=0)
        assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([0.25, 0.5, 1, 2, 4, 8])
        assert await peer.exchange("A", 1, 1, window=1000) == ["PA 1:5 ack 1"]


# Retransmission


async def test_retransmitted_packets_get_a_new_ipv4_identification(rng: random.Random, clock: MockClock) -> None:
    async with wire(rng, CONFIG) as on:
        opening = await on.peer()
        await opening.exchange("S")
        for _ in range(3):
            await opening.next()
        peer, ours = await on.established()
        await ours.send_all(b"text")
        for _ in range(5):
            await peer.next()
        sent = opening.seen + peer.seen[1:]
        assert {str(segment).partition(" ")[2] for segment in peer.seen[1:]} == {"1:5 ack 1"}
        assert len({segment.identification for segment in sent}) == len(sent)


@every_version
@pytest.mark.parametrize("state", ["FIN-WAIT-1", "CLOSING", "LAST-ACK"])
async def test_fin_is_retransmitted(rng: random.Random, clock: MockClock, version: int, state: str) -> None:
    async with wire(rng, CONFIG, version=version) as on:
        peer, ours, rcv_nxt, _ = await reach(state, on)
        times = []
        for _ in range(4):
            again = await peer.next()
            assert str(again) == f"FA 1:1 ack {rcv_nxt}"
            times.append(again.time)
        assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([0.5, 1, 2])
        assert await peer.exchange("A", rcv_nxt, 2) == []
        after = {"FIN-WAIT-1": "FIN-WAIT-2", "CLOSING": "TIME-WAIT", "LAST-ACK": "CLOSED"}
        assert str(ours.connection.state) == after[state]


# Closing


@every_version
async def test_linger_0_sends_rst(rng: random.Random, clock: MockClock, version: int) -> None:
    async with wire(rng, CONFIG, version=version) as on:
        peer, ours = await on.established()
        ours.set_option("linger", 0.0)
        await ours.send_all(b"text")
        assert await peer.answers() == ["PA 1:5 ack 1"]
        await ours.aclose()
        assert await peer.answers() == ["RA 5:5 ack 1"]
        assert on.host.stack.connections() == []


async def test_fin_wait_2_of_an_orphan_times_out(rng: random.Random, clock: MockClock) -> None:
    async with wire(rng, CONFIG) as on:
        peer, ours = await on.established()
        await ours.aclose()
        assert await peer.answers() == ["FA 1:1 ack 1"]
        assert await peer.exchange("A", 1, 2) == []
        await trio.sleep(CONFIG.fin_wait_2_timeout - 0.25)
        assert str(ours.connection.state) == "FIN-WAIT-2"
        await trio.sleep(0.5)
        assert str(ours.connection.state) == "CLOSED"
        assert await peer.exchange("FA", 1, 2) == ["R 2:2"]


@every_version
async def test_unread_data_at_close_sends_rst(rng: random.Random, clock: MockClock, version: int) -> None:
    async with wire(rng, CONFIG, version=version) as on:
        peer, ours = await on.established()
        assert await peer.exchange("PA", 1, 1, data=b"text") == ["A 1:1 ack 5"]
        await ours.aclose()
        assert await peer.answers() == ["RA 1:1 ack 5"]
        assert on.host.stack.connections() == []


async def test_data_after_close_sends_rst(rng: random.Random, clock: MockClock) -> None:
    async with wire(rng, CONFIG) as on:
        peer, ours = await on.established()
        await ours.aclose()
        assert await peer.answers() == ["FA 1:1 ack 1"]
        assert await peer.exchange("PA", 1, 2, data=b"text") == ["RA 2:2 ack 1"]
