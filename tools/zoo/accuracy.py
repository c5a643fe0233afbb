"""Measures a graph on labelled pictures, and two graphs against each other on the same ones."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from whatsit import preprocess
from whatsit.images import open_image

# ImageNet's custom; also the best Top-1 of all rules tried on two of the networks (README.md).
RULE = preprocess.Preprocess.parse("crop(0.875, bicubic)")
# Two-sided 95 %.
_Z = 1.959964


@dataclass(frozen=True)
class DataSet:
    """Pictures uint8 [n, h, w, 3] as a model takes them, and the class of each [n]."""

    name: str
    pictures: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class Accuracy:
    """How often the right class came first, or among the first five; shares with a Wilson 95 %
    interval.
    """

    n: int
    correct: int
    top1: float
    top1_interval: tuple[float, float]
    top5: float
    top5_interval: tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """A model against its float original, picture by picture."""

    lost: int  # right before, wrong now
    won: int
    ties: int  # pictures whose two best classes now score the same
    same_first: float
    top1_change_points: float
    mcnemar_p: float
    divergence: float


def load_data_set(folder: Path, size: int) -> DataSet:
    """The pictures of a folder that holds labels.csv with the columns file and class_index."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pictures = np.stack([prepare(folder / row["file"], size) for row in rows])
    return DataSet(folder.name, pictures, np.array([int(row["class_index"]) for row in rows]))


def prepare(path: Path, size: int) -> np.ndarray:
    """A picture as a model takes it [size, size, 3] uint8, by whatsit's own way."""
    return preprocess.run(RULE, open_image(path), (size, size))[0]


def probabilities(model: bytes, pictures: np.ndarray) -> np.ndarray:
    """What a graph answers [n, classes] to pictures [n, h, w, 3]."""
    interpreter = Interpreter(model_content=model, num_threads=2)
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    found = []
    for picture in pictures:
        interpreter.set_tensor(image, picture[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(answer)[0])
    return np.stack(found)


def measure(scores: np.ndarray, classes: np.ndarray) -> Accuracy:
    """Accuracy of scores [n, classes]; a class that ties with the right one counts as before it."""
    ranks = _ranks(scores, classes)
    n, first, five = len(classes), int((ranks == 1).sum()), int((ranks <= 5).sum())
    return Accuracy(n, first, first / n, wilson(first, n), five / n, wilson(five, n))


def _ranks(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The place of the right class [n], from 1. Of equal scores the lower index comes first."""
    own = scores[np.arange(len(classes)), classes][:, None]
    earlier = np.arange(scores.shape[1]) < classes[:, None]
    ranks: np.ndarray = 1 + ((scores > own) | ((scores == own) & earlier)).sum(1)
    return ranks


def _first_is_tied(scores: np.ndarray) -> np.ndarray:
    """Whether two classes share the highest score [n]: int8 logits have but 256 values."""
    top = np.sort(scores, axis=1)[:, -2:]
    tied: np.ndarray = top[:, 0] == top[:, 1]
    return tied


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    share, z2 = correct / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return middle - half, middle + half


def compare(before: np.ndarray, after: np.ndarray, classes: np.ndarray) -> Paired:
    """Scores [n, classes] of two models on the same pictures."""
    was, now = _ranks(before, classes) == 1, _ranks(after, classes) == 1
    lost, won = int((was & ~now).sum()), int((now & ~was).sum())
    return Paired(
        lost,
        won,
        int(_first_is_tied(after).sum()),
        float((before.argmax(1) == after.argmax(1)).mean()),
        100 * (won - lost) / len(classes),
        mcnemar(lost, won),
        divergence(before, after),
    )


def mcnemar(lost: int, won: int) -> float:
    """The exact two-sided p-value of a split, each changed picture being a fair coin."""
    total = lost + won
    tail = sum(math.comb(total, k) for k in range(min(lost, won) + 1)) / 2**total
    return float(min(1.0, 2 * tail))


def divergence(expected: np.ndarray, found: np.ndarray) -> float:
    """The mean Kullback-Leibler divergence of probabilities [n, classes] from the expected ones, in
    nats.
    """
    floor = 1e-9
    return float((expected * (np.log(expected + floor) - np.log(found + floor))).sum(1).mean())


def join(parts: Sequence[DataSet]) -> DataSet:
    """Several data sets as one."""
    return DataSet(
        "all",
        np.concatenate([part.pictures for part in parts]),
        np.concatenate([part.classes for part in parts]),
    )
