"""Send buffer, receive queue and reassembly, against plain byte strings."""

from __future__ import annotations

import tracemalloc
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore.conn.outoforder import OutOfOrder
from tcpcore.conn.reassembly import ReceiveQueue
from tcpcore.conn.sendbuffer import JOIN_UP_TO, MAX_PIECES, SendBuffer

MODEL = settings(deadline=None, derandomize=True, max_examples=200)
TEXT = Random(3).randbytes(1 << 16)


pieces_of_users = st.one_of(
    st.binary(min_size=1, max_size=20), st.sampled_from([100, 1448, 20_000]).map(lambda size: TEXT[:size])
)


@MODEL
@given(
    st.integers(0, 1 << 33),
    st.lists(st.tuples(st.sampled_from("aaaslkp"), pieces_of_users, st.booleans(), st.integers(0, 100)), max_size=150),
)
def test_send_buffer_is_a_byte_string_with_a_moving_start(
    start: int, steps: list[tuple[str, bytes, bool, int]]
) -> None:
    """``s``: some of it is sent; ``l``: some of what was sent is found lost; ``k``: acknowledged; ``p``: probed."""
    buffer, model, una, nxt = SendBuffer(start), bytearray(), 0, 0
    for what, data, viewed, percent in steps:
        share = percent / 100
        if what == "a":
            buffer.append(memoryview(data) if viewed else data)
            model += data
        elif what == "s" and nxt < len(model):
            length = max(int((len(model) - nxt) * share), 1)
            assert b"".join(buffer.pieces(start + nxt, length)) == model[nxt : nxt + length]
            nxt += length
        elif what == "l" and una < nxt:
            at = una + int((nxt - una - 1) * share)
            length = max(int((len(model) - at) * (1 - share)), 1)  # what never left may follow, as behind a probe
            assert b"".join(buffer.pieces(start + at, length)) == model[at : at + length]
        elif what == "p" and nxt < len(model):
            assert b"".join(buffer.pieces(start + nxt, 1)) == model[nxt : nxt + 1]
        elif what == "k":
            una += int((nxt - una) * share)
            buffer.acknowledge(start + una)
        assert (buffer.start, buffer.end, len(buffer)) == (start + una, start + len(model), len(model) - una)
    if una < len(model):
        assert b"".join(buffer.pieces(start + una, len(buffer))) == model[una:]


def test_send_buffer_forgets_a_long_past() -> None:
    buffer = SendBuffer(0)
    for number in range(200):
        buffer.append(bytes((number,)))
    for ack in range(200):
        buffer.acknowledge(ack)
        assert b"".join(buffer.pieces(ack, 1)) == bytes((ack,))


def test_send_buffer_does_not_copy_whole_chunks() -> None:
    buffer, data = SendBuffer(0), b"whole"
    buffer.append(data)
    assert buffer.pieces(0, 5)[0] is data
    assert buffer.pieces(0, 5)[0] is data


def test_send_buffer_joins_small_pieces_when_they_leave() -> None:
    buffer = SendBuffer(0)
    for number in range(100):
        buffer.append(bytes((number,)) * 10)
    (left,) = buffer.pieces(0, 1000)
    assert buffer.pieces(0, 1000)[0] is left
    buffer.acknowledge(500)
    assert buffer.pieces(500, 500) == [left[500:]]


def test_send_buffer_refers_to_large_pieces() -> None:
    buffer, data = SendBuffer(0), bytearray(TEXT)
    for at in range(0, JOIN_UP_TO * 2, JOIN_UP_TO):
        buffer.append(memoryview(data)[at : at + JOIN_UP_TO])
    left = buffer.pieces(0, JOIN_UP_TO * 2 - 1)
    assert [len(each) for each in left] == [JOIN_UP_TO, JOIN_UP_TO - 1]
    assert all(isinstance(each, memoryview) and each.obj is data for each in left)
    last = buffer.pieces(JOIN_UP_TO * 2 - 1, 1)
    assert isinstance(last[0], memoryview)
    assert last[0].obj is data


def test_send_buffer_copies_no_large_pieces_that_leave_in_one_decision() -> None:
    buffer, pieces = SendBuffer(0), [bytes(40_000) for _ in range(2 * MAX_PIECES)]
    for piece in pieces:
        buffer.append(piece)
    buffer.leave(40_000 * len(pieces) - 1)
    for at, piece in enumerate(pieces[:-1]):
        assert buffer.pieces(40_000 * at, 40_000)[0] is piece
    assert [len(each) for each in buffer.pieces(30_000, 40_000)] == [10_000, 30_000]


def test_send_buffer_never_gives_more_pieces_than_a_system_call_should_gather() -> None:
    buffer = SendBuffer(0)
    for at in range(0, 40_000, 1000):
        buffer.append(TEXT[at : at + 1000])
    assert [len(each) for each in buffer.pieces(0, 20_000)] == [20_000]
    assert [len(each) for each in buffer.pieces(20_000, 100)] == [100]
    for at in range(20_100, 40_000, 199):
        assert b"".join(buffer.pieces(at, 199)) == TEXT[at : at + 199]
    again = buffer.pieces(100, 39_800)
    assert b"".join(again) == TEXT[100:39_900]
    assert len(again) <= MAX_PIECES


def test_send_buffer_forgets_no_octet_that_a_probe_took_along() -> None:
    buffer = SendBuffer(7)
    buffer.append(b"abc")
    buffer.append(b"def")
    assert buffer.pieces(7, 1) == buffer.pieces(7, 1) == [b"a"]
    buffer.append(b"ghi")
    assert b"".join(buffer.pieces(7, 8)) == b"abcdefgh"
    buffer.acknowledge(8)
    assert b"".join(buffer.pieces(8, 8)) == b"bcdefghi"


@MODEL
@given(st.binary(min_size=1, max_size=200), st.lists(st.tuples(st.integers(0, 199), st.integers(1, 60)), max_size=40))
def test_reassembly_restores_the_stream(stream: bytes, pieces: list[tuple[int, int]]) -> None:
    kept, have = OutOfOrder(), bytearray(len(stream))
    for left, length in pieces:
        data = stream[left : left + length]
        if not data:
            continue
        new = kept.insert(left, data)
        assert new == (0 in have[left : left + len(data)])
        have[left : left + len(data)] = b"\1" * len(data)
        assert kept.bytes_held() == sum(have)
        assert [have[a:b] for a, b in kept.ranges()] == [b"\1" * (b - a) for a, b in kept.ranges()]
        assert sum(b - a for a, b in kept.ranges()) == sum(have)
        assert kept.report()[0] == kept.around(left)
    taken = b"".join(kept.take(0))
    assert taken == stream[: len(taken)]
    assert len(taken) == len(stream) or not have[len(taken)]


def test_reassembly_keeps_the_first_copy_of_a_byte() -> None:
    kept = OutOfOrder()
    kept.insert(2, b"BC")
    kept.insert(1, b"abcd")
    assert b"".join(kept.take(1)) == b"aBCd"


def test_reassembly_skips_what_was_delivered_meanwhile() -> None:
    kept = OutOfOrder()
    kept.insert(2, b"bc")
    kept.insert(8, b"x")
    assert kept.take(3) == [b"c"]
    assert kept.take(20) == []
    assert len(kept) == 0


@MODEL
@given(st.lists(st.one_of(st.binary(min_size=1, max_size=30), st.integers(1, 40)), max_size=60))
def test_receive_queue_is_a_byte_string(steps: list[bytes | int]) -> None:
    queue, model = ReceiveQueue(), bytearray()
    for step in steps:
        if isinstance(step, bytes):
            queue.append(step)
            model += step
        else:
            assert queue.peek(step) == model[:step]
            taken = queue.take(step)
            assert taken == model[: len(taken)]
            assert len(taken) <= step
            assert bool(taken) == bool(model)
            del model[: len(taken)]
        assert queue.length == len(model)
    queue.clear()
    assert (queue.length, queue.take(9)) == (0, b"")


def test_receive_queue_of_single_octets_takes_no_multiple_of_their_room() -> None:
    tracemalloc.start()
    try:
        queue = ReceiveQueue()
        for number in range(20_000):
            queue.append(bytes((number & 255,)))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 30_000
    assert queue.peek(20_000) == bytes(number & 255 for number in range(20_000))


def test_receive_queue_does_not_copy_large_chunks() -> None:
    queue, data = ReceiveQueue(), bytes(20_000)
    queue.append(data)
    queue.append(b"x")
    assert queue.take(1 << 20) is data


def test_small_pieces_beyond_a_gap_are_joined_up_to_a_page() -> None:
    beyond = OutOfOrder()
    for number in range(10):
        beyond.insert(100 + 1000 * number, bytes(1000))
    assert [len(piece) for piece in beyond.take(100)] == [4000, 4000, 2000]
