"""Accuracy against latency: a circle a model, the front, the limits, names that do not overlap."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import spots, svg, text

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..choice import Candidate, Choice

_LARGEST = {False: 26.0, True: 15.0}  # radius of the largest file's circle, by narrow
_LOGARITHMIC_FROM = 8  # times between the slowest and the fastest
_MOST_NAMES = 14  # more names than this would hide the points
_ASIDE = 4  # units between a limit and its words
_MOST_FAR = 2  # names with a line to their points
_MOST_STRUCK = 0.34  # of the names, with another line through them


def plot(choice: Choice) -> Markup | None:
    """The scatter of all candidates whose accuracy is known; None if there are none."""
    known = [c for c in choice.candidates if c.top1 is not None]
    if not known:
        return None
    alt = "Top-1 against milliseconds a picture. " + " ".join(map(_said, known))
    if choice.recommended:
        alt += f" Recommended: {text.shown(choice.recommended)}."

    def paint(figure: Figure, narrow: bool) -> None:
        _Scatter(figure, choice, known, narrow).paint()

    return svg.plot("front", alt, paint, heights=(480, 400))


def _said(candidate: Candidate) -> str:
    share = text.percent(candidate.top1.value if candidate.top1 else None)
    return (
        f"{text.shown(candidate.name)}: {share}, {text.ms(candidate.latency.median)} ms, "
        f"{text.megabytes(candidate.size_bytes)}."
    )


def _steps(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    """The corners of a line that goes right before it goes up."""
    corners = [(xs[0], ys[0])]
    for x, y in zip(xs[1:], ys[1:], strict=True):
        corners += [(x, corners[-1][1]), (x, y)]
    return corners


class _Scatter:
    """One drawing of the scatter; `known` have an accuracy."""

    def __init__(
        self, figure: Figure, choice: Choice, known: Sequence[Candidate], narrow: bool
    ) -> None:
        self.choice = choice
        self.known = known
        self.narrow = narrow
        self.blocked: list[spots.Box] = []  # where the words of a limit stand
        self.figure = figure
        self.axes: Axes = svg.place(
            figure, left=46 if narrow else 58, right=10, top=26, bottom=46 if narrow else 50
        )
        self.x = [c.latency.median for c in known]
        self.y = [100 * c.top1.value for c in known if c.top1]
        biggest = max(c.size_bytes for c in known) or 1
        self.radii = [max(3.0, _LARGEST[narrow] * math.sqrt(c.size_bytes / biggest)) for c in known]

    def paint(self) -> None:
        self._scales()
        lines = [*self._limits(), *self._front()]
        bars = self._bars()
        self._name_limit([*bars, *lines])
        self._circles()
        self._names([*bars, *lines])

    def _scales(self) -> None:
        axes = self.axes
        svg.tidy(axes, grid="both")
        axes.set_xlabel("milliseconds a picture, median", labelpad=4)
        axes.set_title("Top-1, %", loc="left", fontsize=self._size(), color=svg.QUIET, x=0)
        lows, highs = self._reach()
        if lows[0] > 0 and highs[0] / lows[0] > _LOGARITHMIC_FROM:
            axes.set_xscale("log")
            from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
            pad = (highs[0] / lows[0]) ** 0.18
            axes.set_xlim(lows[0] / pad, highs[0] * pad)
        else:
            pad = 0.2 * (highs[0] - lows[0]) or max(0.2 * highs[0], 0.1)
            # A wide screen has names, and most of them to the left of the fastest models.
            axes.set_xlim(max(0.0, lows[0] - pad * (1 if self.narrow else 1.5)), highs[0] + pad)
        pad = 0.12 * (highs[1] - lows[1]) or 2
        axes.set_ylim(lows[1] - pad, min(highs[1] + pad, 104))
        axes.locator_params(axis="y", nbins=6)
        if axes.get_xscale() == "linear":
            axes.locator_params(axis="x", nbins=6 if self.narrow else 10)

    def _reach(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The lowest and the highest (x, y) that must be seen; limits if they are not far off."""
        rates = [c.top1.interval for c in self.known if c.top1]
        left = min(c.latency.low for c in self.known)
        right = max(c.latency.high for c in self.known)
        low, high = 100 * min(r[0] for r in rates), 100 * max(r[1] for r in rates)
        limits = self.choice.limits
        if limits.max_latency_ms is not None and left / 2 < limits.max_latency_ms < 2 * right:
            left, right = min(left, limits.max_latency_ms), max(right, limits.max_latency_ms)
        if limits.min_top1 is not None and low - 20 < 100 * limits.min_top1 < high + 20:
            low, high = min(low, 100 * limits.min_top1), max(high, 100 * limits.min_top1)
        return (left, low), (right, high)

    def _limits(self) -> list[spots.Box]:
        """A line at each limit, and a shade over what lies beyond it; gives where the lines lie."""
        lines = []
        limits, axes = self.choice.limits, self.axes
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        dashes = (0, (4, 3))
        if limits.max_latency_ms is not None and left < limits.max_latency_ms < right:
            axes.axvspan(limits.max_latency_ms, right, color=svg.PANEL, linewidth=0, zorder=0.4)
            axes.axvline(limits.max_latency_ms, color=svg.QUIET, linewidth=1.2, linestyle=dashes)
            lines.append(self._along((limits.max_latency_ms, low), (limits.max_latency_ms, high)))
            axes.annotate(
                f"at most {limits.max_latency_ms:g} ms",
                (limits.max_latency_ms, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center" if limits.max_latency_ms < (left + 2 * right) / 3 else "right",
                color=svg.QUIET,
            )
        if limits.min_top1 is not None and low < 100 * limits.min_top1 < high:
            axes.axhspan(low, 100 * limits.min_top1, color=svg.PANEL, linewidth=0, zorder=0.4)
            axes.axhline(100 * limits.min_top1, color=svg.QUIET, linewidth=1.2, linestyle=dashes)
            lines.append(self._along((left, 100 * limits.min_top1), (right, 100 * limits.min_top1)))
        return lines

    def _name_limit(self, lines: Sequence[spots.Box]) -> None:
        """Names the least Top-1 at that end and on that side of its line where most room is."""
        top1, (low, high) = self.choice.limits.min_top1, self.axes.get_ylim()
        if top1 is None or not low < 100 * top1 < high:
            return
        words, height = f"at least {100 * top1:g} %", 100 * top1
        width, tall = svg.width_of(self.figure, words, self._size()), 1.25 * self._size()
        to_units = self.axes.transData.transform
        middles = [to_units(point) for point in zip(self.x, self.y, strict=True)]
        circles = [
            spots.Point(x, y, radius, 0, 0).box
            for (x, y), radius in zip(middles, self.radii, strict=True)
        ]

        def place(end: int, above: int) -> spots.Box:
            edge, line = to_units((self.axes.get_xlim()[end], height))
            left = edge - _ASIDE - width if end else edge + _ASIDE
            bottom = line + _ASIDE if above else line - _ASIDE - tall
            return spots.Box(left, bottom, left + width, bottom + tall)

        def hidden(corner: tuple[int, int]) -> float:
            box = place(*corner)
            return 1000 * sum(map(box.overlap, circles)) + sum(map(box.overlap, lines))

        end, above = min(((1, 0), (1, 1), (0, 0), (0, 1)), key=hidden)
        self.blocked = [place(end, above)]
        self.axes.annotate(
            words,
            (end, height),
            xycoords=("axes fraction", "data"),
            xytext=(-_ASIDE if end else _ASIDE, _ASIDE if above else -_ASIDE),
            textcoords="offset points",
            ha="right" if end else "left",
            va="bottom" if above else "top",
            color=svg.QUIET,
        )

    def _front(self) -> list[spots.Box]:
        """Steps: the best accuracy to be had within each latency; gives where they lie."""
        best, corners = -1.0, []
        for x, y in sorted(zip(self.x, self.y, strict=True), key=lambda p: (p[0], -p[1])):
            if y > best:
                best = y
                corners.append((x, y))
        right = self.axes.get_xlim()[1]
        xs = [x for x, _ in corners] + [right]
        ys = [y for _, y in corners] + [best]
        self.axes.plot(xs, ys, drawstyle="steps-post", color=svg.SERIES[0], linewidth=1.8, zorder=2)
        return [self._along(start, end) for start, end in itertools.pairwise(_steps(xs, ys))]

    def _bars(self) -> list[spots.Box]:
        """The interval of each accuracy and the spread of each latency; gives where they lie."""
        boxes = []
        for candidate, x, y in zip(self.known, self.x, self.y, strict=True):
            assert candidate.top1 is not None
            low, high = (100 * bound for bound in candidate.top1.interval)
            left, right = candidate.latency.low, candidate.latency.high
            colour = self._colour(candidate)
            self.axes.plot([x, x], [low, high], color=colour, linewidth=1.2, zorder=2.5)
            self.axes.plot([left, right], [y, y], color=colour, linewidth=1.2, zorder=2.5)
            boxes.append(self._along((x, low), (x, high)))
            boxes.append(self._along((left, y), (right, y)))
        return boxes

    def _along(self, start: tuple[float, float], end: tuple[float, float]) -> spots.Box:
        """The place, in units of the drawing, of a line that is level or upright."""
        (x0, y0), (x1, y1) = self.axes.transData.transform([start, end])
        return spots.Box(x0 - 1, y0 - 1, x1 + 1, y1 + 1)

    def _circles(self) -> None:
        for candidate, x, y, radius in zip(self.known, self.x, self.y, self.radii, strict=True):
            colour = self._colour(candidate)
            chosen = candidate.name == self.choice.recommended
            self.axes.plot(
                [x],
                [y],
                "o",
                markersize=2 * radius,
                markerfacecolor=svg.ACCENT if chosen else svg.PAPER,
                markeredgecolor=colour,
                markeredgewidth=2 if candidate.on_front else 1.2,
                zorder=3 + 1 / radius,
                clip_on=False,
            )
            self.axes.plot([x], [y], ".", color=svg.PAPER if chosen else colour, ms=5, zorder=4)

    def _colour(self, candidate: Candidate) -> str:
        return svg.ACCENT if candidate.on_front and not candidate.shortfalls else svg.QUIET

    def _names(self, bars: Sequence[spots.Box]) -> None:
        """Names beside the circles; where they would not fit, the numbers of the table."""
        numbers = [str(1 + self.choice.candidates.index(c)) for c in self.known]
        names = [svg.fitted(self.figure, c.name, 240, self._size()) for c in self.known]
        found = self._spots(names, bars) if len(names) <= _MOST_NAMES else []
        if not found or self._confusing(found, bars):
            names, found = numbers, self._spots(numbers, bars)
        to_data = self.axes.transData.inverted().transform
        for candidate, name, spot, x, y, radius in zip(
            self.known, names, found, self.x, self.y, self.radii, strict=True
        ):
            middle = (spot.box.left + spot.box.right) / 2, (spot.box.bottom + spot.box.top) / 2
            chosen = candidate.name == self.choice.recommended
            self.axes.annotate(
                name,
                (x, y),
                xytext=tuple(to_data(middle)),
                ha="center",
                va="center_baseline",
                color=svg.INK if candidate.on_front else svg.QUIET,
                weight="bold" if chosen else "normal",
                arrowprops={"arrowstyle": "-", "color": svg.QUIET, "lw": 0.8, "shrinkB": radius}
                if spot.far
                else None,
                zorder=5,
            )

    def _confusing(self, found: Sequence[spots.Spot], bars: Sequence[spots.Box]) -> bool:
        """Whether names hide something, or stand too far off, or too often have a line through."""
        far = sum(spot.far for spot in found)
        struck = sum(any(spot.box.overlap(bar) > 0 for bar in bars) for spot in found)
        # On a narrow screen a line from a name to its point is one line too many.
        most_far = 0 if self.narrow else _MOST_FAR
        crowded = any(spot.crowded for spot in found)
        return crowded or far > most_far or struck > _MOST_STRUCK * len(found)

    def _spots(self, names: Sequence[str], bars: Sequence[spots.Box]) -> list[spots.Spot]:
        """A spot for each name; the recommended one and the front choose first."""
        to_units = self.axes.transData.transform
        points = []
        for name, x, y, radius in zip(names, self.x, self.y, self.radii, strict=True):
            across, up = to_units((x, y))
            width = svg.width_of(self.figure, name, self._size(), bold=True)
            points.append(spots.Point(across, up, radius, width, 1.25 * self._size()))
        frame = self.axes.get_window_extent()
        bounds = spots.Box(frame.x0, frame.y0, frame.x1, frame.y1)
        order = sorted(range(len(points)), key=lambda i: self._rank(self.known[i]))
        found = spots.find([points[i] for i in order], bounds, bars, self.blocked)
        return [found[order.index(i)] for i in range(len(points))]

    def _rank(self, candidate: Candidate) -> tuple[bool, bool]:
        return candidate.name != self.choice.recommended, not candidate.on_front

    def _size(self) -> float:
        return 12.0 if self.narrow else 13.0
