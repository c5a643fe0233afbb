"""`whatsit evaluate`: how good a model is on pictures whose classes are known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from ..errors import ModelUnsupported, UsageError
from . import material, output, progress
from .options import (
    preprocess_option,
    report_option,
    runtime_option,
    threads_option,
    workers_option,
)
from .progress import Advance
from .targets import Targets, model_files

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..evaluation import Evaluation


label_offset_option = click.option(
    "--label-offset",
    type=int,
    metavar="N",
    help="Add this to the indices of the data set.  [default: 1 if the model's class 0 is "
    "'background' and the data set's is not]",
)


def label_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which pictures of the data set count."""
    for option in (
        click.option(
            "--seed", type=int, default=0, metavar="N", help="Draw other pictures for --limit."
        ),
        click.option(
            "--limit", type=int, metavar="N", help="Take only this many pictures, at random."
        ),
        click.option(
            "--skip-unknown",
            is_flag=True,
            help="Leave out pictures whose label names no class of the model.",
        ),
        click.option(
            "--labels-by",
            default="auto",
            metavar="WHAT",
            help="What the labels are: name, index or synset (WordNet id).  [default: by "
            "their looks]",
        ),
    ):
        command = option(command)
    return command


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how the pictures are run."""
    for option in (
        click.option("--no-resume", is_flag=True, help="Forget what an interrupted run has done."),
        workers_option,
        threads_option,
        runtime_option,
    ):
        command = option(command)
    return command


@click.command(no_args_is_help=True)
@click.argument("model", metavar="MODEL")
@click.argument("dataset", metavar="DATASET", type=click.UNPROCESSED)
@click.option(
    "-k",
    "--top",
    "ks",
    type=int,
    multiple=True,
    metavar="K",
    help="Count answers whose K best classes hold the true one; repeat it for several.  "
    "[default: 1 and 5]",
)
@label_options
@label_offset_option
@preprocess_option
@run_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--save",
    "save_path",
    metavar="FILE",
    help="Also keep every answer in this file, for `whatsit compare`.",
)
@report_option
def command(
    model: str,
    dataset: str,
    ks: tuple[int, ...],
    labels_by: str,
    skip_unknown: bool,
    limit: int | None,
    seed: int,
    label_offset: int | None,
    preprocess: str | None,
    runtime: str | None,
    threads: int | None,
    workers: int | None,
    no_resume: bool,
    as_json: bool,
    save_path: str | None,
    report_path: str | None,
) -> int:
    """Measure how good a model is on pictures whose classes are known.

    MODEL is a name (see `whatsit models`) or a .tflite. DATASET is a folder with a folder for each
    class; a CSV file with the columns file and label (or class_index), or a folder with such a
    labels.csv; ImageNet's validation pictures with val.txt or LOC_val_solution.csv; or a .zip or
    .tar.gz of any of these, or the https address of one.

    A run that was interrupted goes on where it was when the same command is given again.

    Exit status: 0 if all pictures were classified, 1 if some failed, 2 for wrong usage.
    """
    from .. import report
    from ..classifier import load
    from ..evaluate import evaluate
    from .summary import print_evaluation

    targets = Targets(save_path, report_path)
    targets.check()
    check_seed(seed, limit)
    pictures = material.read(dataset)
    targets.spare([*model_files([model]), *material.files(dataset, pictures)])
    with load(model, threads=threads, preprocess=preprocess, runtime=runtime) as classifier:
        if classifier.pick is not None:
            output.print_note(classifier.pick.reason)
        classes = len(classifier.bundle.labels)
        with going_on(classifier.bundle.name) as advance:
            evaluation = evaluate(
                classifier,
                pictures,
                labels_by=labels_by,
                label_offset=label_offset,
                skip_unknown=skip_unknown,
                workers=workers,
                ks=checked_ks(ks, classes),
                limit=limit,
                seed=seed,
                resume=not no_resume,
                progress=advance,
                note=output.print_note,
            )
    try:  # the files first, since printing ends with the reader of a pipe, and yet in any case
        if save_path is not None:
            evaluation.save(save_path)
        if report_path is not None:
            report.save(_page(evaluation, classifier), report_path)
    finally:
        if as_json:
            output.print_json(evaluation.to_json())
        else:
            print_evaluation(evaluation, pictures.kind)
    return 1 if evaluation.failures else 0


def _page(evaluation: Evaluation, classifier: Classifier) -> str:
    """The report, with maps of the surest mistakes where the model has any."""
    from .. import report
    from ..explain.explainer import Explainer

    try:
        explainer = Explainer(
            classifier.bundle, preprocess=classifier.preprocess, runtime=classifier.runtime
        )
    except ModelUnsupported:
        return report.evaluation_page(evaluation)
    with explainer:
        return report.evaluation_page(evaluation, explainer)


def check_seed(seed: int, limit: int | None) -> None:
    """Raises UsageError for a seed that nothing is drawn with."""
    if seed and limit is None:
        raise UsageError(f"--seed {seed} without --limit", expected="--limit N to draw pictures")


def checked_ks(ks: tuple[int, ...], classes: int) -> tuple[int, ...]:
    """The k of Top-k in rising order. With five classes or fewer, Top-5 says nothing."""
    for k in ks:
        if not 1 <= k <= classes:
            raise UsageError(f"Top-{k} of {classes} classes", expected=f"from 1 to {classes}")
    return tuple(sorted(set(ks))) or ((1, 5) if classes > 5 else (1,))


@contextlib.contextmanager
def going_on(name: str) -> Iterator[Advance]:
    """A bar for `evaluate`, and a note for whoever interrupts it."""
    try:
        with progress.bar(name) as advance:
            yield advance
    except KeyboardInterrupt:
        output.print_note("interrupted: the same command goes on where this one was")
        raise
