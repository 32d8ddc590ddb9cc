"""Every tunable of the stack, with its unit and source. Immutable: a stack or connection is given a changed copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

SynCookies = Literal["never", "when-full", "always"]


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

    Raises ``ValueError`` on a value outside its range.
    """

    # Options offered on SYN (RFC 9293 section 3.2, RFC 7323)
    timestamps: bool = True
    window_scaling: bool = True
    mss: int | None = None
    """Largest segment we announce; ``None``: MTU less the fixed headers (RFC 9293 section 3.7.1)."""

    # Buffers
    send_buffer: int = 4 << 20
    receive_buffer: int = 4 << 20

    # Sending
    nodelay: bool = False
    """Switch Nagle's algorithm off (RFC 9293 section 3.7.4)."""
    initial_window_segments: int = 10
    """RFC 6928."""
    delayed_ack: float = 0.04
    """Longest delay of an acknowledgement, below 0.5 s (RFC 9293 MUST-40)."""

    # Retransmission (RFC 6298, RFC 9293 section 3.8.3)
    initial_rto: float = 1.0
    min_rto: float = 0.2
    max_rto: float = 60.0
    syn_retries: int = 7
    """Gives a SYN up after 183 s (RFC 9293 MUST-23: at least 3 minutes)."""
    syn_ack_retries: int = 5
    retries: int = 15
    """Retransmissions of data before the connection is given up (R2)."""
    user_timeout: float | None = None
    """Longest time data may stay unacknowledged; ``None``: only ``retries`` limits it (RFC 5482)."""

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
    """``0.0``: CLOSE sends RST and drops what is queued; ``None``: CLOSE delivers in the background."""

    # Tables and queues: each a limit that is counted when reached
    somaxconn: int = 4096
    syn_backlog: int = 1024
    syn_cookies: SynCookies = "when-full"
    """When a SYN is answered without keeping state (RFC 4987 section 3.6): full means ``syn_backlog`` is reached."""
    max_connections: int = 65536
    max_time_wait: int = 16384
    max_out_of_order: int = 1024
    """Out-of-order ranges kept per connection."""
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
        for name in ("send_buffer", "receive_buffer"):
            if not 1 <= getattr(self, name) <= MAX_BUFFER:
                raise ValueError(f"{name} must be 1 to {MAX_BUFFER} bytes")
        if self.keepalive_idle <= 0 or self.keepalive_interval <= 0 or self.keepalive_count < 1:
            raise ValueError("keepalive idle and interval must be above 0 s, the count at least 1")
        if self.syn_cookies not in get_args(SynCookies):
            raise ValueError(f"syn_cookies must be one of {', '.join(get_args(SynCookies))}")
        if self.max_reassembly < 1 or self.reassembly_bytes < 65535 or self.reassembly_timeout <= 0:
            raise ValueError("reassembly needs at least 1 datagram, 65535 bytes and a timeout above 0 s")
        low, high = self.ephemeral_ports
        if not 1 <= low <= high <= 65535:
            raise ValueError("ephemeral_ports must be two ports, the lower first")


MAX_BUFFER: Final = 1 << 30
"""Largest window that RFC 7323 section 2.3 can express."""
