"""What a classification gives: predictions, a verdict, and the JSON of both."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

# Of a model that was never calibrated, the two best scores must lie this far apart for an answer to
# be called sure: nine of ten such answers are then right, and half of the others (docs/verdicts.md
# says on which pictures).
SURE_MARGIN = 0.2
COVERAGE = 0.9  # how often a set is to hold the truth, if nobody says otherwise
ACCEPTANCE = 0.95  # of known pictures, the share that must not be unknown, likewise


class Verdict(str, enum.Enum):
    """How far an answer can be trusted."""

    SURE = "sure"
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class and its score, a probability from 0 to 1."""

    index: int
    label: str
    score: float
    synset: str | None = None  # WordNet id such as n02123045, where the model carries it


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A class, or one of the wider terms that it falls under, such as dog, and its score.

    `id` is a WordNet id, or a name in the tree of a taught model.
    """

    id: str
    label: str
    score: float

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {"id": self.id, "label": self.label, "score": round(self.score, 6)}


@dataclass(frozen=True, slots=True)
class Result:
    """The answer for one picture: predictions by falling score, or the error that prevented them.

    `label_set` names the classes one of which is right, as often as the coverage says, best first;
    None for a model that was never calibrated. Where several are likely, in a tree, `broader` is
    the nearest node above the best of them that is right as often (one of the others may lie
    elsewhere), `probably` something closer, likelier than not.

    `path` is None for pictures that did not come from a file. `timings_ms` has the keys decode,
    preprocess and inference. `embedding` (D,) is there where the classifier was asked for it; it is
    not part of the JSON.
    """

    path: str | None
    model: str
    verdict: Verdict | None = None
    predictions: tuple[Prediction, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict, compare=False)
    error: InputError | None = None
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    label_set: tuple[str, ...] | None = None
    broader: Ancestor | None = None
    probably: Ancestor | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints, with keys in the order of the contract."""
        if self.error is not None:
            return {"path": self.path, "error": self.error.to_json()}
        return {
            "path": self.path,
            "model": self.model,
            "verdict": None if self.verdict is None else self.verdict.value,
            "set": None if self.label_set is None else list(self.label_set),
            "broader": None if self.broader is None else self.broader.to_json(),
            "probably": None if self.probably is None else self.probably.to_json(),
            "predictions": [
                {"index": p.index, "label": p.label, "score": round(p.score, 6)}
                for p in self.predictions
            ],
            "timings_ms": {stage: round(ms, 2) for stage, ms in self.timings_ms.items()},
        }


def top_k(scores: NDArray[np.float32], k: int) -> list[int]:
    """Indices of the k largest of `scores` (C,), by falling score; ties by rising index."""
    if k >= scores.size:
        return [int(i) for i in np.argsort(-scores, kind="stable")]
    # Everything at or above the k-th largest value, so that ties at the border are kept
    # and then cut by index: the answer must not depend on how a partition orders them.
    floor = np.partition(scores, scores.size - k)[scores.size - k]
    candidates = np.flatnonzero(scores >= floor)
    order = np.argsort(-scores[candidates], kind="stable")[:k]
    return [int(i) for i in candidates[order]]


def verdict(scores: NDArray[np.float32]) -> Verdict:
    """Sure when the best of `scores` (C,) leads the second by SURE_MARGIN, else ambiguous."""
    best = top_k(scores, 2)
    second = float(scores[best[1]]) if len(best) > 1 else 0.0
    lead = float(scores[best[0]]) - second
    return Verdict.SURE if lead >= SURE_MARGIN else Verdict.AMBIGUOUS
