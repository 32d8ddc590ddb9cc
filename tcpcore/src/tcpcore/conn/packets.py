"""From a connection's decision to a packet: TCP and IP header, options, checksum left to the link."""

from __future__ import annotations

from collections.abc import Sequence

from tcpcore.config import Config
from tcpcore.conn import usertimeout
from tcpcore.conn.environment import Environment
from tcpcore.conn.tcb import Tcb, timestamp_value
from tcpcore.seqnum import MASK, wrap
from tcpcore.wire import options as tcp_options
from tcpcore.wire.checksum import ALL_ONES, add, pseudo_header_sum
from tcpcore.wire.ippacket import TCP
from tcpcore.wire.ipv4 import build_ipv4_header
from tcpcore.wire.ipv6 import build_ipv6_header
from tcpcore.wire.packet import Buffer, Packet
from tcpcore.wire.tcp import ACK, CHECKSUM_OFFSET, RST, URG, build_header
from tcpcore.wire.usual import build_usual_ipv4, build_usual_ipv6, ends, ipv4_sum

_TCP_HEADER = 32
"""Bytes of a header with timestamps."""


def ip_header(
    env: Environment, source: bytes, destination: bytes, protocol: int, length: int, count: int = 1,
    config: Config | None = None, flow_label: int = 0, ecn: int = 0, identification: int | None = None,
) -> bytearray:  # fmt: skip
    """The IP header in front of ``length`` bytes that leave as ``count`` packets.

    ``config`` and ``identification``: of a connection.
    """
    env.counters.ip_out_requests += count
    if config is None:
        config = env.config
    ttl, traffic_class = config.ttl, config.traffic_class | ecn
    if len(source) == 4:
        if identification is None:
            identification = env.next_identification(destination, count)
        return build_ipv4_header(source, destination, protocol, length, identification, ttl, traffic_class)
    return build_ipv6_header(source, destination, protocol, length, ttl, traffic_class, flow_label)


def emit(
    tcb: Tcb, seq: int, ack: int, flags: int, wnd: int, now: float,
    options: bytes = b"", payload: Sequence[Buffer] = (), length: int = 0, size: int = 0, ecn: int = 0,
) -> None:  # fmt: skip
    """Queue one segment of ``tcb`` for the link; more than ``size``, or one MSS, of payload is a super-segment."""
    size = size or tcb.mss
    up = min(tcb.snd_up - seq, 0xFFFF) if flags & URG else 0
    count = -(-length // size) if length > size else 1
    ports = int.from_bytes(tcb.ends[-4:-2], "big"), int.from_bytes(tcb.ends[-2:], "big")
    if tcb.pseudo_sum < 0:
        prepare(tcb)
    packet = _tcp_packet(
        tcb.env, tcb.local_packed, tcb.remote_packed, tcb.pseudo_sum,
        build_header(*ports, wrap(seq), wrap(ack), flags, wnd, up, options),
        payload, length, size if count > 1 else 0, count, tcb.config, tcb.flow_label, ecn, _identification(tcb, count),
    )  # fmt: skip
    tcb.env.counters.out_rsts += bool(flags & RST)
    _queue(tcb, packet, count, now)


def emit_usual(
    tcb: Tcb, seq: int, flags: int, wnd: int, now: float, payload: Sequence[Buffer] = (), length: int = 0
) -> None:
    """``emit`` for ACK with timestamps and no other option, without urgent data or ECN; of one MSS or more."""
    mss, config = tcb.mss, tcb.config
    count = 1 if length <= mss else -(-length // mss)
    if tcb.pseudo_sum < 0:
        prepare(tcb)
    pseudo = tcb.pseudo_sum + length + _TCP_HEADER
    if pseudo > ALL_ONES:
        pseudo -= ALL_ONES
    tsval = timestamp_value(tcb.ts_offset, now)
    if tcb.version == 4:
        start, identification = 20, tcb.identification
        tcb.identification = identification + count & 0xFFFF
        header = build_usual_ipv4(
            config.traffic_class, config.ttl, tcb.ends, tcb.ip_sum, pseudo, length, identification,
            seq & MASK, tcb.rcv_nxt & MASK, flags, wnd, tsval, tcb.ts_recent & MASK,
        )  # fmt: skip
    else:
        start, first = 40, 6 << 28 | config.traffic_class << 20 | tcb.flow_label
        header = build_usual_ipv6(
            first, config.ttl, tcb.ends, pseudo, length,
            seq & MASK, tcb.rcv_nxt & MASK, flags, wnd, tsval, tcb.ts_recent & MASK,
        )  # fmt: skip
    tcb.env.counters.ip_out_requests += count
    _queue(tcb, Packet(header, payload, length, start, CHECKSUM_OFFSET, mss if count > 1 else 0), count, now)


def prepare(tcb: Tcb) -> None:
    """Compute the sums over what all headers of ``tcb`` have in common; again when its settings have changed."""
    tcb.pseudo_sum = pseudo_header_sum(tcb.local_packed, tcb.remote_packed, TCP, 0)
    if tcb.version == 4:
        tcb.ip_sum = ipv4_sum(tcb.config.traffic_class, tcb.config.ttl, tcb.ends)


def _queue(tcb: Tcb, packet: Packet, count: int, now: float) -> None:
    env = tcb.env
    env.counters.out_segs += count
    tcb.segments_out += count
    env.outbox.append(packet)
    if env.observer is not None:
        env.observer.segment_sent(tcb, packet, now)


def _identification(tcb: Tcb, count: int) -> int:
    first = tcb.identification
    if tcb.version == 4:
        tcb.identification = first + count & 0xFFFF
    return first


def emit_stateless(
    env: Environment, source: bytes, destination: bytes, ports: tuple[int, int],
    seq: int, ack: int, flags: int, now: float, wnd: int = 0, options: bytes = b"",
) -> None:  # fmt: skip
    """Queue a segment that belongs to no connection: a RST, or a SYN,ACK that is a cookie."""
    pseudo = pseudo_header_sum(source, destination, TCP, 0)
    header = build_header(*ports, wrap(seq), wrap(ack), flags, wnd, 0, options)
    label = env.flow_label(ends(source, destination, *ports))
    packet = _tcp_packet(env, source, destination, pseudo, header, flow_label=label)
    env.counters.out_segs += 1
    env.counters.out_rsts += bool(flags & RST)
    env.outbox.append(packet)
    if env.observer is not None:
        env.observer.segment_sent(None, packet, now)


def syn_options(tcb: Tcb, flags: int, now: float) -> bytes:
    """Options of our SYN, or of a SYN,ACK: there only what the peer offered as well."""
    echo = wrap(tcb.ts_recent) if tcb.ts_on else 0
    timestamps = tcb.ts_on if flags & ACK else tcb.config.timestamps
    return tcp_options.build_syn_options(
        mss=tcb.own_mss(),
        wscale=tcb.rcv_wscale,
        sack_permitted=tcb.sack_ok if flags & ACK else tcb.config.sack,
        timestamp=(tcb.timestamp_clock(now), echo) if timestamps else None,
        user_timeout=usertimeout.advertised(tcb.config),
    )


def segment_options(tcb: Tcb, now: float) -> bytes:
    """Options of a segment of an open connection."""
    return tcp_options.build_timestamp(tcb.timestamp_clock(now), wrap(tcb.ts_recent)) if tcb.ts_on else b""


def _tcp_packet(
    env: Environment, source: bytes, destination: bytes, pseudo: int, tcp_header: bytes,
    payload: Sequence[Buffer] = (), length: int = 0, segment_size: int = 0, count: int = 1,
    config: Config | None = None, flow_label: int = 0, ecn: int = 0, identification: int | None = None,
) -> Packet:  # fmt: skip
    header = ip_header(
        env, source, destination, TCP, len(tcp_header) + length, count, config, flow_label, ecn, identification
    )
    start = len(header)
    header += tcp_header
    at = start + CHECKSUM_OFFSET
    header[at : at + 2] = add(pseudo, len(tcp_header) + length).to_bytes(2, "big")
    return Packet(header, payload, length, start, CHECKSUM_OFFSET, segment_size)
