"""How far the answers of a taught bundle can be trusted, by pictures that it did not learn.

Those that were held out to measure with take no part in it: they say whether it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..classifier import default_runtime
from ..graph.head import find_head
from ..measures import Rate
from ..trust import ACCEPTANCE, COVERAGE, Trust, sets, tempered, trust_of
from ..trust.fitting import Answers, calibration, fitted, known_among, known_by, known_with
from ..trust.known import Known, Prototypes
from .head import Classes, Floats, Outcome, one_thread
from .measuring import tail_scores
from .memory import even

if TYPE_CHECKING:
    from .making import Lesson

LEAST = 20  # pictures: of fewer, no share of 95 % can be told
_MOST_SEEN = 10_000  # pictures for the middle of each class: more say the same again


@dataclass(frozen=True, slots=True)
class TrustCheck:
    """What became of the calibration on the held-out pictures.

    `held` are the sets that hold the truth, where a share `coverage` should, of `size` classes each
    on average. `accepted` are not called unknown, where a share `acceptance` should. `error` is the
    expected calibration error before and after.
    """

    coverage: float
    held: Rate
    size: float
    acceptance: float
    accepted: Rate
    error: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """For --json: shares from 0 to 1."""
        return {
            "coverage": self.coverage,
            "held": self.held.to_json(),
            "size": round(self.size, 4),
            "acceptance": self.acceptance,
            "accepted": self.accepted.to_json(),
            "error": {"before": round(self.error[0], 6), "after": round(self.error[1], 6)},
        }


def of_layer(lesson: Lesson, bundle: Bundle) -> Trust | None:
    """By what pictures were given by layers fitted to others, None for too few of them.

    `bundle` has the layer of the lesson.
    """
    outcome = lesson.fit.outcome
    if outcome is None or len(outcome.truth) < LEAST:
        return None
    name, tensor = lesson.learned.dataset.name, find_head(bundle).embedding
    with one_thread():
        if lesson.memory is None:
            known: Known | None = _known(lesson, tensor)
        else:
            before = trust_of(lesson.parent)
            known = None if before is None else known_with(before.known, lesson.vectors, tensor)
            name = f"{lesson.learned.names[-1]} and what {lesson.parent.name} remembered"
        return fitted(
            Answers(_softmax(outcome), outcome.truth),
            bundle.labels,
            data_set=f"{name}, each held out in turn",
            tensor=tensor,
            known=known,
        )


def of_network(
    lesson: Lesson,
    bundle: Bundle,
    vectors: Floats,
    classes: Classes,
    judged: NDArray[np.bool_],
) -> Trust | None:
    """By the pictures that are `judged` (N,), and not learned; None for too few of them.

    `vectors` (N, D) are the embeddings that the bundle itself makes of pictures of `classes` (N,).
    """
    if judged.sum() < LEAST:
        return None
    count, tensor = len(bundle.labels), find_head(bundle).embedding
    scores = tail_scores(bundle, vectors[judged], default_runtime(lesson.parent))
    answers = Answers(scores, classes[judged], vectors[judged])
    with one_thread():
        middles = Prototypes.of(vectors[~judged], classes[~judged], count, tensor=tensor)
        return fitted(
            answers,
            bundle.labels,
            data_set=f"{lesson.learned.dataset.name}, held out of the training",
            tensor=tensor,
            known=known_by(answers, count, tensor, middles),
        )


def checked(
    bundle: Bundle, vectors: Floats | None, truth: Classes, runtime: str
) -> TrustCheck | None:
    """How its calibration does on held-out pictures (N,) whose embeddings are `vectors` (N, D).

    None for a bundle without one, or if they are not known.
    """
    trust = trust_of(bundle)
    if trust is None or vectors is None or not len(vectors):
        return None
    scores = tail_scores(bundle, vectors, runtime)
    calibrated = tempered(scores, trust.temperature)
    judge = trust.at(bundle.labels, COVERAGE, ACCEPTANCE)
    inside = sets.places(calibrated, truth) <= judge.set_limit
    sizes = [sets.size(row, judge.set_limit) for row in -np.sort(-calibrated, axis=1)]
    near = trust.known.all(scores, vectors)
    return TrustCheck(
        coverage=COVERAGE,
        held=Rate(int(inside.sum()), len(inside)),
        size=float(np.mean(sizes)),
        acceptance=ACCEPTANCE,
        accepted=Rate(int((near >= judge.known_limit).sum()), len(near)),
        error=(calibration(scores, truth).error, calibration(calibrated, truth).error),
    )


def _known(lesson: Lesson, tensor: int) -> Known:
    """By all that was learned from: the backbone, which makes the embeddings, was not fitted."""
    classes = np.asarray(lesson.learned.classes, np.int64)
    rows = even(classes, _MOST_SEEN)
    groups = np.asarray(lesson.groups, np.int64)[rows] if lesson.groups else None
    return known_among(
        lesson.vectors[rows], classes[rows], len(lesson.learned.names), tensor, groups
    )


def _softmax(outcome: Outcome) -> Floats:
    wide: NDArray[np.float64] = outcome.logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    found: Floats = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return found
