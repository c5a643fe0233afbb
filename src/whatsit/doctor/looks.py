"""How a picture looks, small and grey: what near duplicates are found and confirmed by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import images, machine
from ..errors import InputError

if TYPE_CHECKING:
    from PIL import Image

SIDE = 64  # pixels of a look: a crop of it still has the 32 that a comparison takes

# Pixels of the shorter side: pictures with fewer, such as scans of letters, differ in no details,
# so that they are compared as a whole and called the same only if they are equal.
LEAST_SIDE = 32

Look: TypeAlias = "NDArray[np.uint8]"  # (SIDE, SIDE), the whole picture, stretched
Progress = Callable[[int, int], None]  # (done, total)


@dataclass(frozen=True, slots=True)
class Seen:
    """The look of a picture, its mean colour, and whether it has details to compare."""

    look: Look
    detailed: bool
    colour: tuple[int, int, int]  # red, green, blue, of the whole picture


def seen(source: images.ImageSource) -> Seen:
    """The look of a picture, of which a JPEG is decoded no larger than needed.

    Raises the InputError of a picture that cannot be read.
    """
    return _seen(images.open_image(source, shrink=shrink))


def seen_of(image: Image.Image) -> Seen | None:
    """What `seen` gives, of a picture that images.open_image has opened for something else.

    None where `seen` would have opened it smaller, or it is smaller already.
    """
    enough = images.is_whole(image) and shrink(image.height, image.width) < images.LEAST_SHRINK
    return _seen(image) if enough else None


def _seen(image: Image.Image) -> Seen:
    from PIL import Image

    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    red, green, blue = np.asarray(small.reduce(SIDE))[0, 0].tolist()
    return Seen(np.asarray(small.convert("L")), min(image.size) >= LEAST_SIDE, (red, green, blue))


def see_all(
    paths: Sequence[str], *, workers: int | None = None, progress: Progress | None = None
) -> list[Seen | None]:
    """The looks in the order of `paths`; None for a picture that cannot be read."""
    found: list[Seen | None] = []
    with ThreadPoolExecutor(workers or machine.cpu_count()) as pool:
        for each in pool.map(_seen_or_none, paths):
            found.append(each)
            if progress is not None:
                progress(len(found), len(paths))
    return found


def _seen_or_none(path: str) -> Seen | None:
    try:
        return seen(path)
    except InputError:
        return None


def shrink(height: int, width: int) -> float:
    """For images.open_image: how many pixels of a picture fall on one of its look, with reserve."""
    return min(height, width) / (2.5 * SIDE)  # more than is needed, so that reducing still smooths
