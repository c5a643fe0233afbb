"""Compares whatsit with MediaPipe's classifier and with a ten-line script, on the same bundle.

One run, contenders in turns, on real photos. Prints a table and, last, one line of JSON. What the
settings are and how to read them: README.md in this folder.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import contenders
import numpy as np
import photos as pictures
from measuring import (
    Report,
    Row,
    alternate,
    compared,
    load_warnings,
    neighbour_warnings,
    print_json,
    print_table,
)

import whatsit
from whatsit import Classifier, images, machine, zoo

_ROUNDS = 20
_WARM_PHOTOS = 50  # a turn must be short, or the machine changes before the next one's
_LARGE_PHOTOS = 10  # a round, whose answers are compared: each takes a second or two
_FOLDER_PHOTOS = 15  # a round, at least; photos are repeated where there are fewer
_IMPORT = """
import time, numpy
start = time.perf_counter()
import whatsit
print(time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Setup:
    """What all settings share. `folder` is for files that are made on the way."""

    classifier: Classifier
    model: Path
    photos: Sequence[Path]
    folder: Path
    rounds: int
    workers: int


def cold(setup: Setup, report: Report) -> None:
    """A whole process, from the shell's point of view, for one photo."""
    labels = setup.folder / "labels.txt"
    labels.write_text("\n".join(setup.classifier.bundle.labels.names), encoding="utf-8")
    processes = contenders.commands(setup.model, labels)
    taken = alternate(processes, setup.photos[:1], setup.rounds)
    report.times("cold", taken)
    ours, script, judge = taken["whatsit"], taken["ten lines"], taken["mediapipe"]
    report.rows += [
        compared("cold", "whatsit / ten-line script", (ours, script), limit=1.4),
        compared("cold", "MediaPipe / whatsit", (judge, ours), limit=4, at_most=False),
    ]


def warm(setup: Setup, report: Report) -> None:
    """Photo after photo in one process, from path to Top-5."""
    taken = _in_process(setup, pictures.spread(setup.photos, _WARM_PHOTOS))
    report.times("warm", taken)
    report.rows += _against_both("warm", taken, limit=0.6)


def large(setup: Setup, report: Report) -> None:
    """A JPEG of 12 megapixels, and whether decoding less of it changes answers."""
    _one_large(setup, report, "large", pictures.GRAIN)
    chosen = pictures.spread(setup.photos, _LARGE_PHOTOS * setup.rounds)
    same = _agreement(_scaled_and_full(setup, chosen))
    what = f"Top-1 of scaled as of full decoding ({len(chosen)})"
    report.rows.append(Row("large", what, same, "%", 99, False))


def smooth(setup: Setup, report: Report) -> None:
    """The same JPEG without grain: half as many bytes, by which decoding takes its time."""
    _one_large(setup, report, "smooth", 0)


def folder(setup: Setup, report: Report) -> None:
    """Hundreds of photos: the rate, against the bound of workers / (bare time of one photo)."""
    repeats = -(-_FOLDER_PHOTOS * setup.rounds // len(setup.photos))
    photos = list(itertools.chain.from_iterable([setup.photos] * repeats))
    one, *others = (contenders.bare(setup.classifier.bundle) for _ in range(setup.workers + 1))
    many = setup.classifier.classify_many
    with contenders.mediapipe(setup.model) as judge:
        runs: dict[str, Callable[[Sequence[Path]], object]] = {
            "whatsit": lambda paths: list(many(paths, workers=setup.workers)),
            "bare": lambda paths: list(map(one, paths)),
            "bare in threads": lambda paths: _in_threads(others, paths),
            "mediapipe": lambda paths: list(map(judge, paths)),
        }
        taken = alternate(runs, [photos], -(-setup.rounds // 4))
    report.times("folder", taken, per=len(photos))
    ours, bare, share = taken["whatsit"], taken["bare"], 100 / setup.workers
    threads = (bare, taken["bare in threads"])
    report.rows += [
        compared("folder", "rate / bound", (bare, ours), percent=share, limit=90, at_most=False),
        compared("folder", "rate of bare code in threads / bound", threads, percent=share),
        compared("folder", "rate / MediaPipe's", (taken["mediapipe"], ours)),
    ]


def importing(setup: Setup, report: Report) -> None:
    """`import whatsit` in a process that has numpy."""
    command = [sys.executable, "-c", _IMPORT]
    seconds = [
        float(subprocess.run(command, capture_output=True, check=True).stdout)
        for _ in range(setup.rounds + 1)
    ][1:]  # the first warms up
    report.times("import", {"whatsit": np.array(seconds)[:, np.newaxis]})  # (rounds, 1)
    milliseconds = float(np.median(seconds)) * 1e3
    report.rows.append(Row("import", "import whatsit, beyond numpy", milliseconds, "ms", 15))


def answers(setup: Setup, report: Report) -> None:
    """That all contenders mean the same: Top-1, on every photo, when they cut and resize alike."""
    bundle, model = setup.classifier.bundle, setup.model
    as_mediapipe = contenders.whatsit(Classifier(bundle, preprocess="stretch"))
    as_script = contenders.whatsit(Classifier(bundle, preprocess="stretch(bicubic)"))
    own = contenders.whatsit(setup.classifier)
    with contenders.mediapipe(model) as judge:
        pairs = {
            "Top-1 as MediaPipe, both stretch": (as_mediapipe, judge),
            "Top-1 as the ten-line script, both stretch": (as_script, contenders.ten_lines(model)),
            "Top-1 as bare code, both by the bundle's rule": (own, contenders.bare(bundle)),
        }
        for what, (one, other) in pairs.items():
            same = _agreement((one(photo)[0], other(photo)[0]) for photo in setup.photos)
            report.rows.append(Row("answers", what, same, "%", 98, False))


SETTINGS: dict[str, Callable[[Setup, Report], None]] = {
    "cold": cold,
    "warm": warm,
    "large": large,
    "smooth": smooth,
    "folder": folder,
    "import": importing,
    "answers": answers,
}


def _in_process(setup: Setup, photos: Sequence[Path]) -> dict[str, np.ndarray]:
    with contenders.mediapipe(setup.model) as judge:
        runs = {
            "whatsit": contenders.whatsit(setup.classifier),
            "ten lines": contenders.ten_lines(setup.model),
            "mediapipe": judge,
        }
        return alternate(runs, photos, setup.rounds)


def _one_large(setup: Setup, report: Report, setting: str, grain: float) -> None:
    collage = pictures.collage(setup.photos, setup.folder / "collage.jpg", grain=grain)
    taken = _in_process(setup, [collage])
    report.times(setting, taken)
    report.rows += _against_both(setting, taken, limit=0.3)


def _against_both(setting: str, taken: dict[str, np.ndarray], limit: float) -> list[Row]:
    ours, script, judge = taken["whatsit"], taken["ten lines"], taken["mediapipe"]
    return [
        compared(setting, "whatsit / MediaPipe", (ours, judge), limit=limit),
        compared(setting, "whatsit / ten-line loop", (ours, script)),
    ]


def _scaled_and_full(setup: Setup, photos: Sequence[Path]) -> Iterable[tuple[int, int]]:
    """Our Top-1 of each photo enlarged to 12 megapixels, decoded as we like and in full."""
    for photo in photos:
        path = pictures.enlarged(photo, setup.folder / "large.jpg")
        scaled = setup.classifier.classify(path, top=1)
        full = setup.classifier.classify(images.open_image(path), top=1)
        yield scaled.predictions[0].index, full.predictions[0].index


def _in_threads(workers: Sequence[contenders.Contender], paths: Sequence[Path]) -> None:
    """Each worker takes its share in a thread of its own."""
    shares = [paths[i :: len(workers)] for i in range(len(workers))]
    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(lambda worker, share: list(map(worker, share)), workers, shares))


def _agreement(pairs: Iterable[tuple[int, int]]) -> float:
    """Percent of pairs that are equal."""
    return 100 * float(np.mean([one == other for one, other in pairs]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    cores = machine.cpu_count()
    parser.add_argument("--photos", type=Path, default=zoo.GOLDEN, help="a folder with JPEGs")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"default: {_ROUNDS}")
    parser.add_argument("--workers", type=int, default=cores, help="for folders; default: cores")
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    return parser.parse_args()


def main() -> None:
    """Runs the settings asked for. Exit status 0 whatever they show: noise is no failure."""
    arguments = _arguments()
    if importlib.util.find_spec("mediapipe") is None:
        sys.exit("MediaPipe is not installed: pip install mediapipe")
    photos = pictures.find(arguments.photos)
    if not photos:
        sys.exit(f"no colour JPEGs below {os.fspath(arguments.photos)!r}")
    report, neighbours = Report(warnings=load_warnings()), machine.Neighbours()
    rounds, workers = max(1, arguments.rounds), max(1, arguments.workers)
    with whatsit.load() as classifier, tempfile.TemporaryDirectory() as made:
        assert classifier.bundle.path is not None
        setup = Setup(classifier, classifier.bundle.path, photos, Path(made), rounds, workers)
        for name in arguments.only:
            SETTINGS[name](setup, report)
    report.warnings += neighbour_warnings(neighbours)
    print(f"{classifier.bundle.name}, {len(photos)} photos, {rounds} rounds, {workers} workers\n")
    print_table(report)
    print_json(report)


if __name__ == "__main__":
    main()
