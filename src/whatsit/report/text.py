"""Numbers and foreign text as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..measures import Rate, Spread

_LONGEST = 160  # characters of a name that a page shows: enough to know it by
NOTHING = "–"
_SPACE = "\N{NO-BREAK SPACE}"  # between a number and its unit


def shown(text: object, longest: int = _LONGEST) -> str:
    """Foreign text, harmless: no control or direction marks, no half characters, not endless.

    A file name's bytes that are no UTF-8 become \\xff. Of longer text the middle is left out.
    """
    characters = str(text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    safe = "".join(
        c if c.isprintable() or c == _SPACE else c.encode("unicode_escape").decode()
        for c in characters
    )
    if len(safe) <= longest:
        return safe
    half = (longest - 1) // 2
    return f"{safe[:half]}…{safe[-half:]}"


def percent(share: float | None, digits: int = 1) -> str:
    """84.2 % of a share of 0.8415."""
    return NOTHING if share is None else f"{100 * share:.{digits}f}{_SPACE}%"


def interval(rate: Rate, digits: int = 1) -> str:
    """The bounds of a rate in percent: 81.2 to 86.8."""
    low, high = rate.interval
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f}"


def points(share: float) -> str:
    """A difference of shares in percentage points, signed: +1.5, −0.3."""
    return f"{100 * share:+.1f}".replace("-", "−")


def ms(value_ms: float | None) -> str:
    """Milliseconds with three figures: 0.62, 4.51, 18.3, 680."""
    if value_ms is None:
        return NOTHING
    size = abs(value_ms)
    digits = 2 if size < 10 else 1 if size < 100 else 0
    return f"{value_ms:,.{digits}f}"


def per_second(number: float) -> str:
    """How many a second: 3.4, 274."""
    return f"{number:,.1f}" if number < 100 else f"{number:,.0f}"


def p_value(p: float) -> str:
    """Two figures: 0.47, 0.0031, under 0.0001."""
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


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
    if size_bytes is None:
        return NOTHING
    if size_bytes < 1e5:
        return f"{size_bytes / 1e3:.1f}{_SPACE}kB"
    digits = 1 if size_bytes < 1e8 else 0
    return f"{size_bytes / 1e6:,.{digits}f}{_SPACE}MB"


def count(number: int, one: str, many: str | None = None) -> str:
    """1 picture, 1,200 pictures."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


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
