"""Reads and writes packets on the descriptor of a TUN device: the system calls of the hot path."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from typing import Final

from tcpcore.driver import virtio
from tcpcore.driver.link import BATCH, LinkUnavailableError
from tcpcore.wire.packet import Buffer, Packet

MAX_PACKET: Final = 65535
BUFFER_SIZE: Final = virtio.LENGTH + MAX_PACKET + 1

_DEVICE_GONE: Final = frozenset((errno.EBADF, errno.EBADFD, errno.ENODEV, errno.ENXIO))


def write(descriptor: int, name: str, packets: Iterable[Packet], offload: bool) -> int:
    """Write packets to device ``name``; how many the kernel refused. ``LinkUnavailableError``: it is gone."""
    refused = 0
    for packet in packets:
        try:
            if offload:
                os.writev(descriptor, (virtio.header_for(packet), packet.header, *packet.payload))
            else:
                os.write(descriptor, bytes(packet))
        except OSError as error:
            if error.errno in _DEVICE_GONE:
                raise LinkUnavailableError(f"device {name} is gone") from error
            refused += 1
    return refused


def read(descriptor: int, name: str, buffer: memoryview, offload: bool) -> Iterator[tuple[Buffer, bool]]:
    """Read up to a batch of packets, each into ``buffer``, with a flag: the kernel vouches for the checksum."""
    buffers = (buffer,)
    start = virtio.LENGTH if offload else 0
    try:
        for _ in range(BATCH):
            length = os.readv(descriptor, buffers)
            yield buffer[start:length], offload and buffer[0] & virtio.CHECKSUM_VOUCHED != 0
    except BlockingIOError:
        return
    except OSError as error:
        raise LinkUnavailableError(f"device {name} is gone") from error
