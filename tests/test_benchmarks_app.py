"""That benchmarks/app.py runs and gives its figures. What it measures is not judged."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CHROMIUM

from whatsit.serve.site import is_built

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "app.py"
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or not is_built() or importlib.util.find_spec("playwright") is None,
    reason="needs chromium, playwright and `make web`",
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@needs_browser
def test_pictures_and_camera_give_their_figures() -> None:
    done = run(
        *("--only", "stills", "formats", "live", "--count", "2", "--seconds", "1"),
        *("--models", "efficientnet-lite0-int8"),
    )
    assert done.returncode == 0, done.stderr
    table, last = done.stdout.rstrip("\n").rsplit("\n", 1)
    report = json.loads(last)
    assert {figure["setting"] for figure in report["figures"]} == {"stills", "formats", "live"}
    assert all(figure["what"] in table for figure in report["figures"])
    assert "Chromium" in report["machine"]["browser"]
    same = [figure["value"] for figure in report["figures"] if "same Top-1" in figure["what"]]
    assert same == [100, 100]


def test_a_folder_without_photos_is_said(tmp_path: Path) -> None:
    done = run("--photos", str(tmp_path))
    assert done.returncode == 1
    assert "no colour JPEGs" in done.stderr
    assert "Traceback" not in done.stderr
