"""Makes small data sets of textures, which any backbone tells apart: a stand-in for photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

KINDS = ("checks", "dots", "noise", "rings", "stripes")
SIDE = 96


def texture(kind: str, seed: int) -> Image.Image:
    """One picture of a kind, its colours, scale and place by chance."""
    chance = np.random.default_rng([KINDS.index(kind), seed])
    y, x = np.mgrid[:SIDE, :SIDE] + chance.uniform(0, 40, 2)[:, None, None]
    period = chance.uniform(9, 16)
    pattern = {
        "checks": ((x // period + y // period) % 2),
        "dots": ((x % period - period / 2) ** 2 + (y % period - period / 2) ** 2)
        < (period / 3.2) ** 2,
        "noise": chance.random((SIDE, SIDE)),
        "rings": np.sin(np.hypot(x - SIDE * 0.7, y - SIDE * 0.7) * 6 / period) > 0,
        "stripes": np.sin((x + y * chance.uniform(-0.3, 0.3)) * 6 / period) > 0,
    }[kind].astype(float)
    dark, bright = chance.uniform(0, 90, 3), chance.uniform(150, 255, 3)
    pixels = dark + pattern[:, :, None] * (bright - dark) + chance.normal(0, 6, (SIDE, SIDE, 3))
    # Light and shade of its own, or pictures of one kind would pass for copies of each other.
    coarse = Image.fromarray(chance.uniform(20, 255, (5, 5)).astype(np.uint8))
    shade = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 255
    pixels = pixels * shade[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def write(folder: Path, pictures: int, *, kinds: tuple[str, ...] = KINDS, first: int = 0) -> Path:
    """A folder for each kind with that many pictures; `first` makes other pictures."""
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + pictures):
            texture(kind, number).save(folder / kind / f"{number:04}.png")
    return folder
