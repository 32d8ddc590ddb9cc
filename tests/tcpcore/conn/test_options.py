"""TCP options in a connection: MSS, window scale, timestamps and PAWS (RFC 9293 section 3.7.1, RFC 7323)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tcpcore import LinkCapabilities
from tcpcore.testing import PEER_ISS, PLAIN, Pair, Peer, brief, tcp_packet
from tcpcore.wire.tcp import SYN
from tests.tcpcore.conn.conftest import MakePeer

SCALED: dict[str, Any] = {"window_scaling": True, "receive_buffer": 1 << 20}


def test_syn_announces_the_mtu_less_fixed_headers(peer: Peer) -> None:
    peer.listen()
    (answer,) = peer.send("S")
    assert answer.mss == 1460


def test_mss_of_ipv6_is_20_less() -> None:
    pair = Pair(PLAIN)
    pair.b.listen(80)
    a = pair.a.connect(("2001:db8::2", 80), pair.now)
    pair.run(1)
    assert a.status(pair.now).mss == 1440


def test_configured_mss_is_announced_when_it_fits(make_peer: MakePeer) -> None:
    for mss, expected in ((500, 500), (9000, 1460)):
        peer = make_peer(mss=mss)
        peer.listen()
        assert [seg.mss for seg in peer.send("S")] == [expected]


def test_mss_is_536_when_the_peer_names_none(peer: Peer) -> None:
    assert peer.established().status(peer.now).mss == 536


def test_mss_is_1220_on_ipv6_when_the_peer_names_none() -> None:
    pair = Pair(PLAIN)
    assert pair.a.connect(("2001:db8::2", 80), pair.now).peer_mss == 1220


def test_smaller_of_the_two_mss_is_used(peer: Peer) -> None:
    assert peer.established(mss=9000).status(peer.now).mss == 1460


def test_tiny_mss_is_raised_to_64(peer: Peer) -> None:
    assert peer.established(mss=1).status(peer.now).mss == 64


def test_timestamps_take_their_12_bytes_from_the_segment(make_peer: MakePeer) -> None:
    peer = make_peer(timestamps=True)
    assert peer.established(mss=1000, ts=(1, 0)).status(peer.now).mss == 988


def test_no_mss_outside_syn(peer: Peer) -> None:
    peer.established().send(b"x", peer.now)
    assert [seg.mss for seg in peer.answers()] == [None]


def test_window_scale_is_agreed_when_both_offer_it(make_peer: MakePeer) -> None:
    peer = make_peer(**SCALED)
    connection = peer.established(wscale=2)
    status = connection.status(peer.now)
    assert (status.snd_wscale, status.rcv_wscale) == (2, 5)
    peer.send(".", seq=1, ack=1, wnd=1000)
    assert connection.status(peer.now).snd_wnd == 4000


def test_window_scale_is_off_when_the_peer_does_not_offer_it(make_peer: MakePeer) -> None:
    peer = make_peer(**SCALED)
    peer.listen()
    (answer,) = peer.send("S", mss=1460)
    assert answer.wscale is None


def test_window_of_a_syn_is_not_scaled(make_peer: MakePeer) -> None:
    peer = make_peer(**SCALED)
    peer.listen()
    (answer,) = peer.send("S", wscale=7, wnd=1000)
    assert answer.wnd == 65535
    assert peer.stack.connections()[0].status(peer.now).snd_wnd == 1000


def test_timestamps_are_echoed(make_peer: MakePeer) -> None:
    peer = make_peer(timestamps=True)
    connection = peer.established(ts=(100, 0))
    peer.send(".", seq=1, ack=1, data=b"x", ts=(200, 0))
    connection.send(b"y", peer.now)
    assert [seg.timestamp_echo for seg in peer.answers()] == [200]


def test_clock_of_timestamps_ticks_in_milliseconds(make_peer: MakePeer) -> None:
    peer = make_peer(timestamps=True)
    connection = peer.established(ts=(100, 0))
    values = []
    for _ in range(2):
        connection.send(b"y", peer.now)
        values += [seg.timestamp or 0 for seg in peer.answers()]
        peer.now += 0.125
    assert values[1] - values[0] == 125


def test_older_timestamp_is_dropped_and_challenged(make_peer: MakePeer) -> None:
    peer = make_peer(timestamps=True)
    connection = peer.established(ts=(100, 0))
    assert brief(peer.send(".", seq=1, ack=1, data=b"old", ts=(99, 0))) == [". 1:1(0) ack 1"]
    assert connection.status(peer.now).paws_drops == 1
    assert connection.receive(9, peer.now) is None


@pytest.mark.parametrize(("days", "taken"), [(23, None), (24, b"new")])
def test_timestamp_of_24_days_ago_proves_nothing(make_peer: MakePeer, days: int, taken: bytes | None) -> None:
    peer = make_peer(timestamps=True)
    connection = peer.established(ts=(100, 0))
    peer.after(days * 86400.0)
    peer.send(".", seq=1, ack=1, data=b"new", ts=(99, 0))
    assert connection.receive(9, peer.now) == taken


def test_segment_without_the_agreed_timestamp_is_dropped(make_peer: MakePeer) -> None:
    peer = make_peer(timestamps=True)
    connection = peer.established(ts=(100, 0))
    peer.send(".", seq=1, ack=1, data=b"x")
    assert connection.receive(9, peer.now) is None
    assert peer.stack.statistics().drops == {"timestamp-missing": 1}


def test_rst_needs_no_timestamp(make_peer: MakePeer) -> None:
    peer = make_peer(timestamps=True)
    connection = peer.established(ts=(100, 0))
    peer.send("R", seq=1)
    assert str(connection.state) == "CLOSED"


def syn_with(options: bytes) -> bytes:
    """A SYN to the stack with these option bytes, padded."""
    return tcp_packet(4000, 80, PEER_ISS, 0, SYN, 65535, options=options.ljust(-(-len(options) // 4) * 4, b"\0"))


@pytest.mark.parametrize(
    ("options", "mss"),
    [
        (b"\x02\x04\x03\xe8", 1000),
        (b"\x01\x02\x04\x03\xe8", 1000),
        (b"\xfe\x05abc\x02\x04\x03\xe8", 1000),
        (b"\x02\x00\x03\xe8", 536),
        (b"\x02\x01\x03\xe8", 536),
        (b"\x02\x40\x03\xe8", 536),
        (b"\x02\x03\x03\x00", 536),
        (b"\x00\x02\x04\x03\xe8", 536),
        (b"\x01\x01\x01\x02", 536),
    ],
)
def test_options_unaligned_unknown_and_malformed(peer: Peer, options: bytes, mss: int) -> None:
    peer.listen()
    peer.stack.receive(syn_with(options), peer.now)
    (connection,) = peer.stack.connections()
    assert connection.status(peer.now).mss == mss


def test_two_stacks_agree_on_everything() -> None:
    pair = Pair(replace(PLAIN, timestamps=True, **SCALED), capabilities=LinkCapabilities(mtu=9000))
    a, b = pair.connect()
    assert a.status(pair.now).mss == b.status(pair.now).mss == 8948
    assert a.status(pair.now).timestamps
    assert (a.snd_wscale, b.snd_wscale) == (5, 5)


@pytest.mark.parametrize("changes", [{}, {"timestamps": True}, SCALED, {"timestamps": True, **SCALED}])
def test_options_of_a_syn_fill_their_words(make_peer: MakePeer, changes: dict[str, Any]) -> None:
    peer = make_peer(**changes)
    peer.stack.connect(("192.0.2.9", 80), peer.now)
    (packet,) = peer.stack.transmit(peer.now)
    header = bytes(packet)[20:]
    assert len(header) == (header[12] >> 4) * 4
