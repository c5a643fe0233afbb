"""What may go wrong on the way of a picture: each deviation a row, by slot, with code and words.

Deviations of one slot exclude each other; those of two slots may come together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from .._metadata import TensorInfo
from .resizing import FILTERS
from .ways import Range, Way

Slot = Literal["turn", "cut", "filter", "colours", "range", "answer"]

_OWN = "own"  # a way of counting classes


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that is otherwise. `way` are the fields of Way that it sets.

    Of the slot `answer`: `counting` says which class the other program's scores are of, `again`
    that it applied softmax a second time. `fitted` is what has numbers of its own.
    """

    slot: Slot
    code: str
    words: str
    way: tuple[tuple[str, Any], ...] = ()
    counting: str = _OWN
    again: bool = False
    fitted: bool = False

    def applied(self, way: Way) -> Way:
        """`way` with this deviation."""
        return replace(way, **dict(self.way))


def deviations(
    base: Way, tensor: TensorInfo, own: Range | None, *, turned: bool
) -> list[Deviation]:
    """What could show, the likelier first among equals; `turned`: by the EXIF of a picture."""
    return [
        *_turns(turned),
        *_colours(),
        *_ranges(tensor, own),
        *_cuts(base),
        *_filters(base),
    ]


def _turns(by_exif: bool) -> Iterable[Deviation]:
    if by_exif:
        yield Deviation("turn", "exif-ignored", "the EXIF turn is ignored", (("exif", False),))
    for turns in (1, 2, 3):
        words = f"the picture is turned by {90 * turns} degrees clockwise"
        yield Deviation("turn", "turned", words, (("turns", turns),))
    yield Deviation("turn", "mirrored", "the picture is mirrored", (("mirrored", True),))
    yield Deviation(
        "turn", "mirrored", "the picture is upside down", (("turns", 2), ("mirrored", True))
    )


def _colours() -> Iterable[Deviation]:
    yield Deviation(
        "colours", "channels-swapped", "red and blue are swapped (BGR)", (("colours", "bgr"),)
    )
    yield Deviation("colours", "grey", "the picture is grey", (("colours", "grey"),))
    yield Deviation("colours", "inverted", "the picture is a negative", (("colours", "inverted"),))


# (words, means, stds), of pixels from 0 to 255; the common ones first.
KNOWN_RANGES: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...] = (
    ("from -1 to 1 (mean 127.5, std 127.5)", (127.5,), (127.5,)),
    ("from 0 to 1 (mean 0, std 255)", (0.0,), (255.0,)),
    ("from 0 to 255 (mean 0, std 1)", (0.0,), (1.0,)),
    (
        "by ImageNet's mean and std of each colour",
        (123.675, 116.28, 103.53),
        (58.395, 57.12, 57.375),
    ),
    ("less ImageNet's mean, not divided", (123.68, 116.779, 103.939), (1.0, 1.0, 1.0)),
    (
        "less ImageNet's mean of the colours in the wrong order, not divided",
        (103.939, 116.779, 123.68),
        (1.0, 1.0, 1.0),
    ),
    ("from -0.5 to 0.5 (mean 127.5, std 255)", (127.5,), (255.0,)),
    ("less 127.5, not divided", (127.5,), (1.0,)),
    ("from 0 to 2 (mean 0, std 127.5)", (0.0,), (127.5,)),
    ("divided by 255 twice", (0.0,), (65025.0,)),
    ("by mean and std of 0.5, meant for pixels from 0 to 1", (0.5,), (0.5,)),
    (
        "by ImageNet's mean and std for 0 to 1, on pixels from 0 to 255",
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
    ),
)


def _ranges(tensor: TensorInfo, own: Range | None) -> Iterable[Deviation]:
    known = [*KNOWN_RANGES, *_of_own(own)]
    if tensor.dtype == "float32" or tensor.scale is not None:
        for words, means, stds in known:
            if own is None or not alike(Range(means, stds), own):
                yield _range(f"pixels are scaled {words}", Range(means, stds))
    if tensor.dtype != "float32":
        yield Deviation(
            "range",
            "int8-edges",
            "pixels of 8 bits are taken for signed ones, or the other way round",
            (("range", Range(kind="shifted")),),
        )
        yield Deviation(
            "range",
            "int8-edges",
            "pixels are moved by 128 into a type of 8 bits and cut off there",
            (("range", Range(kind="clipped")),),
        )
        yield _range("pixels from 0 to 1 are cast to 8 bits", Range((0.0,), (255.0,), "wrapped"))
        yield _range("pixels from -1 to 1 are cast to 8 bits", Range((127.5,), (127.5,), "wrapped"))


def _range(words: str, chosen: Range) -> Deviation:
    return Deviation("range", "mean-std", words, (("range", chosen),))


def _of_own(own: Range | None) -> Iterable[tuple[str, tuple[float, ...], tuple[float, ...]]]:
    """Slips with the model's own mean and std."""
    if own is None:
        return
    means, stds = own.means, own.stds
    ones, zeros = (1.0,) * len(stds), (0.0,) * len(means)
    yield "without the mean", zeros, stds
    yield "without the std", means, ones
    if all(mean > 0 for mean in means):
        yield "with mean and std exchanged", stds, means
    twice = tuple(m + m * s for m, s in zip(means, stds, strict=True))
    yield "by mean and std twice", twice, tuple(s * s for s in stds)
    for factor, words in ((255.0, "with the std times 255"), (1 / 255, "with the std by 255")):
        yield words, means, tuple(s * factor for s in stds)


def alike(one: Range, other: Range) -> bool:
    """Whether two ranges are less than two levels of a pixel apart."""
    if one.kind != other.kind:
        return False
    for channel in range(3):
        mean, std = _at(one.means, channel), _at(one.stds, channel)
        mean2, std2 = _at(other.means, channel), _at(other.stds, channel)
        for level in (0.0, 255.0):
            if abs((level - mean) / std - (level - mean2) / std2) * abs(std2) > 2:
                return False
    return True


def _at(values: tuple[float, ...], channel: int) -> float:
    return values[channel if len(values) > 1 else 0]


_FRACTIONS = (1.0, 0.875, 0.95, 0.9, 0.8, 0.75, 0.7)


def _cuts(base: Way) -> Iterable[Deviation]:
    """Other parts of the picture that are looked at."""
    for mode, fraction, fill, words in (
        ("stretch", 1.0, 127, "the whole picture is stretched"),
        *(("crop", f, 127, _cropped(f)) for f in _FRACTIONS),
        ("pad", 1.0, 127, "the whole picture is shown, with grey bars"),
        ("pad", 1.0, 0, "the whole picture is shown, with black bars"),
        ("pad", 1.0, 255, "the whole picture is shown, with white bars"),
        ("stretch", 0.875, 127, "7/8 of each side are stretched"),
    ):
        if (mode, fraction) != (base.mode, base.fraction) or (mode == "pad" and fill != base.fill):
            fields = (("mode", mode), ("fraction", fraction), ("fill", fill))
            yield Deviation("cut", "stretch-crop", words, fields)


def _cropped(fraction: float) -> str:
    return (
        "the largest square in the middle is cut out"
        if fraction == 1
        else f"{100 * fraction:g} % of the middle are cut out"
    )


def _filters(base: Way) -> Iterable[Deviation]:
    for name, words in FILTERS.items():
        if name != base.filter:
            yield Deviation("filter", "resize-filter", f"resized by {words}", (("filter", name),))


SOFTMAX_AGAIN = Deviation("answer", "softmax-twice", "softmax is applied a second time", again=True)


def countings(names: Iterable[str]) -> list[Deviation]:
    """Other ways of counting the classes, of those that the recorded answers allow."""
    words = {
        "by index": "classes go by their index, and the other names are wrong",
        "by name": "classes go by their name, and the other indices are wrong",
        "+1": "labels are shifted by one: the other counts one class less before each",
        "-1": "labels are shifted by one: the other counts one class more before each",
    }
    return [
        Deviation("answer", "labels-shifted", words[name], counting=name)
        for name in words
        if name in set(names)
    ]
