"""The report of a comparison: the difference with its interval, and the pictures that flipped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..wording import counted, points
from . import svg, text
from .page import render
from .pictures import MOST, Thumbnail, common_folder, thumbnail, without

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..compare import Comparison, Flip

_MOST_CLASSES = 1000
_EACH = MOST // 2  # pictures lost, pictures won


@dataclass(frozen=True, slots=True)
class Flipped:
    """A flip with its picture and the words for both answers."""

    picture: Thumbnail
    truth: str
    first: str
    first_score: float
    second: str
    second_score: float
    won: bool


def page(comparison: Comparison) -> str:
    """The whole page."""
    won = [flip for flip in comparison.flips if flip.won]
    lost = [flip for flip in comparison.flips if not flip.won]
    names = comparison.names
    classes = comparison.classes_flipped()
    failures = (*comparison.first.failures, *comparison.second.failures)
    root = common_folder([*(f.path for f in comparison.flips), *(f.path for f in failures)])
    return render(
        "comparison.html",
        {
            "c": comparison,
            "first": names[0],
            "second": names[1],
            "difference": _difference_plot(comparison),
            "counts": _counts_plot(comparison),
            "chance": _chance(comparison),
            "sides": [
                ("won", f"Only {text.shown(names[1], 60)} has them right", len(won)),
                ("lost", f"Only {text.shown(names[0], 60)} has them right", len(lost)),
            ],
            "shown_flips": {
                "won": _flipped(comparison, won),
                "lost": _flipped(comparison, lost),
            },
            "classes": classes[:_MOST_CLASSES],
            "class_count": len(classes),
            "root": root,
            "notes": [without(note, root) for note in comparison.notes],
            "models": [_facts(comparison, place) for place in (0, 1)],
            "machine": text.machine_rows(comparison.second.machine),
        },
    )


def _flipped(comparison: Comparison, flips: Iterable[Flip]) -> list[Flipped]:
    """The flips to show, those first where the wrong one of the two was surest."""

    def wrong_score(flip: Flip) -> float:
        return (flip.first if flip.won else flip.second)[1]

    one, other = comparison.first.labels.names, comparison.second.labels.names
    chosen = sorted(flips, key=lambda flip: (-wrong_score(flip), flip.path))[:_EACH]
    return [
        Flipped(
            thumbnail(flip.path, comparison.second.root),
            one[flip.truth],
            one[flip.first[0]],
            flip.first[1],
            other[flip.second[0]],
            flip.second[1],
            flip.won,
        )
        for flip in chosen
    ]


def _chance(comparison: Comparison) -> str:
    """What the p-value says, in words."""
    fewer, more = sorted((comparison.only_first, comparison.only_second))
    if not more:
        return "No picture was answered rightly by one model alone: there is nothing to test."
    p, flips = comparison.p_value, fewer + more
    if p >= 0.995:
        often = "practically always"
    elif p >= 0.01:
        often = f"in {100 * p:.0f} of 100 cases"
    elif p >= 0.0001:
        often = f"in {10_000 * p:.0f} of 10,000 cases"
    else:
        often = "in less than 1 of 10,000 cases"
    return (
        f"On {counted(flips, 'picture')} exactly one of the two is right. Were they equally "
        f"good, a split as uneven as {more:,} to {fewer:,} would come about by chance {often} "
        "(McNemar's test, exact, two-sided)."
    )


def _facts(comparison: Comparison, place: int) -> tuple[str, list[tuple[str, str]]]:
    one = (comparison.first, comparison.second)[place]
    rows = [
        ("file", f"{text.megabytes(one.model_bytes)}, sha256 {one.model_sha256}"),
        ("runtime", one.runtime),
        ("preprocessing", one.preprocess),
        (
            "data set",
            one.dataset
            + (f", fingerprint {one.fingerprint}" if one.fingerprint else ", a part of it"),
        ),
        ("could not be read", counted(len(one.failures), "file")),
    ]
    return comparison.names[place], [(key, text.shown(value, 300)) for key, value in rows]


def _difference_plot(comparison: Comparison) -> Markup:
    """The difference of Top-1 in points, its interval, and where zero lies."""
    low, high = (100 * bound for bound in comparison.interval)
    middle = 100 * comparison.difference
    names = [text.shown(name, 60) for name in comparison.names]
    alt = (
        f"Top-1 of {names[1]} less that of {names[0]}: {points(middle / 100)} points, 95 % "
        f"interval {points(low / 100)} to {points(high / 100)}."
    )

    def paint(figure: Figure, narrow: bool) -> None:
        axes = svg.place(figure, 24, 24, 34, 46)
        svg.tidy(axes, grid="x")
        reach = max(abs(low), abs(high), 0.5) * 1.25
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-1, 1)
        axes.set_yticks([])
        axes.axvline(0, color=svg.INK, linewidth=1.4)
        axes.plot([low, high], [0, 0], color=svg.SERIES[0], linewidth=10, solid_capstyle="butt")
        axes.plot([middle], [0], "o", color=svg.ACCENT, markersize=13)
        axes.xaxis.set_major_formatter(lambda value, _: _signed(value))
        axes.locator_params(axis="x", nbins=5 if narrow else 9)
        axes.set_xlabel("points of Top-1", labelpad=4)
        first, second = (
            ("first", "second")
            if narrow
            else (svg.fitted(figure, name, 260, 13) for name in comparison.names)
        )
        _write_side(axes, f"← {first} is better", 0)
        _write_side(axes, f"{second} is better →", 1)

    return svg.plot("difference", alt, paint, heights=(170, 170))


def _write_side(axes: Axes, words: str, side: int) -> None:
    """Above the axes, at their left (0) or right (1) end."""
    axes.annotate(
        words,
        (side, 1),
        xycoords="axes fraction",
        xytext=(0, 10),
        textcoords="offset points",
        ha="right" if side else "left",
        color=svg.QUIET,
    )


def _signed(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{value:+g}".replace("-", "−")


def _counts_plot(comparison: Comparison) -> Markup:
    """One bar of all pictures: right by both, by one, by none."""
    parts = [
        ("both", comparison.both, svg.SERIES[3]),
        ("only the first", comparison.only_first, svg.SERIES[1]),
        ("only the second", comparison.only_second, svg.SERIES[2]),
        ("neither", comparison.neither, svg.PANEL),
    ]
    said = ", ".join(f"{name} {count:,}" for name, count, _ in parts)
    alt = f"Of {counted(comparison.pictures, 'picture')} right: {said}."

    def paint(figure: Figure, narrow: bool) -> None:
        axes = svg.place(figure, 1, 1, 2, 6)
        axes.set_axis_off()
        _stack(axes, [(count, colour) for _, count, colour in parts])
        axes.set_xlim(0, comparison.pictures)

    return svg.plot("counts", alt, paint, heights=(38, 34))


def _stack(axes: Axes, parts: Iterable[tuple[int, str]]) -> None:
    left = 0
    for count, colour in parts:
        if count:
            axes.barh(
                0, count, left=left, height=1, color=colour, edgecolor=svg.PAPER, linewidth=1.5
            )
        left += count
    axes.set_ylim(-0.5, 0.5)
