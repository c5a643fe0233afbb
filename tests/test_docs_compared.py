"""The comparison with TensorFlow's example apps: each row is backed by a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "app-compared.md").read_text(encoding="utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | "))
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith(("| Theirs", "| The trap"))
]
NAMED = sorted(set(re.findall(r"`(test_\w+)(?:\.py)?::(test_\w+)`", TEXT)))


def test_there_is_a_row_for_every_point() -> None:
    """18 and 17 of Android, 13 of iOS, 3 of the Pi, 6 of the successors, 9 traps, and Play's."""
    assert len(ROWS) >= 18 + 17 + 13 + 3 + 6 + 9
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_row_says_what_holds_it(row: tuple[str, str, str]) -> None:
    held = row[2].removesuffix("|").strip()
    assert re.search(r"`test_\w+::test_\w+`", held) or re.match(r"none[:,] .{10}", held), held


@pytest.mark.parametrize(("module", "name"), NAMED, ids="::".join)
def test_a_named_test_exists(module: str, name: str) -> None:
    assert name in tests_of(module)


@cache
def tests_of(module: str) -> frozenset[str]:
    """The names of its test functions."""
    file = ROOT / "tests" / f"{module}.py"
    if not file.is_file():
        pytest.fail(f"there is no tests/{module}.py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
