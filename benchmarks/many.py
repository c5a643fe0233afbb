"""What `whatsit batch` costs: its rate against classify_many, its memory, kills, and Ray.

Prints a table and, last, one line of JSON. The settings are told in README.md in this folder.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measuring import (
    Report,
    Row,
    alternate,
    compared,
    load_warnings,
    neighbour_warnings,
    print_table,
)

import whatsit
from whatsit import machine, zoo
from whatsit.images import is_picture_name

_ROUNDS = 5
_FILES = 4000  # half a minute on two cores
_SMALL, _LARGE = 1000, 20_000  # whose memory is compared
_FEW = 256  # a block: its run is hardly more than starting and ending
_KILLS = 20
_MILLION = 1_000_000
# A process of its own, which says what it has held.
_BATCH = """
import sys
from whatsit import batch, machine
folder, out, model = sys.argv[1:]
batch([folder], out, model=model, cache=False)
print(machine.peak_memory_bytes())
"""


@dataclass(frozen=True)
class Setup:
    """What all settings share. `folder` is for the copies and for what is written."""

    photos: Sequence[Path]
    model: str
    folder: Path
    rounds: int
    files: int
    most: int
    kills: int

    def copies(self, count: int) -> Path:
        """A folder with so many files: the photos, again and again, each under a name of its own.

        One folder for each thousand, as people have them.
        """
        root = self.folder / f"photos-{count}"
        if root.is_dir():
            return root
        for number, photo in enumerate(itertools.islice(itertools.cycle(self.photos), count)):
            target = root / f"{number // 1000:03d}" / f"{number:06d}{photo.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photo, target)
        return root

    def out(self, name: str) -> str:
        return str(self.folder / f"{name}.jsonl")


def rate(setup: Setup, report: Report) -> None:
    """From the files to the whole output, against nothing but the answers in memory."""
    photos = setup.copies(setup.files)
    paths = sorted(photos.rglob("*.*"))
    with whatsit.load(setup.model) as classifier:
        runs: dict[str, Callable[[Path], object]] = {
            "batch": lambda folder: _batch(setup, folder),
            "classify_many": lambda _: sum(1 for _ in classifier.classify_many(paths)),
        }
        taken = alternate(runs, [photos], setup.rounds)
    report.times("rate", taken, per=setup.files)
    ours, many = taken["batch"], taken["classify_many"]
    a_second = setup.files / float(np.median(ours))
    hours = _MILLION / a_second / 3600 * machine.cpu_count()
    report.rows += [
        compared(
            "rate", "batch / classify_many", (many, ours), percent=100, limit=90, at_most=False
        ),
        Row("rate", "batch, pictures a second", a_second, ""),
        Row("rate", "batch, core hours for a million pictures", hours, "h"),
    ]


def memory(setup: Setup, report: Report) -> None:
    """The most that the process holds, for few files and for many."""
    peaks = []
    for count in (_SMALL, setup.most):
        found = _process(setup, setup.copies(count), setup.out("memory"))
        out, _ = found.communicate()
        peaks.append(int(out) / 2**20)
        report.rows.append(Row("memory", f"peak for {count:,} files", peaks[-1], "MB"))
    ratio = peaks[1] / peaks[0]
    report.rows.append(Row("memory", f"{setup.most:,} / {_SMALL:,} files", ratio, "×", 1.1))


def kills(setup: Setup, report: Report) -> None:
    """kill -9 at random moments; what is there in the end, against a run that nobody stopped."""
    photos, chance = setup.copies(setup.files), random.Random(0)
    start = time.perf_counter()
    _process(setup, photos, setup.out("whole")).communicate()
    whole_s = time.perf_counter() - start
    killed, ends = 0, []
    while killed < setup.kills:
        process = _process(setup, photos, setup.out("killed"))
        try:
            process.communicate(timeout=chance.uniform(0, whole_s))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
        else:
            ends.append(_content(setup, "killed"))
    _process(setup, photos, setup.out("killed")).communicate()
    ends.append(_content(setup, "killed"))
    same = 100 * float(np.mean([end == _content(setup, "whole") for end in ends]))
    report.rows += [
        Row("kills", "runs that were killed", killed, ""),
        Row("kills", "outputs that are the same to the byte", same, "%", 100, False),
    ]


def ray(setup: Setup, report: Report) -> None:
    """The engine `ray`, started on this machine for each run, against the local one."""
    few, many = setup.copies(_FEW), setup.copies(max(2 * _FEW, setup.files))
    runs: dict[str, Callable[[Path], object]] = {
        "local": lambda folder: _batch(setup, folder, out="local"),
        "ray": lambda folder: _batch(setup, folder, out="ray", engine="ray"),
    }
    taken = alternate(runs, [few, many], setup.rounds)  # seconds (rounds, 2)
    started = {name: taken[name][:, 1:] - taken[name][:, :1] for name in runs}
    more = max(2 * _FEW, setup.files) - _FEW
    report.times("ray", started, per=more)
    same = 100.0 * (_content(setup, "local") == _content(setup, "ray"))
    extra_s = float(np.median(taken["ray"][:, 0] - taken["local"][:, 0]))
    whole = (taken["ray"][:, 1:], taken["local"][:, 1:])
    report.rows += [
        compared("ray", f"whole run of {more + _FEW:,} files, Ray / local", whole),
        Row("ray", "start and end of Ray and its actors", extra_s, "s"),
        compared("ray", "rate once started", (started["local"], started["ray"]), percent=100),
        Row("ray", "outputs that are the same to the byte", same, "%", 100, False),
    ]


SETTINGS: dict[str, Callable[[Setup, Report], None]] = {
    "rate": rate,
    "memory": memory,
    "kills": kills,
    "ray": ray,
}


def _batch(setup: Setup, folder: Path, out: str = "out", engine: str = "local") -> object:
    return whatsit.batch(
        [folder], setup.out(out), model=setup.model, engine=engine, cache=False, restart=True
    )


def _content(setup: Setup, out: str) -> bytes:
    """sha256 of an output."""
    return hashlib.sha256(Path(setup.out(out)).read_bytes()).digest()


def _process(setup: Setup, folder: Path, out: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _BATCH, str(folder), out, setup.model]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, default=zoo.GOLDEN, help="a folder with pictures")
    parser.add_argument("--model", default=zoo.DEFAULT, help=f"default: {zoo.DEFAULT}")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"default: {_ROUNDS}")
    parser.add_argument("--files", type=int, default=_FILES, help=f"a run; default: {_FILES}")
    parser.add_argument("--most", type=int, default=_LARGE, help=f"for memory; default: {_LARGE}")
    parser.add_argument("--kills", type=int, default=_KILLS, help=f"default: {_KILLS}")
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    return parser.parse_args()


def _measured(names: Sequence[str], setup: Setup, report: Report) -> None:
    for name in names:
        neighbours = machine.Neighbours()
        SETTINGS[name](setup, report)
        if name != "ray":  # whose own processes would count as others
            report.warnings += neighbour_warnings(neighbours)


def main() -> None:
    """Runs the settings asked for. Exit status 0 whatever they show: noise is no failure."""
    arguments = _arguments()
    photos = sorted(p for p in arguments.photos.rglob("*") if is_picture_name(p))
    if not photos:
        sys.exit(f"no pictures below {os.fspath(arguments.photos)!r}")
    report = Report(warnings=load_warnings())
    with tempfile.TemporaryDirectory() as made:
        setup = Setup(
            photos,
            arguments.model,
            Path(made),
            max(1, arguments.rounds),
            max(1, arguments.files),
            max(1, arguments.most),
            max(0, arguments.kills),
        )
        _measured(arguments.only, setup, report)
    print(f"{setup.model}, {len(photos)} photos, {setup.files} files, {setup.rounds} rounds\n")
    print_table(report)
    figures = [{**vars(row), "met": row.met} for row in report.rows]
    facts = {"files": setup.files, "model": setup.model, "machine": machine.facts()}
    rest = {"times_ms": report.times_ms, "warnings": report.warnings}
    print(json.dumps({"figures": figures, **rest, **facts}))


if __name__ == "__main__":
    main()
