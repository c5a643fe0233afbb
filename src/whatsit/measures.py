"""Numbers from samples: spreads of times, rates with their intervals, tests of paired answers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Z = 1.959963984540054  # of the two-sided 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Spread:
    """Of many times of the same thing, in ms. `low` and `high` hold the middle half of them."""

    median: float
    low: float
    high: float
    p95: float
    count: int

    @classmethod
    def of(cls, times_ms: Iterable[float]) -> Spread:
        """The spread of at least one time."""
        times = np.fromiter(times_ms, np.float64)
        low, median, high, p95 = (float(q) for q in np.percentile(times, [25, 50, 75, 95]))
        return cls(median, low, high, p95, times.size)

    def to_json(self) -> dict[str, Any]:
        """For --json and for files, in ms."""
        return {
            "median": round(self.median, 3),
            "low": round(self.low, 3),
            "high": round(self.high, 3),
            "p95": round(self.p95, 3),
            "count": self.count,
        }


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` of `total`, with the 95 % interval that so small a sample leaves."""

    hits: int
    total: int

    def __post_init__(self) -> None:
        assert 0 <= self.hits <= self.total

    @property
    def value(self) -> float:
        """The share, 0 to 1; 0 of nothing."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, 95 %, as shares. 0 to 1 of nothing."""
        return wilson(self.hits, self.total)

    def to_json(self) -> dict[str, Any]:
        """For --json and for files: shares from 0 to 1."""
        return {
            "hits": self.hits,
            "total": self.total,
            "value": round(self.value, 6),
            "interval": [round(bound, 6) for bound in self.interval],
        }


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share, without continuity correction.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209-212.
    """
    if total == 0:
        return 0.0, 1.0
    share, square = hits / total, _Z * _Z / total
    middle = (share + square / 2) / (1 + square)
    reach = _Z / (1 + square) * math.sqrt(share * (1 - share) / total + square / (4 * total))
    # The bounds at no hits and at all hits are exact; rounding must not make them 1e-17.
    low = 0.0 if hits == 0 else middle - reach
    high = 1.0 if hits == total else middle + reach
    return low, high


def binomial_interval(total: int, share: float) -> tuple[int, int]:
    """The least and most hits of `total` tries at this share, but for 2.5 % on either side."""
    hits = np.arange(total + 1)
    logs = np.array([math.lgamma(k + 1) + math.lgamma(total - k + 1) for k in hits])
    logs = math.lgamma(total + 1) - logs
    logs += hits * math.log(share) + (total - hits) * math.log1p(-share)
    below = np.cumsum(np.exp(logs))
    return int(np.searchsorted(below, 0.025)), int(np.searchsorted(below, 0.975))


def auroc(higher: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """How often one of `higher` (N,) lies above one of `lower` (M,), ties count half."""
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, side="left")
    up_to = np.searchsorted(ordered, higher, side="right")
    return float((below + up_to).mean() / 2 / len(ordered))


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of McNemar's test: could the flips have been a coin's?

    The arguments count the pictures that one of two models alone has right.
    """
    flips, fewer = only_first + only_second, min(only_first, only_second)
    if only_first == only_second:
        return 1.0
    # In logarithms: the coefficients of a few thousand flips are more than a float holds.
    whole = math.lgamma(flips + 1) - flips * math.log(2)
    tail = math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(flips - k + 1)) for k in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def paired_difference(
    both: int, only_first: int, only_second: int, neither: int
) -> tuple[float, float]:
    """The 95 % interval of the second's share less the first's, on the same pictures.

    Method 10 of R. G. Newcombe, Statistics in Medicine 17 (1998), 2635-2650: Wilson's intervals of
    the two shares, joined with regard to how far they go together.
    """
    total = both + only_first + only_second + neither
    if total == 0:
        return -1.0, 1.0
    first, second = (both + only_first) / total, (both + only_second) / total
    first_low, first_high = wilson(both + only_first, total)
    second_low, second_high = wilson(both + only_second, total)
    together = _phi(both, only_first, only_second, neither)
    below = _joined(second - second_low, first_high - first, together)
    above = _joined(second_high - second, first - first_low, together)
    return second - first - below, second - first + above


def _joined(one: float, other: float, together: float) -> float:
    return math.sqrt(max(0.0, one**2 - 2 * together * one * other + other**2))


def _phi(both: int, only_first: int, only_second: int, neither: int) -> float:
    """How far two answers go together, from -1 to 1, corrected for continuity as Newcombe does."""
    total = both + only_first + only_second + neither
    margins = (
        (both + only_first)
        * (only_second + neither)
        * (both + only_second)
        * (only_first + neither)
    )
    if margins == 0:
        return 0.0
    product = float(both * neither - only_first * only_second)
    if product > 0:
        product = max(product - total / 2, 0.0)
    return product / math.sqrt(margins)
