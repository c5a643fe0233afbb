"""The recorded answers to the golden pictures, and how far from them an engine may be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..bundle import Bundle
from . import GOLDEN, catalogue

# How far a score may be from the recorded one. Kernels round differently from one processor to
# the next: a step of an int8 logit moves a probability by about 2 %, float16 arithmetic by less.
TOLERANCE = 0.05

Best = Sequence[tuple[int, float]]  # the best classes as (index, score), best first


def recorded() -> dict[str, dict[str, list[tuple[int, float]]]]:
    """model → picture → its five best classes as (index, score)."""
    text = (GOLDEN / "expected.json").read_text(encoding="utf-8")
    answers: dict[str, dict[str, list[tuple[int, float]]]] = json.loads(text)
    return answers


def recorded_for(bundle: Bundle) -> Mapping[str, Best] | None:
    """picture → best classes, if `bundle` has the bytes of a built-in model, whatever its name."""
    names = [name for name, entry in catalogue().items() if entry.sha256 == bundle.sha256]
    return recorded()[names[0]] if names else None


def judge(scores: Mapping[int, float], expected: Best) -> tuple[float, bool]:
    """The largest difference of the expected classes' scores, and whether `scores` agree."""
    differences = [abs(scores[index] - score) for index, score in expected]
    # Where two classes are as good as tied, either may come first on another machine.
    best = dict(expected).get(max(scores, key=lambda index: scores[index]), 0.0)
    close = all(difference <= TOLERANCE for difference in differences)  # false for NaN
    return max(differences), close and best >= expected[0][1] - TOLERANCE
