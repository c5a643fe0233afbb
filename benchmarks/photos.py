"""The photos to measure with: found in a folder, and made as large as a phone makes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageChops

from whatsit.images import is_picture_name

_LARGE_PIXELS = 12_000_000
_COLLAGE = (4000, 3000)  # width, height
_TILE = 1000
GRAIN = 8  # grey levels: brings a JPEG of 12 megapixels to the 4 to 5 MB of a phone's largest
_QUALITY = 90


def find(folder: Path) -> list[Path]:
    """Colour JPEGs below `folder`: what cameras write.

    Decoding a PNG takes longer than all the rest and would hide it. Grey pictures MediaPipe's
    classifier refuses.
    """
    return [path for path in sorted(folder.rglob("*")) if is_picture_name(path) and _fits(path)]


def spread(photos: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the photos, evenly spread, since folders are often sorted by class."""
    step = max(1, -(-len(photos) // count))
    return list(photos[::step])


def collage(photos: Sequence[Path], path: Path, *, grain: float) -> Path:
    """A JPEG of 4000 × 3000 with the detail of a real one: photos side by side, and grain."""
    canvas = Image.new("RGB", _COLLAGE)
    corners = [(x, y) for y in range(0, _COLLAGE[1], _TILE) for x in range(0, _COLLAGE[0], _TILE)]
    for number, corner in enumerate(corners):
        with Image.open(photos[number % len(photos)]) as photo:
            canvas.paste(photo.resize((_TILE, _TILE), Image.Resampling.LANCZOS), corner)
    return _save(canvas, path, grain)


def enlarged(photo: Path, path: Path) -> Path:
    """The whole photo as a JPEG of 12 megapixels, with grain."""
    with Image.open(photo) as image:
        scale = (_LARGE_PIXELS / (image.width * image.height)) ** 0.5
        size = (round(image.width * scale), round(image.height * scale))
        return _save(image.resize(size, Image.Resampling.BICUBIC), path, GRAIN)


def _save(image: Image.Image, path: Path, grain: float) -> Path:
    noise = Image.effect_noise(image.size, grain).convert("RGB")  # around 128
    ImageChops.add(image, noise, offset=-128).save(path, quality=_QUALITY)
    return path


def _fits(path: Path) -> bool:
    with Image.open(path) as image:
        return image.format == "JPEG" and image.mode == "RGB"
