"""Teaches a model classes of one's own: a new last layer for a bundle, and how good it is.

The backbone stays as it is. Each picture goes through it once; the layer is fitted to what comes
out, and takes the place of the old one in the same file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from ..bundle import Bundle
from ..classifier import open_bundle
from ..datasets import Dataset
from ..errors import UsageError
from ..graph.head import find_head
from .addition import add as add
from .few import fit_few as fit_few
from .head import HeadFit as HeadFit
from .head import check_installed
from .head import fit_head as fit_head
from .lesson import prepared
from .making import Progress, Told, check_output, made, put
from .pictures import matched, material, opened
from .report import Flip as Flip
from .report import LeftOut as LeftOut
from .report import TrainingReport as TrainingReport

METHODS = ("head",)


def train(
    dataset: Dataset | str | os.PathLike[str],
    *,
    method: str = "head",
    parent: Bundle | str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    validation: Dataset | str | os.PathLike[str] | None = None,
    few_shot: bool = False,
    remember: bool = True,
    force: bool = False,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> TrainingReport:
    """A bundle that knows the classes of `dataset`, made of `parent`, and how good it is.

    `dataset` is a Dataset, or the path of a folder, list or archive with labelled pictures;
    `parent` a bundle or what `load` takes. It is measured on `validation`, or else on a fifth of
    the pictures, no near duplicate of which it was taught from. With `few_shot`, or fewer than ten
    pictures of most classes, all are learned from, and each in turn is left out to measure.
    `output` is written whole or not at all, an existing file only with `force`. `remember` keeps in
    the bundle what `add` needs. The same pictures, `seed` and machine give the same bytes.
    `progress(what, done, total)` and `note(text)` are called on the way.

    Raises UsageError, DatasetError, ModelUnsupported for a parent whose last layer cannot be
    replaced, ExtraMissing without scikit-learn, WhatsitError where `output` cannot be written.
    """
    if method not in METHODS:
        raise UsageError(f"the method {method!r}", expected=f"one of {', '.join(METHODS)}")
    check_installed()
    if output is not None:
        check_output(output, force)
    bundle = parent if isinstance(parent, Bundle) else open_bundle(parent)
    find_head(bundle)  # refused before the pictures are read
    with contextlib.ExitStack() as stack:
        found = material(stack.enter_context(opened(dataset)))
        held = None
        if validation is not None:
            held = matched(stack.enter_context(opened(validation)), found.names)
        told = Told(note)
        lesson = prepared(
            bundle,
            found,
            held,
            few_shot=few_shot,
            seed=seed,
            workers=workers,
            progress=progress,
            told=told,
        )
        report = made(lesson, remember=remember, workers=workers, progress=progress, told=told)
    if output is not None:
        put(report.bundle, output)
    return report
