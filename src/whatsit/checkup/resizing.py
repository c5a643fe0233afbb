"""Every way in which programs make a picture smaller, beyond the filters of our own rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .. import preprocess
from ..preprocess import Preprocess, Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# name → in words. Those of Pillow go by its own names; -plain ones take only the nearest pixels.
FILTERS = {
    "bilinear": "bilinear with antialiasing (Pillow)",
    "bicubic": "bicubic with antialiasing (Pillow)",
    "lanczos": "Lanczos (Pillow)",
    "box": "mean of the area (box, INTER_AREA)",
    "hamming": "Hamming (Pillow)",
    "nearest": "nearest neighbour",
    "nearest-corner": "nearest neighbour from the corner (OpenCV, first TensorFlow)",
    "bilinear-plain": "bilinear without antialiasing (OpenCV, TensorFlow, PyTorch)",
    "bicubic-plain": "bicubic without antialiasing (OpenCV, PyTorch)",
    "bicubic-keys": "bicubic without antialiasing (TensorFlow)",
    "legacy-bilinear": "bilinear of MediaPipe and of the first TensorFlow",
    "bilinear-corners": "bilinear with aligned corners",
}
_OF_PILLOW = frozenset({"bilinear", "bicubic", "lanczos", "box", "hamming", "nearest"})
_CUBIC = {"bicubic-plain": -0.75, "bicubic-keys": -0.5}  # the free parameter of the kernel


def resized(
    image: Image.Image, name: str, box: Region, height_width: tuple[int, int]
) -> Image.Image:
    """`box` of the image, resized by the filter of that name."""
    height, width = height_width
    if name in _OF_PILLOW:
        return image.resize((width, height), Image.Resampling[name.upper()], box=box)
    if name == "legacy-bilinear":
        rule = Preprocess("stretch", "legacy-bilinear")
        return Image.fromarray(preprocess.run(rule, image, height_width, within=box)[0])
    pixels = np.asarray(image)  # (H, W, 3)
    left, top, right, bottom = box
    rows, row_weights = _taps(name, top, bottom, height, pixels.shape[0])
    columns, column_weights = _taps(name, left, right, width, pixels.shape[1])
    narrow = np.einsum("hkwc,hk->hwc", pixels[rows].astype(np.float32), row_weights)
    small = np.einsum("hwkc,wk->hwc", narrow[:, columns], column_weights)  # (h, w, 3)
    return Image.fromarray(np.clip(np.rint(small), 0, 255).astype(np.uint8))


def _taps(
    name: str, start: float, end: float, count: int, size: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For each of `count` samples the pixels (count, k) that it takes, and their weights."""
    places = np.arange(count, dtype=np.float64)
    scale = (end - start) / count
    if name == "nearest-corner":
        first = np.floor(start + places * scale).astype(np.intp)
        return _inside(first[:, None], size), np.ones((count, 1), np.float32)
    if name == "bilinear-corners":
        at: Floats = start + places * (end - start - 1) / max(1, count - 1)
    else:
        at = start + (places + 0.5) * scale - 0.5
    first = np.floor(at).astype(np.intp)
    part: Floats = at - first
    if name in _CUBIC:
        distances = part[:, None] - np.arange(-1, 3)  # (count, 4)
        cubic: Floats = _cubic(np.abs(distances), _CUBIC[name])
        return _inside(first[:, None] + np.arange(-1, 3), size), cubic.astype(np.float32)
    linear = np.stack([1 - part, part], axis=1).astype(np.float32)
    return _inside(first[:, None] + np.arange(2), size), linear


def _inside(places: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    return np.clip(places, 0, size - 1)


def _cubic(distance: Floats, a: float) -> Floats:
    """R. Keys, IEEE Transactions on Acoustics, Speech, and Signal Processing 29 (1981), 1153-60."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
