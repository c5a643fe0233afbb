"""How learning went: right answers by number of pictures, and the epochs of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..wording import counted
from . import svg, text

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..train.curve import LearningCurve

_LEAST_RANGE = 4.0  # points that the axis of shares spans: less would make hills of grains
_MOST_TICKS = 8
_PANEL, _FOOT = 190.0, 48.0  # heights of one drawing of two, and of the words below them

_Series: TypeAlias = "list[tuple[float, float]]"


def curve_plot(curve: LearningCurve) -> Markup:
    """Right answers against pictures, doubling from tick to tick, and what twice would give."""
    alt = "Right answers by pictures to learn from. " + " ".join(
        f"{counted(point.pictures, 'picture')}: {text.percent(point.accuracy)}."
        for point in curve.points
    )
    if curve.twice is not None:
        low, high = (text.percent(bound) for bound in curve.twice.interval)
        alt += (
            f" Expected of {curve.twice.pictures:,}: {text.percent(curve.twice.accuracy)}, "
            f"{low} to {high}."
        )

    def paint(figure: Figure, narrow: bool) -> None:
        left, right = (40, 14) if narrow else (48, 30)
        axes = svg.place(figure, left, right, 28, 48)
        _paint_curve(axes, curve, narrow)

    return svg.plot("curve", alt, paint, heights=(360, 290))


def _paint_curve(axes: Axes, curve: LearningCurve, narrow: bool) -> None:
    size = _prepare(axes, "Right, %", narrow)
    sizes = [point.pictures for point in curve.points]
    means = [100 * point.accuracy for point in curve.points]
    reached = [100 * share for point in curve.points for share in point.draws]
    for point in curve.points[:-1]:
        ys = [100 * share for share in point.draws]
        axes.plot([point.pictures] * len(ys), ys, "o", color=svg.SERIES[0], markersize=5)
    axes.plot(sizes, means, "-o", color=svg.ACCENT, linewidth=1.8, markersize=7 if narrow else 8)
    _name(axes, sizes[-1], means[-1], text.percent(curve.points[-1].accuracy), size)
    ticks = list(sizes)
    if curve.twice is not None:
        at, about = curve.twice.pictures, 100 * curve.twice.accuracy
        low, high = (100 * bound for bound in curve.twice.interval)
        axes.plot([at, at], [low, high], color=svg.SERIES[1], linewidth=7, solid_capstyle="round")
        axes.plot(
            [sizes[-1], at],
            [means[-1], about],
            color=svg.ACCENT,
            linewidth=1.6,
            linestyle=(0, (4, 3)),
        )
        axes.plot(
            [at],
            [about],
            "o",
            markersize=7 if narrow else 8,
            markeredgewidth=2,
            markerfacecolor=svg.PAPER,
            markeredgecolor=svg.ACCENT,
            zorder=4,
        )
        reached += [low, high]
        ticks.append(at)
    axes.set_xscale("log", base=2)
    axes.set_xlim(ticks[0] / 1.25, ticks[-1] * 1.25)
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(*_span(reached))
    axes.set_xlabel("pictures to learn from", labelpad=4)


def history_plot(history: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Right answers, and below the loss, epoch by epoch; None where there is nothing to draw."""
    right = _series(history, "validation_accuracy", 100)
    losses = [_series(history, name) for name in ("loss", "validation_loss")]
    if not right and not any(losses):
        return None
    alt = f"The training, {counted(len(history), 'epoch')}."
    if right:
        alt += f" Right answers: {right[0][1]:.1f} % after the first, {right[-1][1]:.1f} % at last."
    for words, series in zip(
        ("Loss of the pictures learned", "Loss of others"), losses, strict=True
    ):
        if series:
            alt += f" {words}: {series[0][1]:.3f} to {series[-1][1]:.3f}."
    upper, lower = (_PANEL if right else 0.0), (_PANEL if any(losses) else 0.0)

    def paint(figure: Figure, narrow: bool) -> None:
        left, end = (40, 14) if narrow else (48, 30)
        if right:
            axes = svg.place(figure, left, end, 28, lower + _FOOT)
            _paint_lines(axes, "Right, %", [(right, svg.ACCENT)], narrow)
            axes.set_ylim(*_span([share for _, share in right]))
            _epochs(axes, len(history), last=not lower)
        if lower:
            axes = svg.place(figure, left, end, upper + 28, _FOOT)
            both = zip(losses, (svg.SERIES[1], svg.ACCENT), strict=True)
            _paint_lines(axes, "Loss", [(series, colour) for series, colour in both], narrow)
            axes.set_ylim(bottom=0)
            _epochs(axes, len(history), last=True)

    height = upper + lower + _FOOT
    return svg.plot("history", alt, paint, heights=(height, height))


def _paint_lines(
    axes: Axes, title: str, lines: Sequence[tuple[_Series, str]], narrow: bool
) -> None:
    _prepare(axes, title, narrow)
    for series, colour in lines:
        if series:
            xs, ys = zip(*series, strict=True)
            axes.plot(xs, ys, "-o", color=colour, linewidth=1.8, markersize=5)


def _series(history: Sequence[Mapping[str, Any]], name: str, scale: float = 1) -> _Series:
    """(epoch, value) of the rows that have one."""
    found = []
    for place, row in enumerate(history, 1):
        value = row.get(name)
        if isinstance(value, (int, float)) and math.isfinite(value):
            found.append((float(place), scale * value))
    return found


def _epochs(axes: Axes, count: int, *, last: bool) -> None:
    """The axis of epochs, named below the `last` drawing only."""
    step = math.ceil(count / _MOST_TICKS)
    ticks = range(step, count + 1, step)
    axes.set_xlim(1 - 0.04 * count, count + 0.04 * count)
    axes.set_xticks(ticks, [f"{tick:,}" if last else "" for tick in ticks])
    if last:
        axes.set_xlabel("epoch", labelpad=4)


def _prepare(axes: Axes, title: str, narrow: bool) -> float:
    """No frame, thin lines, the title above; gives the size of the text."""
    size = 12.0 if narrow else 13.0
    svg.tidy(axes, grid="y")
    axes.set_title(title, loc="left", fontsize=size, color=svg.QUIET)
    axes.locator_params(axis="y", nbins=6)
    return size


def _name(axes: Axes, x: float, y: float, words: str, size: float) -> None:
    axes.annotate(
        words,
        (x, y),
        xytext=(0, 11),
        textcoords="offset points",
        ha="center",
        weight="bold",
        fontsize=size,
    )


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis of percent that holds them with some room."""
    low, high = min(values), max(values)
    room = max(0.12 * (high - low), (_LEAST_RANGE - (high - low)) / 2, 0.5)
    return max(low - room, -1.0), min(high + 1.6 * room, 101.0)
