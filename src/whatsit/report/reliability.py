"""The reliability diagram: how sure a model was against how often it was right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wording import counted
from . import svg, text

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..calibration import Bin, Calibration


def plot(calibration: Calibration) -> Markup:
    """Accuracy by score above, how many pictures had such a score below."""
    filled = [row for row in calibration.bins if row.count]
    alt = (
        f"Reliability diagram: expected calibration error {text.percent(calibration.error)}. "
        + " ".join(
            f"{counted(row.count, 'picture')} with a mean score of "
            f"{text.percent(row.confidence, 0)}: {text.percent(row.accuracy.value, 0)} right."
            for row in filled
        )
    )

    def paint(figure: Figure, narrow: bool) -> None:
        width = svg.NARROW if narrow else svg.WIDE
        left, right = (44, 8) if narrow else (170, 170)
        height = width - left - right  # both axes in the same scale
        upper = svg.place(figure, left, right, 26, _height(narrow) - 26 - height * 0.86)
        lower = svg.place(figure, left, right, 26 + height * 0.86 + 28, 46)
        _paint_shares(upper, filled, narrow)
        _paint_counts(lower, filled, narrow)

    return svg.plot("reliability", alt, paint, heights=(_height(False), _height(True)))


def _height(narrow: bool) -> float:
    return 460.0 if narrow else 650.0


def _paint_shares(axes: Axes, filled: list[Bin], narrow: bool) -> None:
    svg.tidy(axes, grid="both")
    size = 12 if narrow else 13
    axes.set_title("Right, %", loc="left", fontsize=size, color=svg.QUIET)
    axes.plot([0, 100], [0, 100], color=svg.QUIET, linewidth=1.2, linestyle=(0, (4, 3)))
    xs = [100 * row.confidence for row in filled]
    ys = [100 * row.accuracy.value for row in filled]
    for x, row in zip(xs, filled, strict=True):
        low, high = (100 * bound for bound in row.accuracy.interval)
        axes.plot([x, x], [low, high], color=svg.SERIES[0], linewidth=3, solid_capstyle="butt")
    axes.plot(xs, ys, "-o", color=svg.ACCENT, linewidth=1.5, markersize=7 if narrow else 8)
    axes.set_xlim(0, 102)
    axes.set_ylim(0, 102)
    axes.set_xticks([0, 25, 50, 75, 100], [""] * 5)
    axes.set_yticks([0, 25, 50, 75, 100])


def _paint_counts(axes: Axes, filled: list[Bin], narrow: bool) -> None:
    svg.tidy(axes, grid=None)
    size = 12 if narrow else 13
    axes.set_title("Pictures", loc="left", fontsize=size, color=svg.QUIET)
    most = max((row.count for row in filled), default=1)
    for row in filled:
        low, high = 100 * row.low, 100 * row.high
        axes.bar((low + high) / 2, row.count, (high - low) * 0.86, color=svg.SERIES[0])
        axes.text(
            (low + high) / 2,
            row.count + most * 0.05,
            f"{row.count:,}" if row.count < 10_000 else f"{row.count / 1000:.0f}k",
            ha="center",
            color=svg.QUIET,
            fontsize=(9 if narrow else 11),
        )
    axes.axhline(0, color=svg.LINE, linewidth=1)
    axes.set_xlim(0, 102)
    axes.set_ylim(0, most * 1.2)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_yticks([])
    axes.set_xlabel("score of the best class, %", labelpad=4)
