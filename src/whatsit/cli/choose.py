"""`whatsit choose`: the best model for this device and these pictures, within limits."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from . import output
from .options import report_option, runtime_option

if TYPE_CHECKING:
    from ..choice import Candidate, Choice

_SCALES_MS = {"": 1.0, "ms": 1.0, "s": 1000.0, "us": 0.001, "µs": 0.001}
_SCALES_BYTES = {"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_QUANTITY = re.compile(r"([0-9.]+(?:e[+-]?\d+)?) *([a-zµ%]*)", re.IGNORECASE)


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--data", metavar="DATASET", help="Labelled pictures to measure accuracy on.")
@click.option("--max-latency", metavar="TIME", help="For one picture, such as 33ms.")
@click.option("--max-size", metavar="SIZE", help="Of the model's file, such as 5MB.")
@click.option("--min-top1", metavar="PERCENT", help="Top-1 accuracy, such as 70.")
@click.option(
    "--limit", type=int, metavar="N", help="Take only this many of the pictures, drawn at random."
)
@click.option("--threads", type=int, metavar="N", help="Threads for one picture.")
@runtime_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@report_option
def command(
    models: tuple[str, ...],
    data: str | None,
    max_latency: str | None,
    max_size: str | None,
    min_top1: str | None,
    limit: int | None,
    threads: int | None,
    runtime: str | None,
    as_json: bool,
    report_path: str | None,
) -> int:
    """Find the best model for this device and these pictures.

    Times every MODEL (a name or a .tflite; default: all that are installed) on this machine, one
    picture at a time, and measures how often it is right on DATASET: a folder for each class, a
    CSV, or what `whatsit evaluate` takes. Without --data, the accuracy that the models carry
    counts. Says which are worth having at all, recommends one, and gives its reasons.

    Exit status: 0 if a model is recommended, 1 if none keeps the limits, 2 for wrong usage.
    """
    from .. import report
    from ..choose import Limits, choose

    limits = Limits(
        _quantity(max_latency, _SCALES_MS, "--max-latency", "a time such as 33ms"),
        _whole(_quantity(max_size, _SCALES_BYTES, "--max-size", "a size such as 5MB")),
        _share(min_top1),
    )
    if report_path:
        report.check(report_path)
    with output.status() as say:
        choice = choose(
            models or None,
            limits,
            dataset=data,
            limit=limit,
            threads=threads,
            runtime=runtime,
            progress=say,
        )
    for warning in choice.warnings:
        output.print_note(warning)
    if as_json:
        output.print_json(choice.to_json())
    else:
        _print(choice)
    if report_path:
        report.save(report.choice_page(choice), report_path)
    return 0 if choice.recommended else 1


def _quantity(
    text: str | None, scales: dict[str, float], option: str, expected: str
) -> float | None:
    """The number in `text` in the base unit of `scales`, whose empty key says if one is needed."""
    if text is None:
        return None
    match = _QUANTITY.fullmatch(text.strip())
    scale = scales.get(match[2].lower()) if match else None
    try:
        value = float(match[1]) * scale if match and scale else math.nan
    except ValueError:  # 1.2.3
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(f"{option} {text!r}", expected=expected)
    return value


def _whole(value: float | None) -> int | None:
    return None if value is None else math.floor(value)


def _share(text: str | None) -> float | None:
    """A percentage as a share. A share in its place would be met by every model: it is refused."""
    value = _quantity(text, {"": 1.0, "%": 1.0}, "--min-top1", "a percentage such as 70")
    if value is not None and not 1 < value <= 100:
        raise UsageError(
            f"--min-top1 {text!r}",
            expected="a percentage above 1, up to 100",
            hint=f"{100 * value:g} for {100 * value:g} %" if value <= 1 else "",
        )
    return None if value is None else value / 100


def _print(choice: Choice) -> None:
    from rich.console import Console
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
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print("\n→ recommended   • on the front: no other is as fast, small and accurate")
    if any(candidate.shortfalls for candidate in choice.candidates):
        console.print("× over a limit")
    for source in dict.fromkeys(candidate.top1_source for candidate in choice.candidates):
        console.print(f"Top-1 (95 % interval): {output.printable(source)}")
    console.print(f"ms: {choice.timing}\n")
    if choice.recommended:
        console.print(f"Take {output.printable(choice.recommended)}.", style="bold")
    for line in (*choice.reasons, *choice.relax):
        console.print(f"- {output.printable(line)}")


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
