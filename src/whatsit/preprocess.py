"""From a picture to the model's input tensor: the rule as a value, and what runs it.

A rule is written like `crop(0.875, bicubic)`, is stored in the bundle in that form, and cuts and
resizes in one step, so that no picture is resized twice.

- `crop(fraction, filter)`: the largest centred part of the input's shape, `fraction` of its size.
- `stretch(filter)`: the whole picture, its aspect ratio given up.
- `pad(filter)`: the whole picture, its aspect ratio kept, grey bars at the shorter side.

The filters bilinear, bicubic, lanczos and box are Pillow's antialiased ones. `legacy-bilinear` is
that of MediaPipe Tasks, to the last bit, and of the first TensorFlow: two taps an axis, no
antialiasing, sampled at left + x * scale without an offset of half a pixel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, cast, get_args

import numpy as np

from .errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

Mode = Literal["crop", "stretch", "pad"]
Filter = Literal["bilinear", "bicubic", "lanczos", "box", "legacy-bilinear"]
Region = tuple[float, float, float, float]
_Side = TypeVar("_Side", int, float)

_DEFAULT_FILTERS: dict[Mode, Filter] = {
    "crop": "bicubic",
    "stretch": "legacy-bilinear",  # what MediaPipe runs
    "pad": "bicubic",
}
_SMALLEST_FRACTION, _SMALLEST_REGION = 0.01, 1e-6  # thinner ones vanish when they are rounded
_PAD_LEVEL = 127  # the middle of 0…255: nearly zero once the mean is taken off
_SPEC = re.compile(r"(?P<mode>[a-z]+)(?:\((?P<arguments>[^()]*)\))?")
_EXPECTED = "crop, crop(0.875), crop(0.875, bicubic), stretch, stretch(bilinear) or pad"

# Scaled decoding leaves at least this many pixels, a side, for one of the input: less, and what
# the decoder blurs would show. 12 megapixels are then decoded at 1/8 for an input of 224.
_KEPT_PIXELS = 1.4


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture is cut and resized. `fraction` counts for crop alone."""

    mode: Mode
    filter: Filter
    fraction: float = 1.0

    def __post_init__(self) -> None:
        known = self.mode in get_args(Mode) and self.filter in get_args(Filter)
        if not known or not _SMALLEST_FRACTION <= self.fraction <= 1.0:
            raise _bad_spec(str(self))

    def __str__(self) -> str:
        if self.mode == "crop":
            return f"crop({self.fraction:.12g}, {self.filter})"
        return f"{self.mode}({self.filter})"

    @classmethod
    def parse(cls, spec: str) -> Preprocess:
        """The rule that `spec` writes. Raises UsageError for anything else."""
        match = _SPEC.fullmatch(spec.strip())
        if match is None or match["mode"] not in get_args(Mode):
            raise _bad_spec(spec)
        mode = cast(Mode, match["mode"])
        words = [word.strip() for word in (match["arguments"] or "").split(",") if word.strip()]
        filters = [word for word in words if word in get_args(Filter)]
        fractions = [_fraction(word, spec) for word in words if word not in filters]
        if len(filters) > 1 or len(fractions) > (1 if mode == "crop" else 0):
            raise _bad_spec(spec)
        name = cast(Filter, filters[0]) if filters else _DEFAULT_FILTERS[mode]
        return cls(mode, name, *fractions)

    def shrink(
        self,
        size: tuple[int, int],
        target: tuple[int, int],
        region: Region | None = None,
        rotation: int = 0,
    ) -> float:
        """How many times smaller than `size` (h, w) a picture may be decoded for `target`."""
        if self.filter == "legacy-bilinear":
            return 1.0  # it takes single pixels: those of a smaller picture would be others
        left, top, right, bottom = _box((0.0, 0.0, size[1], size[0]), region)
        height, width = _unturned(target, _turns(rotation))
        scale_y, scale_x = (bottom - top) / height, (right - left) / width
        if self.mode == "pad":
            scale = max(scale_y, scale_x)
        else:
            scale = min(scale_y, scale_x) * self.fraction
        return scale / _KEPT_PIXELS


def _fraction(argument: str, spec: str) -> float:
    try:
        fraction = float(argument)
    except ValueError:
        raise _bad_spec(spec) from None
    if not _SMALLEST_FRACTION <= fraction <= 1.0:
        raise _bad_spec(spec)
    return fraction


def _bad_spec(spec: str) -> UsageError:
    return UsageError(
        f"{spec!r} is not a preprocessing rule",
        expected=_EXPECTED,
        hint=f"filters: {', '.join(get_args(Filter))}; fractions: {_SMALLEST_FRACTION:g} to 1",
    )


def run(
    spec: Preprocess,
    image: Image.Image,
    height_width: tuple[int, int],
    *,
    within: Region | None = None,
    region: Region | None = None,
    rotation: int = 0,
) -> NDArray[np.uint8]:
    """Cuts and resizes an RGB image to uint8 (1, h, w, 3).

    `within` is the part of the image, in its pixels, that the picture covers (default: all).
    `region` is (left, top, right, bottom) as fractions of the upright picture; `rotation` turns
    that region clockwise by a multiple of 90 degrees, before the rule is applied.
    """
    turns = _turns(rotation)
    box = _box(within or (0.0, 0.0, image.width, image.height), region)
    if spec.mode == "crop":
        box = _centred(box, _unturned(height_width, turns), spec.fraction)
    if spec.mode == "pad":
        resized = _padded(spec, image, height_width, box, turns)
    else:
        resized = _resample(spec.filter, image, height_width, box, turns)
    return np.asarray(resized)[np.newaxis]  # (h, w, 3) → (1, h, w, 3)


@dataclass(frozen=True, slots=True)
class Placement:
    """What became of a picture: its part `box` became the part `inner` of the model's input.

    Both are left, top, right, bottom as fractions: `box` of the upright picture, `inner` of the
    input, after `turns` quarter turns clockwise.
    """

    box: Region
    inner: Region
    turns: int


def place(
    spec: Preprocess,
    size: tuple[int, int],
    height_width: tuple[int, int],
    *,
    region: Region | None = None,
    rotation: int = 0,
) -> Placement:
    """Where `run` takes the input of `height_width` from, of a picture of `size` (h, w)."""
    turns, (high, wide) = _turns(rotation), size
    box = _box((0.0, 0.0, wide, high), region)
    if spec.mode == "crop":
        box = _centred(box, _unturned(height_width, turns), spec.fraction)
    inner: Region = (0.0, 0.0, 1.0, 1.0)
    if spec.mode == "pad":
        height, width = height_width
        top, left, inner_height, inner_width = _bars(box, height_width, turns)
        inner = (
            left / width,
            top / height,
            (left + inner_width) / width,
            (top + inner_height) / height,
        )
    seen = (box[0] / wide, box[1] / high, box[2] / wide, box[3] / high)
    return Placement(seen, inner, turns)


def check_region(region: Region | None) -> None:
    """Raises UsageError unless 0 <= left < right <= 1, 0 <= top < bottom <= 1, none too thin."""
    if region is None:
        return
    if len(region) == 4:
        left, top, right, bottom = region
        inside = 0 <= left < right <= 1 and 0 <= top < bottom <= 1
        if inside and min(right - left, bottom - top) >= _SMALLEST_REGION:
            return
    raise UsageError(
        f"{region!r} is not a region",
        expected="left, top, right, bottom as fractions of the picture from 0 to 1",
        hint="the upper left quarter is (0, 0, 0.5, 0.5)",
    )


def check_rotation(rotation: int) -> None:
    """Raises UsageError unless `rotation` is a multiple of 90."""
    if rotation % 90:
        raise UsageError(
            f"cannot rotate by {rotation} degrees", expected="a multiple of 90, clockwise"
        )


def _box(picture: Region, region: Region | None) -> Region:
    """`region`, in fractions of `picture`, in the pixels that `picture` is given in."""
    if region is None:
        return picture
    start_x, start_y, end_x, end_y = picture
    width, height = end_x - start_x, end_y - start_y
    left, top, right, bottom = region
    # min: rounding must not carry the box over the border, which Pillow refuses.
    return (
        start_x + left * width,
        start_y + top * height,
        min(start_x + right * width, end_x),
        min(start_y + bottom * height, end_y),
    )


def _turns(rotation: int) -> int:
    """Quarter turns clockwise, 0 to 3."""
    return int(rotation // 90) % 4


def _unturned(height_width: tuple[_Side, _Side], turns: int) -> tuple[_Side, _Side]:
    """The shape of what has `height_width` after `turns` quarter turns."""
    height, width = height_width
    return (width, height) if turns % 2 else (height, width)


def _centred(box: Region, height_width: tuple[int, int], fraction: float) -> Region:
    """The largest part of `box` with the target's aspect ratio, centred, times `fraction`."""
    left, top, right, bottom = box
    height, width = height_width
    scale = min((right - left) / width, (bottom - top) / height) * fraction
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    half_x, half_y = width * scale / 2, height * scale / 2
    # max and min: rounding must not carry the box over the border, which Pillow refuses.
    return (
        max(left, middle_x - half_x),
        max(top, middle_y - half_y),
        min(right, middle_x + half_x),
        min(bottom, middle_y + half_y),
    )


def _resample(
    name: Filter, image: Image.Image, height_width: tuple[int, int], box: Region, turns: int
) -> Image.Image:
    """`box` of the picture, resized and turned so that it has the shape `height_width`."""
    from PIL import Image as PillowImage

    if name == "legacy-bilinear":
        return _resample_legacy(image, height_width, box, turns)
    height, width = _unturned(height_width, turns)
    resized = image.resize((width, height), PillowImage.Resampling[name.upper()], box=box)
    # Pillow counts its turns counter-clockwise.
    turn = {1: "ROTATE_270", 2: "ROTATE_180", 3: "ROTATE_90"}.get(turns)
    return resized if turn is None else resized.transpose(PillowImage.Transpose[turn])


def _resample_legacy(
    image: Image.Image, height_width: tuple[int, int], box: Region, turns: int
) -> Image.Image:
    """Two taps an axis, sampled at left + x * scale, counted from the centre of the first pixel.

    The same as MediaPipe to the last bit: positions in 1/32 of a pixel, as its OpenCV has them,
    the border repeated, a turned picture sampled from the corner that becomes the upper left.
    """
    from PIL import Image as PillowImage

    height, width = _unturned(height_width, turns)
    left, top, right, bottom = box
    pixels = np.asarray(image)  # (H, W, 3)
    x0, x1, part_x = _taps(left, right, width, pixels.shape[1], backwards=turns in (2, 3))
    y0, y1, part_y = _taps(top, bottom, height, pixels.shape[0], backwards=turns in (1, 2))
    part_x, part_y = part_x[:, np.newaxis], part_y[:, np.newaxis, np.newaxis]
    upper, lower = pixels[y0].astype(np.int32), pixels[y1].astype(np.int32)  # (height, W, 3)
    above = upper[:, x0] * (32 - part_x) + upper[:, x1] * part_x  # (height, width, 3)
    below = lower[:, x0] * (32 - part_x) + lower[:, x1] * part_x
    levels = (above * (32 - part_y) + below * part_y + 512) // 1024
    return PillowImage.fromarray(np.ascontiguousarray(np.rot90(levels.astype(np.uint8), -turns)))


def _taps(
    start: float, end: float, count: int, size: int, *, backwards: bool
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """For each of `count` samples from `start` to `end`: two pixels of `size`, the second's weight.

    The weight is in 1/32. Counted backwards, samples lie at the far end of their step.
    """
    positions = start + (np.arange(count) + int(backwards)) * ((end - start) / count)
    fixed = np.rint(positions * 32).astype(np.int32)
    first = fixed >> 5
    last = size - 1
    return np.minimum(first, last), np.minimum(first + 1, last), fixed & 31


def _padded(
    spec: Preprocess, image: Image.Image, height_width: tuple[int, int], box: Region, turns: int
) -> Image.Image:
    from PIL import Image as PillowImage

    height, width = height_width
    top, left, *inner = _bars(box, height_width, turns)
    canvas = PillowImage.new("RGB", (width, height), (_PAD_LEVEL,) * 3)
    canvas.paste(_resample(spec.filter, image, (inner[0], inner[1]), box, turns), (left, top))
    return canvas


def _bars(box: Region, height_width: tuple[int, int], turns: int) -> tuple[int, int, int, int]:
    """Where the picture lies between the bars of the input: top, left, height, width in pixels."""
    height, width = height_width
    left, top, right, bottom = box
    box_height, box_width = _unturned((bottom - top, right - left), turns)
    scale = max(box_width / width, box_height / height)
    inner = max(1, round(box_height / scale)), max(1, round(box_width / scale))
    return (height - inner[0]) // 2, (width - inner[1]) // 2, *inner
