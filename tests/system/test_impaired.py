"""``ImpairedLink`` over a TUN: the kernel is at the other end of a bad network."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tcpcore.driver import ImpairedLink, Path, TunLink, open_stack
from tests.system.kernel import (
    DEVICE,
    KERNEL_ADDRESSES,
    OUR_ADDRESSES,
    OURS,
    OURS6,
    deadline,
    pair_from_kernel,
)
from tests.system.test_transfer import transfer

pytestmark = pytest.mark.tun

BAD: dict[str, Any] = {
    "delay": 0.002, "jitter": 0.001, "loss": 0.01, "duplicate": 0.02, "reorder": 0.02, "corrupt": 0.005,
}  # fmt: skip


@pytest.mark.parametrize("address", [OURS, OURS6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("outwards", [True, False], ids=["to-kernel", "from-kernel"])
async def test_streams_arrive_whole(address: str, outwards: bool) -> None:
    outgoing, incoming = (Path(rng=random.Random(seed), **BAD) for seed in (1, 2))
    link = ImpairedLink(TunLink.open(DEVICE, *KERNEL_ADDRESSES), outgoing=outgoing, incoming=incoming)
    block = random.Random(3).randbytes(300_000)
    with deadline():
        async with open_stack(link, OUR_ADDRESSES, close_timeout=0.0) as host:
            ours, kernel = await pair_from_kernel(host, address)
            async with ours, kernel:
                source, sink = (ours, kernel) if outwards else (kernel, ours)
                await transfer(source, sink, block, 1)
    path = outgoing if outwards else incoming
    assert path.sent > len(block) // 1500
    assert path.duplicated + path.reordered + path.lost > 0
