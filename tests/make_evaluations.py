"""Evaluations and data sets that tests make up: answers by hand, pictures by brightness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import make_models
import numpy as np
from PIL import Image

from whatsit import Bundle, Labels
from whatsit.evaluation import Answer, Evaluation, Failure

GREY = 192  # classes of the model: as many as it has inputs; the fake runtime picks by brightness


def answer(
    path: str, truth: int, best: int, score: float = 0.9, *, classes: int = 3, ms: float = 1.0
) -> Answer:
    """An answer of `best` at `score`; the other classes follow by index and share the rest."""
    others = [i for i in range(classes) if i != best]
    ranked = ((best, score), *((i, (1 - score) / len(others)) for i in others))
    return Answer(path, truth, ranked, {"decode": ms, "preprocess": ms, "inference": 2 * ms})


def evaluation(
    answers: Sequence[Answer],
    *,
    names: Sequence[str] = ("ant", "bee", "cat"),
    model: str = "made",
    failures: Sequence[Failure] = (),
    preprocess: str = "stretch(bilinear)",
    wall_s: float | None = 2.0,
) -> Evaluation:
    """An evaluation with these answers."""
    return Evaluation(
        model=model,
        model_sha256="0" * 64,
        model_bytes=1000,
        runtime="fake",
        preprocess=preprocess,
        dataset="set",
        fingerprint="f" * 64,
        labels=Labels(tuple(names)),
        answers=tuple(answers),
        failures=tuple(failures),
        notes=(),
        machine={"cpu": "one"},
        wall_s=wall_s,
        workers=2,
        threads=1,
    )


def grey_model() -> Bundle:
    """A model of 192 classes c0, c1, … for the fake runtime."""
    return Bundle.from_bytes(make_models.bundle(make_models.pixels(8, 8), GREY), "grey")


def grey(level: int) -> Image.Image:
    """A picture that the fake runtime takes for class `grey_class(level)`."""
    return Image.fromarray(np.full((8, 8, 3), level, np.uint8))


def grey_class(level: int) -> int:
    """The class that the fake runtime gives a picture of this brightness."""
    return min(GREY - 1, int(level / 255 * GREY))


def grey_set(folder: Path, levels: Sequence[int], *, wrong_every: int = 5) -> list[bool]:
    """Pictures in folders by class, every `wrong_every`-th in a wrong one; which are right."""
    right = []
    for number, level in enumerate(levels):
        is_right = number % wrong_every != 0
        truth = grey_class(level) if is_right else (grey_class(level) + 1) % GREY
        path = folder / f"c{truth}" / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey(level).save(path)
        right.append(is_right)
    return right
