"""What STATUS (RFC 9293 section 3.10.6) tells: plain immutable records, for panels, ``netstat`` and logs.

Sequence numbers are the 32-bit numbers of the wire; times are seconds, sizes bytes.
Statistics carry the names of RFC 4022's MIB objects where one exists.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimerStatus:
    """One armed timer: ``remaining`` of about ``duration`` seconds are left."""

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
    urgent: int
    """Bytes from the next one the user reads to the end of the peer's urgent data, arrived or not."""

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
    path_mtu: int
    """Largest packet that the path to the peer is believed to take."""
    mtu_probe: int | None
    """Size of the packet that probes for more and is on its way (RFC 4821); ``None``: there is none."""
    timestamps: bool
    sack: bool
    """Selective acknowledgements were agreed on (RFC 2018)."""
    ecn: bool
    """Explicit congestion notification was agreed on (RFC 3168)."""
    snd_wscale: int | None
    """The shift of the windows we are sent; ``None``: not negotiated."""
    rcv_wscale: int | None
    nodelay: bool
    cork: bool
    keepalive: bool
    user_timeout: float | None
    """In force: ours, or adapted to the peer's (RFC 5482)."""
    remote_user_timeout: float | None
    """What the peer advertised last."""

    # Internet header (RFC 9293 section 3.9.2)
    ttl: int
    traffic_class: int
    received_traffic_class: int
    """Of the last segment that came in (RFC 9293 MAY-9)."""
    flow_label: int
    """Of IPv6 (RFC 6437); 0 on IPv4."""

    # Congestion and round-trip time
    cwnd: int
    ssthresh: int | None
    """``None`` until the first loss."""
    congestion_control: str
    congestion_state: str
    pacing_rate: float | None
    """Bytes a second that leave; ``None``: not paced."""
    bandwidth: float | None
    """Bytes a second that the path is believed to deliver (BBR); ``None``: no estimate is made."""
    srtt: float | None
    rttvar: float | None
    min_rtt: float | None
    rto: float
    in_flight: int

    # Scoreboard (RFC 6675)
    sacked: int
    """Bytes of those in flight that the peer holds beyond a gap."""
    lost: int
    """Bytes that are lost and not sent again yet."""
    sack_blocks: tuple[tuple[int, int], ...]
    """What is ``sacked``, as (left edge, right edge)."""

    # Queues and timers
    out_of_order: tuple[tuple[int, int], ...]
    """Ranges received beyond a gap, as (left edge, right edge)."""
    send_buffer: int
    receive_buffer: int
    receive_buffer_tuned: bool
    """Whether it grows as the user reads faster (``Config.receive_buffer`` is ``None``)."""
    timers: tuple[TimerStatus, ...]
    keepalive_probes: int
    """Keepalive probes sent since the peer was last heard."""
    retransmissions: int
    """Retransmissions in a row without progress, now."""
    error: str | None
    soft_error: str | None
    """What hinders the connection, R1 retransmissions or ICMP, until the peer acknowledges something new."""

    # Counters
    segments_in: int
    segments_out: int
    bytes_in: int
    bytes_out: int
    bytes_acked: int
    segments_retransmitted: int
    bytes_retransmitted: int
    duplicate_acks_in: int
    dsacks_in: int
    """Duplicates that the peer reported (RFC 2883)."""
    ce_in: int
    """Segments that routers marked (RFC 3168)."""
    spurious_recoveries: int
    """Losses that turned out to be none (RFC 4015)."""
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
    path_mtu_entries: int
    """Destinations whose path MTU is remembered."""
    path_mtu_evictions: int
    """Those forgotten because there were too many."""
    mtu_black_holes: int
    """Times a connection went back to a small size because full-sized segments vanished (RFC 4821)."""
    mtu_probes_out: int
    mtu_probes_lost: int
    rate_limited: int
    """Answers (ICMP, RST, challenge ACK) not sent because a rate limit was reached."""
    receive_grown: int
    """Bytes that auto-tuning added to receive buffers; at most ``Config.receive_memory``."""
    receive_memory_limited: int
    """Times a buffer did not grow because of that limit."""
    drops: dict[str, int]
    """Packets dropped, by reason."""
