"""``requirements.toml`` is complete: every requirement has tests that exist, or a reason why there is none.

Those of RFC 9293 are the ids of its Appendix B. The companions' have no ids of their own: a row's name is the RFC and
its section, ``what`` says it in short, and ``same`` names the ids that RFC 9293 took over from RFC 1122.
"""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
TABLE: dict[str, dict[str, Any]] = tomllib.loads((HERE / "requirements.toml").read_text())
IDS = [f"{kind}-{number}" for kind, last in TABLE.pop("ids").items() for number in range(1, last + 1)]
COMPANIONS = {name: row for name, row in TABLE.items() if name.startswith("RFC")}
COMPANION_RFCS = {f"RFC{number}" for number in (1122, 5961, 6298, 7323)}
"""Of RFC 9293 itself; and those of loss recovery and congestion control."""
COMPANION_RFCS |= {f"RFC{number}" for number in (2018, 2883, 3042, 3168, 3522, 4015, 5681, 5682, 6582, 6675, 6928)}
COMPANION_RFCS |= {f"RFC{number}" for number in (6937, 7661, 8511, 8961, 8985, 9406, 9438)}
ROWS = sorted(TABLE)


@cache
def named_in(path: str) -> set[str]:
    tree = ast.parse((HERE / path).read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def exists(name: str) -> bool:
    path, _, function = name.partition("::")
    if path.endswith(".pkt"):
        return (HERE / path).is_file()
    return (HERE / path).is_file() and function in named_in(path)


def test_every_id_of_appendix_b_has_a_row_and_no_row_is_strange() -> None:
    assert set(TABLE) - set(COMPANIONS) == set(IDS)
    assert len(IDS) == 119


def test_every_companion_is_there() -> None:
    assert {name.split()[0] for name in COMPANIONS} == COMPANION_RFCS
    assert all(re.fullmatch(r"RFC\d+ [A\d][\d.]*[a-z]?", name) and row.get("what") for name, row in COMPANIONS.items())


@pytest.mark.parametrize("requirement", ROWS)
def test_row_names_tests_that_exist_or_a_reason(requirement: str) -> None:
    row = dict(TABLE[requirement])
    row.pop("what", None)
    assert list(row) in (["test"], ["why"], ["same"])
    assert all(row.values())
    assert [name for name in row.get("test", []) if not exists(name)] == []
    assert set(row.get("same", [])) <= set(IDS)
