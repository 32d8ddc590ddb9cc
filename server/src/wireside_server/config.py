"""Configuration: where things are by default, subnets, and the TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from attrs import frozen


@frozen
class Keepalive:
    """Seconds until the first probe of a silent connection, seconds between probes, and how many."""

    idle: float = 7200.0
    interval: float = 75.0
    count: int = 10

    @property
    def patience(self) -> float:
        """Seconds after which a silent peer is gone, whether data waits for its acknowledgement or not."""
        return self.idle + self.interval * self.count


@frozen
class Subnet:
    """A network with two hosts: the kernel has the first address, our stack the second."""

    kernel: str
    own: str


def parse_subnet(text: str, version: int) -> Subnet:
    """Both ends of ``10.77.0.0/24``; raises ``ValueError`` with one line for people."""
    try:
        network: IPv4Network | IPv6Network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a subnet: {error}") from None
    if network.version != version:
        raise ValueError(f"{text!r} is not an IPv{version} subnet")
    if network.num_addresses < 4:
        raise ValueError(f"{text!r} is too small: it needs two addresses for hosts")
    return Subnet(f"{network[1]}/{network.prefixlen}", f"{network[2]}/{network.prefixlen}")


def parse_address(text: str) -> tuple[str, int]:
    """``HOST:PORT`` or ``[IPV6]:PORT``; raises ``ValueError`` with one line for people."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT")
    if not host or (":" in host and not bracketed):
        raise ValueError(f"{text!r} is not HOST:PORT; an IPv6 address goes in brackets")
    return host.strip("[]"), int(port)


def read_file(path: str, known: Collection[str]) -> dict[str, Any]:
    """The settings in a TOML file, by option name; raises ``ValueError`` with one line for people."""
    try:
        settings = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from None
    settings = {key.replace("-", "_"): value for key, value in settings.items()}
    for key, value in settings.items():
        if key not in known:
            raise ValueError(f"{path}: there is no setting {key.replace('_', '-')!r}")
        if not isinstance(value, str | int | float):
            raise ValueError(f"{path}: {key.replace('_', '-')} is a single value")
    return settings


def default_database(environment: Mapping[str, str] = os.environ) -> str:
    """The log in the user's state directory, or in the one systemd made."""
    directory = environment.get("STATE_DIRECTORY")
    if directory:
        return str(Path(directory) / "server.sqlite3")
    state = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return str(Path(state) / "wireside" / "server.sqlite3")


def default_control(environment: Mapping[str, str] = os.environ) -> str:
    """The control socket in the user's runtime directory, or one of the user's own in /tmp."""
    directory = environment.get("XDG_RUNTIME_DIR")
    if directory:
        return str(Path(directory) / "wireside-server.sock")
    return f"/tmp/wireside-server-{os.getuid()}.sock"
