"""LISTEN (RFC 9293 section 3.10.7.2), and the calls that make and end it."""

from __future__ import annotations

import pytest

from tcpcore import Stack, errors
from tcpcore.testing import Peer, brief


def test_syn_is_answered_with_syn_ack(peer: Peer) -> None:
    peer.listen()
    assert brief(peer.send("S")) == ["S. 0:0(0) ack 1"]
    assert [str(c.state) for c in peer.stack.connections()] == ["SYN-RECEIVED"]


def test_data_on_a_syn_is_not_acknowledged_yet(peer: Peer) -> None:
    peer.listen()
    assert brief(peer.send("S", data=b"early")) == ["S. 0:0(0) ack 1"]


def test_rst_is_ignored(peer: Peer) -> None:
    peer.listen()
    assert peer.send("R") == []
    assert peer.stack.connections() == []


@pytest.mark.parametrize("flags", [".", "S.", "F.", "P."])
def test_ack_is_answered_with_rst_at_its_number(peer: Peer, flags: str) -> None:
    peer.listen()
    peer.iss = 0
    assert brief(peer.send(flags, ack=77)) == ["R 77:77(0)"]


@pytest.mark.parametrize("flags", ["F", "P", "U", ""])
def test_segment_without_syn_or_ack_is_dropped(peer: Peer, flags: str) -> None:
    peer.listen()
    assert peer.send(flags, data=b"x") == []
    assert peer.stack.statistics().drops == {"no-connection": 1}


def test_two_listeners_cannot_have_one_port(peer: Peer) -> None:
    peer.listen()
    with pytest.raises(errors.AddressInUseError):
        peer.listen()


def test_listener_on_an_address_comes_before_the_one_on_all(peer: Peer) -> None:
    everywhere = peer.listen()
    here = peer.stack.listen(80, "192.0.2.1")
    peer.send("S")
    assert (everywhere.status().half_open, here.status().half_open) == (0, 1)


def test_address_of_a_listener_must_be_ours(peer: Peer) -> None:
    with pytest.raises(errors.AddressError):
        peer.stack.listen(80, "192.0.2.77")


@pytest.mark.parametrize("port", [-1, 65536])
def test_port_out_of_range_is_refused(peer: Peer, port: int) -> None:
    with pytest.raises(errors.AddressError):
        peer.stack.listen(port)


def test_port_0_chooses_an_ephemeral_port(peer: Peer) -> None:
    low, high = peer.config.ephemeral_ports
    assert low <= peer.stack.listen(0).port <= high


def test_stack_refuses_an_address_it_cannot_parse() -> None:
    with pytest.raises(errors.AddressError):
        Stack(["not an address"])


def test_after_close_a_syn_is_refused(peer: Peer) -> None:
    peer.listen().close(peer.now)
    assert brief(peer.send("S")) == ["R. 0:0(0) ack 1"]
    assert peer.stack.listeners() == []
