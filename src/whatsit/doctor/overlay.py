"""Lays one small picture on another: is the one the other, or a part of it, mirrored or not?

Two pictures of alike things agree in where it is light and dark; only the same picture agrees in
its details as well, whatever was done to its size, colours and compression. So the window of one
that fits the other best is sought by the former, and judged by the latter.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .looks import SIDE, Look

Floats: TypeAlias = NDArray[np.float32]
Window: TypeAlias = tuple[float, float, float, float]  # top, bottom, left, right, as shares

_COARSE = 8
_FINE = 32  # … and when it is judged
_BLOCK = 1024  # looks at a time: as float32 they are four times as large
# Least sides of a window, as shares: who cuts away more has made another picture.
_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6)
# Of a coarse window, in light and in detail, to be moved about. Of the same picture 99 % have more.
_WORTH_A_LOOK = 0.82
_WORTH_DETAIL = 0.75
_LATTICE = 160  # the sides of a window lie on multiples of 1 / 160, finer than a pixel of _FINE
_STEPS = (4, 2, 1)  # of the search for them
_MOST_MOVES = 12  # at each step
# The same picture, altered as twins.py says, has had 0.90 and more; different pictures of the
# same kind of thing 0.49 and less; pictures taken one after the other 0.5 to 0.7.
SAME_DETAIL = 0.8
_SAME_LIGHT = 0.85
_HOPELESS = 0.3  # detail after the first steps, where the same picture has had 0.64 and more


@dataclass(frozen=True, slots=True)
class Fit:
    """How alike two pictures are where they fit best, each at most 1: in light, and in detail."""

    light: float
    detail: float
    mirrored: bool
    kept: float  # the share of the larger one that the other shows

    @property
    def same(self) -> bool:
        """Whether they are one picture."""
        return self.detail >= SAME_DETAIL and self.light >= _SAME_LIGHT


def coarse(looks: NDArray[np.uint8], window: Window = (0.0, 1.0, 0.0, 1.0)) -> Floats:
    """A window of looks (N, SIDE, SIDE) as (N, 64): mean 0 and length 1; 0 without contrast."""
    top, bottom, left, right = window
    rows, columns = _weights(top, bottom, _COARSE), _weights(left, right, _COARSE)
    blocks = [looks[start : start + _BLOCK] for start in range(0, len(looks), _BLOCK)]
    cut = [rows @ block.astype(np.float32) @ columns.T for block in blocks]  # (_, 8, 8) each
    return normal(np.concatenate(cut).reshape(len(looks), -1))


def shrunk(looks: NDArray[np.uint8], side: int) -> Floats:
    """Looks (N, SIDE, SIDE) as (N, side, side)."""
    step = SIDE // side
    small: Floats = looks.reshape(-1, side, step, side, step).mean((2, 4), dtype=np.float32)
    return small


def normal(rows: Floats, faint: float = 1.0) -> Floats:
    """Rows (..., D) of mean 0 and length 1, so that brightness and contrast make no difference.

    A row whose values deviate by less than `faint` becomes 0: a grey level is an encoder's noise.
    """
    centred = rows - rows.mean(-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    flat = length < faint * np.sqrt(rows.shape[-1])
    unit: Floats = np.where(flat, 0, centred / np.maximum(length, 1e-6)).astype(np.float32)
    return unit


def fits(whole: Look, others: NDArray[np.uint8], both: Floats) -> list[Fit | None]:
    """How each of `others` (N, SIDE, SIDE) fits on a window of `whole`; None if surely not.

    `both` (2N, 64) are the others as `coarse` has them, as they are and then mirrored.
    """
    windows = _windows(whole)
    scores = windows @ both.T  # (windows, 2N)
    found: list[Fit | None] = []
    for place, other in enumerate(others):
        straight, turned = scores[:, place], scores[:, place + len(others)]
        mirrored = bool(turned.max() > straight.max())
        score = turned if mirrored else straight
        best = int(score.argmax())
        aim = both[place + len(others) * mirrored]
        if score[best] < _WORTH_A_LOOK or _detail(windows[best], aim, _COARSE) < _WORTH_DETAIL:
            found.append(None)
            continue
        found.append(_refined(whole, other[:, ::-1] if mirrored else other, best, mirrored))
    return found


@functools.cache
def _spans() -> list[tuple[float, float]]:
    """Windows along one side, from and to, as shares."""
    spans = []
    for share in _SHARES:
        count = round((1 - share) / 0.1) + 1
        spans += [
            (float(start), float(start) + share) for start in np.linspace(0, 1 - share, count)
        ]
    return spans


@functools.cache
def _span_weights() -> Floats:
    """(spans * _COARSE, SIDE): takes a look to all windows along one side at once."""
    return np.concatenate([_weights(start, end, _COARSE) for start, end in _spans()])


@functools.lru_cache(maxsize=1024)  # at most 8 kB each
def _weights(start: float, end: float, count: int) -> Floats:
    """(count, SIDE): means of `count` equal parts of the span."""
    edges = np.linspace(start, end, count + 1) * SIDE
    pixels = np.arange(SIDE)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    overlap = overlap.clip(0, None)
    shares: Floats = (overlap / overlap.sum(1, keepdims=True)).astype(np.float32)
    return shares


def _windows(look: Look) -> Floats:
    """(spans², 64): every window of a look, normal."""
    weights, count = _span_weights(), len(_spans())
    cut = weights @ look.astype(np.float32) @ weights.T
    cut = cut.reshape(count, _COARSE, count, _COARSE).transpose(0, 2, 1, 3)
    return normal(cut.reshape(count * count, _COARSE * _COARSE))


def _refined(whole: Look, other: Look, window: int, mirrored: bool) -> Fit:
    """The fit of the best window near the coarse one, found by moving one side at a time."""
    row, column = divmod(window, len(_spans()))
    look = whole.astype(np.float32)
    target = shrunk(other[None], _FINE)[0]
    aim = normal(target.reshape(-1))
    # top, bottom, left, right, in units of 1 / _LATTICE
    sides = [round(side * _LATTICE) for side in (*_spans()[row], *_spans()[column])]
    cut = _cut(look, sides)
    light, detail = _likeness(cut, aim), 0.0
    for step in _STEPS:
        for _ in range(_MOST_MOVES):
            before = light
            moves = list(_moves(sides, step))
            parts = _cuts(look, moves)
            for tried, part, score in zip(moves, parts, _likenesses(parts, aim), strict=True):
                if score > light + 1e-4:
                    light, sides, cut = score, tried, part
            if light == before:
                break
        detail = _detail(cut, target, _FINE)
        if detail < _HOPELESS:
            break
    kept = (sides[1] - sides[0]) * (sides[3] - sides[2]) / _LATTICE**2
    return Fit(light, detail, mirrored, kept)


def _moves(sides: list[int], step: int) -> Iterator[list[int]]:
    """`sides` with one of them moved by a step, where more than half of the picture remains."""
    for side in range(4):
        for change in (-step, step):
            moved = list(sides)
            moved[side] = min(_LATTICE, max(0, moved[side] + change))
            if min(moved[1] - moved[0], moved[3] - moved[2]) > _LATTICE // 2:
                yield moved


def _cuts(look: Floats, every: list[list[int]]) -> Floats:
    """Some windows of a look as (N, _FINE, _FINE)."""
    rows = np.stack([_fine_weights(top, bottom) for top, bottom, _, _ in every])
    columns = np.stack([_fine_weights(left, right) for _, _, left, right in every])
    cut = rows @ look @ columns.transpose(0, 2, 1)
    return cut.astype(np.float32, copy=False)


def _likenesses(parts: Floats, aim: Floats) -> list[float]:
    """The correlation of each picture with one that is normal."""
    rows = parts.reshape(len(parts), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    found: list[float] = (rows @ aim / np.maximum(lengths, 1e-6)).tolist()
    return found


def _likeness(part: Floats, aim: Floats) -> float:
    """The correlation of a picture with one that is normal."""
    flat = part.reshape(-1)
    centred = flat - flat.mean()
    return float(centred @ aim) / max(float(np.sqrt(centred @ centred)), 1e-6)


def _cut(look: Floats, sides: list[int]) -> Floats:
    """The window of a look as (_FINE, _FINE)."""
    top, bottom, left, right = sides
    part = _fine_weights(top, bottom) @ look @ _fine_weights(left, right).T
    return part.astype(np.float32, copy=False)


@functools.lru_cache(maxsize=4096)  # 8 kB each
def _fine_weights(start: int, end: int) -> Floats:
    return _weights(start / _LATTICE, end / _LATTICE, _FINE)


def _detail(one: Floats, other: Floats, side: int) -> float:
    """The correlation of two pictures of side² pixels, each without its blurred self."""
    blur = _blur(side)
    pair: Floats = np.stack([one.reshape(side, side), other.reshape(side, side)])
    rest: Floats = (pair - blur @ pair @ blur.T).astype(np.float32, copy=False)
    first, second = normal(rest.reshape(2, -1), faint=0)
    return float(first @ second)


@functools.cache
def _blur(side: int) -> Floats:
    """(side, side): a mean of three pixels, twice; those at the edge are repeated."""
    once = np.zeros((side, side), np.float32)
    for pixel in range(side):
        for near in (pixel - 1, pixel, pixel + 1):
            once[pixel, min(max(near, 0), side - 1)] += 1 / 3
    twice: Floats = once @ once
    return twice
