"""The contenders, each as a function from the path of a photo to its best classes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from PIL import Image

from whatsit import Bundle, Classifier
from whatsit.machine import cpu_count

TOP = 5
Contender = Callable[[Path], list[int]]
_HERE = Path(__file__).parent


def whatsit(classifier: Classifier) -> Contender:
    """The library as its README shows it."""
    return lambda photo: [p.index for p in classifier.classify(photo, top=TOP).predictions]


@contextlib.contextmanager
def mediapipe(model: Path) -> Iterator[Contender]:
    """MediaPipe Tasks, with its own default of threads."""
    import mediapipe as mp
    from mediapipe.tasks import python
    from mediapipe.tasks.python import vision

    base_options = python.BaseOptions(model_asset_path=str(model))
    options = vision.ImageClassifierOptions(base_options=base_options, max_results=TOP)
    with vision.ImageClassifier.create_from_options(options) as classifier:

        def classify(photo: Path) -> list[int]:
            result = classifier.classify(mp.Image.create_from_file(str(photo)))
            return [category.index for category in result.classifications[0].categories]

        yield classify


def ten_lines(model: Path) -> Contender:
    """The lines of ten_lines.py that a loop over photos repeats."""
    run = _interpreter(model, cpu_count())
    height, width = _input_size(model)

    def classify(photo: Path) -> list[int]:
        picture = Image.open(photo).convert("RGB").resize((width, height))
        return run(np.asarray(picture)[np.newaxis])  # (h, w, 3) → (1, h, w, 3)

    return classify


def bare(bundle: Bundle) -> Contender:
    """Nothing but Pillow and single-thread LiteRT: whatsit's decoding, crop, resizing and model.

    This is the work that cannot be left out; what whatsit takes beyond it is its own overhead.
    """
    assert bundle.path is not None
    assert bundle.preprocess.mode == "crop"
    run = _interpreter(bundle.path, 1)
    target = (bundle.input.height, bundle.input.width)
    resampling = Image.Resampling[bundle.preprocess.filter.upper()]

    def classify(photo: Path) -> list[int]:
        with Image.open(photo) as picture:
            factor = bundle.preprocess.shrink((picture.height, picture.width), target)
            if picture.format == "JPEG" and factor >= 2:
                picture.draft(None, (int(picture.width / factor), int(picture.height / factor)))
            box = _centred(picture.size, target, bundle.preprocess.fraction)
            resized = picture.resize((target[1], target[0]), resampling, box=box)
        return run(np.asarray(resized)[np.newaxis])  # (h, w, 3) → (1, h, w, 3)

    return classify


def commands(model: Path, labels: Path) -> dict[str, Callable[[Path], bytes]]:
    """Whole processes as a shell starts them, with their output going into a pipe."""
    program = Path(sysconfig.get_path("scripts")) / "whatsit"
    starts = {
        "whatsit": [str(program)],
        "ten lines": [sys.executable, str(_HERE / "ten_lines.py"), str(model), str(labels)],
        "mediapipe": [sys.executable, str(_HERE / "mediapipe_script.py"), str(model)],
    }
    return {name: _process(start) for name, start in starts.items()}


def _process(start: list[str]) -> Callable[[Path], bytes]:
    # What pip installs is compiled. A checkout is by the round that warms up, if it may be.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run(photo: Path) -> bytes:
        done = subprocess.run([*start, str(photo)], capture_output=True, env=environment)
        if done.returncode != 0:
            raise SystemExit(done.stderr.decode(errors="replace"))
        return done.stdout

    return run


def _interpreter(model: Path, threads: int) -> Callable[[NDArray[np.uint8]], list[int]]:
    """Runs a batch (1, h, w, 3) and gives the best classes."""
    interpreter: Any = Interpreter(os.fspath(model), num_threads=threads)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    scores = interpreter.get_output_details()[0]["index"]

    def run(batch: NDArray[np.uint8]) -> list[int]:
        interpreter.set_tensor(entry, batch)
        interpreter.invoke()
        return [int(i) for i in np.argsort(-interpreter.get_tensor(scores)[0])[:TOP]]

    return run


def _input_size(model: Path) -> tuple[int, int]:
    shape = Interpreter(os.fspath(model)).get_input_details()[0]["shape"]
    return int(shape[1]), int(shape[2])


def _centred(
    size: tuple[int, int], target: tuple[int, int], fraction: float
) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the centred part of `size` (w, h) for `target` (h, w)."""
    width, height = size
    scale = min(width / target[1], height / target[0]) * fraction
    margin_x, margin_y = (width - target[1] * scale) / 2, (height - target[0] * scale) / 2
    return margin_x, margin_y, width - margin_x, height - margin_y
