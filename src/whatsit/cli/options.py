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


model_option = click.option(
    "-m",
    "--model",
    metavar="NAME|FILE",
    help="A built-in model (see `whatsit models`) or a path to a .tflite.",
)
