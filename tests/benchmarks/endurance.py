"""5 GB each way between our stack and the kernel's, over a TUN: ``python -m tests.benchmarks.endurance --help``.

Each direction is one connection, so its sequence numbers wrap; our ISS is just below 2**32, so those of what we send
do so twice. Our window is as large as its scale allows. Every byte is compared with what it has to be.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import time
from typing import Final

import trio

from tcpcore import Config, ConnectionStatus, Stack
from tcpcore.config import MAX_BUFFER
from tcpcore.driver import TCPStream, TunLink, open_stack
from tcpcore.driver.netns import enter_private_namespace
from tcpcore.seqnum import MODULUS
from tcpcore.stack.isn import initial_numbers
from tcpcore.wire.usual import ends
from tests.system.kernel import DEVICE, KERNEL, KERNEL_ADDRESSES, OUR_ADDRESSES, OURS

PORT: Final = 7070
PEER_PORT: Final = 40_000
PERIOD: Final = 1_000_003
"""Of the pattern, bytes: a prime, so that no size of segment or buffer divides it."""
PATTERN: Final = random.Random(5).randbytes(PERIOD) * 2
CHUNK: Final = 256 << 10


class Checker:
    """Compares a stream with the pattern."""

    def __init__(self) -> None:
        self.length = 0

    def take(self, data: bytes) -> None:
        """The next piece of the stream; raises ``ValueError`` where it is not what was sent."""
        at = self.length % PERIOD
        for start in range(0, len(data), PERIOD):
            piece = data[start : start + PERIOD]
            if PATTERN[at : at + len(piece)] != piece:
                raise ValueError(f"the stream is damaged behind byte {self.length + start}")
        self.length += len(data)


def chunk(position: int, end: int) -> bytes:
    """What a sender sends next."""
    at = position % PERIOD
    return PATTERN[at : at + min(CHUNK, end - position)]


def kernel_peer(direction: str, size: int) -> None:
    """The kernel's process: blocking sockets."""
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        peer.bind((KERNEL, PEER_PORT))
        peer.connect((OURS, PORT))
        if direction == "in":
            position = 0
            while position < size:
                position += peer.send(chunk(position, size))
            peer.shutdown(socket.SHUT_WR)
            peer.recv(1)
        else:
            checker = Checker()
            while data := peer.recv(CHUNK):
                checker.take(data)
            if checker.length != size:
                raise ValueError(f"{checker.length} bytes came, {size} were sent")


def secret_for_high_iss(now: float) -> bytes:
    """A secret that puts our ISS 16 to 32 MiB below 2**32, if the connection is made within seconds."""
    key = ends(socket.inet_aton(KERNEL), socket.inet_aton(OURS), PEER_PORT, PORT)
    for number in range(1 << 16):
        secret = number.to_bytes(32, "big")
        iss, _ = initial_numbers(Stack([], secret=secret).env, key, now)
        if 1 << 24 < MODULUS - iss < 1 << 25:
            return secret
    raise AssertionError("one in 256 has to fit")


async def transfer(direction: str, size: int, buffer: int) -> tuple[float, ConnectionStatus]:
    """One connection in one direction, seen from us (``in`` or ``out``); seconds, and the status at the end."""
    link = TunLink.open(DEVICE, *KERNEL_ADDRESSES)
    secret = secret_for_high_iss(trio.current_time())
    config = Config(receive_buffer=buffer)
    async with (
        open_stack(link, OUR_ADDRESSES, config=config, secret=secret, close_timeout=0.0) as host,
        trio.open_nursery() as nursery,
    ):
        (listener,) = await host.open_tcp_listeners(PORT)
        command = [sys.executable, "-m", __spec__.name, "--peer", direction, "--bytes", str(size)]
        nursery.start_soon(trio.run_process, command)
        stream = await listener.accept()
        began = time.perf_counter()
        status = await (_receive(stream, size) if direction == "in" else _send(stream, size))
        return time.perf_counter() - began, status


async def _receive(stream: TCPStream, size: int) -> ConnectionStatus:
    checker = Checker()
    while data := await stream.receive_some(CHUNK):
        checker.take(data)
    if checker.length != size:
        raise ValueError(f"{checker.length} bytes came, {size} were sent")
    status = stream.status()
    await stream.aclose()
    return status


async def _send(stream: TCPStream, size: int) -> ConnectionStatus:
    position = 0
    while position < size:
        piece = chunk(position, size)
        await stream.send_all(piece)
        position += len(piece)
    await stream.send_eof()
    await stream.receive_some()  # the kernel's process has read everything and closes
    status = stream.status()
    await stream.aclose()
    return status


def report(direction: str, size: int, seconds: float, status: ConnectionStatus) -> None:
    """The figures."""
    irs_wraps = (status.irs + status.bytes_in) // MODULUS
    iss_wraps = (status.iss + status.bytes_acked) // MODULUS
    way = "to us" if direction == "in" else "from us"
    print(f"{size:,} bytes {way} in {seconds:.1f} s, {size / seconds / 1e6:.0f} MB/s, all as sent")
    print(f"  ISS {status.iss:,} wrapped {iss_wraps} times, IRS {status.irs:,} wrapped {irs_wraps} times")
    print(f"  window scales ours {status.rcv_wscale}, the kernel's {status.snd_wscale}; RCV.WND {status.rcv_wnd:,}")
    print(
        f"  segments in {status.segments_in:,} out {status.segments_out:,}, again {status.segments_retransmitted:,};"
        f" out of order {status.segments_out_of_order:,}, duplicate {status.segments_duplicate:,},"
        f" PAWS {status.paws_drops}"
    )


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=5_000_000_000)
    parser.add_argument("--buffer", type=int, default=MAX_BUFFER, help="our receive buffer, bytes")
    parser.add_argument("--directions", nargs="+", choices=["in", "out"], default=["in", "out"])
    parser.add_argument("--peer", choices=["in", "out"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer is not None:
        kernel_peer(options.peer, options.bytes)
        return
    enter_private_namespace()
    for direction in options.directions:
        report(direction, options.bytes, *trio.run(transfer, direction, options.bytes, options.buffer))


if __name__ == "__main__":
    main()
