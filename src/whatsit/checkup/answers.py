"""One picture's answer of another program: classes with scores, and the unit they are in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

_FEW, _BYTES_OFF = 20, 48  # scores, and what rounding may add to 256 of them
_ALL_DIGITS = 8  # from here on scores count as exact


@dataclass(frozen=True, slots=True)
class Entry:
    """One class of an answer, by what the other program calls it."""

    score: float | None
    index: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One picture's answer. `step` is the smallest difference that its scores can show, 0 if any.

    `complete` says that every class is there, in the order of the model's output. `logits` are
    scores that are no probabilities.
    """

    path: str | None
    entries: tuple[Entry, ...]
    complete: bool = False
    logits: bool = False
    step: float = 0.0


class NoAnswer(Exception):
    """What stands there is no answer; the text says what it is."""


def answer(pairs: list[tuple[Entry, Any]]) -> Recorded:
    """The answer of classes with scores as they stand there. Raises NoAnswer."""
    scores = [score for _, score in pairs if score is not None]
    if not scores:
        return Recorded(None, (pairs[0][0],))  # the first class alone is known
    if len(scores) < len(pairs):
        raise NoAnswer("some of its classes have a score, and others none")
    numbers = [float(score) for score in scores]
    if not all(map(math.isfinite, numbers)):
        raise NoAnswer("its scores are no numbers")
    low, high, total = min(numbers), max(numbers), sum(numbers)
    percent = low >= 0 and 1.01 < high <= 100.01 and total <= 101 and high + total > 2.5
    in_bytes = _in_bytes(scores, total)
    logits = not percent and not in_bytes and (low < -1e-3 or high > 1.01)
    scale = 0.01 if percent else 1 / 256 if in_bytes else 1.0
    entries = tuple(
        replace(entry, score=number * scale)
        for (entry, _), number in zip(pairs, numbers, strict=True)
    )
    return Recorded(None, entries, logits=logits, step=_step(scores) * scale)


def _in_bytes(scores: Sequence[Any], total: float) -> bool:
    """Whether they are all the bytes of a uint8 output: 256 stand for a probability of 1."""
    whole = all(0 <= score <= 255 and float(score).is_integer() for score in scores)
    return whole and len(scores) > _FEW and abs(total - 256) < _BYTES_OFF


def _step(scores: Iterable[Any]) -> float:
    """The last digit that the scores were rounded to; 0 for those that were not."""
    values = list(scores)
    steps = {round(float(value) * 256, 4) % 1 for value in values}
    if steps == {0.0}:
        return 1 / 256  # of a quantised output
    digits = max(
        -exponent if isinstance(value, Decimal) and isinstance(exponent, int) else 0
        for value in values
        for exponent in [Decimal(value).as_tuple().exponent]
    )
    return 0.0 if digits >= _ALL_DIGITS else 10.0**-digits
