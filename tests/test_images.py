from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from make_pictures import ORIENTATION, encoded, png, turned
from PIL import Image

from whatsit import ImageNotFound, ImageTooLarge, ImageUnreadable, ImageUnsupported
from whatsit.images import covered, is_picture_name, open_image, read_stream


def level(image: Image.Image) -> tuple[int, int, int]:
    """The RGB of the first pixel."""
    assert image.mode == "RGB"
    return image.getpixel((0, 0))


@pytest.fixture(scope="module")
def small() -> Image.Image:
    """A picture with no symmetry at all."""
    return Image.fromarray(np.arange(7 * 5 * 3, dtype=np.uint8).reshape(5, 7, 3) * 2)


# What a source may be.


def test_all_kinds_of_source_give_the_same_pixels(cat: Path) -> None:
    with Image.open(cat) as opened:
        array = np.asarray(opened.convert("RGB"))
        sources = [cat, str(cat), cat.read_bytes(), io.BytesIO(cat.read_bytes()), opened, array]
        for source in sources:
            np.testing.assert_array_equal(np.asarray(open_image(source)), array)


def test_a_stream_that_cannot_seek_and_gives_little_at_a_time(cat: Path) -> None:
    read_end, write_end = os.pipe()
    data = encoded(Image.new("RGB", (9, 9), "red"), "PNG")
    with open(write_end, "wb") as file:
        file.write(data)
    with open(read_end, "rb", buffering=0) as stream:
        assert level(open_image(stream)) == (255, 0, 0)


@pytest.mark.parametrize(
    "source",
    [
        None,
        3,
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        io.StringIO("text"),
    ],
)
def test_what_is_no_picture_by_its_type_is_refused(source: object) -> None:
    with pytest.raises(ImageUnsupported) as caught:
        open_image(source)  # type: ignore[arg-type]
    assert caught.value.expected


def test_a_closed_file_is_unreadable() -> None:
    file = io.BytesIO(b"")
    file.close()
    with pytest.raises(ImageUnreadable, match="closed file"):
        open_image(file)


def test_a_stream_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whatsit.images.MAX_STREAM_BYTES", 1 << 20)
    with open("/dev/zero", "rb") as zeros, pytest.raises(ImageTooLarge):
        read_stream(zeros, "zeros")


def test_an_array_that_is_not_contiguous(small: Image.Image) -> None:
    array = np.asarray(small)[::-1, ::-1]
    np.testing.assert_array_equal(np.asarray(open_image(array)), array)


# Modes.


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("HSV", (0, 255, 255), (255, 0, 0)),
        ("I;16", 0, (0, 0, 0)),
        ("I;16", 257 * 77, (77, 77, 77)),
        ("I;16", 65535, (255, 255, 255)),  # rounding it up must not overflow into black
        ("I;16B", 65535, (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("LA", (0, 255), (0, 0, 0)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("RGBa", (0, 0, 0, 0), (255, 255, 255)),
        ("PA", (0, 0), (255, 255, 255)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, colour: object, expected: object) -> None:
    assert level(open_image(Image.new(mode, (4, 4), colour))) == expected


@pytest.mark.parametrize("mode", ["F", "I"])
def test_32_bit_pixels_have_no_range_that_could_be_assumed(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "measured.tif"
    Image.new(mode, (4, 4), 9).save(path)
    with pytest.raises(ImageUnsupported) as caught:
        open_image(path)
    assert caught.value.message.startswith(f"{str(path)!r} has pixels of 32 bits")
    assert caught.value.expected == "8 or 16 bits a channel"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(1, 1, bits=16, colour=0, pixels=b"\0\xff\xff"), (255, 255, 255)),
        (png(1, 1, bits=16, colour=2, pixels=b"\0\xff\xff\0\0\0\0"), (255, 0, 0)),
        (png(1, 1, bits=1, colour=0, pixels=b"\0\x80"), (255, 255, 255)),
        (b"P5\n1 1\n65535\n\xff\xff", (255, 255, 255)),
        (b"P5\n1 1\n1023\n\x03\xff", (255, 255, 255)),
        (b"P4\n1 1\n\x80", (0, 0, 0)),
    ],
)
def test_unusual_depths(data: bytes, expected: object) -> None:
    assert level(open_image(data)) == expected


def test_transparent_palette_is_laid_on_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    assert level(open_image(encoded(image, "PNG"))) == (255, 0, 0)
    assert level(open_image(encoded(image, "PNG", transparency=1))) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    red, green, blue = level(open_image(data))
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize(
    "kind", ["JPEG", "MPO", "PNG", "BMP", "TIFF", "ICO", "JPEG2000", "PPM", "QOI", "WEBP", "GIF"]
)
def test_every_format_whatever_its_file_is_called(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.txt"
    path.write_bytes(encoded(Image.new("RGB", (16, 16), "white"), kind))
    assert level(open_image(path)) == (255, 255, 255)


# EXIF.


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_gives_the_very_same_pixels(
    kind: str, orientation: int, small: Image.Image
) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    image = open_image(turned(small, orientation, kind, **options))
    np.testing.assert_array_equal(np.asarray(image), np.asarray(small))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_scaled_jpeg_is_turned_too(orientation: int, cat: Path) -> None:
    with Image.open(cat) as opened:
        upright = opened.convert("RGB")  # 451 × 300
    asked: list[tuple[int, int]] = []

    def shrink(height: int, width: int) -> float:
        asked.append((height, width))
        return min(height / 70, width / 110)

    image = open_image(turned(upright, orientation, "JPEG", quality=95), shrink=shrink)
    assert asked == [(300, 451)]
    assert image.size == (113, 75)
    expected = np.asarray(upright.resize(image.size), np.float32)
    assert np.abs(np.asarray(image, np.float32) - expected).mean() < 3


def test_orientation_of_a_pillow_image_counts(small: Image.Image) -> None:
    with Image.open(io.BytesIO(turned(small, 6, "PNG"))) as opened:
        np.testing.assert_array_equal(np.asarray(open_image(opened)), np.asarray(small))


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0garbage", b"Exif\0\0", b"II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"],
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_damaged_exif_costs_no_picture(kind: str, exif: bytes, small: Image.Image) -> None:
    assert open_image(encoded(small, kind, exif=exif)).size == small.size


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # by Pillow; the program hides it
def test_damaged_exif_of_a_jpeg(small: Image.Image) -> None:
    data = turned(small, 6, "JPEG")
    start = data.index(b"Exif\0\0")
    broken = data[: start + 10] + b"\xff" * 8 + data[start + 18 :]
    assert open_image(broken).size == (small.height, small.width)  # as it is stored


def test_orientation_of_a_type_that_makes_no_sense(small: Image.Image) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 99
    assert open_image(encoded(small, "PNG", exif=exif)).size == small.size


# Scaled decoding.


@pytest.mark.parametrize(
    ("factor", "size"),
    [(0.5, (640, 480)), (1.9, (640, 480)), (2, (320, 240)), (5, (160, 120)), (99, (80, 60))],
)
def test_a_jpeg_is_decoded_no_smaller_than_needed(factor: float, size: tuple[int, int]) -> None:
    data = encoded(Image.new("RGB", (640, 480)), "JPEG")
    assert open_image(data, shrink=lambda height, width: factor).size == size


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"optimize": True}])
def test_kinds_of_jpeg(options: dict[str, object]) -> None:
    data = encoded(Image.new("RGB", (640, 480), "white"), "JPEG", **options)
    assert level(open_image(data, shrink=lambda height, width: 4.0)) == (255, 255, 255)


def test_a_cut_jpeg_is_refused_when_scaled_too(cat: Path) -> None:
    with Image.open(cat) as opened:
        data = encoded(opened.convert("RGB"), "JPEG")
    for shrink in (None, lambda height, width: 4.0):
        with pytest.raises(ImageUnreadable, match="image file is truncated") as caught:
            open_image(data[: len(data) // 2], shrink=shrink)
        assert caught.value.hint == "the file is damaged or cut short"


# Sizes.


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_extreme_shapes(kind: str, size: tuple[int, int]) -> None:
    assert open_image(encoded(Image.new("RGB", size), kind)).size == size


def test_a_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(ImageTooLarge) as caught:
        open_image(png(60_000, 60_000))
    assert caught.value.message == "'<65 bytes>' has 60,000 × 60,000 pixels"
    assert caught.value.expected == "at most 178,956,970 pixels"


def test_our_limit_holds_where_pillow_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ImageTooLarge, match="60,000 × 60,000 pixels"):
        open_image(png(60_000, 60_000))


@pytest.mark.parametrize("size", [(0, 4), (4, 0)])
def test_an_image_without_pixels(size: tuple[int, int]) -> None:
    with pytest.raises(ImageUnreadable, match="has no pixels"):
        open_image(Image.new("RGB", size))


# Files that cannot be opened.


def test_no_such_file() -> None:
    with pytest.raises(ImageNotFound) as caught:
        open_image("no such.jpg")
    assert caught.value.message == "no file 'no such.jpg'"
    assert caught.value.hint == "check the spelling and the folder"


def test_a_file_that_may_not_be_read(cat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, whom no permission stops.
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ImageUnreadable, match="may not be read"):
        open_image(cat)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a\0b", "cannot open 'a\\x00b'"),  # and why, in the words of this Python
        ("x" * 5000, f"cannot open '{'x' * 5000}': File name too long"),
        (".", "'.' is a folder"),
        ("/dev/null", "'/dev/null' is not a regular file"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths")
def test_paths_that_cannot_be_pictures(path: str, message: str) -> None:
    with pytest.raises(ImageUnreadable) as caught:
        open_image(path)
    assert caught.value.message.startswith(message)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="Linux")
def test_a_file_whose_bytes_cannot_be_read() -> None:
    with pytest.raises(ImageUnreadable, match="Input/output error"):
        open_image("/proc/self/mem")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "'<0 bytes>' is empty"),
        (b"just text", "'<9 bytes>' is not a picture of a known kind"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "'<24 bytes>' is not a picture of a known kind"),
        (b"BMW is a car", "'<12 bytes>' is no valid BMP file"),
        (b"\xff\xd8\xff", "'<3 bytes>' is no valid JPEG file"),
    ],
)
def test_bytes_that_are_no_picture(data: bytes, message: str) -> None:
    with pytest.raises(ImageUnreadable) as caught:
        open_image(data)
    assert caught.value.message == message


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_heic_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageUnsupported) as caught:
        open_image(HEIC)
    assert caught.value.hint == "pip install 'whatsit[heif]'"


def test_heic_with_the_extra(cat: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    with Image.open(cat) as opened:
        upright = opened.convert("RGB").resize((300, 200))
    for orientation in range(1, 9):
        image = open_image(turned(upright, orientation, "HEIF", quality=95))
        assert image.size == (300, 200)
        difference = np.asarray(image, np.float32) - np.asarray(upright, np.float32)
        assert np.abs(difference).mean() < 3
    with pytest.raises(ImageUnreadable):
        open_image(HEIC)


def test_a_plugin_that_this_pillow_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.AvifImagePlugin", None)
    with pytest.raises(ImageUnsupported) as caught:
        open_image(b"\0\0\0\x18ftypavif\0\0\0\0")
    assert caught.value.hint == "pip install --upgrade pillow"


@pytest.mark.parametrize(
    ("name", "expected"), [("a.jpg", True), ("A.JPEG", True), ("a.heic", True), ("jpg", False)]
)
def test_is_picture_name(name: str, expected: bool) -> None:
    assert is_picture_name(name) is expected


@pytest.mark.parametrize("orientation", range(1, 9))
def test_scaled_decoding_says_where_the_picture_ends(orientation: int) -> None:
    # 7.75 × 5.25 pixels at 1/4: the last column holds 3/4 of a pixel, the last row 1/4
    stored = Image.new("RGB", (31, 21))
    exif = stored.getexif()
    exif[0x0112] = orientation
    data = encoded(stored, "JPEG", exif=exif)
    image = open_image(data, shrink=lambda height, width: 4.0)
    left, top, right, bottom = covered(image)
    ends = (7.75, 5.25) if orientation < 5 else (5.25, 7.75)
    assert (right - left, bottom - top) == ends
    assert (left, top) == {
        1: (0, 0), 2: (0.25, 0), 3: (0.25, 0.75), 4: (0, 0.75),
        5: (0, 0), 6: (0.75, 0), 7: (0.75, 0.25), 8: (0, 0.25),
    }[orientation]  # fmt: skip


def test_a_whole_picture_is_covered_to_its_edges(cat: Path) -> None:
    image = open_image(cat)
    assert covered(image) == (0, 0, image.width, image.height)


def test_a_mistake_of_the_caller_is_not_the_files_fault() -> None:
    def shrink(height: int, width: int) -> float:
        raise TypeError("a mistake")

    with pytest.raises(TypeError, match="a mistake"):
        open_image(encoded(Image.new("RGB", (64, 64)), "JPEG"), shrink=shrink)
