"""The comparison with TensorFlow's example apps: each row is backed by a test that exists."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

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
    assert name in functions_of(module)


def test_the_app_can_be_installed() -> None:
    """A manifest with all that browsers ask for, whose icons have the sizes that it says."""
    web = ROOT / "src" / "whatsit" / "serve" / "web"
    assert 'rel="manifest" href="manifest.webmanifest"' in (web / "index.html").read_text("utf-8")
    manifest = json.loads((web / "manifest.webmanifest").read_text("utf-8"))
    assert manifest["name"]
    assert manifest["display"] == "standalone"
    assert manifest["start_url"] == manifest["scope"] == "./"
    sizes = set()
    for icon in manifest["icons"]:
        if icon["type"] == "image/png":
            with Image.open(web / icon["src"]) as opened:
                assert icon["sizes"] == f"{opened.width}x{opened.height}"
            sizes.add((icon["sizes"], icon["purpose"]))
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= sizes


@cache
def functions_of(module: str) -> frozenset[str]:
    """The names of its test functions."""
    file = ROOT / "tests" / f"{module}.py"
    if not file.is_file():
        pytest.fail(f"there is no tests/{module}.py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
