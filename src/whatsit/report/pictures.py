"""Small pictures that travel inside the page."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import images
from ..errors import InputError

if TYPE_CHECKING:
    from PIL import Image

MOST = 60  # pictures on one page
SIDE = 200  # pixels of the longer side: sharp where a page shows 160 to 190 of them
MOST_BYTES = 10_000  # of one JPEG; 60 of them, as text, are 0.8 MB
_QUALITIES = (82, 70, 55, 40, 25)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as a data URI; no URI where the file cannot be read any more."""

    path: str
    uri: str | None = None
    width: int = SIDE
    height: int = SIDE


def thumbnail(path: str, root: str = "") -> Thumbnail:
    """The picture at `path` below `root`, upright, at most SIDE a side and MOST_BYTES long."""
    try:
        image = images.open_image(os.path.join(root, path), shrink=_shrink)
    except InputError:
        return Thumbnail(path)
    image.thumbnail((SIDE, SIDE))
    data = base64.b64encode(_jpeg(image)).decode("ascii")
    return Thumbnail(path, f"data:image/jpeg;base64,{data}", image.width, image.height)


def common_folder(paths: Iterable[str]) -> str:
    """The deepest folder that holds all of `paths`, or nothing: a page shows what lies below it."""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:  # none at all, absolute and relative ones, or those of several drives
        return ""


def below(path: str, root: str) -> str:
    """`path` as seen from `root`, which holds it."""
    return os.path.relpath(path, root) if root else path


def without(text: str, root: str) -> str:
    """A message that does not repeat the folder of the files it names."""
    if not root:
        return text
    for folder in (os.path.join(root, ""), repr(os.path.join(root, ""))[1:-1]):
        text = text.replace(folder, "")
    return text


def _shrink(height: int, width: int) -> float:
    return max(height, width) / (2 * SIDE)  # twice what is needed, so that reducing still smooths


def _jpeg(image: Image.Image) -> bytes:
    """The best of a few qualities that is short enough; noise at the lowest is made smaller."""
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            image.save(file, "JPEG", quality=quality, optimize=True, comment="")
            if file.tell() <= MOST_BYTES:
                return file.getvalue()
        image = image.reduce(2)
