"""A Linux TUN device as a link: IP packets to and from the kernel, with checksum and segmentation offload.

What the kernel sends us arrives uncut (up to 64 KiB) and unsummed; what we send it may be both as well.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import trio
from pyroute2 import IPRoute  # type: ignore[import-untyped]
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

from tcpcore.config import LinkCapabilities
from tcpcore.driver import packetio
from tcpcore.driver.link import LinkUnavailableError
from tcpcore.wire.packet import Buffer, Packet

DEVICE: Final = "/dev/net/tun"
TX_QUEUE_LENGTH: Final = 20000
MAX_QUEUES: Final = 256
"""Most queues that the kernel gives one device."""

_NAME_LENGTH: Final = 15

_TUNSETIFF: Final = 0x400454CA
_TUNSETOFFLOAD: Final = 0x400454D0
_TUNGETIFF: Final = 0x800454D2
_IFF_TUN: Final = 0x0001
_IFF_MULTI_QUEUE: Final = 0x0100
_IFF_NO_PI: Final = 0x1000
_IFF_VNET_HDR: Final = 0x4000
_FLAGS: Final = {True: (_IFF_VNET_HDR, 0), False: (0,)}
"""What to ask for with and without offload, the best first."""
_CSUM_TSO: Final = 0x01 | 0x02 | 0x04
_TSO_ECN: Final = 0x08
_SIOCGIFMTU: Final = 0x8921
_IFA_F_NODAD: Final = 0x02
_RTN_LOCAL: Final = 2
_ROUTE_QUERIES: Final = 1000

_QUIET_IPV6: Final = {
    "addr_gen_mode": "1",
    "accept_ra": "0",
    "router_solicitations": "0",
    "dad_transmits": "0",
}


class TunLink:
    """One TUN device, or one queue of it.

    Make it with ``open``, ``open_queues``, ``attach`` or ``from_descriptor``; all raise ``LinkUnavailableError``.
    """

    def __init__(self, descriptor: int, name: str, mtu: int, *, offload: bool) -> None:
        """Take over an open, non-blocking descriptor; ``offload``: it carries virtio headers."""
        self.name = name
        self.dropped = 0
        self.capabilities = LinkCapabilities(
            mtu=mtu, checksum_offload=offload, segmentation_offload=offload, max_packet=packetio.MAX_PACKET
        )
        self._descriptor = descriptor
        self._offload = offload
        self._buffer = memoryview(bytearray(packetio.BUFFER_SIZE))

    @classmethod
    def open(cls, name: str, *kernel_addresses: str, mtu: int = 1500, offload: bool = True) -> TunLink:
        """Create device ``name`` with the kernel's addresses on it (``"10.77.0.1/24"``), and bring it up.

        It needs CAP_NET_ADMIN in its network namespace, and goes away with the link. Without ``offload`` the
        device carries packets as a wire does: whole, summed, none above ``mtu``.
        """
        ((descriptor, offload),) = _create(name, kernel_addresses, mtu, _FLAGS[offload])
        return cls(descriptor, name, mtu, offload=offload)

    @classmethod
    def open_queues(
        cls, name: str, *kernel_addresses: str, count: int, mtu: int = 1500, offload: bool = True
    ) -> list[TunLink]:
        """Create device ``name`` as ``open`` does, with ``count`` queues: one link for each.

        The kernel picks a packet's queue by a hash of its addresses and ports, so each queue can have a process with
        a stack of its own, all with the same addresses. They accept connections; one that they open would be answered
        on any queue. Keep all links open, also that of a process that ended: when a queue closes, connections move.
        """
        if not 1 <= count <= MAX_QUEUES:
            raise ValueError(f"a device has 1 to {MAX_QUEUES} queues, not {count}")
        flags = tuple(_IFF_MULTI_QUEUE | flags for flags in _FLAGS[offload])
        queues = _create(name, kernel_addresses, mtu, flags, count)
        return [cls(descriptor, name, mtu, offload=offload) for descriptor, offload in queues]

    @classmethod
    def attach(cls, name: str) -> TunLink:
        """Open the persistent device ``name``, configured by somebody else; its owner needs no privilege.

        To a device with several queues it adds one, which moves connections of the others.
        """
        try:
            socket.if_nametoindex(name)
        except OSError as error:
            raise LinkUnavailableError(f"there is no network device {name}") from error
        candidates = tuple(flags | queues for flags in _FLAGS[True] for queues in (0, _IFF_MULTI_QUEUE))
        descriptor, offload = _open_device(name, candidates)
        return cls(descriptor, name, _mtu(name), offload=offload)

    @classmethod
    def from_descriptor(cls, descriptor: int) -> TunLink:
        """Take over an open descriptor of a device in this network namespace, inherited or received.

        It needs no privilege. The device must have been opened with IFF_NO_PI, which the kernel does not tell;
        the descriptor becomes non-blocking, also for others who share it.
        """
        try:
            name, flags = struct.unpack("16sH22x", fcntl.ioctl(descriptor, _TUNGETIFF, bytes(40)))
        except OSError as error:
            raise LinkUnavailableError(f"descriptor {descriptor} is no TUN device: {_reason(error)}") from error
        if not flags & _IFF_TUN:
            raise LinkUnavailableError(f"descriptor {descriptor} carries Ethernet frames; a TUN device is needed")
        name = name.rstrip(b"\0").decode()
        try:
            mtu = _mtu(name)
        except OSError as error:
            raise LinkUnavailableError(f"device {name} is in another network namespace") from error
        os.set_blocking(descriptor, False)
        return cls(descriptor, name, mtu, offload=bool(flags & _IFF_VNET_HDR))

    def fileno(self) -> int:
        """The descriptor, to pass on to another process; the queue lasts until the last copy is closed."""
        return self._descriptor

    def send(self, packets: Iterable[Packet]) -> None:
        """Write packets; those that the kernel refuses are dropped and counted."""
        self.dropped += packetio.write(self._descriptor, self.name, packets, self._offload)

    def receive(self) -> Iterator[tuple[Buffer, bool]]:
        """Read up to a batch of packets, each into the same buffer."""
        return packetio.read(self._descriptor, self.name, self._buffer, self._offload)

    async def wait_readable(self) -> None:
        """Return when the device has a packet, or interrupted; ``LinkUnavailableError`` once it is closed."""
        if self._descriptor >= 0:
            with suppress(trio.ClosedResourceError):
                await trio.lowlevel.wait_readable(self._descriptor)
        if self._descriptor < 0:
            raise LinkUnavailableError(f"device {self.name} is closed")

    def interrupt(self) -> None:
        """Wake who waits for packets, as if the descriptor were about to close."""
        trio.lowlevel.notify_closing(self._descriptor)

    async def aclose(self) -> None:
        """Close the descriptor; a device that is not persistent disappears."""
        if self._descriptor >= 0:
            trio.lowlevel.notify_closing(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        await trio.lowlevel.checkpoint()


def _create(
    name: str, kernel_addresses: Iterable[str], mtu: int, candidates: tuple[int, ...], count: int = 1
) -> list[tuple[int, bool]]:
    """Make device ``name``: ``count`` queues of it as ``_open_device`` gives them, all open before the first packet."""
    addresses = [ipaddress.ip_interface(address) for address in kernel_addresses]
    queues = []
    with ExitStack() as undo:
        for _ in range(count):
            queues.append(_open_device(name, candidates))
            undo.callback(os.close, queues[-1][0])
        try:
            _configure(name, addresses, mtu)
        except (NetlinkError, OSError) as error:
            raise LinkUnavailableError(f"cannot configure {name}: {_reason(error)}") from error
        undo.pop_all()
    return queues


def _open_device(name: str, candidates: tuple[int, ...]) -> tuple[int, bool]:
    """Open a queue of TUN device ``name``: its descriptor, and whether it carries virtio headers and does offload."""
    if not 1 <= len(name.encode()) <= _NAME_LENGTH or "/" in name:
        raise LinkUnavailableError(f"not a device name of at most {_NAME_LENGTH} bytes: {name!r}")
    try:
        descriptor = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise LinkUnavailableError(f"cannot open {DEVICE}: {_reason(error)}") from error
    try:
        return descriptor, _bind(descriptor, name, candidates)
    except OSError as error:
        os.close(descriptor)
        reason = _reason(error)
        if error.errno == errno.EINVAL and any(name == existing for _, existing in socket.if_nameindex()):
            reason = f"it is no TUN device, or made for another number of queues; see: ip -d link show {name}"
        raise LinkUnavailableError(f"cannot use device {name}: {reason}") from error


def _bind(descriptor: int, name: str, candidates: tuple[int, ...]) -> bool:
    """Tie the descriptor to the device by the first flags that the kernel accepts; whether it does offload."""
    for flags in candidates:
        request = struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI | flags)
        try:
            fcntl.ioctl(descriptor, _TUNSETIFF, request)
        except OSError as error:
            if error.errno != errno.EINVAL or flags == candidates[-1]:
                raise
        else:
            break
    if not flags & _IFF_VNET_HDR:
        return False
    for offloads in (_CSUM_TSO | _TSO_ECN, _CSUM_TSO, 0):
        try:
            fcntl.ioctl(descriptor, _TUNSETOFFLOAD, offloads)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        else:
            break
    return True


def _configure(name: str, addresses: list[ipaddress.IPv4Interface | ipaddress.IPv6Interface], mtu: int) -> None:
    """Addresses, MTU and queue of the kernel's end; up."""
    with IPRoute() as route:
        (index,) = route.link_lookup(ifname=name)
        _quiet_ipv6(name)
        route.link("set", index=index, mtu=mtu, txqlen=TX_QUEUE_LENGTH, state="up")
        for address in addresses:
            flags = {"flags": _IFA_F_NODAD} if address.version == 6 else {}
            route.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen, **flags)
        for address in addresses:
            _wait_until_local(route, str(address.ip))


def _wait_until_local(route: IPRoute, address: str) -> None:
    """The kernel makes an IPv6 address its own a few milliseconds after it was added; a SYN to it would be lost."""
    for _ in range(_ROUTE_QUERIES):
        if route.route("get", dst=address)[0]["type"] == _RTN_LOCAL:
            return


def _quiet_ipv6(name: str) -> None:
    """Keep the kernel from sending router solicitations and such over the device, where it lets us."""
    for key, value in _QUIET_IPV6.items():
        try:
            Path(f"/proc/sys/net/ipv6/conf/{name}/{key}").write_text(value)
        except OSError:
            continue


def _mtu(name: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe, _SIOCGIFMTU, struct.pack("16si20x", name.encode(), 0))
    return int(struct.unpack("16si20x", answer)[1])


def _reason(error: Exception) -> str:
    """A line for people."""
    code = error.code if isinstance(error, NetlinkError) else getattr(error, "errno", None)
    if code == errno.EBUSY:
        return "it is in use by another program"
    if code == errno.EPERM:
        return "the privilege CAP_NET_ADMIN is missing"
    if code == errno.E2BIG:
        return f"all its {MAX_QUEUES} queues are in use"
    return os.strerror(code) if code else str(error)
