"""What an explanation holds: two classes, their maps, and the picture they lie over."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..preprocess import Placement
from .evidence import Evidence

if TYPE_CHECKING:
    from PIL import Image

Floats = NDArray[np.float32]

_DIGITS = 4  # of the numbers in JSON: more than a map of 8 bits has
_LEAST_SCORE = 1e-6  # of smaller ones the logarithm says nothing


@dataclass(frozen=True, slots=True)
class ClassMap:
    """One class: its score, a probability, and how the logit behind it comes about.

    The mean of `values` (h, w), one for each cell of the model's last feature map, plus `bias` is
    `logit`.
    """

    index: int
    label: str
    score: float
    logit: float
    bias: float
    values: Floats = field(repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Without the map."""
        return {
            "index": self.index,
            "label": self.label,
            "score": round(self.score, 6),
            "logit": _rounded(self.logit),
            "bias": _rounded(self.bias),
        }


@dataclass(frozen=True)
class Explanation:
    """Why a picture was taken for `target`, and why not for `versus` (None for a single class).

    `placement` says what of the picture the model saw. `temperature` divides the logits before they
    become scores: 1, unless the model is calibrated. `picture` is the upright picture, at most
    explainer.LONGEST_SIDE a side; `pixels` (1, h, w, 3) are what the model was given.
    """

    path: str | None
    model: str
    target: ClassMap
    versus: ClassMap | None
    placement: Placement
    temperature: float
    picture: Image.Image = field(repr=False, compare=False)
    pixels: NDArray[np.uint8] = field(repr=False, compare=False)

    @property
    def evidence(self) -> Evidence:
        """What speaks for the target, place by place."""
        return Evidence(self.target.values, self.placement)

    @property
    def difference(self) -> Evidence | None:
        """What speaks for the target rather than for `versus` (below 0: the other way round)."""
        if self.versus is None:
            return None
        return Evidence(self.target.values - self.versus.values, self.placement)

    @property
    def peak(self) -> tuple[float, float] | None:
        """Where most speaks for the target: x and y as fractions of the upright picture."""
        return self.evidence.peak

    @property
    def rounding(self) -> float | None:
        """How far the lead of the target over `versus` in the maps is from that of their scores.

        In logits. 0, but for rounding, for a float model; an int8 model also rounds the mean of the
        map and the logits themselves. None where a score is too small to tell, or there is one
        class.
        """
        if self.versus is None or min(self.target.score, self.versus.score) < _LEAST_SCORE:
            return None
        lead = self.temperature * math.log(self.target.score / self.versus.score)
        return abs(self.target.logit - self.versus.logit - lead)

    def overlay(self, kind: str = "both") -> Image.Image:
        """The picture with the map laid over it and a legend below, as a Pillow image (RGB).

        `kind` is `target`, `difference`, or `both` side by side. What the model did not see is
        dark. Raises UsageError for another kind, or for the difference of a single class.
        """
        from .drawing import drawn

        return drawn(self, kind)

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        difference = self.difference
        rounding = self.rounding
        return {
            "path": self.path,
            "model": self.model,
            "target": self.target.to_json(),
            "versus": None if self.versus is None else self.versus.to_json(),
            "evidence": {
                **_side("", self.evidence),
                "map": _rows(self.target.values),
            },
            "difference": difference
            and {
                **_side("", difference),
                **_side("versus_", -difference),
                "map": _rows(difference.values),
            },
            "temperature": _rounded(self.temperature),
            "seen": _placed(self.placement),
            "rounding": None if rounding is None else _rounded(rounding),
        }


def _side(name: str, evidence: Evidence) -> dict[str, Any]:
    """Where most speaks for one side, and the shares of the parts of the picture."""
    peak = evidence.peak
    return {
        f"{name}peak": peak and {"x": _rounded(peak[0]), "y": _rounded(peak[1])},
        f"{name}regions": {place: _rounded(share) for place, share in evidence.regions.items()},
    }


def _rows(values: Floats) -> list[list[float]]:
    return [[_rounded(float(value)) for value in row] for row in values]


def _placed(placement: Placement) -> dict[str, Any]:
    """The part of the picture that was seen, and the part of the map that it fills."""
    sides = ("left", "top", "right", "bottom")
    return {
        **dict(zip(sides, map(_rounded, placement.box), strict=True)),
        "rotation": 90 * placement.turns,
        "part_of_map": list(map(_rounded, placement.inner)),
    }


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
