"""That benchmarks/many.py runs, and that its outputs agree. What it measures is not judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MANY = Path(__file__).parents[1] / "benchmarks" / "many.py"


def test_the_settings_without_ray_give_their_figures() -> None:
    sizes = "--files 12 --most 24 --kills 1 --rounds 1 --model mobilenet-v2-int8"
    done = subprocess.run(
        [sys.executable, str(MANY), *sizes.split(), "--only", "rate", "kills"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert {figure["setting"] for figure in report["figures"]} == {"rate", "kills"}
    assert report["machine"]["cores"] >= 1
    same = [figure["value"] for figure in report["figures"] if "same" in figure["what"]]
    assert same == [100.0]
