"""Parts of a data set: what is learned from, what decides, and what nobody looks at before."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .datasets import Dataset
from .errors import UsageError

FRACTIONS = (0.7, 0.1, 0.2)


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of rows, each part in rising order; no row is in two of them."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def split(
    dataset: Dataset | Sequence[str],
    groups: Sequence[int] | None = None,
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
) -> Split:
    """Train, validation and test parts of a data set, or of rows with these labels.

    Each class is parted alike, as nearly as whole groups allow. `groups` says which rows belong
    together (equal numbers): they are never parted, not even where their labels differ. The same
    arguments give the same split. A class of few pictures keeps them in the train part rather than
    have none there. Raises UsageError for fractions that are no parts of 1.
    """
    if min(fractions) < 0 or not fractions[0] > 0 or not math.isclose(sum(fractions), 1):
        raise UsageError(f"parts of {fractions}", expected="three parts of 1, the first above 0")
    labels = _labels(dataset)
    parts = _dealt(labels, groups, fractions, seed)
    train, validation, test = (tuple(sorted(part)) for part in parts)
    return Split(train, validation, test)


def folds(
    labels: Sequence[str], groups: Sequence[int] | None = None, *, count: int, seed: int = 0
) -> list[tuple[int, ...]]:
    """`count` parts of about the same size and mixture, for cross-validation; some may be empty."""
    if count < 2:
        raise UsageError(f"{count} folds", expected="at least 2")
    parts = _dealt(_labels(labels), groups, (1 / count,) * count, seed)
    return [tuple(sorted(part)) for part in parts]


def _labels(dataset: Dataset | Sequence[str]) -> list[str]:
    return [row.label for row in dataset.rows] if isinstance(dataset, Dataset) else list(dataset)


def _dealt(
    labels: list[str], groups: Sequence[int] | None, fractions: Sequence[float], seed: int
) -> list[list[int]]:
    """The rows, dealt out to the parts, a group at a time.

    The largest groups come first, since small ones can still even things out; a group goes where
    its classes lack most.
    """
    if groups is not None and len(groups) != len(labels):
        raise UsageError(f"{len(groups)} groups for {len(labels)} rows", expected="one for each")
    totals = Counter(labels)
    parts: list[list[int]] = [[] for _ in fractions]
    dealt: list[Counter[str]] = [Counter() for _ in fractions]
    for members in _shuffled(len(labels), groups, seed):
        counts = Counter(labels[row] for row in members)
        place = _neediest(counts, totals, dealt, fractions)
        parts[place] += members
        dealt[place].update(counts)
    return parts


def _shuffled(count: int, groups: Sequence[int] | None, seed: int) -> list[list[int]]:
    """The rows of each group, the largest groups first, else in an order that `seed` decides."""
    rows = list(range(count))
    random.Random(seed).shuffle(rows)
    together: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        together[groups[row] if groups is not None else row].append(row)
    return sorted(together.values(), key=len, reverse=True)


def _neediest(
    counts: Counter[str],
    totals: Counter[str],
    dealt: list[Counter[str]],
    fractions: Sequence[float],
) -> int:
    """The part that lacks most of these classes, in pictures; the first of equal ones.

    At the first part a class begins, so that it is not held out as a whole.
    """
    if any(dealt[0][label] == 0 for label in counts):
        return 0
    lacks = [
        _mean((fraction * totals[label] - have[label], counts[label]) for label in counts)
        if fraction > 0
        else -math.inf
        for fraction, have in zip(fractions, dealt, strict=True)
    ]
    return lacks.index(max(lacks))


def _mean(weighted: Iterable[tuple[float, int]]) -> float:
    pairs = list(weighted)
    return sum(value * weight for value, weight in pairs) / sum(weight for _, weight in pairs)
