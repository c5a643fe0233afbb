"""The confusion matrix of the classes that are taken for each other most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import svg, text

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..evaluation import Evaluation

_CLASSES = {False: 20, True: 10}  # at most, by narrow
_LARGEST_CELL = {False: 30.0, True: 26.0}
_NAMES = {False: 172.0, True: 134.0}  # units for the names of the rows
_TEXT = {False: 12.0, True: 11.0}
_HEAD = {False: 172.0, True: 26.0}  # units above: names upright, or numbers


@dataclass(frozen=True, slots=True)
class Matrix:
    """Some classes of many: `counts[row][column]` pictures of one class were given the other.

    `others` counts, for each row, answers with a class that is not among them.
    """

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    others: tuple[int, ...]


def matrix(evaluation: Evaluation, most: int = _CLASSES[False]) -> Matrix:
    """Of the `most` classes that are confused most often; such pairs stand side by side."""
    chosen = _chosen(evaluation, most)
    given = Counter((answer.truth, answer.ranked[0][0]) for answer in evaluation.answers)
    pictures = Counter(answer.truth for answer in evaluation.answers)
    counts = tuple(tuple(given[truth, answer] for answer in chosen) for truth in chosen)
    return Matrix(
        tuple(evaluation.labels.names[index] for index in chosen),
        counts,
        tuple(pictures[truth] - sum(row) for truth, row in zip(chosen, counts, strict=True)),
    )


def _chosen(evaluation: Evaluation, most: int) -> list[int]:
    """Classes of the pairs that are confused most, either way; partners next to each other."""
    pairs: Counter[tuple[int, int]] = Counter()
    for confusion in evaluation.confusions():
        low, high = sorted((confusion.truth, confusion.answer))
        pairs[low, high] += confusion.count
    groups: list[list[int]] = []
    total = 0
    for low, high in sorted(pairs, key=lambda pair: (-pairs[pair], pair)):
        home = {index: group for group in groups for index in group if index in (low, high)}
        new = [index for index in (low, high) if index not in home]
        if total + len(new) > most:
            break
        total += len(new)
        if not home:
            groups.append(new)
        elif new:
            (partner,) = home
            home[partner].insert(home[partner].index(partner) + 1, new[0])
        elif home[low] is not home[high]:
            groups.remove(home[high])
            home[low].extend(home[high])
    return [index for group in groups for index in group]


def plot(evaluation: Evaluation) -> Markup:
    """The matrix as a picture; a narrow screen gets fewer classes."""
    both = {narrow: matrix(evaluation, most) for narrow, most in _CLASSES.items()}
    heights = [
        _HEAD[narrow] + _cell(both[narrow], narrow) * len(both[narrow].names) + 8
        for narrow in (False, True)
    ]

    def paint(figure: Figure, narrow: bool) -> None:
        _paint(figure, both[narrow], narrow)

    return svg.plot("confusion", _alt(both[False]), paint, heights=(heights[0], heights[1]))


def _alt(drawn: Matrix) -> str:
    """The largest counts off the diagonal, in words."""
    cells = [
        (count, truth, answer)
        for truth, row in enumerate(drawn.counts)
        for answer, count in enumerate(row)
        if truth != answer and count
    ]
    cells.sort(key=lambda cell: (-cell[0], cell[1:]))
    said = "; ".join(
        f"{text.shown(drawn.names[truth], 40)} taken for {text.shown(drawn.names[answer], 40)} "
        f"{count} times"
        for count, truth, answer in cells[:8]
    )
    return f"Confusion matrix of the {len(drawn.names)} most confused classes. {said}."


def _cell(drawn: Matrix, narrow: bool) -> float:
    """The side of a cell; one more column holds the other answers."""
    width = (svg.NARROW if narrow else svg.WIDE) - _NAMES[narrow] - 6
    return min(_LARGEST_CELL[narrow], width / (len(drawn.names) + 1.6))


def _paint(figure: Figure, drawn: Matrix, narrow: bool) -> None:
    side, count = _cell(drawn, narrow), len(drawn.names)
    width = svg.NARROW if narrow else svg.WIDE
    right = width - _NAMES[narrow] - side * (count + 1.6)
    axes = svg.place(figure, _NAMES[narrow], right, _HEAD[narrow], 8)
    axes.set_axis_off()
    axes.set_xlim(0, count + 1.6)
    axes.set_ylim(count, 0)  # the first row on top
    for row, counts in enumerate(drawn.counts):
        pictures = sum(counts) + drawn.others[row]
        for column, hits in enumerate(counts):
            _square(axes, (row, column), hits, hits / max(pictures, 1), narrow)
        if drawn.others[row]:
            share = drawn.others[row] / max(pictures, 1)
            _square(axes, (row, count + 0.5), drawn.others[row], share, narrow)
        else:
            _square(axes, (row, count + 0.5), 0, 0.0, narrow)
    _write_names(figure, axes, drawn.names, narrow)


def _square(axes: Axes, place: tuple[int, float], count: int, share: float, narrow: bool) -> None:
    """One cell, the darker the larger its share of the row."""
    from matplotlib.patches import Rectangle

    row, column = place
    colours = svg.HIT if row == column else svg.HEAT
    level = min(int(share * len(colours)), len(colours) - 1)
    axes.add_patch(
        Rectangle(
            (column + 0.04, row + 0.04),
            0.92,
            0.92,
            facecolor=colours[level] if count else svg.PANEL,
            linewidth=0,
        )
    )
    if count:
        axes.text(
            column + 0.5,
            row + 0.5,
            str(count) if count < 10_000 else f"{count / 1000:.0f}k",
            ha="center",
            va="center_baseline",
            fontsize=(10 if narrow else 12) - 2 * (count > 999),
        )


def _write_names(figure: Figure, axes: Axes, names: Sequence[str], narrow: bool) -> None:
    """To the left of the rows and above the columns, where a narrow screen has numbers."""
    size = _TEXT[narrow]
    room = _NAMES[narrow] - 34 if narrow else min(_NAMES[narrow], _HEAD[narrow]) - 14
    for place, name in enumerate(names):
        label = svg.fitted(figure, name, room, size)
        axes.text(
            -0.25 if narrow else -0.3,
            place + 0.5,
            f"{label}  {place + 1}" if narrow else label,
            ha="right",
            va="center_baseline",
            fontsize=size,
        )
        _write_above(axes, place, str(place + 1) if narrow else label, narrow)
    _write_above(axes, len(names) + 0.5, "other" if narrow else "another class", narrow)


def _write_above(axes: Axes, place: float, label: str, narrow: bool) -> None:
    axes.text(
        place + 0.5,
        -0.25,
        label,
        ha="center",
        va="bottom",
        rotation=0 if narrow else 90,
        fontsize=_TEXT[narrow],
        color=svg.QUIET,
    )
