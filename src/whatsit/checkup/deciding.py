"""From distances to a verdict: they agree, this is the cause, or nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..measures import mcnemar
from .comparing import Target, agree, noise
from .searching import Explanation

# Below this, if nothing explains it, it is of the decoder or of other steps to the same cut.
_UNTOLD = 0.12
# Two quantisations of one network, or two engines, differ by no more than this.
_QUANTISED = 0.75
# What one, two or three deviations may leave of the distance, where many scores are known and
# where few are: the more are tried, and the fewer the scores, the nearer chance alone comes.
_MANY_SCORES, _LEFT_OF_MANY, _LEFT_OF_FEW = 12, (0.5, 0.3, 0.2), (0.2, 0.15, 0.1)
# Several pictures may show a cause below other differences: it must help nearly all of them.
_FEWEST, _HELPED, _P = 8, 0.8, 1e-4
_LIKE_BEST = 1.6  # times the best distance: nobody can tell these apart
_NOISE_OF_BEST = 0.015
_GAIN_OF_PAIR = 0.5  # of the distance of one deviation, which a second one must take away
_UNSEEN = 0.06  # a distance at which a second deviation is not looked for


@dataclass(frozen=True, slots=True)
class Decision:
    """`causes` are empty but for `named`, where each is as good as the others."""

    kind: Literal["agree", "close", "named", "unexplained"]
    causes: tuple[Explanation, ...] = ()


def decide(own: Explanation, found: Sequence[Explanation], targets: Sequence[Target]) -> Decision:
    """What the distances say.

    A cause is named if it leaves at most half of the distance (a fifth where few scores are
    known), of two or three that come together still less; numbers that were fitted, only where
    many scores are known. Of several that leave nearly as little, the one with the fewest
    deviations; if that is not one, they are told as what cannot be told apart, unless the answers
    differ no more than those of two quantisations.
    """
    if agree(own.fit, targets):
        return Decision("agree")
    start, blur = own.fit.mean, noise(targets)
    small = start <= _QUANTISED + 2 * blur  # so that it needs no cause
    many = sum(target.weight for target in targets) >= _MANY_SCORES
    shares = _LEFT_OF_MANY if many else _LEFT_OF_FEW
    candidates = [
        each
        for each in found
        if _explains(each, own, shares)
        # A mean, a std and a temperature come all the way to five scores, whatever moved them.
        and (many or not any(deviation.fitted for deviation in each.deviations))
    ]
    if not candidates:
        if start <= _UNTOLD + blur:
            return Decision("agree")
        return Decision("close" if small else "unexplained")
    best = _simplest(candidates)
    limit = max(best.fit.mean * _LIKE_BEST, best.fit.mean + _NOISE_OF_BEST + blur / 4)
    # Also what misses its own share by a little: nobody can tell it from the best.
    tied = [
        each
        for each in found
        if each.fit.mean <= limit and len(each.deviations) <= len(best.deviations)
    ]
    causes = _preferred(tied, best)
    # Of two quantisations too, one of many ways comes near by chance; seldom just one.
    several = len({each.codes for each in causes}) > 1
    if several and small and not agree(best.fit, targets):
        return Decision("close")
    return Decision("named", tuple(causes))


def _explains(each: Explanation, own: Explanation, shares: Sequence[float]) -> bool:
    start = own.fit.mean
    # A mean and std of no known kind are two numbers that were fitted.
    parts = len(each.deviations) + 2 * sum(deviation.fitted for deviation in each.deviations)
    if each.fit.mean <= shares[min(parts, len(shares)) - 1] * start:
        return True
    helped = sum(a < b for a, b in zip(each.fit.apart, own.fit.apart, strict=True))
    count = len(own.fit.apart)
    return (
        count >= _FEWEST
        and each.fit.mean <= _HELPED * start
        and mcnemar(count - helped, helped) < _P
    )


def _simplest(candidates: Sequence[Explanation]) -> Explanation:
    """The best, unless fewer deviations do nearly as well."""
    best = min(candidates, key=lambda each: each.fit.mean)
    fewer = [each for each in candidates if len(each.deviations) < len(best.deviations)]
    if fewer:
        simple = min(fewer, key=lambda each: each.fit.mean)
        if simple.fit.mean <= _UNSEEN or best.fit.mean > _GAIN_OF_PAIR * simple.fit.mean:
            return simple
    return best


def _preferred(tied: list[Explanation], best: Explanation) -> list[Explanation]:
    """Of equals: EXIF before other turns, since the picture has such a mark; then the best."""
    ordered = sorted(tied, key=lambda each: (each is not best, each.fit.mean))
    marked = [each for each in ordered if "exif-ignored" in each.codes]
    if marked:
        turns = {"turned", "mirrored"}
        others = [each for each in ordered if not (turns | {"exif-ignored"}) & set(each.codes)]
        ordered = marked + others
    unique: dict[str, Explanation] = {}
    for each in ordered:
        unique.setdefault(each.words, each)
    return list(unique.values())
