"""Streams over paths whose MTU changes, told by ICMP or not, with loss, reordering and duplication (RFC 4821)."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpcore import Connection, LinkCapabilities
from tcpcore.config import Config, MtuProbing
from tcpcore.testing import Pair
from tcpcore.wire import icmp
from tcpcore.wire.ip import build_ipv4_header
from tcpcore.wire.ippacket import ICMP

DATA = random.Random(1).randbytes(60_000)
MODES: tuple[MtuProbing, ...] = ("off", "black-hole", "always")


def opened(pair: Pair) -> tuple[Connection, Connection]:
    listener = pair.b.listen(80)
    a = pair.a.connect(("192.0.2.2", 80), pair.now)
    while (b := listener.accept()) is None:
        pair.step()
    return a, b


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    mode=st.sampled_from(MODES),
    offload=st.booleans(),
    told=st.booleans(),
    steps=st.lists(st.tuples(st.integers(576, 1600), st.integers(1, len(DATA))), min_size=1, max_size=4),
    loss=st.sampled_from([0.0, 0.02]),
    reorder=st.sampled_from([0.0, 0.05]),
    duplicate=st.sampled_from([0.0, 0.05]),
    seed=st.integers(0, 100),
)
def test_streams_arrive_whole_whatever_the_path_takes(
    mode: MtuProbing, offload: bool, told: bool, steps: list[tuple[int, int]],
    loss: float, reorder: float, duplicate: float, seed: int,
) -> None:  # fmt: skip
    link = LinkCapabilities(checksum_offload=offload, segmentation_offload=offload)
    pair = Pair(
        Config(mtu_probing=mode), latency=0.01, seed=seed, loss=loss, reorder=reorder, duplicate=duplicate,
        capabilities=link,
    )  # fmt: skip
    a, b = opened(pair)
    limit = 1500

    def carry(packet: bytes, direction: str) -> bool:
        if len(packet) > limit and (told or mode == "off"):
            body = icmp.build(4, packet[16:20], packet[12:16], 3, 4, limit, packet[:28])
            header = build_ipv4_header(packet[16:20], packet[12:16], ICMP, len(body), 1)
            (pair.a if direction == "a>b" else pair.b).receive(bytes(header) + body, pair.now)
        return len(packet) <= limit

    pair.deliver = carry
    for limit, size in steps:  # noqa: B007
        assert pair.transfer(a, b, DATA[:size], 600) == DATA[:size]
        assert 576 <= a.path_mtu <= 1500
    a.close(pair.now)
    b.close(pair.now)
    pair.run(300)
    assert not pair.a.connections()
    assert not pair.b.connections()
