"""From a connection's decision to a packet: TCP and IP header, options, checksum left to the link."""

from __future__ import annotations

from collections.abc import Sequence

from tcpcore.config import Config
from tcpcore.conn import usertimeout
from tcpcore.conn.environment import Environment
from tcpcore.conn.tcb import Tcb
from tcpcore.seqnum import wrap
from tcpcore.wire import options as tcp_options
from tcpcore.wire.checksum import add, pseudo_header_sum
from tcpcore.wire.ippacket import TCP
from tcpcore.wire.ipv4 import build_ipv4_header
from tcpcore.wire.ipv6 import build_ipv6_header
from tcpcore.wire.packet import Buffer, Packet
from tcpcore.wire.tcp import ACK, CHECKSUM_OFFSET, RST, URG, build_header


def ip_header(
    env: Environment, source: bytes, destination: bytes, protocol: int, length: int, count: int = 1,
    config: Config | None = None, flow_label: int = 0, ecn: int = 0,
) -> bytearray:  # fmt: skip
    """The IP header in front of ``length`` bytes that leave as ``count`` packets; ``config``: of a connection."""
    env.counters.ip_out_requests += count
    if config is None:
        config = env.config
    ttl, traffic_class = config.ttl, config.traffic_class | ecn
    if len(source) == 4:
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
    if tcb.pseudo_sum is None:
        tcb.pseudo_sum = pseudo_header_sum(tcb.local_packed, tcb.remote_packed, TCP, 0)
    packet = _tcp_packet(
        tcb.env, tcb.local_packed, tcb.remote_packed, tcb.pseudo_sum,
        build_header(tcb.local[1], tcb.remote[1], wrap(seq), wrap(ack), flags, wnd, up, options),
        payload, length, size if count > 1 else 0, count, tcb.config, tcb.flow_label, ecn,
    )  # fmt: skip
    counters = tcb.env.counters
    counters.out_segs += count
    counters.out_rsts += bool(flags & RST)
    tcb.segments_out += count
    tcb.env.outbox.append(packet)
    if tcb.env.observer is not None:
        tcb.env.observer.segment_sent(tcb, packet, now)


def emit_stateless(
    env: Environment, source: bytes, destination: bytes, ports: tuple[int, int],
    seq: int, ack: int, flags: int, now: float, wnd: int = 0, options: bytes = b"",
) -> None:  # fmt: skip
    """Queue a segment that belongs to no connection: a RST, or a SYN,ACK that is a cookie."""
    pseudo = pseudo_header_sum(source, destination, TCP, 0)
    header = build_header(*ports, wrap(seq), wrap(ack), flags, wnd, 0, options)
    label = env.flow_label(source, destination, ports)
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
    config: Config | None = None, flow_label: int = 0, ecn: int = 0,
) -> Packet:  # fmt: skip
    header = ip_header(env, source, destination, TCP, len(tcp_header) + length, count, config, flow_label, ecn)
    start = len(header)
    header += tcp_header
    at = start + CHECKSUM_OFFSET
    header[at : at + 2] = add(pseudo, len(tcp_header) + length).to_bytes(2, "big")
    return Packet(header, payload, length, start, CHECKSUM_OFFSET, segment_size)
