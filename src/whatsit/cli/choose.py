"""`whatsit choose`: the best model for this device and these pictures, within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from . import material, output, progress
from .options import parse_size, quantity, report_option, runtime_option
from .targets import Targets, model_files

if TYPE_CHECKING:
    from ..choice import Candidate, Choice

_SCALES_MS = {"": 1.0, "ms": 1.0, "s": 1000.0, "us": 0.001, "µs": 0.001}


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--data", metavar="DATASET", help="Labelled pictures to measure accuracy on.")
@click.option("--max-latency", metavar="TIME", help="For one picture, such as 33ms.")
@click.option(
    "--max-size", callback=parse_size, metavar="SIZE", help="Of the model's file, such as 5MB."
)
@click.option("--min-top1", metavar="PERCENT", help="Top-1 accuracy, such as 70.")
@click.option(
    "--limit", type=int, metavar="N", help="Take only this many of the pictures, drawn at random."
)
@click.option("--threads", type=int, metavar="N", help="Threads for one picture.")
@click.option(
    "--device",
    metavar="FILE",
    help="Take the times of another device, from the JSON that the app exports in Measure.",
)
@runtime_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@report_option
def command(
    models: tuple[str, ...],
    data: str | None,
    max_latency: str | None,
    max_size: int | None,
    min_top1: str | None,
    limit: int | None,
    threads: int | None,
    device: str | None,
    runtime: str | None,
    as_json: bool,
    report_path: str | None,
) -> int:
    """Find the best model for this device and these pictures.

    Times every MODEL (a name or a .tflite; default: all that are installed) on this machine, one
    picture at a time, and measures how often it is right on DATASET: a folder for each class, a
    CSV, or what `whatsit evaluate` takes. Without --data, the accuracy that the models carry
    counts. With --device the times are those of a phone or another browser: only accuracy is
    measured here. Says which are worth having at all, recommends one, and gives its reasons.

    Exit status: 0 if a model is recommended, 1 if none keeps the limits or a MODEL cannot be used,
    2 for wrong usage.
    """
    from .. import report
    from ..choose import Limits, choose

    limits = Limits(_latency_ms(max_latency), max_size, _share(min_top1))
    targets = Targets(report=report_path)
    targets.check()
    pictures = None if data is None else material.read(data)
    read = material.files(data, pictures) if data and pictures else ()
    targets.spare([*model_files(models), *read, *([] if device is None else [device])])
    with progress.line() as say:
        choice = choose(
            models or None,
            limits,
            dataset=pictures,
            limit=limit,
            threads=threads,
            runtime=runtime,
            device=device,
            progress=say,
        )
    for missing in choice.left_out:
        output.print_error(missing.error.about(missing.name))
    for note in choice.notes:
        output.print_note(note)
    for warning in choice.warnings:
        output.print_warning(warning)
    if report_path is not None:  # before printing: the reader of the pipe may go
        report.save(report.choice_page(choice), report_path)
    if as_json:
        output.print_json(choice.to_json())
    else:
        _print(choice)
    named = {missing.name for missing in choice.left_out} & set(models)
    return 0 if choice.recommended and not named else 1


def _latency_ms(text: str | None) -> float | None:
    if text is None:
        return None
    return quantity(text, _SCALES_MS, "--max-latency", "a time such as 33ms")


def _share(text: str | None) -> float | None:
    """A percentage as a share. A share in its place would be met by every model: it is refused."""
    if text is None:
        return None
    value = quantity(text, {"": 1.0, "%": 1.0}, "--min-top1", "a percentage such as 70")
    if not 1 < value <= 100:
        raise UsageError(
            f"--min-top1 {text!r}",
            expected="a percentage above 1, up to 100",
            hint=f"{100 * value:g} for {100 * value:g} %" if value <= 1 else "",
        )
    return value / 100


def _print(choice: Choice) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("Model", overflow="fold")
    for title in ("ms", "p95", "MB", "Top-1 %"):
        table.add_column(title, justify="right", no_wrap=True)
    for candidate in choice.candidates:
        table.add_row(
            _mark(candidate, choice),
            output.printable(candidate.name),
            f"{candidate.latency.median:.1f}",
            f"{candidate.latency.p95:.1f}",
            f"{candidate.size_bytes / 1e6:.1f}",
            _top1(candidate),
            style="dim" if candidate.shortfalls else None,
        )
    console = output.console()
    console.print(table, soft_wrap=False)
    said = ["", "→ recommended   • on the front: no other is as fast, small and accurate"]
    if any(candidate.shortfalls for candidate in choice.candidates):
        said.append("× over a limit")
    said += [
        f"Top-1 (95 % interval): {source}"
        for source in dict.fromkeys(candidate.top1_source for candidate in choice.candidates)
    ]
    said += [f"ms: {choice.timing}", ""]
    if choice.recommended:
        said.append(f"Take {choice.recommended}.")
    said += [f"- {line}" for line in (*choice.reasons, *choice.relax)]
    for line in said:
        # Whole words on a terminal; in a file, lines as they are.
        console.print(output.printable(line), soft_wrap=not console.is_terminal)


def _mark(candidate: Candidate, choice: Choice) -> str:
    if candidate.name == choice.recommended:
        return "→"
    if candidate.shortfalls:
        return "×"
    return "•" if candidate.on_front else ""


def _top1(candidate: Candidate) -> str:
    if candidate.top1 is None:
        return "?"
    low, high = candidate.top1.interval
    return f"{100 * candidate.top1.value:.1f} ({100 * low:.1f}–{100 * high:.1f})"
