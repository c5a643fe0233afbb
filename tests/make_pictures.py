"""Makes the odd picture files that the tests use; what Pillow does not write, by hand."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

from PIL import Image

ORIENTATION = 0x0112

# EXIF orientation → what turns an upright picture into one that is stored that way.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a file of that kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(image: Image.Image, orientation: int, kind: str, **options: Any) -> bytes:
    """`image`, stored turned, with the EXIF orientation that makes it upright again."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turn = STORED[orientation]
    stored = image if turn is None else image.transpose(turn)
    return encoded(stored, kind, exif=exif.tobytes(), **options)


def png(width: int, height: int, *, bits: int = 8, colour: int = 2, pixels: bytes = b"") -> bytes:
    """A PNG with that header over those scan lines, whether or not they fit it."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def damaged(data: bytes, chance: random.Random) -> bytes:
    """`data` cut short, with a hole, or with some bytes changed, most of them in the header."""
    kind = chance.choice(["cut", "hole", "anywhere", "header"])
    start = chance.randrange(len(data))
    if kind == "cut":
        return data[:start]
    if kind == "hole":
        return data[:start] + data[start + chance.randrange(1, 200) :]
    changed = bytearray(data)
    for _ in range(chance.choice([1, 3, 20])):
        changed[chance.randrange(len(data) if kind == "anywhere" else min(len(data), 400))] = (
            chance.choice([0, 255, chance.randrange(256)])
        )
    return bytes(changed)
