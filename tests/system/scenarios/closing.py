"""Scenarios of the ways to close (RFC 9293 section 3.6)."""

from __future__ import annotations

from typing import Final

from tcpcore.wire.options import build_syn_options, build_timestamp
from tests.system.differential import Talk

TIMESTAMPS: Final = build_syn_options(1460, None, False, (1000, 0))


def host_closes_first(t: Talk) -> None:
    user = t.fin_wait_1()
    t.send(".", 1, 2)
    t.send("P.", 1, 2, b"data")
    t.call(user, "receive", 10)
    t.send("F.", 5, 2)
    t.call(user, "receive", 10)
    t.send("F.", 5, 2)
    t.send("P.", 6, 2, b"data")
    t.call(user, "close")


def peer_closes_first(t: Talk) -> None:
    user = t.established()
    t.send("F.", 1, 1, late=True)
    t.call(user, "receive", 10)
    t.call(user, "send", b"data")
    t.send(".", 2, 5)
    t.send("P.", 2, 5, b"after the FIN")
    t.call(user, "shutdown")
    t.send(".", 2, 5)
    t.send(".", 2, 6)
    t.send(".", 2, 6)


def send_and_close(t: Talk) -> None:
    user = t.established()
    t.call(user, "send", b"data")
    t.call(user, "close")
    t.send(".", 1, 6)
    t.send("F.", 1, 6)


def fin_with_data(t: Talk) -> None:
    user = t.established()
    t.send("FP.", 1, 1, b"data")
    t.call(user, "receive", 10)
    t.call(user, "receive", 10)


def fin_before_its_data(t: Talk) -> None:
    user = t.established()
    t.send("F.", 5, 1)
    t.call(user, "receive", 10)
    t.send("P.", 1, 1, b"data")
    t.call(user, "receive", 10)
    t.call(user, "receive", 10)


def simultaneous_close(t: Talk) -> None:
    t.fin_wait_1()
    t.send("F.", 1, 1)
    t.send("F.", 1, 1)
    t.send(".", 2, 2)
    t.send("F.", 1, 2)


def fin_acknowledges_fin(t: Talk) -> None:
    t.fin_wait_1()
    t.send("F.", 1, 2)
    t.send("F.", 1, 2)


def fin_is_sent_again(t: Talk) -> None:
    t.fin_wait_1()
    t.next()


def bad_acks_while_closing(t: Talk) -> None:
    t.fin_wait_1()
    t.send(".", 1, 3)
    t.send("F.", 1, 3)
    t.send(".", 1, 2)
    t.send("F.", 1, 3)
    t.send("F.", 1, 2)


def calls_after_shutdown(t: Talk) -> None:
    user = t.fin_wait_1()
    t.call(user, "send", b"data")
    t.call(user, "shutdown")
    t.send("P.", 1, 1, b"data")
    t.call(user, "receive", 10)


def reading_side_shut_down(t: Talk) -> None:
    user = t.established()
    t.call(user, "shutdown_read")
    t.send("P.", 1, 1, b"data")
    t.call(user, "receive", 10)
    t.call(user, "send", b"data")
    t.call(user, "receive", 10)


def unread_data_at_close(t: Talk) -> None:
    user = t.established()
    t.send("P.", 1, 1, b"data")
    t.call(user, "close")
    t.send(".", 5, 1)


def linger_zero(t: Talk) -> None:
    user = t.established()
    t.call(user, "send", b"data")
    t.call(user, "option", "linger", 0.0)
    t.call(user, "close")
    t.send(".", 1, 5)


def data_after_close(t: Talk) -> None:
    user = t.established()
    t.call(user, "close")
    t.send("P.", 1, 1, b"data")
    t.send(".", 5, 2)


def data_after_close_in_fin_wait_2(t: Talk) -> None:
    user = t.established()
    t.call(user, "close")
    t.send(".", 1, 2)
    t.send("P.", 1, 2, b"data")
    t.send("F.", 5, 2)


def close_before_accepting_the_fin(t: Talk) -> None:
    user = t.established()
    t.send("F.", 1, 1, late=True)
    t.call(user, "close")
    t.send(".", 2, 2)
    t.send(".", 2, 2)


def _time_wait(t: Talk, options: bytes = b"", later: bytes = b"") -> None:
    user = t.established(options, later)
    t.call(user, "close")
    t.send("F.", 1, 2, options=later)


def time_wait_answers(t: Talk) -> None:
    _time_wait(t)
    t.send("F.", 1, 2)
    t.send(".", 2, 2)
    t.send("P.", 2, 2, b"data")
    t.send("P.", 1, 2, b"data")
    t.send(".", 2, 3)
    t.send("S", -1000)


def time_wait_is_reopened(t: Talk) -> None:
    _time_wait(t)
    t.send("S", 1000)
    t.send(".", 1001, 1)


def time_wait_is_reopened_by_timestamp(t: Talk) -> None:
    _time_wait(t, TIMESTAMPS, build_timestamp(1001, 0))
    t.send("S", -1000, options=build_syn_options(1460, None, False, (5000, 0)))
    t.send(".", -999, 1, options=build_timestamp(5001, 0))


def time_wait_is_not_reopened_by_an_old_timestamp(t: Talk) -> None:
    _time_wait(t, TIMESTAMPS, build_timestamp(1001, 0))
    t.send("S", -1000, options=build_syn_options(1460, None, False, (500, 0)))
