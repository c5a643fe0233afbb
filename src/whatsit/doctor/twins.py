"""Pictures that look the same, among many: candidates by their looks, confirmed one by one.

Found are pictures that were resized, encoded again, made brighter, darker or of more contrast,
made grey or of more colour, mirrored, or cropped by up to a third of a side.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import machine
from . import overlay
from .looks import Look, Seen
from .neighbours import nearest, unit
from .overlay import Fit

Floats: TypeAlias = NDArray[np.float32]

_NEIGHBOURS = 8  # of each picture, which are looked at
_ALIKE = 0.6  # coarse likeness: neighbours below it have nothing in common
_NEAR = 0.6  # cosine of embeddings, likewise
# For `worth_a_look`. Copies of whole flowers, at a quarter of the side too, have had 0.996 and more
# of coarse likeness; those cropped by up to a fifth 0.4, and embeddings of 0.8; those cropped,
# mirrored and made grey 0.67 and 0.44.
_WHOLE = 0.95
_CROPPED = ((0.75, 0.3), (0.6, 0.45), (0.4, 0.65))  # cosine of embeddings, coarse likeness
_BLOCK = 256  # pairs of embeddings at a time: their products stay in the processor's cache
_COLOURED = 0.04  # of the mean colour, its distance from grey as a share of its brightness
_DARK = 40  # grey levels: of what is darker, rounding would make a colour
_SAME_HUE = 0.5  # cosine of two mean colours: 60 degrees on the circle of hues
# Windows that the other picture may be, as top, bottom, left and right: cropped on all sides, or
# made square. The rest of the way is searched by `overlay`.
_WINDOWS = (
    (0.0, 1.0, 0.0, 1.0),
    (0.08, 0.92, 0.08, 0.92),
    (0.0, 1.0, 0.15, 0.85),
    (0.15, 0.85, 0.0, 1.0),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures by their positions, the smaller first, that are one; how is in words."""

    first: int
    second: int
    likeness: float  # at most 1
    how: str


def grouped(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """The number of the group of each of `count` pictures; groups are numbered as they appear."""
    parents = list(range(count))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for first, second in pairs:
        one, other = sorted((root(first), root(second)))
        parents[other] = one
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(place), len(numbers)) for place in range(count)]


def same_bytes(hashes: Sequence[str | None]) -> list[Pair]:
    """Each file with the first that has the same bytes. None stands for a file without."""
    return _equal(enumerate(hashes), "the same file")


def same_looks(
    seen: Mapping[int, Seen],
    vectors: Floats | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    quick: bool = False,
) -> list[Pair]:
    """The pairs of `seen`, by position, that are one picture.

    `vectors`, embeddings by position, add candidates that the looks alone might miss; `quick`
    compares only those of all candidates that are `worth_a_look`.
    """
    equal, looks = _distinct(seen)
    places = sorted(looks)
    if len(places) < 2:
        return equal
    stacked = np.stack([looks[place] for place in places])
    with machine.one_thread():
        wanted = by_looks(stacked)
        if vectors is not None:
            wanted |= by_vectors(vectors[places])
            if quick:
                wanted = worth_a_look(wanted, stacked, vectors[places])
        pairs = ((places[a], places[b]) for a, b in wanted)
        return equal + _confirmed(seen, looks, pairs, progress)


def worth_a_look(
    candidates: Iterable[tuple[int, int]], looks: NDArray[np.uint8], vectors: Floats
) -> set[tuple[int, int]]:
    """Those of `candidates`, rows of both, that embeddings and coarse looks together allow.

    A copy of the whole picture keeps its coarse look, whatever becomes of its embedding; one that
    was cropped keeps its embedding, and some of its look.
    """
    pairs = np.array(sorted(candidates), np.int64).reshape(-1, 2)
    one, other = pairs.T
    rows, whole, turned = unit(vectors), overlay.coarse(looks), overlay.coarse(looks[:, :, ::-1])
    alike = np.maximum((whole[one] * whole[other]).sum(1), (turned[one] * whole[other]).sum(1))
    keep = alike >= _WHOLE
    near = np.zeros(len(pairs), np.float32)  # of those that are not alike enough it does not matter
    open_pairs = np.flatnonzero(alike >= min(least for _, least in _CROPPED))
    for part in np.array_split(open_pairs, 1 + len(open_pairs) // _BLOCK):
        near[part] = np.einsum("ij,ij->i", rows[one[part]], rows[other[part]])
    for least_near, least_alike in _CROPPED:
        keep |= (near >= least_near) & (alike >= least_alike)
    return {(int(first), int(second)) for first, second in pairs[keep]}


def _distinct(seen: Mapping[int, Seen]) -> tuple[list[Pair], dict[int, Look]]:
    """The pairs whose looks are equal, and of the others the looks that have details.

    Equal ones are taken out: there may be more of them than neighbours are asked for.
    """
    equal = _equal(
        ((place, each.look.tobytes() + bytes(each.colour)) for place, each in sorted(seen.items())),
        "equal pixels",
    )
    copies = {pair.second for pair in equal}
    return equal, {i: s.look for i, s in seen.items() if s.detailed and i not in copies}


def _equal(keys: Iterable[tuple[int, str | bytes | None]], how: str) -> list[Pair]:
    first: dict[str | bytes, int] = {}
    found = []
    for place, key in keys:
        if key is not None and first.setdefault(key, place) != place:
            found.append(Pair(first[key], place, 1.0, how))
    return found


def _confirmed(
    seen: Mapping[int, Seen],
    looks: Mapping[int, Look],
    candidates: Iterable[tuple[int, int]],
    progress: Callable[[int, int], None] | None,
) -> list[Pair]:
    wanted: dict[int, list[int]] = defaultdict(list)
    for one, other in sorted(candidates):
        if one == other or one not in looks or other not in looks:
            continue
        if not recoloured(seen[one], seen[other]):  # either may be a part of the other
            wanted[one].append(other)
            wanted[other].append(one)
    coarse = _both_ways({place: looks[place] for place in wanted})
    found: dict[tuple[int, int], Fit] = {}
    for done, (one, others) in enumerate(sorted(wanted.items()), 1):
        open_pairs = [other for other in others if (other, one) not in found]
        for other, fit in _fits(looks, coarse, one, open_pairs):
            found[one, other] = fit
        if progress is not None:
            progress(done, len(wanted))
    return [
        Pair(min(pair), max(pair), round(min(fit.detail, fit.light), 4), _words(fit))
        for pair, fit in found.items()
    ]


def recoloured(one: Seen, other: Seen) -> bool:
    """Whether both are coloured, each in its own colour, such as a red and a green drawing."""
    first, second = _hue(one.colour), _hue(other.colour)
    lengths = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if min(lengths) < _COLOURED:  # a grey copy has no colour to differ in
        return False
    return float(first @ second) < _SAME_HUE * lengths[0] * lengths[1]


@functools.lru_cache(maxsize=1 << 14)
def _hue(mean: tuple[int, int, int]) -> NDArray[np.float64]:
    """(3,): a mean colour less its grey, which brightness and contrast only lengthen."""
    colour = np.asarray(mean, np.float64)
    grey = float(colour.mean())
    hue: NDArray[np.float64] = (colour - grey) / max(grey, _DARK)
    return hue


def by_looks(looks: NDArray[np.uint8]) -> set[tuple[int, int]]:
    """Candidates, the smaller position first: each picture's nearest, as it is and mirrored."""
    whole = overlay.coarse(looks)
    views = [overlay.coarse(looks, window) for window in _WINDOWS]
    views += [overlay.coarse(looks[:, :, ::-1], window) for window in _WINDOWS]
    return _pairs(views, whole, _ALIKE)


def by_vectors(vectors: Floats) -> set[tuple[int, int]]:
    """Candidates by embeddings (N, D); a row that is 0 or not finite has none."""
    rows = unit(vectors)
    return _pairs([rows], rows, _NEAR)


def _pairs(views: Sequence[Floats], whole: Floats, least: float) -> set[tuple[int, int]]:
    """The pairs of each row of any view with its nearest rows of `whole`, the smaller first."""
    if len(whole) < 2:
        return set()
    near, scores = nearest(views, whole, _NEIGHBOURS)
    return {
        (min(int(row), int(near[row, place])), max(int(row), int(near[row, place])))
        for row, place in np.argwhere(scores >= least)
    }


def _both_ways(looks: Mapping[int, Look]) -> dict[int, tuple[Floats, Floats]]:
    """Each look as overlay.coarse has it, and its mirror image."""
    if not looks:
        return {}
    stacked = np.stack(list(looks.values()))
    straight, turned = overlay.coarse(stacked), overlay.coarse(stacked[:, :, ::-1])
    return dict(zip(looks, zip(straight, turned, strict=True), strict=True))


def _fits(
    looks: Mapping[int, Look],
    coarse: Mapping[int, tuple[Floats, Floats]],
    one: int,
    others: Sequence[int],
) -> Iterator[tuple[int, Fit]]:
    """Those of `others` that are picture `one`, or a part of it."""
    if not others:
        return
    stacked = np.stack([looks[other] for other in others])
    both = np.stack([coarse[other][way] for way in (0, 1) for other in others])
    for other, fit in zip(others, overlay.fits(looks[one], stacked, both), strict=True):
        if fit is not None and fit.same:
            yield other, fit


def _words(fit: Fit) -> str:
    how = ["mirrored"] if fit.mirrored else []
    if fit.kept < 0.97:
        how.append(f"cropped to {100 * fit.kept:.0f} %")
    if fit.light < 0.98:
        how.append("with other light or colours")
    return "the same picture" + (", " + ", ".join(how) if how else ", saved again or resized")
