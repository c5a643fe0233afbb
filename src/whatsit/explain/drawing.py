"""Draws a map over the picture, with a legend that says what the colours mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..lettering import built_in, cut, writable
from ..wording import percent, shown
from . import colours
from .evidence import Floats, pixels

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

    from .values import ClassMap, Explanation

Rgb: TypeAlias = "NDArray[np.uint8]"  # (H, W, 3)
Point: TypeAlias = "tuple[float, float]"

KINDS = ("target", "difference", "both")
_LEAST_SIDE, _MOST_SIDE = 480, 960  # pixels of the longer side: room for the letters; a screen
_LEAST_WIDTH = 280  # pixels: narrower ones have no room for the letters
_WIDE = 1.7  # width to height: two of such pictures stand on each other
_GAP = 16
_GROUND, _INK, _QUIET = (20, 23, 26), (236, 238, 240), (163, 172, 180)
_FIRST, _SECOND = (127, 190, 255), (255, 176, 96)  # the sides of a difference, as letters
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_COLOUR_LEFT = 0.3  # of the picture's own colours, where nothing speaks: the map's are to be seen
_DIM, _UNSEEN = 0.72, 0.32  # of its brightness, seen and not seen
_OPAQUE = 0.68  # of the map at its strongest: the picture still shows through
_SMOOTH = 4  # pixels a side that are drawn for each one of a ring
_WORTH = 0.15  # of the strongest: a weaker peak of a side of a difference is not marked
_NOTHING = 1e-9  # of a logit: keeps a map without values from being divided by 0
_FAINT = 0.06  # of the strongest: what is less is not drawn


def drawn(explanation: Explanation, kind: str) -> Image.Image:
    """Explanation.overlay."""
    if kind not in KINDS:
        raise UsageError(f"an overlay {kind!r}", expected=f"one of {', '.join(KINDS)}")
    if kind == "difference" and explanation.versus is None:
        raise UsageError(
            f"the difference of the only class {explanation.target.label!r}",
            expected="a model of two classes or more",
        )
    panels = []
    if kind != "difference":
        panels.append(_target_panel(explanation))
    if kind != "target" and explanation.versus is not None:
        panels.append(_difference_panel(explanation, explanation.versus))
    return _joined(panels)


def _target_panel(explanation: Explanation) -> Image.Image:
    picture = _sized(explanation.picture)
    values = explanation.evidence.on_picture(picture.height, picture.width)
    strength = _scaled(np.maximum(values, 0), values)
    image = _blended(picture, explanation, strength, colours.heat(np.nan_to_num(strength)))
    _mark(image, explanation.evidence.peak, _INK)
    image = _widened(image)
    legend, draw, letter = _legend(image)
    target = explanation.target
    title = f"Why {{}}  {percent(target.score)}"
    _write(draw, (letter, letter), title, target, image.width - 2 * letter, letter, _INK)
    _scale(legend, letter, colours.heat(np.linspace(0, 1, 256, dtype=np.float32)))
    _ends(draw, legend, letter, ("says nothing", "speaks for it"))
    return _stacked(image, legend)


def _difference_panel(explanation: Explanation, versus: ClassMap) -> Image.Image:
    picture, target = _sized(explanation.picture), explanation.target
    difference = explanation.difference
    assert difference is not None
    values = difference.on_picture(picture.height, picture.width)
    strength = _scaled(values, np.abs(values))
    image = _blended(picture, explanation, strength, colours.sides(np.nan_to_num(strength)))
    if float(np.nanmax(strength)) >= _WORTH:
        _mark(image, difference.peak, _FIRST)
    if float(np.nanmin(strength)) <= -_WORTH:
        _mark(image, (-difference).peak, _SECOND)
    image = _widened(image)
    legend, draw, letter = _legend(image)
    room = (image.width - 3 * letter) / 2
    for side, x, ink, anchor in ((target, letter, _FIRST, "l"), (versus, -letter, _SECOND, "r")):
        title = f"{{}}  {percent(side.score)}"
        _write(draw, (x % image.width, letter), title, side, room, letter, ink, anchor)
    _scale(legend, letter, colours.sides(np.linspace(1, -1, 256, dtype=np.float32)))
    _ends(draw, legend, letter, ("speaks for this", "speaks for that"))
    return _stacked(image, legend)


def _scaled(values: Floats, largest: Floats) -> Floats:
    """`values` in shares of the largest of the others, which gets the strongest colour."""
    return values / np.float32(max(float(np.nanmax(largest)), _NOTHING))


def _sized(picture: Image.Image) -> Image.Image:
    """The picture, as large as the panel is to be."""
    from PIL import Image

    longer = max(picture.size)
    scale = min(max(longer, _LEAST_SIDE), _MOST_SIDE) / longer
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _blended(
    picture: Image.Image, explanation: Explanation, strength: Floats, colour: Rgb
) -> Image.Image:
    """The picture, dimmed, under the map; `strength` (H, W) is NaN where the model did not look."""
    from PIL import Image

    own = np.asarray(picture, np.float32)  # (H, W, 3)
    grey = (own @ _GREY)[..., np.newaxis]
    ground = (grey + _COLOUR_LEFT * (own - grey)) * _DIM
    size = np.nan_to_num(np.abs(strength))[..., np.newaxis]
    # A soft start, or the edge of the map would look like one of the picture.
    cover = np.clip((size - _FAINT) / (1 - _FAINT), 0, 1) ** 0.75 * _OPAQUE
    mixed = ground * (1 - cover) + colour * cover
    unseen = np.isnan(strength)[..., np.newaxis]
    mixed = np.where(unseen, grey * _UNSEEN, mixed)
    image = Image.fromarray(np.rint(np.clip(mixed, 0, 255)).astype(np.uint8))
    if unseen.any():
        _frame(image, explanation)
    return image


def _frame(image: Image.Image, explanation: Explanation) -> None:
    """A thin line around what the model saw."""
    from PIL import ImageDraw

    left, top, right, bottom = pixels(explanation.placement.box, image.height, image.width)
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=_QUIET)


def _mark(image: Image.Image, peak: Point | None, ink: tuple[int, int, int]) -> None:
    """A ring around the peak, to be seen on any ground."""
    from PIL import Image, ImageDraw

    if peak is None:
        return
    radius = max(image.size) / 60
    side = round(2 * radius) + 8
    ring = Image.new("RGBA", (_SMOOTH * side, _SMOOTH * side))
    draw, middle = ImageDraw.Draw(ring), _SMOOTH * side / 2
    for width, colour in ((4.5, _GROUND), (2.0, ink)):
        far = _SMOOTH * (radius + width / 2)
        box = (middle - far, middle - far, middle + far, middle + far)
        draw.ellipse(box, outline=colour, width=round(_SMOOTH * width))
    ring = ring.resize((side, side), Image.Resampling.BOX)
    x, y = round(peak[0] * image.width - side / 2), round(peak[1] * image.height - side / 2)
    image.paste(ring, (x, y), ring)


def _widened(image: Image.Image) -> Image.Image:
    """A narrow picture in the middle of a ground that has room for the legend."""
    from PIL import Image

    if image.width >= _LEAST_WIDTH:
        return image
    ground = Image.new("RGB", (_LEAST_WIDTH, image.height), _GROUND)
    ground.paste(image, ((_LEAST_WIDTH - image.width) // 2, 0))
    return ground


def _legend(image: Image.Image) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    """An empty band as wide as the image, what draws on it, and the height of its letters."""
    from PIL import Image, ImageDraw

    letter = round(max(14, min(image.width / 26, max(image.size) / 34)))
    legend = Image.new("RGB", (image.width, round(4.9 * letter)), _GROUND)
    return legend, ImageDraw.Draw(legend), letter


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    side: ClassMap,
    room: float,
    letter: int,
    ink: tuple[int, int, int],
    anchor: str = "l",
) -> None:
    """A title with the class's label in it, which alone is cut where there is no room for all."""
    label, font = writable(shown(side.label), f"class {side.index}", letter)
    left = room - font.getlength(text.format(""))
    draw.text(at, text.format(cut(label, font, left)), ink, font, anchor=f"{anchor}m")


def _scale(legend: Image.Image, letter: int, ramp: Rgb) -> None:
    """The colours, side by side."""
    from PIL import Image

    strip = Image.fromarray(ramp[np.newaxis]).resize(
        (legend.width - 2 * letter, round(0.7 * letter)), Image.Resampling.BILINEAR
    )
    legend.paste(strip, (letter, 2 * letter))


def _ends(
    draw: ImageDraw.ImageDraw, legend: Image.Image, letter: int, words: tuple[str, str]
) -> None:
    """What the ends of the scale mean."""
    font, y = built_in(max(11, round(0.75 * letter))), round(3.6 * letter)
    draw.text((letter, y), words[0], _QUIET, font, anchor="lm")
    draw.text((legend.width - letter, y), words[1], _QUIET, font, anchor="rm")


def _stacked(*parts: Image.Image) -> Image.Image:
    """One below the other."""
    from PIL import Image

    whole = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)), _GROUND)
    y = 0
    for part in parts:
        whole.paste(part, (0, y))
        y += part.height
    return whole


def _joined(panels: list[Image.Image]) -> Image.Image:
    """The panels side by side, or on each other where they are wide."""
    from PIL import Image

    if len(panels) == 1:
        return panels[0]
    width, height = panels[0].size
    across = width < _WIDE * height
    step = (width + _GAP, 0) if across else (0, height)
    whole = Image.new("RGB", (width + step[0], height + step[1]), _GROUND)
    for number, panel in enumerate(panels):
        whole.paste(panel, (number * step[0], number * step[1]))
    return whole
