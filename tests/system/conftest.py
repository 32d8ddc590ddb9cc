"""A stack on a TUN device, whose other end is the kernel of the test process's own network namespace."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from tcpcore.driver import Host
from tests.system.kernel import running_host


@pytest.fixture
async def host(rng: random.Random) -> AsyncIterator[Host]:
    """Our host; the kernel is its only neighbour."""
    async with running_host(rng) as host:
        yield host
