"""Replays the golden pictures: does this machine give the answers that were recorded?

Golden pictures and the answers of every built-in model to them travel with the package. A runtime
whose answers differ must not be used. Where there are none, another engine is held to LiteRT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from . import engines, zoo
from .classifier import Classifier
from .errors import UsageError
from .results import Result
from .zoo.golden_answers import judge


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
    """One check for each golden picture.

    Raises UsageError for a model that has no answers, unless another engine than LiteRT runs it,
    and for a classifier whose scores are not the raw ones, which are what was recorded.
    """
    bundle = classifier.bundle
    if classifier.calibrated and not classifier.raw:
        raise UsageError("a classifier with calibrated scores", expected="load(…, raw=True)")
    if classifier.runtime in engines.EITHER_LITERT and not zoo.is_builtin(bundle):
        raise UsageError(
            f"no recorded answers for the model {bundle.name!r}",
            expected=f"one of {', '.join(zoo.catalogue())}",
            hint="another engine can be held to LiteRT's answers: --runtime openvino",
        )
    for picture, expected in engines.right_answers(bundle).items():
        yield _check(classifier, picture, tuple((int(i), float(s)) for i, s in expected))


def _check(classifier: Classifier, picture: str, expected: tuple[tuple[int, float], ...]) -> Check:
    everything = classifier.bundle.output.classes
    result = classifier.classify(zoo.GOLDEN / picture, top=everything)
    scores = {p.index: p.score for p in result.predictions}
    difference, passed = judge(scores, expected)
    shown = replace(result, predictions=result.predictions[: len(expected)])
    return Check(classifier.bundle.name, picture, expected, shown, difference, passed)
