"""Scenarios of RST and SYN where they do not belong (RFC 5961)."""

from __future__ import annotations

from tests.system.differential import Talk


def rst_in_established(t: Talk) -> None:
    user = t.established()
    t.send("R", 100)
    t.send("R.", 100, 1)
    t.send("R", -5)
    t.send("R", 1_000_000)
    t.send("R.", 0, 1)
    t.call(user, "receive", 10)
    t.send("R", 1)
    t.call(user, "receive", 10)
    t.send("P.", 1, 1, b"data")


def calls_after_rst(t: Talk) -> None:
    user = t.established()
    t.send("R", 1)
    t.call(user, "receive", 10)
    t.call(user, "receive", 10)
    t.call(user, "send", b"data")


def rst_with_unread_data(t: Talk) -> None:
    user = t.established()
    t.send("P.", 1, 1, b"data")
    t.send("R", 5)
    t.call(user, "receive", 10)
    t.call(user, "receive", 10)


def rst_beyond_a_gap(t: Talk) -> None:
    user = t.established()
    t.send("P.", 6, 1, b"later")
    t.send("R", 11)
    t.call(user, "receive", 10)


def rst_in_fin_wait_1(t: Talk) -> None:
    user = t.fin_wait_1()
    t.send("R", 100)
    t.send("R", 1)
    t.call(user, "receive", 10)
    t.send(".", 1, 2)


def rst_in_fin_wait_2(t: Talk) -> None:
    user = t.fin_wait_1()
    t.send(".", 1, 2)
    t.send("R", 100)
    t.send("R", 1)
    t.call(user, "receive", 10)
    t.send("F.", 1, 2)


def rst_in_close_wait(t: Talk) -> None:
    user = t.established()
    t.send("F.", 1, 1, late=True)
    t.send("R", 100)
    t.send("R", 2)
    t.call(user, "receive", 10)


def rst_in_closing(t: Talk) -> None:
    t.fin_wait_1()
    t.send("F.", 1, 1)
    t.send("R", 100)
    t.send("R", 2)
    t.send(".", 2, 2)


def rst_in_last_ack(t: Talk) -> None:
    user = t.established()
    t.send("F.", 1, 1, late=True)
    t.call(user, "shutdown")
    t.send("R", 100)
    t.send("R", 2)
    t.send(".", 2, 2)


def rst_in_time_wait(t: Talk) -> None:
    t.fin_wait_1()
    t.send("F.", 1, 2)
    t.send("R", 100)
    t.send("F.", 1, 2)
    t.send("R", 2)
    t.send("F.", 1, 2)


def syn_in_established(t: Talk) -> None:
    user = t.established()
    t.send("S", 0)
    t.send("S", 1)
    t.send("S", 100)
    t.send("S.", 0, 1)
    t.send("S.", 100, 1)
    t.send("S", -1000)
    t.call(user, "send", b"hello")


def syn_while_closing(t: Talk) -> None:
    t.fin_wait_1()
    t.send("S", 100)
    t.send("F.", 1, 1)
    t.send("S", 100)
    t.send("S", -100)


def syn_in_close_wait(t: Talk) -> None:
    t.established()
    t.send("F.", 1, 1, late=True)
    t.send("S", 100)
    t.send("S", 1)
