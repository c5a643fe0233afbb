"""Finds places for labels beside points, so that they overlap neither each other nor the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_GAP = 6.0
_ROUNDS = 3
# Degrees, the best first.
_DIRECTIONS = (0, 180, 90, 270, 45, 315, 135, 225, 20, 160, 200, 340, 70, 110, 250, 290)
_DISTANCES = (0.0, 12.0, 26.0, 44.0, 66.0, 92.0)  # beyond the point's edge; far ones get a line
_NEAR = 20.0
_CLEAR = 14.0  # how much nearer its own point a label must be than any other
_FAR = 250.0  # what a line from label to point costs, as clutter
_DOUBT = 4.0  # as bad as so much area on something else


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in units of the drawing, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.top - self.bottom)


@dataclass(frozen=True, slots=True)
class Point:
    """A circle to be labelled, and the size of its label."""

    x: float
    y: float
    radius: float
    width: float
    height: float

    @property
    def box(self) -> Box:
        """The square around the circle."""
        x, y, r = self.x, self.y, self.radius
        return Box(x - r, y - r, x + r, y + r)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a label goes; `far` asks for a line to its point, `crowded` says that it overlaps."""

    box: Box
    far: bool
    crowded: bool


def find(
    points: Sequence[Point], bounds: Box, bars: Sequence[Box], blocked: Sequence[Box] = ()
) -> list[Spot]:
    """A spot for the label of each point; `bars` are best left free, `blocked` must be.

    The first points choose first; then each may move to where the others leave a better place.
    """
    spots: list[Spot | None] = [None] * len(points)
    for _ in range(_ROUNDS):
        for number, point in enumerate(points):
            others = [other for other in points if other is not point]
            labels = [spot.box for n, spot in enumerate(spots) if spot and n != number]
            taken = [*labels, *blocked, *(other.box for other in points)]
            spots[number] = _best(point, others, taken, bounds, bars)
    return [spot for spot in spots if spot]


def _best(
    point: Point,
    others: Sequence[Point],
    taken: Sequence[Box],
    bounds: Box,
    bars: Sequence[Box],
) -> Spot:
    """The cheapest spot for one label."""
    options = []
    for distance in _DISTANCES:
        for order, angle in enumerate(_DIRECTIONS):
            box = _beside(point, angle, distance)
            far = distance >= _NEAR
            bad = _crowding(box, bounds, taken)
            if not far and _doubtful(box, point, others):
                bad += _DOUBT
            cost = 200 * bad + 4 * sum(map(box.overlap, bars)) + 3 * distance + _FAR * far
            options.append((cost, distance, order, Spot(box, far, bad > 1)))
    return min(options, key=lambda option: option[:3])[3]


def _crowding(box: Box, bounds: Box, taken: Sequence[Box]) -> float:
    """The area of a label that lies outside or on something else."""
    return box.area - box.overlap(bounds) + sum(map(box.overlap, taken))


def _doubtful(box: Box, own: Point, others: Sequence[Point]) -> bool:
    """Whether a label without a line might be read as that of another point."""
    reach = _distance(box, own) + _CLEAR
    return any(_distance(box, other) < reach for other in others)


def _distance(box: Box, point: Point) -> float:
    """From the edge of the circle to the nearest edge of the box."""
    across = max(box.left - point.x, 0.0, point.x - box.right)
    up = max(box.bottom - point.y, 0.0, point.y - box.top)
    return math.hypot(across, up) - point.radius


def _beside(point: Point, angle: float, distance: float) -> Box:
    """The label's box, its nearest edge or corner `distance` from the circle in this direction."""
    reach = point.radius + _GAP + distance
    across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x = point.x + reach * across + point.width / 2 * _sign(across)
    y = point.y + reach * up + point.height / 2 * _sign(up)
    return Box(x - point.width / 2, y - point.height / 2, x + point.width / 2, y + point.height / 2)


def _sign(value: float) -> float:
    """-1, 0 or 1: 0 where the direction is along the other axis."""
    return 0.0 if abs(value) < 1e-9 else math.copysign(1.0, value)
