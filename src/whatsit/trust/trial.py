"""Does it hold? Calibrated on one half of the pictures, tried on the other, several times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..calibration import Calibration
from ..labels import Labels
from ..measures import Rate, binomial_interval
from . import sets, tree
from .fitting import Answers, fitted, known_by
from .known import Known
from .values import ACCEPTANCE, Trust, tempered

SPLITS = 10
COVERAGES = (0.8, 0.9, 0.95, 0.99)
LEAST = 20  # pictures: of fewer, a half says nothing


@dataclass(frozen=True)
class Level:
    """What became of one coverage. One rate for each split, of the pictures of its other half.

    `held`: sets that hold the truth. `within` counts the splits whose rate lies in the 95 %
    binomial interval of the coverage. `size` is the mean size of the sets, `single` the share of
    sets of one class. `right` are the answers in the tree that are right, at the mean `depth` of
    that of the classes `full_depth`; None without a tree.
    """

    coverage: float
    held: tuple[Rate, ...]
    within: int
    size: float
    single: float
    right: tuple[Rate, ...] | None
    depth: float
    full_depth: float

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        found: dict[str, Any] = {
            "coverage": self.coverage,
            "held": pooled(self.held).to_json(),
            "held_by_split": [round(rate.value, 6) for rate in self.held],
            "within": self.within,
            "size": round(self.size, 4),
            "single": round(self.single, 6),
        }
        if self.right is not None:
            found["tree"] = {
                "right": pooled(self.right).to_json(),
                "right_by_split": [round(rate.value, 6) for rate in self.right],
                "depth": round(self.depth, 4),
                "full_depth": round(self.full_depth, 4),
            }
        return found


@dataclass(frozen=True)
class Trial:
    """What `splits` tries gave; `before` and `after` are of all answers of the other halves."""

    pictures: int
    splits: int
    before: Calibration
    after: Calibration
    levels: tuple[Level, ...]
    accepted: Rate

    def to_json(self) -> dict[str, Any]:
        """For --json: shares from 0 to 1."""
        return {
            "pictures": self.pictures,
            "splits": self.splits,
            "error": {"before": round(self.before.error, 6), "after": round(self.after.error, 6)},
            "levels": [level.to_json() for level in self.levels],
            "acceptance": ACCEPTANCE,
            "accepted": self.accepted.to_json(),
        }


@dataclass(frozen=True)
class _Half:
    """Calibrated on one half: the other half's scores as they were and as they are."""

    trust: Trust
    answers: Answers
    scores: sets.Floats


def tried(
    answers: Answers,
    labels: Labels,
    *,
    tensor: int | None,
    known: Known | None = None,
    seed: int = 0,
) -> Trial | None:
    """The trial of a calibration with these answers; None where they are too few to halve.

    `known` where its prototypes were made from other pictures.
    """
    count = len(answers.truth)
    if count < LEAST:
        return None
    halves = [
        _half(answers, labels, tensor, known, np.random.default_rng([seed, split]))
        for split in range(SPLITS)
    ]
    return Trial(
        pictures=count,
        splits=SPLITS,
        before=_joined([(half.answers.scores, half.answers.truth) for half in halves]),
        after=_joined([(half.scores, half.answers.truth) for half in halves]),
        levels=tuple(_level(halves, labels, coverage) for coverage in COVERAGES),
        accepted=pooled([_accepted(half) for half in halves]),
    )


def pooled(rates: tuple[Rate, ...] | list[Rate]) -> Rate:
    """All of them together."""
    return Rate(sum(rate.hits for rate in rates), sum(rate.total for rate in rates))


def _half(
    answers: Answers,
    labels: Labels,
    tensor: int | None,
    known: Known | None,
    chance: np.random.Generator,
) -> _Half:
    order = chance.permutation(len(answers.truth))
    middle = len(order) // 2
    learned, asked = answers.only(order[:middle]), answers.only(order[middle:])
    if known is not None:
        known = known_by(learned, len(labels), tensor, known.prototypes)
    trust = fitted(learned, labels, data_set="", tensor=tensor, known=known)
    return _Half(trust, asked, tempered(asked.scores, trust.temperature))


def _level(halves: list[_Half], labels: Labels, coverage: float) -> Level:
    held, sizes = [], []
    right: list[Rate] = []
    depths: list[tuple[int, int]] = []
    for half in halves:
        limit = sets.limit(half.trust.places, coverage)
        inside = sets.places(half.scores, half.answers.truth) <= limit
        held.append(Rate(int(inside.sum()), len(inside)))
        ordered = -np.sort(-half.scores, axis=1)
        sizes += [sets.size(row, limit) for row in ordered]
        if labels.parents:
            rate, deep = _in_tree(half, labels, coverage)
            right.append(rate)
            depths += deep
    low, high = binomial_interval(held[0].total, coverage)
    middle = np.array(depths or [(0, 0)]).mean(axis=0)
    return Level(
        coverage=coverage,
        held=tuple(held),
        within=sum(low <= rate.hits <= high for rate in held),
        size=float(np.mean(sizes)),
        single=float(np.mean(np.array(sizes) == 1)),
        right=tuple(right) if labels.parents else None,
        depth=float(middle[0]),
        full_depth=float(middle[1]),
    )


def _in_tree(half: _Half, labels: Labels, coverage: float) -> tuple[Rate, list[tuple[int, int]]]:
    """How many answers in the tree are right, and their depths beside those of the best classes."""
    judge = half.trust.at(labels, coverage, ACCEPTANCE)
    right, depths = 0, []
    for scores, truth in zip(half.scores, half.answers.truth, strict=True):
        steps = tree.way_up(labels, scores)
        step = tree.deepest(steps, judge.tree_limit)
        assert step is not None  # there is a tree
        right += tree.rights(labels, [step], int(truth))[0]
        depths.append((step.depth, steps[0].depth))
    return Rate(right, len(depths)), depths


def _accepted(half: _Half) -> Rate:
    known = half.trust.known
    near = known.all(half.answers.scores, half.answers.vectors)
    return Rate(int((near >= known.limit(ACCEPTANCE)).sum()), len(near))


def _joined(parts: list[tuple[sets.Floats, sets.Classes]]) -> Calibration:
    best = [scores.argmax(axis=1) for scores, _ in parts]
    sure = np.concatenate([scores.max(axis=1) for scores, _ in parts])
    right = np.concatenate([row == truth for row, (_, truth) in zip(best, parts, strict=True)])
    return Calibration.of(sure.tolist(), right.tolist())
