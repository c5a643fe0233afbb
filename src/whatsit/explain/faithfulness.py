"""Does the map tell the truth? What it calls important is taken away, and the score must fall.

Deletion: cell by cell of the map, the strongest first, the picture gives way to a blurred copy of
itself, and the score of the class is watched. Insertion: the blurred copy gets the cells of the
picture back in the same order. A faithful map makes the score fall and rise sooner than a random
order does; the areas under the curves say by how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

if TYPE_CHECKING:
    from .values import Explanation

Pixels: TypeAlias = "NDArray[np.uint8]"  # (1, h, w, 3)
Score: TypeAlias = Callable[[Pixels], float]
Curve: TypeAlias = tuple[float, ...]

_STEPS = 12  # of a curve: each takes a run of the model
_BLUR = 1 / 8  # of the shorter side, as the radius: shapes go, colours stay
_MOST_ORDERS = 1000


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """The score of the target after each step, by the map and in the mean of random orders.

    `shares` are how much of the picture has been taken away or put back. `deletion_wins` of the
    random `orders` have a larger area under their curve than the map has, `insertion_wins` a
    smaller one: of a map that says nothing, half of them would.
    """

    shares: Curve
    deletion: Curve
    insertion: Curve
    random_deletion: Curve
    random_insertion: Curve
    orders: int
    deletion_wins: int
    insertion_wins: int

    @property
    def areas(self) -> Mapping[str, float]:
        """The mean score on the way, curve by curve: the area under it, from 0 to 1."""
        return {
            "deletion": _area(self.shares, self.deletion),
            "insertion": _area(self.shares, self.insertion),
            "random_deletion": _area(self.shares, self.random_deletion),
            "random_insertion": _area(self.shares, self.random_insertion),
        }

    def to_json(self) -> dict[str, Any]:
        """The curves and the areas under them."""
        curves = {
            "deletion": self.deletion,
            "insertion": self.insertion,
            "random_deletion": self.random_deletion,
            "random_insertion": self.random_insertion,
        }
        return {
            "orders": self.orders,
            "deletion_wins": self.deletion_wins,
            "insertion_wins": self.insertion_wins,
            "areas": {name: round(area, 4) for name, area in self.areas.items()},
            "shares": [round(share, 4) for share in self.shares],
            "curves": {name: [round(y, 4) for y in curve] for name, curve in curves.items()},
        }


def measured(explanation: Explanation, score: Score, *, orders: int, seed: int) -> Faithfulness:
    """The curves of an explanation against `orders` random orders; `score` runs the model."""
    if not 1 <= orders <= _MOST_ORDERS:
        raise UsageError(f"{orders} random orders", expected=f"from 1 to {_MOST_ORDERS}")
    values, sharp = explanation.target.values, explanation.pixels
    blurred, random = _blurred(sharp), np.random.default_rng(seed)
    ends = _ends(values.size)

    def curves(order: NDArray[np.intp]) -> tuple[list[float], list[float]]:
        masks = [_mask(order[:end], values.shape, sharp.shape[1:3]) for end in ends]
        return (
            [score(np.where(mask, blurred, sharp)) for mask in masks],
            [score(np.where(mask, sharp, blurred)) for mask in masks],
        )

    deletion, insertion = curves(np.argsort(-values, axis=None, kind="stable"))
    drawn = np.array([curves(random.permutation(values.size)) for _ in range(orders)])
    random_deletion, random_insertion = drawn.mean(0)  # (orders, 2, steps) → (2, steps)
    shares = tuple(end / values.size for end in ends)
    areas = np.array([[_area(shares, curve) for curve in pair] for pair in drawn])  # (orders, 2)
    return Faithfulness(
        shares,
        tuple(deletion),
        tuple(insertion),
        tuple(map(float, random_deletion)),
        tuple(map(float, random_insertion)),
        orders,
        int((areas[:, 0] > _area(shares, deletion)).sum()),
        int((areas[:, 1] < _area(shares, insertion)).sum()),
    )


def _ends(cells: int) -> list[int]:
    """How many cells have changed after each step, from none to all."""
    steps = min(_STEPS, cells)
    return [round(step * cells / steps) for step in range(steps + 1)]


def _mask(
    cells: NDArray[np.intp], grid: tuple[int, ...], height_width: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Which pixels (1, h, w, 1) lie in one of the `cells` of a grid."""
    chosen = np.zeros(grid, np.bool_)
    chosen.reshape(-1)[cells] = True
    rows, columns = (
        np.arange(side) * count // side for side, count in zip(height_width, grid, strict=True)
    )
    return chosen[rows[:, np.newaxis], columns][np.newaxis, :, :, np.newaxis]


def _blurred(pixels: Pixels) -> Pixels:
    from PIL import Image, ImageFilter

    image = Image.fromarray(pixels[0])
    return np.asarray(image.filter(ImageFilter.GaussianBlur(_BLUR * min(image.size))))[np.newaxis]


def _area(shares: Sequence[float], curve: Sequence[float]) -> float:
    """The area under a curve from 0 to 1 (trapezoids)."""
    x, y = np.array(shares), np.array(curve)
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())
