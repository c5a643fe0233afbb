"""A power law with a floor, error = a + b n^-c, through a learning curve, and where it leads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_POWERS = np.arange(0.1, 1.55, 0.1)  # c: between hardly bent and as steep as curves are seen to be
_SAMPLES = 1000
# Of the spread of the head of all pictures, what is its own and not that of its pictures. With it
# the interval holds as often as it should: benchmarks/curves.py.
_OWN = 0.3

_Array: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A share that is to be right, and its 95 % interval, on the pictures that were judged."""

    middle: float
    low: float
    high: float


def foreseen(curve: Sequence[tuple[int, Sequence[float]]], pictures: int, judged: int) -> Foreseen:
    """What so many pictures would give.

    `curve` has at least three sizes, the smallest first, with the share right of each head; the
    last is that of all pictures. The law goes through each of many curves that chance could have
    made of this one, and chance plays with what it says as well.
    """
    sizes = np.array([size for size, _ in curve], np.float64)
    errors = np.array([1 - sum(draws) / len(draws) for _, draws in curve])
    shares, turns = sizes / sizes[-1], np.array([len(draws) for _, draws in curve])
    spread, freedom = _spread(curve, judged)
    # What the draws do not have in common with all the pictures they are drawn from.
    off = spread * np.sqrt(np.maximum(1 - shares, _OWN) / shares / turns)
    _, misfit = _law(sizes, errors[np.newaxis], off, pictures)
    off *= max(1.0, math.sqrt(float(misfit[0]) / (len(curve) - 2)))
    chance = np.random.default_rng(0)
    wider = np.sqrt(freedom / chance.chisquare(freedom, _SAMPLES))  # the spread is itself a guess
    some = errors + wider[:, np.newaxis] * off * chance.standard_normal((_SAMPLES, len(curve)))
    samples, _ = _law(sizes, some, off, pictures)
    middle = float(np.median(samples))
    samples += wider * spread * chance.standard_normal(_SAMPLES) / math.sqrt(pictures / sizes[-1])
    low, high = (float(bound) for bound in np.clip(np.quantile(samples, [0.025, 0.975]), 0, 1))
    return Foreseen(1 - middle, 1 - high, 1 - low)


def _spread(curve: Sequence[tuple[int, Sequence[float]]], judged: int) -> tuple[float, int]:
    """By how much heads of other pictures, as many as all, would differ; degrees of freedom.

    The variance falls as the pictures grow. Draws from the same pictures differ less than draws of
    others would, by the share of them that they take. No less than half a picture of those judged.
    """
    squares, freedom = 0.0, 0
    for size, draws in curve[:-1]:
        share, mean = size / curve[-1][0], sum(draws) / len(draws)
        squares += share * sum((right - mean) ** 2 for right in draws) / (1 - share)
        freedom += len(draws) - 1
    return max(math.sqrt(squares / freedom), 0.5 / judged), freedom


def _law(sizes: _Array, errors: _Array, off: _Array, at: float) -> tuple[_Array, _Array]:
    """error = a + b n^-c through each row of `errors` (S, K), a and b not below 0.

    Gives the error at `at`, (S,), and the sum of squares of what is missed in units of `off`.
    """
    weights = 1 / off**2
    best, found = np.full(len(errors), np.inf), np.zeros(len(errors))
    for power in _POWERS:
        bends = (sizes / sizes[-1]) ** -power
        for floor, rise in _candidates(bends, errors, weights):
            missed = errors - floor[:, np.newaxis] - rise[:, np.newaxis] * bends
            squares = (weights * missed**2).sum(axis=1)
            squares[(floor < 0) | (rise < 0)] = np.inf
            better = squares < best
            best[better] = squares[better]
            found[better] = (floor + rise * (at / sizes[-1]) ** -power)[better]
    return found, best


def _candidates(bends: _Array, errors: _Array, weights: _Array) -> Iterator[tuple[_Array, _Array]]:
    """Floor and rise of the best line, of the best without a floor, and of the best flat one."""
    whole = weights.sum()
    mean, means = (weights * bends).sum() / whole, errors @ weights / whole
    rise = (errors - means[:, np.newaxis]) @ (weights * (bends - mean))
    rise /= (weights * (bends - mean) ** 2).sum()
    yield means - rise * mean, rise
    yield np.zeros(len(errors)), errors @ (weights * bends) / (weights * bends**2).sum()
    yield np.maximum(means, 0), np.zeros(len(errors))
