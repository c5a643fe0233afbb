"""How a network is trained, and where: what can be said of it without torch."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import ExtraMissing, UsageError
from .making import Progress

_ENDING = ".checkpoint"
DEVICES = ("auto", "cpu", "cuda", "mps")
# So many pictures are looked at, all epochs together, where nobody says how many epochs: small
# data sets need more rounds to move the weights at all, large ones are learned in a few.
_LOOKS = 8_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 40
_EXPECTED = {"epochs": (1, 10_000), "batch": (2, 4096)}
# A thousand pictures are few steps in batches of 32; of 16 they are twice as many.
_BATCH = 16
# A third of it learns too little in so few steps, three times as much forgets what the parent knew.
_RATE = 3e-4


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of `method="finetune"`.

    `epochs` is how often each picture is looked at (default: by their number, 5 to 40); `batch`
    how many are looked at for one step, which memory limits; `rate` is the highest rate of AdamW,
    that of the last layer; `device` "cpu", "cuda", "mps", or "auto" for a GPU where there is one.
    """

    epochs: int | None = None
    batch: int = _BATCH
    rate: float = _RATE
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, value in (("epochs", self.epochs), ("batch", self.batch)):
            low, high = _EXPECTED[name]
            if value is not None and not (isinstance(value, int) and low <= value <= high):
                raise UsageError(
                    f"{name} {value}", expected=f"a whole number from {low} to {high:,}"
                )
        if not 0 < self.rate <= 1:  # false for NaN
            raise UsageError(f"a rate of {self.rate:g}", expected="above 0, at most 1: 0.0003, say")
        if self.device not in DEVICES:
            raise UsageError(f"the device {self.device!r}", expected=f"one of {', '.join(DEVICES)}")

    def epochs_for(self, pictures: int) -> int:
        """How many epochs to train on so many pictures."""
        if self.epochs is not None:
            return self.epochs
        return min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, round(_LOOKS / max(1, pictures))))

    def to_json(self) -> dict[str, Any]:
        """What decides the result; on which device is said apart."""
        return {name: value for name, value in asdict(self).items() if name != "device"}


@dataclass(frozen=True, slots=True)
class Order:
    """How to train: `output` is where the model will be, and its checkpoint beside it."""

    tuning: Tuning
    seed: int
    output: str | os.PathLike[str] | None
    resume: bool
    workers: int | None
    progress: Progress | None


def check_torch() -> None:
    """Raises ExtraMissing without torch, before the long work."""
    if importlib.util.find_spec("torch") is None:
        raise ExtraMissing(
            "training all layers needs torch, which is not installed",
            hint="pip install 'whatsit[finetune]'; --method head does without",
        )


def path_beside(output: str | os.PathLike[str]) -> Path:
    """Where the checkpoint of a model at `output` is."""
    return Path(f"{os.fspath(output)}{_ENDING}")


def check_start(output: str | os.PathLike[str], *, resume: bool, force: bool) -> None:
    """Raises UsageError where there is nothing to go on with, or an unfinished training to lose."""
    path = path_beside(output)
    if resume and not path.is_file():
        raise UsageError(
            f"nothing to resume: no file {os.fspath(path)!r}",
            expected="the checkpoint of a training that was cut off",
            hint="without --resume, training begins anew",
        )
    if not resume and not force and path.exists():
        raise UsageError(
            f"{os.fspath(path)!r} is there, of a training that was cut off",
            hint="--resume goes on with it, --force begins anew",
        )
