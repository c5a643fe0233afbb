"""A map of evidence, laid over the picture as people know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..preprocess import Placement

if TYPE_CHECKING:
    from ..preprocess import Region

Floats = NDArray[np.float32]

REGIONS = (
    *("upper left", "top", "upper right"),
    *("left", "centre", "right"),
    *("lower left", "bottom", "lower right"),
)
_BORDER = 3  # cells repeated around the map, since bicubic looks at two beyond each place
_FINE = 16  # places looked at within a cell, a side, for the peak
_THIRD = 32  # places looked at within a third of the picture, a side
_MOST_SIDE = 1024  # of the places for the peak: a map of many cells needs no finer ones
_FLAT = 1e-6  # of the largest value: a map that varies less has no peak


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """How much each place speaks for something (above 0) or against it, and where it lies.

    `values` (h, w) are as the model saw the picture, turned and with its bars; `placement` says how
    that came about. Between the middles of the cells the values run smoothly (bicubic).
    """

    values: Floats = field(repr=False)
    placement: Placement

    def __neg__(self) -> Evidence:
        """The same against it."""
        return Evidence(-self.values, self.placement)

    @property
    def peak(self) -> tuple[float, float] | None:
        """Where most speaks for it: x and y as fractions of the upright picture.

        None where no place speaks for it, or all do alike.
        """
        box = self._over_box(*(min(_FINE * side, _MOST_SIDE) for side in self.values.shape))
        low, high = float(box.min()), float(box.max())
        if high <= 0 or high - low <= _FLAT * max(high, -low):
            return None
        row, column = np.unravel_index(int(box.argmax()), box.shape)
        left, top, right, bottom = self.placement.box
        x = left + (right - left) * (float(column) + 0.5) / box.shape[1]
        y = top + (bottom - top) * (float(row) + 0.5) / box.shape[0]
        return x, y

    @property
    def regions(self) -> Mapping[str, float]:
        """What share of all that speaks for it lies in each of the nine parts of the picture.

        They sum to 1, or to 0 where nothing speaks for it.
        """
        found = np.maximum(np.nan_to_num(self.on_picture(3 * _THIRD, 3 * _THIRD)), 0.0)
        ninths = found.reshape(3, _THIRD, 3, _THIRD).sum((1, 3))  # (3 thirds, 3 thirds)
        total = float(ninths.sum())
        shares = ninths.reshape(-1) / total if total > 0 else np.zeros(9)
        return dict(zip(REGIONS, map(float, shares), strict=True))

    def on_picture(self, height: int, width: int) -> Floats:
        """The values at each pixel (height, width) of the upright picture, NaN where nobody looked.

        The model looks at all of a picture only where its rule says so: `crop` leaves out the
        borders.
        """
        whole = np.full((height, width), np.nan, np.float32)
        left, top, right, bottom = pixels(self.placement.box, height, width)
        whole[top:bottom, left:right] = self._over_box(bottom - top, right - left)
        return whole

    def _over_box(self, height: int, width: int) -> Floats:
        """The values over the part of the upright picture that was looked at, (height, width)."""
        turns = self.placement.turns
        if turns % 2:
            height, width = width, height
        values = sampled(self.values, self.placement.inner, height, width)
        return np.ascontiguousarray(np.rot90(values, turns))  # against the clock, back again


def sampled(values: Floats, part: Region, height: int, width: int) -> Floats:
    """`part` (fractions: left, top, right, bottom) of a map, smoothly enlarged to (height, width).

    Its cells lie side by side over the whole. By their paddings, those of most networks would lie
    half a cell to one side; by where they answer to an object that is moved about they do not.
    """
    from PIL import Image

    rows, columns = values.shape
    left, top, right, bottom = part
    box = (
        _BORDER + left * columns,
        _BORDER + top * rows,
        _BORDER + right * columns,
        _BORDER + bottom * rows,
    )
    wider = Image.fromarray(np.pad(values.astype(np.float32), _BORDER, mode="edge"))
    return np.asarray(wider.resize((width, height), Image.Resampling.BICUBIC, box=box))


def pixels(box: Region, height: int, width: int) -> tuple[int, int, int, int]:
    """A part of a picture, given in fractions, in whole pixels, at least one a side."""
    left, top, right, bottom = box
    x, y = min(round(left * width), width - 1), min(round(top * height), height - 1)
    return x, y, max(round(right * width), x + 1), max(round(bottom * height), y + 1)
