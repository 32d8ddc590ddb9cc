"""The kernel's side of a connection: its sockets, and what it tells about their TCP."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import trio

from tcpcore.driver import Host, TCPListener, TCPStream, TunLink, open_stack

DEVICE: Final = "ws0"
KERNEL: Final = "10.77.0.1"
KERNEL6: Final = "fd77::1"
OURS: Final = "10.77.0.2"
OURS6: Final = "fd77::2"
KERNEL_ADDRESSES: Final = (f"{KERNEL}/24", f"{KERNEL6}/64")
OUR_ADDRESSES: Final = (f"{OURS}/24", f"{OURS6}/64")
NEIGHBOURS: Final = {OURS: KERNEL, OURS6: KERNEL6}

PATIENCE: Final = 10.0
"""Seconds after which a test has failed."""

_STATES: Final = {
    0x01: "ESTABLISHED",
    0x02: "SYN-SENT",
    0x03: "SYN-RECEIVED",
    0x04: "FIN-WAIT-1",
    0x05: "FIN-WAIT-2",
    0x06: "TIME-WAIT",
    0x07: "CLOSED",
    0x08: "CLOSE-WAIT",
    0x09: "LAST-ACK",
    0x0A: "LISTEN",
    0x0B: "CLOSING",
}
_TCP_INFO: Final = struct.Struct("=8B24I4Q6I4Q2I2Q")


def running_host(
    rng: random.Random, *, link: TunLink | None = None, time_slice: float = 0.001
) -> AbstractAsyncContextManager[Host]:
    """Our host on a new TUN device, or on ``link``; it leaves without waiting for TIME-WAIT."""
    return open_stack(
        link or TunLink.open(DEVICE, *KERNEL_ADDRESSES),
        OUR_ADDRESSES,
        rng=rng,
        time_slice=time_slice,
        close_timeout=0.0,
    )


@dataclass(frozen=True)
class TCPInfo:
    """Part of the kernel's ``struct tcp_info``; times in seconds, ``cwnd`` in segments."""

    timestamps: bool
    window_scaling: bool
    snd_wscale: int
    rcv_wscale: int
    snd_mss: int
    advmss: int
    total_retrans: int
    bytes_sent: int
    bytes_retrans: int
    srtt: float
    min_rtt: float
    cwnd: int


def tcp_info(stream: trio.SocketStream) -> TCPInfo:
    """What ``ss -ti`` would show of a socket."""
    return socket_info(stream.socket)


def socket_info(sock: socket.socket | trio.socket.SocketType) -> TCPInfo:
    """The same of a plain socket."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    assert isinstance(raw, bytes)
    fields = _TCP_INFO.unpack(raw)
    options, scales, words = fields[5], fields[6], fields[8:]
    return TCPInfo(
        timestamps=bool(options & 1),
        window_scaling=bool(options & 4),
        snd_wscale=scales & 15,
        rcv_wscale=scales >> 4,
        snd_mss=words[2],
        srtt=words[15] / 1e6,
        cwnd=words[18],
        advmss=words[19],
        total_retrans=words[23],
        min_rtt=words[31] / 1e6,
        bytes_sent=words[40],
        bytes_retrans=words[41],
    )


def kernel_state(local: tuple[str, int], remote: tuple[str, int]) -> str:
    """The state of one of the kernel's connections, in the RFC's spelling; ``CLOSED`` when there is none."""
    wanted = [_as_in_proc(*local), _as_in_proc(*remote)]
    table = "tcp6" if ":" in local[0] else "tcp"
    for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[1:3] == wanted:
            return _STATES.get(int(columns[3], 16), columns[3])
    return "CLOSED"


def _as_in_proc(address: str, port: int) -> str:
    """Words of the address in the machine's byte order, as hexadecimal."""
    packed = ip_address(address).packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


async def until(condition: Callable[[], bool]) -> None:
    """Let everybody run until ``condition`` holds; the kernel has no virtual time to wait in."""
    with deadline():
        while not condition():
            await trio.lowlevel.checkpoint()


def deadline() -> AbstractContextManager[trio.CancelScope]:
    """Fail rather than hang."""
    return trio.fail_after(PATIENCE)


async def connect_kernel(address: str, port: int) -> trio.SocketStream:
    """A kernel socket connected to ``address``; the errors of ``connect`` as they are."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kernel = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        await kernel.connect((address, port))
    except BaseException:
        kernel.close()
        raise
    return trio.SocketStream(kernel)


async def listen_kernel(address: str) -> trio.SocketListener:
    """A kernel listener on a free port."""
    (listener,) = await trio.open_tcp_listeners(0, host=address)
    return listener


def port_of(listener: trio.SocketListener) -> int:
    """The port the kernel chose."""
    port = listener.socket.getsockname()[1]
    assert isinstance(port, int)
    return port


async def pair_from_kernel(host: Host, address: str = OURS) -> tuple[TCPStream, trio.SocketStream]:
    """A connection that the kernel opened: our end and its end."""
    (listener,) = await host.open_tcp_listeners(0)
    async with listener:
        kernel = await connect_kernel(address, listener.port)
        return await listener.accept(), kernel


async def pair_from_us(host: Host, address: str = OURS) -> tuple[TCPStream, trio.SocketStream]:
    """A connection that we opened: our end and the kernel's."""
    async with await listen_kernel(NEIGHBOURS[address]) as listener:
        ours = await host.open_tcp_stream(NEIGHBOURS[address], port_of(listener))
        return ours, await listener.accept()


def states(ours: TCPStream) -> tuple[str, str]:
    """The state of a connection at our end and at the kernel's."""
    return str(ours.connection.state), kernel_state(ours.remote, ours.local)


async def receive_all(stream: trio.abc.ReceiveStream) -> bytes:
    """Everything up to the end of the stream."""
    received = bytearray()
    async for chunk in stream:
        received += chunk
    return bytes(received)


async def echo(stream: trio.abc.HalfCloseableStream) -> None:
    """Send back what comes, up to the end of the stream."""
    async for chunk in stream:
        await stream.send_all(chunk)
    await stream.send_eof()


async def one_listener(host: Host) -> TCPListener:
    """A listener on a free port of all our addresses."""
    (listener,) = await host.open_tcp_listeners(0)
    return listener
