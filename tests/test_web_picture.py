"""Pictures opened by the app in a browser, and by Python: the same pixels, the same errors."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from js import WEB, Js
from make_pictures import STORED, damaged, encoded, png, turned
from numpy.typing import NDArray
from PIL import Image, ImageCms

from whatsit import images, preprocess, zoo
from whatsit.errors import WhatsitError
from whatsit.preprocess import Preprocess

ADDRESS = "http://whatsit.test/"  # never looked up: the page is given its files by the test
GOLDEN = sorted(file for file in zoo.GOLDEN.iterdir() if file.suffix in (".jpg", ".png"))
DECODE = """async ({content, name, limits}) => {
  const { decode } = await import("/core/picture.js");
  const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
  const blob = name === null ? new Blob([bytes]) : new File([bytes], name);
  try {
    const { width, height, data } = await decode(blob, limits);
    const url = await new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(new Blob([data]));
    });
    return { width, height, pixels: url.slice(url.indexOf(",") + 1) };
  } catch (error) {
    if (error.name !== "WhatsitError") throw error;
    return { error: error.toJSON() };
  }
}"""


LOOK = """async ({content, rule, shape}) => {
  const { look } = await import("/engine/looking.js");
  const { parseRule } = await import("/core/rule.js");
  const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
  const looked = await look(new Blob([bytes]), parseRule(rule), shape, true);
  return { size: looked.size, crop: looked.crop, pixels: [...looked.pixels] };
}"""


class Refused(Exception):
    """The app's error, as it is written in JSON."""

    def __init__(self, error: dict[str, str]) -> None:
        super().__init__(error["message"])
        self.said = tuple(error.values())


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    def answer(route: Any) -> None:
        path = route.request.url.removeprefix(ADDRESS)
        if path:
            route.fulfill(path=WEB / path, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    opened = browser.new_page()
    opened.route(ADDRESS + "**", answer)
    opened.goto(ADDRESS)
    yield opened
    opened.close()


def decode(page: Any, content: bytes, name: str | None = None, **limits: int) -> NDArray[np.uint8]:
    """The picture (H, W, 3) that the app sees. Raises Refused."""
    parts = {"content": base64.b64encode(content).decode(), "name": name, "limits": limits}
    answer = page.evaluate(DECODE, parts)
    if "error" in answer:
        raise Refused(answer["error"])
    pixels = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8)
    return pixels.reshape(answer["height"], answer["width"], 3)


def difference(page: Any, content: bytes) -> int:
    """The largest, of any channel of any pixel, between the app and Python."""
    found, expected = decode(page, content), np.asarray(images.open_image(content))
    assert found.shape == expected.shape
    return int(np.abs(found.astype(int) - expected).max())


# ── the same pixels ──────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.open(zoo.GOLDEN / "coffee.png").convert("RGB").resize((97, 61))


@pytest.fixture(scope="module")
def see_through(photo: Image.Image) -> Image.Image:
    picture = photo.copy()
    picture.putalpha(Image.linear_gradient("L").resize(photo.size))
    return picture


@pytest.mark.parametrize("picture", GOLDEN, ids=lambda file: file.name)
def test_golden_pictures(page: Any, picture: Path) -> None:
    assert difference(page, picture.read_bytes()) == 0


@pytest.mark.parametrize("orientation", STORED)
def test_turned_pictures_are_upright(page: Any, photo: Image.Image, orientation: int) -> None:
    for kind, options in (
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 95}),
    ):
        assert difference(page, turned(photo, orientation, kind, **options)) == 0, kind


def test_exif_that_cannot_be_read_turns_nothing(page: Any, photo: Image.Image) -> None:
    whole = turned(photo, 6, "JPEG", quality=95)
    start = whole.index(b"Exif")
    for at, value in ((6, b"??"), (10, b"\xff\xff\xff\xff"), (14, b"\xff\xff"), (24, b"\0\x63")):
        data = bytearray(whole)
        data[start + at : start + at + len(value)] = value
        assert decode(page, bytes(data)).shape[0] in (97, 61)


def test_modes_of_png(page: Any, photo: Image.Image, see_through: Image.Image) -> None:
    colours = photo.quantize(50)
    for picture, options in (
        (photo.convert("L"), {}),
        (photo.convert("1"), {}),
        (see_through, {}),
        (see_through.convert("LA"), {}),
        (colours, {}),
        (colours, {"transparency": 3}),
        (colours, {"transparency": bytes(range(0, 250, 5))}),
        (photo, {"transparency": photo.getpixel((3, 3))}),
        (photo, {"save_all": True, "append_images": [photo.rotate(90)]}),
    ):
        assert difference(page, encoded(picture, "PNG", **options)) == 0, (picture.mode, options)
    chance = random.Random(3)
    rows = b"".join(b"\0" + bytes(chance.randrange(256) for _ in range(24)) for _ in range(3))
    assert difference(page, png(4, 3, bits=16, colour=2, pixels=rows)) == 0
    # 16 bits of grey are cut to 8 by the browser, and rounded by Python.
    levels = np.random.default_rng(1).integers(0, 65536, (40, 40)).astype(np.uint16)
    assert difference(page, encoded(Image.fromarray(levels), "PNG")) == 1


def test_colour_profiles_change_nothing(page: Any, photo: Image.Image) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {}), ("AVIF", {})):
        assert difference(page, encoded(photo, kind, icc_profile=swapped, **options)) == 0, kind
    plain = encoded(photo, "PNG")
    gamma = struct.pack(">I4sI", 4, b"gAMA", 100_000)
    gamma += struct.pack(">I", zlib.crc32(gamma[4:]))
    assert difference(page, plain[:33] + gamma + plain[33:]) == 0


def test_a_profile_is_taken_out_of_png_alone(js: Js, photo: Image.Image) -> None:
    """What WebKit would go by; the rest of the file is as it was."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    module, plain = "core/picture/profiles.js", encoded(photo, "PNG")
    other = encoded(photo, "PNG", icc_profile=profile, dpi=(72, 72))
    for kind, content, wanted in (
        ("PNG", encoded(photo, "PNG", icc_profile=profile), plain),
        ("PNG", other, encoded(photo, "PNG", dpi=(72, 72))),
        ("PNG", plain, plain),
        ("WEBP", other, other),
        ("PNG", other[:60], other[:60]),  # cut within the profile
    ):
        assert js(module, "withoutProfile", kind, content).tobytes() == wanted


def test_other_kinds(page: Any, photo: Image.Image, see_through: Image.Image) -> None:
    colours, turned_one = photo.quantize(50), photo.rotate(90)
    for picture, kind, options in (
        (photo, "JPEG", {"quality": 80}),
        (photo, "JPEG", {"quality": 80, "progressive": True}),
        (photo.convert("L"), "JPEG", {}),
        (photo.convert("CMYK"), "JPEG", {"quality": 95}),
        (colours, "GIF", {}),
        (colours, "GIF", {"transparency": 2}),
        (photo, "GIF", {"save_all": True, "append_images": [turned_one]}),
        (photo, "WEBP", {"quality": 80}),
        (photo, "WEBP", {"lossless": True, "save_all": True, "append_images": [turned_one]}),
        (photo, "BMP", {}),
        (colours, "BMP", {}),
        (photo.resize((48, 48)), "ICO", {}),
        (photo, "AVIF", {}),
    ):
        assert difference(page, encoded(picture, kind, **options)) == 0, (kind, options)
    # Rounded once more by the browser, which multiplies by the alpha before it lays on white.
    assert difference(page, encoded(see_through, "WEBP", lossless=True)) <= 1


@pytest.mark.parametrize("orientation", STORED)
def test_large_jpegs_are_decoded_as_small_as_in_python(page: Any, orientation: int) -> None:
    """What the model is given: of whole pixels and of parts of one at the last row and column."""
    photo = Image.open(zoo.GOLDEN / "coffee.png").convert("RGB")
    shape = (64, 48)
    seen = set()
    for spec, size in (
        ("crop(0.875, bicubic)", (1001, 767)),
        ("crop(0.875, bicubic)", (230, 301)),
        ("pad(lanczos)", (799, 403)),
        ("stretch(bilinear)", (611, 905)),
        ("stretch(legacy-bilinear)", (612, 488)),
        ("stretch(box)", (60, 50)),
    ):
        content = turned(photo.resize(size), orientation, "JPEG", quality=80)
        rule = Preprocess.parse(spec)

        def shrink(height: int, width: int, rule: Preprocess = rule) -> float:
            return rule.shrink((height, width), shape)

        image = images.open_image(content, shrink=shrink)
        seen.add(round(size[0] / image.width))
        expected = preprocess.run(rule, image, shape, within=images.covered(image))
        parts = {"content": base64.b64encode(content).decode(), "rule": spec, "shape": shape}
        looked = page.evaluate(LOOK, parts)
        assert tuple(looked["size"]) == size
        assert looked["pixels"] == expected.ravel().tolist(), (spec, size)
        box = preprocess.place(rule, size[::-1], shape).box
        assert list(looked["crop"].values()) == pytest.approx(box)
    assert seen == {1, 2, 4, 8}


@pytest.mark.parametrize("size", [(1, 1), (4200, 1100), (1, 20000), (70000, 2)])
def test_pictures_larger_than_a_canvas_are_read_in_tiles(page: Any, size: tuple[int, int]) -> None:
    width, height = size
    rows, columns = np.ogrid[:height, :width]
    levels = np.stack(
        [(rows + columns) % 251, (rows * 3 + columns // 256) % 256, columns % 256 + 0 * rows], -1
    )
    picture = Image.fromarray(levels.astype(np.uint8))
    assert difference(page, encoded(picture, "PNG", compress_level=1)) == 0
    if width > 1 and height > 1:
        assert difference(page, turned(picture, 7, "PNG", compress_level=1)) == 0


# ── the same errors ──────────────────────────────────────────────────────────────────────────


def python_says(content: bytes) -> tuple[str, str]:
    with pytest.raises(WhatsitError) as error:
        images.open_image(content)
    return error.value.code, error.value.message


def test_what_is_no_picture(page: Any, photo: Image.Image) -> None:
    whole = encoded(photo, "JPEG")
    huge = bytearray(encoded(photo, "BMP"))
    huge[18:26] = struct.pack("<ii", 60000, 60000)
    for content in (b"", b"some text, no picture", b"\0" * 64, whole[:3], png(60000, 60000)):
        with pytest.raises(Refused) as error:
            decode(page, content)
        assert error.value.said[:2] == python_says(content)
    for content in (bytes(huge), *bombs(photo)):
        with pytest.raises(Refused) as error:
            decode(page, content)
        assert error.value.said[0] == "image-too-large"
        assert "pixels" in error.value.said[1]


def bombs(photo: Image.Image) -> list[bytes]:
    """A small file of each other kind whose header claims to be a giant."""
    jpeg = bytearray(encoded(photo, "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 60000, 60000)
    gif = bytearray(encoded(photo.quantize(50), "GIF"))
    gif[6:10] = struct.pack("<HH", 60000, 60000)
    lossless = bytearray(encoded(photo, "WEBP", lossless=True))
    lossless[21:25] = struct.pack("<I", 16382 | 16382 << 14)
    avif = bytearray(encoded(photo, "AVIF"))
    place = avif.index(b"ispe")
    avif[place + 8 : place + 16] = struct.pack(">II", 60000, 60000)
    return [bytes(data) for data in (jpeg, gif, lossless, avif)]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_cut_files(page: Any, photo: Image.Image, kind: str) -> None:
    whole = encoded(photo.quantize(50) if kind == "GIF" else photo, kind)
    for length in (20, 30, len(whole) // 2, len(whole) - 30):
        with pytest.raises(Refused) as error:
            decode(page, whole[:length], "cut's.file")
        code, message, expected, hint = error.value.said
        assert (code, hint) == ("image-unreadable", "the file is damaged or cut short")
        assert message.startswith('"cut\'s.file" ')
        assert expected == ""


@pytest.mark.parametrize("kind", ["TIFF", "JPEG2000", "QOI", "PPM"])
def test_what_the_browser_cannot_decode(page: Any, photo: Image.Image, kind: str) -> None:
    with pytest.raises(Refused) as error:
        decode(page, encoded(photo, kind), "a")
    code, message, expected, hint = error.value.said
    name = "JPEG 2000" if kind == "JPEG2000" else kind
    assert code == "image-unsupported"
    assert message == f"'a' is a picture of kind {name}, which this browser cannot decode"
    assert "JPEG" in expected
    assert "JPEG" in hint


def test_a_limit_of_its_own(page: Any, photo: Image.Image) -> None:
    content = encoded(photo, "PNG")
    assert decode(page, content, maxPixels=97 * 61).shape == (61, 97, 3)
    with pytest.raises(Refused) as error:
        decode(page, content, maxPixels=97 * 61 - 1)
    assert error.value.said[:3] == (
        "image-too-large",
        f"'<{len(content)} bytes>' has 97 × 61 pixels",
        "at most 5,916 pixels",
    )


def test_damaged_files_fail_as_they_should(page: Any, photo: Image.Image) -> None:
    """Nothing but a picture or an error of ours, whatever the bytes."""
    chance = random.Random(9)
    seeds = [encoded(photo, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP")]
    seeds.append(turned(photo, 6, "JPEG"))
    kinds = {outcome(page, damaged(chance.choice(seeds), chance)) for _ in range(60)}
    assert "picture" in kinds
    assert kinds <= {"picture", "image-unreadable", "image-too-large", "image-unsupported"}


def outcome(page: Any, content: bytes) -> str:
    try:
        decode(page, content)
    except Refused as error:
        return error.said[0]
    return "picture"
