"""The stack: IP packets in, IP packets out, connections in between. No I/O, no clock, no global randomness."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence
from math import inf
from random import Random, SystemRandom
from typing import Any, Final

from tcpcore.config import Config, LinkCapabilities
from tcpcore.conn import arrives, calls, edges, prediction, unreachable
from tcpcore.conn.connection import Connection
from tcpcore.conn.environment import Environment
from tcpcore.conn.observer import Observer
from tcpcore.conn.output import output
from tcpcore.conn.state import CLOSED, ESTABLISHED, LISTEN, TIME_WAIT
from tcpcore.errors import AddressError, AddressInUseError, InsufficientResourcesError
from tcpcore.seqnum import unwrap, wrap
from tcpcore.stack import cookies, statistics
from tcpcore.stack import icmp as icmp_answers
from tcpcore.stack.addresses import Addresses, packed_address
from tcpcore.stack.deadlines import Deadlines
from tcpcore.stack.fragments import Reassembly
from tcpcore.stack.isn import initial_numbers
from tcpcore.stack.listener import Listener
from tcpcore.stack.ports import EphemeralPorts
from tcpcore.stack.timewait import TimeWaitQueue
from tcpcore.status import StackStatistics
from tcpcore.wire import icmp, usual
from tcpcore.wire.bad import BadPacket
from tcpcore.wire.ip import parse_untrusted as parse_ip
from tcpcore.wire.ippacket import TCP, IPPacket
from tcpcore.wire.packet import Buffer, Packet
from tcpcore.wire.tcp import ACK, RST, SYN, Segment
from tcpcore.wire.tcp import parse_untrusted as parse_tcp

_UDP: Final = 17


class Stack:
    """A host with its addresses, on one link.

    ``addresses``: as ``"192.0.2.1/24"``, ``"2001:db8::1/64"``. ``rng`` and ``secret`` (16 to 64 bytes) make a
    stack deterministic; by default they are the system's. All times are float seconds of one monotonic clock.
    After ``receive``, ``advance`` or a user call, ``transmit`` says what must go out; then ``next_deadline`` is no
    later than the first timer. It may be earlier, when a timer has moved since: ``advance`` then does nothing.
    Raises ``AddressError`` on an address that cannot be parsed.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        config: Config | None = None,
        rng: Random | None = None,
        secret: bytes | None = None,
        capabilities: LinkCapabilities | None = None,
    ) -> None:
        self.config = config or Config()
        self.env = Environment(
            self.config,
            capabilities or LinkCapabilities(),
            rng or SystemRandom(),
            secret or secrets.token_bytes(32),
        )
        self.addresses = Addresses(addresses)
        self._connections: dict[bytes, Connection] = {}
        self._listeners: dict[tuple[bytes | None, int], Listener] = {}
        self._ports = EphemeralPorts(self.env)
        self._deadlines = Deadlines()
        self._time_wait = TimeWaitQueue(self.config.max_time_wait)
        self._reassembly = Reassembly(self.env)
        self.ready_listeners: list[Listener] = []

    @property
    def unheard(self) -> bool:
        """Whether packets have come that wait to be received: a peer's silence proves nothing then.

        Set by whoever calls ``receive``. Timers that wait for an answer look again a little later, while it is so.
        """
        return self.env.unheard

    @unheard.setter
    def unheard(self, value: bool) -> None:
        self.env.unheard = value

    @property
    def late(self) -> float:
        """Seconds for which packets given to ``receive`` may have waited: a queue of our own, none of the path.

        Set by whoever calls ``receive``.
        """
        return self.env.late

    @late.setter
    def late(self, value: float) -> None:
        self.env.late = value

    @property
    def capabilities(self) -> LinkCapabilities:
        """What the link does for us."""
        return self.env.capabilities

    # Packets and time

    def receive(self, packet: Buffer, now: float, checked: bool = False) -> None:
        """Process one IP packet; nonsense is counted and dropped, never raised.

        What is kept is copied: the buffer may be used again. ``checked``: the link vouches for the checksums.
        """
        counters = self.env.counters
        counters.ip_in_receives += 1
        fields = usual.parse_usual_untrusted(packet)
        if (
            (connection := self._connections.get(fields[0])) is not None
            and (checked or usual.is_sound(packet))
            and (
                (connection.state is ESTABLISHED and prediction.arrives(connection, fields, packet, now))
                or edges.predicted(connection, fields, packet, now)
                or self._receive_usual(connection, fields, packet, now)
            )
        ):
            counters.in_segs += 1
            return
        if not fields[0] and self._receive_usual_syn(packet, now, checked):
            return
        try:
            ip = parse_ip(packet)
            if ip.destination not in self.addresses.own:
                counters.ip_in_addr_errors += 1
                self.env.drop("not-our-address", now)
            elif not self.addresses.is_host(ip.source):
                counters.ip_in_addr_errors += 1
                self.env.drop("bad-source", now)  # RFC 9293 MUST-63
            elif ip.options_source_route:
                self.env.drop("source-route", now)  # whoever prescribes the way could answer for another host
            elif ip.fragment is not None:
                self._receive_fragment(ip, packet, now)
            else:
                self._receive_whole(ip, packet, now, checked)
        except BadPacket as bad:
            if bad.reason.startswith("tcp"):
                counters.in_errs += 1
            elif bad.reason.startswith("icmp"):
                counters.icmp_in_errors += 1
            else:
                counters.ip_in_hdr_errors += 1
            self.env.drop(bad.reason, now)

    def transmit(self, now: float, limit: int | None = None, *, more: bool = False) -> list[Packet]:
        """What must go out now, in order; sized for the link's capabilities.

        ``limit``: look at no more connections than this, and open as many; those that waited longest come first, the
        rest waits on. SYN,ACKs come after all else: who is connected already is served first.
        ``more``, with a ``limit``: the end of much text that fills no packet may wait for the next call.
        """
        env = self.env
        env.more = more
        self._send_for(env.pending, now, limit)
        if env.opening:
            self._send_for(env.opening, now, limit)
        packets, env.outbox = env.outbox, []
        return packets

    def next_deadline(self) -> float | None:
        """When to call ``advance``: no later than the first timer, maybe earlier; ``None``: no timer runs."""
        earliest = self._deadlines.next()
        if self._time_wait.due < earliest:
            earliest = self._time_wait.due
        if self._reassembly.due < earliest:
            earliest = self._reassembly.due
        return None if earliest == inf else earliest

    def advance(self, now: float) -> None:
        """Fire every timer due at or before ``now``."""
        for datagram in self._reassembly.expire(now):
            icmp_answers.reassembly_timed_out(self.env, datagram, now)
        while (connection := self._time_wait.pop_due(now)) is not None:
            connection.expire(now)
        while (connection := self._deadlines.pop_due(now)) is not None:
            connection.expire(now)

    def take_ready(self) -> list[Connection | Listener]:
        """Connections and listeners with new ready bits since the last call."""
        ready: list[Any] = []
        if self.env.ready:
            ready, self.env.ready = self.env.ready, []
        if self.ready_listeners:
            ready += self.ready_listeners
            self.ready_listeners = []
        return ready

    @property
    def waiting(self) -> int:
        """Connections that ``transmit`` has yet to look at."""
        return len(self.env.pending) + len(self.env.opening)

    # User calls

    def listen(
        self, port: int, address: str | None = None, backlog: int = 128, config: Config | None = None
    ) -> Listener:
        """Passive OPEN on one address or all; port 0 chooses one. ``config``: of the listener and its connections.

        Raises ``AddressError``, or ``AddressInUseError`` when another listener has the port.
        """
        packed = None if address is None else self.addresses.check_own(address)
        if port == 0:
            port = self._ports.choose(b"listen", lambda candidate: (packed, candidate) not in self._listeners)
        if not 1 <= port <= 65535:
            raise AddressError(f"port {port} is not between 0 and 65535")
        if (packed, port) in self._listeners:
            raise AddressInUseError(f"port {port} has a listener already")
        listener = Listener(self, address, port, backlog, config or self.config)
        self._listeners[packed, port] = listener
        return listener

    def connect(
        self,
        remote: tuple[str, int],
        now: float,
        local: tuple[str, int] | None = None,
        config: Config | None = None,
    ) -> Connection:
        """Active OPEN; ``Ready.CONNECTED`` or ``Ready.ERROR`` follows.

        ``local`` (address, port): port 0 chooses one; ``config``: instead of the stack's.
        Raises ``AddressError``, ``AddressInUseError`` and ``InsufficientResourcesError``.
        """
        remote_packed = packed_address(remote[0])
        if not 1 <= remote[1] <= 65535:
            raise AddressError(f"port {remote[1]} is not between 1 and 65535")
        if not self.addresses.is_host(remote_packed):
            raise AddressError(f"{remote[0]} is not the address of a host")
        self._check_room()
        local_packed = self.addresses.towards(remote_packed) if local is None else self.addresses.check_own(local[0])
        if len(local_packed) != len(remote_packed):
            raise AddressError(f"{remote[0]} is of another family than the local address")
        port = local[1] if local else 0
        if port == 0:
            port = self._ports.choose(
                local_packed + remote_packed + remote[1].to_bytes(2, "big"),
                lambda candidate: (
                    usual.ends(remote_packed, local_packed, remote[1], candidate) not in self._connections
                ),
            )
        key = usual.ends(remote_packed, local_packed, remote[1], port)
        if key in self._connections:
            raise AddressInUseError("connection already exists")
        connection = self._new_connection(key, now, config=config)
        calls.open_active(connection)
        return connection

    def connections(self) -> list[Connection]:
        """All connections, half-open ones and TIME-WAIT included, oldest first."""
        return list(self._connections.values())

    def listeners(self) -> list[Listener]:
        """All listeners."""
        return list(self._listeners.values())

    def observe(self, observer: Observer | None) -> None:
        """Deliver every segment, drop, state change, timer and congestion event; ``None`` stops it."""
        self.env.observer = observer

    def statistics(self) -> StackStatistics:
        """Totals since the stack was made."""
        return statistics.of(self.env, len(self._connections))

    def forget_listener(self, listener: Listener) -> None:
        """For ``Listener.close``."""
        self._listeners = {key: other for key, other in self._listeners.items() if other is not listener}

    # Packets and segments

    def _receive_usual(self, connection: Connection, fields: usual.Usual, packet: Buffer, now: float) -> bool:
        """A sound segment of ``connection`` that was not predicted; False: the connection has ended."""
        if connection.state is CLOSED:
            return False
        segment = usual.segment(fields, packet)
        if self.env.observer is not None:
            self.env.observer.segment_received(connection, segment, now)
        connection.received_traffic_class = fields[1]
        connection.segment_arrives(segment, now)
        return True

    def _receive_usual_syn(self, packet: Buffer, now: float, checked: bool) -> bool:
        """A sound SYN for a listener that opens a connection, or opens one again; False: it is something else."""
        syn = usual.parse_usual_syn_untrusted(packet)
        if syn is None:
            return False
        key, segment = syn
        half = len(key) // 2 - 2
        source, destination = key[:half], key[half:-4]
        connection = self._connections.get(key)
        if (
            (connection is not None and not self._reopens(connection, segment))
            or destination not in self.addresses.own
            or not self.addresses.is_host(source)
            or (listener := self._listener(destination, segment.destination_port)) is None
            or not (checked or usual.is_sound(packet))
        ):
            return False
        self.env.counters.in_segs += 1
        if self.env.observer is not None:
            self.env.observer.segment_received(connection, segment, now)
        self._open(listener, segment, key, now, None if connection is None else self._replace(connection))
        return True

    def _listener(self, destination: bytes, port: int) -> Listener | None:
        return self._listeners.get((destination, port)) or self._listeners.get((None, port))

    def _receive_fragment(self, fragment: IPPacket, packet: Buffer, now: float) -> None:
        whole = self._reassembly.add(fragment, packet, now)
        if whole is None:
            return
        ip = parse_ip(whole)
        if ip.fragment is not None:
            self.env.drop("fragment-nested", now)
        elif ip.options_source_route:
            self.env.drop("source-route", now)
        else:
            self._receive_whole(ip, whole, now, False)

    def _receive_whole(self, ip: IPPacket, packet: Buffer, now: float, checked: bool) -> None:
        if ip.protocol == TCP:
            self._receive_tcp(ip, parse_tcp(ip, checked), now)
        elif ip.protocol == icmp.PROTOCOL[ip.version]:
            self._receive_icmp(ip, icmp.parse_untrusted(ip, checked), now)
        elif ip.protocol == _UDP:
            icmp_answers.port_unreachable(self.env, ip, memoryview(packet), now)
        else:
            self.env.counters.ip_in_unknown_protos += 1
            self.env.drop("protocol", now)

    def _receive_tcp(self, ip: IPPacket, seg: Segment, now: float) -> None:
        env = self.env
        env.counters.in_segs += 1
        key = usual.ends(ip.source, ip.destination, seg.source_port, seg.destination_port)
        connection = self._connections.get(key)
        used: int | None = None
        if env.observer is not None:
            env.observer.segment_received(connection, seg, now)
        if connection is not None and self._reopens(connection, seg):
            used, connection = self._replace(connection), None
        if connection is not None and connection.state is not CLOSED:
            connection.received_traffic_class = ip.traffic_class
            connection.segment_arrives(seg, now)
            return
        listener = self._listener(ip.destination, seg.destination_port)
        if listener is None:
            arrives.closed(env, ip, seg, now)
        else:
            self._listen(listener, ip, seg, key, now, used)

    def _listen(
        self, listener: Listener, ip: IPPacket, seg: Segment, key: bytes, now: float, used: int | None = None
    ) -> None:
        """RFC 9293 section 3.10.7.2: first RST, second ACK, third SYN.

        ``used``: what the connection in TIME-WAIT that ``seg`` takes over had as SND.NXT; the ISS has to be above.
        """
        if seg.flags & RST:
            return
        if seg.flags & ACK:
            if seg.flags & SYN or not listener.expects_cookie(now):
                arrives.closed(self.env, ip, seg, now)
            else:
                self._cookie_arrives(listener, ip, seg, key, now)
            return
        if seg.flags & SYN:
            self._open(listener, seg, key, now, used)
        else:
            self.env.drop("no-connection", now)

    def _open(self, listener: Listener, seg: Segment, key: bytes, now: float, used: int | None = None) -> None:
        """Third: ``seg`` is a SYN, without ACK and RST."""
        if not self._has_room(listener, now):
            return
        if listener.wants_cookie():
            half = len(key) // 2 - 2
            cookies.answer(self.env, listener.config, key[half:-4], key[:half], seg, now)
            listener.cookie_sent(now)
            return
        connection = self._new_passive(key, now, listener.config, used=used)
        arrives.listen(connection, seg, now)
        listener.admit(connection)
        connection.pending = True
        self.env.opening.append(connection)

    def _cookie_arrives(self, listener: Listener, ip: IPPacket, seg: Segment, key: bytes, now: float) -> None:
        """An ACK in LISTEN whose SYN,ACK was perhaps a cookie."""
        if not self._has_room(listener, now):
            if listener.config.accept_overflow == "reset":
                arrives.closed(self.env, ip, seg, now)
            return
        syn = cookies.restore(self.env, listener.config, ip.destination, ip.source, seg, now)
        listener.cookie_checked(syn is not None)
        if syn is None:
            arrives.closed(self.env, ip, seg, now)
            return
        connection = self._new_passive(key, now, listener.config, iss=wrap(seg.ack - 1))
        cookies.resume(connection, syn, now)
        connection.backlog = listener
        connection.segment_arrives(seg, now)

    def _has_room(self, listener: Listener, now: float) -> bool:
        if listener.has_room() and len(self._connections) < self.config.max_connections:
            return True
        self.env.counters.listen_drops += 1
        self.env.drop("listen-overflow", now)
        return False

    def _reopens(self, connection: Connection, seg: Segment) -> bool:
        """Whether ``seg`` is a SYN that may take over ``connection``, in TIME-WAIT (RFC 6191, RFC 9293 MAY-2)."""
        if connection.state is not TIME_WAIT or seg.flags & (SYN | ACK | RST) != SYN:
            return False
        if self._listener(connection.local_packed, seg.destination_port) is None:
            return False
        if seg.timestamp is not None and self.config.timestamps:
            if not connection.ts_on:
                return True  # the new connection can tell the old one's segments: they carry no timestamp
            newer = unwrap(seg.timestamp, connection.ts_recent)
            if newer != connection.ts_recent:
                return newer > connection.ts_recent
        return unwrap(seg.seq, connection.rcv_nxt) > connection.rcv_nxt

    def _receive_icmp(self, ip: IPPacket, message: icmp.ICMPMessage, now: float) -> None:
        self.env.counters.icmp_in_msgs += 1
        if icmp_answers.is_echo_request(ip, message):
            icmp_answers.reply_to_echo(self.env, ip, message, now)
        elif (error := icmp_answers.error(ip, message)) is not None:
            self._icmp_error(error, icmp.parse_quoted_untrusted(message.payload), now)
        else:
            self.env.drop(icmp_answers.ignored(ip, message), now)

    def _icmp_error(self, error: icmp_answers.Error, quoted: icmp.QuotedSegment, now: float) -> None:
        key = usual.ends(quoted.destination, quoted.source, quoted.destination_port, quoted.source_port)
        connection = self._connections.get(key)
        if connection is None or not unreachable.is_outstanding(connection, quoted.seq):
            self.env.drop("icmp-not-outstanding", now)
        elif error.kind is icmp_answers.Kind.TOO_BIG:
            unreachable.too_big(connection, quoted.length, error.mtu, now)
        elif error.kind is icmp_answers.Kind.HARD:
            unreachable.hard_error(connection, error.text)
        else:
            unreachable.soft_error(connection, error.text)

    def _send_for(self, waiting: deque[Any], now: float, limit: int | None) -> None:
        """Queue what connections must send, and look at their timers."""
        left = -1 if limit is None else min(limit, len(waiting))
        while waiting and left:
            left -= 1
            connection: Connection = waiting.popleft()
            connection.pending = False
            output(connection, now)
            if connection.state is CLOSED:
                self._forget(connection)
            elif connection.state is TIME_WAIT and self._time_wait.takes(connection):
                self._deadlines.forget(connection)
                self._limit_time_wait()
            elif connection.timers.earliest < connection.scheduled:
                self._deadlines.schedule(connection)

    # Tables

    def _new_connection(
        self, key: bytes, now: float, config: Config | None = None, iss: int | None = None, used: int | None = None
    ) -> Connection:
        """One in CLOSED, in the table; ``iss``: chosen already.

        ``used``: SND.NXT of the connection before; the ISS has to be above, and still no good guess (RFC 9293 MAY-2).
        """
        fresh, ts_offset = initial_numbers(self.env, key, now)
        if used is not None and unwrap(fresh, used) <= used:
            fresh = wrap(used + 1 + self.env.rng.getrandbits(24))
        self._connections[key] = connection = Connection(
            self.env, key, fresh if iss is None else iss, ts_offset, now, config=config
        )
        return connection

    def _new_passive(
        self, key: bytes, now: float, config: Config, iss: int | None = None, used: int | None = None
    ) -> Connection:
        """A connection in LISTEN, instead of a closed one that the table may still have."""
        if (old := self._connections.get(key)) is not None:
            self._forget(old)
        connection = self._new_connection(key, now, config, iss, used)
        connection.state = LISTEN
        return connection

    def _forget(self, connection: Connection) -> None:
        if self._connections.get(connection.key) is connection:
            del self._connections[connection.key]
        self._time_wait.forget(connection)
        self._deadlines.forget(connection)

    def _replace(self, connection: Connection) -> int:
        """End TIME-WAIT early: the first sequence number that was not used."""
        connection.outlive_time_wait()
        self._forget(connection)
        return connection.snd_nxt

    def _limit_time_wait(self) -> None:
        if (oldest := self._time_wait.surplus()) is not None:
            self.env.counters.drops["time-wait-overflow"] += 1
            self._replace(oldest)

    def _check_room(self) -> None:
        if len(self._connections) >= self.config.max_connections:
            raise InsufficientResourcesError(f"{self.config.max_connections} connections are open already")
