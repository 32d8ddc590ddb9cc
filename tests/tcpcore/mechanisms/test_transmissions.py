"""When what is in flight was sent (RFC 7323 section 4, RFC 6298 section 3)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore.conn.transmissions import LIMIT, Transmissions


def test_ack_tells_when_the_oldest_and_the_newest_octet_left() -> None:
    record = Transmissions(100, 1.0)
    for end, now in ((200, 2.0), (300, 3.0), (400, 4.0)):
        record.sent(end, now)
    assert record.acknowledged(250) == (1.0, 3.0)
    assert record.acknowledged(300) == (3.0, 3.0)
    assert record.acknowledged(400) == (4.0, 4.0)
    assert not record


def test_what_leaves_at_one_moment_is_one_entry() -> None:
    record = Transmissions(100, 1.0)
    record.sent(200, 1.0)
    record.sent(300, 1.0)
    assert list(record) == [(300, 1.0)]


def test_octet_of_a_window_probe_is_in_no_entry() -> None:
    record = Transmissions(100, 1.0)
    assert record.acknowledged(101) == (1.0, 1.0)
    assert not record


def test_entries_are_limited_and_times_only_look_longer() -> None:
    record = Transmissions(1, 0.0)
    for end in range(2, 2 * LIMIT):
        record.sent(end, float(end))
    assert len(record) == LIMIT
    oldest, newest = record.acknowledged(2 * LIMIT - 1)
    assert (oldest, newest) == (0.0, float(LIMIT))
    assert not record


steps = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 2), st.integers(0, 80)), min_size=1, max_size=40)


@settings(derandomize=True)
@given(steps)
def test_times_are_those_of_the_octets(script: list[tuple[int, int, int]]) -> None:
    """Against a list that has the time of each octet: sizes sent, seconds that pass, octets acknowledged."""
    times: list[float] = []
    acked, now = 0, 0.0
    record: Transmissions | None = None
    for size, pause, ack in script:
        now += pause
        times += [now] * size
        if record is None:
            record = Transmissions(len(times), now)
        else:
            record.sent(len(times), now)
        if ack:
            ack = min(acked + ack, len(times))
            assert record.acknowledged(ack) == (times[acked], times[ack - 1])
            acked = ack
        assert len(record) <= len(times) - acked
        record = record or None
