"""Draws the icons of the app: a question in a viewfinder. Writes one SVG and the PNGs.

python tools/web/icons.py
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parents[2] / "src" / "whatsit" / "serve" / "web" / "icons"
SIDE = 100.0  # of the drawing; everything below is in its units
BACK, FRAME, MARK = "#0a66a8", "#9fd0f2", "#ffffff"
CORNER = 22.0  # radius of the background where the platform does not cut its own
SAFE = 0.78  # of a maskable icon at least a circle of 80 % stays: web.dev, "Adaptive icon support"
FINER = 8  # times finer than the PNG it is drawn, then made smaller

Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """A line with round ends: its points for the PNGs, the same as SVG path data."""

    points: tuple[Point, ...]
    path: str
    width: float
    colour: str


def strokes() -> list[Stroke]:
    """The four corners of the viewfinder, the hook of the question mark and its dot."""
    corners = [_corner(x, y) for x in (-1, 1) for y in (-1, 1)]
    dot = Stroke(((50.0, 70.5),), "M50 70.5h0", 9.0, MARK)
    return [*corners, _hook(), dot]


def _corner(right: int, down: int) -> Stroke:
    """One corner: an arm, a quarter of a circle, the other arm."""
    outer, arm, radius = 29.0, 13.0, 8.0
    centre = 50 + right * (outer - radius), 50 + down * (outer - radius)
    start, first = (50 + right * outer, 50 + down * (outer - arm)), (50 + right * outer, centre[1])
    second, end = (centre[0], 50 + down * outer), (50 + right * (outer - arm), 50 + down * outer)
    bend = [
        (
            centre[0] + right * radius * math.cos(turn),
            centre[1] + down * radius * math.sin(turn),
        )
        for turn in _turns(0, 90)
    ]
    sweep = int(right == down)
    path = f"{_move(start)}L{_at(first)}A{radius:g} {radius:g} 0 0 {sweep} {_at(second)}L{_at(end)}"
    return Stroke((start, *bend, end), path, 5.5, FRAME)


def _hook() -> Stroke:
    """Most of a circle, open to the lower left, that bends into the stem."""
    centre, radius = (50.0, 41.5), 11.5
    arc = [
        (centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn))
        for turn in _turns(-172, 52)
    ]
    tip, control = (50.0, 59.5), (50.0, 56.1)  # the control point is what the arc aims at
    bend = [_between(arc[-1], control, tip, step / 16) for step in range(17)]
    path = f"{_move(arc[0])}A{radius:g} {radius:g} 0 1 1 {_at(arc[-1])}Q{_at(control)} {_at(tip)}"
    return Stroke((*arc, *bend), path, 8.0, MARK)


def _turns(first: float, last: float) -> list[float]:
    return [math.radians(first + (last - first) * step / 48) for step in range(49)]


def _between(start: Point, control: Point, end: Point, share: float) -> Point:
    """A point of the quadratic curve."""
    rest = 1 - share
    weights = rest * rest, 2 * rest * share, share * share
    points = start, control, end
    x = sum(weight * point[0] for weight, point in zip(weights, points, strict=True))
    y = sum(weight * point[1] for weight, point in zip(weights, points, strict=True))
    return x, y


def _at(point: Point) -> str:
    return f"{round(point[0], 2):g} {round(point[1], 2):g}"


def _move(point: Point) -> str:
    return f"M{_at(point)}"


def svg() -> str:
    """The icon as a file that scales."""
    lines = [
        f'<path d="{one.path}" stroke="{one.colour}" stroke-width="{one.width:g}"/>'
        for one in strokes()
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE:g} {SIDE:g}">',
            f'<rect width="{SIDE:g}" height="{SIDE:g}" rx="{CORNER:g}" fill="{BACK}"/>',
            '<g fill="none" stroke-linecap="round" stroke-linejoin="round">',
            *lines,
            "</g>",
            "</svg>",
            "",
        ]
    )


def png(side: int, *, full: bool, share: float) -> Image.Image:
    """The icon of `side` pixels. `full` fills the square; `share` of it holds the drawing."""
    size = side * FINER
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    scale = size / SIDE
    box = (0, 0, size - 1, size - 1)
    draw.rounded_rectangle(box, 0 if full else CORNER * scale, fill=BACK)
    for one in strokes():
        points = [((x - 50) * share * scale + size / 2, (y - 50) * share * scale + size / 2)
                  for x, y in one.points]  # fmt: skip
        _line(draw, points, one.width * share * scale, one.colour)
    small = image.resize((side, side), Image.Resampling.BOX)
    return small.convert("RGB") if full else small


def _line(draw: ImageDraw.ImageDraw, points: list[Point], width: float, colour: str) -> None:
    if len(points) > 1:
        draw.line(points, colour, round(width))
    for x, y in points:  # round ends and joins
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), colour)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "icon.svg").write_text(svg(), encoding="utf-8")
    png(192, full=False, share=1).save(FOLDER / "icon-192.png", optimize=True)
    png(512, full=False, share=1).save(FOLDER / "icon-512.png", optimize=True)
    png(512, full=True, share=SAFE).save(FOLDER / "maskable-512.png", optimize=True)
    png(180, full=True, share=0.95).save(FOLDER / "apple-touch-180.png", optimize=True)


if __name__ == "__main__":
    main()
