"""That benchmarks/run.py runs and that its arithmetic is right. What it measures is not judged."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
needs_mediapipe = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None, reason="MediaPipe is not installed"
)


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("measuring")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@needs_mediapipe
def test_every_setting_gives_its_figures() -> None:
    done = run("--rounds", "1")
    assert done.returncode == 0, done.stderr
    table, last = done.stdout.rstrip("\n").rsplit("\n", 1)
    report = json.loads(last)
    settings = {figure["setting"] for figure in report["figures"]}
    assert settings == {"cold", "warm", "large", "smooth", "folder", "import", "answers"}
    assert report["machine"]["cores"] >= 1
    assert all(figure["what"] in table for figure in report["figures"])
    assert all(figure["value"] > 0 for figure in report["figures"])
    # Timings say nothing here; answers must agree on any machine.
    agreement = [figure["value"] for figure in report["figures"] if figure["setting"] == "answers"]
    assert agreement == [100.0, 100.0, 100.0]


@needs_mediapipe
def test_only_the_settings_asked_for() -> None:
    done = run("--rounds", "1", "--only", "import")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert [figure["setting"] for figure in report["figures"]] == ["import"]


@needs_mediapipe
def test_a_folder_without_photos_is_said(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "grey.jpg")
    done = run("--photos", str(tmp_path))
    assert done.returncode == 1
    assert "no colour JPEGs" in done.stderr
    assert "Traceback" not in done.stderr


def test_contenders_take_turns(measuring: ModuleType) -> None:
    calls: list[str] = []
    runs = {name: (lambda item, name=name: calls.append(name + item)) for name in "ABC"}
    taken = measuring.alternate(runs, ["1", "2"], rounds=2)
    warm_up, first, second = "C1 C2 A1 A2 B1 B2", "A1 A2 B1 B2 C1 C2", "B1 B2 C1 C2 A1 A2"
    assert calls == f"{warm_up} {first} {second}".split()
    assert {name: seconds.shape for name, seconds in taken.items()} == dict.fromkeys("ABC", (2, 2))


def test_ratios_are_taken_round_by_round(measuring: ModuleType) -> None:
    ours, theirs = np.array([[1.0, 1.0], [8.0, 8.0], [3.0, 3.0]]), np.array([[4.0], [4.0], [4.0]])
    row = measuring.compared("warm", "ours / theirs", (ours, theirs), limit=1.5)
    assert (row.value, row.met) == (1.5, True)  # of 0.5, 4 and 1.5
    assert row.quartiles == (1.0, 2.75)
    share = measuring.compared(
        "folder", "rate", (ours, theirs), percent=50, limit=90, at_most=False
    )
    assert (share.value, share.unit, share.met) == (75.0, "%", False)


def test_scattered_times_are_warned_of(measuring: ModuleType) -> None:
    report = measuring.Report()
    steady, wild = np.full((4, 1), 0.010), np.array([[0.01], [0.02], [0.03], [0.04]])
    report.times("warm", {"steady": steady, "wild": wild}, per=10)
    assert report.times_ms["warm"]["steady"]["median"] == 1.0
    assert [warning for warning in report.warnings if "steady" in warning] == []
    assert any("wild" in warning for warning in report.warnings)
