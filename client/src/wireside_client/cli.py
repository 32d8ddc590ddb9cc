"""The command ``wireside``."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

import click
import trio

from wireside_protocol import DEFAULT_PORT, ProtocolError
from wireside_protocol.limits import MAX_ROOMS, check_nick, check_room

Address = tuple[str, int]


class OneLineGroup(click.Group):
    """A group whose errors are one line on standard error; mistakes of the user exit with 2."""

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line."""
        try:
            result = super().main(args=args, prog_name=prog_name, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(2)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(130)
        sys.exit(result if isinstance(result, int) else 0)


def _fail(text: str, status: int) -> NoReturn:
    click.echo("wireside: " + " ".join(text.split()), err=True)
    sys.exit(status)


class AddressType(click.ParamType[Address]):
    """``HOST:PORT``, ``[IPV6]:PORT``, or either without the port."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Split host and port."""
        if isinstance(value, tuple):
            return value
        text = str(value)
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                self.fail(f"{text!r} is not [ADDRESS]:PORT", param, ctx)
            port = rest[1:] if rest else str(DEFAULT_PORT)
        elif text.count(":") > 1:
            self.fail(f"write an IPv6 address as [{text}]:{DEFAULT_PORT}", param, ctx)
        else:
            host, colon, port = text.partition(":")
            port = port if colon else str(DEFAULT_PORT)
        if not host:
            self.fail(f"{text!r} has no host", param, ctx)
        if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
            self.fail(f"{port!r} is not a port from 1 to 65535", param, ctx)
        return host, int(port)


def _checked(check: Callable[[str], None], _: click.Context, __: click.Parameter, value: Any) -> Any:
    try:
        for name in [value] if isinstance(value, str) else value:
            check(name)
    except ProtocolError as error:
        raise click.BadParameter(error.text) from None
    return value


_nick_callback = partial(_checked, check_nick)


def _rooms_callback(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> Sequence[str]:
    if len(value) > MAX_ROOMS:
        raise click.BadParameter(f"at most {MAX_ROOMS} rooms")
    _checked(check_room, context, parameter, value)
    return value


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="wireside")
def main() -> None:
    """Chat in the terminal, and look inside the TCP connections that carry it."""


@main.command()
@click.argument("server", type=AddressType())
@click.option("--nick", required=True, callback=_nick_callback, help="Your name in the rooms.")
@click.option(
    "--room",
    "rooms",
    multiple=True,
    default=["lobby"],
    callback=_rooms_callback,
    help="A room to enter; repeatable.",
)
def chat(server: Address, nick: str, rooms: Sequence[str]) -> None:
    """Chat on a server."""
    from wireside_client.link import Port, ThreadLink
    from wireside_client.net import Net
    from wireside_client.session import Session

    async def network(port: Port) -> None:
        session = Session(nick, rooms)
        net = Net(session, partial(trio.open_tcp_stream, *server), port.sink, ready=port.ready)
        port.attach(net)
        await net.run()

    _run_screen(ThreadLink(network), nick, _show(server))


@main.command()
@click.option("--headless", is_flag=True, help="No terminal: print what is said, the connections and a summary.")
@click.option("--seconds", type=click.FloatRange(0.1, 86400), default=10.0, help="How long, with --headless.")
@click.option("--people", type=click.IntRange(1, 8), default=3, help="How many others are there.")
@click.option("--seed", type=int, help="Makes the people say the same again.")
@click.option("--nick", default="you", callback=_nick_callback, help="Your name in the room.")
def demo(headless: bool, seconds: float, people: int, seed: int | None, nick: str) -> None:
    """A server on our own TCP, a few people, and you among them; leaves nothing behind."""
    from wireside_client.people import NICKS

    if nick.lower() in NICKS[:people]:
        raise click.BadParameter(f"{nick} is one of the others", param_hint="--nick")
    if not headless:
        _need_terminal()
    from wireside_client import demo as world
    from wireside_client.link import ThreadLink

    reason = world.enter_world()
    if reason is not None:
        click.echo(f"no TUN device here ({reason}): running in memory instead", err=True)
    options: dict[str, Any] = {
        "nick": nick,
        "people": people,
        "seed": secrets.randbits(32) if seed is None else seed,
        "tun": reason is None,
    }
    if headless:
        run = partial(world.demo_for_eyes, click.echo, seconds=seconds, **options)
        verdict = _run_trio(run)
        sys.exit(0 if verdict.faultless and verdict.said else 1)
    _run_screen(ThreadLink(partial(world.demo_for_screen, **options)), nick, f"{world.SERVER}:{DEFAULT_PORT}")


@main.command()
@click.argument("server", type=AddressType())
@click.option("--clients", type=click.IntRange(1, 5000), default=20, help="How many clients.")
@click.option("--rooms", type=click.IntRange(1, 5000), default=2, help="Rooms they are spread over.")
@click.option("--seconds", type=click.FloatRange(0.1, 86400), default=60.0, help="How long they talk.")
@click.option("--rate", type=click.FloatRange(0.1, 100_000), default=50.0, help="Messages per second, all together.")
@click.option("--seed", type=int, help="Makes the texts and the speakers the same again.")
def load(server: Address, clients: int, rooms: int, seconds: float, rate: float, seed: int | None) -> None:
    """Put load on a server and check that nothing is lost, doubled or out of order."""
    from wireside_client.load import Plan, run_load

    plan = Plan(clients=clients, rooms=rooms, seconds=seconds, rate=rate)
    outcome = _run_trio(partial(run_load, partial(trio.open_tcp_stream, *server), plan, seed=seed))
    for line in outcome.lines():
        click.echo(line)
    sys.exit(0 if outcome.verdict.faultless and outcome.verdict.said else 1)


def _run_trio(main_function: Callable[[], Any]) -> Any:
    """Run, and turn what people can cause into one line and status 1."""
    try:
        with contextlib.suppress(KeyboardInterrupt):
            return trio.run(main_function)
        sys.exit(130)
    except* OSError as group:
        _fail(_first(group), 1)
    except* trio.TooSlowError:
        _fail("not everybody could join in time: is the server running?", 1)


def _first(group: BaseException) -> str:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return str(group) or type(group).__name__


def _need_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("this needs a terminal")


def _run_screen(link: Any, nick: str, server: str) -> None:
    _need_terminal()
    from wireside_client.app import WiresideApp, run_app

    app = WiresideApp(link, nick, server)
    asyncio.run(run_app(app))
    if app.network_error is not None:
        _fail(_first(app.network_error), 1)
    sys.exit(app.return_code or 0)


def _show(server: Address) -> str:
    host, port = server
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if __name__ == "__main__":
    main()
