"""Does it hold? Calibrated on one half of the pictures, tried on the other, several times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..calibration import Calibration
from ..labels import Labels
from ..measures import Rate, binomial_interval
from ..results import ACCEPTANCE
from . import sets, tree
from .fitting import Answers, fitted, known_by
from .known import Known
from .values import Trust, tempered

SPLITS = 10
_DRAWS = 30  # of what chance alone makes of the calibration error
COVERAGES = (0.8, 0.9, 0.95, 0.99)

_Best = tuple[sets.Floats, NDArray[np.bool_]]  # (M,) each


@dataclass(frozen=True)
class Level:
    """What became of one coverage. One rate for each split, of the pictures of its other half.

    `held`: sets that hold the truth. `within` counts the splits whose rate lies in the 95 %
    binomial interval of the coverage. `size` is the mean size of the sets, `single` the share of
    sets of one class, and `sure` how many of these hold the truth. `right` are the answers in the
    tree that are right, at the mean `depth` of that of the classes `full_depth`; None without a
    tree.
    """

    coverage: float
    held: tuple[Rate, ...]
    within: int
    size: float
    single: float
    sure: Rate
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
            "sure": self.sure.to_json(),
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
    """What `splits` tries gave; `before` and `after` are of all answers of the other halves.

    `chance` is the calibration error that so few pictures give where every score is right.
    """

    pictures: int
    splits: int
    before: Calibration
    after: Calibration
    chance: float
    levels: tuple[Level, ...]
    accepted: Rate

    def to_json(self) -> dict[str, Any]:
        """For --json: shares from 0 to 1."""
        return {
            "pictures": self.pictures,
            "splits": self.splits,
            "error": {
                "before": round(self.before.error, 6),
                "after": round(self.after.error, 6),
                "chance": round(self.chance, 6),
            },
            "levels": [level.to_json() for level in self.levels],
            "acceptance": ACCEPTANCE,
            "accepted": self.accepted.to_json(),
        }


@dataclass(frozen=True)
class _Try:
    """One coverage on one half: what of it goes into a Level. `sizes` (M,) are those of the sets.

    `depths` (M, 2) are those of the answers in the tree and of the classes, if there is a tree.
    """

    held: Rate
    sure: Rate
    sizes: sets.Classes
    right: Rate | None
    depths: sets.Classes


@dataclass(frozen=True)
class _Half:
    """Calibrated on one half, and tried at all coverages on the pictures `rows` (M,) of the other.

    `before` and `after` are the scores of the best classes, and whether these are right.
    """

    rows: sets.Classes
    before: _Best
    after: _Best
    tries: tuple[_Try, ...]
    accepted: Rate


def tried(
    answers: Answers,
    labels: Labels,
    *,
    tensor: int | None,
    known: Known | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Trial:
    """The trial of a calibration with these answers, at least fitting.LEAST.

    `known` where its prototypes were made from other pictures. `progress(done, total)` is called
    on the way.
    """
    count = len(answers.truth)
    halves = []
    for split in range(SPLITS):
        if progress is not None:
            progress(split, SPLITS)
        chance = np.random.default_rng([seed, split])
        halves.append(_half(answers, labels, tensor, known, chance))
    return Trial(
        pictures=count,
        splits=SPLITS,
        before=_joined([half.before for half in halves]),
        after=_joined([half.after for half in halves]),
        chance=_by_chance(halves, count, np.random.default_rng([seed, SPLITS])),
        levels=tuple(
            _level(coverage, [half.tries[place] for half in halves])
            for place, coverage in enumerate(COVERAGES)
        ),
        accepted=pooled([half.accepted for half in halves]),
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
    scores = tempered(asked.scores, trust.temperature)
    return _Half(
        rows=order[middle:],
        before=_best(asked.scores, asked.truth),
        after=_best(scores, asked.truth),
        tries=_tries(trust, labels, scores, asked.truth),
        accepted=_accepted(trust.known, asked),
    )


def _tries(
    trust: Trust, labels: Labels, scores: sets.Floats, truth: sets.Classes
) -> tuple[_Try, ...]:
    """Calibrated scores (M, C) of pictures of these classes (M,), at each of COVERAGES."""
    places, ordered = sets.places(scores, truth), -np.sort(-scores, axis=1)
    ways = [tree.way_up(labels, row) for row in scores] if labels.parents else []
    found = []
    for coverage in COVERAGES:
        judge = trust.at(labels, coverage, ACCEPTANCE)
        inside = places <= judge.set_limit
        sizes = np.array([sets.size(row, judge.set_limit) for row in ordered])
        single = sizes == 1
        right, depths = _in_tree(labels, ways, truth, judge.tree_limit)
        found.append(
            _Try(
                held=Rate(int(inside.sum()), len(inside)),
                sure=Rate(int(inside[single].sum()), int(single.sum())),
                sizes=sizes,
                right=right,
                depths=depths,
            )
        )
    return tuple(found)


def _in_tree(
    labels: Labels, ways: list[list[tree.Step]], truth: sets.Classes, limit: float
) -> tuple[Rate | None, sets.Classes]:
    """How many answers in the tree are right, and their depths beside those of the best classes."""
    right, depths = 0, []
    for steps, own in zip(ways, truth.tolist() if ways else (), strict=True):
        step = tree.deepest(steps, limit)
        assert step is not None  # there is a tree
        right += tree.rights(labels, [step], own)[0]
        depths.append((step.depth, steps[0].depth))
    rate = Rate(right, len(ways)) if ways else None
    return rate, np.array(depths, np.int64).reshape(-1, 2)


def _level(coverage: float, tries: list[_Try]) -> Level:
    """The same coverage, of all halves together."""
    sizes = np.concatenate([each.sizes for each in tries])
    depths = np.concatenate([each.depths for each in tries])
    depth, full_depth = depths.mean(axis=0).tolist() if len(depths) else (0.0, 0.0)
    low, high = binomial_interval(tries[0].held.total, coverage)
    return Level(
        coverage=coverage,
        held=tuple(each.held for each in tries),
        within=sum(low <= each.held.hits <= high for each in tries),
        size=float(sizes.mean()),
        single=float((sizes == 1).mean()),
        sure=pooled([each.sure for each in tries]),
        right=tuple(each.right for each in tries if each.right is not None) or None,
        depth=depth,
        full_depth=full_depth,
    )


def _accepted(known: Known, answers: Answers) -> Rate:
    near = known.all(answers.scores, answers.vectors)
    return Rate(int((near >= known.limit(ACCEPTANCE)).sum()), len(near))


def _by_chance(halves: list[_Half], count: int, chance: np.random.Generator) -> float:
    """The mean error where each of the `count` pictures is right as often as its score says."""
    sure = np.concatenate([half.after[0] for half in halves])
    rows = np.concatenate([half.rows for half in halves])
    errors = []
    for _ in range(_DRAWS):
        right = chance.random(count)[rows] < sure
        errors.append(Calibration.of(sure.tolist(), right.tolist()).error)
    return float(np.mean(errors))


def _best(scores: sets.Floats, truth: sets.Classes) -> _Best:
    best = scores.argmax(axis=1)
    return scores.max(axis=1), best == truth


def _joined(parts: list[_Best]) -> Calibration:
    sure, right = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Calibration.of(sure.tolist(), right.tolist())
