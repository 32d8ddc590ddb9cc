"""The command ``wireside-server``."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import trio
from attrs import frozen

from wireside_protocol import DEFAULT_PORT
from wireside_server import __version__
from wireside_server.app import serve
from wireside_server.config import (
    Keepalive,
    Subnet,
    default_control,
    default_database,
    parse_address,
    parse_subnet,
    read_file,
)
from wireside_server.control import ControlError, fetch_snapshot
from wireside_server.errors import StartError
from wireside_server.netstat import format_netstat

if TYPE_CHECKING:
    from tcpcore.driver import Host

T = TypeVar("T")
_HELP: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"]}
_CONTEXT: Final[dict[str, Any]] = {**_HELP, "auto_envvar_prefix": "WIRESIDE_SERVER", "show_default": True}
_IN_STATE: Final = "in the user's state directory"
_IN_RUNTIME: Final = "in the user's runtime directory"
_SECONDS: Final = click.FloatRange(min=1, max=32767)


@frozen
class RunOptions:
    """What ``run`` was asked for."""

    tun: str | None
    attach: bool
    subnets: tuple[Subnet, ...]
    port: int
    kernel: tuple[str, int] | None
    keepalive: Keepalive
    database: str
    control: str


@click.group(context_settings=_HELP)
@click.version_option(__version__, prog_name="wireside-server")
def main() -> None:
    """A chat server on its own TCP."""


def _checked(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """A callback that parses a value; ``ValueError`` becomes click's one-line usage error."""

    def callback(_: click.Context, __: click.Parameter, value: str | None) -> T | None:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


def _optional_subnet(version: int) -> Callable[[str], Subnet | None]:
    return lambda text: None if text == "none" else parse_subnet(text, version)


def _load_config(context: click.Context, _: click.Parameter, path: str | None) -> str | None:
    if path is not None:
        known = {parameter.name or "" for parameter in context.command.params} - {"config", "help"}
        try:
            context.default_map = read_file(path, known)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    return path


@main.command(context_settings=_CONTEXT)
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_load_config,
    help="TOML file with these settings under their long names; flags and environment go before it.",
)
@click.option("--tun", default="ws0", metavar="NAME", help="TUN device that our TCP runs on.")
@click.option("--no-tun", is_flag=True, help="Only kernel sockets; needs --kernel.")
@click.option("--attach", is_flag=True, help="Use a persistent device; needs no privilege.")
@click.option(
    "--subnet",
    default="10.77.0.0/24",
    callback=_checked(_optional_subnet(4)),
    help="IPv4: the kernel has its first address, the server its second; or none.",
)
@click.option(
    "--subnet6",
    default="fd77::/64",
    callback=_checked(_optional_subnet(6)),
    help="The same for IPv6; or none.",
)
@click.option("--port", default=DEFAULT_PORT, type=click.IntRange(1, 65535), help="Port on our TCP.")
@click.option(
    "--kernel",
    metavar="HOST:PORT",
    callback=_checked(parse_address),
    help="Serve kernel sockets at this address, too.",
)
@click.option("--keepalive-idle", default=7200.0, type=_SECONDS, help="Silence before a probe, seconds.")
@click.option("--keepalive-interval", default=75.0, type=_SECONDS, help="Between probes, seconds.")
@click.option("--keepalive-count", default=10, type=click.IntRange(1, 127), help="Probes before giving up.")
@click.option("--database", default=default_database, show_default=_IN_STATE, metavar="PATH")
@click.option("--control", default=default_control, show_default=_IN_RUNTIME, metavar="PATH")
def run(
    tun: str,
    no_tun: bool,
    attach: bool,
    subnet: Subnet | None,
    subnet6: Subnet | None,
    port: int,
    kernel: tuple[str, int] | None,
    keepalive_idle: float,
    keepalive_interval: float,
    keepalive_count: int,
    database: str,
    control: str,
) -> None:
    """Serve until SIGINT or SIGTERM; a second signal ends it at once."""
    subnets = tuple(each for each in (subnet, subnet6) if each is not None)
    if no_tun and kernel is None:
        raise click.UsageError("--no-tun needs --kernel HOST:PORT: there would be nothing to listen on")
    if not no_tun and not subnets:
        raise click.UsageError("--subnet and --subnet6 are both none: our TCP needs an address")
    options = RunOptions(
        tun=None if no_tun else tun,
        attach=attach,
        subnets=subnets,
        port=port,
        kernel=kernel,
        keepalive=Keepalive(keepalive_idle, keepalive_interval, keepalive_count),
        database=database,
        control=control,
    )
    failure: BaseException | None = None
    try:
        trio.run(_run, options)
    except* (StartError, OSError) as group:
        failure = group
    if failure is not None:
        raise click.ClickException(_first_line(failure))


def _first_line(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


async def _run(options: RunOptions) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_signals, nursery.cancel_scope)
        async with _open_host(options) as host:
            await serve(
                host=host,
                port=options.port,
                kernel=options.kernel,
                database=options.database,
                control=options.control,
                keepalive=options.keepalive,
                log=lambda line: click.echo(line, err=True),
            )
        nursery.cancel_scope.cancel()


async def _watch_signals(scope: trio.CancelScope) -> None:
    """The first signal cancels ``scope``; from then on both have their usual, sudden effect."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            break
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    scope.cancel()


@asynccontextmanager
async def _open_host(options: RunOptions) -> AsyncIterator[Host | None]:
    if options.tun is None:
        yield None
        return
    # Imported here, so that netstat and --no-tun start without it.
    from tcpcore.driver import LinkUnavailableError, TunLink, open_stack

    try:
        if options.attach:
            link = TunLink.attach(options.tun)
        else:
            link = TunLink.open(options.tun, *(subnet.kernel for subnet in options.subnets))
    except LinkUnavailableError as error:
        hint = "run as root, or use a device of your own (--attach), or the kernel's TCP (--no-tun --kernel)"
        raise StartError(f"{error}; {hint}") from error
    async with open_stack(link, [subnet.own for subnet in options.subnets]) as host:
        yield host


@main.command(context_settings=_CONTEXT)
@click.option("--json", "as_json", is_flag=True, help="Everything that is known, as JSON.")
@click.option("--control", default=default_control, show_default=_IN_RUNTIME, metavar="PATH")
def netstat(as_json: bool, control: str) -> None:
    """Show the connections and listeners of the server's own TCP."""
    try:
        snapshot = fetch_snapshot(control)
    except ControlError as error:
        raise click.ClickException(f"{error}; is the server running?") from None
    click.echo(json.dumps(snapshot, indent=2) if as_json else format_netstat(snapshot))
