"""Links without a stack: the memory pair, the virtio header, and the reasons people get without a device."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import trio

from tcpcore import LinkCapabilities
from tcpcore.driver import LinkUnavailableError, MemoryLink, TunLink, netns, virtio
from tcpcore.driver.link import BATCH
from tcpcore.wire.packet import Packet


def plain(data: bytes = b"packet") -> Packet:
    return Packet(data)


def tcp4(payload: bytes, segment_size: int = 0, flags: int = 0x10) -> Packet:
    """IPv4 and TCP headers with just the fields that matter here."""
    header = bytearray(40)
    header[0], header[32], header[33] = 0x45, 0x50, flags
    return Packet(header, (payload,), len(payload), 20, 16, segment_size)


def test_memory_link_keeps_order_in_batches() -> None:
    near, far = MemoryLink.pair()
    near.send(plain(b"%d" % number) for number in range(100))
    first, second, third = list(far.receive()), list(far.receive()), list(far.receive())
    assert [data for data, _ in first + second] == [b"%d" % number for number in range(100)]
    assert len(first) == BATCH
    assert third == []


def test_memory_link_drops_beyond_its_limit_and_counts() -> None:
    near, far = MemoryLink.pair(limit=3)
    near.send([plain()] * 5)
    assert near.dropped == 2
    assert len(list(far.receive())) == 3


def test_memory_link_sums_in_software() -> None:
    near, far = MemoryLink.pair()
    near.send([tcp4(b"data")])
    ((data, checked),) = far.receive()
    assert not checked
    assert bytes(data) == bytes(tcp4(b"data"))


def test_memory_link_leaves_large_segments_whole_with_offload() -> None:
    near, far = MemoryLink.pair(LinkCapabilities(checksum_offload=True, segmentation_offload=True))
    near.send([tcp4(bytes(5000), segment_size=1000)])
    ((data, checked),) = far.receive()
    assert checked
    assert len(data) == 5040


def test_memory_link_vouches_for_no_sum_that_was_complete() -> None:
    near, far = MemoryLink.pair(LinkCapabilities(checksum_offload=True))
    near.send([plain(bytes(tcp4(b"damaged on its way")))])
    ((_, checked),) = far.receive()
    assert not checked


async def test_memory_link_wakes_its_reader() -> None:
    near, far = MemoryLink.pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(far.wait_readable)
        await trio.testing.wait_all_tasks_blocked()
        near.send([plain()])


async def test_packets_for_a_closed_memory_link_are_dropped() -> None:
    near, far = MemoryLink.pair()
    near.send([plain()])
    await far.aclose()
    near.send([plain()])
    assert near.dropped == 1
    assert list(far.receive()) == []


def test_memory_link_needs_room_for_a_packet() -> None:
    with pytest.raises(ValueError, match="limit"):
        MemoryLink.pair(limit=0)


@pytest.mark.parametrize(
    ("packet", "fields"),
    [
        (Packet(b"icmp"), (0, 0, 0, 0, 0, 0)),
        (tcp4(b"small"), (1, 0, 0, 0, 20, 16)),
        (tcp4(b"one segment", segment_size=1000), (1, 0, 0, 0, 20, 16)),
        (tcp4(bytes(3000), segment_size=1000), (1, 1, 40, 1000, 20, 16)),
        (tcp4(bytes(3000), segment_size=1000, flags=0x90), (1, 0x81, 40, 1000, 20, 16)),
    ],
    ids=["complete", "sum", "no cut", "cut", "cut with CWR"],
)
def test_virtio_header(packet: Packet, fields: tuple[int, ...]) -> None:
    assert struct.unpack("=BBHHHH", virtio.header_for(packet)) == fields


def test_virtio_header_for_ipv6() -> None:
    packet = Packet(bytes([0x60]) + bytes(59), (bytes(3000),), 3000, 40, 16, 1000)
    assert struct.unpack("=BBHHHH", virtio.header_for(packet)) == (1, 4, 60, 1000, 40, 16)


@pytest.mark.parametrize("name", ["", "a-name-that-is-far-too-long", "a/b"])
def test_bad_device_names(name: str) -> None:
    with pytest.raises(LinkUnavailableError, match="not a device name"):
        TunLink.open(name)


def test_bad_kernel_address() -> None:
    with pytest.raises(ValueError, match="300"):
        TunLink.open("ws0", "10.0.0.300/24")


def test_attach_wants_an_existing_device() -> None:
    with pytest.raises(LinkUnavailableError, match="there is no network device"):
        TunLink.attach("no-such-device")


@pytest.mark.parametrize("count", [0, 257])
def test_bad_number_of_queues(count: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 256 queues, not {count}"):
        TunLink.open_queues("ws0", count=count)


def test_descriptor_of_something_else_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file, pytest.raises(LinkUnavailableError, match="is no TUN device"):
        TunLink.from_descriptor(file.fileno())


def test_missing_tun_driver_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr("tcpcore.driver.tun.DEVICE", f"{tmp_path}/tun")
    with pytest.raises(LinkUnavailableError, match=r"cannot open .*: No such file"):
        TunLink.open("ws0")


def test_namespace_wants_a_single_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.listdir", lambda _: ["1", "2"])
    with pytest.raises(netns.NamespaceUnavailableError, match="threads"):
        netns.enter_private_namespace()
