"""The report of a benchmark: where the time of each setting goes, and whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..benchmark.noise import leading
from ..benchmark.values import AS_LITERT, AS_RECORDED
from ..wording import counted
from . import svg, text
from .page import render

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..benchmark import Benchmark, Measurement

_STAGES = ("decode", "preprocess", "inference")
_COLOURS = dict(zip(_STAGES, (svg.SERIES[0], svg.SERIES[1], svg.SERIES[2]), strict=True))
_REST = 0.005  # ms between the stages: less is not drawn
_NAMES = 232.0  # units left of the bars on a wide screen; a narrow one has the names above them
_MOST_BARS = 40  # more would be a wall; the table has all


def page(benchmark: Benchmark) -> str:
    """The whole page."""
    measured = benchmark.measurements
    first = leading([m for m in measured if m.right])
    fastest = first[0] if first else None
    busiest = max(measured, key=lambda m: m.throughput_per_s, default=None)
    return render(
        "benchmark.html",
        {
            "b": benchmark,
            "fastest": fastest,
            "told": len(first) == 1,
            "busiest": busiest,
            "drawn": min(len(measured), _MOST_BARS),
            "plot": _plot(measured[:_MOST_BARS]) if measured else None,
            "most_throughput": max((m.throughput_per_s for m in measured), default=0) or 1,
            "stages": (*_STAGES, "total"),
            "answers": {
                AS_RECORDED: "as recorded",
                AS_LITERT: "as LiteRT's",
            },
            "models": list({m.model_sha256: m.setting.model for m in measured}.items()),
            "machine": text.machine_rows(benchmark.machine),
        },
    )


def _plot(measured: Sequence[Measurement]) -> Markup:
    """A bar a setting: the stages one after the other, and a whisker to the slow end."""
    alt = "Milliseconds a picture. " + " ".join(
        f"{text.shown(m.setting, 80)}: median {text.ms(m.stages['total'].median)}, of which "
        + ", ".join(f"{stage} {text.ms(m.stages[stage].median)}" for stage in _STAGES)
        + f"; p95 {text.ms(m.stages['total'].p95)}."
        for m in measured
    )

    def paint(figure: Figure, narrow: bool) -> None:
        left, right = (2, 50) if narrow else (_NAMES, 62)
        axes = svg.place(figure, left, right, 6, 46)
        svg.tidy(axes, grid="x")
        axes.set_yticks([])
        axes.set_xlim(0, max(m.stages["total"].p95 for m in measured) * 1.02 or 1)
        axes.set_ylim(len(measured), 0)  # the first setting on top
        axes.locator_params(axis="x", nbins=5 if narrow else 9)
        axes.set_xlabel("milliseconds a picture", labelpad=4)
        for row, one in enumerate(measured):
            _bar(axes, row + (0.72 if narrow else 0.5), one, narrow)
            _label(figure, axes, row, one, narrow)

    heights = (52 + 46.0 * len(measured), 52 + 66.0 * len(measured))
    return svg.plot("stages", alt, paint, heights=heights)


def _bar(axes: Axes, place: float, one: Measurement, narrow: bool) -> None:
    """Medians of the stages; they need not add up to the median of the whole, which is marked."""
    total = one.stages["total"]
    thick, left = (0.3, 0.0) if narrow else (0.46, 0.0)
    for stage in _STAGES:
        width = one.stages[stage].median
        axes.barh(place, width, left=left, height=thick, color=_COLOURS[stage], linewidth=0)
        left += width
    if total.median - left > _REST:
        axes.barh(place, total.median - left, left=left, height=thick, color=svg.SERIES[3])
    axes.plot([left, total.p95], [place, place], color=svg.QUIET, linewidth=1.2, zorder=3)
    cap = [place - thick / 4, place + thick / 4]
    axes.plot([total.p95, total.p95], cap, color=svg.QUIET, linewidth=1.2, zorder=3)
    axes.annotate(
        text.ms(total.median),
        (total.p95, place),
        xytext=(7, 0),
        textcoords="offset points",
        va="center_baseline",
        weight="bold",
        annotation_clip=False,
    )


def _label(figure: Figure, axes: Axes, row: int, one: Measurement, narrow: bool) -> None:
    """The model, and the engine and threads in a second line or, on a narrow screen, after it."""
    size = 12.0 if narrow else 13.0
    room = svg.NARROW - 4.0 if narrow else _NAMES - 18
    name = svg.fitted(figure, one.setting.model, room, size)
    how = f"{one.setting.runtime}, {counted(one.setting.threads, 'thread')}"
    how = svg.fitted(figure, how, room, size)
    places = (row + 0.16, row + 0.4) if narrow else (row + 0.34, row + 0.68)
    for place, words, colour in zip(places, (name, how), (svg.INK, svg.QUIET), strict=True):
        axes.annotate(
            words,
            (0, place),
            xycoords=("axes fraction", "data"),
            xytext=(0 if narrow else -14, 0),
            textcoords="offset points",
            ha="left" if narrow else "right",
            va="center_baseline",
            color=colour,
            annotation_clip=False,
        )
