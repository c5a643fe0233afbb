"""`whatsit explain`: which part of a picture speaks for a class."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from .. import storage
from ..errors import InputError, UsageError
from ..sources import Source
from . import output
from .options import (
    model_option,
    preprocess_option,
    region_option,
    report_option,
    rotate_option,
    runtime_option,
)
from .targets import Targets, model_files

if TYPE_CHECKING:
    from ..explain.faithfulness import Faithfulness
    from ..explain.values import Explanation

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_QUALITY = 82  # of a JPEG: the letters stay clean


@click.command(no_args_is_help=True)
@click.argument("picture", metavar="PICTURE", type=click.UNPROCESSED)
@model_option
@click.option(
    "-o",
    "--output",
    "out",
    metavar="FILE",
    help="Draw the maps over the picture, into this .png or .jpg.  [default: print only]",
)
@click.option(
    "--class",
    "target",
    metavar="CLASS",
    help="Explain this class: an index, a name or a WordNet id.  [default: the likeliest]",
)
@click.option(
    "--versus",
    metavar="CLASS",
    help="Say why it is not this class.  [default: the likeliest other one]",
)
@click.option(
    "--test",
    "tested",
    is_flag=True,
    help="Also measure how faithful the map is, by taking away what it calls important.",
)
@region_option
@rotate_option
@preprocess_option
@runtime_option
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with the maps.")
@report_option
def command(
    picture: str,
    model: str | None,
    out: str | None,
    target: str | None,
    versus: str | None,
    tested: bool,
    region: tuple[float, float, float, float] | None,
    rotate: int,
    preprocess: str | None,
    runtime: str | None,
    force: bool,
    as_json: bool,
    report_path: str | None,
) -> int:
    """Show which part of a picture speaks for a class, and which for another.

    PICTURE is a file, or - for the bytes of one on standard input. The map is exact: its mean is
    what the model's score is made of.

    Exit status: 0 if the picture was explained, 1 if it or the model cannot be, 2 for wrong usage.
    """
    from .. import report
    from ..explain.explainer import Explainer

    _check(picture, model, out, force, report_path)
    source = Source(picture)
    with Explainer(model, preprocess=preprocess, runtime=runtime) as explainer:
        if explainer.pick is not None:
            output.print_note(explainer.pick.reason)
        for note in explainer.bundle.notes if preprocess is None else ():
            output.print_note(note)
        try:
            explanation = explainer.explain(
                source.picture(), target=target, versus=versus, region=region, rotation=rotate
            )
        except InputError as error:
            if not as_json:
                raise
            output.print_json({"path": picture, "error": error.to_json()})
            return 1
        faithful = explainer.faithfulness(explanation) if tested else None
    drawn = None
    try:  # the files first, since printing ends with the reader of a pipe, and yet in any case
        if out is not None:
            _draw(explanation, out)
            drawn = out
        if report_path is not None:
            report.save(report.explanation_page(explanation, faithful), report_path)
    finally:
        _show(explanation, faithful, picture, drawn, as_json)
    return 0


def _check(
    picture: str, model: str | None, out: str | None, force: bool, report_path: str | None
) -> None:
    """Raises, before the work, what would prevent the files from being written."""
    targets = Targets(report=report_path, output=out)
    targets.check()
    if out is not None and os.path.splitext(out)[1].lower() not in _FORMATS:
        raise UsageError(
            f"the output {output.printable(out)!r}",
            expected=f"a file that ends in {', '.join(_FORMATS)}",
        )
    targets.spare([*model_files([] if model is None else [model]), picture])
    targets.check_new(force)


def _draw(explanation: Explanation, out: str) -> None:
    kind = _FORMATS[os.path.splitext(out)[1].lower()]
    image = explanation.overlay()
    with storage.whole_file(out) as file:
        image.save(file, kind, quality=_QUALITY, subsampling=0)


def _show(
    explanation: Explanation,
    faithful: Faithfulness | None,
    picture: str,
    drawn: str | None,
    as_json: bool,
) -> None:
    from . import explain_text

    if as_json:
        row = {**explanation.to_json(), "path": picture, "output": drawn}
        output.print_json(row if faithful is None else {**row, "test": faithful.to_json()})
        return
    for line in explain_text.lines(explanation, "standard input" if picture == "-" else picture):
        output.line(line)
    for line in [] if faithful is None else explain_text.tested(explanation, faithful):
        output.line(line)
    if drawn is not None:
        output.line(f"  Drawn over the picture: {output.printable(drawn)}")
