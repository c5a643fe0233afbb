"""Options that several commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..errors import UsageError
from ..results import ACCEPTANCE, COVERAGE

_QUANTITY = re.compile(r"([0-9.]+(?:e[+-]?\d+)?) *([a-zµ%]*)", re.IGNORECASE)
# Without a unit, a size is refused: nobody means bytes by 5, and nobody can know what else.
_SIZES = {"b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30} | {
    f"{letter}{unit}": scale
    for letter, scale in (("k", 10**3), ("m", 10**6), ("g", 10**9))
    for unit in ("", "b")
}


def quantity(text: str, scales: Mapping[str, float], what: str, expected: str) -> float:
    """The number in `text` times the scale of its unit, above 0.

    `scales` has the units in small letters; the key "" allows none. Raises UsageError, which calls
    it `what`.
    """
    match = _QUANTITY.fullmatch(text.strip())
    scale = scales.get(match[2].lower()) if match else None
    try:
        value = float(match[1]) * scale if match and scale else math.nan
    except ValueError:  # 1.2.3
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(f"{what} {text!r}", expected=expected)
    return value


def parse_size(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """Bytes, rounded down: 500MB, 2M, 1.5 GiB; None without a value."""
    if value is None:
        return None
    return math.floor(quantity(value, _SIZES, option.opts[-1], "a size such as 5MB"))


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
    from ..runtimes import AUTO, FOR_TESTS, RUNTIMES

    offered = [AUTO, *(name for name in RUNTIMES if name != FOR_TESTS)]
    if value is not None and value not in offered:
        raise UsageError(f"no runtime {value!r}", expected=f"one of {', '.join(offered)}")
    return value


model_option = click.option(
    "-m",
    "--model",
    metavar="NAME|FILE",
    help="A built-in or imported model (see `whatsit models`) or a path to a .tflite.",
)

allow_option = click.option(
    "--allow",
    multiple=True,
    metavar="CLASS",
    help="Answer only with this class; repeat it for several. An index, a name, or a "
    "WordNet id, which may name a whole branch: n02084071 is every dog.",
)

deny_option = click.option(
    "--deny", multiple=True, metavar="CLASS", help="Never answer with this class."
)

region_option = click.option(
    "--region",
    callback=parse_region,
    metavar="L,T,R,B",
    help="Look only at this part: left, top, right, bottom from 0 to 1.",
)

preprocess_option = click.option(
    "--preprocess",
    metavar="RULE",
    help="Cut and resize by this rule instead of the model's own: crop(0.875, bicubic), "
    "stretch, pad …",
)

threads_option = click.option(
    "--threads",
    type=int,
    metavar="N",
    help="Threads for one picture.  [default: the cores, at most 4]",
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

top_option = click.option(
    "-k",
    "--top",
    type=int,
    default=5,
    show_default=True,
    metavar="N",
    help="How many classes to show at most.",
)

threshold_option = click.option(
    "--threshold",
    type=float,
    default=0.0,
    metavar="P",
    help="Leave out classes below this probability, from 0 to 1.",
)

rotate_option = click.option(
    "--rotate",
    type=int,
    default=0,
    metavar="DEGREES",
    help="Turn the picture clockwise by 90, 180 or 270.",
)

workers_option = click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Pictures at the same time.  [default: the cores]",
)


def trust_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how far answers are to be trusted: raw, coverage, acceptance."""
    for option in (
        click.option(
            "--acceptance",
            type=float,
            default=ACCEPTANCE,
            show_default=True,
            metavar="P",
            help="Of pictures that show a known class, the share that must not be called unknown.",
        ),
        click.option(
            "--coverage",
            type=float,
            default=COVERAGE,
            show_default=True,
            metavar="P",
            help="How often the set of likely classes must hold the right one. An answer is sure "
            "where that set is one class.",
        ),
        click.option(
            "--raw", is_flag=True, help="Show the model's own scores, not the calibrated ones."
        ),
    ):
        command = option(command)
    return command
