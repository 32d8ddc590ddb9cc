"""The house of four distributions: who may import whom, and what each may import at all."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import tcpcore

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "tcpcore": ROOT / "tcpcore",
    "wireside_protocol": ROOT / "protocol",
    "wireside_server": ROOT / "server",
    "wireside_client": ROOT / "client",
}
ARROWS = {
    "tcpcore": set[str](),
    "wireside_protocol": set[str](),
    "wireside_server": {"tcpcore", "wireside_protocol"},
    "wireside_client": {"tcpcore", "wireside_protocol"},
}
LAYERS = ["errors seqnum timing config status", "wire", "conn", "stack", "driver"]
"""Of tcpcore: each imports only itself and what stands before it; ``testing`` may import all."""
IMPURE = {"trio", "os", "socket", "time", "threading", "asyncio", "select", "subprocess", "datetime"}


def sources(package: str) -> list[Path]:
    return sorted((PACKAGES[package] / "src" / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Dotted names of modules that ``path`` imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(dotted: str) -> int | None:
    part = [*dotted.split("."), ""][1]
    return next((level for level, names in enumerate(LAYERS) if part in names.split()), None)


def test_packages_are_installed_not_found_as_folders() -> None:
    assert tcpcore.__file__ is not None


@pytest.mark.parametrize("package", PACKAGES)
def test_distributions_import_only_along_the_arrows(package: str) -> None:
    for path in sources(package):
        used = {name.split(".")[0] for name in imports(path)} & PACKAGES.keys()
        assert used <= ARROWS[package] | {package}, path


@pytest.mark.parametrize("package", PACKAGES)
def test_distributions_import_only_what_they_declare(package: str) -> None:
    project = tomllib.loads((PACKAGES[package] / "pyproject.toml").read_text())["project"]
    requirements = list(project["dependencies"])
    for extra in project.get("optional-dependencies", {}).values():
        requirements += extra
    declared = {re.split(r"[\[<>=! ]", requirement)[0].lower().replace("_", "-") for requirement in requirements}
    providers = importlib.metadata.packages_distributions()
    for path in sources(package):
        for name in {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - {package}:
            if name in PACKAGES:
                assert name.replace("wireside_client", "wireside").replace("_", "-") in declared, path
                continue
            owners = {owner.lower().replace("_", "-") for owner in providers.get(name, [])}
            assert owners & declared, f"{path} imports {name}, which pyproject.toml does not declare"


def test_tcpcore_layers_import_only_to_the_left() -> None:
    for path in sources("tcpcore"):
        module = ".".join(path.relative_to(PACKAGES["tcpcore"] / "src").with_suffix("").parts)
        own = layer_of(module)
        if own is None:
            continue  # the package's front door, and `testing`
        for name in imports(path):
            if name.startswith("tcpcore."):
                level = layer_of(name)
                if level is None:
                    level = len(LAYERS) - 1  # the front door, which stands above all but the driver
                assert level <= own, f"{path} imports {name}"


def test_the_four_procedures_of_a_connection_never_import_each_other() -> None:
    procedures = {"arrives", "calls", "timeouts", "output"}
    for name in procedures:
        path = PACKAGES["tcpcore"] / "src/tcpcore/conn" / f"{name}.py"
        used = {dotted.split(".")[2] for dotted in imports(path) if dotted.startswith("tcpcore.conn.")}
        assert not used & (procedures - {name}), path


def test_the_core_does_no_io_and_knows_no_clock() -> None:
    for path in sources("tcpcore"):
        if "driver" in path.parts:
            continue
        used = {name.split(".")[0] for name in imports(path)}
        assert not used & IMPURE, path
        assert not any(name.startswith("tcpcore.driver") for name in imports(path)), path


def test_the_core_never_uses_the_global_random_generator() -> None:
    for path in sources("tcpcore"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
                assert node.attr in ("Random", "SystemRandom"), f"{path}:{node.lineno}"
