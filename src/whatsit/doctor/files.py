"""One file: can it be read, is it whole, is it odd, and how does it look?"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import images, machine
from ..errors import ImageUnreadable, InputError
from . import jpeg
from .looks import LEAST_SIDE, Seen, seen

if TYPE_CHECKING:
    from PIL import Image

Progress = Callable[[int, int], None]  # (done, total)

_NARROW = 4  # times as long as wide: most of it is cut away, or squeezed
_LEAST_CONTRAST = 2.0  # grey levels, of the standard deviation of the look
_TURN = 0x0112  # the EXIF tag
# Pillow's name of a format → the endings that its files have.
_ENDINGS = {
    "JPEG": ".jpg .jpeg .jpe .jfif .mpo",
    "MPO": ".jpg .jpeg .jpe .jfif .mpo",
    "PNG": ".png .apng",
    "GIF": ".gif",
    "WEBP": ".webp",
    "BMP": ".bmp .dib",
    "TIFF": ".tif .tiff",
    "PPM": ".ppm .pgm .pbm .pnm",
    "ICO": ".ico",
    "JPEG2000": ".jp2 .j2k",
    "QOI": ".qoi",
    "AVIF": ".avif .avifs",
    "HEIF": ".heic .heif .hif .avif",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one file. `remarks` are (code of a finding, in words).

    With an `error`, nothing else is known; `damage` is what is broken though it can be decoded.
    """

    path: str
    error: InputError | None = None
    damage: str = ""
    sha256: str | None = None
    seen: Seen | None = None
    remarks: tuple[tuple[str, str], ...] = ()


def examine_all(
    paths: Sequence[str], *, workers: int | None = None, progress: Progress | None = None
) -> list[Facts]:
    """The facts of each file, in order."""
    found: list[Facts] = []
    with ThreadPoolExecutor(workers or machine.cpu_count()) as pool:
        for facts in pool.map(examine, paths):
            found.append(facts)
            if progress is not None:
                progress(len(found), len(paths))
    return found


def examine(path: str) -> Facts:
    """The facts of one file; its pixels are decoded, at a part of the size where that can be."""
    try:
        shown = seen(path)
        data = _content(path)
    except InputError as error:
        error.__traceback__ = None  # its frames would keep the picture alive
        return Facts(path, error)
    damage, remarks = _header(path, data)
    if shown.look.std() < _LEAST_CONTRAST:
        remarks = [*remarks, ("one-colour", "it shows one colour and nothing else")]
    digest = hashlib.sha256(data).hexdigest()
    return Facts(path, None, damage, digest, shown, tuple(remarks))


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:  # it was there a moment ago
        raise ImageUnreadable(f"{path!r} cannot be read: {error.strerror or error}") from error


def _header(path: str, data: bytes) -> tuple[str, list[tuple[str, str]]]:
    """What is damaged, and what is odd about a picture that can be decoded."""
    remarks: list[tuple[str, str]] = []
    try:
        with _opened(path, data) as image:
            kind = image.format
            remarks.extend(_oddities(path, image))  # looks for further frames
    except Exception as error:  # Pillow names no one class of them
        return f"a part cannot be read: {str(error) or type(error).__name__}", remarks
    if kind in ("JPEG", "MPO"):
        return jpeg.damage(data), remarks
    if kind != "PNG":
        return "", remarks
    try:
        with _opened(path, data) as image:
            image.verify()  # reads the checksum of every chunk
    except Exception as error:
        return f"a part does not match its checksum: {error}", remarks
    return "", remarks


def _opened(path: str, data: bytes) -> Image.Image:
    """By the way of images.py: Image.open would warn of pictures that are allowed to be large."""
    return images._open_header(io.BytesIO(data), path)[1]


def _oddities(path: str, image: Image.Image) -> Iterator[tuple[str, str]]:
    """(code of a finding, in words) of all that is unusual but allowed."""
    width, height = image.size
    kind, ending = image.format or "", os.path.splitext(path)[1].lower()
    if kind in _ENDINGS and ending not in _ENDINGS[kind].split():
        name = "JPEG" if kind == "MPO" else kind
        yield "wrong-ending", f"a {name} file by its content, {ending or 'nothing'} by its name"
    if image.mode == "CMYK":
        yield "odd-kind", "in the colours of print (CMYK)"
    elif image.mode.startswith("I") or "16" in image.mode:
        yield "odd-kind", "of 16 bits a channel, which are made 8"
    if kind != "MPO" and kind != "ICO" and getattr(image, "is_animated", False):
        yield "odd-kind", "animated, of which the first frame is used"
    if min(width, height) < LEAST_SIDE:
        yield "tiny", f"{width} × {height} pixels"
    if max(width, height) > _NARROW * min(width, height):
        yield "narrow", f"{width} × {height} pixels"
    if _turn(image) > 1:
        yield "turned", "turned by its EXIF, which other programs may ignore"


def _turn(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_TURN, 1)
    except Exception:  # damaged EXIF fails in many ways; images.py takes it as upright too
        return 1
    return value if isinstance(value, int) and value <= 8 else 1
