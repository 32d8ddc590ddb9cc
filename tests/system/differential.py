"""One conversation, held once with the kernel's TCP and once with ours.

A ``Talk`` sends segments made by hand, makes user calls, and writes down what the host answers to each. The
kernel's answers come before the reply to an echo request that is sent after each step, so nobody waits for a clock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Protocol

from tcpcore import Config, Connection, Listener, Stack, errors
from tcpcore.driver import TunLink
from tcpcore.seqnum import wrap
from tcpcore.testing import PEER_ISS, tcp_packet
from tcpcore.testing.peer import FLAGS
from tcpcore.wire import icmp
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ippacket import ICMP, TCP
from tcpcore.wire.ipv4 import build_ipv4_header
from tcpcore.wire.packet import Packet
from tcpcore.wire.tcp import ACK, PSH, SYN, URG, Segment
from tcpcore.wire.tcp import parse_untrusted as parse_tcp

HOST: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
PEER: Final = {4: "192.0.2.9", 6: "2001:db8::9"}
PATIENCE: Final = 3.0
"""Seconds of real or virtual time in which a timer of the host has to fire."""
LINUX: Final = Config(
    challenge_ack_interval=0.0,  # as tcp_invalid_ratelimit is set below
    delayed_ack=0.0,
    receive_buffer=65535,
    window_scaling=True,
    timestamps=True,
    min_rto=0.2,
    syn_cookies="never",
)
"""Ours, in what does not matter here as the kernel is."""

_INVALID_RATELIMIT: Final = Path("/proc/sys/net/ipv4/tcp_invalid_ratelimit")
_TUNSETOFFLOAD: Final = 0x400454D0
_ERRNOS: Final = {
    errno.ECONNRESET: "reset",
    errno.ECONNREFUSED: "refused",
    errno.EPIPE: "closed",
    errno.ENOTCONN: "closed",
    errno.ETIMEDOUT: "timeout",
    errno.ECONNABORTED: "aborted",
}
_ERRORS: Final[dict[type[errors.TCPError], str]] = {
    errors.ConnectionResetError: "reset",
    errors.ConnectionRefusedError: "refused",
    errors.ConnectionClosingError: "closed",
    errors.ConnectionNotExistError: "closed",
    errors.ConnectionTimeoutError: "timeout",
    errors.ConnectionAbortedError: "aborted",
}


class User(Protocol):
    """A connection, as a program uses it. The calls return a word for the record."""

    def send(self, data: bytes) -> str: ...
    def send_urgent(self, data: bytes) -> str: ...
    def receive(self, size: int) -> str: ...
    def shutdown(self) -> str: ...
    def shutdown_read(self) -> str: ...
    def close(self) -> str: ...
    def option(self, name: str, value: Any) -> str: ...


class Host(Protocol):
    """One of the two TCPs. ``end``: this conversation is over."""

    def end(self) -> None: ...
    def inject(self, packet: bytes) -> None: ...
    def answers(self) -> list[bytes]: ...
    def next(self, wanted: Callable[[bytes], bool]) -> list[bytes]: ...
    def listen(self, version: int, port: int, backlog: int) -> None: ...
    def close_listener(self) -> None: ...
    def accept(self) -> User | None: ...
    def connect(self, version: int, local_port: int, port: int) -> User: ...


class Kernel:
    """The kernel's TCP, on the other side of a TUN device."""

    def __init__(self) -> None:
        self._link = TunLink.open("diff0", f"{HOST[4]}/24", f"{HOST[6]}/64")
        self._descriptor = self._link._descriptor
        fcntl.ioctl(self._descriptor, _TUNSETOFFLOAD, 0)  # whole packets of one MSS at most, as on a wire
        self._limit = _INVALID_RATELIMIT.read_text()
        _INVALID_RATELIMIT.write_text("0")  # answers that come at most twice a second would be a matter of luck
        self._echoes = 0
        self._users: list[KernelUser] = []
        self._listener: socket.socket | None = None

    def close(self) -> None:
        _INVALID_RATELIMIT.write_text(self._limit)
        os.close(self._descriptor)

    def end(self) -> None:
        self.close_listener()
        for user in self._users:
            user.socket.close()
        self._users.clear()
        self.answers()

    def inject(self, packet: bytes) -> None:
        self._link.send([Packet(packet)])

    def answers(self) -> list[bytes]:
        for user in self._users:
            user.acknowledge()
        self._echoes += 1
        self.inject(_echo_request(self._echoes))
        packets: list[bytes] = []
        while True:
            packets += self._read(PATIENCE)
            if packets and _is_echo_reply(packets[-1], self._echoes):
                return packets[:-1]

    def next(self, wanted: Callable[[bytes], bool]) -> list[bytes]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for packet in self._read(end - time.monotonic()):
                if wanted(packet):  # and not the last words of an earlier conversation
                    return [packet]
        return []

    def _read(self, patience: float) -> list[bytes]:
        """One packet; none when it does not come in time."""
        if not select.select([self._descriptor], [], [], patience)[0]:
            return []
        return [os.read(self._descriptor, 1 << 17)[10:]]

    def listen(self, version: int, port: int, backlog: int) -> None:
        self._listener = _socket(version, port)
        self._listener.listen(backlog - 1)  # the kernel's accept queue takes one more than it was told

    def close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def accept(self) -> User | None:
        assert self._listener is not None
        try:
            accepted, _ = self._listener.accept()
        except BlockingIOError:
            return None
        return self._user(accepted)

    def connect(self, version: int, local_port: int, port: int) -> User:
        made = _socket(version, local_port)
        assert made.connect_ex((PEER[version], port)) == errno.EINPROGRESS
        return self._user(made)

    def _user(self, made: socket.socket) -> KernelUser:
        made.setblocking(False)
        self._users.append(user := KernelUser(made))
        return user


class KernelUser:
    """A kernel socket."""

    def __init__(self, made: socket.socket) -> None:
        self.socket = made

    def acknowledge(self) -> None:
        """Whatever the socket has to acknowledge it acknowledges now."""
        with suppress(OSError):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def send(self, data: bytes) -> str:
        return self._call(lambda: self.socket.send(data))

    def send_urgent(self, data: bytes) -> str:
        return self._call(lambda: self.socket.send(data, socket.MSG_OOB))

    def receive(self, size: int) -> str:
        return self._call(lambda: self.socket.recv(size))

    def shutdown(self) -> str:
        return self._call(lambda: self.socket.shutdown(socket.SHUT_WR))

    def shutdown_read(self) -> str:
        return self._call(lambda: self.socket.shutdown(socket.SHUT_RD))

    def close(self) -> str:
        return self._call(lambda: self.socket.close())

    def option(self, name: str, value: Any) -> str:
        level, number = {
            "nodelay": (socket.IPPROTO_TCP, socket.TCP_NODELAY),
            "cork": (socket.IPPROTO_TCP, socket.TCP_CORK),
            "linger": (socket.SOL_SOCKET, socket.SO_LINGER),
            "inline": (socket.SOL_SOCKET, socket.SO_OOBINLINE),
        }[name]
        packed = struct.pack("=ii", 1, int(value)) if name == "linger" else struct.pack("=i", value)
        return self._call(lambda: self.socket.setsockopt(level, number, packed))

    def _call(self, call: Callable[[], object]) -> str:
        try:
            return str(call())
        except BlockingIOError:
            return "would block"
        except OSError as error:
            return _ERRNOS.get(error.errno or 0, str(error))


class Ours:
    """Our stack, in memory and in virtual time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.stack = Stack([f"{HOST[4]}/24", f"{HOST[6]}/64"], LINUX, random.Random(7), b"s" * 32)
        self._listener: Listener | None = None

    def end(self) -> None:
        """Everything goes with it."""

    def inject(self, packet: bytes) -> None:
        self.stack.receive(packet, self.now)

    def answers(self) -> list[bytes]:
        return [bytes(piece) for packet in self.stack.transmit(self.now) for piece in packet.cut()]

    def next(self, wanted: Callable[[bytes], bool]) -> list[bytes]:
        end = self.now + PATIENCE
        while (deadline := self.stack.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.stack.advance(self.now)
            if answers := self.answers():
                return answers
        return []

    def listen(self, version: int, port: int, backlog: int) -> None:
        self._listener = self.stack.listen(port, HOST[version], backlog)

    def close_listener(self) -> None:
        assert self._listener is not None
        self._listener.close(self.now)

    def accept(self) -> User | None:
        assert self._listener is not None
        connection = self._listener.accept()
        return None if connection is None else OurUser(self, connection)

    def connect(self, version: int, local_port: int, port: int) -> User:
        local = (HOST[version], local_port)
        return OurUser(self, self.stack.connect((PEER[version], port), self.now, local))


class OurUser:
    """A connection of ours, with the meaning that sockets give to the calls."""

    def __init__(self, host: Ours, connection: Connection) -> None:
        self._host = host
        self._connection = connection

    def send(self, data: bytes) -> str:
        return self._call(lambda now: self._connection.send(data, now) or "would block")

    def send_urgent(self, data: bytes) -> str:
        return self._call(lambda now: self._connection.send(data, now, urgent=True) or "would block")

    def receive(self, size: int) -> str:
        def call(now: float) -> object:
            data = self._connection.receive(size, now)
            return "would block" if data is None else data

        return self._call(call)

    def shutdown(self) -> str:
        return self._call(lambda now: self._connection.shutdown(now))

    def shutdown_read(self) -> str:
        return self._call(lambda now: self._connection.shutdown_read(now))

    def close(self) -> str:
        return self._call(lambda now: self._connection.close(now))

    def option(self, name: str, value: Any) -> str:
        if name == "inline":
            return "None"  # ours delivers urgent data in line, always (RFC 6093)
        return self._call(lambda now: self._connection.set_option(name, value, now))

    def _call(self, call: Callable[[float], object]) -> str:
        try:
            return str(call(self._host.now))
        except errors.TCPError as error:
            return _ERRORS[type(error)]


class Talk:
    """A scenario's hands and eyes; ``record`` is what the host did. Numbers are relative to both ISS."""

    def __init__(self, host: Host, version: int, number: int) -> None:
        self.host = host
        self.version = version
        self.port = 40_000 + number
        self.local_port = 20_000 + number
        self.iss: int | None = None
        self.record: list[str] = []
        self.options_shown = False
        self.pushes_shown = False

    def send(
        self, flags: str, seq: int = 0, ack: int | None = None, data: bytes = b"", wnd: int = 65535,
        options: bytes = b"", up: int = 0, damage: Callable[[bytearray], None] | None = None, late: bool = False,
    ) -> None:  # fmt: skip
        """One segment; ``ack`` counts from the host's ISS. ``late``: the answer may wait for a delayed ACK."""
        bits = sum(FLAGS[flag] for flag in flags if flag != "-")
        packet = bytearray(
            tcp_packet(
                self.port, self.local_port, wrap(PEER_ISS + seq), wrap((self.iss or 0) + (ack or 0)), bits, wnd, up,
                options, data, ip_address(PEER[self.version]).packed, ip_address(HOST[self.version]).packed,
            )
        )  # fmt: skip
        if damage is not None:
            damage(packet)
        self.host.inject(bytes(packet))
        text = f"{flags} {seq}:{seq + len(data)}({len(data)})" + ("" if ack is None else f" ack {ack}")
        self.note(f"< {text}", late)

    def note(self, what: str, late: bool = False) -> None:
        """Write down a step with the answers to it."""
        lines = self._lines(self.host.answers())
        if late and not lines:
            lines = self._lines(self.host.next(self._is_mine))
        self.record.append(f"{what}  =>  {'; '.join(lines) or '-'}")

    def next(self) -> None:
        """Wait for a timer of the host."""
        self.note("time", late=True)

    def listen(self, backlog: int = 8) -> None:
        self.host.listen(self.version, self.local_port, backlog)

    def close_listener(self) -> None:
        self.host.close_listener()
        self.note("close listener")

    def accept(self) -> User:
        user = self.host.accept()
        assert user is not None, self.record
        return user

    def connect(self) -> User:
        user = self.host.connect(self.version, self.local_port, self.port)
        self.note("connect")
        return user

    def call(self, user: User, name: str, *arguments: Any) -> None:
        """A user call, its result, and what the host sends because of it."""
        result = getattr(user, name)(*arguments)
        shown = ", ".join(f"{len(each)} bytes" if isinstance(each, bytes) else str(each) for each in arguments)
        self.note(f"{name}({shown}) = {result}")

    def established(self, options: bytes = b"", later: bytes = b"", wnd: int = 65535) -> User:
        """A connection that the host accepted: both next numbers are 1."""
        self.listen()
        self.send("S", 0, options=options, wnd=wnd)
        self.send(".", 1, 1, options=later, wnd=wnd)
        return self.accept()

    def fin_wait_1(self) -> User:
        """A connection of which the host has closed its half."""
        user = self.established()
        self.call(user, "shutdown")
        return user

    def _lines(self, packets: list[bytes]) -> list[str]:
        return [self._line(parse_tcp(parse_ip(packet), checked=False)) for packet in packets if self._is_mine(packet)]

    def _is_mine(self, packet: bytes) -> bool:
        ip = parse_ip(packet)
        return ip.protocol == TCP and parse_tcp(ip, checked=False).destination_port == self.port

    def _line(self, segment: Segment) -> str:
        if segment.flags & SYN:
            self.iss = segment.seq
        shown = segment.flags if self.pushes_shown else segment.flags & ~PSH
        letters = "".join(letter for letter, bit in FLAGS.items() if shown & bit)
        seq, length = wrap(segment.seq - (self.iss or 0)), len(segment.payload)
        text = f"{letters} {seq}:{seq + length}({length})" if segment.seq else f"{letters} at 0"
        if segment.flags & ACK:
            text += f" ack {wrap(segment.ack - PEER_ISS)}"
        if segment.flags & URG:
            text += f" up {segment.up}"
        return text + self._options(segment)

    def _options(self, segment: Segment) -> str:
        """Those that are there, TSecr and SACK with their values; the others' are the host's own affair."""
        if not self.options_shown:
            return ""
        found = ["mss"] if segment.mss is not None else []
        found += ["wscale"] if segment.wscale is not None else []
        found += ["sack"] if segment.sack_permitted else []
        found += [f"ts ecr {segment.timestamp_echo}"] if segment.timestamp is not None else []
        found += [f"sack {wrap(left - PEER_ISS)}-{wrap(right - PEER_ISS)}" for left, right in segment.sack]
        return f" <{','.join(found)}>"


def _socket(version: int, port: int) -> socket.socket:
    """Bound; congestion control without pacing, so that nothing leaves later than it could."""
    made = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    made.bind((HOST[version], port))
    return made


def _echo_request(number: int) -> bytes:
    source, destination = ip_address(PEER[4]).packed, ip_address(HOST[4]).packed
    message = icmp.build(4, source, destination, icmp.ECHO_REQUEST, 0, number, b"")
    return bytes(build_ipv4_header(source, destination, ICMP, len(message), 1) + message)


def _is_echo_reply(packet: bytes, number: int) -> bool:
    ip = parse_ip(packet)
    if ip.version == 6 or ip.protocol != ICMP:
        return False
    message = icmp.parse_untrusted(ip, checked=False)
    return (message.type, message.rest) == (icmp.ECHO_REPLY, number)
