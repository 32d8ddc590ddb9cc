"""A link without a network, and status maps as a server would send them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tcpcore.status import ConnectionStatus, ListenerStatus, StackStatistics, TimerStatus
from wireside_client.events import Command, Event
from wireside_client.status import NEUTRAL_FIELDS
from wireside_protocol.messages import NetstatReport


class FakeLink:
    """Remembers commands; ``push`` delivers events at once."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.running = False
        self._deliver: Callable[[list[Event]], None] | None = None

    def start(self, deliver: Callable[[list[Event]], None], on_end: Callable[[BaseException | None], None]) -> None:
        self._deliver = deliver
        self.running = True

    def send(self, command: Command) -> bool:
        self.commands.append(command)
        return self.running

    async def stop(self) -> None:
        self.running = False

    def push(self, *events: Event) -> None:
        assert self._deliver is not None
        self._deliver(list(events))


def sample_status(number: int = 0, state: str = "ESTABLISHED") -> ConnectionStatus:
    """A connection in the middle of its life."""
    fields: dict[str, Any] = {
        **NEUTRAL_FIELDS[ConnectionStatus],
        "local_address": "10.77.0.2",
        "local_port": 7070,
        "remote_address": f"10.77.0.{10 + number}",
        "remote_port": 40000 + number,
        "state": state,
        "age": 73.5,
        "recv_q": 0,
        "send_q": 2920 + number,
        "snd_una": 4012345678 + number,
        "snd_nxt": 4012348598 + number,
        "snd_wnd": 65535,
        "snd_wl1": 17,
        "snd_wl2": 18,
        "iss": 4012340000,
        "rcv_nxt": 912345678,
        "rcv_wnd": 262144,
        "irs": 912340000,
        "mss": 1460,
        "timestamps": True,
        "sack": True,
        "snd_wscale": 7,
        "rcv_wscale": 7,
        "cwnd": 14600,
        "ssthresh": None,
        "congestion_control": "cubic",
        "congestion_state": "slow start",
        "srtt": 0.0123,
        "rttvar": 0.004,
        "min_rtt": 0.0101,
        "rto": 0.2123,
        "in_flight": 2920,
        "sacked": 1460,
        "send_buffer": 262144,
        "receive_buffer": 262144,
        "timers": (TimerStatus("retransmission", 0.151, 0.2123), TimerStatus("keepalive", 7190.0, 7200.0)),
        "segments_in": 421,
        "segments_out": 398,
        "bytes_in": 20431,
        "bytes_out": 1894561,
        "bytes_acked": 1891641,
        "segments_retransmitted": 2,
        "dsacks_in": 7,
        "last_data_in": 0.4,
        "last_data_out": 0.02,
    }
    return ConnectionStatus(**fields)


def sample_netstat(*states: str) -> NetstatReport:
    """A report with one connection for each state."""
    listener = ListenerStatus(None, 7070, 1, 256, 2, 128, 0, 3, 4, 1, 0, 0, 0, 57)
    totals: dict[str, Any] = {**NEUTRAL_FIELDS[StackStatistics], "tcp_in_segs": 5021, "tcp_out_segs": 4987}
    connections = tuple(as_map(sample_status(number, state)) for number, state in enumerate(states))
    return NetstatReport(1, connections, (asdict(listener),), totals)


def as_map(status: ConnectionStatus) -> dict[str, Any]:
    """The status as it comes over the wire."""
    return asdict(status)
