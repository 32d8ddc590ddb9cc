"""Send buffer, receive queue and reassembly, against plain byte strings."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore.conn.outoforder import OutOfOrder
from tcpcore.conn.reassembly import ReceiveQueue
from tcpcore.conn.sendbuffer import SendBuffer

MODEL = settings(deadline=None, derandomize=True, max_examples=200)


@MODEL
@given(
    st.integers(0, 1 << 33),
    st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=20), st.integers(0, 100)), max_size=200),
)
def test_send_buffer_is_a_byte_string_with_a_moving_start(start: int, steps: list[tuple[bool, bytes, int]]) -> None:
    buffer, model, base = SendBuffer(start), bytearray(), 0
    for append, data, percent in steps:
        if append:
            buffer.append(data)
            model += data
        else:
            base += (len(model) - base) * percent // 100
            buffer.acknowledge(start + base)
        assert (buffer.start, buffer.end, len(buffer)) == (start + base, start + len(model), len(model) - base)
        if len(model) > base:
            at = base + (len(model) - base - 1) * percent // 100
            length = max(1, (len(model) - at) * (100 - percent) // 100)
            assert b"".join(buffer.pieces(start + at, length)) == model[at : at + length]


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
