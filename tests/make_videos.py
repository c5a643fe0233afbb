"""Makes the small clips that the tests use, and damages and turns them as phones and disks do."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_BITS = 8
_BLOCK = 16

# Degrees clockwise → what a phone writes for a sensor of W × H: a, b, c, d, x (of W, H), y.
MATRICES = {
    0: (1, 0, 0, 1, (0, 0)),
    90: (0, 1, -1, 0, (0, 1)),
    180: (-1, 0, 0, -1, (1, 1)),
    270: (0, -1, 1, 0, (1, 0)),
}
MIRRORED = (-1, 0, 0, 1, (1, 0))


def numbered(count: int, *, height: int = 64) -> Iterator[Pixels]:
    """Grey pictures, 128 wide, that carry their number as black and white blocks, a bit each."""
    for number in range(count):
        picture = np.full((height, _BITS * _BLOCK, 3), 128, np.uint8)
        for bit in range(_BITS):
            value = 255 if number >> bit & 1 else 0
            picture[:_BLOCK, bit * _BLOCK : (bit + 1) * _BLOCK] = value
        yield picture


def number_of(picture: Pixels) -> int:
    """The number that such a picture carries."""
    middles = picture[_BLOCK // 2, _BLOCK // 2 :: _BLOCK].mean(axis=1)
    assert middles.shape == (_BITS,)
    return sum(1 << bit for bit, value in enumerate(middles) if value > 128)


def write(
    target: Path | IO[bytes],
    pictures: Iterable[Pixels],
    *,
    rate: int = 25,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    kind: str | None = None,
    times_ms: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    sound: bool = False,
    index_first: bool = False,
) -> None:
    """Encodes pictures of one size, at `rate` a second or at `times_ms`.

    `index_first`, of an MP4 file at a path: as it is written for the web.
    """
    usual = {"preset": "ultrafast", "crf": "10"} if codec == "libx264" else {}
    place = target if isinstance(target, io.IOBase) else str(target)
    how = {"movflags": "+faststart"} if index_first else {}
    with av.open(place, "w", kind, container_options=how) as output:
        stream: Any = output.add_stream(codec, rate=rate, options={**usual, **(options or {})})
        heard: Any = output.add_stream("aac", rate=8000, layout="mono") if sound else None
        count = 0
        for count, picture in enumerate(pictures, 1):
            if count == 1:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pixels
                if times_ms is not None:
                    stream.codec_context.time_base = Fraction(1, 1000)
            frame = av.VideoFrame.from_ndarray(picture)
            if times_ms is not None:
                frame.time_base, frame.pts = Fraction(1, 1000), times_ms[count - 1]
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        if heard is not None:
            _add_tone(output, heard, count / rate)


def encoded(pictures: Iterable[Pixels], kind: str = "mp4", **options: Any) -> bytes:
    """The bytes of such a video."""
    file = io.BytesIO()
    write(file, pictures, kind=kind, **options)
    return file.getvalue()


def write_sound(path: Path, codec: str = "aac", seconds: float = 0.5) -> None:
    with av.open(str(path), "w") as output:
        _add_tone(output, output.add_stream(codec, rate=8000, layout="mono"), seconds)


def with_cover(sound: bytes, picture: bytes) -> bytes:
    """An MP3 file with a JPEG as its cover: an ID3v2.3 tag of one APIC frame."""
    content = b"\0image/jpeg\0\x03\0" + picture
    frame = b"APIC" + struct.pack(">IH", len(content), 0) + content
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame + sound


def _add_tone(output: Any, stream: Any, seconds: float) -> None:
    rate = 8000
    for start in range(0, int(seconds * rate), 1024):
        time = np.arange(start, start + 1024) / rate
        wave = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        output.mux(stream.encode(frame))
    output.mux(stream.encode())


def turned(video: bytes, matrix: tuple[int, int, int, int, tuple[int, int]]) -> bytes:
    """An MP4 video whose pictures are to be shown by this matrix, in its tkhd box."""
    start = video.index(b"tkhd") + 4
    assert video[start] == 0  # the version with 32-bit times
    at = start + 4 + 5 * 4 + 8 + 4 * 2
    width, height = struct.unpack(">II", video[at + 36 : at + 44])
    a, b, c, d, (x, y) = matrix
    numbers = (a << 16, b << 16, 0, c << 16, d << 16, 0, x * width, y * height, 1 << 30)
    return video[:at] + struct.pack(">9i", *numbers) + video[at + 36 :]


def without_index(video: bytes) -> bytes:
    """An MP4 video as a camera leaves it when its battery ends: no moov box."""
    return video[: video.index(b"moov") - 4]


def of_colour(
    path: Path, rgb: tuple[int, int, int], *, size: tuple[int, int], space: int, full: bool
) -> None:
    """One colour, made YCbCr by the textbook rather than by libav, and named so in the file.

    `space`: 1 BT.709, 5 BT.601, 9 BT.2020, 2 unnamed, in which case it is that of `size`.
    """
    width, height = size
    matrix = space if space != 2 else 1 if width >= 1280 or height > 576 else 5
    red, _, blue = {1: (0.2126, 0, 0.0722), 5: (0.299, 0, 0.114), 9: (0.2627, 0, 0.0593)}[matrix]
    r, g, b = (value / 255 for value in rgb)
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = ((b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red)))
    scale, base, chroma_scale = (255, 0, 255) if full else (219, 16, 224)
    levels = [base + scale * luma, *(128 + chroma_scale * value for value in chroma)]
    y, u, v = (round(min(255, max(0, level))) for level in levels)
    planes = [np.full(width * height, y), np.full(width * height // 4, u)]
    planes.append(np.full(width * height // 4, v))
    picture = np.concatenate(planes).astype(np.uint8).reshape(height * 3 // 2, width)
    with av.open(str(path), "w") as output:
        options = {"crf": "1", "preset": "ultrafast"}
        stream: Any = output.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        if space != 2 or full:
            for thing in (stream.codec_context, frame):
                thing.colorspace, thing.color_range = space, 2 if full else 1
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
