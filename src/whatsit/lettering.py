"""Letters on pictures: a font that has all of a text's letters, in any language."""

from __future__ import annotations

import functools
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

_MISSING = "\uffff"  # no font has it, so all draw it as they draw what they lack
# Pillow finds these by name in the folders of each system. The font that it brings along has
# little more than ASCII.
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "segoeui.ttf",
    "msyh.ttc",
    "malgun.ttf",
)


def writable(text: str, otherwise: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """`text` and a font that has all its letters; without accents, or `otherwise`, if none has."""
    usual = built_in(size)
    if has(usual, text):
        return text, usual
    for name in _FONTS:
        font = _font(name, size)
        if font is not None and has(font, text):
            return text, font
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return (plain if has(usual, plain) else otherwise), usual


@functools.cache
def built_in(size: int) -> ImageFont.FreeTypeFont:
    """The font that Pillow brings along."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # every wheel of Pillow has FreeType
    return font


@functools.cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def has(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether the font has every letter, and draws none as the box for what it lacks."""
    lacking = bytes(font.getmask(_MISSING))
    return all(c.isspace() or bytes(font.getmask(c)) != lacking for c in set(text))


def cut(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    """As much of the text as there is room for."""
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}…") > room:
        text = text[:-1]
    return f"{text.rstrip()}…" if text else ""
