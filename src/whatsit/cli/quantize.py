"""`whatsit quantize`: a float model made smaller and faster, and what that costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import storage
from ..errors import BelowFloor, UsageError
from ..wording import counted, interval
from . import material, output, progress
from .evaluate import label_options
from .options import report_option
from .summary import class_name, percent, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from ..quantizing import Labelled, Quantized

_SHOWN = 8  # of the classes and of the pictures that flipped


@click.command(no_args_is_help=True)
@click.argument("model", metavar="MODEL")
@click.option(
    "--calibration",
    metavar="FOLDER",
    multiple=True,
    help="Photos of what the model is for, some hundred; they need no labels. Files, folders and "
    "patterns as for `whatsit classify`; repeat it for several.",
)
@click.option(
    "-o",
    "--output",
    "out",
    metavar="OUT.tflite",
    help="The file to write.  [default: MODEL-int8.tflite, here]",
)
@click.option("--to", default="int8", metavar="KIND", help="int8 or float16.  [default: int8]")
@click.option(
    "--data",
    metavar="DATASET",
    help="Labelled pictures to compare the two models on, as `whatsit evaluate` takes them.  "
    "[default: do they agree on calibration pictures?]",
)
@label_options
@click.option(
    "--floor",
    type=float,
    metavar="POINTS",
    help="Refuse a model that loses more than this.  [default: 0.7 points of Top-1; 5 points of "
    "agreement without --data]",
)
@click.option(
    "--force", is_flag=True, help="Write it whatever it loses, and over a file that is there."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@report_option
def command(
    model: str,
    calibration: tuple[str, ...],
    out: str | None,
    to: str,
    data: str | None,
    labels_by: str,
    skip_unknown: bool,
    limit: int | None,
    seed: int,
    floor: float | None,
    force: bool,
    as_json: bool,
    report_path: str | None,
) -> int:
    """Make an int8 or float16 model of a float one, and show what that costs.

    MODEL is a name (see `whatsit models`) or a .tflite with float32 or float16 weights. The new
    model takes pixels as they are. It is compared with MODEL picture by picture, and not written if
    it loses more than the floor.

    Exit status: 0 if the model was written, 1 if not, 2 for wrong usage.
    """
    from .. import report
    from ..classifier import open_bundle
    from ..quantizing import KINDS, default_name, quantize

    if to not in KINDS:
        raise UsageError(f"no kind {to!r}", expected=" or ".join(KINDS))
    parent = open_bundle(model)
    out = f"{default_name(parent.name, to)}.tflite" if out is None else out
    _check_output(out, parent.path, force)
    if report_path:
        report.check(report_path)
    labelled = _labelled(data, labels_by, skip_unknown, limit, seed)
    with progress.line() as say:
        made = quantize(
            parent,
            calibration,
            to=to,
            data=labelled,
            floor_points=floor,
            name=Path(out).name.removesuffix(".tflite"),
            say=say,
            note=output.print_note,
        )
    refusal = None
    try:
        made.write(out, force=force)
    except BelowFloor as error:
        refusal = error
    try:  # the file first, since printing ends with the reader of a pipe, and yet in any case
        if report_path:
            report.save(report.comparison_page(made.comparison), report_path)
    finally:
        if as_json:
            output.print_json({**made.to_json(), "output": None if refusal else out})
        else:
            _print(made, None if refusal else out)
    if refusal is not None:
        raise refusal
    return 0


def _check_output(out: str, source: Path | None, force: bool) -> None:
    """Raises an error, before the long work, if nothing can be written there or something would be
    lost.
    """
    if not out.endswith(".tflite"):
        raise UsageError(f"the output {out!r}", expected="a file that ends in .tflite")
    storage.check_writable(out)
    if not os.path.lexists(out):
        return
    if source is not None and os.path.exists(out) and os.path.samefile(out, source):
        raise UsageError(
            f"the output {out!r} is the model itself", expected="another file", hint="-o OUT.tflite"
        )
    if not force:
        raise UsageError(
            f"the output {out!r} is there already",
            expected="a new file",
            hint="-o names another; --force writes over it",
        )


def _labelled(
    data: str | None, labels_by: str, skip_unknown: bool, limit: int | None, seed: int
) -> Labelled | None:
    from ..quantizing import Labelled

    if data is not None:
        return Labelled(material.read(data), labels_by, skip_unknown, limit, seed)
    if limit is not None or skip_unknown or labels_by != "auto":
        raise UsageError("which labelled pictures to take, but none", expected="--data DATASET")
    return None


def _print(made: Quantized, out: str | None) -> None:
    """What was made, what it loses, and on which pictures."""
    console = output.console()
    for row in made.left_out[:_SHOWN]:
        output.print_note(f"left out: {row.reason}")
    for note in made.comparison.notes:
        output.print_note(note)
    before, after = len(made.parent.data), len(made.bundle.data)
    sizes = f"{before / 1e6:.2f} MB to {after / 1e6:.2f} MB"
    calibrated = f", calibrated on {counted(made.calibrated, 'picture')}" if made.calibrated else ""
    compared = counted(made.comparison.pictures, "picture")
    if made.labelled:
        compared += f" of {output.printable(made.comparison.second.dataset)}"
    if made.calibrated:
        compared += ", held out" if made.held_out else ", not held out"
    console.print(
        f"{output.printable(made.parent.name)} to {made.kind}: {sizes}{calibrated}\n"
        f"compared on {compared}\n"
    )
    _print_loss(console, made)
    _print_classes(console, made)
    _print_flips(console, made)
    if out is not None:
        console.print(f"\n{output.printable(out)}", style="bold")


def _print_loss(console: Console, made: Quantized) -> None:
    comparison, agreement = made.comparison, made.agreement
    same = (
        f"{'Same answer':<12} {percent(agreement.value)} ({interval(agreement.interval)}), "
        f"{agreement.hits} of {agreement.total}"
    )
    if not made.labelled:
        console.print(same, style="bold")
        return
    for name, rate in zip(("before", "after"), comparison.top1, strict=True):
        console.print(
            f"{f'Top-1 {name}':<12} {percent(rate.value)} ({interval(rate.interval)}), "
            f"{rate.hits} of {rate.total}"
        )
    low, high = (100 * bound for bound in comparison.interval)
    console.print(
        f"{'Change':<12} {100 * comparison.difference:+5.1f} points ({low:+.1f} to {high:+.1f}), "
        f"lost {comparison.only_first}, won {comparison.only_second}, "
        f"p = {comparison.p_value:.2g}",
        style="bold",
    )
    console.print(same)


def _print_classes(console: Console, made: Quantized) -> None:
    often = [row for row in made.comparison.classes_flipped() if row[1] + row[2] > 1][:_SHOWN]
    if not often:
        return
    if made.labelled:
        rows = [(class_name(name), str(lost), str(won)) for name, lost, won in often]
        print_table(console, ("Classes that flipped", "lost", "won"), rows, numbers=2)
    else:
        changed = [(class_name(name), str(lost)) for name, lost, _ in often]
        print_table(console, ("Classes that flipped", "changed"), changed, numbers=1)


def _print_flips(console: Console, made: Quantized) -> None:
    """The lost pictures first, each with what either model says."""
    names = made.parent.labels.names
    flips = sorted(made.comparison.flips, key=lambda f: (f.won, -f.second[1], f.path))
    if flips:
        shown = f", {_SHOWN} of {len(flips)}" if len(flips) > _SHOWN else ""
        console.print(f"\nPictures that flipped{shown}", style="bold")
    for flip in flips[:_SHOWN]:
        verdict = ("won " if flip.won else "lost") if made.labelled else "    "
        console.print(
            f"{verdict}  {class_name(names[flip.first[0]])} {percent(flip.first[1]).strip()}, now "
            f"{class_name(names[flip.second[0]])} {percent(flip.second[1]).strip()}"
        )
        console.print(f"      {output.printable(flip.path)}", style="dim")
