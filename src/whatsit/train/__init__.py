"""Teaches a model classes of one's own: a new last layer for a bundle, and how good it is.

By default the backbone stays as it is. Each picture goes through it once; the layer is fitted to
what comes out, and takes the place of the old one in the same file. `finetune` goes on from there,
and trains all layers.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from ..bundle import Bundle
from ..classifier import open_bundle
from ..datasets import Dataset
from ..datasets import LeftOut as LeftOut
from ..errors import UsageError
from ..graph.head import find_head
from .addition import add as add
from .curve import LearningCurve as LearningCurve
from .curve import with_curve
from .few import fit_few as fit_few
from .head import HeadFit as HeadFit
from .head import check_installed
from .head import fit_head as fit_head
from .lesson import check_enough, check_held, prepared
from .making import Progress, Told, check_output, headed, made, put
from .pictures import matched, material, opened
from .report import Flip as Flip
from .report import TrainingReport as TrainingReport
from .tuning import Order, check_start, check_torch, path_beside
from .tuning import Tuning as Tuning

METHODS = ("head", "finetune")
_FLOAT = "efficientnet-lite0-float16"  # the parent to finetune: int8 weights cannot be trained


def train(
    dataset: Dataset | str | os.PathLike[str],
    *,
    method: str = "head",
    parent: Bundle | str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    float_output: str | os.PathLike[str] | None = None,
    validation: Dataset | str | os.PathLike[str] | None = None,
    tree: str | os.PathLike[str] | None = None,
    few_shot: bool = False,
    tuning: Tuning | None = None,
    resume: bool = False,
    remember: bool = True,
    curve: bool = False,
    force: bool = False,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> TrainingReport:
    """A bundle that knows the classes of `dataset`, made of `parent`, and how good it is.

    `dataset` is a Dataset, or the path of a folder, list or archive with labelled pictures, or the
    https address of an archive; `parent` a bundle or what `load` takes. It is measured on
    `validation`, or else on a fifth of the pictures, no near duplicate of which it was taught from.
    `tree` is a CSV file with the columns class and parent, in place of the data set's labels.csv.
    With `few_shot`, or fewer than ten pictures of most classes, all are learned from, and each in
    turn is left out to measure.
    `method` is "head", for a new last layer, or "finetune", which trains all layers as `tuning`
    says and stores them as int8, and as float16 in `float_output`; with an `output` it keeps a
    checkpoint beside it, from which `resume` goes on, on a CPU exactly.
    `output` is written whole or not at all, an existing file only with `force`. `remember` keeps in
    the bundle what `add` needs. `curve` asks for the learning curve of a head. The same pictures,
    `seed` and machine give the same bytes, but for a GPU.
    `progress(what, done, total)` and `note(text)` are called on the way.

    Raises UsageError, DatasetError, ModelUnsupported for a parent that cannot be taught,
    ExtraMissing without threadpoolctl, or torch to finetune, WhatsitError where `output` cannot be
    written.
    """
    _check_wishes(method, few_shot, curve, tuning, resume, output, float_output)
    check_installed()
    for path in (output, float_output):
        if path is not None:
            check_output(path, force or resume)
    if method == "finetune":
        check_torch()
        if output is not None:
            check_start(output, resume=resume, force=force)
    bundle = _parent(parent, method, tuning)
    told = Told(note)
    found = material(opened(dataset, progress), tree)
    if method == "finetune":
        check_enough(found)
    held = None
    if validation is not None:
        held = matched(opened(validation, progress), found.names)
    lesson = prepared(
        bundle,
        found,
        held,
        few_shot=None if method == "head" and not few_shot else few_shot,
        seed=seed,
        workers=workers,
        progress=progress,
        told=told,
    )
    if method == "finetune":
        from . import finetuning  # here, since torch takes seconds to load

        check_held(lesson)
        order = Order(tuning or Tuning(), seed, output, resume, workers, progress)
        product = finetuning.finetuned(lesson, order, remember=remember, told=told)
    else:
        product = headed(lesson, remember=remember)
    report = made(lesson, product, workers=workers, progress=progress, told=told)
    if output is not None:
        put(report.bundle, output)
    if float_output is not None and report.float_bundle is not None:
        put(report.float_bundle, float_output)
    if output is not None and method == "finetune" and report.finished:
        with contextlib.suppress(OSError):  # the models are there all the same
            path_beside(output).unlink(missing_ok=True)
    if curve:
        report = with_curve(report, lesson, seed=seed, workers=workers)
    return report


def _parent(
    parent: Bundle | str | os.PathLike[str] | None, method: str, tuning: Tuning | None
) -> Bundle:
    """The bundle to teach, which can be: that is told before the pictures are read."""
    if method == "finetune":
        from . import finetuning

        bundle = parent if isinstance(parent, Bundle) else open_bundle(parent or _FLOAT)
        finetuning.check(bundle, tuning or Tuning())
        return bundle
    bundle = parent if isinstance(parent, Bundle) else open_bundle(parent)
    find_head(bundle)
    return bundle


def _check_wishes(
    method: str,
    few_shot: bool,
    curve: bool,
    tuning: Tuning | None,
    resume: bool,
    output: str | os.PathLike[str] | None,
    float_output: str | os.PathLike[str] | None,
) -> None:
    """Raises UsageError for wishes that do not go together."""
    if method not in METHODS:
        raise UsageError(f"the method {method!r}", expected=f"one of {', '.join(METHODS)}")
    if method == "head" and (tuning is not None or resume):
        raise UsageError(
            "settings of finetuning, or resume, for the method 'head'",
            expected="--method finetune",
            hint="the head takes seconds: nothing to resume, no epochs",
        )
    if method == "head" and float_output is not None:
        raise UsageError(
            "a float output for the method 'head'",
            expected="--method finetune",
            hint="of a head, -m efficientnet-lite0-float16 gives a float model",
        )
    if method == "finetune" and (few_shot or curve):
        raise UsageError(
            f"{'few-shot' if few_shot else 'a learning curve'} with the method 'finetune'",
            expected="one of them",
            hint="--method head takes both",
        )
    if resume and output is None:
        raise UsageError("resume without an output", expected="the output of the training")
    if output and float_output and os.path.realpath(output) == os.path.realpath(float_output):
        raise UsageError(
            f"the same file {os.fspath(output)!r} twice", expected="another name for the float one"
        )
