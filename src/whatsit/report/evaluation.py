"""The report of an evaluation: rates, calibration, confusions, mistakes with their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..wording import counted
from . import confusion, reliability, text
from .page import render
from .pictures import MOST, Thumbnail, common_folder, thumbnail
from .whys import whys

if TYPE_CHECKING:
    from ..calibration import Calibration
    from ..evaluation import Answer, ClassScore, Evaluation
    from ..explain.explainer import Explainer

_PAIRS = 10  # each with up to three pictures
_PAIR_PICTURES = 3
_MISTAKES = MOST - _PAIRS * _PAIR_PICTURES
_MOST_ROWS = 1000  # of a table: a page of 20,000 classes would be no page
_MOST_FAILURES = 200
_OUTSIDE_BY_CHANCE = 1  # of 15 intervals of 95 %


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer with its picture."""

    picture: Thumbnail
    truth: str
    answer: str
    score: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two classes, the first taken for the second, with a few of the pictures."""

    truth: str
    answer: str
    count: int
    total: int
    pictures: tuple[Thumbnail, ...]


def page(evaluation: Evaluation, explainer: Explainer | None) -> str:
    """The whole page; with an explainer, a few of the mistakes stand under their maps."""
    return render("evaluation.html", {**context(evaluation), "whys": whys(evaluation, explainer)})


def context(
    evaluation: Evaluation,
    *,
    mistakes: int = _MISTAKES,
    taught: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """What answers.html and times.html show, with so many mistakes as pictures.

    `taught` is with how many pictures each class was learned, where that is known.
    """
    wrong = evaluation.mistakes()
    calibration = evaluation.calibration()
    classes = sorted(evaluation.per_class(), key=_weakness)
    return {
        "e": evaluation,
        "tops": [(k, evaluation.top(k)) for k in evaluation.ks],
        "speed": evaluation.speed(),
        "calibration": calibration,
        "calibrated": _calibrated(calibration),
        "reliability": reliability.plot(calibration) if evaluation.answers else None,
        "matrix": confusion.matrix(evaluation) if wrong else None,
        "confusion": confusion.plot(evaluation) if wrong else None,
        "classes": classes[:_MOST_ROWS],
        "class_count": len(classes),
        "taught": taught,
        "pairs": _pairs(evaluation, classes),
        "pair_count": len(evaluation.confusions()),
        "wrong": len(wrong),
        "mistakes": _mistakes(evaluation, wrong[:mistakes]),
        "failures": evaluation.failures[:_MOST_FAILURES],
        "root": common_folder(
            [*(a.path for a in evaluation.answers), *(f.path for f in evaluation.failures)]
        ),
        "measured": _measured(evaluation),
        "machine": text.machine_rows(evaluation.machine),
    }


def _calibrated(calibration: Calibration) -> str:
    """What the reliability diagram shows, in words, as far as chance lets anyone say it."""
    low, high = calibration.accuracy.interval
    outside = sum(
        not row.accuracy.interval[0] <= row.confidence <= row.accuracy.interval[1]
        for row in calibration.bins
        if row.count
    )
    by_chance = ""
    if calibration.confidence > high:
        verdict = "too sure of itself"
    elif calibration.confidence < low:
        verdict = "better than it thinks"
    elif outside > _OUTSIDE_BY_CHANCE:
        verdict = "on the whole as sure as it should be, but not at every score"
    else:
        verdict = "as sure as it should be, as far as these pictures can tell"
        by_chance = ", no more than chance may bring about"
    return (
        f"Mean score {text.percent(calibration.confidence)}, right "
        f"{text.percent(calibration.accuracy.value)}: {verdict}. Within the groups below the two "
        f"lie {text.percent(calibration.error)} apart on average (the expected calibration error)"
        f"{by_chance}."
    )


def _weakness(score: ClassScore) -> tuple[float, int, int]:
    """The least often right first; of those, the ones with most pictures to show it."""
    recall = score.recall.value if score.pictures else 2.0  # only answered: behind all others
    return recall, -score.pictures, score.index


def _pairs(evaluation: Evaluation, classes: Iterable[ClassScore]) -> list[Pair]:
    names = evaluation.labels.names
    confusions = evaluation.confusions()
    # A pair that was seen once is no pattern; the gallery has its picture.
    repeated = [pair for pair in confusions if pair.count > 1] or confusions
    totals = {score.index: score.pictures for score in classes}
    return [
        Pair(
            names[pair.truth],
            names[pair.answer],
            pair.count,
            totals[pair.truth],
            tuple(thumbnail(path, evaluation.root) for path in pair.paths[:_PAIR_PICTURES]),
        )
        for pair in repeated[:_PAIRS]
    ]


def _mistakes(evaluation: Evaluation, answers: Sequence[Answer]) -> list[Mistake]:
    names = evaluation.labels.names
    return [
        Mistake(
            thumbnail(answer.path, evaluation.root),
            names[answer.truth],
            names[answer.ranked[0][0]],
            answer.ranked[0][1],
        )
        for answer in answers
    ]


def _measured(e: Evaluation) -> list[tuple[str, str]]:
    """How it was measured, a row each."""
    wall = "interrupted and resumed" if e.wall_s is None else f"{e.wall_s:,.1f} s"
    if e.timed < len(e.answers):
        wall = f"not timed; {e.timed} of {counted(len(e.answers), 'picture')} were"
    rows = [
        ("model", e.model),
        ("file", f"{text.megabytes(e.model_bytes)}, sha256 {e.model_sha256}"),
        ("runtime", e.runtime),
        ("preprocessing", e.preprocess),
        ("data set", f"{e.dataset}, fingerprint {e.fingerprint}"),
        ("pictures at a time", f"{e.workers}, {counted(e.threads, 'thread')} each"),
        ("the whole run", wall),
        ("intervals", "Wilson's, 95 %"),
    ]
    return [(key, text.shown(value, 300)) for key, value in rows]
