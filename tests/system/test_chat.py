"""The chat end to end: kernel sockets, a TUN, our TCP, the server; many clients at once."""

from __future__ import annotations

import pytest
import trio

from tcpcore.driver import Host
from tests.system.kernel import OURS, OURS6, connect_kernel
from wireside_client.load import Plan, run_load
from wireside_server.app import serve

pytestmark = pytest.mark.tun


@pytest.mark.parametrize("address", [OURS, OURS6], ids=["ipv4", "ipv6"])
async def test_twenty_clients_in_two_rooms_lose_and_double_nothing(host: Host, address: str, seed: int) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: serve(host=host, port=7070, task_status=task_status))
        outcome = await run_load(
            lambda: connect_kernel(address, 7070), Plan(clients=20, rooms=2, seconds=2.0, rate=200.0), seed=seed
        )
        nursery.cancel_scope.cancel()
    assert outcome.verdict.faultless, outcome.lines()
    assert outcome.verdict.delivered == outcome.verdict.said * 10
    assert outcome.reconnects == outcome.suppressed == 0
