"""The namespaces and devices that connections of the speed benchmark cross."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from pyroute2 import IPRoute  # type: ignore[import-untyped]

LOOPBACK: Final = "127.0.0.1"
TUN_DEVICE: Final = "speed0"
OURS: Final = "10.77.0.2"
TUN_KERNEL: Final = "10.77.0.1"
VETH_SERVER: Final = "10.78.0.2"
VETH_GENERATOR: Final = "10.78.0.1"

_NEAR: Final = "speed1"
_FAR: Final = "speed2"
_TRANSMIT_DROPS: Final = 11
_SETTINGS: Final = {
    "ipv4/ip_local_port_range": "1024 65535",
    "ipv4/tcp_tw_reuse": "1",
    "ipv4/tcp_max_syn_backlog": "16384",
}


def tune_kernel() -> None:
    """Room for as many connections in this process's namespace as the benchmarks open."""
    for name, value in _SETTINGS.items():
        Path("/proc/sys/net", name).write_text(value)


def check_congestion_control(name: str) -> None:
    """Raises ``OSError``: this process's sockets cannot have it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())


def join_namespaces(far: int) -> None:
    """A veth pair from this process's namespace to that of process ``far``, which calls ``configure_far`` next."""
    with IPRoute() as route:
        route.link("add", ifname=_NEAR, kind="veth", peer={"ifname": _FAR, "net_ns_pid": far})
    _configure(_NEAR, VETH_GENERATOR)


def configure_far() -> None:
    """The end of the pair in this process's namespace."""
    _configure(_FAR, VETH_SERVER)


def _configure(name: str, address: str) -> None:
    with IPRoute() as route:
        (index,) = route.link_lookup(ifname=name)
        route.addr("add", index=index, address=address, prefixlen=24)
        route.link("set", index=index, state="up")


def kernel_counters() -> dict[str, int]:
    """``retransmitted`` segments and ``timeouts`` of retransmission, of all TCP of this namespace.

    ``dropped``: packets to us that found the queue of the TUN full.
    """
    return {
        "retransmitted": _counter("snmp", "Tcp", "RetransSegs"),
        "timeouts": _counter("netstat", "TcpExt", "TCPTimeouts"),
        "dropped": _dropped(),
    }


def _dropped() -> int:
    """Zero without a TUN."""
    for line in Path(f"/proc/{os.getpid()}/net/dev").read_text().splitlines():
        name, _, columns = line.partition(":")
        if name.strip() == TUN_DEVICE:
            return int(columns.split()[_TRANSMIT_DROPS])
    return 0


def _counter(file: str, group: str, name: str) -> int:
    """One cell of a table whose line of names is followed by its line of values."""
    lines = Path(f"/proc/{os.getpid()}/net/{file}").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith(f"{group}:"))
    return int(values[names.index(name)])
