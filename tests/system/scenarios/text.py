"""Scenarios of text in both directions, its windows and its timers (RFC 9293 section 3.8)."""

from __future__ import annotations

from typing import Final

from tcpcore.wire.options import build_syn_options
from tests.system.differential import Talk

MSS: Final = build_syn_options(1000, None, False, None)


def old_duplicates(t: Talk) -> None:
    user = t.established()
    t.send("P.", 1, 1, b"hello")
    t.send("P.", 1, 1, b"hello")
    t.send(".", -5, 1)
    t.send("P.", 4, 1, b"lo, world")
    t.call(user, "receive", 20)


def out_of_order(t: Talk) -> None:
    user = t.established()
    t.send("P.", 11, 1, b"third")
    t.send("P.", 6, 1, b"other")
    t.send("P.", 1, 1, b"first")
    t.call(user, "receive", 20)


def overlaps_that_differ(t: Talk) -> None:
    user = t.established()
    t.send("P.", 4, 1, b"aaaa")
    t.send("P.", 6, 1, b"bbbb")
    t.send("P.", 2, 1, b"cccccccccc")
    t.send("P.", 1, 1, b"dddddd")
    t.call(user, "receive", 20)


def beyond_the_window(t: Talk) -> None:
    user = t.established()
    t.send("P.", 1_000_000, 1, b"data")
    t.send(".", 1_000_000, 1)
    t.send("F.", 1_000_000, 1)
    t.send("P.", -1_000_000, 1, b"data")
    t.send("S", 1_000_000)
    t.call(user, "receive", 20)


def no_ack_flag(t: Talk) -> None:
    user = t.established()
    t.send("-", 1, data=b"data")
    t.send("P", 1, data=b"data")
    t.send("F", 1)
    t.call(user, "receive", 20)


def ack_of_the_future(t: Talk) -> None:
    user = t.established()
    t.send(".", 1, 2)
    t.send("P.", 1, 1000, b"data")
    t.send("F.", 1, 2)
    t.call(user, "receive", 20)


def ack_of_the_past(t: Talk) -> None:
    user = t.established(wnd=1000)
    t.call(user, "send", b"hello")
    t.send(".", 1, 6, wnd=1000)
    t.send("P.", 1, 2, b"late", wnd=1000)
    t.send("P.", 5, -2000, b"very late", wnd=1000)
    t.call(user, "receive", 20)


def text_of_full_segments(t: Talk) -> None:
    user = t.established(MSS)
    t.call(user, "send", bytes(5500))
    t.send(".", 1, 2001)
    t.send(".", 1, 5501)


def push_ends_each_send(t: Talk) -> None:
    t.pushes_shown = True
    user = t.established(MSS)
    t.call(user, "option", "nodelay", True)
    t.call(user, "send", b"one")
    t.call(user, "send", b"two")
    t.call(user, "send", bytes(1500))


def nagle(t: Talk) -> None:
    user = t.established()
    t.call(user, "send", b"one")
    t.call(user, "send", b"two")
    t.call(user, "send", b"three")
    t.send(".", 1, 4)
    t.send(".", 1, 12)
    t.send(".", 1, 12)
    t.call(user, "send", b"four")


def cork(t: Talk) -> None:
    user = t.established(MSS)
    t.call(user, "option", "cork", True)
    t.call(user, "send", b"one")
    t.call(user, "send", bytes(1500))
    t.call(user, "option", "cork", False)


def tail_of_a_write(t: Talk) -> None:
    user = t.established(MSS)
    t.call(user, "send", bytes(1500))
    t.call(user, "send", bytes(1500))
    t.send(".", 1, 1501)


def window_of_the_peer(t: Talk) -> None:
    user = t.established(MSS, wnd=3000)
    t.call(user, "send", bytes(10_000))
    t.send(".", 1, 2001, wnd=0)
    t.send(".", 1, 2001, wnd=1000)
    t.send(".", 1, 3001, wnd=3000)
    t.send(".", 1, 6001, wnd=10_000)


def window_with_room_for_a_part(t: Talk) -> None:
    user = t.established(MSS, wnd=2500)
    t.call(user, "option", "nodelay", True)
    t.call(user, "send", bytes(10_000))
    t.send(".", 1, 2001, wnd=2500)


def zero_window_is_probed(t: Talk) -> None:
    user = t.established(wnd=5)
    t.call(user, "send", b"hello")
    t.send(".", 1, 6, wnd=0)
    t.call(user, "send", b"world")
    t.next()
    t.send(".", 1, 6, wnd=0)
    t.send(".", 1, 6, wnd=100)


def text_is_sent_again(t: Talk) -> None:
    user = t.established()
    t.call(user, "send", b"hello")
    t.next()
    t.send(".", 1, 6)


def three_duplicate_acks(t: Talk) -> None:
    user = t.established(MSS)
    t.call(user, "send", bytes(5000))
    for _ in range(3):
        t.send(".", 1, 1)
    t.send(".", 1, 5001)


def keepalive_probes_are_answered(t: Talk) -> None:
    t.established()
    t.send(".", 0, 1)
    t.send(".", 0, 1, b"g")


def urgent_data_in_line(t: Talk) -> None:
    user = t.established()
    t.call(user, "option", "inline", True)
    t.send("PU.", 1, 1, b"urgent", up=6)
    t.call(user, "receive", 20)
    t.send("U.", 7, 1, up=100)
    t.call(user, "receive", 20)


def urgent_data_beyond_what_arrived(t: Talk) -> None:
    user = t.established()
    t.call(user, "option", "inline", True)
    t.send("PU.", 1, 1, b"soon", up=10)
    t.call(user, "receive", 20)
    t.send("PU.", 5, 1, b"urgent", up=6)
    t.call(user, "receive", 20)


def urgent_data_sent(t: Talk) -> None:
    user = t.established()
    t.call(user, "send_urgent", b"abc")
    t.call(user, "send", b"def")
    t.send(".", 1, 4)
    t.send(".", 1, 7)


def urgent_data_against_a_closed_window(t: Talk) -> None:
    user = t.established(wnd=5)
    t.call(user, "send", b"hello")
    t.send(".", 1, 6, wnd=0)
    t.call(user, "send_urgent", b"abc")
    t.send(".", 1, 6, wnd=100)
