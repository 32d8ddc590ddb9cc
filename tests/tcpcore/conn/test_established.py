"""ESTABLISHED (RFC 9293 section 3.10.7.4), and the user calls in it."""

from __future__ import annotations

import pytest

from tcpcore import Connection, Ready, State, errors
from tcpcore.testing import PEER_ISS, Peer, brief
from tcpcore.wire.tcp import ACK
from tests.tcpcore.conn.conftest import MakePeer


@pytest.fixture
def connection(peer: Peer) -> Connection:
    connection = peer.established()
    connection.take_ready()
    return connection


def test_data_in_order_is_delivered(peer: Peer, connection: Connection) -> None:
    peer.send("P.", seq=1, ack=1, data=b"hello")
    assert connection.take_ready() == Ready.READABLE
    assert connection.readable
    assert connection.peek(3) == b"hel"
    assert connection.receive(99, peer.now) == b"hello"
    assert connection.receive(99, peer.now) is None


def test_data_is_acknowledged_after_the_delay(peer: Peer, connection: Connection) -> None:
    assert peer.send("P.", seq=1, ack=1, data=b"hello") == []
    assert peer.after(0.0625 - 1 / 1024) == []
    assert brief(peer.after(1 / 1024)) == [". 1:1(0) ack 6"]


def test_second_full_segment_is_acknowledged_at_once(peer: Peer, connection: Connection) -> None:
    assert peer.send(".", seq=1, ack=1, data=bytes(1460)) == []
    assert brief(peer.send(".", seq=1461, ack=1, data=bytes(1460))) == [". 1:1(0) ack 2921"]


def test_delay_of_0_acknowledges_at_once(make_peer: MakePeer) -> None:
    peer = make_peer(delayed_ack=0.0)
    peer.established()
    assert brief(peer.send(".", seq=1, ack=1, data=b"x")) == [". 1:1(0) ack 2"]


def test_ack_rides_on_data(peer: Peer, connection: Connection) -> None:
    peer.send("P.", seq=1, ack=1, data=b"ping")
    connection.send(b"pong", peer.now)
    assert brief(peer.answers()) == ["P. 1:5(4) ack 5"]
    assert peer.after(0.125) == []


def test_gap_is_reported_at_once_and_filled_later(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send(".", seq=4, ack=1, data=b"def")) == [". 1:1(0) ack 1"]
    assert connection.receive(9, peer.now) is None
    assert brief(peer.send(".", seq=1, ack=1, data=b"abc")) == [". 1:1(0) ack 7"]
    assert connection.receive(9, peer.now) == b"abcdef"


def test_overlap_is_delivered_once(peer: Peer, connection: Connection) -> None:
    peer.send(".", seq=1, ack=1, data=b"abc")
    assert brief(peer.send(".", seq=2, ack=1, data=b"bcde")) == [". 1:1(0) ack 6"]
    assert connection.receive(9, peer.now) == b"abcde"


def test_duplicate_is_acknowledged_again(peer: Peer, connection: Connection) -> None:
    peer.send(".", seq=1, ack=1, data=b"abc")
    assert brief(peer.send(".", seq=1, ack=1, data=b"abc")) == [". 1:1(0) ack 4"]
    assert connection.segments_duplicate == 1


def test_data_beyond_the_window_is_cut_off(make_peer: MakePeer) -> None:
    peer = make_peer(receive_buffer=4)
    connection = peer.established()
    assert brief(peer.send("F.", seq=1, ack=1, data=b"abcdef")) == []
    assert connection.receive(9, peer.now) == b"abcd"
    assert connection.state is State.ESTABLISHED


def test_segment_outside_the_window_is_answered_with_an_ack(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send(".", seq=100_000, ack=1, data=b"x")) == [". 1:1(0) ack 1"]


def test_out_of_order_ranges_are_limited(make_peer: MakePeer) -> None:
    peer = make_peer(max_out_of_order=2)
    connection = peer.established()
    for seq in (3, 5, 7):
        peer.send(".", seq=seq, ack=1, data=b"x")
    assert len(connection.status(peer.now).out_of_order) == 2
    assert peer.stack.statistics().drops == {"out-of-order-limit": 1}


def test_out_of_order_duplicate_is_counted(peer: Peer, connection: Connection) -> None:
    for _ in range(2):
        peer.send(".", seq=4, ack=1, data=b"def")
    assert (connection.segments_out_of_order, connection.segments_duplicate) == (2, 1)


def test_rst_at_rcv_nxt_resets(peer: Peer, connection: Connection) -> None:
    assert peer.send("R", seq=1) == []
    assert connection.state is State.CLOSED
    with pytest.raises(errors.ConnectionResetError):
        connection.receive(1, peer.now)
    with pytest.raises(errors.ConnectionResetError):
        connection.send(b"x", peer.now)


def test_rst_elsewhere_in_the_window_is_challenged(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send("R", seq=2)) == [". 1:1(0) ack 1"]
    assert connection.state is State.ESTABLISHED


def test_rst_outside_the_window_is_ignored(peer: Peer, connection: Connection) -> None:
    assert peer.send("R", seq=100_000) == []
    assert connection.state is State.ESTABLISHED


def test_syn_in_the_window_is_challenged(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send("S", seq=5)) == [". 1:1(0) ack 1"]
    assert connection.state is State.ESTABLISHED


def test_challenges_are_limited(make_peer: MakePeer) -> None:
    peer = make_peer(challenge_ack_rate=2)
    peer.established()
    assert [len(peer.send("S", seq=5)) for _ in range(4)] == [1, 1, 0, 0]
    assert peer.stack.statistics().rate_limited == 2
    peer.after(1)
    assert len(peer.send("S", seq=5)) == 1


@pytest.mark.parametrize("flags", ["S", ".", "F."])
def test_answers_to_dataless_segments_outside_the_window_are_limited(make_peer: MakePeer, flags: str) -> None:
    peer = make_peer(challenge_ack_rate=2)
    peer.established()
    assert [len(peer.send(flags, seq=100_000, ack=1)) for _ in range(4)] == [1, 1, 0, 0]
    assert brief(peer.send(".", seq=100_000, ack=1, data=b"text")) == [". 1:1(0) ack 1"]


def test_segment_without_ack_is_dropped(peer: Peer, connection: Connection) -> None:
    peer.send("P", seq=1, data=b"x")
    assert connection.receive(1, peer.now) is None


@pytest.mark.parametrize("ack", [2, -70_000])
def test_ack_of_what_was_never_sent_or_long_ago_is_challenged(peer: Peer, connection: Connection, ack: int) -> None:
    assert brief(peer.send(".", seq=1, ack=ack, data=b"x")) == [". 1:1(0) ack 1"]
    assert connection.receive(1, peer.now) is None


def test_old_ack_is_ignored_but_its_text_counts(peer: Peer, connection: Connection) -> None:
    connection.send(b"x", peer.now)
    peer.answers()
    peer.send(".", seq=1, ack=2)
    peer.send(".", seq=1, ack=1, data=b"y")
    assert connection.receive(1, peer.now) == b"y"


def test_fin_leads_to_close_wait(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send("F.", seq=1, ack=1, data=b"end")) == [". 1:1(0) ack 5"]
    assert connection.state is State.CLOSE_WAIT
    assert connection.receive(9, peer.now) == b"end"
    assert connection.receive(9, peer.now) == b""


def test_fin_beyond_a_gap_waits(peer: Peer, connection: Connection) -> None:
    assert brief(peer.send("F.", seq=3, ack=1)) == [". 1:1(0) ack 1"]
    assert brief(peer.send(".", seq=1, ack=1, data=b"ab")) == [". 1:1(0) ack 4"]
    assert connection.state is State.CLOSE_WAIT


def test_urgent_pointer_is_kept_and_data_stays_in_line(peer: Peer, connection: Connection) -> None:
    peer.send("PU.", seq=1, ack=1, data=b"abc", up=2)
    assert connection.rcv_up == connection.irs + 3
    assert [connection.receive(9, peer.now) for _ in range(2)] == [b"ab", b"c"]


def test_shutdown_sends_fin_behind_the_data(peer: Peer, connection: Connection) -> None:
    connection.send(b"last", peer.now)
    connection.shutdown(peer.now)
    assert brief(peer.answers()) == ["FP. 1:5(4) ack 1"]
    assert connection.state is State.FIN_WAIT_1


def test_shutdown_read_drops_what_comes_and_acknowledges_it(peer: Peer, connection: Connection) -> None:
    connection.shutdown_read(peer.now)
    peer.send(".", seq=1, ack=1, data=b"abc")
    assert connection.receive(9, peer.now) == b""
    assert brief(peer.after(0.0625)) == [". 1:1(0) ack 4"]


def test_close_sends_fin(peer: Peer, connection: Connection) -> None:
    connection.close(peer.now)
    connection.close(peer.now)
    assert brief(peer.answers()) == ["F. 1:1(0) ack 1"]


def test_close_with_unread_data_resets(peer: Peer, connection: Connection) -> None:
    peer.send(".", seq=1, ack=1, data=b"lost")
    connection.close(peer.now)
    assert brief(peer.answers()) == ["R. 1:1(0) ack 5"]


def test_close_with_linger_0_resets(peer: Peer, connection: Connection) -> None:
    connection.set_option("linger", 0.0, peer.now)
    connection.send(b"dropped", peer.now)
    connection.close(peer.now)
    assert brief(peer.answers()) == ["R. 1:1(0) ack 1"]


def test_abort_resets(peer: Peer, connection: Connection) -> None:
    connection.abort(peer.now)
    assert brief(peer.answers()) == ["R. 1:1(0) ack 1"]
    with pytest.raises(errors.ConnectionAbortedError):
        connection.receive(1, peer.now)


def test_send_takes_what_fits_and_tells_when_there_is_room(make_peer: MakePeer) -> None:
    peer = make_peer(send_buffer=100)
    connection = peer.established()
    connection.take_ready()
    assert connection.send(bytes(150), peer.now) == 100
    assert connection.send(b"x", peer.now) == 0
    assert not connection.writable
    peer.answers()
    peer.send(".", seq=1, ack=101)
    assert connection.take_ready() & Ready.WRITABLE
    assert connection.writable


def test_send_of_nothing_sends_nothing(peer: Peer, connection: Connection) -> None:
    assert connection.send(b"", peer.now) == 0
    assert peer.answers() == []


def test_options_change_on_the_live_connection(peer: Peer, connection: Connection) -> None:
    connection.set_option("nodelay", False, peer.now)
    assert connection.get_option("nodelay") is False
    assert peer.config.nodelay


def test_unknown_and_impossible_options_are_refused(peer: Peer, connection: Connection) -> None:
    with pytest.raises(ValueError, match="no option"):
        connection.set_option("mss", 1, peer.now)
    with pytest.raises(ValueError, match="no option"):
        connection.get_option("colour")
    with pytest.raises(ValueError, match="keepalive"):
        connection.set_option("keepalive_count", 0, peer.now)


def test_rst_may_carry_data(peer: Peer, connection: Connection) -> None:
    peer.send("R.", seq=1, ack=1, data=b"the reason")
    assert connection.state is State.CLOSED


def test_gap_in_the_middle_of_ranges_is_bridged(peer: Peer, connection: Connection) -> None:
    for seq, data in ((3, b"c"), (5, b"e"), (2, b"bcde"), (1, b"abcdefg")):
        peer.send(".", seq=seq, ack=1, data=data)
    assert connection.receive(9, peer.now) == b"abcdefg"


def test_batch_without_sack_draws_a_duplicate_ack_for_each_segment(peer: Peer, connection: Connection) -> None:
    """RFC 5681 section 4.2: else the third would not come, and the peer had to wait for its timeout."""
    for seq in (101, 201, 301, 401):
        peer.stack.receive(peer.packet(ACK, seq, 1, bytes(100), 65535), peer.now)
    assert brief(peer.answers()) == [". 1:1(0) ack 1"] * 4


def test_islands_of_a_batch_are_all_reported(make_peer: MakePeer) -> None:
    peer = make_peer(sack=True)
    peer.established(mss=1000, sack=True)
    for seq in range(101, 2001, 200):
        peer.stack.receive(peer.packet(ACK, seq, 1, bytes(100), 65535), peer.now)
    answers = peer.answers()
    assert len(answers) <= 4
    reported = {left - PEER_ISS for seg in answers for left, _ in seg.sack}
    assert {seq & 0xFFFFFFFF for seq in reported} == {seq & 0xFFFFFFFF for seq in range(101, 2001, 200)}
