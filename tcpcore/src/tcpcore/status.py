"""What STATUS (RFC 9293 section 3.10.6) tells: plain immutable records, for panels, ``netstat`` and logs.

Sequence numbers are the 32-bit numbers of the wire; times are seconds, sizes bytes.
Statistics carry the names of RFC 4022's MIB objects where one exists.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimerStatus:
    """One armed timer: ``remaining`` of ``duration`` seconds are left."""

    name: str
    remaining: float
    duration: float


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """Everything about one connection at one moment."""

    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    state: str
    """Name of the RFC, as ``ESTABLISHED`` or ``SYN-RECEIVED``."""
    age: float
    """Seconds since OPEN or the first SYN."""
    recv_q: int
    """Bytes received in order and not yet read by the user."""
    send_q: int
    """Bytes the user sent that are not yet acknowledged."""

    # Send sequence variables
    snd_una: int
    snd_nxt: int
    snd_wnd: int
    snd_up: int
    snd_wl1: int
    snd_wl2: int
    iss: int
    # Receive sequence variables
    rcv_nxt: int
    rcv_wnd: int
    rcv_up: int
    irs: int

    # Options
    mss: int
    """Effective send MSS, payload bytes per segment."""
    timestamps: bool
    snd_wscale: int | None
    """The shift of the windows we are sent; ``None``: not negotiated."""
    rcv_wscale: int | None
    nodelay: bool
    keepalive: bool

    # Congestion and round-trip time
    cwnd: int
    ssthresh: int | None
    """``None`` until the first loss."""
    congestion_control: str
    congestion_state: str
    srtt: float | None
    rttvar: float | None
    min_rtt: float | None
    rto: float
    in_flight: int

    # Queues and timers
    out_of_order: tuple[tuple[int, int], ...]
    """Ranges received beyond a gap, as (left edge, right edge)."""
    send_buffer: int
    receive_buffer: int
    timers: tuple[TimerStatus, ...]
    keepalive_probes: int
    """Keepalive probes sent since the peer was last heard."""
    retransmissions: int
    """Retransmissions in a row without progress, now."""
    error: str | None

    # Counters
    segments_in: int
    segments_out: int
    bytes_in: int
    bytes_out: int
    bytes_acked: int
    segments_retransmitted: int
    bytes_retransmitted: int
    duplicate_acks_in: int
    segments_out_of_order: int
    segments_duplicate: int
    window_probes_out: int
    challenge_acks_out: int
    paws_drops: int
    last_data_in: float | None
    """Seconds since data last came in; ``None``: never."""
    last_data_out: float | None


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """A listener and its two queues (RFC 4987: half-open; and accepted, waiting for the user)."""

    address: str | None
    """``None``: every address of the stack."""
    port: int
    half_open: int
    half_open_limit: int
    accept_queue: int
    accept_queue_limit: int
    half_open_overflows: int
    accept_overflows: int
    syn_ack_retransmissions: int
    half_open_timeouts: int
    cookies_sent: int
    cookies_accepted: int
    """Handshakes completed by a valid SYN cookie."""
    cookies_failed: int
    """ACKs for no connection whose cookie was forged or too old, while cookies were expected."""
    accepted: int


@dataclass(frozen=True, slots=True)
class StackStatistics:
    """Totals of a stack since it was made."""

    tcp_active_opens: int
    tcp_passive_opens: int
    tcp_attempt_fails: int
    tcp_estab_resets: int
    tcp_curr_estab: int
    tcp_in_segs: int
    tcp_out_segs: int
    tcp_retrans_segs: int
    tcp_in_errs: int
    tcp_out_rsts: int
    tcp_listen_overflows: int
    tcp_listen_drops: int
    tcp_connections: int
    ip_in_receives: int
    ip_out_requests: int
    ip_in_hdr_errors: int
    ip_in_addr_errors: int
    ip_in_unknown_protos: int
    ip_reassembled: int
    ip_reassembly_fails: int
    icmp_in_msgs: int
    icmp_out_msgs: int
    icmp_in_errors: int
    icmp_soft_errors: int
    """ICMP errors noted on a connection that went on."""
    icmp_hard_errors: int
    """ICMP errors that ended the opening of a connection."""
    path_mtu_reductions: int
    """Times a connection's segments were made smaller (RFC 1191, RFC 8201)."""
    rate_limited: int
    """Answers (ICMP, RST, challenge ACK) not sent because a rate limit was reached."""
    drops: dict[str, int]
    """Packets dropped, by reason."""
