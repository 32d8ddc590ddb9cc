"""Peers for the tests, whose exchange is shown when a test fails."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest

from tcpcore.testing import PLAIN, Peer

MakePeer = Callable[..., Peer]
_PEERS = pytest.StashKey[list[Peer]]()


@pytest.fixture
def make_peer(request: pytest.FixtureRequest) -> MakePeer:
    """Make a peer whose stack has the ``PLAIN`` configuration, changed as told."""
    peers = request.node.stash.setdefault(_PEERS, [])

    def make(**changes: Any) -> Peer:
        peer = Peer(replace(PLAIN, **changes))
        peers.append(peer)
        return peer

    return make


@pytest.fixture
def peer(make_peer: MakePeer) -> Peer:
    """A peer of a stack with the ``PLAIN`` configuration."""
    return make_peer()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the exchange of a test that failed."""
    report = yield
    if report.failed:
        for made in item.stash.get(_PEERS, []):
            report.sections.append(("exchange", "\n".join(made.exchange)))
    return report
