"""Do scores mean what they say: of the answers given with 80 %, are 80 % right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .measures import Rate


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers with a score above `low` and up to `high`; `confidence` is their mean score, or 0."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: Rate


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far scores are from being right: `error` is the expected calibration error, a share.

    `confidence` is the mean score of the answers, `accuracy` how often they are right.
    """

    error: float
    confidence: float
    accuracy: Rate
    bins: tuple[Bin, ...]

    @classmethod
    def of(cls, scores: Sequence[float], right: Sequence[bool], *, bins: int = 15) -> Calibration:
        """Scores from 0 to 1 against what was right, in bins of equal width.

        The error is that of M. P. Naeini et al., AAAI 2015: the mean, over all answers, of how far
        score and accuracy of their bin lie apart.
        """
        confidence, correct = np.array(scores, np.float64), np.array(right, np.bool_)  # (N,) each
        places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
        rows = []
        for place in range(bins):
            inside = places == place
            count = int(inside.sum())
            rows.append(
                Bin(
                    low=place / bins,
                    high=(place + 1) / bins,
                    count=count,
                    confidence=float(confidence[inside].mean()) if count else 0.0,
                    accuracy=Rate(int(correct[inside].sum()), count),
                )
            )
        apart = sum(row.count * abs(row.accuracy.value - row.confidence) for row in rows)
        return cls(
            error=apart / max(1, correct.size),
            confidence=float(confidence.mean()) if confidence.size else 0.0,
            accuracy=Rate(int(correct.sum()), correct.size),
            bins=tuple(rows),
        )

    def to_json(self) -> dict[str, Any]:
        """For --json and for files: shares from 0 to 1, the bins that hold answers."""
        return {
            "error": round(self.error, 6),
            "confidence": round(self.confidence, 6),
            "accuracy": self.accuracy.to_json(),
            "bins": [
                {
                    "low": round(row.low, 6),
                    "high": round(row.high, 6),
                    "confidence": round(row.confidence, 6),
                    "accuracy": row.accuracy.to_json(),
                }
                for row in self.bins
                if row.count
            ],
        }
