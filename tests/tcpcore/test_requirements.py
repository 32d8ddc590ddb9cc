"""``requirements.toml`` is complete: every id of RFC 9293's Appendix B, each with tests that exist or a reason."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
TABLE: dict[str, dict[str, Any]] = tomllib.loads((HERE / "requirements.toml").read_text())
IDS = [f"{kind}-{number}" for kind, last in TABLE.pop("ids").items() for number in range(1, last + 1)]


@cache
def named_in(path: str) -> set[str]:
    tree = ast.parse((HERE / path).read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def test_every_id_has_a_row_and_no_row_is_strange() -> None:
    assert set(TABLE) == set(IDS)
    assert len(IDS) == 119


@pytest.mark.parametrize("requirement", IDS)
def test_row_names_tests_that_exist_or_a_reason(requirement: str) -> None:
    row = TABLE[requirement]
    assert list(row) in (["test"], ["why"])
    assert row.get("why") or row.get("test")
    for name in row.get("test", []):
        path, _, function = name.partition("::")
        assert function in named_in(path), name
