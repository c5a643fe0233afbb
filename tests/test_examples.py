"""Every example runs, and says what it should of a real photo."""

import subprocess
import sys
from pathlib import Path

import pytest

from whatsit import zoo

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


def test_every_example_is_tested() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    assert [p.name for p in EXAMPLES.glob("*.py") if f'"{p.name}"' not in tested] == []


def test_one_picture() -> None:
    lines = run("one_picture.py", str(zoo.GOLDEN / "coffee.png")).splitlines()
    assert len(lines) == 3
    assert "espresso" in lines[0]
    assert "n07920052" in lines[0]


def test_sort_into_folders(tmp_path: Path) -> None:
    run("sort_into_folders.py", str(zoo.GOLDEN), str(tmp_path))
    assert (tmp_path / "espresso" / "coffee.png").exists()
    assert sum(1 for path in tmp_path.rglob("*") if path.is_file()) == 6


@pytest.mark.parametrize(("picture", "kind"), [("cat.png", "cat"), ("coffee.png", "coffee")])
def test_what_kind_of_animal(picture: str, kind: str) -> None:
    assert kind in run("what_kind_of_animal.py", str(zoo.GOLDEN / picture))
