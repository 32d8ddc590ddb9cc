"""Flows from one stack of ours to another through a bottleneck, in virtual time; the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from tcpcore import Connection
from tcpcore.config import Config, CongestionAlgorithm
from tcpcore.conn.observer import Observer
from tcpcore.conn.tcb import Tcb
from tcpcore.testing import Pair

PACKET: Final = 1500
ACK_SIZE: Final = 100
"""A larger packet has data."""
PORT: Final = 5000
CHUNK: Final = bytes(1 << 16)
START: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is between the stacks: all of it on the data's way, ``rtt`` and ``ack_loss`` on the acknowledgements'."""

    rtt: float
    """Seconds, of a packet that meets no queue and takes no time to send."""
    rate: float = 100e6
    """Bits per second."""
    queue: int | None = None
    """Packets; ``None``: what the path holds (rate times RTT), at least 64."""
    loss: float = 0.0
    burst: tuple[float, float] | None = None
    reorder: float = 0.0
    reorder_by: float = 3
    ack_loss: float = 0.0
    ecn_threshold: int | None = None
    seed: int = 1

    def pair(self, config: Config) -> Pair:
        """Two stacks with this between them."""
        pair = Pair(config, latency=self.rtt / 2, seed=self.seed, start=START)
        queue = max(64, math.ceil(self.rate * self.rtt / 8 / PACKET)) if self.queue is None else self.queue
        pair.a_to_b.change(
            rate=self.rate, queue=queue, loss=self.loss, burst=self.burst,
            reorder=self.reorder, reorder_by=self.reorder_by, ecn_threshold=self.ecn_threshold,
        )  # fmt: skip
        pair.b_to_a.change(loss=self.ack_loss)
        return pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one transfer came to."""

    goodput: float
    """Bits per second that reached the receiving user."""
    resent: float
    """Bytes sent again, per byte that reached the user."""
    timeouts: int
    """Retransmission timeouts."""
    stall: float
    """Longest time, seconds, without a new byte for the user."""
    queue_mean: float
    """Seconds that a packet waited for the bottleneck."""
    queue_max: float
    queue_drops: int
    marked: int
    """Packets that got CE."""
    packets: int
    """Through the network in both directions: what the simulation costs."""


class Flow(Observer):
    """One connection that sends as much as it can, up to ``size`` bytes, and a reader that always reads."""

    def __init__(self, pair: Pair, config: Config, size: float = math.inf, port: int = PORT) -> None:
        self.size = size
        self.received = 0
        self.timeouts = 0
        self.stall = 0.0
        self.began = self.last = pair.now
        self._listener = pair.b.listen(port)
        self.sender = pair.a.connect(("192.0.2.2", port), pair.now, config=config)
        self._taken = 0
        self._receiver: Connection | None = None

    def turn(self, now: float) -> None:
        """Send and receive what can be."""
        while self._taken < self.size and self.sender.writable:
            piece = CHUNK[: int(min(len(CHUNK), self.size - self._taken))]
            self._taken += self.sender.send(piece, now)
        if self._receiver is None:
            self._receiver = self._listener.accept()
        while self._receiver is not None and (data := self._receiver.receive(1 << 20, now)):
            self.received += len(data)
            self.stall = max(self.stall, now - self.last)
            self.last = now

    def congestion_event(self, tcb: Tcb, event: str, now: float) -> None:
        """Count timeouts."""
        self.timeouts += event == "timeout"

    @property
    def done(self) -> bool:
        """Whether all has arrived."""
        return self.received >= self.size


def algorithms() -> tuple[str, ...]:
    """The names that ``Config.congestion_control`` takes."""
    return get_args(CongestionAlgorithm)


def config_for(algorithm: str) -> Config:
    """The default configuration with that congestion control."""
    settings: dict[str, Any] = {"congestion_control": algorithm}
    return replace(Config(), **settings) if "congestion_control" in Config.__dataclass_fields__ else Config()


def drive(pair: Pair, flows: Sequence[Flow], until: float) -> None:
    """Let the flows run, to the moment ``until`` or until all are done."""
    while pair.now < until and not all(flow.done for flow in flows):
        for flow in flows:
            flow.turn(pair.now)
        if not pair.step():
            raise AssertionError("nothing will ever happen again, and data waits")
    for flow in flows:
        flow.turn(pair.now)


def transfer(network: Network, algorithm: str, size: int, seconds: float) -> Result:
    """One flow of ``size`` bytes, or what of it arrives within ``seconds`` of virtual time."""
    config = config_for(algorithm)
    pair = network.pair(config)
    flow = Flow(pair, config, size)
    pair.a.observe(flow)
    drive(pair, [flow], START + seconds)
    took = (flow.last if flow.done else pair.now) - flow.began
    path = pair.a_to_b
    return Result(
        goodput=flow.received * 8 / took,
        resent=flow.sender.status(pair.now).bytes_retransmitted / max(flow.received, 1),
        timeouts=flow.timeouts,
        stall=flow.stall if flow.done else max(flow.stall, pair.now - flow.last),
        queue_mean=path.mean_queue_delay,
        queue_max=path.max_queue_delay,
        queue_drops=path.dropped,
        marked=path.marked,
        packets=path.sent + pair.b_to_a.sent,
    )


def recovery(network: Network, algorithm: str, lost: int, packets: int) -> tuple[float, int]:
    """A flow of so many packets loses the data packet number ``lost``, from 1 on, and no other.

    Seconds from when it should have arrived to when its first byte reached the user; retransmission timeouts.
    """
    config = config_for(algorithm)
    pair = network.pair(config)
    flow = Flow(pair, config, packets * (PACKET - 52))
    pair.a.observe(flow)
    sent: list[float] = []

    def carry(packet: bytes, direction: str) -> bool:
        if direction == "a>b" and len(packet) > ACK_SIZE:
            sent.append(pair.now)
            return len(sent) != lost
        return True

    pair.deliver = carry
    while flow.received <= (lost - 1) * (PACKET - 52):
        flow.turn(pair.now)
        if not pair.step():
            raise AssertionError("the loss is never repaired")
        flow.turn(pair.now)
    return pair.now - sent[lost - 1] - network.rtt / 2, flow.timeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How flows shared a bottleneck in the second half of their time."""

    goodput: tuple[float, ...]
    """Bits per second of each."""
    jain: float
    """Jain's index: 1 when all had the same, 1 / n when one had all."""
    queue_mean: float
    queue_max: float
    packets: int


def share(network: Network, names: Sequence[str], seconds: float, apart: float = 1.0) -> Shares:
    """Endless flows with these congestion controls, each beginning ``apart`` seconds after the one before."""
    pair = network.pair(Config())
    flows: list[Flow] = []
    for number, name in enumerate(names):
        flows.append(Flow(pair, config_for(name), port=PORT + number))
        drive(pair, flows, START + (number + 1) * apart)
    drive(pair, flows, START + seconds / 2)
    half, began = [flow.received for flow in flows], pair.now
    drive(pair, flows, START + seconds)
    took = pair.now - began
    goodput = tuple((flow.received - before) * 8 / took for flow, before in zip(flows, half, strict=True))
    path = pair.a_to_b
    return Shares(
        goodput=goodput,
        jain=jain(goodput),
        queue_mean=path.mean_queue_delay,
        queue_max=path.max_queue_delay,
        packets=path.sent + pair.b_to_a.sent,
    )


def jain(shares: Sequence[float]) -> float:
    """Jain's fairness index (RFC 5166 section 2.3)."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0
