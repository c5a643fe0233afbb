"""An explanation as text: two small maps side by side, and where the evidence lies in words."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from ..wording import NO_BREAK, percent
from . import output

if TYPE_CHECKING:
    from ..explain.evidence import Evidence, Floats
    from ..explain.faithfulness import Faithfulness
    from ..explain.values import ClassMap, Explanation

_COLUMNS = 80
_CELLS = 18  # of a small map, across; each is two characters wide and so nearly square
_MOST_ROWS = 14
_BETWEEN = 4  # columns between the maps
_SHADES, _PLAIN_SHADES = " ░▒▓█", " .:*#"
_UNSEEN, _PLAIN_UNSEEN = "·", "'"
_SIGNS = re.compile(r"[░▒▓█]+|\++|-+")  # runs of one colour
_COLOURS = {"+": "bright_blue", "-": "red"}  # of a difference; the shades are yellow
_WEAK, _STRONG = 0.15, 0.5  # of the strongest place: one sign or two
_NOTHING = 1e-9  # of a logit: keeps a map without values from being divided by 0
_NAMED = 3  # parts of the picture that are named
_WORTH_NAMING = 0.15  # share of the evidence
_EVEN = 0.2  # where no part has more, the evidence is all over the picture
_WHOLE = 0.995  # of the picture: nobody misses the rest


def lines(explanation: Explanation, name: str) -> Iterator[str]:
    """The whole answer, of at most 80 columns but for long names."""
    yield output.styled(output.printable(name), bold=True)
    yield ""
    yield from _side_by_side(*_maps(explanation))
    yield ""
    target, versus = explanation.target, explanation.versus
    yield from _sentence(f"For {_label(target)}", explanation.evidence)
    difference = explanation.difference
    if versus is not None and difference is not None:
        yield from _sentence(f"Rather than {_label(versus)}", difference)
        yield from _sentence(f"For {_label(versus)} instead", -difference)
    left, top, right, bottom = explanation.placement.box
    seen = (right - left) * (bottom - top)
    if seen < _WHOLE:
        yield f"  The model saw {percent(seen, 0)} of the picture; the rest was cut off."


def tested(explanation: Explanation, faithful: Faithfulness) -> Iterator[str]:
    """What the deletion and insertion test found."""
    areas, orders, label = faithful.areas, faithful.orders, _label(explanation.target)
    yield ""
    yield from _wrapped(
        f"Taken away, what the map calls strongest first, {label} scores "
        f"{percent(areas['deletion'], 0)} on the way; in random order "
        f"{percent(areas['random_deletion'], 0)}: lower than in {faithful.deletion_wins} of "
        f"{orders} random orders."
    )
    yield from _wrapped(
        f"Put back in that order, {percent(areas['insertion'], 0)}; at random "
        f"{percent(areas['random_insertion'], 0)}: higher than in {faithful.insertion_wins} of "
        f"{orders}."
    )
    if 2 * faithful.deletion_wins <= orders and 2 * faithful.insertion_wins <= orders:
        yield from _wrapped("The map is no better than chance here: do not trust it.")


def _maps(explanation: Explanation) -> list[list[str]]:
    """The small maps, each as lines: a title, and a row of cells a line."""
    target, versus = explanation.target, explanation.versus
    width, height = explanation.picture.size
    rows = max(1, round(_CELLS * height / width))
    columns = _CELLS
    if rows > _MOST_ROWS:
        rows, columns = _MOST_ROWS, max(1, round(_MOST_ROWS * width / height))
    room = 2 * _CELLS
    first = [_cut(f"{_label(target)} {percent(target.score)}", room)]
    first += _shaded(explanation.evidence.on_picture(rows, columns))
    if versus is None or explanation.difference is None:
        return [first]
    half = (room - len(" (+)  (-)")) // 2
    second = [f"{_cut(_label(target), half)} (+)  {_cut(_label(versus), half)} (-)"]
    second += _signed(explanation.difference.on_picture(rows, columns))
    return [first, second]


def _shaded(values: Floats) -> list[str]:
    """The darker, the more speaks for the class; points where the model did not look."""
    shades, unseen = (
        (_SHADES, _UNSEEN) if _printable(_SHADES + _UNSEEN) else (_PLAIN_SHADES, _PLAIN_UNSEEN)
    )
    strength = values / max(float(np.nanmax(values)), _NOTHING)
    levels = np.clip(np.nan_to_num(strength) * len(shades), 0, len(shades) - 1).astype(int)
    signs = np.where(np.isnan(values), unseen, np.array(list(shades))[levels])
    return ["".join(sign * 2 for sign in row) for row in signs]


def _signed(values: Floats) -> list[str]:
    """+ for the first class, - for the second, twice where it is strong."""
    unseen = _UNSEEN if _printable(_UNSEEN) else _PLAIN_UNSEEN
    strength = values / max(float(np.nanmax(np.abs(values))), _NOTHING)
    return ["".join(_sign(float(value), unseen) for value in row) for row in strength]


def _sign(strength: float, unseen: str) -> str:
    if np.isnan(strength):
        return 2 * unseen
    if abs(strength) < _WEAK:
        return "  "
    sign = "+" if strength > 0 else "-"
    return 2 * sign if abs(strength) >= _STRONG else f"{sign} "


def _side_by_side(*maps: list[str]) -> Iterator[str]:
    """The maps in columns, under their titles; in colours where they are seen."""
    width = 2 * _CELLS + _BETWEEN
    for number, row in enumerate(zip_longest(*maps, fillvalue="")):
        line = ("  " + "".join(part.ljust(width) for part in row)).rstrip()
        yield _SIGNS.sub(_coloured, line) if number else line


def _coloured(signs: re.Match[str]) -> str:
    return output.styled(signs[0], fg=_COLOURS.get(signs[0][0], "yellow"))


def _sentence(start: str, evidence: Evidence) -> Iterator[str]:
    """Where the evidence lies, in words."""
    peak = evidence.peak
    if peak is None:
        yield from _wrapped(f"{start}: nothing.")
        return
    where = f"most {percent(peak[0], 0)} from the left, {percent(peak[1], 0)} from the top"
    yield from _wrapped(f"{start}: {_places(evidence.regions)}; {where}.")


def _places(regions: Mapping[str, float]) -> str:
    """The parts of the picture with most of the evidence, and how much of it they have."""
    ranked = sorted(regions.items(), key=lambda part: -part[1])
    if ranked[0][1] < _EVEN:
        return "all over the picture"
    named = [part for part in ranked[:_NAMED] if part[1] >= _WORTH_NAMING]
    return ", ".join(f"{place} {percent(share, 0)}" for place, share in named)


def _label(side: ClassMap) -> str:
    return output.printable(side.label)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _wrapped(text: str) -> Iterator[str]:
    """Whole words, two columns in."""
    kept = text.replace(" %", f"{NO_BREAK}%")
    for line in textwrap.wrap(
        kept,
        _COLUMNS,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    ):
        yield line.replace(NO_BREAK, " ")


def _printable(signs: str) -> bool:
    try:
        signs.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True
