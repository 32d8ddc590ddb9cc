"""Scenarios of options (RFC 9293 section 3.2, RFC 7323)."""

from __future__ import annotations

from typing import Final

from tcpcore.wire.options import build_syn_options, build_timestamp
from tests.system.differential import Talk

TIMESTAMPS: Final = build_syn_options(1460, None, False, (1000, 0))
FULL: Final = build_syn_options(1460, 7, True, (1000, 0))


def options_offered(t: Talk) -> None:
    t.options_shown = True
    t.connect()


def options_answered(t: Talk) -> None:
    t.options_shown = True
    t.listen()
    t.send("S", 0, options=FULL)
    t.send(".", 1, 1, options=build_timestamp(1001, 0))
    t.call(t.accept(), "send", b"hello")


def options_not_offered_are_not_answered(t: Talk) -> None:
    t.options_shown = True
    t.listen()
    t.send("S", 0)


def options_malformed_on_syn(t: Talk) -> None:
    t.options_shown = True
    t.listen()
    t.send("S", 0, options=b"\x02\x04\x05\xb4\xfe\x00\x03\x03\x07\x01\x01\x01")


def options_unknown(t: Talk) -> None:
    user = t.established(options=b"\xfe\x04\x12\x34\xfd\x02\x01\x01")
    t.send("P.", 1, 1, b"one", options=b"\xfe\x04\x12\x34")
    t.send("P.", 4, 1, b"two", options=b"\xfe\x00\x12\x34")
    t.send("P.", 7, 1, b"six", options=b"\xfe\x28\x12\x34")
    t.call(user, "receive", 20)


def mss_tiny(t: Talk) -> None:
    user = t.established(options=build_syn_options(10, None, False, None))
    t.call(user, "option", "nodelay", True)
    t.call(user, "send", bytes(150))


def mss_small(t: Talk) -> None:
    user = t.established(options=build_syn_options(400, None, False, None))
    t.call(user, "option", "nodelay", True)
    t.call(user, "send", bytes(1000))


def timestamps_are_echoed(t: Talk) -> None:
    t.options_shown = True
    t.established(options=TIMESTAMPS, later=build_timestamp(1001, 0))
    t.send("P.", 1, 1, b"data", options=build_timestamp(1005, 0))
    t.send("P.", 9, 1, b"later", options=build_timestamp(1009, 0))
    t.send("P.", 5, 1, b"data", options=build_timestamp(1007, 0))


def timestamps_missing_later(t: Talk) -> None:
    user = t.established(options=TIMESTAMPS, later=build_timestamp(1001, 0))
    t.send("P.", 1, 1, b"data")
    t.call(user, "receive", 10)


def paws(t: Talk) -> None:
    user = t.established(options=TIMESTAMPS, later=build_timestamp(1001, 0))
    t.send("P.", 1, 1, b"data", options=build_timestamp(900, 0))
    t.send(".", 1, 1, options=build_timestamp(900, 0))
    t.send("F.", 1, 1, options=build_timestamp(900, 0))
    t.call(user, "receive", 10)
    t.send("R", 1, options=build_timestamp(900, 0))
    t.call(user, "receive", 10)


def congestion_notification_offered(t: Talk) -> None:
    t.listen()
    t.send("SEW", 0)
    t.send(".", 1, 1)
    t.call(t.accept(), "send", b"hello")
