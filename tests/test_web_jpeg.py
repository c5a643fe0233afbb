"""The app's own JPEG decoder against Pillow's: every byte equal, whole and at each scale."""

from __future__ import annotations

import collections
import io
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from js import WEB, Js, JsError
from make_pictures import damaged, encoded
from numpy.typing import NDArray
from PIL import Image

from whatsit import images, zoo
from whatsit.errors import WhatsitError
from whatsit.preprocess import Preprocess

Pixels = NDArray[np.uint8]
DECODER = "core/jpeg/decoder.js"
SHARED = Path(__file__).parents[2] / "shared" / "data"
DENOMINATORS = (1, 2, 4, 8)
SIZES = [(1, 1), (2, 2), (3, 17), (9, 7), (16, 16), (33, 31), (65, 47)]
FILES = [*sorted(zoo.GOLDEN.glob("*.jpg")), *sorted((WEB / "samples").glob("*.jpg"))]
LARGE = sorted(SHARED.glob("*.jpg"))
FLOWERS = sorted(SHARED.glob("flowers/val/*/*.jpg"))[::4]
WAYS: tuple[dict[str, object], ...] = (
    {},
    {"optimize": True},
    {"progressive": True},
    {"restart_marker_blocks": 2},
    {"restart_marker_rows": 1, "progressive": True},
)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.open(zoo.GOLDEN / "coffee.png").convert("RGB")


def decoded(js: Js, source: bytes | Path, denominator: int = 1) -> Pixels | None:
    image = js(DECODER, "decodeJpeg", source, denominator)
    if image is None:
        return None
    pixels: Pixels = image["data"].reshape(image["height"], image["width"], 3)
    return pixels


def by_pillow(content: bytes, denominator: int = 1) -> Pixels:
    with Image.open(io.BytesIO(content)) as image:
        if denominator > 1:
            # A draft of at least one pixel would be larger for the smallest pictures.
            image.decoderconfig = (denominator, 0)
            image._size = tuple(-(-side // denominator) for side in image.size)
            image.tile = [image.tile[0]._replace(extents=(0, 0, *image.size))]
        return np.asarray(image.convert("RGB"))


def check(js: Js, content: bytes, what: object = "", source: Path | None = None) -> None:
    """That both see the same at each scale."""
    for denominator in DENOMINATORS:
        found = decoded(js, source or content, denominator)
        assert found is not None, what
        wanted = by_pillow(content, denominator)
        assert found.shape == wanted.shape, (what, denominator)
        assert found.tobytes() == wanted.tobytes(), (what, denominator)


def framed(content: bytes, samplings: list[int], size: tuple[int, int]) -> bytes:
    """The same data as those of a picture of another size and sampling (h * 16 + v each)."""
    start = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
    changed = bytearray(content)
    changed[start + 5 : start + 9] = struct.pack(">HH", size[1], size[0])
    for i, sampling in enumerate(samplings):
        changed[start + 11 + i * 3] = sampling
    return bytes(changed)


# ── the same pixels ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", [*FILES, *LARGE], ids=lambda file: file.name)
def test_photos(js: Js, file: Path) -> None:
    check(js, file.read_bytes(), source=file)


@pytest.mark.skipif(not FLOWERS, reason="the photos are not here")
def test_many_photos(js: Js) -> None:
    for i, file in enumerate(FLOWERS):
        content = file.read_bytes()
        for denominator in (DENOMINATORS[i % 2], DENOMINATORS[2 + i % 2]):
            found = decoded(js, file, denominator)
            assert found is not None
            assert found.tobytes() == by_pillow(content, denominator).tobytes(), file.name


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:1:1"])
@pytest.mark.parametrize("quality", [30, 75, 95])
def test_what_pillow_writes(js: Js, photo: Image.Image, quality: int, subsampling: str) -> None:
    for i, size in enumerate(SIZES):
        options = WAYS[i % len(WAYS)]
        picture = photo.resize(size)
        content = encoded(picture, "JPEG", quality=quality, subsampling=subsampling, **options)
        check(js, content, (size, options))


def test_every_way_of_writing(js: Js, photo: Image.Image) -> None:
    for options in WAYS:
        for picture in (photo.resize((61, 43)), photo.resize((47, 33)).convert("L")):
            check(js, encoded(picture, "JPEG", quality=85, **options), (picture.mode, options))


def test_noise_that_leaves_the_range(js: Js) -> None:
    """The transforms of hard edges overshoot, and are cut to 0 … 255."""
    levels = np.random.default_rng(5).choice([0, 255], (50, 70, 3)).astype(np.uint8)
    for quality in (1, 40, 100):
        for subsampling in (0, 2):
            content = encoded(
                Image.fromarray(levels), "JPEG", quality=quality, subsampling=subsampling
            )
            check(js, content, quality)


@pytest.mark.parametrize("progressive", [False, True])
def test_samplings_that_pillow_does_not_write(
    js: Js, photo: Image.Image, progressive: bool
) -> None:
    """Made of other files: some end early, which leaves the rest grey."""
    faint = photo.resize((96, 80)).point(lambda level: 110 + level // 8)  # so that none overflows
    content = encoded(faint, "JPEG", subsampling=2, progressive=progressive)
    for samplings in (
        [0x12, 0x11, 0x11],  # 4:4:0
        [0x14, 0x11, 0x11],
        [0x41, 0x11, 0x11],
        [0x42, 0x11, 0x11],
        [0x22, 0x21, 0x12],
        [0x22, 0x12, 0x11],
        [0x11, 0x22, 0x11],  # more samples of colour than of light
        [0x31, 0x11, 0x11],
        [0x14, 0x12, 0x11],
    ):
        for size in ((80, 96), (47, 33), (3, 5)):
            check(js, framed(content, samplings, size), (samplings, size))
    grey = encoded(faint.convert("L"), "JPEG", progressive=progressive)
    for sampling in (0x22, 0x41, 0x12):
        check(js, framed(grey, [sampling], (77, 61)), sampling)


@pytest.mark.parametrize("samplings", [[0x11, 0x11, 0x11], [0x22, 0x11, 0x11], [0x21, 0x12, 0x11]])
def test_scans_of_one_channel_each(js: Js, photo: Image.Image, samplings: list[int]) -> None:
    width, height = 45, 37
    most = [max(parts) for parts in zip(*(divmod(s, 16) for s in samplings), strict=True)]
    scans, head = b"", b""
    for i, (channel, sampling) in enumerate(
        zip(photo.convert("YCbCr").split(), samplings, strict=True)
    ):
        across, down = divmod(sampling, 16)
        size = -(-width * across // most[0]), -(-height * down // most[1])
        grey = encoded(channel.resize(size), "JPEG", quality=80)
        start = grey.index(b"\xff\xda")
        scans += b"\xff\xda\0\x08\x01" + bytes([i + 1]) + grey[start + 6 : -2]
        head = grey[:start]
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3)
    frame += b"".join(bytes([i + 1, sampling, 0]) for i, sampling in enumerate(samplings))
    start = head.index(b"\xff\xc0")
    check(js, head[:start] + frame + head[start + 13 :] + scans + b"\xff\xd9")


def test_which_colours_the_channels_have(js: Js, photo: Image.Image) -> None:
    picture = photo.resize((40, 30))
    red = encoded(picture, "JPEG", keep_rgb=True)
    check(js, red)
    adobe, frame = red.index(b"\xff\xee"), red.index(b"\xff\xc0")
    plain = red[:adobe] + red[adobe + 16 :]
    check(js, plain, "by the names of the channels")
    for transform in (1, 2):
        check(js, red[: adobe + 15] + bytes([transform]) + red[adobe + 16 :], transform)
    other = bytearray(plain)
    for i in range(3):
        other[frame - 16 + 10 + i * 3] = 7 + i
        other[other.index(b"\xff\xda") + 5 + i * 2] = 7 + i
    check(js, bytes(other), "unknown names")
    light = encoded(picture, "JPEG")
    check(js, light[:20] + red[adobe : adobe + 16] + light[20:], "JFIF goes before Adobe")


# ── what is refused ──────────────────────────────────────────────────────────────────────────


def test_rare_kinds_are_left_to_the_browser(js: Js, photo: Image.Image) -> None:
    content = encoded(photo.resize((40, 30)), "JPEG")
    start = content.index(b"\xff\xc0")
    assert decoded(js, encoded(photo.resize((40, 30)).convert("CMYK"), "JPEG")) is None
    for marker in (0xC3, 0xC5, 0xC9, 0xCA):  # lossless, hierarchical, arithmetic
        assert decoded(js, content[: start + 1] + bytes([marker]) + content[start + 2 :]) is None
    assert decoded(js, content[: start + 4] + b"\x0c" + content[start + 5 :]) is None  # 12 bits
    bare = content[: content.index(b"\xff\xc4")] + content[content.index(b"\xff\xda") :]
    assert decoded(js, bare) is None  # of a film, without its code tables
    slow = encoded(photo.resize((40, 30)), "JPEG", progressive=True)
    last = slow.rindex(b"\xff\xda")
    assert decoded(js, slow[:last] + b"\xff\xd9") is None  # libjpeg guesses what is missing


@pytest.mark.parametrize("progressive", [False, True])
def test_cut_files(js: Js, photo: Image.Image, progressive: bool) -> None:
    content = encoded(photo.resize((60, 40)), "JPEG", progressive=progressive)
    for length in (4, 100, len(content) // 2, len(content) - 2, len(content) - 1):
        with pytest.raises(JsError) as error:
            decoded(js, content[:length])
        assert error.value.code == "image-unreadable"
        assert error.value.hint == "the file is damaged or cut short"
        with pytest.raises(WhatsitError):
            images.open_image(content[:length])


def test_damaged_files(js: Js, photo: Image.Image) -> None:
    """Both refuse, or both see a picture, but for the rare kinds; nothing hangs or crashes."""
    chance = random.Random(1)
    picture = photo.resize((97, 61))
    seeds = [encoded(picture, "JPEG", **options) for options in WAYS]
    seeds.append(encoded(picture.convert("L"), "JPEG"))
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    equal = 0
    for _ in range(500):
        content = damaged(chance.choice(seeds), chance)
        try:
            wanted = np.asarray(images.open_image(content))
        except WhatsitError:
            wanted = None
        try:
            found = decoded(js, content)
            outcome = "left" if found is None else "seen"
        except JsError as error:
            found, outcome = None, error.code
        seen["refused" if wanted is None else "seen", outcome] += 1
        if found is not None and wanted is not None:
            assert found.shape == wanted.shape
            equal += int(found.tobytes() == wanted.tobytes())
    assert {outcome for _, outcome in seen} <= {"seen", "left", "image-unreadable"}
    both = seen["refused", "image-unreadable"] + seen["seen", "seen"]
    assert both > 470, seen
    assert equal > seen["seen", "seen"] * 0.8


def test_giants_need_no_memory(js: Js, photo: Image.Image) -> None:
    """A small file that claims 178 megapixels ends where its data end."""
    content = encoded(photo.resize((64, 64)), "JPEG", quality=50)
    giant = framed(content, [0x22, 0x11, 0x11], (16000, 11000))
    image = js.keep(DECODER, "decodeJpeg", giant, 8)
    assert (image.get("width"), image.get("height")) == (2000, 1375)
    image.drop()


# ── the rule ─────────────────────────────────────────────────────────────────────────────────


def test_how_much_smaller(js: Js) -> None:
    chance = random.Random(2)
    for spec in ("crop(0.875, bicubic)", "stretch(bilinear)", "pad", "stretch(legacy-bilinear)"):
        rule = Preprocess.parse(spec)
        value = {"mode": rule.mode, "filter": rule.filter, "fraction": rule.fraction}
        for region in (None, (0.25, 0.1, 0.9, 0.7)):
            size = (chance.randrange(1, 5000), chance.randrange(1, 5000))
            rotation = chance.choice([0, 90, 180, 270])
            view = {"region": region, "rotation": rotation}
            found = js("core/preprocess.js", "shrinkOf", value, size, (224, 192), view)
            assert found == rule.shrink(size, (224, 192), region, rotation)
