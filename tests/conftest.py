"""What several tests share: the golden pictures, the program in-process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from whatsit import zoo
from whatsit.cli import main

CATS = {281, 282, 285}  # tabby, tiger cat, Egyptian cat
ESPRESSO = 967


@dataclass(frozen=True)
class Run:
    """What a call of the program gave."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def cat() -> Path:
    return zoo.GOLDEN / "cat.png"


@pytest.fixture(scope="session")
def coffee() -> Path:
    return zoo.GOLDEN / "coffee.png"


@pytest.fixture
def whatsit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Run]:
    """`whatsit("--json", path)` runs the program in this process, its streams captured."""

    def run(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["whatsit", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return Run(stop.value.code, out, err)

    return run
