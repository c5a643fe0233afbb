"""What several tests share: the golden pictures, the program in-process."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from js import Js

from whatsit import zoo
from whatsit.cli import main

CATS = {281, 282, 285}  # tabby, tiger cat, Egyptian cat
ESPRESSO = 967
CHROMIUM = shutil.which("chromium")
QUIET = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever a page asked for could not be had
]

# A shell that starts us in the background has us ignore Ctrl-C, and so all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Run:
    """What a call of the program gave."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for this test alone, so that the person's own is never touched."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("WHATSIT_CACHE", str(folder))
    return folder


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


@pytest.fixture(scope="module")
def js() -> Iterator[Js]:
    """The app's JavaScript modules, run by Node."""
    with Js() as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, from which nothing but local addresses can be had."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False, args=QUIET
        )
        yield opened
        opened.close()
