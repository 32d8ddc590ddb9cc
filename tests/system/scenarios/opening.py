"""Scenarios of no connection and of the handshake (RFC 9293 sections 3.5, 3.10.7.1 to 3.10.7.3)."""

from __future__ import annotations

from tests.system.differential import Talk


def closed_port(t: Talk) -> None:
    t.send("S", 0)
    t.send("S", 0, data=b"data")
    t.send("SF", 0)
    t.send(".", 5, 7)
    t.send("S.", 5, 7)
    t.send("F.", 5, 7, b"data")
    t.send("-", 5, data=b"data")
    t.send("F", 5)
    t.send("R", 5)
    t.send("R.", 5, 7)


def listen_gets_no_syn(t: Talk) -> None:
    t.listen()
    t.send("R", 0)
    t.send("R.", 0, 7)
    t.send(".", 0, 7)
    t.send("S.", 0, 7)
    t.send("SR", 0)
    t.send("F", 0)
    t.send("-", 0, data=b"data")
    t.send("F.", 0, 7, b"data")


def damaged_segments(t: Talk) -> None:
    def checksum(packet: bytearray) -> None:
        packet[-1] ^= 1

    def data_offset(packet: bytearray) -> None:
        packet[-20 + 12] = 0x40

    t.listen()
    t.send("S", 0, damage=checksum)
    t.send("S", 0, damage=data_offset)
    t.send("S", 0, data=b"x", damage=checksum)


def handshake(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send(".", 1, 1)
    user = t.accept()
    t.call(user, "send", b"hello")
    t.send(".", 1, 6)
    t.call(user, "receive", 10)


def syn_twice(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send("S", 0)
    t.send(".", 1, 1)
    t.send("S", 0)


def other_syn_in_syn_received(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send("S", 1000)
    t.send(".", 1, 1)


def old_syn_in_syn_received(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send("S", -1000)
    t.send(".", 1, 1)
    t.call(t.accept(), "send", b"hello")


def syn_with_data(t: Talk) -> None:
    t.listen()
    t.send("S", 0, data=b"early")
    t.send(".", 1, 1)
    user = t.accept()
    t.call(user, "receive", 10)
    t.send("P.", 1, 1, b"early")
    t.call(user, "receive", 10)


def syn_with_fin(t: Talk) -> None:
    t.listen()
    t.send("SF", 0)
    t.send(".", 1, 1)


def bad_ack_in_syn_received(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send(".", 1, 0)
    t.send(".", 1, 2)
    t.send("P.", 1, 1000, b"data")
    t.send("F.", 1, -1000)
    t.send(".", 1, 1)
    t.call(t.accept(), "send", b"hello")


def data_completes_the_handshake(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send("P.", 1, 1, b"data")
    t.call(t.accept(), "receive", 10)


def fin_with_data_completes_the_handshake(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send("F.", 1, 1, b"data")
    user = t.accept()
    t.call(user, "receive", 10)
    t.call(user, "receive", 10)


def later_data_in_syn_received(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send("P.", 6, 1, b"world")
    t.send("P.", 1, 1, b"hello")
    t.call(t.accept(), "receive", 20)


def ack_beyond_the_window_in_syn_received(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send(".", 100_000, 1)
    t.send(".", -5, 1)
    t.send(".", 1, 1)


def rst_in_syn_received(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send("R", 5)
    t.send("R", 100_000)
    t.send("R", 1)
    t.send(".", 1, 1)


def fin_without_ack_in_syn_received(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send("F", 1)
    t.send("-", 1, data=b"data")
    t.send(".", 1, 1)


def syn_ack_is_sent_again(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.next()


def listener_closes_with_unaccepted_connection(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send(".", 1, 1)
    t.close_listener()
    t.send("P.", 1, 1, b"data")


def listener_closes_with_half_open_connection(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.close_listener()
    t.send(".", 1, 1)


def accept_queue_full(t: Talk) -> None:
    t.listen(backlog=1)
    other = t.port + 10_000
    t.send("S", 0)
    t.port, iss, t.iss = other, t.iss, None
    t.send("S", 0)
    t.port, other_iss, t.iss = other - 10_000, t.iss, iss
    t.send(".", 1, 1)
    t.port, t.iss = other, other_iss
    t.send(".", 1, 1)
    t.send("P.", 1, 1, b"data")
    t.port, t.iss = other - 5_000, None
    t.send("S", 0)
    t.accept()
    t.send("S", 0)


def closed_by_peer_before_accept(t: Talk) -> None:
    t.listen()
    t.send("S", 0)
    t.send(".", 1, 1)
    t.send("P.", 1, 1, b"data")
    t.send("R", 5)
    user = t.accept()
    t.call(user, "receive", 10)


def connect_refused(t: Talk) -> None:
    user = t.connect()
    t.send("R", 0)
    t.send("R.", 0, 2)
    t.send("R.", 0, 1)
    t.call(user, "receive", 1)


def connect_gets_bad_acks(t: Talk) -> None:
    t.connect()
    t.send("S.", 0, 0)
    t.send("S.", 0, 2)
    t.send(".", 0, 0)
    t.send(".", 0, 2)
    t.send(".", 0, 1)
    t.send("F.", 0, 1)
    t.send("-", 0)
    t.send("S.", 0, 1)


def connect_gets_its_syn_ack_twice(t: Talk) -> None:
    t.connect()
    t.send("S.", 0, 1)
    t.send("S.", 0, 1)


def connect_gets_data_with_the_syn_ack(t: Talk) -> None:
    user = t.connect()
    t.send("S.", 0, 1, b"early")
    t.call(user, "receive", 10)
    t.send("P.", 1, 1, b"early")
    t.call(user, "receive", 10)


def connect_gets_a_fin_with_the_syn_ack(t: Talk) -> None:
    user = t.connect()
    t.send("SF.", 0, 1)
    t.call(user, "receive", 10)


def simultaneous_open(t: Talk) -> None:
    user = t.connect()
    t.send("S", 0)
    t.send("S.", 0, 1)
    t.call(user, "send", b"hello")


def simultaneous_open_completed_by_an_ack(t: Talk) -> None:
    user = t.connect()
    t.send("S", 0)
    t.send(".", 1, 1)
    t.call(user, "send", b"hello")


def rst_after_simultaneous_open(t: Talk) -> None:
    user = t.connect()
    t.send("S", 0)
    t.send("R", 1)
    t.call(user, "receive", 1)


def syn_is_sent_again(t: Talk) -> None:
    t.connect()
    t.next()
