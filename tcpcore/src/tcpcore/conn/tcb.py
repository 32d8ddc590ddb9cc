"""The transmission control block (RFC 9293 section 3.3.1): the state that all procedures of a connection share."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

from tcpcore import timing
from tcpcore.config import Config
from tcpcore.conn.congestion import create
from tcpcore.conn.outoforder import OutOfOrder
from tcpcore.conn.pacing import Pacer
from tcpcore.conn.reassembly import ReceiveQueue
from tcpcore.conn.rtt import RttEstimator
from tcpcore.conn.sendbuffer import SendBuffer
from tcpcore.conn.state import CLOSE_WAIT, CLOSED, ESTABLISHED, OPENING, State
from tcpcore.seqnum import wrap
from tcpcore.timing import TimerTable
from tcpcore.wire.ip import address_text

if TYPE_CHECKING:
    from tcpcore.conn.congestion.base import CongestionControl
    from tcpcore.conn.ecn import ECN
    from tcpcore.conn.environment import Environment
    from tcpcore.conn.mtuprobe import Search
    from tcpcore.conn.rack import Rack
    from tcpcore.conn.rate import RateSampler
    from tcpcore.conn.recovery import Recovery
    from tcpcore.conn.sack import Scoreboard
    from tcpcore.conn.spurious import Undo
    from tcpcore.errors import TCPError
    from tcpcore.wire.segment import Segment

DEFAULT_MSS: Final = {4: 536, 6: 1220}
"""RFC 9293 MUST-15."""
FIXED_HEADERS: Final = {4: 40, 6: 60}
"""IP and TCP header without options."""
TIMESTAMP_OPTION: Final = 12
"""Bytes of a timestamp option with its padding."""
TIMESTAMP_TICK: Final = 0.001
"""Seconds from one TSval to the next."""


class Ready:
    """Bits of ``take_ready``."""

    READABLE: Final = 1
    WRITABLE: Final = 2
    CONNECTED: Final = 4
    CLOSED: Final = 8
    ERROR: Final = 16
    URGENT: Final = 32
    """The peer announced urgent data (RFC 9293 MUST-32); ``Connection.urgent`` says how much is to be read."""
    ADVICE: Final = 64
    """Something hinders the connection (RFC 9293 MUST-47, SHLD-9): ``Connection.soft_error`` says what."""


class Backlog:
    """The passive side of a connection in SYN-RECEIVED: the listener it came from."""

    __slots__ = ()

    def has_room(self) -> bool:
        """Whether the accept queue takes one more; counted when it does not."""
        raise NotImplementedError

    def established(self, tcb: Tcb) -> None:
        """The handshake is complete: move ``tcb`` from the half-open to the accept queue."""
        raise NotImplementedError

    def syn_ack_retransmitted(self) -> None:
        """Count one."""
        raise NotImplementedError

    def gone(self, tcb: Tcb) -> None:
        """``tcb`` ended before the user accepted it."""
        raise NotImplementedError


class Tcb:
    """Variables named as in the RFC; sequence numbers are absolute (``tcpcore.seqnum``)."""

    __slots__ = (
        "ack_now", "backlog", "bytes_acked", "bytes_in", "bytes_out", "bytes_retransmitted", "ce_in",
        "challenge_acks_out", "closed_by_user", "config", "congestion", "dsack", "dsacks_in", "dup_acks",
        "duplicate_acks_in", "ecn", "ends", "env", "error", "fin_seq", "first_unacked_at", "flight_after_send",
        "flow_label", "flush_to", "identification", "ip_sum", "irs", "iss", "keepalive_probes", "key", "last_ack_sent",
        "last_challenge", "last_data_in", "last_data_out", "last_received", "max_snd_wnd", "mss", "mtu_search",
        "opened_at", "out_of_order", "out_probe", "owner", "pacer", "path_mtu", "paws_drops", "peer_mss", "pending",
        "probe_now", "probes_unanswered", "pseudo_sum", "rack", "rate", "rcv_adv", "rcv_fin", "rcv_mss", "rcv_nxt",
        "rcv_queue", "rcv_up", "rcv_wscale", "read_closed", "ready", "receive_buffer", "receive_grown",
        "received_traffic_class", "recover", "recovery", "remote_user_timeout", "reset_seq", "retransmissions",
        "rst_wanted", "rtt", "sack_ok", "schedule_number", "scheduled", "scoreboard", "segments_duplicate",
        "segments_in", "segments_out", "segments_out_of_order", "segments_retransmitted", "send_buffer", "slow_acks",
        "snd_nxt", "snd_sml", "snd_una", "snd_up", "snd_wl1", "snd_wl2", "snd_wnd", "snd_wscale", "soft_error",
        "spurious_recoveries", "state", "syn_due", "syn_rest", "syn_retransmitted", "tail_probe_due", "timers",
        "tlp_end", "tlp_resent", "ts_echo", "ts_offset", "ts_on", "ts_recent", "ts_recent_at", "tune_at", "tuned_at",
        "undo", "unreported_write", "user_timeout", "user_timeout_due", "version", "waits_until", "window_probes_out",
    )  # fmt: skip

    def __init__(
        self,
        env: Environment,
        key: bytes,
        iss: int,
        ts_offset: int,
        now: float,
        backlog: Backlog | None = None,
        config: Config | None = None,
    ) -> None:
        self.env = env
        self.config = config = config or env.config
        self.owner: Any = None
        """Free for the driver."""
        self.backlog = backlog
        self.key = key
        """The ends (``tcpcore.wire.usual``) of a packet that comes in."""
        half = len(key) // 2 - 2
        self.ends = key[half:-4] + key[:half] + key[-2:] + key[-4:-2]
        """Those of one that goes out."""
        self.version = 4 if half == 4 else 6
        self.pseudo_sum = self.ip_sum = -1
        """What does not change in the sums over the pseudo header and the IPv4 header, once computed."""
        self.identification = ts_offset & 0xFFFF
        """Of the next IPv4 packet (RFC 6864): no other connection's tells anything of it."""
        self.flow_label = env.flow_label(self.ends)
        self.received_traffic_class = 0
        self.state = CLOSED
        self.error: TCPError | None = None
        self.soft_error: TCPError | None = None
        """What hinders the connection, as ICMP or R1 told, until there is progress."""
        self.opened_at = now

        # Send sequence space
        self.iss = iss
        self.snd_una = iss
        self.snd_nxt = iss
        self.snd_wnd = 0
        self.snd_up = iss
        self.snd_wl1 = 0
        self.snd_wl2 = 0
        self.max_snd_wnd = 0
        """The largest window the peer ever offered (RFC 9293 section 3.8.6.2.1)."""
        self.snd_sml = iss
        """End of the last small segment sent: Nagle holds another back until it is acknowledged."""
        self.flush_to = iss
        """Text before it leaves in small segments too: it was corked, and is not any more."""
        self.send_buffer = SendBuffer(iss + 1)
        self.fin_seq: int | None = None
        """Sequence number of our FIN, once the user closed."""

        # Receive sequence space
        self.irs = 0
        self.rcv_nxt = 0
        self.rcv_adv = 0
        """Right edge of the window we offered: RCV.WND is ``rcv_adv - rcv_nxt``."""
        self.rcv_up: int | None = None
        """End of the peer's urgent data; ``None``, as far as STATUS goes RCV.NXT: the user has read all of it."""
        self.rcv_fin: int | None = None
        """Sequence number of the peer's FIN, once seen."""
        self.syn_rest: Segment | None = None
        """What came with the peer's SYN, until ESTABLISHED (RFC 9293 section 3.10.7.2)."""
        self.last_ack_sent = 0
        self.receive_buffer = config.first_receive_buffer
        """Bytes, unread and out of order, that there is room for now."""
        self.receive_grown = 0
        """Of these, what ``conn.autotune`` added."""
        self.tune_at = self.receive_buffer
        self.tuned_at = now
        """Once the user has read ``tune_at`` bytes, ``conn.autotune`` looks how long that took from ``tuned_at`` on."""
        self.rcv_queue = ReceiveQueue()
        self.out_of_order: OutOfOrder | None = None
        self.dsack: tuple[int, int] | None = None
        """What came twice, to be reported with the next ACK (RFC 2883)."""

        # Options (RFC 9293 section 3.7.1, RFC 7323)
        self.peer_mss = DEFAULT_MSS[self.version]
        self.rcv_mss = announced_mss(env, config, self.version)
        self.path_mtu = env.path_mtus.get(key[:half], now) or env.capabilities.mtu
        """Largest packet that the path is believed to take."""
        self.mtu_search: Search | None = None
        """While a larger one is looked for (RFC 4821)."""
        self.mss = min(self.peer_mss, self.rcv_mss)
        """Effective send MSS, options of each segment taken off."""
        self.snd_wscale: int | None = None
        self.rcv_wscale: int | None = None
        self.ts_on = False
        self.ts_offset = ts_offset
        self.ts_recent = 0
        self.ts_recent_at = now
        self.ts_echo: int | None = None
        """TSecr of the segment that set TS.Recent."""

        # Round-trip time, congestion, recovery
        self.timers = TimerTable()
        self.rtt = RttEstimator(config.initial_rto, config.min_rto, config.max_rto)
        self.scoreboard: Scoreboard | None = None
        """What is in flight; ``None``: nothing is."""
        self.sack_ok = False
        """Both sides permit SACK (RFC 2018 section 2)."""
        self.rack: Rack | None = None
        """Made with the first gap."""
        self.recovery: Recovery | None = None
        self.undo: Undo | None = None
        """What to go back to if the last loss turns out to be none."""
        self.tail_probe_due = False
        self.tlp_end: int | None = None
        """SND.NXT when the last tail loss probe left, until it is acknowledged."""
        self.tlp_resent = False
        """That probe was nothing new."""
        self.slow_acks = False
        """It came too early once: the peer delays its ACKs for longer than most."""
        self.pacer: Pacer | None = None
        """``None``: what the windows allow leaves at once."""
        self.control(create(config.congestion_control, self.mss, config.initial_window_segments))
        self.ecn: ECN | None = None
        """``None``: not agreed on (RFC 3168)."""
        self.flight_after_send = 0
        """What was outstanding when new text last left: so far the window was used, whatever ACKs take off since."""
        self.dup_acks = 0
        """Without SACK: segments beyond the gap at SND.UNA, as duplicate ACKs tell."""
        self.recover = iss
        """Without SACK: SND.NXT at the last loss (RFC 6582)."""
        self.retransmissions = 0
        """Timeouts in a row without progress."""
        self.first_unacked_at = now
        self.syn_retransmitted = False
        self.user_timeout = config.user_timeout
        """In force (RFC 5482)."""
        self.remote_user_timeout: float | None = None
        """What the peer advertised."""

        # What arrivals, calls and timeouts ask of output
        self.ack_now = False
        self.syn_due = False
        self.reset_seq: int | None = None
        """Answer with ``<SEQ=reset_seq><CTL=RST>``."""
        self.rst_wanted = False
        self.probe_now = False
        """A zero-window or keepalive probe is due."""
        self.user_timeout_due = config.advertise_user_timeout and self.user_timeout is not None
        """The next segment without text has to advertise the user timeout."""
        self.out_probe = False
        """An octet beyond SND.NXT was sent as a probe; its acknowledgement moves SND.NXT."""
        self.closed_by_user = False
        """CLOSE was called: nobody reads any more."""
        self.read_closed = False
        self.unreported_write = False
        """SEND would have blocked: tell when there is room again."""

        # Keepalive and probes
        self.last_received = now
        self.keepalive_probes = 0
        self.probes_unanswered = 0

        # Queues of the stack
        self.schedule_number = 0
        self.scheduled = inf
        """When the stack looks at the timers next."""
        self.waits_until = inf
        """When TIME-WAIT is over, if a queue of the stack sees to it."""
        self.pending = False
        self.ready = 0

        # Counters
        self.segments_in = self.segments_out = self.bytes_in = self.bytes_out = self.bytes_acked = 0
        self.segments_retransmitted = self.bytes_retransmitted = 0
        self.duplicate_acks_in = self.segments_out_of_order = self.segments_duplicate = 0
        self.window_probes_out = self.challenge_acks_out = self.paws_drops = 0
        self.dsacks_in = self.spurious_recoveries = self.ce_in = 0
        self.last_challenge = -inf
        self.last_data_in: float | None = None
        self.last_data_out: float | None = None

    @property
    def local_packed(self) -> bytes:
        """Our address, as on the wire."""
        return self.ends[: len(self.ends) // 2 - 2]

    @property
    def remote_packed(self) -> bytes:
        """The peer's."""
        return self.key[: len(self.key) // 2 - 2]

    @property
    def local(self) -> tuple[str, int]:
        """Our address and port."""
        return address_text(self.local_packed), int.from_bytes(self.ends[-4:-2], "big")

    @property
    def remote(self) -> tuple[str, int]:
        """The peer's address and port."""
        return address_text(self.remote_packed), int.from_bytes(self.ends[-2:], "big")

    @property
    def rcv_wnd(self) -> int:
        """RCV.WND."""
        return self.rcv_adv - self.rcv_nxt

    @property
    def in_flight(self) -> int:
        """Sequence numbers sent and not acknowledged."""
        return self.snd_nxt - self.snd_una

    @property
    def pipe(self) -> int:
        """What the network holds of it: neither known to have arrived nor lost (RFC 6675 section 4)."""
        pipe = self.snd_nxt - self.snd_una
        if self.scoreboard is not None:
            pipe -= self.scoreboard.sacked + self.scoreboard.lost + self.dup_acks * self.mss
        return max(pipe, 0)

    def control(self, congestion: CongestionControl) -> None:
        """Let ``congestion`` decide from now on; nothing can be undone that another one did."""
        self.congestion = congestion
        self.rate: RateSampler | None = congestion.sampler(self.env.rng)
        self.undo = None
        self.pace()

    def pace(self) -> None:
        """Pace if congestion control or the user wants it."""
        wanted = self.config.pacing or self.congestion.governs
        self.pacer = (self.pacer or Pacer()) if wanted else None
        self.timers.deadlines[timing.PACING] = inf

    def own_mss(self) -> int:
        """The MSS we announce (RFC 9293 section 3.7.1: MTU less fixed headers, options not counted)."""
        return announced_mss(self.env, self.config, self.version)

    def mss_for(self, mtu: int) -> int:
        """Effective send MSS on a path that takes packets of ``mtu`` bytes (MUST-16: the options are taken off)."""
        mss = min(self.peer_mss, mtu - FIXED_HEADERS[self.version])
        return mss - TIMESTAMP_OPTION if self.ts_on else mss

    def timestamp_clock(self, now: float) -> int:
        """TSval: milliseconds, from an offset of this connection's own (RFC 7323 section 5.4)."""
        return timestamp_value(self.ts_offset, now)

    def timestamp_age(self, echo: int, now: float) -> float:
        """Seconds since we sent the TSval ``echo``; more than 49 days when it is one of the future."""
        return wrap(self.timestamp_clock(now) - echo) * TIMESTAMP_TICK

    def touch(self) -> None:
        """Ask the stack to run output for this connection and to look at its timers."""
        if not self.pending:
            self.pending = True
            self.env.pending.append(self)

    def touch_if_due(self) -> None:
        """``touch`` after an arrival, if it left anything to send, or a timer that is due before the stack looks."""
        board = self.scoreboard
        if not self.pending and (
            self.ack_now
            or self.send_buffer.end > self.snd_nxt
            or self.timers.earliest < self.scheduled
            or self.state is not ESTABLISHED
            or (board is not None and board.lost)
            or self.probe_now
            or self.tail_probe_due
            or self.user_timeout_due
            or self.rst_wanted
            or self.reset_seq is not None
        ):
            self.touch()

    def notify(self, bits: int) -> None:
        """Set ready bits; the stack's ready list gets the connection once."""
        if not self.ready:
            self.env.ready.append(self)
        self.ready |= bits

    def advise(self, error: TCPError) -> None:
        """Report a soft error (RFC 9293 section 3.9.1.8), once until there is progress."""
        if self.soft_error is None and self.config.r1:
            self.notify(Ready.ADVICE)
        self.soft_error = error

    def tell(self, event: str, now: float) -> None:
        """Let the observer know of a congestion event."""
        if self.env.observer is not None:
            self.env.observer.congestion_event(self, event, now)

    def enter(self, state: State) -> None:
        """Take an arrow of Figure 5."""
        old = self.state
        if old is state:
            return
        self.state = state
        counters = self.env.counters
        if state is ESTABLISHED:
            counters.curr_estab += 1
        elif old in _CURRENT and state not in _CURRENT:
            counters.curr_estab -= 1
        if self.env.observer is not None:
            self.env.observer.state_changed(self, old, state)

    def finish(self, error: TCPError | None = None) -> None:
        """Enter CLOSED: timers stop, buffers go, the user is told of ``error``."""
        opening, state = self.state in OPENING, self.state
        self.timers.clear_all()
        self.error = self.error or error
        self.send_buffer = SendBuffer(self.snd_nxt)
        self.scoreboard = self.recovery = self.undo = None
        self.tail_probe_due = False
        self.forget_growth()
        self.out_of_order = self.syn_rest = None
        if opening:
            self.env.counters.attempt_fails += 1
        elif error is not None and state in _CURRENT:
            self.env.counters.estab_resets += 1
        self.enter(CLOSED)
        if self.backlog is not None:
            self.backlog.gone(self)
            self.backlog = None
        self.notify(Ready.CLOSED | Ready.READABLE | Ready.WRITABLE | (Ready.ERROR if error else 0))
        self.touch()

    def outlive_time_wait(self) -> None:
        """From TIME-WAIT to CLOSED: ``finish`` where nothing is queued, and where who called CLOSE has heard it all."""
        self.timers.clear_all()
        self.undo = self.recovery = None
        self.enter(CLOSED)
        if not self.closed_by_user:
            self.notify(Ready.CLOSED | Ready.READABLE | Ready.WRITABLE)

    def forget_growth(self) -> None:
        """What auto-tuning added to the receive buffer no longer counts for the stack's limit."""
        self.env.receive_grown -= self.receive_grown
        self.receive_grown = 0

    def challenge_ack(self, now: float) -> None:
        """Answer with an ACK, if the limits of RFC 5961 section 7 allow."""
        if now - self.last_challenge >= self.config.challenge_ack_interval and self.env.challenge_limit.allow(now):
            self.ack_now = True
            self.last_challenge = now
            self.challenge_acks_out += 1
        else:
            self.env.counters.rate_limited += 1


def announced_mss(env: Environment, config: Config, version: int) -> int:
    """What fits the link's MTU, or the smaller size that is configured."""
    limit = env.capabilities.mtu - FIXED_HEADERS[version]
    return limit if config.mss is None or config.mss > limit else config.mss


def timestamp_value(offset: int, now: float) -> int:
    """A clock of milliseconds that begins anywhere."""
    return (int(now * 1000) + offset) & 0xFFFFFFFF


_CURRENT: Final = frozenset({ESTABLISHED, CLOSE_WAIT})
