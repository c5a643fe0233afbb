"""A picture as it might have been taken as well: nearer, elsewhere, wider, mirrored.

Each is decided by seed, epoch and row alone, so that training can go on where it was cut off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ... import images, preprocess
from ...preprocess import Preprocess, Region

_SMALLEST = 0.35  # part of the picture's area that is looked at
_NARROWEST = 3 / 4  # width by height, and height by width
_STRETCH = Preprocess("stretch", "bicubic")


@dataclass(frozen=True, slots=True)
class View:
    """What part of a picture is taken, by four numbers in [0, 1), and whether it is mirrored."""

    area: float
    shape: float
    left: float
    top: float
    mirrored: bool

    @classmethod
    def drawn(cls, seed: int, epoch: int, row: int) -> View:
        """The same for the same three numbers."""
        chance = np.random.default_rng((seed % 2**32, epoch, row)).random(5)
        area, shape, left, top, side = map(float, chance)
        return cls(area, shape, left, top, side < 0.5)

    def region(self, height: int, width: int) -> Region:
        """Left, top, right, bottom as fractions of a picture of this size."""
        area = (_SMALLEST + self.area * (1 - _SMALLEST)) * height * width
        aspect = math.exp((2 * self.shape - 1) * -math.log(_NARROWEST))
        wide = min(1.0, math.sqrt(area * aspect) / width)
        high = min(1.0, math.sqrt(area / aspect) / height)
        left, top = self.left * (1 - wide), self.top * (1 - high)
        return left, top, min(1.0, left + wide), min(1.0, top + high)


def seen(path: str, view: View, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture at `path` in this view, (h, w, 3) of `size`. Raises InputError."""
    image = images.open_image(
        path, shrink=lambda h, w: _STRETCH.shrink((h, w), size, view.region(h, w))
    )
    left, top, right, bottom = images.covered(image)
    region = view.region(max(1, round(bottom - top)), max(1, round(right - left)))
    pixels = preprocess.run(_STRETCH, image, size, within=(left, top, right, bottom), region=region)
    found: NDArray[np.uint8] = pixels[0, :, ::-1] if view.mirrored else pixels[0]
    return found
