"""From a connection's decision to a packet: TCP and IP header, options, checksum left to the link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tcpcore.conn import usertimeout
from tcpcore.conn.environment import Environment
from tcpcore.conn.tcb import TIMESTAMP_OPTION, Tcb
from tcpcore.seqnum import MASK, wrap
from tcpcore.wire import options as tcp_options
from tcpcore.wire.checksum import ALL_ONES, pseudo_header_sum
from tcpcore.wire.ippacket import TCP
from tcpcore.wire.ipv4 import build_ipv4_header
from tcpcore.wire.ipv6 import build_ipv6_header
from tcpcore.wire.packet import Buffer, Packet
from tcpcore.wire.tcp import ACK, CHECKSUM_OFFSET, HEADER_LENGTH, RST, URG, build_header
from tcpcore.wire.usual import build_ipv4, build_ipv6, ends, ipv4_sum

STAMPED_LENGTH: Final = HEADER_LENGTH + TIMESTAMP_OPTION
"""Of a TCP header whose only options are timestamps."""


def ip_header(
    env: Environment, source: bytes, destination: bytes, protocol: int, length: int, flow_label: int = 0
) -> bytearray:
    """The IP header in front of ``length`` bytes of a packet that belongs to no connection."""
    env.counters.ip_out_requests += 1
    ttl, traffic_class = env.config.ttl, env.config.traffic_class
    if len(source) == 4:
        identification = env.next_identification(destination, 1)
        return build_ipv4_header(source, destination, protocol, length, identification, ttl, traffic_class)
    return build_ipv6_header(source, destination, protocol, length, ttl, traffic_class, flow_label)


def emit(
    tcb: Tcb, seq: int, ack: int, flags: int, wnd: int, now: float, stamped: bool = False,
    options: bytes = b"", payload: Sequence[Buffer] = (), length: int = 0, size: int = 0, ecn: int = 0,
) -> None:  # fmt: skip
    """Queue one segment of ``tcb`` for the link; more than ``size``, or one MSS, of payload is a super-segment.

    ``stamped``: timestamps come before the other ``options``.
    """
    config, env = tcb.config, tcb.env
    count, cut = 1, 0
    if length > (size or tcb.mss):
        cut = size or tcb.mss
        count = -(-length // cut)
    up = min(tcb.snd_up - seq, 0xFFFF) if flags & URG else 0
    if tcb.pseudo_sum < 0:
        prepare(tcb)
    header_length = (STAMPED_LENGTH if stamped else HEADER_LENGTH) + len(options)
    tcp_length = header_length + length
    pseudo = tcb.pseudo_sum + tcp_length
    if pseudo > ALL_ONES:
        pseudo -= ALL_ONES
    shape = header_length << 10 | flags
    tsval = int(now * 1000) + tcb.ts_offset & MASK
    if tcb.version == 4:
        start, identification = 20, tcb.identification
        tcb.identification = identification + count & 0xFFFF
        header = build_ipv4(
            config.traffic_class | ecn, config.ttl, tcb.ends, tcb.ip_sum, start + tcp_length, identification,
            seq & MASK, ack & MASK, shape, wnd, pseudo, up, tsval, tcb.ts_recent & MASK,
        )  # fmt: skip
    else:
        start = 40
        header = build_ipv6(
            config.traffic_class | ecn, tcb.flow_label, config.ttl, tcb.ends, tcp_length,
            seq & MASK, ack & MASK, shape, wnd, pseudo, up, tsval, tcb.ts_recent & MASK,
        )  # fmt: skip
    if not stamped:
        header = header[: start + HEADER_LENGTH]
    if options:
        header += options
    packet = Packet(header, payload, length, start, CHECKSUM_OFFSET, cut)
    env.outbox.append(packet)
    tcb.segments_out += count
    counters = env.counters
    counters.ip_out_requests += count
    counters.out_segs += count
    if flags & RST:
        counters.out_rsts += 1
    if env.observer is not None:
        env.observer.segment_sent(tcb, packet, now)


def prepare(tcb: Tcb) -> None:
    """Compute the sums over what all headers of ``tcb`` have in common; again when its settings have changed."""
    addresses = int.from_bytes(tcb.ends[:-4], "big") % ALL_ONES
    tcb.pseudo_sum = (addresses + TCP) % ALL_ONES
    if tcb.version == 4:
        tcb.ip_sum = ipv4_sum(tcb.config.ttl, addresses)


def emit_stateless(
    env: Environment, source: bytes, destination: bytes, ports: tuple[int, int],
    seq: int, ack: int, flags: int, now: float, wnd: int = 0, options: bytes = b"",
) -> None:  # fmt: skip
    """Queue a segment that belongs to no connection: a RST, or a SYN,ACK that is a cookie."""
    pseudo = pseudo_header_sum(source, destination, TCP, HEADER_LENGTH + len(options))
    header = build_header(*ports, wrap(seq), wrap(ack), flags, wnd, 0, options, pseudo)
    label = env.flow_label(ends(source, destination, *ports))
    packet = Packet(
        bytes(ip_header(env, source, destination, TCP, len(header), label)) + header,
        checksum_start=20 if len(source) == 4 else 40,
        checksum_offset=CHECKSUM_OFFSET,
    )
    env.counters.out_segs += 1
    env.counters.out_rsts += bool(flags & RST)
    env.outbox.append(packet)
    if env.observer is not None:
        env.observer.segment_sent(None, packet, now)


def syn_options(tcb: Tcb, flags: int, now: float) -> bytes:
    """Options of our SYN, or of a SYN,ACK: there only what the peer offered as well."""
    config = tcb.config
    timestamps, sack = (tcb.ts_on, tcb.sack_ok) if flags & ACK else (config.timestamps, config.sack)
    echo = tcb.ts_recent & MASK if tcb.ts_on else 0
    timestamp = (int(now * 1000) + tcb.ts_offset & MASK, echo) if timestamps else None
    return tcp_options.build_syn_options(tcb.own_mss(), tcb.rcv_wscale, sack, timestamp, usertimeout.advertised(config))
