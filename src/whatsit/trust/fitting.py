"""From answers to labelled pictures to what a bundle says of its own reliability."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..calibration import Calibration
from ..labels import Labels
from . import sets, tree
from .known import (
    FEW_CLASSES,
    Classes,
    Floats,
    Known,
    Prototypes,
    Rule,
    by_scores,
    logarithms,
    nearness_of_others,
)
from .values import MOST_KEPT, MOST_TEMPERATURE, TEMPERATURE_DIGITS, Trust, tempered

Array = NDArray[np.float64]

LEAST = 20  # pictures: of fewer, no share of 95 % can be told, and a half says nothing
LEAST_FOR_PROTOTYPES = 5  # pictures of each class: the mean of fewer is that of their backgrounds
# How far the logarithm of the temperature may lie from 0 before the pictures have spoken: it keeps
# a few right answers from making a model endlessly sure.
_PULL = 1.0
_STEPS = 30  # of bisection: to a billionth


@dataclass(frozen=True)
class Answers:
    """A model's own scores (N, C) for pictures whose class `truth` (N,) is known.

    The pictures are those that come, and had no part in making the model. `vectors` (N, D) are
    their embeddings, where the model has any. `coarse`: the scores have steps of 1/256, and most
    are 0, which says nothing of how unlikely a class is.
    """

    scores: Floats
    truth: Classes
    vectors: Floats | None = None
    coarse: bool = False

    def only(self, rows: NDArray[np.int64]) -> Answers:
        """Those of these pictures."""
        vectors = None if self.vectors is None else self.vectors[rows]
        return Answers(self.scores[rows], self.truth[rows], vectors, self.coarse)


def fitted(
    answers: Answers,
    labels: Labels,
    *,
    data_set: str,
    tensor: int | None,
    known: Known | None = None,
) -> Trust:
    """What the answers say of the model with these labels.

    `tensor` is that of the embedding, where there are vectors. `known`, where its prototypes were
    made from other pictures.
    """
    known = known or known_by(answers, len(labels), tensor).of(data_set)
    divisor = 1.0 if answers.coarse else temperature(answers.scores, answers.truth)
    divisor = round(divisor, TEMPERATURE_DIGITS)
    calibrated = tempered(answers.scores, divisor)
    misled = [
        tree.misled(labels, row, int(truth))
        for row, truth in zip(calibrated, answers.truth, strict=True)
    ]
    return Trust(
        data_set=data_set,
        pictures=len(answers.truth),
        temperature=divisor,
        places=sets.thinned(sets.places(calibrated, answers.truth), MOST_KEPT),
        misled=sets.thinned(np.array(misled), MOST_KEPT),
        known=known,
        error=(
            calibration(answers.scores, answers.truth).error,
            calibration(calibrated, answers.truth).error,
        ),
    )


def known_by(
    answers: Answers,
    count: int,
    tensor: int | None,
    prototypes: Prototypes | None = None,
    groups: Classes | None = None,
) -> Known:
    """How known the pictures look, by the best rule that there is for `count` classes.

    With `prototypes` of other pictures, by those; else by prototypes of these, each picture (and
    those of its group) left out in turn.
    """
    if answers.vectors is not None and tensor is not None:
        if prototypes is not None:
            return Known("prototypes", _kept(prototypes.nearness(answers.vectors)), prototypes)
        if np.bincount(answers.truth, minlength=count).min() >= LEAST_FOR_PROTOTYPES:
            return known_among(answers.vectors, answers.truth, count, tensor, groups)
    rule: Rule = "peak" if count >= FEW_CLASSES else "score"
    return Known(rule, _kept(by_scores(rule, answers.scores)))


def known_among(
    vectors: Floats, truth: Classes, count: int, tensor: int, groups: Classes | None = None
) -> Known:
    """By prototypes of these pictures, each (and those of its group) left out in turn."""
    near = nearness_of_others(vectors, truth, count, groups)
    made = Prototypes.of(vectors, truth, count, tensor=tensor)
    return Known("prototypes", _kept(near[np.isfinite(near)]), made)


def known_with(known: Known, vectors: Floats, tensor: int) -> Known | None:
    """The same and one class more, of these pictures, each left out in turn; their embedding is
    now this tensor. None without prototypes.
    """
    if known.prototypes is None:
        return None
    none = np.zeros(len(vectors), np.int64)
    own = Prototypes.of(vectors, none, 1, tensor=tensor)
    near = np.fmax(known.prototypes.nearness(vectors), nearness_of_others(vectors, none, 1))
    rows = np.concatenate([known.prototypes.rows, own.rows])
    scores = _kept(np.concatenate([known.scores, near]))
    return Known("prototypes", scores, Prototypes(rows, tensor))


def temperature(scores: Floats, truth: Classes) -> float:
    """What the logits of `scores` (N, C) are to be divided by: where the log loss is least.

    C. Guo et al., ICML 2017.
    """
    logits = logarithms(scores)
    own = logits[np.arange(len(truth)), truth]

    def slope(log_factor: float) -> float:
        """Of the log loss, by the logarithm of a factor of the logits; it is 0 at one place."""
        factor = math.exp(log_factor)
        shares = np.exp(factor * (logits - logits.max(axis=1, keepdims=True)))
        shares /= shares.sum(axis=1, keepdims=True)
        expected = np.einsum("nc,nc->n", shares, logits)
        return factor * float((expected - own).sum()) + log_factor / _PULL**2

    low, high = -math.log(MOST_TEMPERATURE), math.log(MOST_TEMPERATURE)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return math.exp(-(low + high) / 2)


def calibration(scores: Floats, truth: Classes) -> Calibration:
    """Of the best classes: do their scores mean what they say?"""
    best = scores.argmax(axis=1)
    sure = scores[np.arange(len(best)), best]
    return Calibration.of(sure.tolist(), (best == truth).tolist())


def _kept(values: Array) -> Array:
    """At most MOST_KEPT, rising, whose limits from below are nowhere higher than those of all."""
    return -sets.thinned(-values, MOST_KEPT)[::-1]
