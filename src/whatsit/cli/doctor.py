"""`whatsit doctor`: why two pipelines disagree, why a model is refused, why accuracy is low."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import storage
from ..errors import UsageError
from ..sources import STANDARD_INPUT, Source, expand
from ..wording import counted, p_value, percent
from . import output, progress

if TYPE_CHECKING:
    from rich.console import Console

    from ..checkup import Checkup, Finding

_WIDTH = 80
_INDENT = 9
_ROWS = 8
_COLOURS = {"serious": "red", "warning": "yellow", "note": "cyan"}
_IMAGENET = "imagenet"


@click.command(no_args_is_help=True)
@click.argument("model", metavar="MODEL")
@click.argument("photos", metavar="[PHOTO]...", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--against",
    metavar="MODEL2|RESULT.json",
    help="What the answers should be: another model, or what another program answered.",
)
@click.option(
    "--data",
    metavar="DATASET",
    help="Labelled pictures, as `whatsit evaluate` takes them: why is accuracy low?",
)
@click.option(
    "--limit",
    type=int,
    default=100,
    show_default=True,
    metavar="N",
    help="How many pictures of --data, drawn at random.",
)
@click.option("--seed", type=int, default=0, metavar="N", help="Draws other pictures.")
@click.option("--fix", is_flag=True, help="Write the model again without what can be mended.")
@click.option("-o", "--output", "out", metavar="FIXED.tflite", help="Where --fix writes.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option(
    "--labels",
    metavar="FILE|imagenet",
    help="For --fix: the names of the classes, one a line, in the order of the scores.",
)
@click.option("--mean", type=float, metavar="M", help="For --fix: of pixels from 0 to 255.")
@click.option("--std", type=float, metavar="S", help="For --fix: of pixels from 0 to 255.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    model: str,
    photos: tuple[str, ...],
    against: str | None,
    data: str | None,
    limit: int,
    seed: int,
    fix: bool,
    out: str | None,
    force: bool,
    labels: str | None,
    mean: float | None,
    std: float | None,
    as_json: bool,
) -> int:
    """Say why two programs disagree, why MediaPipe refuses a model, why accuracy is low.

    MODEL is a name (see `whatsit models`) or a .tflite, also one that nothing can run. The file is
    examined alone; with --against, its answers to the PHOTOs (files, folders, patterns) are
    compared with those of MODEL2, or with the answers that another program wrote to RESULT.json:
    lines of `whatsit --json`, a list of all scores, {"label": score …}, lists of objects with
    index or label and score, MediaPipe's categories, for one photo or for many. Where they differ,
    every known mistake is tried until one explains it: swapped channels, mean and std, shifted
    labels, EXIF, stretch or crop, the resize filter, int8 edges, and two of them together.

    Without PHOTO, those that RESULT.json names are taken; for MODEL2 the golden ones.

    --fix writes a model that MediaPipe loads, and that agrees with --against where a file can.

    Exit status: 0 if nothing is serious, 1 if something is (with --fix: is left), 2 for wrong
    usage.
    """
    from ..checkup import checkup

    _check(fix, out, force, labels, mean, std, data, limit)
    pictures = [_path(source) for source in expand(photos)]
    names = None if labels is None else _read_labels(labels)
    with progress.bar("doctor") as advance:
        found = checkup(
            model,
            pictures,
            against=against,
            data=data,
            labels=names,
            mean=mean,
            std=std,
            fix=fix,
            limit=limit,
            seed=seed,
            progress=advance,
        )
    for note in found.notes:
        output.print_note(output.printable(note))
    left = found.serious
    try:  # the file first, since printing ends with the reader of a pipe, and yet in any case
        if found.repaired is not None and out is not None:
            _write(found.repaired, out, model)
            left = _serious_in(out)
    finally:
        if as_json:
            output.print_json({**found.to_json(), "output": out if found.repaired else None})
        else:
            _print(found, out if found.repaired else None)
    if fix and found.repaired is None:
        reason = "see what is serious" if found.serious else "nothing that a file can mend"
        output.print_note(f"no file was written: {reason}")
    return 1 if left else 0


def _check(
    fix: bool,
    out: str | None,
    force: bool,
    labels: str | None,
    mean: float | None,
    std: float | None,
    data: str | None,
    limit: int,
) -> None:
    """Raises UsageError for options that do not go together."""
    if fix != (out is not None):
        raise UsageError(
            "--fix without -o" if fix else "-o without --fix",
            expected="both: --fix -o FIXED.tflite",
        )
    if not fix and labels is not None:
        raise UsageError("--labels without --fix", expected="--fix -o FIXED.tflite")
    if (mean is None) != (std is None):
        raise UsageError("only one of --mean and --std", expected="both, or neither")
    if limit < 1:
        raise UsageError(f"a limit of {limit} pictures", expected="at least 1")
    if out is None:
        return
    if not out.endswith(".tflite"):
        raise UsageError(f"the output {out!r}", expected="a file that ends in .tflite")
    storage.check_writable(out)
    if os.path.lexists(out) and not force:
        raise UsageError(
            f"the output {out!r} is there already",
            expected="a new file",
            hint="-o names another; --force writes over it",
        )


def _path(source: Source) -> str:
    if source.error is not None:
        raise source.error
    if source.path == STANDARD_INPUT:
        raise UsageError("a photo on standard input", expected="files, folders or patterns")
    return source.path


def _read_labels(labels: str) -> Sequence[str]:
    from .. import zoo
    from ..errors import ModelUnsupported
    from ..getting import names

    if labels == _IMAGENET:
        return zoo.open_builtin(zoo.DEFAULT).labels.names
    try:
        return names.read(Path(labels).read_bytes(), labels)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot read the labels {labels!r}: {reason}", expected="a file, one name a line"
        ) from error
    except ModelUnsupported as error:
        raise UsageError(error.message, expected=error.expected, hint=error.hint) from error


def _write(data: bytes, out: str, model: str) -> None:
    if os.path.exists(out) and os.path.exists(model) and os.path.samefile(out, model):
        raise UsageError(
            f"the output {out!r} is the model itself", expected="another file", hint="-o NEW.tflite"
        )
    with storage.whole_file(out) as file:
        file.write(data)


def _serious_in(out: str) -> bool:
    """Whether the mended file itself is still seriously ill."""
    from ..checkup import checkup

    return checkup(out).serious


def _print(found: Checkup, out: str | None) -> None:
    """A paragraph for each finding, the worst first, what was tried, and the upshot."""
    console = output.console()
    console.print(output.printable(found.model), style="bold", end="")
    parts = []
    if found.against:
        parts.append(f"against {output.printable(found.against)}")
    if found.pictures:
        parts.append(counted(found.pictures, "picture"))
    if found.labelled:
        parts.append(counted(found.labelled, "labelled picture"))
    console.print(f"  {', '.join(parts)}" if parts else "")
    for finding in found.findings:
        console.print()
        _print_finding(console, finding)
    _print_trials(console, found)
    _print_accuracies(console, found)
    console.print()
    _print_wrapped(console, found.upshot, style="bold", indent=0)
    if out is not None:
        console.print()
        for fix in found.fixes:
            _print_wrapped(console, f"{'mended':<{_INDENT}}{fix}", indent=0, further=_INDENT)
        console.print(output.printable(out), style="bold")


def _print_finding(console: Console, finding: Finding) -> None:
    name = finding.severity.value
    console.print(f"{name:<{_INDENT}}", style=_COLOURS[name], end="")
    head = f"{output.printable(finding.title)}  "
    fits = _INDENT + len(head) + len(finding.code) <= _WIDTH
    console.print(head.rstrip(), style="bold", end="  " if fits else "\n")
    console.print(finding.code if fits else " " * _INDENT + finding.code, style="dim")
    for line in finding.evidence:
        _print_wrapped(console, f"- {line}", further=_INDENT + 2)
    _print_wrapped(console, finding.fix, style="dim")


def _print_trials(console: Console, found: Checkup) -> None:
    """How far apart the answers are in each way that was tried."""
    if len(found.trials) < 2:
        return
    console.print(f"\n{'apart':>7}  {'same first':>10}  way of the picture", style="dim")
    for row in found.trials[:_ROWS]:
        start = f"{row.apart:7.3f}  {f'{row.same_first} of {found.pictures}':>10}  "
        _print_wrapped(console, start + row.words, indent=0, further=len(start))


def _print_accuracies(console: Console, found: Checkup) -> None:
    if not found.accuracies:
        return
    console.print(f"\n{'right':>8}  {'p':>8}  way of the picture", style="dim")
    for row in found.accuracies[:_ROWS]:
        chance = p_value(row.p_value) if row.codes else ""
        start = f"{percent(row.right / found.labelled):>8}  {chance:>8}  "
        _print_wrapped(console, start + row.words, indent=0, further=len(start))


def _print_wrapped(
    console: Console,
    text: str,
    *,
    style: str | None = None,
    indent: int = _INDENT,
    further: int | None = None,
) -> None:
    later = " " * (indent if further is None else further)
    console.print(
        textwrap.fill(
            output.printable(text), _WIDTH, initial_indent=" " * indent, subsequent_indent=later
        ),
        style=style,
    )
