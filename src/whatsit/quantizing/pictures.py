"""The pictures that quantisation looks at: read, prepared, and what is no use left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import inputs
from ..bundle import Bundle
from ..datasets import Dataset, LeftOut, Row, sampled
from ..errors import DatasetError, InputError, UsageError
from ..sources import STANDARD_INPUT, Source, expand

# More say the same again, and each keeps some MB of what the layers hold.
MOST = 500
LEAST = 10
# Held out, where nobody gave labelled pictures: every fifth, if there are this many.
ENOUGH = 60
_FIFTH = 5


@dataclass(frozen=True)
class Pictures:
    """Prepared pictures [h, w, 3] uint8 by path, and what was left out."""

    name: str
    prepared: dict[str, NDArray[np.uint8]]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        """All of them."""
        return list(self.prepared)

    def split(self) -> tuple[list[str], list[str], bool]:
        """The paths to calibrate with, those to compare on, and whether these are others."""
        paths = self.paths
        if len(paths) < ENOUGH:
            return paths, paths, False
        held = set(range(_FIFTH // 2, len(paths), _FIFTH))
        rest = [path for place, path in enumerate(paths) if place not in held]
        return rest, [paths[place] for place in sorted(held)], True

    def dataset(self, paths: Iterable[str]) -> Dataset:
        """Some of them as a data set whose labels say nothing: all are class 0."""
        rows = tuple(Row(path, "0") for path in paths)
        return Dataset(self.name, Path(), rows, "index", declared=True)


def read(bundle: Bundle, inputs: Iterable[str], *, least: int, held_out: bool) -> Pictures:
    """The pictures that `inputs` name (see sources.expand), as the model takes them.

    Of more than are needed, some are drawn, the same each time; `held_out` asks for some to hold
    out as well. Raises DatasetError if fewer than `least` can be used.
    """
    given = list(inputs)
    if STANDARD_INPUT in given:
        raise UsageError(
            "pictures on standard input to calibrate with", expected="files or a folder"
        )
    sources = list(expand(given))
    most = MOST * _FIFTH // (_FIFTH - 1) if held_out else MOST
    chosen = [sources[place] for place in sampled(len(sources), most)]
    notes = []
    if len(chosen) < len(sources):
        notes.append(
            f"{len(chosen)} of {len(sources)} calibration pictures were drawn: more change little"
        )
    prepared: dict[str, NDArray[np.uint8]] = {}
    left_out: list[LeftOut] = []
    seen: set[bytes] = set()
    for source in chosen:
        try:
            pixels = _prepared(bundle, source)
        except InputError as error:
            left_out.append(LeftOut(source.path, error.message))
            continue
        digest = hashlib.sha256(pixels.tobytes()).digest()
        if _is_plain(pixels):
            left_out.append(LeftOut(source.path, f"{source.path!r} is of a single colour"))
        elif digest in seen:
            left_out.append(LeftOut(source.path, f"{source.path!r} is the copy of another picture"))
        else:
            seen.add(digest)
            prepared[source.path] = pixels
    _check(prepared, left_out, least)
    name = Path(given[0]).resolve().name if len(given) == 1 else ""
    return Pictures(name or "calibration pictures", prepared, tuple(left_out), tuple(notes))


def _prepared(bundle: Bundle, source: Source) -> NDArray[np.uint8]:
    """One picture [h, w, 3] as a classifier gives it to the model."""
    pixels: NDArray[np.uint8] = inputs.read(source.picture(), bundle, bundle.preprocess).pixels[0]
    return pixels


def _is_plain(pixels: NDArray[Any]) -> bool:
    """Whether all of a picture is one colour."""
    return bool((pixels == pixels[0, 0]).all())


def _check(prepared: dict[str, NDArray[np.uint8]], left_out: list[LeftOut], least: int) -> None:
    if len(prepared) >= least:
        return
    count, lost = len(prepared), len(left_out)
    number = "no picture" if count == 0 else "1 picture" if count == 1 else f"{count} pictures"
    reason = f"; left out: {lost}, such as: {left_out[0].reason}" if lost else ""
    raise DatasetError(
        f"{number} to calibrate with{reason}",
        expected=f"at least {least} different photos of what the model is for; a hundred or more "
        "are better",
    )
