"""A module imports only lower levels: the house of DESIGN.md, held by its imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import whatsit

SOURCE = Path(__file__).parents[1] / "src" / "whatsit"

# Module or folder → level. Within a folder modules may import each other.
LEVELS = {
    "errors": 0,
    "_flatbuffer": 0,
    "results": 1,
    "labels": 1,
    "images": 1,
    "preprocess": 1,
    "machine": 1,
    "measures": 1,
    "storage": 1,
    "wording": 1,
    "overlapping": 1,
    "smoothing": 1,
    "_metadata": 1,
    "_taps": 2,
    "bundle": 2,
    "lettering": 2,
    "sources": 2,
    "datasets": 2,
    "calibration": 2,
    "_vectors": 2,
    "frames": 3,
    "events": 2,
    "splits": 3,
    "trust": 3,
    "annotate": 4,
    "evaluation": 3,
    "_journal": 4,
    "inputs": 3,
    "runtimes": 3,
    "zoo": 3,
    "graph": 3,
    "engines": 4,
    "streaming": 4,
    "scoring": 4,
    "classifier": 5,
    "embedding": 6,
    "explain": 6,
    "selftest": 6,
    "getting": 6,
    "opening": 7,
    "compare": 7,
    "benchmark": 7,
    "batch": 7,
    "evaluate": 8,
    "doctor": 8,
    "choice": 8,
    "checkup": 9,
    "train": 9,
    "quantizing": 9,
    "calibrating": 9,
    "device": 3,
    "choose": 10,
    "report": 10,
    "serve": 10,
    "cli": 11,
}
# The package itself holds only lazy names and the version, so everyone may import it; the table
# of its names points everywhere, for type checkers.
FREE = {"__init__", "__main__"}


def modules() -> dict[str, Path]:
    """Dotted name below the package → file."""
    files = sorted(SOURCE.rglob("*.py"))
    return {".".join(file.relative_to(SOURCE).with_suffix("").parts): file for file in files}


def home(module: str) -> str:
    return module.split(".")[0]


def imported(module: str, file: Path) -> set[str]:
    """Modules or folders of this package that `module` imports, anywhere in its text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= targets(node, module)
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {name[1] for name in names if name[0] == "whatsit" and len(name) > 1}
    return found


def targets(node: ast.ImportFrom, module: str) -> set[str]:
    path = (node.module or "").split(".") if node.module else []
    if node.level:
        package = module.split(".")[: -node.level]  # of a.b one dot is a, two dots the package
        path = package + path
    elif path and path[0] == "whatsit":
        path = path[1:]
    else:
        return set()
    if path:
        return {path[0]}
    # `from . import zoo`, or a public name such as `from .. import load`: its module.
    return {whatsit._HOMES.get(alias.name, alias.name) for alias in node.names}


@pytest.mark.parametrize("module", modules())
def test_every_module_has_a_level(module: str) -> None:
    assert home(module) in LEVELS.keys() | FREE


@pytest.mark.parametrize("module", [name for name in modules() if home(name) not in FREE])
def test_a_module_imports_only_lower_levels(module: str) -> None:
    own = home(module)
    others = imported(module, modules()[module]) - {own}
    higher = {name for name in others & LEVELS.keys() if LEVELS[name] >= LEVELS[own]}
    assert higher == set()


@pytest.mark.parametrize("module", [name for name in modules() if home(name) not in FREE])
def test_a_module_imports_from_the_package_only_modules_and_the_version(module: str) -> None:
    others = imported(module, modules()[module])
    assert others <= LEVELS.keys() | {"__version__"}


def test_every_level_is_lived_in() -> None:
    assert LEVELS.keys() == {home(module) for module in modules()} - FREE


def test_the_readme_tells_the_same_levels() -> None:
    readme = (SOURCE.parents[1] / "README.md").read_text(encoding="utf-8")
    told = re.findall(r"^  (\w+)(?:\.py|/) +(\d+)  ", readme, re.MULTILINE)
    assert {name: int(level) for name, level in told} == LEVELS


def test_the_check_sees_an_import_of_a_higher_level() -> None:
    assert seen("from .classifier import load", "bundle") == {"classifier"}
    assert seen("from . import zoo", "bundle") == {"zoo"}
    assert seen("from .. import load", "cli.classify") == {"classifier"}
    assert seen("from ..bundle import Bundle", "runtimes.litert") == {"bundle"}
    assert seen("from .base import Array", "runtimes.litert") == {"runtimes"}
    assert seen("from whatsit.bundle import Bundle", "labels") == {"bundle"}
    assert seen("from numpy import array", "labels") == set()


def seen(text: str, module: str) -> set[str]:
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.ImportFrom)
    return targets(node, module)
