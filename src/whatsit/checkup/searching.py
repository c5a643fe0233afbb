"""Tries ways of a picture until one explains the recorded answers, the simplest first."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .comparing import Fit, Target, agree, fit, usable
from .engine import Engine, softmax
from .hypotheses import SOFTMAX_AGAIN, Deviation, alike, countings, deviations
from .ways import STEPS, Picture, Range, Steps, Way, batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .._metadata import TensorInfo
    from .specimen import Specimen

    Scores = NDArray[np.float64]

_EQUAL = 0.02  # a distance below it is of rounding alone
_FULLY = 0.12  # of the distance: so little left, and nothing more need be looked for
_OPEN = 0.1  # a distance that leaves room for a third deviation
_REFINED = 8  # explanations of a round that are tried with other steps
_REFINED_OF_SLOT = 6  # and of single deviations the best of each slot that steps bear upon
_GAINS = (0.5, 0.7, 1.0, 1.4, 2.0)  # of pixels, for a mean and std of no known kind
_OFFSETS = (-80.0, -40.0, 0.0, 40.0, 80.0)
_NARROWED = 5
_BEAM = 3  # deviations of each round that others are combined with
_SMALL, _NO_HELP = 0.15, 0.7  # a distance and a share left, at which no pair is looked for
_PAIRED = 2  # pictures that pairs are tried on
_SIFTED = 4  # pictures that decide what is tried on all
_KEPT = 14  # explanations that are


@dataclass(frozen=True, slots=True)
class Explanation:
    """Deviations that come together, the way they make, and how well it fits the answers."""

    deviations: tuple[Deviation, ...]
    way: Way
    counting: str
    fit: Fit

    @property
    def codes(self) -> tuple[str, ...]:
        """Of its deviations."""
        return tuple(dict.fromkeys(each.code for each in self.deviations))

    @property
    def words(self) -> str:
        """What is otherwise."""
        return "; ".join(each.words for each in self.deviations)


class Trials:
    """The answers of one model to some pictures, by way. `base` is its own.

    The engine runs once for ways that come to the same input, as every third does.
    """

    def __init__(
        self,
        specimen: Specimen,
        engine: Engine,
        pictures: Sequence[Picture],
        own: Range | None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        assert specimen.input is not None
        assert specimen.height_width is not None
        self.pictures = pictures
        self.tensor, self.own, self.base = specimen.input, own, Way.of(specimen.rule)
        self._size, self._engine = specimen.height_width, engine
        self._known: dict[tuple[Way, int], Scores] = {}
        self._of_inputs: dict[bytes, Scores] = {}  # by digest
        self._progress = progress

    def answer(self, way: Way, place: int) -> Scores:
        """Probabilities (C,) for the picture at `place`."""
        key = (way, place)
        if key not in self._known:
            pixels = self.pictures[place].pixels(way, self._size)
            fed = batch(way, pixels, self.tensor, self.own)
            digest = hashlib.blake2b(fed.tobytes(), digest_size=16).digest()
            if digest not in self._of_inputs:
                self._of_inputs[digest] = self._engine.scores(fed)
            self._known[key] = self._of_inputs[digest]
            if self._progress is not None:
                self._progress(len(self._known))
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Search:
    """What is tried, and what the answers should be.

    `also` are deviations that are likely here: those of a file that is compared with.
    """

    trials: Trials
    targets: Sequence[Target]
    also: Sequence[Deviation] = ()

    def run(self) -> tuple[Explanation, list[Explanation]]:
        """How the model's own way fits, and what else was tried, the best first.

        Other steps to the same cut are no deviation: what fits best is tried with all of them. Of
        many pictures the first few sift what is worth trying on all.
        """
        own = self._own()
        if agree(own.fit, self.targets):
            return own, []
        few = replace(self, targets=self.targets[:_SIFTED])
        found = few._sifted(few._own() if len(self.targets) > _SIFTED else own)
        if len(self.targets) > _SIFTED:
            found = [self._tried(each.deviations, each.way.steps) for each in found[:_KEPT]]
        return own, _sorted(found)

    def _sifted(self, own: Explanation) -> list[Explanation]:
        names = [n for n in self.targets[0].classes if all(usable(t, n) for t in self.targets)]
        turned = any(picture.orientation != 1 for picture in self.trials.pictures)
        inputs = deviations(self.trials.base, self.trials.tensor, self.trials.own, turned=turned)
        every = [*self.also, *countings(set(names) - {"own"}), SOFTMAX_AGAIN, *inputs]
        found = self._refined([self._tried((each,)) for each in every])
        if _left(found, own) < _FULLY:
            return found
        two = replace(self, targets=self.targets[:_PAIRED])
        if own.fit.mean < _SMALL and _left(found, own) > _NO_HELP:
            best = two._scaled()[:_BEAM]
            return _sorted([*found, *(self._tried(e.deviations, e.way.steps) for e in best)])
        more = two._extended(_leaders(found), every)
        if min(_left(found, own), _left(more, own)) > _FULLY:
            more = _sorted([*more, *two._scaled()])
        if more[0].fit.mean > _OPEN and min(_left(found, own), _left(more, own)) > _FULLY:
            pairs = [each for each in more if len(each.deviations) == 2]
            more = _sorted([*more, *two._extended(pairs[: 2 * _BEAM], every)])
        best = _sorted(more)[: 3 * _BEAM]
        return _sorted([*found, *(self._tried(e.deviations, e.way.steps) for e in best)])

    def _own(self) -> Explanation:
        """The model's own way, with the steps that fit best."""
        base = self.trials.base
        options = [self._fitted((), replace(base, steps=steps)) for steps in _steps(base)]
        best = min(options, key=lambda each: each.fit.mean)
        # The steps of a program are ours unless others fit clearly better.
        return best if best.fit.mean < 0.8 * options[0].fit.mean else options[0]

    def _tried(self, chosen: tuple[Deviation, ...], steps: Steps | None = None) -> Explanation:
        way = self.trials.base
        for each in chosen:
            way = each.applied(way)
        return self._fitted(chosen, way if steps is None else replace(way, steps=steps))

    def _refined(self, found: list[Explanation]) -> list[Explanation]:
        """The best of them again, with other steps to their cut; all of them, the best first."""
        found = _sorted(found)
        chosen = [*found[:_REFINED]]
        for slot in ("range", "filter", "cut") if len(found[0].deviations) == 1 else ():
            chosen += [each for each in found if each.deviations[0].slot == slot][:_REFINED_OF_SLOT]
        made = []
        for each in found:
            if each not in chosen or each.fit.mean < _EQUAL:
                made.append(each)
                continue
            others = [self._tried(each.deviations, step) for step in _steps(each.way)[1:]]
            made.append(min([each, *others], key=lambda other: other.fit.mean))
        return _sorted(made)

    def _fitted(self, chosen: tuple[Deviation, ...], way: Way) -> Explanation:
        counting = next((each.counting for each in chosen if each.slot == "answer"), "own")
        again = any(each.again for each in chosen)
        answers = [self.trials.answer(way, place) for place in range(len(self.targets))]
        if again:
            answers = [softmax(scores) for scores in answers]
        return Explanation(chosen, way, counting, fit(answers, self.targets, counting))

    def _extended(
        self, leaders: Sequence[Explanation], every: Sequence[Deviation]
    ) -> list[Explanation]:
        """Each leader with one deviation more, of a slot that it has not yet."""
        made: dict[frozenset[str], Explanation] = {}
        for leader in leaders:
            slots = {each.slot for each in leader.deviations}
            for other in every:
                if other.slot not in slots:
                    chosen = (*leader.deviations, other)
                    key = frozenset(each.words for each in chosen)
                    if key not in made:
                        made[key] = self._tried(chosen)
        return self._refined(list(made.values()))

    def _scaled(self) -> list[Explanation]:
        """A mean and std that nobody has published: the best of a grid, made finer."""
        natural = _natural(self.trials.tensor, self.trials.own)
        if natural is None:
            return []
        steps: tuple[Steps, ...] = (
            ("own", "whole", "first") if self.trials.base.mode == "crop" else ("own",)
        )
        coarse = itertools.product(_GAINS, _OFFSETS, steps)
        tried = _sorted([self._scaled_by(gain, by, natural, step) for gain, by, step in coarse])
        best: dict[str, Explanation] = {}
        for start in tried[:_BEAM]:
            each = self._narrowed(start, natural, start.way.steps)
            refined = self._refined([each])[0]
            if refined.way.steps != each.way.steps:
                refined = self._narrowed(refined, natural, refined.way.steps)
            # What is the model's own but for a level of a pixel is no deviation.
            if not alike(refined.way.range or Range(), Range((natural[0],), (natural[1],))):
                best[refined.words] = refined
        return _sorted(list(best.values()))

    def _scaled_by(
        self, gain: float, offset: float, natural: tuple[float, float], steps: Steps | None = None
    ) -> Explanation:
        return self._tried((_scaling(gain, offset, natural),), steps)

    def _narrowed(
        self, start: Explanation, natural: tuple[float, float], steps: Steps
    ) -> Explanation:
        """From one scaling to the best one near it, in ever smaller steps."""
        best = start
        factor, move = 1.19, 20.0
        for _ in range(_NARROWED):
            gain, offset = _gain_of(best, natural)
            around = itertools.product((1 / factor, 1.0, factor), (-move, 0.0, move))
            near = [
                self._scaled_by(gain * by, offset + step, natural, steps) for by, step in around
            ]
            best = min([best, *near], key=lambda each: each.fit.mean)
            factor, move = factor**0.5, move / 2
        return best


def _gain_of(each: Explanation, natural: tuple[float, float]) -> tuple[float, float]:
    """The gain and offset of pixels that a scaling stands for."""
    chosen = each.way.range
    assert chosen is not None
    gain = natural[1] / chosen.stds[0]
    return gain, natural[0] - chosen.means[0] * gain


def _natural(tensor: TensorInfo, own: Range | None) -> tuple[float, float] | None:
    """The one mean and std that a model's input stands for."""
    if tensor.dtype != "float32":
        shift = 128 if tensor.dtype == "int8" else 0
        return None if not tensor.scale else (tensor.zero_point + shift, 1 / tensor.scale)
    if own is None:
        return None
    return sum(own.means) / len(own.means), sum(own.stds) / len(own.stds)


def _scaling(gain: float, offset: float, natural: tuple[float, float]) -> Deviation:
    """Pixels times `gain` plus `offset`, as a mean and std."""
    mean, std = (natural[0] - offset) / gain, natural[1] / gain
    words = f"pixels are scaled by a mean of about {mean:.3g} and a std of about {std:.3g}"
    return Deviation("range", "mean-std", words, (("range", Range((mean,), (std,))),), fitted=True)


def _steps(way: Way) -> Sequence[Steps]:
    return STEPS if way.mode == "crop" else STEPS[:2]


def _sorted(found: list[Explanation]) -> list[Explanation]:
    return sorted(found, key=lambda each: (each.fit.mean, len(each.deviations)))


def _leaders(found: Sequence[Explanation]) -> list[Explanation]:
    """The best of each slot, the best of them first, and the two best cuts."""
    best: dict[str, Explanation] = {}
    for each in found:
        best.setdefault(each.deviations[0].slot, each)
    leaders = list(best.values())[:_BEAM]
    cuts = [each for each in found if each.deviations[0].slot == "cut"][:2]
    return [*leaders, *(cut for cut in cuts if cut not in leaders)]


def _left(found: list[Explanation], own: Explanation) -> float:
    """The share of the distance that the best explanation leaves."""
    return found[0].fit.mean / own.fit.mean if found and own.fit.mean > 0 else 1.0
