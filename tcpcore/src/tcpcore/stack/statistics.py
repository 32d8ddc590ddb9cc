"""The totals of a stack, put together from what its parts count."""

from __future__ import annotations

from tcpcore.conn.environment import Environment
from tcpcore.status import StackStatistics


def of(env: Environment, connections: int) -> StackStatistics:
    """Totals since the stack was made; it has so many ``connections`` now."""
    counters = env.counters
    return StackStatistics(
        tcp_active_opens=counters.active_opens,
        tcp_passive_opens=counters.passive_opens,
        tcp_attempt_fails=counters.attempt_fails,
        tcp_estab_resets=counters.estab_resets,
        tcp_curr_estab=counters.curr_estab,
        tcp_in_segs=counters.in_segs,
        tcp_out_segs=counters.out_segs,
        tcp_retrans_segs=counters.retrans_segs,
        tcp_in_errs=counters.in_errs,
        tcp_out_rsts=counters.out_rsts,
        tcp_listen_overflows=counters.listen_overflows,
        tcp_listen_drops=counters.listen_drops,
        tcp_connections=connections,
        ip_in_receives=counters.ip_in_receives,
        ip_out_requests=counters.ip_out_requests,
        ip_in_hdr_errors=counters.ip_in_hdr_errors,
        ip_in_addr_errors=counters.ip_in_addr_errors,
        ip_in_unknown_protos=counters.ip_in_unknown_protos,
        ip_reassembled=counters.ip_reassembled,
        ip_reassembly_fails=counters.ip_reassembly_fails,
        icmp_in_msgs=counters.icmp_in_msgs,
        icmp_out_msgs=counters.icmp_out_msgs,
        icmp_in_errors=counters.icmp_in_errors,
        icmp_soft_errors=counters.icmp_soft_errors,
        icmp_hard_errors=counters.icmp_hard_errors,
        path_mtu_reductions=counters.path_mtu_reductions,
        path_mtu_entries=len(env.path_mtus),
        path_mtu_evictions=env.path_mtus.evicted,
        mtu_black_holes=counters.mtu_black_holes,
        mtu_probes_out=counters.mtu_probes_out,
        mtu_probes_lost=counters.mtu_probes_lost,
        rate_limited=counters.rate_limited,
        receive_grown=env.receive_grown,
        receive_memory_limited=counters.receive_memory_limited,
        drops=dict(counters.drops),
    )
