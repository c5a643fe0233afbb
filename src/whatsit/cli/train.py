"""`whatsit train`: teaches a model your own classes, in place, and says how good it is."""

from __future__ import annotations

import click

from ..errors import UsageError
from . import output, progress


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
    help="The model to teach.  [default: efficientnet-lite0-int8]",
)
@click.option(
    "--validation",
    metavar="DATASET",
    help="Pictures to measure with.  [default: a fifth of DATASET, from which nothing is learned]",
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
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--seed", type=int, default=0, metavar="N", help="Hold out other pictures.")
@click.option(
    "--workers", type=int, metavar="N", help="Pictures at the same time.  [default: the cores]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    dataset: str | None,
    output_path: str | None,
    parent: str | None,
    validation: str | None,
    few_shot: bool,
    added: str | None,
    to: str | None,
    no_memory: bool,
    force: bool,
    seed: int,
    workers: int | None,
    as_json: bool,
) -> int:
    """Teach a model your own classes, and measure it on pictures it has not seen.

    DATASET is a folder with a folder for each class; a CSV file with the columns file and label;
    or a .zip or .tar.gz of such a folder. The result is one .tflite with labels, preprocessing and
    measured accuracy inside, for every command of whatsit and for phones.

    Exit status: 0 if the model was written, 1 if not, 2 for wrong usage.
    """
    from ..train import add, train
    from .train_text import print_report

    note = output.print_note
    with progress.bar() as bar:

        def advance(what: str, done: int, total: int) -> None:
            bar(done, total, what)

        if added is not None or to is not None:
            name, folder, model = _addition(
                added, to, dataset=dataset, parent=parent, others=few_shot or no_memory
            )
            output_path, force = output_path or model, force or output_path is None
            report = add(
                name,
                folder,
                to=model,
                output=output_path,
                validation=validation,
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
                parent=parent,
                output=output_path,
                validation=validation,
                few_shot=few_shot,
                remember=not no_memory,
                force=force,
                seed=seed,
                workers=workers,
                progress=advance,
                note=note,
            )
    if as_json:
        output.print_json({**report.to_json(), "output": output_path})
    else:
        print_report(report, output_path)
    return 0


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
