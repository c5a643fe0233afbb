"""The public names: what type checkers see is what Python finds."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import whatsit

SOURCE = Path(whatsit.__file__)


def type_checking_imports() -> dict[str, str]:
    """name → module, of the imports under `if TYPE_CHECKING`."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        (alias,) = node.names
        assert alias.asname == alias.name  # `X as X` makes it public
        found[alias.name] = str(node.module)
    return found


def test_the_table_agrees_with_the_imports() -> None:
    assert type_checking_imports() == whatsit._HOMES


@pytest.mark.parametrize("name", whatsit._HOMES)
def test_every_name_is_found(name: str) -> None:
    value = getattr(whatsit, name)
    assert value.__name__ == name
    assert value.__module__ == f"whatsit.{whatsit._HOMES[name]}"


def test_every_error_is_public() -> None:
    from whatsit import errors

    public = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert public <= whatsit._HOMES.keys()


def test_dir_lists_them() -> None:
    assert whatsit._HOMES.keys() <= set(dir(whatsit))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'whatsit' has no attribute 'clasify'"):
        whatsit.clasify  # noqa: B018


def test_modules_are_found_without_importing_them_by_name() -> None:
    """`import whatsit` and then whatsit.Labels, in a process that imported nothing else."""
    program = "import whatsit; print(whatsit.Labels.__name__, whatsit.__version__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().split() == ["Labels", whatsit.__version__]


def test_a_function_keeps_its_name_though_its_module_has_the_same() -> None:
    program = (
        "import whatsit.evaluate, whatsit.compare; from whatsit import evaluate, compare; "
        "print(callable(evaluate), callable(whatsit.compare), whatsit.evaluate is evaluate)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().split() == ["True"] * 3
