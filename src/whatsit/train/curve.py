"""The learning curve of a head: how right it is with a part of the pictures, and with more of them.

Heads of the strength that was chosen for all pictures are fitted to seeded parts of them, and what
they get wrong is followed to twice the pictures, no further.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..machine import cpu_count
from ..splits import folds, split
from ..wording import counted, percent
from .few import fit_few
from .foresight import foreseen
from .head import Classes, Floats, HeadFit, checked_classes, fit_head, one_thread

if TYPE_CHECKING:
    from .making import Lesson
    from .report import TrainingReport

# How many parts of each size are drawn: small ones cost little, and vary most.
DRAWS = {1 / 8: 4, 1 / 4: 4, 1 / 2: 3}
_FOLDS = 5
_ENOUGH_JUDGED = 300  # where nothing is held out: more folds would only take time
_OFF = 1.25  # times the size asked for: beyond it single pictures of small classes make up a part
_LEAST_POINTS = 3  # a law of three numbers
_TOO_WIDE = 0.15  # an interval of more points tells nothing
_HARDLY = 0.005  # a gain that no data set of common size could show


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The heads of one size: mean number of pictures, and the share right of each draw."""

    pictures: int
    draws: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """The mean of the draws."""
        return sum(self.draws) / len(self.draws)

    def to_json(self) -> dict[str, Any]:
        """Shares from 0 to 1."""
        return {
            "pictures": self.pictures,
            "accuracy": round(self.accuracy, 6),
            "draws": [round(share, 6) for share in self.draws],
        }


@dataclass(frozen=True, slots=True)
class Twice:
    """What so many pictures would give, on those that are judged here, within a 95 % interval."""

    pictures: int
    accuracy: float
    interval: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Shares from 0 to 1."""
        return {
            "pictures": self.pictures,
            "accuracy": round(self.accuracy, 6),
            "interval": [round(bound, 6) for bound in self.interval],
        }


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """How right heads of parts of the pictures are, the smallest first.

    `pictures` were there to learn from, and `judged` were asked: held-out ones, or with `crossed`
    those of the folds of a cross-validation, where the last point is of the other folds.
    `twice` is None where nothing can be said of more pictures; `verdict` says why in words.
    """

    points: tuple[CurvePoint, ...]
    pictures: int
    judged: int
    crossed: bool
    twice: Twice | None

    @property
    def verdict(self) -> str:
        """What more pictures would give, in a sentence."""
        if len(self.points) < _LEAST_POINTS:
            return "too few pictures of a class: no smaller parts of them can be compared"
        now = self.points[-1].accuracy
        if now == 1.0:
            return f"all {self.judged:,} are right already: they cannot show what more would give"
        if self.twice is None:
            return (
                f"{counted(self.judged, 'picture')} to judge by cannot tell what more pictures to "
                "learn from would give"
            )
        low, high = (f"{100 * bound:.1f}" for bound in self.twice.interval)
        about = f"{percent(self.twice.accuracy)} (between {low} and {high})"
        hardly = "hardly more: " * (self.twice.accuracy - now < _HARDLY)
        return (
            f"twice the pictures ({self.twice.pictures:,}) would give {hardly}about {about}; "
            f"{self.points[-1].pictures:,} give {percent(now)}"
        )

    def to_json(self) -> dict[str, Any]:
        """As in `whatsit train --json`."""
        return {
            "points": [point.to_json() for point in self.points],
            "pictures": self.pictures,
            "judged": self.judged,
            "cross_validation": self.crossed,
            "twice": None if self.twice is None else self.twice.to_json(),
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class _Asked:
    """Rows to learn from and what their heads are judged by."""

    rows: Classes
    vectors: Floats
    truth: Classes


def learning_curve(
    vectors: Floats,
    classes: Sequence[int] | Classes,
    fit: HeadFit,
    *,
    held: tuple[Floats, Sequence[int] | Classes] | None = None,
    groups: Sequence[int] | None = None,
    seed: int = 0,
    workers: int | None = None,
) -> LearningCurve:
    """The curve of `fit`, the head of embeddings (N, D) with these classes.

    Each part has the classes in the same shares, at least one picture of each, and no part of one
    of the `groups`. It is judged by `held`, embeddings and classes, or else by cross-validation.
    The same arguments give the same curve. Raises UsageError for what cannot be learned from.
    """
    truth = np.asarray(classes, np.int64)
    checked_classes(vectors, truth)
    if groups is not None and len(groups) != len(truth):
        raise UsageError(f"{len(groups)} groups for {len(truth)} rows", expected="one for each")
    asked = _asked(vectors, truth, held, groups, seed)
    if not asked:  # each class is one picture over and over: nothing to judge by
        return LearningCurve((), len(truth), 0, True, None)
    own = None if groups is None else np.asarray(groups, np.int64)
    total = sum(len(each.truth) for each in asked)

    def judged(share: float, turn: int, each: _Asked) -> tuple[int, int]:
        rows = _drawn(truth, own, each.rows, share, seed + turn)
        return len(rows), _hits(vectors[rows], truth[rows], each, fit)

    def whole(each: _Asked) -> int:
        if held is None:
            return _hits(vectors[each.rows], truth[each.rows], each, fit)
        return int((fit.logits(each.vectors).argmax(axis=1) == each.truth).sum())

    jobs = [
        (share, turn, each) for share in DRAWS for turn in range(DRAWS[share]) for each in asked
    ]
    with one_thread(), ThreadPoolExecutor(workers or cpu_count()) as pool:
        found = list(pool.map(lambda job: judged(*job), jobs))
        last = sum(pool.map(whole, asked))
    learned = sum(len(each.rows) for each in asked) / len(asked)
    points = _points(found, len(asked), learned, total)
    points.append(CurvePoint(round(learned), (last / total,)))
    twice = _twice(points, 2 * len(truth), total)
    return LearningCurve(tuple(points), len(truth), total, held is None, twice)


def _points(
    found: Sequence[tuple[int, int]], parts: int, learned: float, judged: int
) -> list[CurvePoint]:
    """The sizes, of (rows, hits) of each share, draw and part; without those that are far off."""
    left, points = iter(found), []
    for share, turns in DRAWS.items():
        drawn = [[next(left) for _ in range(parts)] for _ in range(turns)]
        size = sum(rows for each in drawn for rows, _ in each) / (turns * parts)
        if size <= _OFF * share * learned:
            shares = tuple(sum(hits for _, hits in each) / judged for each in drawn)
            points.append(CurvePoint(round(size), shares))
    return points


def with_curve(
    report: TrainingReport, lesson: Lesson, *, seed: int, workers: int | None
) -> TrainingReport:
    """The report with the curve of the head of `lesson`."""
    start = time.perf_counter()
    held = None
    if lesson.held is not None:
        held = lesson.held_vectors, lesson.held.classes
    curve = learning_curve(
        lesson.vectors,
        lesson.learned.classes,
        lesson.fit,
        held=held,
        groups=lesson.groups,
        seed=seed,
        workers=workers,
    )
    seconds = {**report.seconds, "curve": time.perf_counter() - start}
    return replace(report, curve=curve, seconds=seconds)


def _asked(
    vectors: Floats,
    truth: Classes,
    held: tuple[Floats, Sequence[int] | Classes] | None,
    groups: Sequence[int] | None,
    seed: int,
) -> list[_Asked]:
    """All rows and what is held out, or each fold's others and the fold."""
    if held is not None:
        asked, classes = held[0], np.asarray(held[1], np.int64)
        if asked.ndim != 2 or asked.shape[1:] != vectors.shape[1:] or len(asked) != len(classes):
            raise UsageError(
                f"held-out vectors {list(asked.shape)} and classes {list(classes.shape)}",
                expected=f"[pictures, {vectors.shape[1]}] and [pictures]",
            )
        if len(classes) == 0:
            raise UsageError("no held-out pictures", expected="some, or None to cross-validate")
        return [_Asked(np.arange(len(truth)), asked, classes)]
    labels = [str(index) for index in truth]
    parts = [part for part in folds(labels, groups, count=_FOLDS, seed=seed) if part]
    parts = parts[-math.ceil(_ENOUGH_JUDGED * _FOLDS / len(truth)) :]
    found = []
    for part in parts:
        rows = np.setdiff1d(np.arange(len(truth)), part)
        if len(np.unique(truth[rows])) > 1:
            found.append(_Asked(rows, vectors[list(part)], truth[list(part)]))
    return found


def _drawn(
    truth: Classes, groups: Classes | None, rows: Classes, share: float, seed: int
) -> Classes:
    """A part of `rows`."""
    labels = [str(index) for index in truth[rows]]
    own = None if groups is None else groups[rows].tolist()
    chosen = split(labels, own, fractions=(share, 0.0, 1 - share), seed=seed).train
    part: Classes = rows[list(chosen)]
    return part


def _hits(vectors: Floats, truth: Classes, asked: _Asked, fit: HeadFit) -> int:
    """How many a head like `fit`, but of these pictures, has right."""
    known, places = np.unique(truth, return_inverse=True)
    if len(known) < 2:
        return int((asked.truth == known[0]).sum())
    head = _FITTERS[fit.rule](vectors, places, fit.strength)
    return int((known[head.logits(asked.vectors).argmax(axis=1)] == asked.truth).sum())


def _logistic(vectors: Floats, truth: Classes, strength: float) -> HeadFit:
    return fit_head(vectors, truth, strengths=[strength], workers=1)


def _closed(vectors: Floats, truth: Classes, strength: float) -> HeadFit:
    return fit_few(vectors, truth, strengths=[strength])


_FITTERS: dict[str, Callable[[Floats, Classes, float], HeadFit]] = {
    "logistic": _logistic,
    "ridge": _closed,
    "means": _closed,
}


def _twice(points: Sequence[CurvePoint], pictures: int, judged: int) -> Twice | None:
    """What so many pictures would give, None where that cannot be said."""
    if len(points) < _LEAST_POINTS or points[-1].accuracy == 1.0:
        return None
    expected = foreseen([(point.pictures, point.draws) for point in points], pictures, judged)
    if expected.high - expected.low > _TOO_WIDE:
        return None
    return Twice(pictures, expected.middle, (expected.low, expected.high))
