"""matplotlib's figures as inline SVG that takes its colours and its font from the page.

Each plot is drawn twice, for a wide and for a narrow screen, so that its text is readable on both;
the page shows one of them. matplotlib is used without pyplot: no display, no state.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from . import text

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Painter = Callable[["Figure", bool], None]  # draws into a figure; narrow or not

WIDE = 840  # units across, each a CSS pixel at full width
NARROW = 352  # what a phone of 390 pixels leaves
_DPI = 72  # of SVG in matplotlib: a point is then a unit
_TEXT = {False: 13.0, True: 12.0}  # font size by narrow

# What matplotlib is told to draw in → the property of the page that takes its place. No colour but
# these may be used; the values themselves are never seen.
INK, QUIET, LINE, PAPER, PANEL = "#010101", "#020202", "#030303", "#040404", "#050505"
ACCENT, SOFT, BAD, GOOD = "#060606", "#070707", "#080808", "#090909"
SERIES = ("#0a0a01", "#0a0a02", "#0a0a03", "#0a0a04")
HEAT = tuple(f"#0b0b{level:02x}" for level in range(1, 6))
HIT = tuple(f"#0c0c{level:02x}" for level in range(1, 6))
_VARIABLES = {
    INK: "ink",
    QUIET: "quiet",
    LINE: "line",
    PAPER: "paper",
    PANEL: "panel",
    ACCENT: "accent",
    SOFT: "soft",
    BAD: "bad",
    GOOD: "good",
    **{colour: f"series-{number}" for number, colour in enumerate(SERIES, 1)},
    **{colour: f"heat-{number}" for number, colour in enumerate(HEAT, 1)},
    **{colour: f"hit-{number}" for number, colour in enumerate(HIT, 1)},
}
_COLOUR = re.compile("|".join(_VARIABLES))


def plot(name: str, alt: str, paint: Painter, *, heights: tuple[float, float]) -> Markup:
    """The two drawings of one plot, as a piece of HTML. `heights` are those of wide and narrow.

    `name` is unique on the page and makes the ids unique; `alt` says what the plot shows.
    """
    from markupsafe import Markup, escape

    wide, narrow = (
        _draw(f"{name}-{'narrow' if small else 'wide'}", paint, small, height)
        for small, height in zip((False, True), heights, strict=True)
    )
    drawn = (
        Markup('<svg class="{}" role="img" aria-label="{}"').format(kind, escape(alt)) + Markup(svg)
        for kind, svg in (("wide", wide), ("narrow", narrow))
    )
    return Markup('<div class="plot">{}{}</div>').format(*drawn)


def place(figure: Figure, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes with these margins, in units of the drawing."""
    width, height = figure.get_size_inches() * _DPI
    size = (width - left - right) / width, (height - top - bottom) / height
    return figure.add_axes((left / width, bottom / height, *size))


def tidy(axes: Axes, *, grid: Literal["x", "y", "both"] | None) -> None:
    """No frame and no ticks; thin lines behind the data at the ticks of `grid`."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(which="both", length=0, labelcolor=QUIET, pad=6)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, axis=grid, color=LINE, linewidth=1)


def width_of(figure: Figure, words: str, size: float, *, bold: bool = False) -> float:
    """How far words reach across in matplotlib's font, which is wider than most of a page."""
    label = figure.text(0, 0, words, size=size, weight="bold" if bold else "normal")
    width: float = label.get_window_extent().width
    label.remove()
    return width


def fitted(figure: Figure, foreign: str, width: float, size: float) -> str:
    """As much of foreign text as fits into `width`, its middle left out."""
    letters = 40
    while letters > 3 and width_of(figure, text.shown(foreign, letters), size) > width:
        letters -= 1
    return text.shown(foreign, letters)


def _draw(name: str, paint: Painter, narrow: bool, height: float) -> str:
    """From the svg tag's first attribute on: no size but the viewBox, colours of the page."""
    with _quietly(_TEXT[narrow], name):
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        figure = Figure(figsize=((NARROW if narrow else WIDE) / _DPI, height / _DPI), dpi=_DPI)
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        paint(figure, narrow)
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=nothing)
    return _for_the_page(file.getvalue(), name)


@contextlib.contextmanager
def _quietly(size: float, salt: str) -> Iterator[None]:
    """matplotlib with settings of our own, and silent: about fonts that it lacks, or its cache."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import matplotlib as mpl

            with mpl.rc_context():
                mpl.rcdefaults()
                mpl.rcParams.update(
                    {
                        "svg.fonttype": "none",  # text stays text
                        "svg.hashsalt": salt,
                        "text.parse_math": False,  # a label may hold any number of dollars
                        "font.size": size,
                        "axes.facecolor": "none",
                        "text.color": INK,
                        "axes.labelcolor": QUIET,
                    }
                )
                yield
    finally:
        logger.setLevel(level)


def _for_the_page(svg: str, name: str) -> str:
    """What matplotlib wrote, without what belongs to a file of its own."""
    head, body = svg[svg.index("<svg") :].split(">", 1)
    (box,) = re.findall(r'viewBox="[^"]*"', head)
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r"\s*\n\s*", " ", body)
    used = set(re.findall(r'<[^>]*(?:xlink:href="|url\()#([\w-]+)', body))
    # Only inside of tags: a label may read as any of what is replaced. In text < and > are escaped.
    body = re.sub(r"<[^>]+>", lambda tag: _tag(tag[0], name, used), body)
    return f" {box}>{body}".rstrip()


def _tag(tag: str, name: str, used: set[str]) -> str:
    """One tag, in the page's terms: ids that are used and unique, its font and its colours."""
    tag = re.sub(
        r' id="([^"]*)"', lambda id_: f' id="{name}-{id_[1]}"' if id_[1] in used else "", tag
    )
    tag = tag.replace('xlink:href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    tag = re.sub(r" font-family: [^;\"]*;?", "", tag)
    tag = re.sub(r' transform="rotate\(-0 [^"]*"', "", tag)
    return _COLOUR.sub(lambda colour: f"var(--{_VARIABLES[colour[0]]})", tag)
