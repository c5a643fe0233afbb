"""`whatsit dataset check`: what is wrong with labelled pictures, before a model learns them."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from . import output, progress
from .options import model_option, report_option, workers_option

if TYPE_CHECKING:
    from rich.console import Console

    from ..doctor import Diagnosis, Evidence, Finding

_SHOWN = 5  # cases of each finding
_SHOWN_PATHS = 4  # of each case
_WIDTH = 80
_INDENT = 9
_COLOURS = {"serious": "red", "warning": "yellow", "note": "cyan"}


@click.group(no_args_is_help=True)
def command() -> None:
    """Care for labelled pictures."""


@command.command(no_args_is_help=True)
@click.argument("dataset", metavar="DATASET", type=click.UNPROCESSED)
@click.option(
    "--against",
    metavar="DATASET2",
    help="Also look for pictures that are in both: what is tested on must not be learned.",
)
@model_option
@click.option(
    "--no-labels",
    is_flag=True,
    help="Look at files, classes and copies only: needs no model, and is quicker.",
)
@workers_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with every case.")
@report_option
def check(
    dataset: str,
    against: str | None,
    model: str | None,
    no_labels: bool,
    workers: int | None,
    as_json: bool,
    report_path: str | None,
) -> int:
    """Find what is wrong with labelled pictures, before a model learns it.

    DATASET is a folder with a folder for each class, or a CSV file with the columns file and
    label, as for `whatsit evaluate`; or a folder that holds train and val, which are checked one
    by one and against each other; or a .zip or .tar.gz of any of these, or the https address of
    one.

    Found are files that cannot be read or are damaged; pictures that are there twice, also
    resized, saved again, darker, mirrored or cropped, within a class, in two classes, or in train
    and val; empty, small and uneven classes; labels that may be wrong; odd and stray files.

    Exit status: 0 if nothing is serious, 1 if something is, 2 for wrong usage. Serious is what
    is surely wrong and makes a model or its measured accuracy wrong; labels that may be wrong are
    a warning.
    """
    from .. import doctor, report

    if report_path:
        report.check(report_path)
    with progress.line() as say:
        diagnosis = doctor.check(
            dataset,
            against=against,
            model=model,
            embeddings=not no_labels,
            workers=workers,
            progress=lambda what, done, total: say(f"{what}: {done:,} of {total:,}"),
        )
    for note in diagnosis.notes:
        output.print_note(note)
    try:  # the file first, since printing ends with the reader of a pipe, and yet in any case
        if report_path:
            report.save(report.diagnosis_page(diagnosis), report_path)
    finally:
        if as_json:
            output.print_json(diagnosis.to_json())
        else:
            _print(diagnosis)
    return 1 if diagnosis.serious else 0


def _print(diagnosis: Diagnosis) -> None:
    """A paragraph for each finding, the worst first, and the upshot."""
    from ..wording import counted

    console = output.console()
    console.print(output.printable(diagnosis.dataset), style="bold", end="")
    parts = f" in {', '.join(diagnosis.parts)}" if len(diagnosis.parts) > 1 else ""
    console.print(
        f"  {counted(diagnosis.pictures, 'picture')} of "
        f"{counted(len(diagnosis.classes), 'class')}{output.printable(parts)}"
    )
    for finding in diagnosis.findings:
        console.print()
        _print_finding(console, finding, diagnosis.root)
    console.print()
    console.print(_upshot(diagnosis), style="bold")


def _print_finding(console: Console, finding: Finding, root: str) -> None:
    name = finding.severity.value
    console.print(f"{name:<{_INDENT}}", style=_COLOURS[name], end="")
    console.print(output.printable(finding.title), style="bold")
    _print_wrapped(console, finding.advice, style="dim")
    for case in finding.cases[:_SHOWN]:
        _print_case(console, case, root)
    more = len(finding.cases) - _SHOWN
    if more > 0:
        _print_wrapped(console, f"… and {more:,} more: see --report or --json")


def _print_case(console: Console, case: Evidence, root: str) -> None:
    from ..doctor import below

    start = " " * _INDENT
    paths: Sequence[str] = [output.printable(below(path, root)) for path in case.paths]
    text = output.printable(case.text.replace(os.path.join(root, ""), "") if root else case.text)
    if not paths:
        _print_wrapped(console, text)
        return
    if len(paths) == 1 and len(start) + len(paths[0]) + len(text) + 2 <= _WIDTH:
        console.print(f"{start}{paths[0]}  ", end="")
        console.print(text, style="dim")
        return
    for path in paths[:_SHOWN_PATHS]:
        console.print(f"{start}{path}")
    if len(paths) > _SHOWN_PATHS:
        console.print(f"{start}… {len(paths)} in all")
    _print_wrapped(console, text, style="dim", indent=_INDENT + 2)


def _print_wrapped(
    console: Console, text: str, *, style: str | None = None, indent: int = _INDENT
) -> None:
    start = " " * indent
    console.print(
        textwrap.fill(text, _WIDTH, initial_indent=start, subsequent_indent=start), style=style
    )


def _upshot(diagnosis: Diagnosis) -> str:
    names = [finding.severity.value for finding in diagnosis.findings]
    if diagnosis.serious:
        return "Not ready: look at what is serious first."
    if "warning" in names:
        return "Nothing serious; look at the warnings."
    return "Nothing wrong was found."
