"""`whatsit calibrate`: how far a model's answers can be trusted, measured and kept in its file."""

from __future__ import annotations

import click

from ..errors import UsageError
from . import material, output, progress
from .evaluate import label_offset_option, label_options
from .options import runtime_option, workers_option
from .targets import Targets, model_files


@click.command(no_args_is_help=True)
@click.argument("model", metavar="MODEL")
@click.argument("dataset", metavar="DATASET", type=click.UNPROCESSED)
@click.option(
    "-o",
    "--output",
    "out",
    metavar="FILE.tflite",
    help="The calibrated model.  [default: measure only]",
)
@click.option(
    "--foreign",
    metavar="FOLDER",
    multiple=True,
    type=click.UNPROCESSED,
    help="Pictures that show none of the classes, to measure how many are noticed. Files, "
    "folders and patterns as for `whatsit classify`; repeat it for several sets.",
)
@label_options
@label_offset_option
@workers_option
@runtime_option
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    model: str,
    dataset: str,
    out: str | None,
    foreign: tuple[str, ...],
    labels_by: str,
    skip_unknown: bool,
    label_offset: int | None,
    limit: int | None,
    seed: int,
    workers: int | None,
    runtime: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Measure how far a model's answers can be trusted, and put that into its file.

    MODEL is a name (see `whatsit models`) or a .tflite. DATASET has pictures of the model's
    classes that it was not taught from, some hundred, such as will come later; as for `whatsit
    evaluate`; without --limit at most 10000 are taken, and --seed also says how they are halved
    for measuring. The calibrated model has the same graph; its scores mean what they say, it
    answers with sets that hold the true class as often as is asked for, and says when a picture
    shows nothing that it knows.

    Exit status: 0 if all pictures were read, 1 if some failed or nothing could be measured, 2 for
    wrong usage.
    """
    from ..calibrating import calibrate
    from .calibrate_text import print_calibrated

    _check(model, foreign, out, force)
    pictures = material.read(dataset)
    Targets(output=out).spare(material.files(dataset, pictures))
    with progress.bar() as bar:
        found = calibrate(
            model,
            pictures,
            foreign=foreign,
            labels_by=labels_by,
            label_offset=label_offset,
            skip_unknown=skip_unknown,
            limit=limit,
            seed=seed,
            workers=workers,
            runtime=runtime,
            progress=lambda what, done, total: bar(done, total, what),
            note=output.print_note,
        )
    written = None
    try:  # the file first, since printing ends with the reader of a pipe, and yet in any case
        if out is not None:
            found.bundle.write(out)
            written = out
    finally:
        if as_json:
            output.print_json({**found.to_json(), "output": written})
        else:
            print_calibrated(found, written)
    if out is None:
        output.print_note("nothing was written: -o FILE.tflite keeps the calibration")
    return 1 if found.failures else 0


def _check(model: str, foreign: tuple[str, ...], out: str | None, force: bool) -> None:
    """Raises, before the work, what would prevent the file from being written, or harm another."""
    targets = Targets(output=out)
    targets.check()
    if out is None:
        return
    if not out.endswith(".tflite"):
        raise UsageError(
            f"the output {output.printable(out)!r}", expected="a file that ends in .tflite"
        )
    targets.spare([*model_files([model]), *foreign])
    targets.check_new(force)
