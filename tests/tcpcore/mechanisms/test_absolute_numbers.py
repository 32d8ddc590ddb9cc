"""Absolute numbers inside decide as the RFCs' arithmetic modulo 2**32 does on the wire, wherever a wrap falls."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore import Connection
from tcpcore.seqnum import MODULUS, unwrap, wrap
from tcpcore.testing import PEER_ISS, PLAIN, Peer
from tcpcore.wire.tcp import ACK

HALF = 1 << 31
LARGEST = 65535 << 14
PROPERTY = settings(derandomize=True)

near_edges = st.one_of(
    st.integers(-3, 3),
    st.integers(MODULUS - 3, MODULUS + 3),
    st.integers(HALF - 3, HALF + 3),
    st.integers(5 * MODULUS - 3, 5 * MODULUS + 3),
    st.integers(0, 1 << 40),
)
raw_numbers = st.one_of(st.integers(0, 3), st.integers(MODULUS - 3, MODULUS - 1), st.integers(0, MODULUS - 1))
windows = st.one_of(st.integers(0, 3), st.integers(LARGEST - 3, LARGEST), st.integers(0, LARGEST))


def follows(later: int, earlier: int) -> bool:
    """``later`` > ``earlier`` as RFC 9293 section 3.4 means it: "modulo 2**32"."""
    return 0 < (later - earlier) % MODULUS < HALF


# Unwrapping


@PROPERTY
@given(raw_numbers, near_edges)
def test_unwrapped_number_is_the_same_on_the_wire_and_at_most_half_a_circle_away(raw: int, near: int) -> None:
    assert wrap(unwrap(raw, near)) == raw
    assert -HALF <= unwrap(raw, near) - near < HALF


def test_number_at_half_a_circle_is_the_older_one() -> None:
    """RFC 7323 section 5.2: s is after t only if 0 < s - t < 2**31."""
    for near in (0, HALF, MODULUS - 1, MODULUS, 7 * MODULUS + 9):
        assert unwrap(wrap(near + HALF), near) == near - HALF
        assert unwrap(wrap(near + HALF - 1), near) == near + HALF - 1


@PROPERTY
@given(raw_numbers, near_edges)
def test_order_is_that_of_the_wire(raw: int, near: int) -> None:
    assert (unwrap(raw, near) > near) == follows(raw, near)


@PROPERTY
@given(near_edges, st.integers(0, LARGEST), st.integers(0, LARGEST))
def test_two_numbers_within_the_largest_window_keep_their_order(near: int, one: int, other: int) -> None:
    assert (unwrap(wrap(near + one), near) < unwrap(wrap(near + other), near)) == (one < other)


# A connection somewhere in the sequence space


def acceptable(rcv_nxt: int, rcv_wnd: int, seq: int, length: int) -> bool:
    """The table of RFC 9293 section 3.4, modulo 2**32."""

    def in_window(number: int) -> bool:
        return (number - rcv_nxt) % MODULUS < rcv_wnd

    if length == 0:
        return seq == wrap(rcv_nxt) if rcv_wnd == 0 else in_window(seq)
    return in_window(seq) or in_window(seq + length - 1)


@settings(derandomize=True, max_examples=300)
@given(near_edges, windows, st.one_of(raw_numbers, st.integers(-5, 5), windows), st.integers(0, 3), st.booleans())
def test_segment_is_acceptable_as_in_the_table(rcv_nxt: int, rcv_wnd: int, seq: int, length: int, near: bool) -> None:
    peer = Peer(PLAIN)
    connection = peer.established()
    move(connection, rcv_nxt, rcv_wnd)
    raw = wrap(rcv_nxt + seq) if near else wrap(seq)
    peer.stack.receive(peer.packet(ACK, raw - PEER_ISS, 1, bytes(length), 65535), peer.now)
    takes_ack_only = raw == wrap(rcv_nxt)  # a zero window still takes valid ACKs (MUST-66)
    expected = acceptable(rcv_nxt, rcv_wnd, raw, length) or takes_ack_only
    assert (connection.segments_duplicate == 0) == expected
    assert rcv_nxt <= connection.rcv_nxt <= rcv_nxt + length


def move(connection: Connection, rcv_nxt: int, rcv_wnd: int) -> None:
    """Put the receive window elsewhere."""
    connection.irs, connection.rcv_nxt, connection.rcv_adv = rcv_nxt - 1, rcv_nxt, rcv_nxt + rcv_wnd
    connection.last_ack_sent = connection.snd_wl1 = rcv_nxt


iss_values = st.one_of(st.integers(0, 3), st.integers(MODULUS - 1005, MODULUS - 1), st.integers(0, MODULUS - 1))


@settings(derandomize=True, max_examples=200)
@given(iss_values, st.one_of(raw_numbers, st.integers(-1005, 1005)), st.booleans())
def test_ack_counts_if_it_is_of_something_in_flight(iss: int, number: int, near: bool) -> None:
    with mock.patch("tcpcore.stack.stack.initial_numbers", return_value=(iss, 0)):
        peer = Peer(PLAIN)
        connection = peer.established()
    connection.send(bytes(1000), peer.now)
    peer.answers()
    ack = wrap(iss + 1 + number) if near else number
    peer.send(".", seq=1, ack=ack - iss)
    assert connection.snd_una == (unwrap(ack, iss) if 0 < (ack - iss - 1) % MODULUS <= 1000 else iss + 1)


@settings(derandomize=True, max_examples=200)
@given(raw_numbers, st.lists(st.one_of(raw_numbers, st.integers(-3, 3), st.integers(HALF - 3, HALF + 3)), max_size=8))
def test_timestamps_are_compared_as_paws_compares_them(first: int, steps: list[int]) -> None:
    """RFC 7323 section 5.2, also after many turns of the clock (49.7 days each)."""
    peer = Peer(replace(PLAIN, timestamps=True))
    connection = peer.established(mss=1460, ts=(first, 0))
    recent, drops, seq = first, 0, 1
    for step in steps:
        stamp = wrap(recent + step)
        peer.send(".", seq=seq, ack=1, data=b"x", ts=(stamp, 0))
        if stamp == recent or follows(stamp, recent):
            seq += 1
            recent = stamp
            peer.after(0.25)  # acknowledged: TS.Recent follows
        else:
            drops += 1
        assert connection.rcv_nxt == PEER_ISS + seq
        assert (connection.paws_drops, wrap(connection.ts_recent)) == (drops, recent)


@pytest.mark.parametrize("start", [0.0, (MODULUS - 100) / 1000, 5 * MODULUS / 1000 - 0.1])
def test_our_timestamps_turn_over_without_a_gap(start: float) -> None:
    peer = Peer(replace(PLAIN, timestamps=True))
    connection = peer.established(mss=1460, ts=(1, 0))
    connection.ts_offset = 0
    clocks = [connection.timestamp_clock(start + step / 64) for step in range(20)]
    assert all(0 <= clock < MODULUS for clock in clocks)
    assert [round((clock - clocks[0]) % MODULUS * 64 / 1000) for clock in clocks] == list(range(20))
