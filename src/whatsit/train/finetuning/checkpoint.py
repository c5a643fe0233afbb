"""What training needs to go on exactly where it was cut off, in a file beside the model to be."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ... import __version__, machine, storage
from ...errors import UsageError, WhatsitError

_FORMAT = 1
Epoch = dict[str, float]  # a row of the history


@dataclass(slots=True)
class Best:
    """The averaged weights that are kept, those after `epoch`.

    `losses` are the lowest so far, one for each picture that judges: not always of these weights.
    """

    epoch: int
    losses: Tensor = field(repr=False)
    weights: list[Tensor] = field(repr=False)


@dataclass(slots=True)
class State:
    """All that changes while a network is trained; `step` counts over all epochs."""

    step: int
    loss: float  # summed over the steps of this epoch
    threads: int  # sums of another order are not quite the same
    weights: list[Tensor] = field(repr=False)
    average: list[Tensor] = field(repr=False)
    optimiser: dict[str, Any] = field(repr=False)
    best: Best | None
    history: list[Epoch]


class Checkpoint:
    """The file. `key` says of which training it is: other pictures or settings are another one.

    `device` is where the training runs, in words.
    """

    def __init__(self, path: str | os.PathLike[str], key: str, device: str = "cpu") -> None:
        self.path, self._key = Path(path), key
        self._made_with = {
            "whatsit": __version__,
            "torch": str(torch.__version__),
            "device": device,
            "cores": str(machine.cpu_count()),
        }

    def save(self, state: State) -> None:
        """Writes the state whole or not at all. Raises WhatsitError."""
        best = state.best
        content = {
            "format": _FORMAT,
            "key": self._key,
            "made_with": self._made_with,
            "threads": state.threads,
            "step": state.step,
            "loss": state.loss,
            "weights": state.weights,
            "average": state.average,
            "optimiser": state.optimiser,
            "best": None if best is None else (best.epoch, best.losses, best.weights),
            "history": state.history,
        }
        # Into memory first: of a file that cannot be written torch has its own complaints.
        written = io.BytesIO()
        torch.save(content, written)
        with storage.whole_file(self.path) as file:
            file.write(written.getbuffer())

    def load(self) -> tuple[State, str]:
        """The state, and a remark for a person if going on will not be exact.

        Raises WhatsitError for a damaged file, UsageError for that of another training.
        """
        try:
            # Numbers only, whatever the file says: pickles can run programs.
            content = torch.load(
                io.BytesIO(self.path.read_bytes()), map_location="cpu", weights_only=True
            )
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']}")
            best = content["best"]
            state = State(
                step=int(content["step"]),
                loss=float(content["loss"]),
                threads=int(content["threads"]),
                weights=content["weights"],
                average=content["average"],
                optimiser=content["optimiser"],
                best=None if best is None else Best(*best),
                history=content["history"],
            )
            key, made_with = content["key"], dict(content["made_with"])
        # Of a damaged file torch raises nearly anything.
        except Exception as error:
            raise WhatsitError(
                f"the checkpoint {os.fspath(self.path)!r} cannot be read: it is damaged, cut "
                "short, or none of whatsit's",
                hint="without --resume, with --force, training begins anew",
            ) from error
        if key != self._key:
            raise UsageError(
                f"the checkpoint {os.fspath(self.path)!r} is of another training",
                expected="the same pictures, model, seed and settings as before",
                hint="without --resume, with --force, training begins anew",
            )
        return state, self._remark(made_with)

    def _remark(self, made_with: Mapping[str, str]) -> str:
        """What is other now than when the file was saved."""
        others = [
            f"{what} {made_with.get(what)} before, {now} now"
            for what, now in self._made_with.items()
            if made_with.get(what) != now
        ]
        return f"going on will not be exact: {'; '.join(others)}" if others else ""
