"""Numbers and foreign text as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import wording
from ..measures import Rate, Spread

_LONGEST = 160  # characters of a name that a page shows: enough to know it by
NOTHING = "–"


def shown(text: object, longest: int = _LONGEST) -> str:
    """wording.shown, and not endless."""
    return wording.shown(text, longest)


def percent(share: float | None, digits: int = 1) -> str:
    """84.2 % of a share of 0.8415."""
    return NOTHING if share is None else _together(wording.percent(share, digits))


def interval(rate: Rate, digits: int = 1) -> str:
    """The bounds of a rate in percent: 81.2 to 86.8."""
    return wording.interval(rate.interval, digits)


def ms(value_ms: float | None) -> str:
    """Milliseconds with three figures: 0.62, 4.51, 18.3, 680."""
    return NOTHING if value_ms is None else wording.figures(value_ms)


def number(value: object) -> str:
    """A number with three figures, a line for anything else."""
    return wording.figures(value) if isinstance(value, (int, float)) else NOTHING


def per_second(number: float) -> str:
    """How many a second: 3.4, 274."""
    return f"{number:,.1f}" if number < 100 else f"{number:,.0f}"


def moment(iso: str) -> str:
    """2026-11-23 08:20 of an ISO time, to the minute."""
    return iso[:16].replace("T", " ")


def spread(value: Spread | None) -> str:
    """Median and the middle half, in ms."""
    if value is None:
        return NOTHING
    return f"{ms(value.median)} ({ms(value.low)} to {ms(value.high)})"


def megabytes(size_bytes: float | None) -> str:
    """5.3 MB, of a million bytes each; 47.1 kB of what is small."""
    return NOTHING if size_bytes is None else _together(wording.megabytes(size_bytes))


def machine_rows(machine: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of a machine, a row each, for a person."""
    rows = []
    for key, value in machine.items():
        if value in (None, "", {}):
            continue
        if key.endswith("_bytes") and isinstance(value, (int, float)):
            rows.append((key.removesuffix("_bytes"), f"{value / 2**30:,.1f} GiB"))
        elif isinstance(value, Mapping):
            parts = [f"{name} {part}" for name, part in value.items() if part is not None]
            rows.append((key, ", ".join(parts)))
        else:
            rows.append((key, str(value)))
    return [(shown(key).replace("_", " "), shown(text, 400)) for key, text in rows]


def _together(text: str) -> str:
    """A number and its unit, which no line break may part."""
    return text.replace(" ", wording.NO_BREAK)
