"""What every test shares: a network namespace of the run's own, and a seed that a failure shows."""

from __future__ import annotations

import os
import random
from collections.abc import Generator

import pytest
from hypothesis import settings

from tcpcore.driver.netns import NamespaceUnavailableError, enter_private_namespace, tun_available
from tcpcore.stack import stack

NO_TUN = pytest.StashKey[str | None]()
SEED = pytest.StashKey[int]()

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)


def in_ci() -> bool:
    """Whether a skipped TUN test has to count as a failure."""
    return os.environ.get("CI") == "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--seed``."""
    parser.addoption("--seed", type=int, default=None, help="seed of the `rng` fixture (default: random)")


def pytest_configure(config: pytest.Config) -> None:
    """Enter the namespace while this process has one thread."""
    settings.load_profile("ci" if in_ci() else "dev")
    seed = config.getoption("seed")
    config.stash[SEED] = random.SystemRandom().getrandbits(32) if seed is None else seed
    config.stash[NO_TUN] = _no_tun()


def _no_tun() -> str | None:
    try:
        enter_private_namespace()
    except NamespaceUnavailableError as error:
        return str(error)
    return tun_available()


def pytest_report_header(config: pytest.Config) -> str:
    """The seed, whether the TUN tests run, and on which build of the core."""
    core = "pure Python" if stack.__file__.endswith(".py") else "compiled"
    tun = config.stash[NO_TUN] or "in a namespace of our own"
    return f"seed: {config.stash[SEED]}; TUN tests: {tun}; core: {core}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a TUN where there is none; in CI fail instead."""
    reason = item.config.stash[NO_TUN]
    if reason is None or item.get_closest_marker("tun") is None:
        return
    if in_ci():
        pytest.fail(f"no TUN device, and CI=true: {reason}", pytrace=False)
    pytest.skip(f"no TUN device: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the seed to the report of a failure."""
    report = yield
    if report.failed:
        report.sections.append(("seed", f"repeat with --seed={item.config.stash[SEED]}"))
    return report


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this run."""
    return request.config.stash[SEED]


@pytest.fixture
def rng(seed: int) -> random.Random:
    """A generator of this run's seed, fresh for each test."""
    return random.Random(seed)
