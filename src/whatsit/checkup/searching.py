"""Tries ways of a picture until one explains the recorded answers, the simplest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .comparing import Fit, Target, fit, usable
from .engine import Engine, softmax
from .hypotheses import SOFTMAX_AGAIN, Deviation, countings, deviations
from .ways import STEPS, Picture, Range, Steps, Way, batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .._metadata import TensorInfo
    from .specimen import Specimen

    Scores = NDArray[np.float64]

_EQUAL = 0.02  # a distance below it is of rounding alone
_FULLY = 0.12  # of the distance: so little left, and nothing more need be looked for
_FAIRLY = 0.25
_REFINED = 8
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
    """The answers of one model to some pictures, by way; each is run once."""

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
        self.tensor, self.own = specimen.input, own
        self._size, self._engine = specimen.height_width, engine
        self._known: dict[tuple[Way, int], Scores] = {}
        self._progress = progress

    def answer(self, way: Way, place: int) -> Scores:
        """Probabilities (C,) for the picture at `place`."""
        key = (way, place)
        if key not in self._known:
            pixels = self.pictures[place].pixels(way, self._size)
            self._known[key] = self._engine.scores(batch(way, pixels, self.tensor, self.own))
            if self._progress is not None:
                self._progress(len(self._known))
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Search:
    """What is tried: the model's own way, and what the answers should be.

    `also` are deviations that are likely here: those of a file that is compared with.
    """

    trials: Trials
    base: Way
    targets: Sequence[Target]
    also: Sequence[Deviation] = ()

    def run(self) -> tuple[Explanation, list[Explanation]]:
        """How the model's own way fits, and what else was tried, the best first.

        Other steps to the same cut are no deviation: what fits best is tried with all of them. Of
        many pictures the first few sift what is worth trying on all.
        """
        own = self._own()
        if own.fit.mean < _EQUAL:
            return own, []
        few = replace(self, targets=self.targets[:_SIFTED])
        found = few._sifted(few._own() if len(self.targets) > _SIFTED else own)
        if len(self.targets) > _SIFTED:
            found = [self._tried(each.deviations, each.way.steps) for each in found[:_KEPT]]
        return own, _sorted(found)

    def _sifted(self, own: Explanation) -> list[Explanation]:
        names = [n for n in self.targets[0].classes if all(usable(t, n) for t in self.targets)]
        inputs = deviations(self.base, self.trials.pictures, self.trials.tensor, self.trials.own)
        every = [*self.also, *countings(set(names) - {"own"}), SOFTMAX_AGAIN, *inputs]
        found = self._refined([self._tried((each,)) for each in every], own)
        if _left(found, own) < _FULLY:
            return found
        if own.fit.mean < _SMALL and _left(found, own) > _NO_HELP:
            return found
        two = replace(self, targets=self.targets[:_PAIRED])
        more = two._extended(_leaders(found), every, own)
        if min(_left(found, own), _left(more, own)) > _FAIRLY:
            more = _sorted([*more, *two._scaled()])
        if min(_left(found, own), _left(more, own)) > _FAIRLY:
            pairs = [each for each in more if len(each.deviations) == 2]
            more = _sorted([*more, *two._extended(pairs[: 2 * _BEAM], every, own)])
        best = _sorted(more)[: 3 * _BEAM]
        return _sorted([*found, *(self._tried(e.deviations, e.way.steps) for e in best)])

    def _own(self) -> Explanation:
        """The model's own way, with the steps that fit best."""
        options = [self._fitted((), replace(self.base, steps=steps)) for steps in _steps(self.base)]
        best = min(options, key=lambda each: each.fit.mean)
        # The steps of a program are ours unless others fit clearly better.
        return best if best.fit.mean < 0.8 * options[0].fit.mean else options[0]

    def _tried(self, chosen: tuple[Deviation, ...], steps: Steps | None = None) -> Explanation:
        way = self.base
        for each in chosen:
            way = each.applied(way)
        return self._fitted(chosen, way if steps is None else replace(way, steps=steps))

    def _refined(self, found: list[Explanation], own: Explanation) -> list[Explanation]:
        """The best of them again, with other steps to their cut; all of them, the best first."""
        found = _sorted(found)
        limit = max(found[0].fit.mean * 2, 0.3 * own.fit.mean)
        made = []
        for place, each in enumerate(found):
            if place >= _REFINED or each.fit.mean > max(
                limit, found[min(3, len(found) - 1)].fit.mean
            ):
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
        self, leaders: Sequence[Explanation], every: Sequence[Deviation], own: Explanation
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
        return self._refined(list(made.values()), own)

    def _scaled(self) -> list[Explanation]:
        """A mean and std that nobody has published: the best of a grid, made finer twice."""
        natural = _natural(self.trials.tensor, self.trials.own)
        if natural is None:
            return []
        gain, offset, spread = 1.0, 0.0, 1.0
        best: Explanation | None = None
        for _ in range(3):
            for step in (-2, -1, 0, 1, 2):
                for move in (-2, -1, 0, 1, 2):
                    chosen = _scaling(
                        gain * 1.35 ** (step * spread), offset + 30 * move * spread, natural
                    )
                    each = self._tried((chosen,))
                    if best is None or each.fit.mean < best.fit.mean:
                        best, at = each, (step, move)
            gain, offset = gain * 1.35 ** (at[0] * spread), offset + 30 * at[1] * spread
            spread, at = spread / 2.5, (0, 0)
        assert best is not None
        return self._refined([self._tried(best.deviations)], best)


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
    return Deviation("range", "mean-std", words, (("range", Range((mean,), (std,))),))


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
