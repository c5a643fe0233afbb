"""Opens a picture, whatever it comes as, and gives it upright as 8-bit RGB.

A path, bytes, a file object, a Pillow image or a uint8 array (H, W, 3) becomes a Pillow image of
mode RGB: turned as EXIF says, transparency laid on white, first frame of an animation. Pillow's
many exceptions are translated here, once, into the errors of this package.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from .errors import (
    ImageNotFound,
    ImageTooLarge,
    ImageUnreadable,
    ImageUnsupported,
    InputError,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | NDArray[Any]"
Shrink: TypeAlias = Callable[[int, int], float]
Box: TypeAlias = tuple[float, float, float, float]

# Pillow's own limit for a certain decompression bomb, about 179 megapixels: 537 MB as RGB.
MAX_PIXELS = 178_956_970
MAX_STREAM_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 20  # Python reserves what a read asks for before it reads

EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .gif .webp .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm "
    ".ico .jp2 .j2k .qoi .avif .avifs .heic .heif .hif".split()
)

# Which Pillow plug-in reads what, told by the first bytes and never by the name of the file.
# Formats not named here (EPS would start Ghostscript) are refused.
_MAGIC: tuple[tuple[str, bytes, int, str], ...] = (
    ("JPEG", b"\xff\xd8\xff", 0, "JpegImagePlugin"),
    ("PNG", b"\x89PNG\r\n\x1a\n", 0, "PngImagePlugin"),
    ("GIF", b"GIF8", 0, "GifImagePlugin"),
    ("WEBP", b"WEBP", 8, "WebPImagePlugin"),
    ("BMP", b"BM", 0, "BmpImagePlugin"),
    ("TIFF", b"II*\0", 0, "TiffImagePlugin"),
    ("TIFF", b"MM\0*", 0, "TiffImagePlugin"),
    ("TIFF", b"II+\0", 0, "TiffImagePlugin"),
    ("TIFF", b"MM\0+", 0, "TiffImagePlugin"),
    ("ICO", b"\0\0\1\0", 0, "IcoImagePlugin"),
    ("JPEG2000", b"jP  \r\n\x87\n", 4, "Jpeg2KImagePlugin"),
    ("JPEG2000", b"\xff\x4f\xff\x51", 0, "Jpeg2KImagePlugin"),
    ("QOI", b"qoif", 0, "QoiImagePlugin"),
    ("AVIF", b"ftypavif", 4, "AvifImagePlugin"),
    ("AVIF", b"ftypavis", 4, "AvifImagePlugin"),
    *(("PPM", b"P%d" % digit, 0, "PpmImagePlugin") for digit in range(1, 7)),
    *(
        ("HEIF", b"ftyp" + brand, 4, "")
        for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
    ),
)
# Formats whose 16-bit grey Pillow may open as mode I, which otherwise means 32 bits.
_GREY_16_AS_I = frozenset({"PNG", "PPM"})
_DAMAGED = "the file is damaged or cut short"
_FORMATS_EXPECTED = "a JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, JPEG 2000, PPM, QOI, ICO or HEIC file"

# EXIF orientation → the Pillow transposition that makes the picture upright.
_EXIF_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
# EXIF orientation → where the last row and the last column of the file lie in the upright picture.
_LAST_SIDES = {
    1: ("bottom", "right"),
    2: ("bottom", "left"),
    3: ("top", "left"),
    4: ("top", "right"),
    5: ("right", "bottom"),
    6: ("left", "bottom"),
    7: ("left", "top"),
    8: ("right", "top"),
}
LEAST_SHRINK = 2  # below it a JPEG is decoded whole
_COVERED = "whatsit_covered"  # a key of Image.info, which Pillow carries through its operations


def open_image(source: ImageSource, *, shrink: Shrink | None = None) -> Image.Image:
    """The picture, upright, as a Pillow image of mode RGB.

    `shrink(height, width)` says, for the upright picture, how many of its pixels fall on one
    pixel of what the caller needs; a JPEG is then decoded at 1/2, 1/4 or 1/8 of its size where
    that leaves at least as many pixels as needed. `covered` then says where the picture ends.

    Raises ImageNotFound, ImageUnreadable, ImageTooLarge, or ImageUnsupported, also for a source
    that is no picture by its type: among many, one wrong item must not cost the others.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(io.BytesIO(source), f"<{len(source)} bytes>", shrink)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        with open_file(path) as file:
            return _decode(file, path, shrink)
    return _open_object(source, shrink)


def kept(source: ImageSource) -> ImageSource:
    """The same source, to be opened more than once: of a file object all that is left in it."""
    if isinstance(source, (str, os.PathLike)) or not hasattr(source, "read"):
        return source
    stream = cast("IO[bytes]", source)
    return read_stream(stream, str(getattr(stream, "name", "<file object>")))


def covered(image: Image.Image) -> Box:
    """The part of an image from open_image that the picture covers: left, top, right, bottom.

    All of it, but for a JPEG decoded at a part of its size: 4001 pixels at 1/8 are 500.125, and the
    decoder gives 501, of which the last holds little.
    """
    box: Box = image.info.get(_COVERED, (0.0, 0.0, float(image.width), float(image.height)))
    return box


def is_whole(image: Image.Image) -> bool:
    """Whether an image from open_image has all the pixels of the picture."""
    return _COVERED not in image.info


def header(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> tuple[str, int, int]:
    """The kind ("JPEG", "PNG" …), width and height of a file, before any pixel is decoded.

    Raises what `open_image` raises for such a file, and ImageTooLarge beyond `max_pixels`.
    """
    with _translated(name):
        kind, image = _open_header(io.BytesIO(data), name)
    with image:
        _check_size(image, name, max_pixels)
        return kind, image.width, image.height


def _open_object(source: Any, shrink: Shrink | None) -> Image.Image:
    from PIL import Image

    if isinstance(source, Image.Image):
        name = f"<{source.mode} image>"
        if _COVERED in source.info:  # it came from here, and may have been changed since
            source = source.copy()
            del source.info[_COVERED]
        with _translated(name):
            return _upright_rgb(source, name)
    if hasattr(source, "read"):
        name = str(getattr(source, "name", "<file object>"))
        return _decode(io.BytesIO(read_stream(source, name)), name, shrink)
    raise ImageUnsupported(
        f"cannot classify a {type(source).__name__}",
        expected="a path, bytes, file object, Pillow image or uint8 array (H, W, 3)",
    )


def read_stream(stream: IO[bytes], name: str) -> bytes:
    """All bytes of a stream that may not be seekable; at most MAX_STREAM_BYTES."""
    data = io.BytesIO()
    try:
        while data.tell() <= MAX_STREAM_BYTES and (part := stream.read(_CHUNK_BYTES)):
            data.write(part)
    except TypeError as error:
        raise ImageUnsupported(
            f"{name!r} gives text", expected="a file object opened in binary mode"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise ImageUnreadable(f"{name!r} cannot be read: {_reason(error)}") from error
    if data.tell() > MAX_STREAM_BYTES:
        raise ImageTooLarge(f"{name!r} is longer than {MAX_STREAM_BYTES >> 30} GiB")
    return data.getvalue()


def open_file(path: str) -> IO[bytes]:
    """A regular file, opened; anything else is refused before it can block."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise ImageUnreadable(
                f"{path!r} is a folder", expected="a picture file", hint="list its files"
            )
        if not stat.S_ISREG(mode):
            raise ImageUnreadable(
                f"{path!r} is not a regular file",
                expected="a picture file",
                hint="send the bytes of one picture to standard input and name it -",
            )
        return open(path, "rb")
    except FileNotFoundError as error:
        raise ImageNotFound(
            f"no file {path!r}", hint="check the spelling and the folder"
        ) from error
    except PermissionError as error:
        raise ImageUnreadable(
            f"{path!r} may not be read", hint="change its permissions or run as its owner"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ImageUnreadable(f"cannot open {path!r}: {_reason(error)}") from error


def _decode(file: IO[bytes], name: str, shrink: Shrink | None) -> Image.Image:
    """Reads header and pixels of an open, seekable file."""
    with _translated(name):
        kind, image = _open_header(file, name)
    with image:
        _check_size(image, name)
        if shrink is not None and kind == "JPEG":
            _decode_smaller(image, shrink)
        with _translated(name):
            return _upright_rgb(image, name)


def _open_header(file: IO[bytes], name: str) -> tuple[str, Image.Image]:
    """The format and the picture, its pixels not yet decoded."""
    from PIL import Image

    head = file.read(16)
    if not head:
        raise ImageUnreadable(f"{name!r} is empty", expected=_FORMATS_EXPECTED)
    kind = _sniff(head, name)
    file.seek(0)
    # Not Image.open, which imports five plug-ins whatever the kind; the size is checked later.
    factory, _ = Image.OPEN[kind]
    try:
        return kind, factory(file, "")
    except SyntaxError as error:  # how a plug-in says that the file is none of its own
        raise ImageUnreadable(f"{name!r} is no valid {kind} file", hint=_DAMAGED) from error


def _sniff(head: bytes, name: str) -> str:
    """The Pillow format of a file that begins with `head`, its plug-in imported."""
    for kind, magic, offset, module in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            if kind == "HEIF":
                _register_heif(name)
            else:
                _import_plugin(module, kind, name)
            return kind
    raise ImageUnreadable(f"{name!r} is not a picture of a known kind", expected=_FORMATS_EXPECTED)


def _import_plugin(module: str, kind: str, name: str) -> None:
    """Imports one plug-in by name, since Pillow would otherwise import every one it has."""
    try:
        importlib.import_module(f"PIL.{module}")
    except ImportError as error:
        raise ImageUnsupported(
            f"{name!r} is a picture of kind {kind}, which this install cannot decode",
            hint="pip install --upgrade pillow",
        ) from error


def _register_heif(name: str) -> None:
    try:
        pillow_heif = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise ImageUnsupported(
            f"{name!r} is a HEIC picture, which this install cannot decode",
            hint="pip install 'whatsit[heif]'",
        ) from error
    pillow_heif.register_heif_opener()


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    """Whatever Pillow raises meanwhile becomes one of our errors."""
    from PIL import Image

    try:
        yield
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow counts before we can: "Image size (3600000000 pixels) exceeds limit of …"
        pixels = re.search(r"\d+", str(error))
        count = f"{int(pixels[0]):,}" if pixels else "too many"
        raise _too_large(f"{name!r} has {count} pixels") from error
    except MemoryError as error:
        raise ImageTooLarge(f"{name!r} does not fit into memory") from error
    # For damaged files Pillow raises nearly anything: OSError, SyntaxError, ValueError,
    # struct.error, EOFError, IndexError, KeyError, TypeError, zlib.error …
    except Exception as error:
        raise ImageUnreadable(
            f"{name!r} cannot be decoded: {_reason(error)}", hint=_DAMAGED
        ) from error


def _reason(error: Exception) -> str:
    """What went wrong, on one line, without the number and the file that Python adds."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]


def _check_size(image: Image.Image, name: str, max_pixels: int = MAX_PIXELS) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise _too_large(f"{name!r} has {width:,} × {height:,} pixels", max_pixels)


def _too_large(message: str, max_pixels: int = MAX_PIXELS) -> ImageTooLarge:
    return ImageTooLarge(
        message, expected=f"at most {max_pixels:,} pixels", hint="make a smaller copy first"
    )


def _decode_smaller(image: Image.Image, shrink: Shrink) -> None:
    """Tells libjpeg to decode at the smallest of 1/1, 1/2, 1/4, 1/8 that `shrink` allows."""
    width, height = image.size
    orientation = _orientation(image)
    factor = shrink(width, height) if orientation > 4 else shrink(height, width)
    if factor >= LEAST_SHRINK:
        # draft() picks the largest reduction that keeps both sides at least this long.
        done = image.draft(None, (max(1, int(width / factor)), max(1, int(height / factor))))
        if done is not None:
            right, bottom = done[1][2:]  # the exact ends, before they were rounded up
            image.info[_COVERED] = _upright_box(image.size, right, bottom, orientation)


def _upright_box(size: tuple[int, int], right: float, bottom: float, orientation: int) -> Box:
    """Where (0, 0, right, bottom) of an image of `size` (w, h) lies once it is upright."""
    width, height = size[::-1] if orientation > 4 else size
    last_row, last_column = _LAST_SIDES.get(orientation, _LAST_SIDES[1])
    missing = {last_row: size[1] - bottom, last_column: size[0] - right}
    return (
        missing.get("left", 0.0),
        missing.get("top", 0.0),
        width - missing.get("right", 0.0),
        height - missing.get("bottom", 0.0),
    )


def _orientation(image: Image.Image) -> int:
    """How the picture is turned, from 1 (upright) to 8; 1 if its EXIF cannot be read."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged EXIF fails in as many ways as damaged pixels, and matters less
        return 1
    return value if isinstance(value, int) else 1


def _upright_rgb(image: Image.Image, name: str) -> Image.Image:
    from PIL import Image

    image.load()  # reads the first frame, and EXIF that stands behind the pixels
    if 0 in image.size:
        raise ImageUnreadable(f"{name!r} has no pixels", expected="at least 1 × 1")
    rgb = _to_rgb(image, name)
    turn = _TURNS.get(_orientation(image))
    return rgb if turn is None else rgb.transpose(Image.Transpose[turn])


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    """Any Pillow mode as RGB: 16 bit scaled to 8, transparency laid on white."""
    from PIL import Image

    if image.mode == "RGB" and "transparency" not in image.info:
        return image.copy() if image.readonly else image
    if image.mode == "F" or (image.mode == "I" and image.format not in _GREY_16_AS_I):
        raise ImageUnsupported(
            f"{name!r} has pixels of 32 bits, which have no agreed range",
            expected="8 or 16 bits a channel",
        )
    if image.mode.startswith("I"):
        # In 32 bits: a uint16 would overflow at the brightest levels.
        grey = np.asarray(image).clip(0, 65535).astype(np.int32)  # (H, W)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _from_array(array: NDArray[Any]) -> Image.Image:
    from PIL import Image

    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ImageUnsupported(
            f"cannot classify an array of {array.dtype} {array.shape}",
            expected="uint8 RGB of shape (H, W, 3)",
            hint="convert it, for example with PIL.Image, or pass the file itself",
        )
    return Image.fromarray(np.ascontiguousarray(array))


def is_picture_name(path: str | os.PathLike[str]) -> bool:
    """Whether a file in a folder looks like a picture by its name."""
    return Path(path).suffix.lower() in EXTENSIONS
