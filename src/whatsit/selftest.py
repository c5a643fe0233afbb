"""Replays the golden pictures: does this machine give the answers that were recorded?

Golden pictures and the answers of every built-in model to them travel with the package. A runtime
whose answers differ must not be used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from . import zoo
from .classifier import Classifier
from .errors import UsageError
from .results import Result

# How far a score may be from the recorded one. Kernels round differently from one processor to
# the next: a step of an int8 logit moves a probability by about 2 %, float16 arithmetic by less.
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Check:
    """One picture: what was expected as (index, score), what came, and whether they agree."""

    model: str
    picture: str
    expected: tuple[tuple[int, float], ...]
    result: Result
    difference: float  # the largest of the expected classes' scores
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """The object that `whatsit selftest --json` prints."""
        return {
            "model": self.model,
            "picture": self.picture,
            "passed": self.passed,
            "expected": [{"index": index, "score": score} for index, score in self.expected],
            "difference": round(self.difference, 6),
            "predictions": self.result.to_json().get("predictions", []),
        }


def replay(classifier: Classifier) -> Iterator[Check]:
    """One check for each golden picture. Raises UsageError for a model that has no answers."""
    name = classifier.bundle.name
    answers = recorded()
    if name not in answers:
        raise UsageError(
            f"no recorded answers for the model {name!r}", expected=f"one of {', '.join(answers)}"
        )
    for picture, expected in answers[name].items():
        yield _check(classifier, picture, tuple((int(i), float(s)) for i, s in expected))


def recorded() -> dict[str, dict[str, list[tuple[int, float]]]]:
    """model → picture → its five best classes as (index, score)."""
    text = (zoo.GOLDEN / "expected.json").read_text(encoding="utf-8")
    answers: dict[str, dict[str, list[tuple[int, float]]]] = json.loads(text)
    return answers


def _check(classifier: Classifier, picture: str, expected: tuple[tuple[int, float], ...]) -> Check:
    everything = classifier.bundle.output.classes
    result = classifier.classify(zoo.GOLDEN / picture, top=everything)
    scores = {p.index: p.score for p in result.predictions}
    difference = max(abs(scores[index] - score) for index, score in expected)
    # Where two classes are as good as tied, either may come first on another machine.
    best = dict(expected).get(result.predictions[0].index, 0.0)
    passed = best >= expected[0][1] - TOLERANCE and difference <= TOLERANCE
    shown = replace(result, predictions=result.predictions[: len(expected)])
    return Check(classifier.bundle.name, picture, expected, shown, difference, passed)
