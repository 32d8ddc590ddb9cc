"""Child processes that talk in lines of JSON."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Self

ROOT: Final = Path(__file__).parents[3]
PATIENCE: Final = 60.0
"""Seconds beyond what its task takes in which a child answers."""


class ChildFailedError(Exception):
    """A child failed; the text is one line."""


class Child:
    """A process of ``module`` with ``task`` for the length of a ``with`` block; it is killed in the end.

    It has a session of its own, so that Ctrl-C comes to its parent only.
    """

    def __init__(self, module: str, task: dict[str, Any], patience: float = 0.0) -> None:
        """``patience``: seconds that an answer may take beyond ``PATIENCE``."""
        self.name = module.rpartition(".")[2]
        self._patience = PATIENCE + patience
        self._errors = os.memfd_create("errors")  # no pipe, which nobody would empty
        self._pending = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(task)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        os.close(self._errors)

    def tell(self, **message: Any) -> None:
        """Send a line. Raises ``ChildFailedError``."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise self._failure() from None

    def hear(self, beside: Child | None = None) -> dict[str, Any]:
        """The next line. Raises ``ChildFailedError``: there is none, or ``beside``, a silent child, has failed."""
        while b"\n" not in self._pending:
            watched = [self._output] if beside is None else [self._output, beside._output]
            readable, _, _ = select.select(watched, [], [], self._patience)
            if not readable:
                raise ChildFailedError(f"{self.name}: no answer for {self._patience:.0f} s")
            if beside is not None and beside._output in readable:
                raise beside._failure()
            self._read()
        line, _, self._pending = self._pending.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a line, and the answer."""
        self.tell(**message)
        return self.hear()

    @property
    def _output(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _read(self) -> None:
        data = os.read(self._output, 1 << 16)
        if not data:
            raise self._failure()
        self._pending += data

    def _failure(self) -> ChildFailedError:
        """The last thing that it wrote to standard error."""
        status = self._process.wait()
        lines = os.pread(self._errors, 1 << 20, 0).decode(errors="replace").split("\n")
        said = [text for line in lines if (text := line.strip(" |+-"))]
        return ChildFailedError(f"{self.name}: {said[-1] if said else f'it ended with status {status}'}")
