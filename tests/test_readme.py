"""The examples of the READMEs run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_core_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "tcpcore/README.md").read_text()
    example = re.search(r"```python\n(import tcpcore\n.*?)```", text, re.DOTALL)
    assert example is not None
    exec(compile(example[1], "tcpcore/README.md", "exec"), {})
    assert capsys.readouterr().out == "ESTABLISHED\n"


def test_relative_links_lead_somewhere() -> None:
    for readme in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", readme.read_text()):
            assert (readme.parent / target).exists(), f"{readme}: {target}"
