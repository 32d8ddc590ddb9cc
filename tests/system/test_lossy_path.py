"""Our TCP and the kernel's over a path that loses packets both ways, in real time."""

from __future__ import annotations

from typing import Final

import pytest

from tests.system.lossy_path import TCP, Transfer, run

pytestmark = pytest.mark.tun

SIZE: Final = 2_000_000


@pytest.mark.parametrize(("source", "sink"), [("ours", "kernel"), ("kernel", "ours")], ids=["to-kernel", "from-kernel"])
def test_a_lossy_path_loses_nothing_of_the_stream(source: TCP, sink: TCP) -> None:
    outcome = run(Transfer(source, sink, seconds=60.0, bytes=SIZE, delay=0.001, loss=0.02, ack_loss=0.02))
    assert outcome.sink["bytes"] == SIZE  # and the sink has compared each
    assert outcome.lost > 0
    assert outcome.segments_retransmitted > 0
    assert outcome.bytes_retransmitted > 0
