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
MOST_TEMPERATURE = 20.0
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
        return cls(
            data_set=str(value["data_set"]),
            pictures=int(value["pictures"]),
            temperature=temperature,
            places=_rising(value["places"]),
            misled=_rising(value["misled"]),
            known=Known(rule, _rising(known["scores"]), prototypes),
            error=(before, after),
        )


@dataclass(frozen=True)
class Judge:
    """Judges pictures by a bundle's own calibration, at a stated coverage and acceptance."""

    trust: Trust
    labels: Labels
    set_limit: float
    tree_limit: float
    known_limit: float

    @property
    def tensor(self) -> int | None:
        """The tensor with the embedding, for a rule that needs it."""
        prototypes = self.trust.known.prototypes
        return None if prototypes is None else prototypes.tensor

    def judge(self, scores: Floats, embedding: Floats | None) -> tuple[Floats, Judgement]:
        """The calibrated scores (C,) of the model's own, which must be those of all classes."""
        logits, known = logarithms(scores), self.trust.known
        calibrated = _softened(logits, scores, self.trust.temperature)
        likely = self._likely(calibrated)
        broader = probably = None
        if len(likely) != 1:
            broader, probably = self.in_tree(calibrated)
        near = float(peak(logits)) if known.rule == "peak" else known.score(scores, embedding)
        return calibrated, Judgement(likely, near >= self.known_limit, broader, probably)

    def _likely(self, calibrated: Floats) -> tuple[int, ...]:
        """The classes of the set, best first. To sort all of them would take longer."""
        for most in (_FEW, len(calibrated)):
            order = top_k(calibrated, most)
            count = sets.size(calibrated[order], self.set_limit)
            if count < len(order):
                break
        return tuple(order[:count])

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
