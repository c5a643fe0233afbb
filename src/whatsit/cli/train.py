"""`whatsit train`: teaches a model your own classes, in place, and says how good it is."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from . import output, progress
from .options import report_option, workers_option

if TYPE_CHECKING:
    from ..train import Tuning


def _only_one(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> str | None:
    if len(values) > 1:
        raise UsageError(
            f"--add {len(values)} times", expected="one class at a time", hint="one after another"
        )
    return values[0] if values else None


@click.command(no_args_is_help=True)
@click.argument("dataset", metavar="[DATASET]", required=False, type=click.UNPROCESSED)
@click.option(
    "-o",
    "--output",
    "output_path",
    metavar="FILE",
    help="The model to write, such as flowers.tflite.",
)
@click.option(
    "-m",
    "--model",
    "parent",
    metavar="NAME|FILE",
    help="The model to teach.  [default: efficientnet-lite0-int8; to finetune, "
    "efficientnet-lite0-float16]",
)
@click.option(
    "--validation",
    metavar="DATASET",
    help="Pictures to measure with.  [default: a fifth of DATASET, from which nothing is learned]",
)
@click.option(
    "--tree",
    metavar="FILE",
    help="A CSV file with the columns class and parent: what the classes have in common.  "
    "[default: labels.csv in DATASET, if it is such a file]",
)
@click.option(
    "--method",
    metavar="METHOD",
    default="head",
    help="head: a new last layer, in seconds.  finetune: all layers, in minutes to hours, for "
    "a few points more.  [default: head]",
)
@click.option(
    "--few-shot",
    is_flag=True,
    help="Learn from all pictures, in closed form, and measure by leaving each out in turn; of "
    "itself where most classes have fewer than ten.",
)
@click.option(
    "--add",
    "added",
    callback=_only_one,
    multiple=True,  # so that a second one is seen, and not the first forgotten
    metavar="CLASS=FOLDER",
    help="Add one class, from the pictures in FOLDER, to the model of --to.",
)
@click.option(
    "--to", metavar="FILE", help="The taught model that --add extends; replaced if there is no -o."
)
@click.option(
    "--no-memory",
    is_flag=True,
    help="Do not keep in the model what --add needs: it is smaller, and final.",
)
@click.option(
    "--epochs",
    type=int,
    metavar="N",
    help="finetune: how often each picture is looked at.  [default: by their number, 5 to 40]",
)
@click.option(
    "--batch",
    type=int,
    metavar="N",
    help="finetune: pictures of one step; fewer need less memory.  [default: 16]",
)
@click.option(
    "--rate",
    type=float,
    metavar="R",
    help="finetune: the highest rate of learning.  [default: 0.0003]",
)
@click.option(
    "--device",
    metavar="NAME",
    help="finetune: cpu, cuda, mps, or auto for a GPU where there is one.  [default: auto]",
)
@click.option(
    "--resume",
    is_flag=True,
    help="finetune: go on where a training was cut off, from FILE.checkpoint.",
)
@click.option(
    "--float",
    "float_path",
    metavar="FILE",
    help="finetune: also write the model before it became int8, as float16.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Replace FILE if it is there, and what is left of a training that was cut off.",
)
@click.option("--seed", type=int, default=0, metavar="N", help="Hold out other pictures.")
@workers_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@report_option
def command(
    dataset: str | None,
    output_path: str | None,
    parent: str | None,
    validation: str | None,
    tree: str | None,
    method: str,
    few_shot: bool,
    added: str | None,
    to: str | None,
    no_memory: bool,
    epochs: int | None,
    batch: int | None,
    rate: float | None,
    device: str | None,
    resume: bool,
    float_path: str | None,
    force: bool,
    seed: int,
    workers: int | None,
    as_json: bool,
    report_path: str | None,
) -> int:
    """Teach a model your own classes, and measure it on pictures it has not seen.

    DATASET is a folder with a folder for each class; a CSV file with the columns file and label;
    a .zip or .tar.gz of such a folder; or the https address of one. The result is one .tflite with
    labels, preprocessing and measured accuracy inside, for every command of whatsit and for phones.

    Exit status: 0 if the model was written, 1 if not, 2 for wrong usage; 130 after Ctrl-C, which
    ends finetuning early: the best model so far is written, and --resume goes on.
    """
    from .. import report as pages
    from ..train import add, train
    from .train_text import print_report

    if report_path is not None:
        pages.check(report_path)
    note = output.print_note
    settings = {"epochs": epochs, "batch": batch, "rate": rate, "device": device}
    tuning = _tuning(settings)
    with progress.bar() as bar:

        def advance(what: str, done: int, total: int) -> None:
            bar(done, total, what)

        if added is not None or to is not None:
            others = few_shot or no_memory or resume or tuning or float_path or method != "head"
            name, folder, model = _addition(
                added, to, dataset=dataset, parent=parent, others=bool(others)
            )
            output_path, force = output_path or model, force or output_path is None
            report = add(
                name,
                folder,
                to=model,
                output=output_path,
                validation=validation,
                tree=tree,
                force=force,
                seed=seed,
                workers=workers,
                progress=advance,
                note=note,
            )
        else:
            if dataset is None or output_path is None:
                raise UsageError(
                    "no data set" if dataset is None else "no file to write the model to",
                    expected="whatsit train DATASET -o FILE",
                )
            report = train(
                dataset,
                method=method,
                parent=parent,
                output=output_path,
                float_output=float_path,
                validation=validation,
                tree=tree,
                few_shot=few_shot,
                tuning=tuning,
                resume=resume,
                remember=not no_memory,
                curve=report_path is not None and method == "head",
                force=force,
                seed=seed,
                workers=workers,
                progress=advance,
                note=note,
            )
    try:  # the file first, since printing ends with the reader of a pipe, and yet in any case
        if report_path is not None:
            pages.save(pages.training_page(report), report_path)
    finally:
        if as_json:
            output.print_json({**report.to_json(), "output": output_path})
        else:
            print_report(report, output_path)
    return 0 if report.finished else 128 + signal.SIGINT


def _tuning(settings: dict[str, Any]) -> Tuning | None:
    """What was asked for, None where nothing was. Raises UsageError."""
    from ..train import Tuning

    given = {name: value for name, value in settings.items() if value is not None}
    return Tuning(**given) if given else None


def _addition(
    added: str | None, to: str | None, *, dataset: str | None, parent: str | None, others: bool
) -> tuple[str, str, str]:
    """Name, folder and model of an addition. Raises UsageError."""
    expected = "whatsit train --add CLASS=FOLDER --to FILE"
    if added is None or to is None:
        raise UsageError(f"{'--to' if added is None else '--add'} alone", expected=expected)
    if dataset is not None or parent is not None or others:
        raise UsageError("--add with what is for teaching anew", expected=expected)
    name, equals, folder = added.partition("=")
    if not (name.strip() and equals and folder):
        raise UsageError(f"--add {added!r}", expected=expected)
    return name, folder, to
