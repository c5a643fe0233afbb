"""What teaching gave: the model, how good it is, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..bundle import Bundle
from ..datasets import LeftOut
from ..evaluation import Evaluation
from ..measures import Rate
from ..trust import trust_of
from .curve import LearningCurve
from .trusting import TrustCheck


@dataclass(frozen=True, slots=True)
class Flip:
    """A held-out picture that float weights and the finished model see differently; class names."""

    path: str
    truth: str
    float_answer: str
    answer: str


@dataclass(frozen=True)
class TrainingReport:
    """A taught bundle and what is known of it.

    `accuracy` is of the finished model on the pictures of `accuracy_on`, which it was not taught
    from; `evaluation` holds each answer to them, or is None where there were too few pictures to
    hold any out. After `add` without other pictures there is no accuracy, only `estimate`, a share
    that may flatter, since the old classes were fitted to what is judged.
    `float_accuracy` is that of what was learned in real numbers, before it was stored in fewer
    bits; after `finetune`, `float_bundle` is the model of these, as float16. `finished` is False
    if training was interrupted and the model is the best so far.
    `pictures` counts those that were learned from, by class. `curve` is there where it was asked
    for, of a head. `trust_check` says how the calibration that is in the bundle does on the
    held-out pictures, where both are there.
    """

    bundle: Bundle
    method: str
    parent: str
    pictures: Mapping[str, int]
    accuracy: Rate | None
    accuracy_on: str
    evaluation: Evaluation | None = field(repr=False)
    float_accuracy: Rate | None
    flips: tuple[Flip, ...] = field(repr=False)
    split: Mapping[str, Any]
    recipe: Mapping[str, Any]
    left_out: tuple[LeftOut, ...] = field(repr=False)
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    estimate: float | None = None
    float_bundle: Bundle | None = field(default=None, repr=False)
    finished: bool = True
    curve: LearningCurve | None = None
    trust_check: TrustCheck | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that `whatsit train --json` prints."""
        return {
            "model": self.bundle.name,
            "sha256": self.bundle.sha256,
            "bytes": len(self.bundle.data),
            "method": self.method,
            "finished": self.finished,
            "parent": self.parent,
            "classes": dict(self.pictures),
            "accuracy": None if self.accuracy is None else self.accuracy.to_json(),
            "estimate": self.estimate,
            "accuracy_on": self.accuracy_on,
            "float_accuracy": None
            if self.float_accuracy is None
            else self.float_accuracy.to_json(),
            "flips": [
                {
                    "path": flip.path,
                    "truth": flip.truth,
                    "float": flip.float_answer,
                    "model": flip.answer,
                }
                for flip in self.flips
            ],
            "split": dict(self.split),
            "recipe": dict(self.recipe),
            "left_out": [{"path": row.path, "reason": row.reason} for row in self.left_out],
            "curve": None if self.curve is None else self.curve.to_json(),
            "calibration": self._calibration(),
            "notes": list(self.notes),
            "seconds": {stage: round(s, 3) for stage, s in self.seconds.items()},
            "evaluation": None if self.evaluation is None else self.evaluation.to_json(),
        }

    def _calibration(self) -> dict[str, Any] | None:
        """What the bundle knows of its own reliability, and how it does where it was tried."""
        trust = trust_of(self.bundle)
        if trust is None:
            return None
        return {
            "data_set": trust.data_set,
            "pictures": trust.pictures,
            "temperature": trust.temperature,
            "rule": trust.known.rule,
            "held_out": None if self.trust_check is None else self.trust_check.to_json(),
        }
