"""`whatsit compare`: which of two models is better on the same pictures."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from ..errors import DatasetError, UsageError
from ..wording import counted, interval
from . import material, output
from .evaluate import check_seed, going_on, label_options, run_options
from .options import report_option
from .summary import class_name, percent, print_table
from .targets import Targets, model_files

if TYPE_CHECKING:
    from rich.console import Console

    from ..classifier import Classifier
    from ..compare import Comparison
    from ..datasets import Dataset
    from ..evaluation import Evaluation

_SHOWN = 8  # of the classes and of the pictures that flipped
_SAVED = ".json"


@click.command(no_args_is_help=True)
@click.argument("first", metavar="MODEL_A")
@click.argument("second", metavar="MODEL_B")
@click.argument("dataset", metavar="[DATASET]", required=False, type=click.UNPROCESSED)
@label_options
@run_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@report_option
def command(
    first: str,
    second: str,
    dataset: str | None,
    labels_by: str,
    skip_unknown: bool,
    limit: int | None,
    seed: int,
    runtime: str | None,
    threads: int | None,
    workers: int | None,
    no_resume: bool,
    as_json: bool,
    report_path: str | None,
) -> int:
    """Say which of two models is better on the same pictures, and whether that could be chance.

    Each MODEL is a name, a .tflite, or a .json that `whatsit evaluate --save` wrote; with two of
    those no DATASET is needed. What a DATASET may be says `whatsit evaluate --help`.

    Exit status: 0 if all pictures were classified, 1 if some failed, 2 for wrong usage.
    """
    from .. import report
    from ..compare import compare

    targets = Targets(report=report_path)
    targets.check()
    check_seed(seed, limit)
    saved = [name.endswith(_SAVED) for name in (first, second)]
    if dataset is None and not all(saved):
        raise UsageError(
            "no data set to compare the models on",
            expected="MODEL_A MODEL_B DATASET",
            hint="only two files of `whatsit evaluate --save` need none",
        )
    options = _Options(labels_by, skip_unknown, limit, seed, runtime, threads, workers, no_resume)
    if all(saved):
        options.refuse_for_saved()
    targets.spare(model_files([first, second]))
    comparison = compare(*_evaluations([first, second], dataset, options, targets))
    for note in comparison.notes:
        output.print_note(note)
    try:  # the file first, since printing ends with the reader of a pipe, and yet in any case
        if report_path is not None:
            report.save(report.comparison_page(comparison), report_path)
    finally:
        if as_json:
            output.print_json(comparison.to_json())
        else:
            _print(comparison)
    return 1 if comparison.first.failures or comparison.second.failures else 0


@dataclass(frozen=True, slots=True)
class _Options:
    """What the command line says of how to evaluate."""

    labels_by: str
    skip_unknown: bool
    limit: int | None
    seed: int
    runtime: str | None
    threads: int | None
    workers: int | None
    no_resume: bool

    def refuse_for_saved(self) -> None:
        """Raises UsageError for what says how to run a model, where none is run."""
        for given, name in (
            (self.labels_by != "auto", "--labels-by"),
            (self.skip_unknown, "--skip-unknown"),
            (self.runtime is not None, "--runtime"),
            (self.threads is not None, "--threads"),
            (self.workers is not None, "--workers"),
            (self.no_resume, "--no-resume"),
        ):
            if given:
                raise UsageError(
                    f"{name} for two saved evaluations",
                    expected="a model that is still to be run, or --limit and --seed alone",
                )


class _Notes:
    """Remarks for a person, each made once, though both steps and both models come upon them."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def add(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            output.print_note(text)


def _evaluations(
    models: list[str], dataset: str | None, options: _Options, targets: Targets
) -> tuple[Evaluation, Evaluation]:
    """The saved evaluations read, the models evaluated on the pictures that all of them know."""
    from ..classifier import load
    from ..evaluation import Evaluation

    notes = _Notes()
    with contextlib.ExitStack() as stack:
        opened: list[Evaluation | Classifier] = []
        for name in models:
            if name.endswith(_SAVED):
                opened.append(Evaluation.read(name))
            else:
                classifier = load(name, threads=options.threads, runtime=options.runtime)
                opened.append(stack.enter_context(classifier))
                if classifier.pick is not None:
                    notes.add(f"{classifier.bundle.name}: {classifier.pick.reason}")
        whole = material.read(dataset) if dataset is not None else None
        targets.spare(material.files(dataset, whole) if dataset and whole else ())
        pictures = None if whole is None else _shared(whole, opened, options, notes)
        if pictures is not None:
            chosen = {pictures.place(row) for row in pictures.rows}
        else:
            chosen = _drawn([item for item in opened if isinstance(item, Evaluation)], options)
        first, second = (
            item.only(chosen)
            if isinstance(item, Evaluation)
            else _evaluated(item, pictures, options, notes)
            for item in opened
        )
    return first, second


def _drawn(saved: list[Evaluation], options: _Options) -> set[str]:
    """The pictures of all saved evaluations, or those that --limit draws of their common ones."""
    from ..datasets import sampled

    places = [_places(evaluation) for evaluation in saved]
    if options.limit is None:
        return set().union(*places)
    common = sorted(set.intersection(*places))
    return {common[i] for i in sampled(len(common), options.limit, options.seed)}


def _places(evaluation: Evaluation) -> set[str]:
    answered = {answer.path for answer in evaluation.answers}
    return answered | {failure.path for failure in evaluation.failures}


def _shared(
    dataset: Dataset, models: list[Evaluation | Classifier], options: _Options, notes: _Notes
) -> Dataset:
    """The rows that every saved evaluation has and every model knows, or a sample of them."""
    from ..datasets import sampled
    from ..evaluate import known
    from ..evaluation import Evaluation

    for note in dataset.notes:
        notes.add(note)
    places = set(range(len(dataset)))
    for model in models:
        if isinstance(model, Evaluation):
            known_places = _places(model)
            places &= {
                i for i, row in enumerate(dataset.rows) if dataset.place(row) in known_places
            }
        else:
            matched = known(
                dataset,
                model.bundle.labels,
                labels_by=options.labels_by,
                skip_unknown=options.skip_unknown,
            )
            places &= set(matched.known)
            for note in matched.notes:
                notes.add(f"{model.bundle.name}: {note}")
    if not places:
        raise DatasetError(
            f"no picture of {dataset.name!r} is known to both",
            expected="labels of both models, or saved evaluations of this data set",
        )
    order = sorted(places)
    chosen = [order[i] for i in sampled(len(order), options.limit, options.seed)]
    return replace(dataset.only(chosen), notes=())


def _evaluated(
    classifier: Classifier, dataset: Dataset | None, options: _Options, notes: _Notes
) -> Evaluation:
    from ..evaluate import evaluate

    assert dataset is not None
    name = classifier.bundle.name
    with going_on(name) as advance:
        return evaluate(
            classifier,
            dataset,
            labels_by=options.labels_by,
            workers=options.workers,
            resume=not options.no_resume,
            progress=advance,
            note=lambda text: notes.add(f"{name}: {text}"),
        )


def _print(comparison: Comparison) -> None:
    console = output.console()
    names = [output.printable(name) for name in comparison.names]
    console.print(
        f"{names[0]} (A) against {names[1]} (B)\n"
        f"{counted(comparison.pictures, 'picture')} of "
        f"{output.printable(comparison.second.dataset)}, {_engines(comparison)}\n"
    )
    alone = (comparison.only_first, comparison.only_second)
    for letter, rate, only in zip("AB", comparison.top1, alone, strict=True):
        console.print(
            f"{letter}  Top-1 {percent(rate.value)} ({interval(rate.interval)}), "
            f"{rate.hits} right, {only} of them alone"
        )
    console.print(f"\n{output.printable(_sentence(comparison))}", style="bold")
    _print_classes(console, comparison)
    _print_flips(console, comparison)


def _engines(comparison: Comparison) -> str:
    """Which engine gave the answers."""
    first, second = map(output.printable, (comparison.first.runtime, comparison.second.runtime))
    return f"both run by {first}" if first == second else f"A run by {first}, B by {second}"


def _sentence(comparison: Comparison) -> str:
    """The verdict as a sentence."""
    verdict = comparison.verdict()
    return f"{verdict}." if comparison.significant else f"The two {verdict}."


def _print_classes(console: Console, comparison: Comparison) -> None:
    flipped = comparison.classes_flipped()
    often = [row for row in flipped if row[1] + row[2] > 1][:_SHOWN]
    if often:
        rows = [(class_name(name), str(lost), str(won)) for name, lost, won in often]
        print_table(
            console, ("Classes that flipped", "only A right", "only B right"), rows, numbers=2
        )


def _print_flips(console: Console, comparison: Comparison) -> None:
    """The pictures where the wrong model was surest."""
    first, second = comparison.first.labels.names, comparison.second.labels.names
    flips = sorted(comparison.flips, key=lambda f: (-(f.first if f.won else f.second)[1], f.path))
    if flips:
        shown = f", {_SHOWN} of {len(flips)}" if len(flips) > _SHOWN else ""
        console.print(f"\nPictures that flipped, surest mistakes first{shown}", style="bold")
    for flip in flips[:_SHOWN]:
        answers = (first[flip.first[0]], flip.first[1]), (second[flip.second[0]], flip.second[1])
        (right, _), (wrong, score) = reversed(answers) if flip.won else answers
        console.print(
            f"{percent(score)}  {'A' if flip.won else 'B'} says {class_name(wrong)}, "
            f"{'B' if flip.won else 'A'} rightly {class_name(right)}"
        )
        console.print(f"         {output.printable(flip.path)}", style="dim")
