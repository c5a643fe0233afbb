"""Makes the bundle of a lesson, measures it on pictures it never saw, and writes it down."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..classifier import default_runtime
from ..datasets import LeftOut
from ..datasets.base import listed
from ..errors import UsageError, WhatsitError
from ..evaluation import Evaluation
from ..graph.graft import graft
from ..measures import Rate
from ..trust import RECORD, Trust
from . import trusting
from .head import Classes, Floats, HeadFit
from .measuring import measure
from .memory import Memory
from .pictures import Material
from .report import Flip, TrainingReport

Progress = Callable[[str, int, int], None]  # (what is done, done, total)


_UNCALIBRATED = (
    "nothing says how far its answers can be trusted, with so few pictures: `whatsit calibrate` "
    "does, with others"
)


class Told:
    """Notes for a person, told as they come and kept for the report."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self.notes: list[str] = []

    def add(self, *texts: str) -> None:
        """Adds notes."""
        for text in texts:
            self.notes.append(text)
            if self._tell is not None:
                self._tell(text)


@dataclass(frozen=True)
class Lesson:
    """What a bundle is made of: a parent, a layer, what it was fitted to, what it is measured on.

    `vectors` and `held_vectors` are the embeddings of `learned` and `held`, in their order.
    `measured_on` says what the accuracy is of, also where nothing is held.
    `memory` is what is kept to add classes; by default that of `vectors`.
    `estimated`: the score of `fit` is of pictures that some classes were fitted to.
    `groups` are equal for pictures of `learned` that look the same.
    """

    parent: Bundle = field(repr=False)
    name: str
    learned: Material = field(repr=False)
    vectors: Floats = field(repr=False)
    held: Material | None = field(repr=False)
    held_vectors: Floats = field(repr=False)
    measured_on: str
    fit: HeadFit
    split: Mapping[str, Any]
    left_out: tuple[LeftOut, ...]
    seconds: dict[str, float]
    memory: Memory | None = field(default=None, repr=False)
    estimated: bool = False
    groups: tuple[int, ...] = ()

    def pictures(self) -> dict[str, int]:
        """How many pictures each class was taught from, now or before."""
        if self.memory is None:
            return self.learned.counts()
        return dict(zip(self.learned.names, self.memory.pictures, strict=True))


@dataclass(frozen=True)
class Product:
    """What was learned, ready to be put into a file: `make(facts)` gives the bundle.

    `best` is the class that it gives each held picture in real numbers, before it is stored.
    `held_vectors` are the embeddings that its backbone makes of them, if they are known.
    `trust` says how far answers of that bundle can be trusted, None where too little is known.
    """

    method: str
    recipe: Mapping[str, Any]
    make: Callable[[Mapping[str, Any]], Bundle] = field(repr=False)
    best: Classes | None = field(repr=False)
    memory: Memory | None = field(repr=False)
    trust: Callable[[Bundle], Trust | None] = field(repr=False)
    held_vectors: Floats | None = field(default=None, repr=False)
    float_bundle: Bundle | None = field(default=None, repr=False)
    seconds: Mapping[str, float] = field(default_factory=dict)
    finished: bool = True


def headed(lesson: Lesson, *, remember: bool) -> Product:
    """The parent with the layer of the lesson in place of its own."""
    memory = lesson.memory
    if remember and memory is None:
        memory = Memory.of(lesson.vectors, np.asarray(lesson.learned.classes, np.int64))
    score = lesson.fit.score
    held = lesson.held is not None
    return Product(
        method="head",
        recipe={
            "method": "head",
            "rule": lesson.fit.rule,
            "strength": lesson.fit.strength,
            "chosen_on": lesson.fit.judged,
            "log_loss": None if score is None else round(score.loss, 4),
        },
        make=lambda facts: grafted(lesson, facts),
        best=lesson.fit.logits(lesson.held_vectors).argmax(axis=1) if held else None,
        memory=memory if remember else None,
        trust=partial(trusting.of_layer, lesson),
        held_vectors=lesson.held_vectors,  # the backbone is the parent's
    )


def made(
    lesson: Lesson,
    product: Product,
    *,
    workers: int | None,
    progress: Progress | None,
    told: Told,
) -> TrainingReport:
    """The bundle of a lesson, measured."""
    start = time.perf_counter()
    _note_unmeasured(lesson, told)
    facts: dict[str, Any] = {"split": dict(lesson.split), "recipe": dict(product.recipe)}
    if product.memory is not None:
        facts["memory"] = product.memory.to_json()
    draft = product.make(facts)
    trust = product.trust(draft)
    if trust is None:
        told.add(_UNCALIBRATED)
    else:
        facts[RECORD] = trust.to_json()
        draft = draft.with_facts({RECORD: facts[RECORD]})
    stored = time.perf_counter()
    evaluation = measured(lesson, draft, workers, progress, product.held_vectors)
    trust_check = None
    if lesson.held is not None:
        truth = np.asarray(lesson.held.classes, np.int64)
        runtime = default_runtime(lesson.parent)
        trust_check = trusting.checked(draft, product.held_vectors, truth, runtime)
    rate = _accuracy(lesson, evaluation)
    estimated = lesson.estimated and evaluation is None
    bundle = product.make({**facts, **_quality(lesson, rate, evaluation, estimated)})
    if evaluation is not None:  # the same graph, in its final file
        evaluation = replace(evaluation, model_sha256=bundle.sha256, model_bytes=len(bundle.data))
    done = time.perf_counter()
    return TrainingReport(
        bundle=bundle,
        method=product.method,
        parent=lesson.parent.name,
        pictures=lesson.pictures(),
        accuracy=None if estimated else rate,
        accuracy_on=lesson.measured_on,
        evaluation=evaluation,
        float_accuracy=_float_accuracy(lesson, product),
        flips=() if evaluation is None else _flips(lesson, product, evaluation),
        split=lesson.split,
        recipe=product.recipe,
        left_out=lesson.left_out,
        notes=tuple(told.notes),
        seconds={
            **lesson.seconds,
            **product.seconds,
            "store": stored - start,
            "measure": done - stored,
        },
        estimate=rate.value if estimated else None,
        float_bundle=product.float_bundle,
        finished=product.finished,
        trust_check=trust_check,
    )


def _note_unmeasured(lesson: Lesson, told: Told) -> None:
    """A class that no held picture shows does not count in the accuracy: that is to be known."""
    if lesson.held is None:
        return
    missing = [name for name, count in lesson.held.counts().items() if count == 0]
    if missing:
        told.add(f"no picture to measure with of {listed(missing)}: it does not count in Top-1")


def check_output(path: str | os.PathLike[str], force: bool) -> None:
    """Raises WhatsitError, before the long work, where no file can be written or one would go."""
    target = Path(path)
    if target.suffix != ".tflite":
        raise UsageError(
            f"the output {os.fspath(path)!r}", expected="a file name that ends in .tflite"
        )
    if target.is_dir() or not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise WhatsitError(
            f"cannot write {os.fspath(path)!r}",
            expected="a file in a folder that is there and can be written to",
        )
    if target.exists() and not force:
        raise UsageError(f"{os.fspath(path)!r} is there already", hint="--force replaces it")


def put(bundle: Bundle, path: str | os.PathLike[str]) -> None:
    """Writes the bundle whole or not at all."""
    bundle.write(path)


def grafted(lesson: Lesson, facts: Mapping[str, Any]) -> Bundle:
    labels = lesson.learned.labels
    memory = lesson.memory
    seen = lesson.vectors
    if memory is not None:  # the classes that were there before count too
        seen = np.concatenate([memory.vectors(), seen])
    return graft(
        lesson.parent,
        lesson.fit.weights,
        lesson.fit.bias,
        labels,
        name=lesson.name,
        logits=lesson.fit.logits(seen),
        facts=facts,
        description=f"{lesson.name}: {len(labels)} classes, taught to {lesson.parent.name}",
    )


def measured(
    lesson: Lesson,
    bundle: Bundle,
    workers: int | None,
    progress: Progress | None,
    vectors: Floats | None = None,
) -> Evaluation | None:
    """The answers of the bundle itself to the pictures that were held out.

    `vectors` are their embeddings, if it has the backbone of the lesson's parent.
    """
    if lesson.held is None:
        return None
    step = None if progress is None else (lambda done, n: progress("Measuring", done, n))
    dataset = replace(lesson.held.dataset, name=lesson.measured_on)
    runtime = default_runtime(lesson.parent)  # only numbers were put into it
    return measure(
        bundle,
        dataset,
        vectors,
        runtime=runtime,
        ks=(1, 5) if len(lesson.learned.names) > 5 else (1,),
        workers=workers,
        progress=step,
    )


def _accuracy(lesson: Lesson, evaluation: Evaluation | None) -> Rate:
    if evaluation is not None:
        return evaluation.top(1)
    score, judged = lesson.fit.score, lesson.fit.judged
    assert score is not None  # `prepared` refuses what cannot be judged
    return Rate(round(score.accuracy * judged), judged)


def _quality(
    lesson: Lesson, rate: Rate, evaluation: Evaluation | None, estimated: bool
) -> dict[str, Any]:
    """For the record: `accuracy`, or an `estimate`, which has no interval."""
    on = lesson.measured_on
    if not estimated:
        return {"accuracy": [accuracy_row(rate, on, evaluation)]}
    share = round(100 * rate.value, 2)
    return {"estimate": {"data_set": on, "pictures": rate.total, "top1": share}}


def accuracy_row(accuracy: Rate, on: str, evaluation: Evaluation | None) -> dict[str, Any]:
    """As in the record of the built-in models: shares in percent, Wilson's 95 % intervals."""
    rates = {"top1": accuracy}
    if evaluation is not None and 5 in evaluation.ks:
        rates["top5"] = evaluation.top(5)
    row: dict[str, Any] = {"data_set": on, "pictures": accuracy.total}
    for name, rate in rates.items():
        row[name] = round(100 * rate.value, 2)
        row[f"{name}_interval"] = [round(100 * bound, 2) for bound in rate.interval]
    return row


def _float_accuracy(lesson: Lesson, product: Product) -> Rate | None:
    if lesson.held is None or product.best is None:
        return None
    right = product.best == np.asarray(lesson.held.classes)
    return Rate(int(right.sum()), len(right))


def _flips(lesson: Lesson, product: Product, evaluation: Evaluation) -> tuple[Flip, ...]:
    """Where storing what was learned has changed the answer."""
    assert lesson.held is not None
    assert product.best is not None
    given = {answer.path: answer.ranked[0][0] for answer in evaluation.answers}
    names = lesson.learned.names
    dataset = lesson.held.dataset
    places = [dataset.place(row) for row in dataset.rows]  # as an evaluation names its pictures
    return tuple(
        Flip(place, names[truth], names[index], names[given[place]])
        for place, truth, index in zip(places, lesson.held.classes, product.best, strict=True)
        if index >= 0 and given.get(place, index) != index
    )
