"""What a taught model keeps of its pictures, so that a class can be added without them.

All embeddings, up to a number, along the directions in which they differ most, in 8 bits each. With
it, a class that is added costs the others 1.7 points on flowers (0.8 if all are taught anew); with
twenty to forty whole embeddings of each class, or the means and covariances, it cost three to nine.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelDamaged
from .head import Classes, Floats, one_thread

DIRECTIONS = 128
MOST_PICTURES = 2000
_MOST_VALUE, _MOST_COUNTED = 1e6, 10**12  # beyond them a record is damaged
_LEVELS = 127  # of int8, either side of 0
_MANY = 4  # times the directions: of so many pictures and values, not all are decomposed
_PASSES = 2

_Steps = NDArray[np.int8]


@dataclass(frozen=True)
class Memory:
    """Embeddings as mean (D,) + (points (N, R) * steps (R,)) @ directions (R, D), and classes (N,).

    `pictures` counts those that each class was taught from, which may be more than are kept.
    """

    mean: Floats
    directions: Floats
    steps: Floats
    points: _Steps
    classes: Classes
    pictures: tuple[int, ...]

    @classmethod
    def of(cls, vectors: Floats, classes: Classes) -> Memory:
        """The memory of embeddings (N, D); of very many, an even share of each class."""
        count = int(classes.max()) + 1
        mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        kept = even(classes, MOST_PICTURES)
        centred = (vectors[kept] - mean).astype(np.float64)
        with one_thread():
            directions = _rounded(_principal(centred, DIRECTIONS))
            along = centred @ np.linalg.pinv(directions.astype(np.float64))
        steps = np.maximum(np.abs(along).max(axis=0), 1e-6) / _LEVELS
        points = np.rint(along / steps).astype(np.int8)
        pictures = tuple(int(n) for n in np.bincount(classes, minlength=count))
        return cls(mean, directions, steps.astype(np.float32), points, classes[kept], pictures)

    def vectors(self) -> Floats:
        """The embeddings (N, D) that are remembered, as nearly as they are."""
        found: Floats = self.mean + self.along() @ self.directions
        return found

    def along(self) -> Floats:
        """Their places along the directions, (N, R)."""
        found: Floats = self.points * self.steps
        return found

    def project(self, vectors: Floats) -> Floats:
        """The places of other embeddings along the directions, (N, R)."""
        with one_thread():
            inverse = np.linalg.pinv(self.directions.astype(np.float64))
        found: Floats = ((vectors - self.mean) @ inverse).astype(np.float32)
        return found

    def with_class(self, vectors: Floats) -> Memory:
        """The memory with one more class of these embeddings; places beyond its scale are cut."""
        kept = vectors[:: 1 + len(vectors) // max(1, MOST_PICTURES // (len(self.pictures) + 1))]
        places = np.rint(self.project(kept) / self.steps)
        points = np.clip(places, -_LEVELS, _LEVELS).astype(np.int8)
        own = np.full(len(kept), len(self.pictures), np.int64)
        return Memory(
            self.mean,
            self.directions,
            self.steps,
            np.concatenate([self.points, points]),
            np.concatenate([self.classes, own]),
            (*self.pictures, len(vectors)),
        )

    def to_json(self) -> dict[str, Any]:
        """For the record: numbers as base64 of little-endian bytes."""
        scale = np.abs(self.directions).max(axis=1) / _LEVELS
        levels = np.rint(self.directions / scale[:, np.newaxis])
        return {
            "mean": _text(self.mean.astype("<f4")),
            "directions": _text(levels.astype(np.int8)),
            "directions_scale": _text(scale.astype("<f4")),
            "steps": _text(self.steps.astype("<f4")),
            "points": _text(self.points),
            "classes": _text(self.classes.astype("<u2")),
            "pictures": list(self.pictures),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Memory:
        """What `to_json` gave. Raises ModelDamaged for anything else."""
        try:
            mean = _array(value["mean"], "<f4")
            scale = _array(value["directions_scale"], "<f4")
            levels = _array(value["directions"], "i1").reshape(len(scale), len(mean))
            classes = _array(value["classes"], "<u2").astype(np.int64)
            points = _array(value["points"], "i1").reshape(len(classes), len(scale))
            pictures = tuple(int(count) for count in value["pictures"])
            steps = _array(value["steps"], "<f4")
            if len(steps) != len(scale) or not len(classes) or not len(scale) or not len(mean):
                raise ValueError("parts of different lengths")
            if min(steps.min(), scale.min()) <= 0:
                raise ValueError("steps that are not above 0")
            if max(np.abs(mean).max(), steps.max(), scale.max()) > _MOST_VALUE:
                raise ValueError("numbers that no embedding has")
            if not all(1 <= count <= _MOST_COUNTED for count in pictures):
                raise ValueError("counts of pictures that cannot be")
            if classes.max() >= len(pictures):
                raise ValueError("a class that is not there")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelDamaged(f"what the model remembers cannot be read: {error!r}") from error
        directions = (levels * scale[:, np.newaxis]).astype(np.float32)
        return cls(mean, directions, steps, points.astype(np.int8), classes, pictures)


def _principal(centred: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The directions (R, D) in which rows (N, D) differ most, the first the most."""
    pictures, width = centred.shape
    wide = width >= pictures
    if min(centred.shape) > _MANY * count:
        centred = _condensed(centred, count)
        wide = True
    squares, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    real = squares > 1e-9 * max(float(squares[-1]), 1e-12)
    if not real.any():  # all the same: any direction will do
        return np.eye(1, width)
    vectors = vectors[:, real][:, ::-1][:, :count]
    rows: NDArray[np.float64] = vectors.T @ centred if wide else vectors.T
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _condensed(centred: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """A few rows (K, D) that vary as all of them do, as to the `count` first directions.

    After N. Halko, P. G. Martinsson and J. A. Tropp, SIAM Review 53 (2011), 217-288. To decompose
    the whole takes longer by far, for directions that are hardly any better.
    """
    chance = np.random.default_rng(0)
    sketch = centred @ chance.standard_normal((centred.shape[1], count + count // 8))
    for _ in range(_PASSES):
        sketch = centred @ (centred.T @ np.linalg.qr(sketch)[0])
    rows: NDArray[np.float64] = np.linalg.qr(sketch)[0].T @ centred
    return rows


def _rounded(directions: NDArray[np.float64]) -> Floats:
    """The directions as the record will hold them: places along them are then exact."""
    scale = (np.abs(directions).max(axis=1, keepdims=True) / _LEVELS).astype(np.float32)
    rounded: Floats = (np.rint(directions / scale) * scale).astype(np.float32)
    return rounded


def even(classes: Classes, most: int) -> NDArray[np.int64]:
    """Rows, at most about `most`, with the same share of each class, at least one."""
    if len(classes) <= most:
        return np.arange(len(classes))
    step = -(-len(classes) // most)
    ordered = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[ordered], np.arange(classes.max() + 1))
    within = np.arange(len(classes)) - starts[classes[ordered]]
    return np.sort(ordered[within % step == 0])


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _array(text: str, dtype: str) -> NDArray[Any]:
    values = np.frombuffer(base64.b64decode(text, validate=True), dtype)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("numbers that are not finite")
    return values
