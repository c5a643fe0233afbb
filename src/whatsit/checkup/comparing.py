"""How far apart two answers are, and which deviation explains the distance, if any does.

Answers are compared by the logarithms of their scores, softened below what was recorded, since a
sure answer hides nearly every fault in its first score and shows it in the others. A temperature,
one for all pictures, is no difference: calibration changes it. A cause is named only where it takes
away most of the distance; see `decide`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]
    Indices = NDArray[np.intp]

# A distance below this is of rounding, of threads, or of one level of a JPEG decoder.
_AGREE = 0.025
_SOFT = 1e-6  # scores below it say nothing
_COLDEST, _HOTTEST = 1 / 3, 3.0  # temperatures that calibration may give
_TINY = 1e-30
_CLEARLY = 0.4  # of the distance at 1: so much less, for a temperature to be sought in few scores
_ROUNDED_FINE, _ROUNDED_COARSE = 8, 2  # steps of rounding that are softened away


@dataclass(frozen=True, slots=True)
class Target:
    """One picture's answer to be explained: scores (K,), and which classes of ours they are of.

    `classes` maps the name of a way of counting ("own", "by index", "+1" …) to the indices (K,) of
    our classes, -1 for none. `complete`: no class is left out. `free`: scores are known but for a
    common factor. `first` alone is known where there are no scores.
    """

    scores: Scores
    classes: Mapping[str, Indices]
    complete: bool
    step: float = 0.0
    free: bool = False
    only_first: bool = False

    @property
    def soft(self) -> float:
        """What is added to scores before their logarithm, so that rounding does not show."""
        return max(_SOFT, self.step * (_ROUNDED_FINE if self.step < 1e-4 else _ROUNDED_COARSE))

    @property
    def noise(self) -> float:
        """The distance that rounding alone makes."""
        told = self.scores[self.scores > 0] if self.complete else self.scores
        errors = self.step / np.sqrt(12) / (told + self.soft)
        return 0.0 if self.only_first else float(np.sqrt((errors**2).sum() / max(1, self.weight)))

    @property
    def weight(self) -> int:
        """How many of its scores tell anything."""
        return 1 if self.only_first else int((self.scores > 2 * self.soft).sum())


def usable(target: Target, counting: str) -> bool:
    """Whether this way of counting knows most of the answer."""
    known = target.classes[counting] >= 0
    return (
        bool(known[target.scores.argmax()])
        and target.scores[known].sum() >= 0.8 * target.scores.sum()
    )


def distance(ours: Scores, target: Target, counting: str, temperature: float = 1.0) -> float:
    """How far apart the answers to one picture are: about the mean difference of log scores."""
    if temperature != 1.0:
        ours = cooled(ours, temperature)
    classes = target.classes[counting]
    known = classes >= 0
    places, theirs = classes[known], target.scores[known]
    if target.only_first:
        soft = 1e-3
        return float(np.log(ours.max() + soft) - np.log(ours[places[0]] + soft))
    soft = target.soft
    gaps = np.log(ours[places] + soft) - np.log(theirs + soft)
    if target.free:
        gaps = gaps - gaps.mean()
    squares = float((gaps**2).sum())
    if not target.complete and not target.free:
        rest = ours.copy()
        rest[places] = 0.0  # what is not recorded is below the last that is
        over = np.log(np.sort(rest)[-len(theirs) :] + soft) - np.log(theirs.min() + soft)
        squares += float((np.clip(over, 0, None) ** 2).sum())
    lost = target.scores[~known].sum()
    squares += float(np.log1p(lost / soft) ** 2) if lost > soft else 0.0
    telling = (theirs > 2 * soft) | (ours[places] > 2 * soft)
    return float(np.sqrt(squares / max(1, telling.sum())))


def cooled(ours: Scores, temperature: float) -> Scores:
    """Probabilities at another temperature: 1 leaves them, above it they are less sure."""
    logs = np.log(np.maximum(ours, _TINY)) / temperature
    powers: Scores = np.exp(logs - logs.max())
    cool: Scores = powers / powers.sum()
    return cool


def temperature_of(answers: Sequence[Scores], targets: Sequence[Target], counting: str) -> float:
    """The temperature at which our answers are most like the others; 1 where nothing tells it."""
    product = square = 0.0
    count = 0
    for ours, target in zip(answers, targets, strict=True):
        classes = target.classes[counting]
        if target.only_first:
            continue
        told = (classes >= 0) & (target.scores > 4 * target.soft)
        told[told] = ours[classes[told]] > 1e-9
        if told.sum() < 3:
            continue
        x, y = np.log(ours[classes[told]]), np.log(target.scores[told])
        x, y = x - x.mean(), y - y.mean()
        product, square, count = product + float(x @ y), square + float(x @ x), count + told.sum()
    if count < 4 or product <= 0 or square <= 0:
        return _sought(answers, targets, counting)
    return float(np.clip(square / product, _COLDEST, _HOTTEST))


def _sought(answers: Sequence[Scores], targets: Sequence[Target], counting: str) -> float:
    """Of few scores: the temperature at which the distance is clearly least, else 1."""
    if any(target.only_first or target.weight < 2 for target in targets):
        return 1.0

    def mean(temperature: float) -> float:
        pairs = zip(answers, targets, strict=True)
        return float(np.mean([distance(a, t, counting, temperature) for a, t in pairs]))

    tried = {float(t): mean(float(t)) for t in np.geomspace(_COLDEST, _HOTTEST, 17)}
    best = min(tried, key=lambda t: tried[t])
    near = {float(t): mean(float(t)) for t in best * np.geomspace(0.93, 1.07, 7)}
    best = min(near, key=lambda t: near[t])
    return best if near[best] < _CLEARLY * mean(1.0) else 1.0


@dataclass(frozen=True, slots=True)
class Fit:
    """How well answers fit: the distance of each picture, at the temperature that fits best."""

    apart: tuple[float, ...]
    temperature: float
    same_first: int

    @property
    def mean(self) -> float:
        """Over all pictures."""
        return float(np.mean(self.apart))


def noise(targets: Sequence[Target]) -> float:
    """The distance that rounding alone may make, at its worst."""
    return float(np.mean([target.noise for target in targets]))


def agree(found: Fit, targets: Sequence[Target]) -> bool:
    """Whether answers are as near as those of one pipeline that is run twice."""
    return found.mean <= _AGREE + noise(targets)


def fit(answers: Sequence[Scores], targets: Sequence[Target], counting: str) -> Fit:
    """How well our answers to all pictures fit the others."""
    plain = [distance(a, t, counting) for a, t in zip(answers, targets, strict=True)]
    best, warm = plain, 1.0
    temperature = temperature_of(answers, targets, counting)
    if abs(temperature - 1) > 0.01:
        other = [
            distance(a, t, counting, temperature) for a, t in zip(answers, targets, strict=True)
        ]
        if np.mean(other) < 0.9 * np.mean(plain):
            best, warm = other, temperature
    same = sum(
        int(a.argmax() == t.classes[counting][t.scores.argmax()])
        for a, t in zip(answers, targets, strict=True)
    )
    return Fit(tuple(best), warm, same)
