"""Compiles the core with mypyc when ``TCPCORE_COMPILE=1`` is set; without it the wheel is pure Python, as ever.

The sources are the same, and go into the wheel too. Python stay ``testing``, ``status``, whose types programs look up,
the driver but for what ``HOT`` names, and what ``PURE`` names.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

REQUIREMENTS = ["mypy[mypyc]>=2.4,<3", "setuptools>=77"]
HOT = ("driver/engine", "driver/packetio", "driver/virtio")
"""What every packet meets of the driver; all else waits for something, and mypyc's coroutines do not suit trio."""
LAYERS = ("errors", "seqnum", "timing", "config", "wire", "conn", "stack", *HOT)
PURE = (
    "conn/observer.py",  # users' classes inherit from it, which those of Python cannot from a compiled one
    "stack/isn.py",  # tests replace it
)


class CompileHook(BuildHookInterface[Any]):
    """Puts an extension module beside each module of the core."""

    def dependencies(self) -> list[str]:
        """What only a compiled build needs."""
        return REQUIREMENTS if _is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and let the wheel's name tell for which Python and machine."""
        self._directory: str | None = None
        if not _is_wanted():
            return
        if version == "editable":
            self.app.display_warning("an editable install is not compiled: its sources are meant to change")
            return
        self._directory = tempfile.mkdtemp(prefix="tcpcore-build-")
        for module in _compile(Path(self.root, "src"), Path(self._directory)):
            build_data["force_include"][str(module)] = str(module.relative_to(Path(self._directory, "lib")))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """What was compiled is in the wheel now."""
        if self._directory is not None:
            shutil.rmtree(self._directory)


def _is_wanted() -> bool:
    return os.environ.get("TCPCORE_COMPILE", "0") not in ("", "0")


def _modules(package: Path) -> list[Path]:
    found = [path for layer in LAYERS for path in (package / f"{layer}.py", *package.glob(f"{layer}/**/*.py"))]
    return [path for path in found if path.is_file() and path.relative_to(package).as_posix() not in PURE]


def _compile(source: Path, directory: Path) -> list[Path]:
    """The extension modules, below ``directory/lib`` as they will be below site-packages."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    with contextlib.chdir(source):  # so that tracebacks name files from the package on
        extensions = mypycify(
            [
                "--config-file=",
                "--ignore-missing-imports",
                *(str(path.relative_to(source)) for path in _modules(source / "tcpcore")),
            ],
            group_name="tcpcore",
            target_dir=str(directory / "c"),
            opt_level="1",  # with 3 nothing is faster, and the build takes half as long again
            debug_level="0",
        )
        command = Distribution({"name": "tcpcore", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_temp, command.build_lib = str(directory / "temp"), str(directory / "lib")
        command.ensure_finalized()
        command.run()
    return sorted((directory / "lib").rglob("*.so")) + sorted((directory / "lib").rglob("*.pyd"))
