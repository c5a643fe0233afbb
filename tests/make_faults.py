"""Makes data sets with known faults: pictures of their own kind, copies, damage."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

FLOWERS = Path(__file__).parents[2] / "shared" / "data" / "flowers"


def texture(seed: int, width: int = 160, height: int = 120) -> Image.Image:
    """Coloured clouds with spots, different for every seed."""
    chance = np.random.default_rng(seed)
    layers = np.zeros((height, width, 3))
    for cells in (3, 7, 15, 31):
        small = Image.fromarray(chance.integers(0, 256, (cells, cells, 3), np.uint8))
        layers += np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)) / 4
    return Image.fromarray(layers.astype(np.uint8))


def saved(image: Image.Image, kind: str = "JPEG", quality: int = 85) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, quality=quality)
    return file.getvalue()


def cropped(image: Image.Image, share: float) -> Image.Image:
    """Without `share` of each side, cut off mostly at the left and at the top."""
    width, height = image.size
    return image.crop(
        (
            round(width * share * 0.7),
            round(height * share * 0.6),
            round(width * (1 - share * 0.3)),
            round(height * (1 - share * 0.4)),
        )
    )


# What makes another file of the same picture.
COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "half the size": lambda im: saved(im.resize((im.width // 2, im.height // 2))),
    "low quality": lambda im: saved(im, quality=30),
    "webp": lambda im: saved(im, "WEBP", 60),
    "darker": lambda im: saved(ImageEnhance.Brightness(im).enhance(0.7)),
    "brighter": lambda im: saved(ImageEnhance.Brightness(im).enhance(1.3)),
    "mirrored": lambda im: saved(im.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "cropped": lambda im: saved(cropped(im, 0.08)),
    "square": lambda im: saved(im.resize((150, 150))),
    "grey": lambda im: saved(im.convert("L")),
}


def _replaced(data: bytes, start: float, part: bytes) -> bytes:
    place = int(len(data) * start)
    return data[:place] + part + data[place + len(part) :]


# What breaks a JPEG file.
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "half of it": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-40],
    "zeros in the middle": lambda data: _replaced(data, 0.5, bytes(400)),
    "zeros to the end": lambda data: _replaced(data, 0.7, bytes(len(data) - int(len(data) * 0.7))),
    "noise in the middle": lambda data: _replaced(data, 0.5, random.Random(3).randbytes(900)),
    "a page of a server": lambda data: b"<!DOCTYPE html><title>404</title>",
    "without its start": lambda data: data[300:],
}


def put(path: Path, data: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def textures(root: Path, classes: dict[str, int], seed: int = 0) -> list[str]:
    """A folder for each class with so many textures, all different."""
    made = []
    for name, count in classes.items():
        for number in range(count):
            seed += 1
            made.append(put(root / name / f"{number}.jpg", saved(texture(seed))))
    return made
