"""From trained weights to files: a float model, its int8 twin, and what each of them answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import inputs
from ..._flatbuffer import pack_model
from ...bundle import Bundle
from ...classifier import default_runtime
from ...datasets import sampled
from ...embedding import embed
from ...errors import DatasetError, InputError
from ...evaluation import Evaluation
from ...graph.half import float16_graph
from ...graph.plain import plain_graph
from ...graph.quantize import quantize_int8
from ...graph.read import Model
from ...graph.remade import remade
from ...trust import Trust
from .. import trusting
from ..head import Classes, Floats
from ..making import Lesson, Product, Progress, accuracy_row, grafted, measured
from ..memory import Memory
from ..tuning import Order

CALIBRATION = 500  # pictures that the steps of int8 are chosen by; more say the same again


@dataclass(frozen=True)
class Draft:
    """What is trained: the parent with the new layer, in plain form (see graph/plain.py)."""

    bundle: Bundle
    graph: bytes = field(repr=False)
    mean: float
    std: float

    @classmethod
    def of(cls, lesson: Lesson) -> Draft:
        """The draft of a lesson, whose parent is float."""
        begun = grafted(lesson, {})
        plain = plain_graph(begun)
        bundle = remade(
            begun,
            plain.graph,
            name=lesson.name,
            mean=plain.mean,
            std=plain.std,
            facts={"parents": begun.record["parents"]},
        )
        return cls(bundle, plain.graph, plain.mean, plain.std)

    def read(self, path: str) -> NDArray[np.uint8]:
        """A picture (h, w, 3) as the model is given it. Raises InputError."""
        pixels: NDArray[np.uint8] = inputs.read(path, self.bundle, self.bundle.preprocess).batch[0]
        return pixels

    def made(self, graph: bytes, name: str, facts: Mapping[str, Any]) -> Bundle:
        """The bundle of a graph of the same input."""
        facts = {"parents": self.bundle.record["parents"], **facts}
        return remade(self.bundle, graph, name=name, mean=self.mean, std=self.std, facts=facts)


def stored(
    lesson: Lesson,
    draft: Draft,
    model: Model,
    learned: Sequence[str],
    recipe: Mapping[str, Any],
    order: Order,
    *,
    remember: bool,
) -> Product:
    """What becomes of the trained `model`: int8, by the pictures `learned`, and float16 too."""
    start = time.perf_counter()
    progress, workers = order.progress, order.workers
    say = (lambda text: None) if progress is None else (lambda text: progress(text, 0, 1))
    graph = pack_model(model)
    pictures = _calibration(draft, learned)
    small = quantize_int8(graph, pictures, say)
    steps = {"quantization": {"to": "int8", "calibration_pictures": len(pictures)}}

    def make(facts: Mapping[str, Any]) -> Bundle:
        return draft.made(small, lesson.name, {**steps, **facts})

    quantised = time.perf_counter()
    float_bundle, best = _measured_float(lesson, draft, graph, recipe, order)
    measured_float = time.perf_counter()
    seen = _seen(lesson, make({}), workers, progress)
    memory = Memory.of(*seen.learned(lesson)) if remember else None
    return Product(
        method="finetune",
        recipe=recipe,
        make=make,
        best=best,
        memory=memory,
        trust=lambda bundle: seen.trust(lesson, bundle, frozenset(learned)),
        held_vectors=seen.held,
        float_bundle=float_bundle,
        seconds={
            "quantise": quantised - start,
            "measure float": measured_float - quantised,
            "remember": time.perf_counter() - measured_float,
        },
    )


def _calibration(draft: Draft, learned: Sequence[str]) -> list[NDArray[np.uint8]]:
    """Some of the pictures, as the model is given them; any that can be read do."""
    found = []
    for place in sampled(len(learned), CALIBRATION):
        with contextlib.suppress(InputError):
            found.append(draft.read(learned[place]))
    if not found:
        raise DatasetError("none of the pictures that were learned can be read any more")
    return found


def _measured_float(
    lesson: Lesson, draft: Draft, graph: bytes, recipe: Mapping[str, Any], order: Order
) -> tuple[Bundle, Classes | None]:
    """The model as float16, and its answer to each held picture."""
    facts = {"split": dict(lesson.split), "recipe": dict(recipe)}
    halves, name = float16_graph(graph), f"{lesson.name}-float16"
    bundle = draft.made(halves, name, facts)
    evaluation = measured(lesson, bundle, order.workers, order.progress)
    if evaluation is None:
        return bundle, None
    row = accuracy_row(evaluation.top(1), lesson.measured_on, evaluation)
    return draft.made(halves, name, {**facts, "accuracy": [row]}), _best(lesson, evaluation)


def _best(lesson: Lesson, evaluation: Evaluation) -> Classes:
    """The answer to each held picture, in their order; -1 for one that has none."""
    assert lesson.held is not None
    given = {answer.path: answer.ranked[0][0] for answer in evaluation.answers}
    dataset = lesson.held.dataset
    return np.array([given.get(dataset.place(row), -1) for row in dataset.rows], np.int64)


@dataclass(frozen=True)
class _Seen:
    """What the new backbone makes of the pictures `rows` of the lesson, and of the held ones.

    `held` is None if one of those cannot be read any more.
    """

    rows: list[int]
    vectors: Floats = field(repr=False)
    held: Floats | None = field(repr=False)

    def learned(self, lesson: Lesson) -> tuple[Floats, Classes]:
        """The embeddings and their classes."""
        return self.vectors, np.asarray(lesson.learned.classes, np.int64)[self.rows]

    def trust(self, lesson: Lesson, bundle: Bundle, learned: frozenset[str]) -> Trust | None:
        """By the pictures that judged the epochs, which are not among the paths `learned`."""
        paths = lesson.learned.paths
        judged = np.array([paths[row] not in learned for row in self.rows], bool)
        vectors, classes = self.learned(lesson)
        return trusting.of_network(lesson, bundle, vectors, classes, judged)


def _seen(lesson: Lesson, bundle: Bundle, workers: int | None, progress: Progress | None) -> _Seen:
    """The embeddings that trust is made of, and what classes can be added by later."""
    step = None if progress is None else (lambda done, n: progress("Remembering", done, n))
    runtime = default_runtime(lesson.parent)  # only numbers were put into it
    count = len(lesson.learned.paths)
    paths = [*lesson.learned.paths, *(lesson.held.paths if lesson.held is not None else [])]
    found = embed(bundle, paths, workers=workers, runtime=runtime, keep=False, progress=step)
    good = [row for row in range(count) if row not in found.failures]
    whole = lesson.held is not None and all(row < count for row in found.failures)
    return _Seen(good, found.vectors[good], found.vectors[count:] if whole else None)
