"""Trains all layers of a network end to end, and keeps what did best on pictures it never learned.

AdamW with a cosine schedule, lower rates nearer the picture, smoothed labels, and an average of
the weights over the last steps, which is what is judged and kept.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ... import machine
from ...errors import DatasetError, WhatsitError
from .checkpoint import Best, Checkpoint, State
from .conditions import asked_to_stop, fits_into_memory, half_precision, repeatable
from .feed import Batch, Course, Pictures, batches
from .network import Network

# A rate for the layers next to the picture as a share of that of the last: they know already what
# an edge is.
_FIRST_RATE = 0.9
_WEIGHT_DECAY = 0.01
_SMOOTHING = 0.1  # of the labels: so much of the truth is shared out among all classes
_WARM_UP = 0.05  # of all steps, in which the rate rises
# Part of the steps so far that the average of the weights reaches back (polynomial-decay averaging,
# O. Shamir and T. Zhang, ICML 2013): it grows as the training settles. Small batches are noisy, so
# it reaches further than the third that is enough for batches of 32.
_AVERAGED = 1 / 2
_PATIENCE = 0.5  # part of all epochs; when so many in a row are worse than the best, it ends
# Standard errors by which an epoch must be worse than the best to be dropped. A new last layer
# alone cannot have forgotten anything, so against it less is enough.
_DOUBT, _DOUBT_OF_HEAD = 2.0, 1.0
_JUDGED_AT_ONCE = 32  # at most
_SAVE_EVERY_S = 30.0
# Factors of the logits. Smoothed labels make a network less sure than it is right; that is made up
# for where enough pictures show by how much.
_SHARPNESS = np.geomspace(0.5, 4, 61)
_ENOUGH_TO_SHARPEN = 30


@dataclass(frozen=True, slots=True)
class Told:
    """Whom to tell: of each step (done, of all, in words), and what a person should know."""

    progress: Callable[[int, int, str], None]
    note: Callable[[str], None]


class Trainer:
    """Trains `network`, from its own weights or from a state, and leaves the best weights in it."""

    def __init__(self, network: Network, course: Course, device: torch.device) -> None:
        self._course, self._device = course, device
        self._network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        depths = network.depths()
        self._parameters = [parameter for parameter, _ in depths]
        self._rates = [course.tuning.rate * _FIRST_RATE ** (1 - depth) for _, depth in depths]
        self._optimiser = torch.optim.AdamW(
            [
                {"params": [one], "lr": rate, "weight_decay": _WEIGHT_DECAY * (one.ndim > 1)}
                for one, rate in zip(self._parameters, self._rates, strict=True)
            ]
        )
        self._average = [one.detach().clone() for one in self._parameters]
        self._step, self._loss, self._threads = 0, 0.0, machine.cpu_count()
        self._best: Best | None = None
        self.history: list[dict[str, float]] = []
        self.sharpness = 1.0  # what the logits were multiplied by in the end
        self._judged: Pictures | None = None

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are kept; 0 for those that training began with."""
        return self._best.epoch if self._best is not None else 0

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or enough have passed without getting better."""
        wait = max(1.0, _PATIENCE * self._course.epochs)
        waited = self._best is not None and len(self.history) - self._best.epoch >= wait
        return waited or self._step >= self._course.all_steps

    def restore(self, state: State) -> None:
        """Goes on from there."""
        self._put(state.weights)
        self._average = [given.to(self._device) for given in state.average]
        self._optimiser.load_state_dict(state.optimiser)
        self._step, self._loss, self._threads = state.step, state.loss, state.threads
        self._best = state.best
        self.history = state.history

    def run(self, checkpoint: Checkpoint | None, told: Told) -> bool:
        """Trains to the end, or until Ctrl-C, and puts the best weights into the network.

        False if it was interrupted: the checkpoint then holds where, if there is one. Raises
        DatasetError for a picture that cannot be read any more, and WhatsitError for a loss that
        is no number, or if memory does not suffice.
        """
        keeper = _Keeper(checkpoint, told.note)
        with (
            repeatable(self._device, self._threads),
            fits_into_memory(),
            asked_to_stop() as asked,
            batches(self._course, self._step) as source,
        ):
            try:
                self._train(source, keeper, told, asked)
            except DatasetError:
                keeper.save(self._state())
                raise
            if self._best is not None:
                self._put(self._best.weights)
                self._sharpen()
        return self.finished

    def _train(
        self, source: Iterator[Batch], keeper: _Keeper, told: Told, asked: threading.Event
    ) -> None:
        if self._step == 0 and len(self._course.judged.paths):
            self._keep(0, self._judge()[0])  # a new last layer alone may stay the best
        while not self.finished and not asked.is_set():
            self._learn(next(source))
            if self._step % self._course.steps == 0:
                self._end_epoch()
            told.progress(self._step, self._course.all_steps, self._words())
            if asked.is_set() or self.finished or keeper.due:
                keeper.save(self._state())

    def _learn(self, batch: Batch) -> None:
        """One step."""
        pictures, truth = map(torch.from_numpy, batch)
        pace = self._pace()
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * pace
        with half_precision(self._device):
            logits = self._network(pictures.to(self._device)).float()
        loss = _loss(logits, truth.to(self._device), "mean")
        value = loss.item()
        if not math.isfinite(value):
            raise WhatsitError(
                f"the training went astray in epoch {len(self.history) + 1}: its loss is no number",
                expected="a rate at which the loss falls",
                hint=f"a lower --rate than {self._course.tuning.rate:g}; --force begins anew",
            )
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._step += 1
        self._loss += value
        share = 1 / (1 + _AVERAGED * (self._step - 1))
        with torch.no_grad():
            for mean, one in zip(self._average, self._parameters, strict=True):
                mean.lerp_(one, share)

    def _pace(self) -> float:
        """The share of the highest rate: up in a line, down in half a cosine."""
        total = self._course.all_steps
        rise = max(1.0, _WARM_UP * total)
        fall = 0.5 * (1 + math.cos(math.pi * self._step / total))
        return min(1.0, (self._step + 1) / rise) * fall

    def _end_epoch(self) -> None:
        """Judges the averaged weights, writes it down, and keeps them if they are worth it."""
        row = {
            "epoch": len(self.history) + 1,
            "loss": round(self._loss / self._course.steps, 4),
        }
        self._loss = 0.0
        losses = torch.zeros(0)
        if len(self._course.judged.paths):
            losses, right = self._judge()
            row |= {
                "validation_loss": round(float(losses.mean()), 4),
                "validation_accuracy": round(right, 4),
            }
        self.history.append(row)
        self._keep(len(self.history), losses)

    def _keep(self, epoch: int, losses: Tensor) -> None:
        """Keeps the averaged weights unless they are worse than the best."""
        best = self._best
        if best is not None and len(losses):
            if _worse(losses, best.losses, _DOUBT if best.epoch else _DOUBT_OF_HEAD):
                return
            if best.losses.mean() < losses.mean():
                losses = best.losses
        weights = [one.detach().cpu().clone() for one in self._average]
        self._best = Best(epoch, losses, weights)

    def _judge(self) -> tuple[Tensor, float]:
        """The loss of each picture (N,) and the share that is right, of the averaged weights."""
        now = [one.detach().clone() for one in self._parameters]
        self._put(self._average)
        logits, truth = self._answers()
        self._put(now)
        right = (logits.argmax(1) == truth).double().mean()
        return _loss(logits, truth, "none"), float(right)

    def _answers(self) -> tuple[Tensor, Tensor]:
        """Logits (N, C) and classes (N,) of the pictures that judge."""
        if self._judged is None:
            self._judged = self._course.judged_pictures()
        at_once = min(_JUDGED_AT_ONCE, self._course.tuning.batch)
        parts = torch.split(torch.from_numpy(self._judged), at_once)
        with torch.no_grad():
            logits = [self._network(part.to(self._device)).float().cpu() for part in parts]
        return torch.cat(logits), torch.from_numpy(self._course.judged.classes)

    def _sharpen(self) -> None:
        """Makes the scores as sure as they are right (C. Guo et al., ICML 2017)."""
        if len(self._course.judged.paths) < _ENOUGH_TO_SHARPEN:
            return
        logits, truth = self._answers()
        losses = [float(functional.cross_entropy(logits * f, truth)) for f in _SHARPNESS]
        self.sharpness = float(_SHARPNESS[int(np.argmin(losses))])
        self._network.sharpen(self.sharpness)

    def _put(self, weights: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for one, given in zip(self._parameters, weights, strict=True):
                one.copy_(given)

    def _state(self) -> State:
        return State(
            step=self._step,
            loss=self._loss,
            threads=self._threads,
            weights=[one.detach().cpu() for one in self._parameters],
            average=[one.cpu() for one in self._average],
            optimiser=self._optimiser.state_dict(),
            best=self._best,
            history=self.history,
        )

    def _words(self) -> str:
        epoch = min(self._step // self._course.steps + 1, self._course.epochs)
        text = f"epoch {epoch} of {self._course.epochs}"
        if self.history and "validation_accuracy" in self.history[-1]:
            text += f", {100 * self.history[-1]['validation_accuracy']:.1f} % right"
        return text


class _Keeper:
    """Saves checkpoints from time to time; where none can be saved, that is said once."""

    def __init__(self, checkpoint: Checkpoint | None, note: Callable[[str], None]) -> None:
        self._checkpoint, self._note = checkpoint, note
        self._saved, self._failed = monotonic(), False

    @property
    def due(self) -> bool:
        """Whether as much time has passed as a person may lose."""
        return self._checkpoint is not None and monotonic() - self._saved > _SAVE_EVERY_S

    def save(self, state: State) -> None:
        """Training is worth more than its checkpoint: a full disk does not end it."""
        if self._checkpoint is None:
            return
        try:
            self._checkpoint.save(state)
        except WhatsitError as error:
            if not self._failed:
                self._note(f"what it takes to go on could not be saved: {error.message}")
            self._failed = True
        self._saved = monotonic()


def _loss(logits: Tensor, truth: Tensor, reduction: str) -> Tensor:
    return functional.cross_entropy(logits, truth, label_smoothing=_SMOOTHING, reduction=reduction)


def _worse(losses: Tensor, best: Tensor, doubt: float) -> bool:
    """Whether the mean loss is above the best by `doubt` standard errors of the difference.

    The few pictures that judge cannot tell nearly equal epochs apart, and of these a later one has
    learned at a lower rate, and generalises better. What is no number is worse.
    """
    more = losses - best
    error = more.std() / math.sqrt(len(more)) if len(more) > 1 else torch.tensor(math.inf)
    return not bool(more.mean() <= doubt * error)
