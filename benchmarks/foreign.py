"""Pictures that show nothing at all. Usage: python benchmarks/foreign.py FOLDER [COUNT]

Writes three folders, COUNT pictures in each (150), the same ones every time:

- noise: grains of several sizes, coloured and grey, even and normal;
- patterns: stripes, checks, gradients, waves, blobs and plain colours;
- textures: clouds, fibres, cells and marble; and crops of brick, grass and gravel where
  scikit-image is installed and has them.

`whatsit calibrate MODEL DATASET --foreign FOLDER/noise …` says how many of them are noticed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
Maker = Callable[[np.random.Generator, int], Array]

SIDE = 256
COUNT = 150
GRAINS = (224, 112, 56, 28, 14)  # pixels of noise along a side
FILTERS = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
Y, X = np.mgrid[0:SIDE, 0:SIDE] / SIDE


# Each of these makes picture number `k`: rows (SIDE, SIDE, 3) or (SIDE, SIDE), from 0 to 255.


def noise(rng: np.random.Generator, k: int) -> Array:
    side = GRAINS[k % len(GRAINS)]
    shape = (side, side, 1 if k % 3 == 2 else 3)
    drawn = rng.normal(128, 60, shape) if k % 3 == 1 else rng.uniform(0, 256, shape)
    grains = np.broadcast_to(np.clip(drawn, 0, 255), (side, side, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(grains).resize((SIDE, SIDE), FILTERS[k // 5 % 3]), np.float64)


def pattern(rng: np.random.Generator, k: int) -> Array:
    angle, waves = rng.uniform(0, np.pi), rng.uniform(1, 20)
    along = X * np.cos(angle) + Y * np.sin(angle)
    across = Y * np.cos(angle) - X * np.sin(angle)
    one, other = np.sin(2 * np.pi * waves * along), np.sin(2 * np.pi * waves * across)
    share = (
        lambda: one > 0,
        lambda: (one > 0) ^ (other > 0),
        lambda: along,
        lambda: 0.5 + 0.5 * one * other,
        lambda: _blobs(rng),
        lambda: np.zeros_like(X),
    )[k % 6]()
    return _between(rng, np.asarray(share, np.float64))


def texture(rng: np.random.Generator, k: int) -> Array:
    share = (_clouds, _fibres, _cells, _marble)[k % 4](rng)
    return _between(rng, share) + rng.normal(0, 4, (SIDE, SIDE, 1))


def _between(rng: np.random.Generator, share: Array) -> Array:
    """From one colour to another."""
    one, other = rng.uniform(0, 256, (2, 3))
    return one * share[..., np.newaxis] + other * (1 - share[..., np.newaxis])


def _blobs(rng: np.random.Generator) -> Array:
    total = np.zeros_like(X)
    for left, top, radius in rng.uniform((0, 0, 0.03), (1, 1, 0.2), (12, 3)):
        total = np.maximum(total, np.exp(-((X - left) ** 2 + (Y - top) ** 2) / radius**2))
    return total


def _filtered(rng: np.random.Generator, weights: Array) -> Array:
    """Noise with these amplitudes (SIDE, SIDE) of its frequencies, from 0 to 1."""
    spectrum = np.fft.fft2(rng.normal(size=(SIDE, SIDE))) * weights
    found = np.fft.ifft2(spectrum).real
    low, high = np.percentile(found, [1, 99])
    return np.clip((found - low) / (high - low), 0, 1)


def _frequencies() -> tuple[Array, Array]:
    steps = np.fft.fftfreq(SIDE) * SIDE
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    return rows, columns


def _clouds(rng: np.random.Generator) -> Array:
    """Fractal noise: as rough on every scale."""
    rows, columns = _frequencies()
    return _filtered(rng, np.maximum(np.hypot(rows, columns), 1) ** -rng.uniform(0.8, 2.2))


def _fibres(rng: np.random.Generator) -> Array:
    """Noise drawn out in one direction, as in cloth, wood or hair."""
    rows, columns = _frequencies()
    angle = rng.uniform(0, np.pi)
    along = rows * np.cos(angle) + columns * np.sin(angle)
    across = columns * np.cos(angle) - rows * np.sin(angle)
    fine = rng.uniform(15, 60)
    return _filtered(rng, np.exp(-((along / 3) ** 2)) * np.exp(-((across / fine) ** 2)))


def _cells(rng: np.random.Generator) -> Array:
    """Distances to the nearest of many points, as in pebbles, leather or foam."""
    points = rng.uniform(0, 1, (int(rng.integers(30, 200)), 2))
    apart = (X[..., np.newaxis] - points[:, 0]) ** 2 + (Y[..., np.newaxis] - points[:, 1]) ** 2
    near = np.sqrt(np.sort(np.partition(apart, 1, axis=2)[..., :2], axis=2))
    edges = near[..., 1] - near[..., 0]
    found: Array = np.clip(edges / np.percentile(edges, 95), 0, 1)
    return found


def _marble(rng: np.random.Generator) -> Array:
    """Stripes that clouds have bent."""
    bent = X * rng.uniform(2, 8) + _clouds(rng) * rng.uniform(1, 4)
    found: Array = 0.5 + 0.5 * np.sin(2 * np.pi * bent)
    return found


def surfaces() -> list[NDArray[np.uint8]]:
    """Photographs of brick, grass and gravel, where they are there."""
    try:
        import skimage.data as data

        return [data.brick(), data.grass(), data.gravel()]
    except Exception:
        # Not installed, or its pictures would have to be fetched: they are an addition.
        return []


def crops(rng: np.random.Generator, count: int) -> Iterator[Array]:
    """Squares of the surfaces, turned and tinted."""
    sources = surfaces()
    for k in range(count if sources else 0):
        source = sources[k % len(sources)]
        side = int(rng.integers(100, 400))
        top, left = rng.integers(0, np.array(source.shape[:2]) - side)
        part = Image.fromarray(np.rot90(source[top : top + side, left : left + side], k % 4))
        grey = np.asarray(part.convert("L").resize((SIDE, SIDE), FILTERS[2]), np.float64)
        yield grey[..., np.newaxis] * (rng.uniform(0.6, 1, 3) if k % 2 else np.ones(3))


def save(folder: Path, pictures: Iterator[Array]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(pictures):
        image = Image.fromarray(np.clip(rows, 0, 255).astype(np.uint8))
        image.save(folder / f"{number:04}.png")


def main() -> None:
    folder = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else COUNT
    kinds: tuple[tuple[str, Maker], ...] = (
        ("noise", noise),
        ("patterns", pattern),
        ("textures", texture),
    )
    for seed, (name, make) in enumerate(kinds):
        rng = np.random.default_rng(seed)
        save(folder / name, (make(rng, k) for k in range(count)))
    if surfaces():
        save(folder / "surfaces", crops(np.random.default_rng(len(kinds)), count))


if __name__ == "__main__":
    main()
