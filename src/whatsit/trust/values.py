"""What a bundle's record knows of its own reliability, and what follows from it for a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelDamaged, UsageError
from ..results import Ancestor, top_k
from . import sets, tree
from .known import Known, Prototypes, Rule, logarithms, peak

if TYPE_CHECKING:
    from ..bundle import Bundle
    from ..labels import Labels

Floats = NDArray[np.float32]
Array = NDArray[np.float64]

RECORD = "trust"  # the key in whatsit.json
# Numbers of calibration pictures that a bundle keeps; with more, limits move by less than 0.1 %.
MOST_KEPT = 1000
MOST_TEMPERATURE = 20.0
_LEAST_SHARE = 1e-12  # of the classes that may be answered: nothing is divided by zero
TEMPERATURE_DIGITS = 4  # as it is kept: what is measured must be what is used
_FEW = 16  # classes: hardly a set has more
_RULES = ("peak", "prototypes", "score")


@dataclass(frozen=True)
class Trust:
    """What calibration has found, on `pictures` of `data_set`, which the model never saw.

    `temperature` divides the logits. `places` (N,) and `misled` (N,), rising, say how deep the
    truth lay in the scores and in the tree. `error` is the expected calibration error before and
    after.
    """

    data_set: str
    pictures: int
    temperature: float
    places: Array = field(repr=False)
    misled: Array = field(repr=False)
    known: Known
    error: tuple[float, float]

    def at(self, labels: Labels, coverage: float, acceptance: float) -> Judge:
        """What judges pictures at these shares. Raises UsageError unless they are between 0 and 1.

        `labels` are the bundle's.
        """
        check_shares(coverage, acceptance)
        return Judge(
            trust=self,
            labels=labels,
            coverage=coverage,
            set_limit=sets.limit(self.places, coverage),
            # Never below what is asked for, however well the tree did: an ancestor's own score is
            # then at least the share that it stands for.
            tree_limit=max(coverage, sets.limit(self.misled, coverage)),
            known_limit=self.known.limit(acceptance),
        )

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        known: dict[str, Any] = {"rule": self.known.rule, "scores": _down(self.known.scores)}
        if self.known.prototypes is not None:
            known["prototypes"] = self.known.prototypes.to_json()
        return {
            "data_set": self.data_set,
            "pictures": self.pictures,
            "temperature": round(self.temperature, TEMPERATURE_DIGITS),
            "error": [round(share, 4) for share in self.error],
            "places": _up(self.places),
            "misled": _up(self.misled),
            "known": known,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], classes: int) -> Trust:
        """Raises ValueError, TypeError or KeyError for what `to_json` has not made."""
        known = value["known"]
        before, after = (float(share) for share in value["error"])
        if not (0 <= before <= 1 and 0 <= after <= 1):  # true for NaN too
            raise ValueError(f"the errors {before} and {after}")
        rule: Rule = known["rule"]
        if rule not in _RULES or (rule == "prototypes") != ("prototypes" in known):
            raise ValueError(f"the rule {rule!r}")
        if rule == "peak" and classes < 2:
            raise ValueError("a peak of one class")
        temperature = float(value["temperature"])
        if not 1 / MOST_TEMPERATURE <= temperature <= MOST_TEMPERATURE:
            raise ValueError(f"the temperature {temperature}")
        prototypes = None
        if rule == "prototypes":
            prototypes = Prototypes.from_json(known["prototypes"], classes)
        pictures, places, misled = int(value["pictures"]), value["places"], value["misled"]
        if not len(places) == len(misled) == min(pictures, MOST_KEPT):
            raise ValueError(f"{len(places)} and {len(misled)} numbers of {pictures} pictures")
        return cls(
            data_set=str(value["data_set"]),
            pictures=pictures,
            temperature=temperature,
            places=_rising(places),
            misled=_rising(misled),
            known=Known(rule, _rising(known["scores"]), prototypes),
            error=(before, after),
        )


@dataclass(frozen=True)
class Judge:
    """Judges pictures by a bundle's own calibration, at a stated coverage and acceptance."""

    trust: Trust
    labels: Labels
    coverage: float
    set_limit: float
    tree_limit: float
    known_limit: float

    @property
    def tensor(self) -> int | None:
        """The tensor with the embedding, for a rule that needs it."""
        prototypes = self.trust.known.prototypes
        return None if prototypes is None else prototypes.tensor

    def judge(
        self, scores: Floats, embedding: Floats | None, mask: NDArray[np.bool_] | None = None
    ) -> tuple[Floats, Judgement]:
        """The calibrated scores (C,) of the model's own, which must be those of all classes.

        Only classes of the `mask` (C,) may be answered: the judgement is then of their scores
        alone, as if the truth were among them, unless that is too unlikely.
        """
        logits, known = logarithms(scores), self.trust.known
        calibrated = _softened(logits, scores, self.trust.temperature)
        asked, share = calibrated, 1.0
        if mask is not None:
            share = float(calibrated[mask].sum(dtype=np.float64))
            asked = np.where(mask, calibrated / max(share, _LEAST_SHARE), np.float32(0.0))
        near = float(peak(logits)) if known.rule == "peak" else known.score(scores, embedding)
        if share < 1 - self.coverage:
            return calibrated, Judgement((), False, None, None)
        likely = self._likely(asked, mask)
        broader = probably = None
        if len(likely) != 1:
            broader, probably = self.in_tree(asked)
        return calibrated, Judgement(likely, near >= self.known_limit, broader, probably)

    def _likely(self, scores: Floats, mask: NDArray[np.bool_] | None) -> tuple[int, ...]:
        """The classes of the set, best first. To sort all of them would take longer."""
        for most in (_FEW, len(scores)):
            order = top_k(scores, most)
            count = sets.size(scores[order], self.set_limit)
            if count < len(order):
                break
        return tuple(i for i in order[:count] if mask is None or mask[i])

    def in_tree(self, calibrated: Floats) -> tuple[Ancestor | None, Ancestor | None]:
        """The deepest step that is as likely as asked for, and a deeper one that is likely."""
        steps = tree.way_up(self.labels, calibrated)
        broad = tree.deepest(steps, self.tree_limit)
        probable = tree.deepest(steps, tree.PROBABLY)
        if broad is None or probable is None:
            return None, None
        broader = tree.named(self.labels, broad) if tree.tells(self.labels, broad) else None
        if probable.depth <= broad.depth or not tree.tells(self.labels, probable):
            return broader, None
        return broader, tree.named(self.labels, probable)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one picture: the classes `likely`, best first, one of which is the truth; is it `known`?

    What most likely shows a class that may not be answered is not.

    `broader` and `probably` are those of a Result: None where there is one class, or no tree.
    """

    likely: tuple[int, ...]
    known: bool
    broader: Ancestor | None
    probably: Ancestor | None


def trust_of(bundle: Bundle) -> Trust | None:
    """What a bundle knows of its own reliability, None for one that was never calibrated.

    Raises ModelDamaged for a record that cannot be.
    """
    value = bundle.record.get(RECORD)
    if value is None:
        return None
    try:
        return Trust.from_json(value, len(bundle.labels))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelDamaged(
            f"model {bundle.name!r}: what it says of its calibration cannot be read: {error}",
            hint="`whatsit calibrate` measures it again",
        ) from error


def check_shares(coverage: float, acceptance: float) -> None:
    """Raises UsageError unless both are between 0 and 1."""
    for name, share in (("a coverage", coverage), ("an acceptance", acceptance)):
        if not 0 < share < 1:
            raise UsageError(
                f"{name} of {share!r}", expected="a share between 0 and 1, such as 0.9"
            )


def tempered(scores: Floats, temperature: float) -> Floats:
    """Scores (…, C) whose logits are divided by the temperature."""
    return _softened(logarithms(scores), scores, temperature)


def _softened(logits: Array, scores: Floats, temperature: float) -> Floats:
    """The same, where the logarithms of the scores are known."""
    if temperature == 1:
        return scores
    powers = np.exp(logits / temperature)  # of at most 0, since no score is above 1
    found: Floats = (powers / np.add.reduce(powers, axis=-1, keepdims=True)).astype(np.float32)
    return found


def _rising(values: Any) -> Array:
    found = np.asarray(values, np.float64)
    if found.ndim != 1 or not np.isfinite(found).all() or (np.diff(found) < 0).any():
        raise ValueError("numbers that do not rise")
    return found


def _up(values: Array) -> list[float]:
    """Rounded to the safe side: no limit is lower than it was."""
    return [math.ceil(value * 1e6) / 1e6 for value in values.tolist()]


def _down(values: Array) -> list[float]:
    """Rounded to the safe side: no limit is higher than it was."""
    return [math.floor(value * 1e6) / 1e6 for value in values.tolist()]
