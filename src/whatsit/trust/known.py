"""Does a picture show anything that the model was taught?

The score of the best class does not tell: a network is sure of noise. Two rules do better, the
second where a bundle carries the middle of each class (docs/verdicts.md compares them):

- `peak`: how far the logits of the two best classes stand out from those of all others, in their
  standard deviations. What shows no class at all raises many a little.
- `prototypes`: the cosine between the embedding and the nearest class mean.

Of few classes without prototypes, `score`, that of the best class, is all there is.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelDamaged

Floats = NDArray[np.float32]
Array = NDArray[np.float64]
Classes = NDArray[np.int64]

Rule = Literal["peak", "prototypes", "score"]

FEW_CLASSES = 20  # of fewer classes a standard deviation says nothing
_LEAST_SCORE = 1e-12  # below it logarithms are of rounding
_LEVELS = 127  # of int8, either side of 0


@dataclass(frozen=True)
class Prototypes:
    """The mean direction of each class's embeddings: rows (C, D) of any length.

    `tensor` is the index of the embedding in the bundle's graph. `data_set` is that of the
    pictures, where they were those of a calibration: for them the means are no others'.
    """

    rows: NDArray[np.int8] = field(repr=False)
    tensor: int
    data_set: str = ""

    @classmethod
    def of(cls, vectors: Floats, classes: Classes, count: int, *, tensor: int) -> Prototypes:
        """Of embeddings (N, D) with their classes; zeros for a class without pictures."""
        sums = _sums(_units(vectors), classes, count)
        most = np.maximum(np.abs(sums).max(axis=1, keepdims=True), 1e-12)
        return cls(np.rint(sums / most * _LEVELS).astype(np.int8), tensor)

    def nearness(self, vectors: Floats) -> Array:
        """The cosine of each embedding (N, D) with the nearest class mean, (N,)."""
        found: Array = (_units(vectors) @ self._directions).max(axis=1)
        return found

    @cached_property
    def _directions(self) -> Array:
        """The rows at length 1, (D, C); of 1000 classes they take longer than a picture."""
        found: Array = _units(self.rows).T
        return found

    def to_json(self) -> dict[str, Any]:
        """For the record: rows as int8 in base64."""
        rows = base64.b64encode(self.rows.tobytes()).decode()
        source = {"data_set": self.data_set} if self.data_set else {}
        return {"tensor": self.tensor, "width": self.rows.shape[1], **source, "rows": rows}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], classes: int) -> Prototypes:
        """Raises ValueError, TypeError or KeyError for what `to_json` has not made."""
        rows = np.frombuffer(base64.b64decode(value["rows"], validate=True), np.int8)
        tensor, width = value["tensor"], value["width"]
        if not (isinstance(tensor, int) and isinstance(width, int) and tensor >= 0 and width > 0):
            raise ValueError(f"the tensor {tensor!r} of {width!r} values")
        return cls(rows.reshape(classes, width), tensor, str(value.get("data_set", "")))


@dataclass(frozen=True)
class Known:
    """How pictures of the taught classes score, rising; a new one far below them is unknown."""

    rule: Rule
    scores: Array = field(repr=False)
    prototypes: Prototypes | None = field(default=None, repr=False)

    def of(self, data_set: str) -> Known:
        """The same, whose prototypes, if any, are of the pictures of this data set."""
        if self.prototypes is None:
            return self
        return replace(self, prototypes=replace(self.prototypes, data_set=data_set))

    def score(self, scores: Floats, embedding: Floats | None) -> float:
        """How known a picture looks, by its scores (C,) and, for prototypes, its embedding (D,)."""
        if self.prototypes is None:
            return float(self.all(scores.reshape(1, -1), None)[0])
        if embedding is None or embedding.size != self.prototypes.rows.shape[1]:
            size = 0 if embedding is None else embedding.size
            raise ModelDamaged(
                f"its embedding has {size} values",
                expected=f"{self.prototypes.rows.shape[1]}, as its record says",
            )
        return float(self.all(scores.reshape(1, -1), embedding.reshape(1, -1))[0])

    def all(self, scores: Floats, embeddings: Floats | None) -> Array:
        """The same of many pictures: (N, C) and (N, D) → (N,)."""
        if self.prototypes is not None:
            assert embeddings is not None
            return self.prototypes.nearness(embeddings)
        return by_scores(self.rule, scores)

    def limit(self, acceptance: float) -> float:
        """The score below which a picture is unknown, so that `acceptance` of the known are not."""
        count = len(self.scores)
        rank = min(count, math.floor((count + 1) * (1 - acceptance) + 1e-9))
        return float(self.scores[rank - 1]) if rank > 0 else -math.inf


def by_scores(rule: Rule, scores: Floats) -> Array:
    """How known pictures look, (N,), by the model's own scores (N, C) alone."""
    if rule == "peak":
        return peak(logarithms(scores))
    found: Array = scores.max(axis=1).astype(np.float64)
    return found


def logarithms(scores: Floats) -> Array:
    """Of scores (…, C): the logits but for a constant, which does not count here."""
    found: Array = np.log(np.maximum(scores, _LEAST_SCORE, dtype=np.float64))
    return found


def peak(logits: Array) -> Array:
    """How far the two best of `logits` (…, C) stand out, (…)."""
    apart = logits - np.add.reduce(logits, axis=-1, keepdims=True) / logits.shape[-1]
    spread = np.sqrt(np.einsum("...c,...c->...", apart, apart) / logits.shape[-1])
    best = np.partition(apart, -2, axis=-1)[..., -2:]
    found: Array = (best[..., 0] + best[..., 1]) / 2 / np.maximum(spread, 1e-9)
    return found


def nearness_of_others(
    vectors: Floats, classes: Classes, count: int, groups: Classes | None = None
) -> Array:
    """The cosine of each embedding (N, D) with the nearest class mean that it had no part in, (N,).

    Nor had those of its group, whatever their classes. NaN where nothing else of its class is left:
    it cannot be judged.
    """
    units = _units(vectors)
    _, place = np.unique(np.arange(len(units)) if groups is None else groups, return_inverse=True)
    # What the pictures of one group add to one class; the pairs of a group stand together.
    pairs, pair = np.unique(np.column_stack([place, classes]), axis=0, return_inverse=True)
    pair = pair.reshape(-1)  # some versions of numpy keep a second axis
    sums, own = _sums(units, classes, count), _sums(units, pair, len(pairs))
    left = np.bincount(classes, minlength=count)[pairs[:, 1]] - np.bincount(pair)
    rest = _units(sums[pairs[:, 1]] - own)
    rest[left == 0] = 0  # and not what rounding left there
    cosines = units @ _units(sums).T  # (N, C)
    members = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    ends = np.cumsum(np.bincount(pairs[:, 0]))
    for rows, start, end in zip(members, [0, *ends], ends, strict=False):
        cosines[np.ix_(rows, pairs[start:end, 1])] = units[rows] @ rest[start:end].T
    found: Array = cosines.max(axis=1)
    found[left[pair] == 0] = np.nan
    return found


def _units(vectors: NDArray[Any]) -> Array:
    """The rows at length 1, in float64; zeros stay."""
    wide = vectors.astype(np.float64)
    found: Array = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return found


def _sums(rows: Array, classes: Classes, count: int) -> Array:
    found = np.zeros((count, rows.shape[1]))
    np.add.at(found, classes, rows)
    return found
