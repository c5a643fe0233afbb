"""What known pictures say of a model: which range of pixels it takes, and where its classes begin.

Of a model of ImageNet's classes the answers to the golden pictures are known. Any other model shows
by how much its answers tell pictures apart whether what it is fed makes any sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from .. import zoo
from ..getting import probe
from . import specimen as specimens
from .hypotheses import KNOWN_RANGES, alike
from .matching import Names
from .searching import Trials
from .ways import Picture, Range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .engine import Engine
    from .specimen import Specimen

    Scores = NDArray[np.float64]

_OFFSETS = (-1, 0, 1, 2)  # where class 0 of ImageNet may stand
_IMAGENET = (1000, 1001, 1002)
_SURE_GAIN = 1.5  # of six pictures: what a weak classifier reaches, and chance never
_LEAD = 3.0  # times as much as the other
_FIRST_LEAD = 1.2  # what another range must gain above the commonest
_SAME_LINES = 0.8
_ENDS = 3  # names at each end that must lie where most do, for none to be missing between
_LIKELIER = 0.1  # in the mean logarithm: what a wrong range of the usual ones costs at least
_LEAST = 1e-4  # a probability below it says no more


@dataclass(frozen=True, slots=True)
class Known:
    """`offset`: class i of ImageNet is score i + offset, None for other classes or if not clear.

    `gain` is the probability on expected classes with the model's own range, and `best_gain` that
    with `best`. `lines` is the offset of ImageNet's names in the labels file, and `whole` says that
    none is missing between them. `likelier` is a range that known pictures make more likely than
    the model's own, and `likelier_gain` its gain.
    """

    offset: int | None
    lines: int | None
    gain: float
    best_gain: float
    best: Range | None
    pictures: int
    by_answers: bool  # known classes, and not only how far answers tell pictures apart
    logits: bool  # with its own range it gives what is no probability
    whole: bool = False
    likelier: Range | None = None
    likelier_gain: float = 0.0

    @property
    def wrong_range(self) -> bool:
        """Whether known pictures prove the model's own mean and std wrong."""
        return self.by_answers and self.best_gain >= max(_SURE_GAIN, _LEAD * self.gain)

    @property
    def shifted(self) -> int:
        """By how many lines the labels are off, 0 if they are right or nobody can say."""
        if self.offset is None or self.lines is None:
            return 0
        return self.offset - self.lines

    @property
    def in_place(self) -> bool:
        """Whether known pictures prove that each name is at its score, as far as names go."""
        return self.whole and self.lines is not None and self.offset == self.lines


def known(specimen: Specimen, engine: Engine, own: Range | None) -> Known:
    """Runs the model on the golden pictures. Raises ModelDamaged where it fails."""
    pictures = [Picture(zoo.GOLDEN / name) for name in probe.pictures()]
    trials = Trials(specimen, engine, pictures, own)
    ranges = _ranges(specimen, own)
    lines = line_offset(specimen.labels)
    of_imagenet = specimen.classes in _IMAGENET and (lines is not None or not specimen.labels)
    rows: dict[Range | None, Scores] = {}
    odd: dict[Range | None, bool] = {}
    for chosen in ranges:
        engine.odd = False
        way = replace(trials.base, range=chosen)
        rows[chosen] = np.array([trials.answer(way, i) for i in range(len(pictures))])
        odd[chosen] = engine.odd
    if of_imagenet:
        gains = {
            chosen: max(_gain(scores, by) for by in _OFFSETS) for chosen, scores in rows.items()
        }
    else:
        gains = {chosen: _told_apart(scores) for chosen, scores in rows.items()}
    best = _best(gains)
    own_gain = gains.get(None, 0.0)
    scores = rows[None if None in rows and own_gain * _LEAD > gains[best] else best]
    likelier = _likelier(rows) if of_imagenet else None
    return Known(
        offset=_offset(scores) if of_imagenet else None,
        lines=lines,
        gain=own_gain,
        best_gain=gains[best],
        best=best if best is not None else own,
        pictures=len(pictures),
        by_answers=of_imagenet,
        logits=odd[None if None in odd else best],
        whole=lines is not None and _whole(specimen.labels, lines),
        likelier=likelier,
        likelier_gain=gains.get(likelier, 0.0),
    )


def _ranges(specimen: Specimen, own: Range | None) -> list[Range | None]:
    """The model's own range (None), unless it has none, and for floats those that are common."""
    floats = specimen.input is not None and specimen.input.dtype == "float32"
    ranges: list[Range | None] = [] if floats and own is None else [None]
    if floats:
        common = [Range(means, stds) for _, means, stds in KNOWN_RANGES[:4]]
        ranges += [each for each in common if own is None or not alike(each, own)]
    return ranges


def _best(gains: Mapping[Range | None, float]) -> Range | None:
    """The range that gains most, an earlier one unless a later one is clearly better."""
    order = list(gains)
    best = order[0]
    for each in order[1:]:
        if gains[each] > _FIRST_LEAD * gains[best]:
            best = each
    return best


def _likelier(rows: Mapping[Range | None, Scores]) -> Range | None:
    """The range by which known classes are clearly more likely than by the model's own (None)."""
    if None not in rows:
        return None
    by = max(_OFFSETS, key=lambda by: _gain(rows[None], by))
    logs = {
        chosen: float(np.log(_expected(scores, by) + _LEAST).mean())
        for chosen, scores in rows.items()
    }
    best = max(logs, key=lambda chosen: logs[chosen])
    better = _gain(rows[best], by) > _gain(rows[None], by)
    return best if better and logs[best] - logs[None] >= _LIKELIER else None


def _gain(scores: Scores, offset: int) -> float:
    """The probability on expected classes, over all pictures; scores (P, C)."""
    return float(_expected(scores, offset).sum())


def _expected(scores: Scores, offset: int) -> Scores:
    """The probability on expected classes of each picture (P,); scores (P, C)."""
    shares = []
    for row, expected in zip(scores, probe.pictures().values(), strict=True):
        places = [index + offset for index in expected]
        shares.append(row[[place for place in places if 0 <= place < len(row)]].sum())
    return np.array(shares, np.float64)


def _offset(scores: Scores) -> int | None:
    """Where class 0 of ImageNet stands, or None if that is not clear."""
    gains = {by: _gain(scores, by) for by in _OFFSETS}
    first, second = sorted(gains, key=lambda by: -gains[by])[:2]
    clear = gains[first] >= _SURE_GAIN / 2 and gains[first] >= _LEAD * gains[second]
    return first if clear else None


def _told_apart(scores: Scores) -> float:
    """How much an answer says of the picture: mutual information in nats; scores (P, C)."""
    rows = scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-9)
    return _entropy(rows.mean(axis=0)) - float(np.mean([_entropy(row) for row in rows]))


def _entropy(row: Scores) -> float:
    return float(-(row * np.log(np.maximum(row, 1e-12))).sum())


def line_offset(labels: tuple[str, ...]) -> int | None:
    """At which line ImageNet's names begin, -1 to 2; None if these are others."""
    if len(labels) < _IMAGENET[0] - 1:
        return None
    found = [_imagenet().find(label) for label in labels]
    shares = {
        by: sum(index >= 0 and place - index == by for place, index in enumerate(found))
        for by in _OFFSETS
    }
    best = max(shares, key=lambda by: shares[by])
    return best if shares[best] >= _SAME_LINES * _IMAGENET[0] else None


def _whole(labels: tuple[str, ...], by: int) -> bool:
    """Whether ImageNet's names begin and end at that offset, so that none is missing between."""
    steps = [
        place - index
        for place, label in enumerate(labels)
        if (index := _imagenet().find(label)) >= 0
    ]
    return set(steps[:_ENDS] + steps[-_ENDS:]) == {by}


@cache
def _imagenet() -> Names:
    return Names(specimens.read(zoo.DEFAULT))
