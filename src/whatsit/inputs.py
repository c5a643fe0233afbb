"""The way of one picture up to the engine: opened, cut and resized, made the input of a model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import images, preprocess
from .bundle import Bundle, InputSpec
from .preprocess import Preprocess, Region

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

    from .images import ImageSource


@dataclass(frozen=True, slots=True)
class Input:
    """The input tensor (1, h, w, 3), the pixels it is made of, both of them the same for uint8.

    And how long `decode` and `preprocess` took.
    """

    batch: NDArray[Any]
    pixels: NDArray[np.uint8]
    timings_ms: dict[str, float]


def read(
    source: ImageSource,
    bundle: Bundle,
    rule: Preprocess,
    *,
    region: Region | None = None,
    rotation: int = 0,
    show: Callable[[Image.Image], None] | None = None,
) -> Input:
    """What `bundle` is to be given of a picture by this rule. Raises InputError for a bad one.

    `show` is called with the picture as images.open_image gave it.
    """
    target = (bundle.input.height, bundle.input.width)

    def shrink(height: int, width: int) -> float:
        return rule.shrink((height, width), target, region, rotation)

    start = time.perf_counter()
    image = images.open_image(source, shrink=shrink)
    decoded = time.perf_counter()
    if show is not None:
        show(image)
    within = images.covered(image)
    pixels = preprocess.run(rule, image, target, within=within, region=region, rotation=rotation)
    batch = tensor(bundle.input, pixels)
    done = time.perf_counter()
    timings_ms = {"decode": (decoded - start) * 1e3, "preprocess": (done - decoded) * 1e3}
    return Input(batch, pixels, timings_ms)


def tensor(spec: InputSpec, pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """What an engine takes: pixels (1, h, w, 3) for uint8, (pixels - mean) / std for float32."""
    if spec.dtype == "uint8":
        return pixels
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    return (pixels.astype(np.float32) - mean) / std
