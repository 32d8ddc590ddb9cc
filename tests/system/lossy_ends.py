"""The two ends of a lossy path, each a process: the kernel's TCP in a namespace of its own, or ours.

An end hands ``tests.system.lossy_path`` a descriptor: each read gives an IP packet it sends, each write is one that
arrives. The source sends until it is told to stop; the sink compares every byte with what it has to be.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import trio

from tcpcore import Config
from tcpcore.driver import Host, TCPStream, TunLink, open_stack
from tcpcore.driver.netns import enter_private_namespace
from tests.benchmarks.endurance import CHUNK, Checker, chunk
from tests.system.kernel import PATIENCE, deadline, socket_info
from tests.tcpcore.netsim.simulation import config_for

SOURCE: Final = "192.0.2.1"
SINK: Final = "192.0.2.2"
PORT: Final = 7070
DEVICE: Final = "lossy0"
MTU: Final = 1500
QUEUE_BYTES: Final = 4 << 20
"""Of the socket that stands for our stack's network card."""


class Control:
    """The socket to the process that runs the path."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self._processor = 0.0

    def give(self, descriptor: int) -> None:
        """The descriptor of this end, which is ready."""
        self._processor = time.process_time()
        socket.send_fds(self.socket, [b"ready"], [descriptor])

    def wait(self) -> None:
        """Until the other side wants something: a source has to start, later to stop; in the end, to leave."""
        self.socket.recv(1)

    def report(self, **figures: Any) -> None:
        """What happened; the end lives on until nobody forwards any more."""
        self.socket.sendall(json.dumps(figures | {"processor": time.process_time() - self._processor}).encode())
        self.wait()


def kernel_device(address: str) -> int:
    """A TUN device in a new namespace of this process."""
    enter_private_namespace()
    return TunLink.open(DEVICE, f"{address}/24", mtu=MTU, offload=False)._descriptor


def kernel_source(control: Control, options: argparse.Namespace) -> None:
    """Send all the socket takes."""
    device = kernel_device(SOURCE)
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, options.algorithm.encode())
        control.give(device)
        control.wait()
        sock.settimeout(PATIENCE)
        sock.connect((SINK, PORT))
        sock.setblocking(False)
        _send_until_told(control, sock, options.bytes)
        info = socket_info(sock)
        control.report(
            segments_retransmitted=info.total_retrans,
            bytes_retransmitted=info.bytes_retrans,
            bytes_sent=info.bytes_sent,
            srtt=info.srtt,
            min_rtt=info.min_rtt,
            cwnd=info.cwnd * info.snd_mss,
        )


def _send_until_told(control: Control, sock: socket.socket, size: int) -> None:
    position = 0
    while True:
        told, writable, _ = select.select([control.socket], [sock] if position < size else [], [])
        if told:
            control.wait()
            return
        if writable:
            position += sock.send(chunk(position, size))


def kernel_sink(control: Control, options: argparse.Namespace) -> None:
    """Receive for so many seconds or bytes."""
    device = kernel_device(SINK)
    with socket.create_server((SINK, PORT)) as listener:
        listener.settimeout(PATIENCE)
        control.give(device)
        sock, _ = listener.accept()
    checker, began = Checker(), time.monotonic()
    end = began + options.seconds
    with sock:
        with suppress(TimeoutError):
            while checker.length < options.bytes and (left := end - time.monotonic()) > 0:
                sock.settimeout(left)
                checker.take(_some(sock.recv(CHUNK)))
        control.report(bytes=checker.length, seconds=time.monotonic() - began)


def _some(data: bytes) -> bytes:
    if not data:
        raise EOFError("the source has closed")
    return data


@asynccontextmanager
async def our_host(address: str, config: Config, seed: int) -> AsyncIterator[tuple[Host, int]]:
    """Our stack, and the descriptor of the socket pair that carries its packets as a device would."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (near, far):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, QUEUE_BYTES)
    link = TunLink(near.detach(), "lossy path", MTU, offload=False)
    with far:
        async with open_stack(
            link, [f"{address}/24"], config=config, rng=random.Random(seed), close_timeout=0.0
        ) as host:
            yield host, far.fileno()


async def our_source(control: Control, options: argparse.Namespace) -> None:
    """The same as ``kernel_source``."""
    async with our_host(SOURCE, config_for(options.algorithm), options.seed) as (host, descriptor):
        control.give(descriptor)
        control.wait()
        stream = await host.open_tcp_stream(SINK, PORT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send, stream, options.bytes)
            await trio.lowlevel.wait_readable(control.socket)
            nursery.cancel_scope.cancel()
        control.wait()
        status = stream.status()
        control.report(
            segments_retransmitted=status.segments_retransmitted,
            bytes_retransmitted=status.bytes_retransmitted,
            bytes_sent=status.bytes_out + status.bytes_retransmitted,
            srtt=status.srtt,
            min_rtt=status.min_rtt,
            cwnd=status.cwnd,
            link_dropped=host.link.dropped,
            drops=host.statistics().drops,
        )


async def _send(stream: TCPStream, size: int) -> None:
    position = 0
    while position < size:
        piece = chunk(position, size)
        await stream.send_all(piece)
        position += len(piece)


async def our_sink(control: Control, options: argparse.Namespace) -> None:
    """The same as ``kernel_sink``."""
    async with our_host(SINK, Config(), options.seed) as (host, descriptor):
        (listener,) = await host.open_tcp_listeners(PORT)
        control.give(descriptor)
        with deadline():
            stream = await listener.accept()
        checker, began = Checker(), time.monotonic()
        with trio.move_on_after(options.seconds):
            while checker.length < options.bytes:
                checker.take(_some(await stream.receive_some(CHUNK)))
        control.report(bytes=checker.length, seconds=time.monotonic() - began)


def main() -> None:
    """One end, for ``tests.system.lossy_path``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tcp", choices=["kernel", "ours"])
    parser.add_argument("role", choices=["source", "sink"])
    parser.add_argument("--control", type=int, required=True, help="descriptor of a Unix socket")
    parser.add_argument("--algorithm", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    control = Control(options.control)
    if options.tcp == "kernel":
        (kernel_source if options.role == "source" else kernel_sink)(control, options)
    else:
        trio.run(our_source if options.role == "source" else our_sink, control, options)


if __name__ == "__main__":
    main()
