"""Options that several commands share."""

from __future__ import annotations

import click

from ..errors import UsageError


def parse_region(
    context: click.Context, option: click.Parameter, value: str | None
) -> tuple[float, float, float, float] | None:
    """Four numbers with commas between them; whether they make sense is for the library to say."""
    if value is None:
        return None
    try:
        left, top, right, bottom = map(float, value.split(","))
    except ValueError as error:
        raise UsageError(
            f"{value!r} is not a region",
            expected="left,top,right,bottom as fractions of the picture",
            hint="the upper left quarter is 0,0,0.5,0.5",
        ) from error
    return left, top, right, bottom


def parse_runtime(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """An engine that is for people to choose; None stands for the one that suits the model."""
    from ..runtimes import FOR_TESTS, RUNTIMES

    offered = ["auto", *(name for name in RUNTIMES if name != FOR_TESTS)]
    if value is not None and value not in offered:
        raise UsageError(f"no runtime {value!r}", expected=f"one of {', '.join(offered)}")
    return value


model_option = click.option(
    "-m",
    "--model",
    metavar="NAME|FILE",
    help="A built-in or imported model (see `whatsit models`) or a path to a .tflite.",
)

report_option = click.option(
    "--report",
    "report_path",
    metavar="FILE",
    help="Also write one HTML page with plots and pictures, such as report.html.",
)

runtime_option = click.option(
    "--runtime",
    callback=parse_runtime,
    metavar="ENGINE",
    help="Run the model with litert, openvino, openvino-bf16 or isolated (LiteRT in a process of "
    "its own); auto: the fastest that gives the right answers here.  [default: litert, but "
    "isolated for models that are not built in]",
)
