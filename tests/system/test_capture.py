"""What goes over the wire, as Wireshark's dissectors judge it."""

from __future__ import annotations

import random
import shutil
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest
import trio

from tcpcore import LinkCapabilities
from tcpcore.driver import Host, TunLink
from tcpcore.wire.packet import Packet
from tests.system.kernel import (
    DEVICE,
    KERNEL_ADDRESSES,
    OURS,
    OURS6,
    connect_kernel,
    deadline,
    pair_from_us,
    receive_all,
    running_host,
)

pytestmark = pytest.mark.tun
EARLY_RETRANSMISSION: Final = Path("/proc/sys/net/ipv4/tcp_early_retrans")
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark command")

ETH_P_ALL = 3
LINKTYPE_RAW = 101
FAULTS = (
    "_ws.malformed || tcp.analysis.retransmission || tcp.analysis.lost_segment || tcp.analysis.out_of_order"
    " || tcp.analysis.duplicate_ack || tcp.options.unknown || ip.checksum.status == 0"
    f" || (tcp.checksum.status == 0 && (ip.src == {OURS} || ipv6.src == {OURS6}))"
)


class SoftwareLink(TunLink):
    """A TUN device without offload: the stack's packets are cut and summed in software."""

    def send(self, packets: Iterable[Packet]) -> None:
        """Complete every packet first."""
        super().send(Packet(bytes(piece)) for packet in packets for piece in packet.cut())


class Capture:
    """Every packet on the device, from now on."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        self.socket.bind((DEVICE, ETH_P_ALL))
        self.socket.setblocking(False)

    def packets(self) -> Iterator[bytes]:
        """Those seen so far."""
        try:
            while True:
                yield self.socket.recv(1 << 17)
        except BlockingIOError:
            return

    def save(self, path: Path) -> int:
        """Write them as a pcap file, and count them."""
        number = 0
        with path.open("wb") as file:
            file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 17, LINKTYPE_RAW))
            for number, packet in enumerate(self.packets(), 1):
                file.write(struct.pack("=IIII", 0, number, len(packet), len(packet)) + packet)
        return number


async def converse(host: Host, block: bytes) -> None:
    """Data each way, both ways of opening and closing, both versions, and a refusal."""
    for address in (OURS, OURS6):
        ours, kernel = await pair_from_us(host, address)
        await ours.send_all(block)
        await ours.send_eof()
        assert await receive_all(kernel) == block
        await kernel.aclose()
        await ours.aclose()
        (listener,) = await host.open_tcp_listeners(0)
        async with listener:
            kernel = await connect_kernel(address, listener.port)
            ours = await listener.accept()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kernel.send_all, block)
            received = 0
            while received < len(block):
                received += len(await ours.receive_some())
        await kernel.aclose()
        await ours.aclose()
        with pytest.raises(ConnectionRefusedError):
            await connect_kernel(address, listener.port)


@pytest.fixture
def patient_kernel() -> Iterator[None]:
    """The kernel sends no tail loss probes: it would whenever this process waits for a processor."""
    before = EARLY_RETRANSMISSION.read_text()
    EARLY_RETRANSMISSION.write_text("0")
    yield
    EARLY_RETRANSMISSION.write_text(before)


@needs_tshark
@pytest.mark.usefixtures("patient_kernel")
@pytest.mark.parametrize("offload", [True, False], ids=["offload", "software"])
async def test_wireshark_finds_no_fault(offload: bool, tmp_path: Path, rng: random.Random) -> None:
    link = (TunLink if offload else SoftwareLink).open(DEVICE, *KERNEL_ADDRESSES)
    if not offload:
        link.capabilities = LinkCapabilities()
    capture, path = Capture(), tmp_path / "wire.pcap"
    with deadline(), capture.socket:
        async with running_host(rng, link=link) as host:
            await converse(host, rng.randbytes(300_000))
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert host.statistics().tcp_retrans_segs == 0
            count = capture.save(path)
    assert count > 40
    faults = await tshark(path, FAULTS, check_tcp=not offload)
    assert faults == ""


async def tshark(path: Path, display_filter: str, *, check_tcp: bool) -> str:
    """One line for each packet that the filter selects."""
    checks = ["-o", "ip.check_checksum:TRUE", "-o", f"tcp.check_checksum:{str(check_tcp).upper()}"]
    done = await trio.run_process(
        ["tshark", "-n", "-r", str(path), *checks, "-Y", display_filter],
        capture_stdout=True,
        capture_stderr=True,
    )
    return done.stdout.decode()
