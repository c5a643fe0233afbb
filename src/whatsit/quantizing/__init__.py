"""A float bundle made smaller and faster, and what that cost, picture by picture."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import opening
from ..bundle import Bundle
from ..classifier import Classifier, open_bundle
from ..compare import Comparison, compare
from ..datasets import Dataset
from ..datasets import LeftOut as LeftOut
from ..errors import ModelDamaged, ModelError, UsageError
from ..evaluate import evaluate
from ..evaluation import Evaluation
from .making import Maker, facts
from .task import Labelled as Labelled
from .task import Remarks, Task, plan_task
from .values import Quantized as Quantized

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..graph.plain import PlainGraph

KINDS = ("int8", "float16")
# A tenth of a point is chance on any usual number of pictures; a point is one in a hundred.
FLOOR_POINTS = 0.7
# Two models that differ on one picture in twenty may still be equally good.
FLOOR_AGREEMENT_POINTS = 5.0

Say = Callable[[str], None]


def quantize(
    model: Bundle | str | os.PathLike[str],
    calibration: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    *,
    to: str = "int8",
    data: Labelled | Dataset | str | os.PathLike[str] | None = None,
    floor_points: float | None = None,
    name: str | None = None,
    say: Say | None = None,
    note: Say | None = None,
) -> Quantized:
    """A float model as an int8 or float16 bundle, compared with it on pictures.

    `calibration` names pictures as `whatsit classify` takes them; float16 needs none if there are
    `data`, labelled pictures. Without these the two models are held to give the same answers, on
    calibration pictures that are held out where there are enough. `floor_points` is what may be
    lost (default: 0.7 points of Top-1, 5 of agreement, or else one picture); `Quantized.check`
    holds it. `say(text)` is told what is being done, `note(text)` what a person should know. The
    same arguments give the same bytes.

    Raises ModelUnsupported, naming the operator, for a model that cannot be quantised, ModelError,
    DatasetError and UsageError.
    """
    _check_arguments(to, floor_points)
    remarks, say = Remarks(note), say or (lambda text: None)
    parent = model if isinstance(model, Bundle) else open_bundle(model)
    plain = _plain(parent, to)
    if to == "float16" and plain.unpacked:
        remarks.add("its weights are float16 already: the copy is no smaller")
    labelled = _labelled(data)
    given = _paths(calibration)
    _check_pictures(given, to, labelled)
    say("reading the pictures")
    task = plan_task(parent, given, to, labelled, remarks)
    before = _evaluated(parent, task, say, remarks)
    graph = _converted(plain.graph, to, task.calibration, parent.name, say)
    make = Maker(parent, graph, name or default_name(parent.name, to), plain.mean, plain.std)
    after = _evaluated(make({}), task, say, remarks)
    comparison = _compared(before, after, task)
    bundle = make(facts(to, task, comparison))
    after = replace(comparison.second, model_sha256=bundle.sha256, model_bytes=len(bundle.data))
    return Quantized(
        bundle=bundle,
        parent=parent,
        kind=to,
        comparison=replace(comparison, second=after),
        labelled=task.labelled,
        calibrated=len(task.calibration),
        held_out=task.held_out,
        left_out=task.left_out,
        floor_points=_default_floor(comparison, task) if floor_points is None else floor_points,
        notes=tuple(remarks.told),
    )


def default_name(parent: str, to: str) -> str:
    """What a quantised model is called: flowers-float32 becomes flowers-int8."""
    for ending in ("-float32", "-float16", "_float32", "_float16", "-float"):
        parent = parent.removesuffix(ending)
    return f"{parent}-{to}"


def _check_arguments(to: str, floor_points: float | None) -> None:
    if to not in KINDS:
        raise UsageError(f"no kind {to!r}", expected=" or ".join(KINDS))
    if floor_points is not None and not 0 <= floor_points <= 100:
        raise UsageError(f"a floor of {floor_points:g} points", expected="from 0 to 100")


def _paths(given: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    """A list of paths, also of a lone one."""
    if isinstance(given, (str, os.PathLike)):
        return [os.fspath(given)]
    return [os.fspath(path) for path in given]


def _check_pictures(given: list[str], to: str, labelled: Labelled | None) -> None:
    if not given and (to == "int8" or labelled is None):
        raise UsageError(
            "no calibration pictures",
            expected="some hundred photos of what the model is for",
            hint="" if to == "int8" else "float16 needs none if there are labelled pictures",
        )


def _plain(parent: Bundle, to: str) -> PlainGraph:
    """The parent in the form that is quantised. Raises ModelError if it cannot be."""
    from ..graph.plain import plain_graph  # here, since they load LiteRT
    from ..graph.quantize import check_int8

    with _named(parent.name):
        try:
            plain = plain_graph(parent)
            if to == "int8":
                check_int8(plain.graph)
        except ModelError:
            raise
        # Of damaged tables the schema's reader makes anything: operators without inputs or options.
        except Exception as error:
            raise ModelDamaged(
                f"its graph cannot be read: {error}", hint="the file is damaged or cut short"
            ) from error
    return plain


def _labelled(data: Labelled | Dataset | str | os.PathLike[str] | None) -> Labelled | None:
    if data is None or isinstance(data, Labelled):
        return data
    return Labelled(opening.read(data))


def _evaluated(bundle: Bundle, task: Task, say: Say, remarks: Remarks) -> Evaluation:
    data = task.data
    with Classifier(bundle) as classifier:
        return evaluate(
            classifier,
            data.dataset,
            labels_by=data.labels_by,
            label_offset=None if task.labelled else 0,
            skip_unknown=data.skip_unknown,
            limit=data.limit,
            seed=data.seed,
            progress=lambda done, total: say(f"{bundle.name}: {done} of {total} pictures"),
            note=remarks.add,
        )


def _converted(
    graph: bytes, to: str, calibration: list[NDArray[np.uint8]], name: str, say: Say
) -> bytes:
    from ..graph.half import float16_graph
    from ..graph.quantize import quantize_int8

    with _named(name):
        return float16_graph(graph) if to == "float16" else quantize_int8(graph, calibration, say)


def _compared(before: Evaluation, after: Evaluation, task: Task) -> Comparison:
    """The parent with the new model; without labels, the parent's answers are the truth."""
    if not task.labelled:
        truths = {answer.path: answer.ranked[0][0] for answer in before.answers}
        before, after = (
            replace(
                one,
                dataset=f"{task.name}, as {before.model} answers them",
                answers=tuple(
                    replace(answer, truth=truths[answer.path])
                    for answer in one.answers
                    if answer.path in truths
                ),
            )
            for one in (before, after)
        )
    return compare(before, after)


def _default_floor(comparison: Comparison, task: Task) -> float:
    """In points. One picture may always be lost: of few, it says nothing."""
    usual = FLOOR_POINTS if task.labelled else FLOOR_AGREEMENT_POINTS
    return max(usual, 100 / comparison.pictures)


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Puts the model's name before what is wrong with it, if it does not hold it yet."""
    try:
        yield
    except ModelError as error:
        if f"model {name!r}" in error.message:
            raise
        raise type(error)(
            f"model {name!r}: {error.message}", expected=error.expected, hint=error.hint
        ) from error.__cause__
