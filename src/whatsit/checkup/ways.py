"""The way of one picture with every turn that other programs take: cut, filter, colours, range.

A `Way` is a value; `Picture.pixels` runs its first half, from the file to uint8 pixels, and `batch`
its second, from pixels to the input tensor.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import images, preprocess
from .._metadata import Metadata, TensorInfo
from ..preprocess import Preprocess, Region
from .resizing import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from ..images import ImageSource

    Pixels = NDArray[np.uint8]

Mode = Literal["crop", "stretch", "pad"]
# How a program gets to the same cut: `own` as this package does it; `exact` from all pixels of the
# picture; `whole-*` from a box of whole pixels; `first-*` by resizing before it cuts.
Steps = Literal["own", "exact", "whole", "whole-round", "first", "first-floor"]
STEPS: tuple[Steps, ...] = ("own", "exact", "whole", "whole-round", "first", "first-floor")

_ORIENTATION = 0x0112  # of EXIF
_UNTURN = {  # what undoes the transposition of images.open_image
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_90",
    7: "TRANSVERSE",
    8: "ROTATE_270",
}
_KEPT = 48  # made pixels of one picture, since several ways differ only behind them


@dataclass(frozen=True, slots=True)
class Range:
    """What is done to pixels: (p - means) / stds, one or three of each, and what comes of it.

    `kind` is `plain`; or `wrapped`, numbers cut to 8 bits as a cast does; or `shifted`, pixels less
    128 taken for pixels, with `clipped` where they are cut at 0 instead of going round.
    """

    means: tuple[float, ...] = (0.0,)
    stds: tuple[float, ...] = (1.0,)
    kind: Literal["plain", "wrapped", "shifted", "clipped"] = "plain"

    @classmethod
    def said(cls, tensor: TensorInfo | None, about: Metadata) -> Range | None:
        """The mean and std that metadata give a float input, where they can be applied."""
        means, stds = about.mean, about.std
        if tensor is None or tensor.dtype != "float32" or len(means) not in (1, 3):
            return None
        return cls(means, stds) if len(means) == len(stds) and all(stds) else None


@dataclass(frozen=True, slots=True)
class Way:
    """How a picture becomes the input of a model. `range` None is the model's own."""

    mode: Mode
    filter: str
    fraction: float = 1.0
    fill: int = 127
    steps: Steps = "own"
    exif: bool = True
    turns: int = 0  # quarter turns clockwise, of the upright picture
    mirrored: bool = False
    colours: Literal["rgb", "bgr", "grey", "inverted"] = "rgb"
    range: Range | None = None

    @classmethod
    def of(cls, rule: Preprocess) -> Way:
        """The way of a model's own rule."""
        return cls(rule.mode, rule.filter, rule.fraction)


class Picture:
    """A picture to try ways on. Raises an InputError for one that cannot be read."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source
        self.name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""
        self._upright = images.open_image(source)
        self.orientation = orientation(source)
        self._made: OrderedDict[Any, Pixels] = OrderedDict()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upright picture."""
        return self._upright.height, self._upright.width

    @property
    def grey(self) -> bool:
        """Whether it has no colours."""
        pixels = np.asarray(self._upright)[::4, ::4].astype(np.int16)
        return bool(np.abs(pixels - pixels.mean(axis=2, keepdims=True)).max() < 2)

    def pixels(self, way: Way, height_width: tuple[int, int]) -> Pixels:
        """uint8 RGB (1, h, w, 3), cut and resized; `colours` and `range` are yet to come."""
        key = (
            way.mode,
            way.filter,
            way.fraction,
            way.fill,
            way.steps,
            way.exif,
            way.turns % 4,
            way.mirrored,
            height_width,
        )
        if key not in self._made:
            self._made[key] = self._cut(way, height_width)
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return self._made[key]

    def _cut(self, way: Way, height_width: tuple[int, int]) -> Pixels:
        plain = way.exif and way.turns % 4 == 0 and not way.mirrored
        if way.steps == "own" and plain and way.filter in _OURS:
            rule = Preprocess(way.mode, way.filter, way.fraction)  # type: ignore[arg-type]

            def shrink(height: int, width: int) -> float:
                return rule.shrink((height, width), height_width)

            image = images.open_image(self._source, shrink=shrink)
            if way.fraction == 1.0 or way.mode == "crop":
                within = images.covered(image)
                return preprocess.run(rule, image, height_width, within=within)
        return _cut(self._turned(way), way, height_width)

    def _turned(self, way: Way) -> Image.Image:
        from PIL import Image

        image = self._upright
        if not way.exif and self.orientation in _UNTURN:
            image = image.transpose(Image.Transpose[_UNTURN[self.orientation]])
        for _ in range(way.turns % 4):
            image = image.transpose(Image.Transpose.ROTATE_270)
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if way.mirrored else image


_OURS = frozenset({"bilinear", "bicubic", "lanczos", "box", "legacy-bilinear"})


def orientation(source: ImageSource) -> int:
    """The EXIF orientation of a picture, 1 to 8; 1 where there is none."""
    from PIL import Image

    try:
        if isinstance(source, Image.Image):
            value = source.getexif().get(_ORIENTATION, 1)
        elif isinstance(source, (str, os.PathLike)):
            with Image.open(source) as image:
                value = image.getexif().get(_ORIENTATION, 1)
        else:
            return 1
    except Exception:  # damaged EXIF fails in many ways, and counts as none
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _cut(image: Image.Image, way: Way, height_width: tuple[int, int]) -> Pixels:
    if way.mode == "pad":
        return _padded(image, way, height_width)
    if way.mode == "crop" and way.steps in ("first", "first-floor"):
        return _cut_last(image, way, height_width)
    box = _box(image, way, height_width)
    if way.steps in ("whole", "whole-round") and way.mode == "crop":
        # Cut first: Pillow's filters read beyond a box where there are pixels.
        image = image.crop(_whole(box, image, rounded=way.steps == "whole-round"))
        box = (0.0, 0.0, float(image.width), float(image.height))
    return np.asarray(resized(image, way.filter, box, height_width))[np.newaxis]


def _box(image: Image.Image, way: Way, height_width: tuple[int, int]) -> Region:
    """The centred part that is looked at: of the input's shape for crop, of all for stretch."""
    width, height = image.size
    if way.mode == "stretch":
        side_x, side_y = width * way.fraction, height * way.fraction
    else:
        scale = min(width / height_width[1], height / height_width[0]) * way.fraction
        side_x, side_y = height_width[1] * scale, height_width[0] * scale
    left, top = (width - side_x) / 2, (height - side_y) / 2
    return max(0.0, left), max(0.0, top), min(width, left + side_x), min(height, top + side_y)


def _whole(box: Region, image: Image.Image, *, rounded: bool) -> tuple[int, int, int, int]:
    """The box of whole pixels that programs take in its place."""
    left, top, right, bottom = box
    sides = [right - left, bottom - top]
    width, height = (max(1, round(side) if rounded else int(side)) for side in sides)
    x, y = (image.width - width) / 2, (image.height - height) / 2
    x, y = (round(x), round(y)) if rounded else (int(x), int(y))
    return x, y, min(image.width, x + width), min(image.height, y + height)


def _cut_last(image: Image.Image, way: Way, height_width: tuple[int, int]) -> Pixels:
    """Resized until the shorter side fits, then cut: as torchvision and Keras do it."""
    height, width = height_width
    goal = round(height / way.fraction), round(width / way.fraction)
    scale = max(goal[0] / image.height, goal[1] / image.width)
    sides = [max(goal[0], int(image.height * scale)), max(goal[1], int(image.width * scale))]
    whole = (0.0, 0.0, float(image.width), float(image.height))
    larger = np.asarray(resized(image, way.filter, whole, (sides[0], sides[1])))
    spare = [(sides[0] - height) / 2, (sides[1] - width) / 2]
    top, left = (int(s) if way.steps == "first-floor" else round(s) for s in spare)
    return larger[np.newaxis, top : top + height, left : left + width]


def _padded(image: Image.Image, way: Way, height_width: tuple[int, int]) -> Pixels:
    height, width = height_width
    scale = min(height / image.height, width / image.width)
    inner = max(1, round(image.height * scale)), max(1, round(image.width * scale))
    canvas = np.full((1, height, width, 3), way.fill, np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    whole = (0.0, 0.0, float(image.width), float(image.height))
    canvas[0, top : top + inner[0], left : left + inner[1]] = np.asarray(
        resized(image, way.filter, whole, inner)
    )
    return canvas


def batch(way: Way, pixels: Pixels, tensor: TensorInfo, own: Range | None) -> NDArray[Any]:
    """The input tensor of pixels (1, h, w, 3), channels last. `own` is the model's mean and std.

    A uint8 input takes pixels as they are, an int8 one pixels less 128.
    """
    coloured = _coloured(way, pixels)
    chosen = way.range
    if chosen is not None and chosen.kind != "plain":
        return _odd(chosen, coloured, tensor)
    if tensor.dtype == "float32":
        return _real(chosen or own or Range(), coloured)
    shift = 128 if tensor.dtype == "int8" else 0
    if chosen is None or tensor.scale is None:
        moved: NDArray[Any] = (coloured.astype(np.int16) - shift).astype(tensor.dtype)
        return moved
    steps = np.rint(_real(chosen, coloured) / tensor.scale + tensor.zero_point)
    clipped: NDArray[Any] = np.clip(steps, -shift, 255 - shift).astype(tensor.dtype)
    return clipped


def _coloured(way: Way, pixels: Pixels) -> Pixels:
    if way.colours == "bgr":
        return pixels[..., ::-1]
    if way.colours == "grey":
        grey = pixels @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as programs have it
        return np.repeat(np.rint(grey).astype(np.uint8)[..., np.newaxis], 3, axis=3)
    return 255 - pixels if way.colours == "inverted" else pixels


def _real(chosen: Range, pixels: Pixels) -> NDArray[np.float32]:
    means, stds = np.array(chosen.means, np.float32), np.array(chosen.stds, np.float32)
    real: NDArray[np.float32] = (pixels.astype(np.float32) - means) / stds
    return real


def _odd(chosen: Range, pixels: Pixels, tensor: TensorInfo) -> NDArray[Any]:
    """Pixels that went through a wrong type on the way to an input of 8 bits or of floats."""
    if chosen.kind == "wrapped":
        return _real(chosen, pixels).astype(np.int64).astype(np.uint8).astype(tensor.dtype)
    if tensor.dtype == "int8":  # pixels of 8 bits taken for signed ones
        return (
            pixels.view(np.int8) if chosen.kind == "shifted" else pixels.clip(0, 127).view(np.int8)
        )
    if chosen.kind == "shifted":  # signed ones taken for pixels
        return (pixels ^ np.uint8(128)).astype(tensor.dtype)
    return np.clip(pixels.astype(np.int16) - 128, 0, 255).astype(tensor.dtype)
