"""That benchmarks/video.py runs and gives all its figures. What it measures is not judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "video.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory of another process")
def test_every_setting_gives_its_figures() -> None:
    done = run("--seconds", "2", "--rounds", "1", "--minutes", "0.03")
    assert done.returncode == 0, done.stderr
    table, last = done.stdout.rstrip("\n").rsplit("\n", 1)
    report = json.loads(last)
    assert {figure["setting"] for figure in report["figures"]} == {"index", "live", "memory"}
    assert all(figure["what"] in table for figure in report["figures"])
    assert report["machine"]["cores"] >= 1
    assert report["memory_mb"][0][1] > 10


def test_a_folder_without_photos_is_said(tmp_path: Path) -> None:
    done = run("--photos", str(tmp_path))
    assert done.returncode == 1
    assert "no colour JPEGs" in done.stderr
    assert "Traceback" not in done.stderr
