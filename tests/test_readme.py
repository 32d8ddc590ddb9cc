"""The examples of the READMEs run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "tcpcore/docs").glob("*.md"))


def test_the_core_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "tcpcore/README.md").read_text()
    example = re.search(r"```python\n(import tcpcore\n.*?)```", text, re.DOTALL)
    assert example is not None
    exec(compile(example[1], "tcpcore/README.md", "exec"), {})
    assert capsys.readouterr().out == "ESTABLISHED\n"


def test_relative_links_lead_somewhere() -> None:
    for readme in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/README.md"), *DOCS]:
        for target in re.findall(r"\]\(([^)#:]+)\)", readme.read_text()):
            assert (readme.parent / target).exists(), f"{readme}: {target}"


def test_modules_tests_and_folders_that_the_docs_name_exist() -> None:
    places = [ROOT, ROOT / "tcpcore/src/tcpcore", ROOT / "tests/tcpcore", ROOT / "tests/tcpcore/scripts"]
    for doc in DOCS:
        for name in re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?|\w+\.py)`", doc.read_text()):
            found = any((place / name).exists() for place in places) or any(places[1].rglob(name))
            assert found, f"{doc.name}: {name}"


def test_every_folder_of_packet_scripts_is_described() -> None:
    described = (ROOT / "tcpcore/docs/scripts.md").read_text()
    folders = {path.name for path in (ROOT / "tests/tcpcore/scripts").iterdir()}
    assert {name for name in folders if f"`{name}/`" not in described} == set()
