"""Numbers and foreign text as people read them, on a terminal and on a page."""

from __future__ import annotations

NO_BREAK = "\N{NO-BREAK SPACE}"


def shown(text: object, longest: int | None = None) -> str:
    """Foreign text, harmless: what could garble or steer a terminal becomes an escape.

    A file name's bytes that are no UTF-8 become \\xff. Of text that is longer than `longest`
    characters the middle is left out.
    """
    safe = "".join(
        c if c.isprintable() or c == NO_BREAK else c.encode("unicode_escape").decode()
        for c in utf8(str(text))
    )
    if longest is None or len(safe) <= longest:
        return safe
    half = (longest - 1) // 2
    return f"{safe[:half]}…{safe[-half:]}"


def utf8(text: str) -> str:
    """Bytes of a file name that are no UTF-8, which Python keeps as surrogates, as \\xff."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def percent(share: float, digits: int = 1) -> str:
    """A share of 0.8415 as `84.2 %`."""
    return f"{100 * share:.{digits}f} %"


def interval(bounds: tuple[float, float], digits: int = 1) -> str:
    """Two shares in percent, without its sign: `81.2 to 86.8`."""
    low, high = bounds
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f}"


def points(share: float) -> str:
    """A difference of shares in percentage points, signed: `+1.5`, `−0.3`."""
    return f"{100 * share:+.1f}".replace("-", "−")


def figures(number: float, most_digits: int = 2) -> str:
    """Three figures, or all before the point: `0.62`, `4.51`, `18.3`, `6,800`."""
    size = abs(number)
    digits = 2 if size < 10 else 1 if size < 100 else 0
    return f"{number:,.{min(digits, most_digits)}f}"


def milliseconds(value_ms: float) -> str:
    """A time as `4.51 ms`."""
    return f"{figures(value_ms)} ms"


def megabytes(size_bytes: float) -> str:
    """A size as `5.3 MB`, of a million bytes each; `47.1 kB` of what is small."""
    if size_bytes < 1e5:
        return f"{size_bytes / 1e3:.1f} kB"
    return f"{size_bytes / 1e6:,.{1 if size_bytes < 1e8 else 0}f} MB"


def p_value(p: float) -> str:
    """Two figures: `0.47`, `0.0031`, `< 0.0001`."""
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def p_equals(p: float) -> str:
    """The same within a sentence: `p = 0.47`, `p < 0.0001`."""
    return f"p {p_value(p)}" if p < 0.0001 else f"p = {p_value(p)}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 picture`, `1,200 pictures`, `2 classes`."""
    return f"{number:,} {one if number == 1 else many or _plural(one)}"


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"
