"""Every tunable of the stack, with its unit and source. Immutable: a stack or connection is given a changed copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

CongestionAlgorithm = Literal["cubic", "reno", "bbr"]
ECNMode = Literal["off", "passive", "on"]
SynCookies = Literal["never", "when-full", "always"]
MtuProbing = Literal["off", "black-hole", "always"]
AcceptOverflow = Literal["drop", "reset"]


@dataclass(frozen=True, slots=True)
class LinkCapabilities:
    """What a link can do for the stack.

    ``mtu``: largest IP packet on the wire, bytes. ``checksum_offload``: the link completes transport checksums
    of what we send. ``segmentation_offload``: it cuts large TCP packets itself, up to ``max_packet`` bytes.
    """

    mtu: int = 1500
    checksum_offload: bool = False
    segmentation_offload: bool = False
    max_packet: int = 65535


@dataclass(frozen=True, slots=True)
class Config:
    """Defaults of a stack and of its connections. Times in seconds, sizes in bytes.

    A listener or connection may have one of its own; limits and rates of the whole stack (``max_connections``,
    ``max_time_wait``, ``receive_memory``, ``challenge_ack_rate``, ``icmp_rate``, reassembly, ``ephemeral_ports``)
    stay the stack's.

    Raises ``ValueError`` on a value outside its range.
    """

    # Options offered on SYN (RFC 9293 section 3.2, RFC 7323)
    timestamps: bool = True
    window_scaling: bool = True
    sack: bool = True
    """Selective acknowledgements (RFC 2018), and with them RACK-TLP (RFC 8985)."""
    mss: int | None = None
    """Largest segment we announce; ``None``: MTU less the fixed headers (RFC 9293 section 3.7.1)."""

    # Buffers
    send_buffer: int = 4 << 20
    receive_buffer: int | None = None
    """Exactly this; ``None``: from ``receive_buffer_initial`` to ``max_receive_buffer`` as the user reads faster."""
    receive_buffer_initial: int = 256 << 10
    max_receive_buffer: int = 16 << 20
    """The window scale is chosen for it (RFC 7323 section 2)."""
    receive_memory: int = 1 << 30
    """Auto-tuned buffers do not grow by more than this, all of the stack together.

    So what was received and not yet read never exceeds this and ``receive_buffer_initial`` for each connection.
    """

    # Sending
    nodelay: bool = False
    """Switch Nagle's algorithm off (RFC 9293 section 3.7.4)."""
    cork: bool = False
    """Only full segments leave; the rest when this is switched off, after 0.2 s, or with FIN or urgent data."""
    ecn: ECNMode = "passive"
    """Explicit congestion notification (RFC 3168): never, if the peer offers it, or offered by us too."""
    congestion_control: CongestionAlgorithm = "cubic"
    """CUBIC with HyStart++ (RFC 9438, RFC 9406), Reno (RFC 5681), or BBR (draft-ietf-ccwg-bbr), which is paced."""
    pacing: bool = False
    """Spread what CUBIC and Reno send over the round trip: 2 windows in one while slow start is far from its end, 1.2
    later."""
    initial_window_segments: int = 10
    """RFC 6928."""
    delayed_ack: float = 0.04
    """Longest delay of an acknowledgement, below 0.5 s (RFC 9293 MUST-40)."""

    # Internet header (RFC 9293 section 3.9.2)
    ttl: int = 64
    """TTL, or hop limit, of every packet, 1 to 255 (RFC 9293 MUST-49)."""
    traffic_class: int = 0
    """The octet with the Diffserv field in its upper six bits (RFC 9293 MUST-48); its two ECN bits have to be 0."""

    # Path MTU (RFC 1191, RFC 8201, RFC 4821)
    mtu_probing: MtuProbing = "black-hole"
    """Probe for what a path takes (RFC 4821) never, once full-sized segments vanish silently, or from the start."""
    path_mtu_lifetime: float = 600.0
    """When a smaller MTU is forgotten, or probed above, again (RFC 1191 section 6.3, RFC 8201 section 4)."""
    max_path_mtus: int = 4096
    """Destinations whose path MTU is remembered; the oldest is forgotten beyond."""

    # Retransmission (RFC 6298, RFC 9293 section 3.8.3)
    initial_rto: float = 1.0
    min_rto: float = 0.2
    max_rto: float = 60.0
    syn_retries: int = 7
    """Gives a SYN up after 183 s (RFC 9293 MUST-23: at least 3 minutes)."""
    syn_ack_retries: int = 5
    retries: int = 15
    """Retransmissions of data before the connection is given up (R2)."""
    r1: int = 3
    """Retransmissions in a row after which ``Ready.ADVICE`` tells the user (R1); 0: no soft error is ever told."""
    user_timeout: float | None = None
    """Longest time data may stay unacknowledged; ``None``: only ``retries`` limits it (RFC 5482)."""
    advertise_user_timeout: bool = False
    """Tell the peer ``user_timeout`` on SYN and whenever it changes (RFC 5482 ENABLED)."""
    adapt_user_timeout: bool = False
    """Let the peer's advertisement change ours (RFC 5482 CHANGEABLE); it then decides instead of ``retries``."""
    user_timeout_min: float = 100.0
    """A peer cannot make the user timeout shorter (RFC 5482 L_LIMIT; RFC 9293 SHLD-11)."""
    user_timeout_max: float = 3600.0
    """Nor longer (RFC 5482 U_LIMIT)."""

    # Keepalive (RFC 9293 section 3.8.4): off until asked for
    keepalive: bool = False
    keepalive_idle: float = 7200.0
    keepalive_interval: float = 75.0
    keepalive_count: int = 10

    # Closing
    msl: float = 30.0
    """Maximum segment lifetime; TIME-WAIT lasts twice this (RFC 9293 section 3.4.2 says 2 min; Linux's 60 s in all)."""
    fin_wait_2_timeout: float = 60.0
    """How long a closed connection waits for the peer's FIN."""
    linger: float | None = None
    """How long CLOSE delivers in the background before it sends RST and drops what is queued.

    ``0.0``: RST at once; ``None``: until ``retries`` or ``user_timeout`` give up.
    """
    rfc1337: bool = False
    """TIME-WAIT ignores RST (RFC 1337, fix F1), and lasts its time."""

    # Tables and queues: each a limit that is counted when reached
    somaxconn: int = 4096
    syn_backlog: int = 1024
    syn_cookies: SynCookies = "when-full"
    """When a SYN is answered without keeping state (RFC 4987 section 3.6): full means ``syn_backlog`` is reached."""
    accept_overflow: AcceptOverflow = "drop"
    """What the last ACK of a handshake meets when the accept queue is full: no answer, so that the peer tries again
    until there is room, or RST, which ends the attempt."""
    max_connections: int = 65536
    max_time_wait: int = 16384
    max_out_of_order: int = 1024
    """Out-of-order ranges kept per connection."""
    challenge_ack_interval: float = 0.5
    """A connection sends no more than one in so many seconds: else two ends could answer each other for ever."""
    challenge_ack_rate: int = 1000
    """Challenge and duplicate ACKs per second, for the whole stack (RFC 5961 section 7)."""
    icmp_rate: int = 1000
    """ICMP messages and RSTs for no connection that we send per second."""
    max_reassembly: int = 256
    """Incomplete IP datagrams kept."""
    reassembly_bytes: int = 4 << 20
    """Bytes kept of them all."""
    reassembly_timeout: float = 30.0
    """From a datagram's first fragment on (Linux's; RFC 1122 section 3.3.2 and RFC 8200 say 60 s)."""
    ephemeral_ports: tuple[int, int] = (32768, 60999)

    def __post_init__(self) -> None:
        """Refuse values that no RFC or arithmetic allows."""
        if not 0.0 <= self.delayed_ack < 0.5:
            raise ValueError("delayed_ack must be at least 0 and below 0.5 s (RFC 9293 MUST-40)")
        if not 0.0 < self.min_rto <= self.max_rto:
            raise ValueError("min_rto must be above 0 and not above max_rto")
        if self.mss is not None and not 1 <= self.mss <= 65495:
            raise ValueError("mss must be 1 to 65495 bytes")
        for name in ("send_buffer", "receive_buffer", "receive_buffer_initial", "max_receive_buffer"):
            size = getattr(self, name)
            if size is not None and not 1 <= size <= MAX_BUFFER:
                raise ValueError(f"{name} must be 1 to {MAX_BUFFER} bytes")
        if self.receive_memory < 0:
            raise ValueError("receive_memory must be at least 0 bytes")
        if self.keepalive_idle <= 0 or self.keepalive_interval <= 0 or self.keepalive_count < 1:
            raise ValueError("keepalive idle and interval must be above 0 s, the count at least 1")
        if self.syn_cookies not in get_args(SynCookies):
            raise ValueError(f"syn_cookies must be one of {', '.join(get_args(SynCookies))}")
        if self.ecn not in get_args(ECNMode):
            raise ValueError(f"ecn must be one of {', '.join(get_args(ECNMode))}")
        if self.congestion_control not in get_args(CongestionAlgorithm):
            raise ValueError(f"congestion_control must be one of {', '.join(get_args(CongestionAlgorithm))}")
        if self.accept_overflow not in get_args(AcceptOverflow):
            raise ValueError(f"accept_overflow must be one of {', '.join(get_args(AcceptOverflow))}")
        if self.linger is not None and not self.linger >= 0.0:
            raise ValueError("linger must be None or at least 0 s")
        if self.max_reassembly < 1 or self.reassembly_bytes < 65535 or self.reassembly_timeout <= 0:
            raise ValueError("reassembly needs at least 1 datagram, 65535 bytes and a timeout above 0 s")
        if not 1 <= self.ttl <= 255:
            raise ValueError("ttl must be 1 to 255")
        if not 0 <= self.traffic_class <= 255 or self.traffic_class & 3:
            raise ValueError("traffic_class must be 0 to 255, its two lowest bits (ECN) 0")
        if self.mtu_probing not in get_args(MtuProbing):
            raise ValueError(f"mtu_probing must be one of {', '.join(get_args(MtuProbing))}")
        if self.path_mtu_lifetime <= 0 or self.max_path_mtus < 1:
            raise ValueError("path_mtu_lifetime must be above 0 s, max_path_mtus at least 1")
        if self.r1 < 0:
            raise ValueError("r1 must be at least 0 retransmissions")
        if self.user_timeout is not None and self.user_timeout <= 0:
            raise ValueError("user_timeout must be above 0 s")
        if not 0 < self.user_timeout_min <= self.user_timeout_max:
            raise ValueError("user_timeout_min must be above 0 s and not above user_timeout_max")
        low, high = self.ephemeral_ports
        if not 1 <= low <= high <= 65535:
            raise ValueError("ephemeral_ports must be two ports, the lower first")

    @property
    def first_receive_buffer(self) -> int:
        """What a connection begins with."""
        return self.receive_buffer or min(self.receive_buffer_initial, self.max_receive_buffer)

    @property
    def largest_receive_buffer(self) -> int:
        """What it may grow to."""
        return self.receive_buffer or self.max_receive_buffer


MAX_BUFFER: Final = 1 << 30
"""Largest window that RFC 7323 section 2.3 can express."""
