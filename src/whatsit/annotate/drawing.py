"""Draws labels on a picture, so that they can be read on any ground and in any language."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..lettering import built_in, cut, writable
from ..results import Prediction
from ..wording import shown

if TYPE_CHECKING:
    from PIL import Image

Rgb = NDArray[np.uint8]  # (H, W, 3)

_ROWS = 3  # labels: more would hide the picture
_LEAST_LETTER, _LETTER_SHARE = 12, 1 / 22  # of the shorter side: smaller ones cannot be read
_LETTERS = 18  # the width of the panel, in heights of a letter
_LEAST_LETTERS = 8  # a panel that is narrower has no room for numbers
_DARK, _BAR = (0, 0, 0, 180), (80, 150, 240, 255)
_WHITE, _GREY = (255, 255, 255, 255), (210, 210, 210, 255)


def drawn(rgb: Rgb, predictions: Sequence[Prediction]) -> Image.Image:
    """A copy of the picture with the best few predictions in its upper left corner."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(rgb))
    letter = _letter(image.size)
    fitting = max(1, image.height // (2 * _line(letter)))  # the lower half stays free
    rows = tuple((p.index, p.label, round(100 * p.score)) for p in predictions[:_ROWS][:fitting])
    if rows:
        panel, margin = _panel(rows, image.size), letter // 3
        image.paste(panel, (margin, margin), panel)
    return image


@functools.lru_cache(maxsize=8)  # what is steady is drawn once
def _panel(rows: tuple[tuple[int, str, int], ...], size: tuple[int, int]) -> Image.Image:
    """Class, label and percent of each row on a dark ground, for a picture of this size."""
    from PIL import Image, ImageDraw

    letter = _letter(size)
    line, edge = _line(letter), letter // 2
    width = max(1, min(_LETTERS * letter, size[0] - 2 * (letter // 3)))
    panel = Image.new("RGBA", (width, line * len(rows)), _DARK)
    draw = ImageDraw.Draw(panel)
    numbers = built_in(letter)
    room = width - 2 * edge
    if width >= _LEAST_LETTERS * letter:
        room -= round(numbers.getlength("100 %")) + edge
    for place, (index, label, percent) in enumerate(rows):
        bottom, colour = (place + 1) * line, _GREY if place else _WHITE
        middle, thick = bottom - line // 2 - letter // 10, max(2, letter // 8)
        if percent > 0:
            bar = (0, bottom - thick, max(1, round(width * percent / 100)) - 1, bottom - 1)
            draw.rectangle(bar, fill=_BAR)
        text, font = writable(shown(label), f"class {index}", letter)
        draw.text((edge, middle), cut(text, font, room), colour, font, anchor="lm")
        if width >= _LEAST_LETTERS * letter:
            draw.text((width - edge, middle), f"{percent} %", colour, numbers, anchor="rm")
    return panel


def _letter(size: tuple[int, int]) -> int:
    """The height of a letter in a picture of this size."""
    return max(_LEAST_LETTER, round(min(size) * _LETTER_SHARE))


def _line(letter: int) -> int:
    return round(letter * 1.5)
