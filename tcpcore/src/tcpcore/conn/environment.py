"""What a connection shares with its stack: counters, limits, the observer, and the queues it puts itself into."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from tcpcore.config import Config, LinkCapabilities
from tcpcore.conn.mtucache import PathMtus
from tcpcore.conn.observer import Observer

if TYPE_CHECKING:
    from tcpcore.conn.tcb import Tcb
    from tcpcore.wire.packet import Packet

IPV4_ENDS: Final = 12
IDENTIFICATIONS: Final = 256
"""Counters of IPv4 identifications."""


class Counters:
    """Running totals of a stack; ``StackStatistics`` says what they mean."""

    __slots__ = (
        "active_opens", "attempt_fails", "curr_estab", "drops", "estab_resets", "icmp_hard_errors", "icmp_in_errors",
        "icmp_in_msgs", "icmp_out_msgs", "icmp_soft_errors", "in_errs", "in_segs", "ip_in_addr_errors",
        "ip_in_hdr_errors", "ip_in_receives", "ip_in_unknown_protos", "ip_out_requests", "ip_reassembled",
        "ip_reassembly_fails", "listen_drops", "listen_overflows", "mtu_black_holes", "mtu_probes_lost",
        "mtu_probes_out", "out_rsts", "out_segs", "passive_opens", "path_mtu_reductions", "rate_limited",
        "receive_memory_limited", "retrans_segs",
    )  # fmt: skip

    def __init__(self) -> None:
        self.active_opens = self.passive_opens = self.attempt_fails = self.estab_resets = self.curr_estab = 0
        self.in_segs = self.out_segs = self.retrans_segs = self.in_errs = self.out_rsts = 0
        self.listen_overflows = self.listen_drops = self.rate_limited = 0
        self.ip_in_receives = self.ip_out_requests = self.ip_in_hdr_errors = self.ip_in_addr_errors = 0
        self.ip_in_unknown_protos = self.ip_reassembled = self.ip_reassembly_fails = 0
        self.icmp_in_msgs = self.icmp_out_msgs = self.icmp_in_errors = 0
        self.icmp_soft_errors = self.icmp_hard_errors = 0
        self.path_mtu_reductions = self.mtu_black_holes = self.mtu_probes_out = self.mtu_probes_lost = 0
        self.receive_memory_limited = 0
        self.drops: Counter[str] = Counter()


class RateLimit:
    """At most ``rate`` events in each second (RFC 5961 section 7)."""

    __slots__ = ("_count", "_rate", "_until")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._count = 0
        self._until = 0.0

    def allow(self, now: float) -> bool:
        """Whether one more event may happen at ``now``; it is counted if so."""
        if now >= self._until:
            self._until = now + 1.0
            self._count = 0
        self._count += 1
        return self._count <= self._rate


class Environment:
    """Shared by all connections of one stack."""

    __slots__ = (
        "_identification_salt", "_identifications", "_keyed", "capabilities", "challenge_limit", "config", "counters",
        "late", "more", "observer", "opening", "outbox", "path_mtus", "pending", "ready", "receive_grown",
        "reply_limit", "rng", "secret", "unheard",
    )  # fmt: skip

    def __init__(self, config: Config, capabilities: LinkCapabilities, rng: random.Random, secret: bytes) -> None:
        self.config = config
        self.capabilities = capabilities
        self.rng = rng
        self.secret = secret
        self._keyed: dict[int, hashlib.blake2b] = {}
        """By the size of the digest."""
        self.counters = Counters()
        self.observer: Observer | None = None
        self.challenge_limit = RateLimit(config.challenge_ack_rate)
        self.reply_limit = RateLimit(config.icmp_rate)
        self._identifications = [rng.getrandbits(16) for _ in range(IDENTIFICATIONS)]
        self._identification_salt = rng.getrandbits(32)
        self.path_mtus = PathMtus(config.max_path_mtus, config.path_mtu_lifetime)
        self.receive_grown = 0
        """Bytes that auto-tuning added to all receive buffers."""
        self.more = False
        """The user may be about to send more: what is no whole segment can wait for the next ``transmit``."""
        self.late = 0.0
        """Seconds for which packets that come in now may have waited for us."""
        self.unheard = False
        """Packets have come that nobody has looked at."""
        self.outbox: list[Packet] = []
        self.pending: deque[Any] = deque()
        """Connections that have something to send, or timers to be looked at."""
        self.opening: deque[Any] = deque()
        """The same, which have to answer a SYN."""
        self.ready: list[Tcb] = []

    def drop(self, reason: str, now: float) -> None:
        """Count a dropped packet and tell the observer."""
        self.counters.drops[reason] += 1
        if self.observer is not None:
            self.observer.segment_dropped(reason, now)

    def keyed_hash(self, data: bytes, size: int) -> int:
        """A ``size`` byte number that only the holder of the secret can predict (RFC 6528, 6056, 7323)."""
        keyed = self._keyed.get(size)
        if keyed is None:
            keyed = self._keyed[size] = hashlib.blake2b(key=self.secret, digest_size=size)
        hashed = keyed.copy()  # the secret is taken in once
        hashed.update(data)
        return int.from_bytes(hashed.digest(), "big")

    def flow_label(self, ends: bytes) -> int:
        """The 20 bits that mark all packets of one connection, and of no other, for routers (RFC 6437 section 3)."""
        if len(ends) == IPV4_ENDS:
            return 0
        return self.keyed_hash(b"flow-label" + ends, 3) & 0xFFFFF

    def next_identification(self, destination: bytes, count: int) -> int:
        """The first of ``count`` fresh IPv4 identifications for ``destination`` (RFC 6864).

        Destinations count apart, as far as the table goes: with one counter for all of them, anybody could tell
        from ours how much we send to others.
        """
        index = crc32(destination, self._identification_salt) & len(self._identifications) - 1
        first = self._identifications[index]
        self._identifications[index] = (first + count) & 0xFFFF
        return first
