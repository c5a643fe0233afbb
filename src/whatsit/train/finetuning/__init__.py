"""Teaches a model with all of its layers: the head first, then everything, end to end.

The parent gets the layer that `head` would give it, in the same file. The whole graph becomes a
torch module, is trained, and its weights go back into the graph, which is then stored as int8.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ... import machine
from ..._flatbuffer import read_model
from ...bundle import Bundle
from ...datasets import size_bytes
from ...errors import ModelUnsupported, UsageError
from ...graph.head import locate
from ...graph.plain import plain_graph
from ...graph.quantize import check_int8
from ...graph.read import Model, Op, only_graph, op_code, parse
from ...graph.remade import remade
from ...splits import split
from ...wording import counted
from ..head import fit_head
from ..making import Lesson, Product, Told
from ..tuning import Order, Tuning, path_beside
from . import loop
from .checkpoint import Checkpoint
from .feed import Course, Examples
from .loop import Trainer
from .network import Network
from .storing import Draft, stored

# Of the pictures to learn from: not learned, but to see when training is at its best.
JUDGED, MOST_JUDGED = 0.1, 1000


def check(parent: Bundle, tuning: Tuning) -> None:
    """Raises, before the long work, ModelUnsupported for a model that cannot be trained, and
    UsageError for a device that is not there.
    """
    _device(tuning.device)
    try:
        plain = plain_graph(parent)
        check_int8(plain.graph)
        whole = remade(
            parent, plain.graph, name=parent.name, mean=plain.mean, std=plain.std, facts={}
        )
        model = parse(whole)
        Network(model, locate(whole, model).embedding)
    except ModelUnsupported as error:
        raise ModelUnsupported(
            f"model {parent.name!r} cannot be trained with all its layers: {error.message}",
            expected=error.expected,
            hint="-m efficientnet-lite0-float16; or --method head, which teaches any classifier",
        ) from error


def finetuned(lesson: Lesson, order: Order, *, remember: bool, told: Told) -> Product:
    """The parent of the lesson with all of its layers taught.

    Interrupted by Ctrl-C, it gives the best so far, or raises KeyboardInterrupt where nothing is
    there yet. Raises what `Trainer.run` and `Checkpoint.load` raise.
    """
    start = time.perf_counter()
    device = _device(order.tuning.device)
    learned, judged = _parted(lesson, order.seed)
    if not judged:
        told.add("too many pictures look the same to judge the epochs by some: the last is kept")
    draft = Draft.of(_begun(lesson, learned))
    model = read_model(draft.graph)
    course = Course(
        learned=_examples(lesson, learned),
        judged=_examples(lesson, judged),
        read=draft.read,
        size=(draft.bundle.input.height, draft.bundle.input.width),
        tuning=order.tuning,
        seed=order.seed,
        workers=order.workers or machine.cpu_count(),
    )
    network = Network(model, _logits(model))
    trainer = Trainer(network, course, device)
    with _stopped(order, told):
        finished = _run(trainer, order, _key(lesson, course), device, told)
        network.cpu().write_back()
        trained = time.perf_counter()
        recipe = _recipe(course, trainer, device)
        product = stored(
            lesson, draft, model, course.learned.paths, recipe, order, remember=remember
        )
    seconds = {"train": trained - start}
    return replace(product, seconds={**seconds, **product.seconds}, finished=finished)


@contextlib.contextmanager
def _stopped(order: Order, told: Told) -> Iterator[None]:
    """Says what is left when Ctrl-C stops all at once."""
    try:
        yield
    except KeyboardInterrupt:
        there = order.output is not None and path_beside(order.output).exists()
        told.add("stopped: there is no model yet" + "; --resume goes on" * there)
        raise


def _device(name: str) -> torch.device:
    """The device of that name. Raises UsageError if it is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((kind for kind, found in there.items() if found), "cpu")
    if not there.get(name, True):
        raise UsageError(
            f"the device {name!r} is not there, or this torch is made without it",
            expected="auto, or cpu",
        )
    return torch.device(name)


def _parted(lesson: Lesson, seed: int) -> tuple[list[int], list[int]]:
    """Rows of the lesson to learn and to judge by, near duplicates on one side."""
    labels = [lesson.learned.names[index] for index in lesson.learned.classes]
    parts = split(labels, lesson.groups, fractions=(1 - JUDGED, JUDGED, 0.0), seed=seed)
    order = np.random.default_rng(seed % 2**32).permutation(len(parts.validation))
    # Whole groups: a copy of what judges must not be learned.
    groups = {lesson.groups[parts.validation[place]] for place in order[:MOST_JUDGED]}
    judged = [row for row in parts.validation if lesson.groups[row] in groups]
    return sorted(set(range(len(labels))) - set(judged)), judged


def _begun(lesson: Lesson, learned: list[int]) -> Lesson:
    """The lesson with a layer that knows only what is learned, or judging would flatter."""
    part = lesson.learned.only(learned)
    strengths = (lesson.fit.strength,)
    fit = fit_head(lesson.vectors[learned], part.classes, strengths=strengths)
    return replace(lesson, fit=fit)


def _examples(lesson: Lesson, rows: list[int]) -> Examples:
    part = lesson.learned.only(rows)
    return Examples(part.paths, np.asarray(part.classes, np.int64))


def _logits(model: Model) -> int:
    """The tensor that the softmax at the end reads."""
    last = only_graph(model).operators[-1]
    assert op_code(model, last) == Op.SOFTMAX, "graft puts it there"
    return int(last.inputs[0])


def _run(trainer: Trainer, order: Order, key: str, device: torch.device, told: Told) -> bool:
    """Trains, from the checkpoint if asked to. Whether it came to its end."""
    checkpoint = None
    if order.output is not None:
        checkpoint = Checkpoint(path_beside(order.output), key, device.type)
        if order.resume:
            state, remark = checkpoint.load()
            trainer.restore(state)
            if remark:
                told.add(remark)

    def step(done: int, total: int, words: str) -> None:
        if order.progress is not None:
            order.progress(words, done, total)

    finished = trainer.run(checkpoint, loop.Told(step, told.add))
    epochs, kept = len(trainer.history), trainer.best_epoch
    if finished and kept == 0:
        told.add("every epoch was worse than a new last layer alone, which is what the model has")
    if finished:
        return True
    again = "; --resume goes on" if checkpoint is not None else ""
    if epochs == 0:  # before the first one had ended: there is nothing to keep
        raise KeyboardInterrupt
    what = f"that of epoch {kept}" if kept else "a new last layer alone"
    told.add(f"stopped after {counted(epochs, 'epoch')}: the model is {what}{again}")
    return False


def _key(lesson: Lesson, course: Course) -> str:
    """Names all that decides the result, so that a checkpoint is not taken for another's."""
    facts = {
        "parent": lesson.parent.sha256,
        "pictures": _pictures_sha256(lesson),
        "classes": lesson.learned.names,
        "learned": course.learned.classes.tolist(),
        "judged": course.judged.classes.tolist(),
        "tuning": course.tuning.to_json(),
        "seed": course.seed,
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _pictures_sha256(lesson: Lesson) -> str:
    """Of the places, classes and sizes; not of times, which a copy of the data set changes."""
    dataset = lesson.learned.dataset
    rows = [(dataset.place(row), row.label, size_bytes(row.path)) for row in dataset.rows]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _recipe(course: Course, trainer: Trainer, device: torch.device) -> dict[str, Any]:
    """How it was trained, for the record."""
    return {
        "method": "finetune",
        "epochs": course.epochs,
        "best_epoch": trainer.best_epoch,
        "batch": course.tuning.batch,
        "rate": course.tuning.rate,
        "learned": len(course.learned.paths),
        "judged": len(course.judged.paths),
        "sharpness": round(trainer.sharpness, 4),
        "device": device.type,
        "history": trainer.history,
    }
