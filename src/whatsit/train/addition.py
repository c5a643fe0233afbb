"""Adds one class to a taught bundle, from its memory, without the pictures of the others.

The rows of the classes that are there stay as they are. The new one is fitted against what the
bundle remembers: for each picture, how far its logit must rise above all the others together.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..classifier import open_bundle
from ..datasets import Dataset, LeftOut, Row, folders, trees
from ..doctor import groups as alike
from ..embedding import embed
from ..errors import DatasetError, ModelDamaged, ModelUnsupported, UsageError
from ..graph.head import last_layer
from ..labels import Labels
from ..trust import RECORD
from .descent import lowest
from .few import fit_few
from .head import (
    Floats,
    HeadFit,
    Outcome,
    Score,
    check_installed,
    cross_validated,
    one_thread,
)
from .making import Lesson, Progress, Told, check_output, headed, made, put
from .memory import Memory
from .pictures import (
    LEAST_PICTURES,
    Material,
    class_name,
    matched,
    opened,
    without_copies,
)
from .report import TrainingReport

STRENGTH = 0.03  # as scikit-learn's C: ten times as much costs the others more and finds no more
# Off the new class's logit: the others are surer of pictures they were fitted to than of those to
# come, so that a row fitted against the former asks for too much. On flowers it saves them 0.5
# points and costs the new class 3.
CAUTION = 0.3
_FEW = ("ridge", "means")  # the rules of a layer from few pictures
_IN_TURN = 5  # one picture in five is held out to say what the addition costs
_STOP = 1e-3  # of the gradient, which is a sum over all pictures
_MOST_STEPS = 300
_ESTIMATED = "an estimate: remembered and new pictures, a fifth left out in turn"

_Array = NDArray[np.float64]


def add(
    name: str,
    folder: str | os.PathLike[str],
    *,
    to: Bundle | str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    validation: Dataset | str | os.PathLike[str] | None = None,
    tree: str | os.PathLike[str] | None = None,
    force: bool = False,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> TrainingReport:
    """The bundle `to`, which `train` made, with the class `name` of the pictures in `folder` too.

    The other classes keep their rows, so a picture changes its answer only to the new class.
    `validation` holds pictures of all classes to measure with; without it there is no
    accuracy, only an `estimate` from what the bundle remembers. In a tree of classes, the new one
    is at the top, unless `tree` names a file that says otherwise. The other arguments are those of
    `train`. Raises what `train` raises, and ModelUnsupported for a bundle that remembers nothing.
    """
    check_installed()
    if output is not None:
        check_output(output, force)
    parent = to if isinstance(to, Bundle) else open_bundle(to)
    memory, names = _remembered(parent), _names(parent, name)
    labels = _labels(parent, names, tree)
    told = Told(note)
    held = None
    if validation is not None:
        held = matched(opened(validation, progress), names)
    lesson = _lesson(parent, memory, names, Path(folder), held, seed, workers, progress)
    lesson = replace(lesson, learned=replace(lesson.learned, tree=labels))
    told.add(_cost(lesson))
    product = headed(lesson, remember=True)
    report = made(lesson, product, workers=workers, progress=progress, told=told)
    if output is not None:
        put(report.bundle, output)
    return report


def _remembered(parent: Bundle) -> Memory:
    if not isinstance(parent.record.get("memory"), dict):
        raise ModelUnsupported(
            f"model {parent.name!r} remembers nothing of the pictures it was taught from",
            expected="a model of `whatsit train`",
            hint="teach it again with all classes; without --no-memory it can be added to later",
        )
    memory = Memory.from_json(parent.record["memory"])
    if len(memory.pictures) != len(parent.labels):
        raise ModelUnsupported(f"model {parent.name!r} remembers other classes than it has")
    width = last_layer(parent).weights.shape[1]
    if len(memory.mean) != width:
        raise ModelDamaged(
            f"model {parent.name!r} remembers embeddings of {len(memory.mean)} values",
            expected=f"{width}, as its last layer takes",
        )
    return memory


def _names(parent: Bundle, name: str) -> tuple[str, ...]:
    """All class names, the new one last. Raises UsageError for one that is there already."""
    name = class_name(name)
    if name.casefold() in map(str.casefold, parent.labels.names):
        raise UsageError(
            f"the class {name!r} is there already", expected="a new name", hint="--add NAME=FOLDER"
        )
    return (*parent.labels.names, name)


def _labels(
    parent: Bundle, names: tuple[str, ...], tree: str | os.PathLike[str] | None
) -> Labels | None:
    """The classes in their tree, None without one."""
    if tree is not None:
        return trees.read(tree, names)
    return trees.with_class(parent.labels, names[-1]) if parent.labels.parents else None


def _lesson(
    parent: Bundle,
    memory: Memory,
    names: tuple[str, ...],
    folder: Path,
    held: Material | None,
    seed: int,
    workers: int | None,
    progress: Progress | None,
) -> Lesson:
    start = time.perf_counter()
    dataset = _pictures(folder, names[-1])
    paths = [row.path for row in dataset.rows]
    every = [*paths, *(held.paths if held is not None else [])]
    step = None if progress is None else (lambda done, total: progress("Reading", done, total))
    embeddings = embed(parent, every, workers=workers, progress=step)
    embedded = time.perf_counter()
    good = [row for row in range(len(paths)) if row not in embeddings.failures]
    rows = range(len(paths), len(every))
    readable = [row - len(paths) for row in rows if row not in embeddings.failures]
    left_out = [
        LeftOut(every[row], error.message) for row, error in sorted(embeddings.failures.items())
    ]
    if held is not None:
        asked_rows = [row + len(paths) for row in readable]
        good, copies = _apart(every, good, asked_rows, embeddings.vectors, workers)
        left_out += copies
    if len(good) < LEAST_PICTURES:
        raise DatasetError(
            f"{len(good)} of the {len(paths)} pictures in {os.fspath(folder)!r} can be "
            "learned from"
            + (f" (the first left out since: {left_out[0].reason})" * bool(left_out)),
            expected=f"at least {LEAST_PICTURES}",
        )
    vectors = embeddings.vectors[good]
    fit = _fitted(parent, memory, vectors, seed, workers)
    learned = Material(dataset.only(good), names, (len(names) - 1,) * len(good))
    asked = None if held is None else held.only(readable)
    return Lesson(
        parent=parent,
        name=parent.name,
        learned=learned,
        vectors=vectors,
        held=asked,
        held_vectors=embeddings.vectors[[row + len(paths) for row in readable]],
        measured_on=_ESTIMATED if held is None else held.dataset.name,
        fit=fit,
        split={"seed": seed, "added": names[-1], "train": {"pictures": len(good)}},
        left_out=tuple(left_out),
        seconds={"embed": embedded - start, "fit": time.perf_counter() - embedded},
        memory=memory.with_class(vectors),
        estimated=held is None,
    )


def _apart(
    paths: list[str], good: list[int], asked: list[int], vectors: Floats, workers: int | None
) -> tuple[list[int], list[LeftOut]]:
    """The rows of `good` that look like none of `asked`, and the others."""
    rows = [*good, *asked]
    places = [paths[row] for row in rows]
    groups = alike(places, vectors=vectors[rows], workers=workers)
    kept, left_out = without_copies(places, groups, len(good))
    return [good[place] for place in kept], left_out


def _pictures(folder: Path, name: str) -> Dataset:
    if not folder.is_dir():
        raise DatasetError(
            f"{os.fspath(folder)!r} is no folder", expected="a folder with pictures of the class"
        )
    rows = tuple(Row(path, name) for path in folders.pictures_below(os.fspath(folder)))
    if not rows:
        raise DatasetError(f"no pictures in the folder {os.fspath(folder)!r}")
    return Dataset(folder.name, folder, rows, "name")


@dataclass(frozen=True, slots=True)
class _Task:
    """Places (N, R), the log of the others' scores together (N,), whether new, and weights."""

    places: _Array
    others: _Array
    new: NDArray[np.bool_]
    weights: _Array

    def only(self, rows: NDArray[np.bool_]) -> _Task:
        return _Task(self.places[rows], self.others[rows], self.new[rows], self.weights[rows])


def _fitted(
    parent: Bundle, memory: Memory, vectors: Floats, seed: int, workers: int | None
) -> HeadFit:
    """The layer with one row more; its score is that of pictures held out of both sides."""
    layer, few = last_layer(parent), _recipe(parent).get("rule") in _FEW
    rows, count = layer.weights, len(layer.bias)
    kept = np.bincount(memory.classes, minlength=count)
    shares = np.asarray(memory.pictures) / np.maximum(kept, 1)
    logits = np.concatenate([memory.vectors(), vectors]).astype(np.float64) @ rows.T + layer.bias
    task = _Task(
        places=np.concatenate([memory.along(), memory.project(vectors)]).astype(np.float64),
        others=_log_sum(logits),
        new=np.arange(len(logits)) >= len(memory.classes),
        weights=np.concatenate([shares[memory.classes], np.ones(len(vectors))]),
    )
    truth = np.concatenate([memory.classes, np.full(len(vectors), count)])
    turns = np.random.default_rng(seed).permutation(len(truth)) % _IN_TURN
    with one_thread():
        right, losses = np.zeros(len(truth), bool), np.zeros(len(truth))
        added = np.zeros(len(truth))
        for turn in range(_IN_TURN):
            held = turns == turn
            row, bias = _row(task.only(~held))
            added[held] = task.places[held] @ row + bias
            given = np.column_stack([logits[held], added[held]])
            right[held] = given.argmax(axis=1) == truth[held]
            losses[held] = _log_sum(given) - given[np.arange(len(given)), truth[held]]
        row, bias = _row(task)
    whole = row @ memory.directions
    score = Score(STRENGTH, float(losses.mean()), float(right.mean()))
    return HeadFit(
        weights=np.concatenate([rows, whole[np.newaxis]]).astype(np.float32),
        bias=np.append(layer.bias, bias - whole @ memory.mean).astype(np.float32),
        rule="logistic",
        strength=STRENGTH,
        scores=(score,),
        judged=len(truth),
        outcome=_outcome(logits, added, memory, few, seed, workers) if _vouched(parent) else None,
    )


def _vouched(parent: Bundle) -> bool:
    """Whether what it remembers can calibrate: a whole network was fitted to all of that."""
    return RECORD in parent.record and _recipe(parent).get("method") != "finetune"


def _recipe(parent: Bundle) -> Mapping[str, Any]:
    found = parent.record.get("recipe")
    return found if isinstance(found, dict) else {}


def _outcome(
    logits: _Array, added: _Array, memory: Memory, few: bool, seed: int, workers: int | None
) -> Outcome | None:
    """What pictures are given by rows that were fitted to others, as many of each class.

    `logits` (N, C) are those of the old rows, the new pictures last; `added` (N,) those of the new
    row. The old rows were fitted to what is remembered, and are surer of it than of what comes: for
    those pictures, layers fitted to the rest of the memory stand in.
    """
    vectors, count = memory.vectors(), logits.shape[1]
    if few:
        old = fit_few(vectors, memory.classes).outcome
    else:
        old = cross_validated(vectors, memory.classes, seed=seed, workers=workers)
    if old is None:
        return None
    new = np.arange(len(vectors), len(logits))
    kept = np.concatenate(
        [np.flatnonzero(old.truth == index)[: len(new)] for index in range(count)]
    )
    new = new[:: -(-len(new) * count // len(kept))]
    rows = np.concatenate([old.rows[kept], new])
    given = np.concatenate([old.logits[kept], logits[new]])
    return Outcome(
        rows=rows,
        truth=np.concatenate([old.truth[kept], np.full(len(new), count)]),
        logits=np.column_stack([given, added[rows]]).astype(np.float32),
    )


def _row(task: _Task) -> tuple[_Array, float]:
    """The new class's weights (R,) and bias, against the sum of the others, which stays."""
    scale = float(task.places.std()) or 1.0
    places, signs = task.places / scale, np.where(task.new, 1.0, -1.0)

    def loss(values: _Array) -> tuple[float, _Array]:
        leads = signs * (places @ values[:-1] + values[-1] - task.others)
        slopes = -signs * task.weights * np.exp(-np.logaddexp(0, leads))
        held_back = values[:-1] / STRENGTH
        total = float((task.weights * np.logaddexp(0, -leads)).sum())
        total += float(held_back @ values[:-1]) / 2
        return total, np.append(places.T @ slopes + held_back, slopes.sum())

    start = np.zeros(places.shape[1] + 1)
    found = lowest(loss, start, stop=_STOP, most_steps=_MOST_STEPS)
    return found[:-1] / scale, float(found[-1]) - CAUTION


def _log_sum(logits: _Array) -> _Array:
    """The logarithm of the sum of exponentials along the classes."""
    most = logits.max(axis=1)
    found: _Array = most + np.log(np.exp(logits - most[:, np.newaxis]).sum(axis=1))
    return found


def _cost(lesson: Lesson) -> str:
    """What the others lose, in words."""
    assert lesson.memory is not None
    names, count = lesson.learned.names, len(lesson.learned.names) - 1
    memory = lesson.memory
    old = memory.vectors()[memory.classes < count]
    before = lesson.fit.logits(old)
    right = before[:, :count].argmax(axis=1) == memory.classes[memory.classes < count]
    lost = right & (before.argmax(axis=1) == count)
    return (
        f"of {int(right.sum())} remembered pictures that were right, {int(lost.sum())} are now "
        f"taken for {names[count]!r}"
    )
