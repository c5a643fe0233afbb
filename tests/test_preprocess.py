"""The rule as a value, and its algorithm against ones that share no code with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import whatsit
from whatsit import Preprocess, zoo
from whatsit.preprocess import Region, check_region, check_rotation, run

RULES = [
    "crop(0.875, bicubic)",
    "crop(0.01, lanczos)",
    "crop(1, box)",
    "stretch",
    "stretch(lanczos)",
    "pad(bilinear)",
]


def photo() -> Image.Image:
    return Image.open(zoo.GOLDEN / "cat.png").convert("RGB")


def noise(height: int, width: int) -> Image.Image:
    """Never so bright or dark that bicubic overshoots what a byte holds between its passes."""
    rng = np.random.default_rng(height * width)
    return Image.fromarray(rng.integers(64, 192, (height, width, 3), np.uint8))


# ── the rule as text ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "rule", "printed"),
    [
        ("crop", Preprocess("crop", "bicubic", 1.0), "crop(1, bicubic)"),
        ("crop(0.875)", Preprocess("crop", "bicubic", 0.875), "crop(0.875, bicubic)"),
        ("crop(lanczos, 0.9)", Preprocess("crop", "lanczos", 0.9), "crop(0.9, lanczos)"),
        (" crop( .5 ,box ) ", Preprocess("crop", "box", 0.5), "crop(0.5, box)"),
        ("stretch", Preprocess("stretch", "legacy-bilinear"), "stretch(legacy-bilinear)"),
        ("stretch(bilinear)", Preprocess("stretch", "bilinear"), "stretch(bilinear)"),
        ("stretch()", Preprocess("stretch", "legacy-bilinear"), "stretch(legacy-bilinear)"),
        ("pad", Preprocess("pad", "bicubic"), "pad(bicubic)"),
    ],
)
def test_parse_and_print(text: str, rule: Preprocess, printed: str) -> None:
    assert Preprocess.parse(text) == rule
    assert str(rule) == printed
    assert Preprocess.parse(printed) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zoom",
        "Crop",
        "crop(0)",
        "crop(1.5)",
        "crop(1e-300)",
        "crop(-0.5)",
        "crop(nan)",
        "crop(cubic)",
        "stretch(0.5)",
        "pad(0.9)",
        "crop(0.5",
        "crop(0.5))",
        "crop(0.5) stretch",
        "stretch(bilinear",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(whatsit.UsageError) as caught:
        Preprocess.parse(text)
    assert caught.value.message == f"{text!r} is not a preprocessing rule"
    assert caught.value.expected.startswith("crop, crop(0.875)")
    assert "legacy-bilinear" in caught.value.hint


# ── independent algorithms ───────────────────────────────────────────────────────────────────


def triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


def cubic(x: float) -> float:
    """Keys' kernel with a = -0.5, as Pillow has it."""
    x = abs(x)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    return ((-0.5 * x + 2.5) * x - 4) * x + 2 if x < 2 else 0.0


def antialiased(size: int, low: float, high: float, target: int, kind: str) -> np.ndarray:
    """Weights (target, size): the kernel, as wide as the pixels it has to average."""
    kernel, radius = (triangle, 1) if kind == "bilinear" else (cubic, 2)
    scale = (high - low) / target
    width = max(scale, 1.0)
    rows = np.zeros((target, size))
    for i in range(target):
        centre = low + (i + 0.5) * scale
        for j in range(size):
            if abs(j + 0.5 - centre) < radius * width + 1:
                rows[i, j] = kernel((j + 0.5 - centre) / width)
        rows[i] /= rows[i].sum()
    return rows


def two_taps(size: int, low: float, high: float, target: int) -> np.ndarray:
    """Weights (target, size) of TensorFlow's first bilinear: corners aligned."""
    rows = np.zeros((target, size))
    for i in range(target):
        position = low + i * (high - low) / target
        left = min(math.floor(position), size - 1)
        rows[i, left] += 1 - (position - math.floor(position))
        rows[i, min(left + 1, size - 1)] += position - math.floor(position)
    return rows


def oracle(
    rule: Preprocess, image: Image.Image, target: tuple[int, int], box: Region
) -> np.ndarray:
    left, top, right, bottom = box
    if rule.filter == "legacy-bilinear":
        down = two_taps(image.height, top, bottom, target[0])
        across = two_taps(image.width, left, right, target[1])
    else:
        down = antialiased(image.height, top, bottom, target[0], rule.filter)
        across = antialiased(image.width, left, right, target[1], rule.filter)
    exact: np.ndarray = np.einsum("yh,hwc,xw->yxc", down, np.asarray(image, float), across)
    return exact


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    """Within what two passes can make of two ties, rounded up or down."""
    assert actual.shape[0] == 1
    assert actual.dtype == np.uint8
    assert np.abs(actual[0].astype(float) - expected).max() <= 2


@pytest.mark.parametrize("name", ["bilinear", "bicubic", "legacy-bilinear"])
@pytest.mark.parametrize("size", [(57, 91), (91, 57), (20, 20), (7, 5), (1, 1), (40, 3)])
def test_stretch_takes_the_whole_picture(name: str, size: tuple[int, int]) -> None:
    rule, image = Preprocess.parse(f"stretch({name})"), noise(*size)
    expected = oracle(rule, image, (16, 24), (0, 0, image.width, image.height))
    assert_close(run(rule, image, (16, 24)), expected)


@pytest.mark.parametrize(
    ("size", "target", "fraction", "box"),
    [
        ((60, 80), (16, 16), 1.0, (10, 0, 70, 60)),
        ((80, 60), (16, 16), 1.0, (0, 10, 60, 70)),
        ((60, 80), (16, 16), 0.5, (25, 15, 55, 45)),
        ((60, 80), (10, 20), 1.0, (0, 10, 80, 50)),
        ((33, 47), (16, 16), 0.875, (9.0625, 2.0625, 37.9375, 30.9375)),
    ],
)
def test_crop_takes_the_middle(
    size: tuple[int, int], target: tuple[int, int], fraction: float, box: Region
) -> None:
    rule, image = Preprocess("crop", "bicubic", fraction), noise(*size)
    assert_close(run(rule, image, target), oracle(rule, image, target, box))


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [((40, 80), slice(4, 12), slice(0, 16)), ((80, 40), slice(0, 16), slice(4, 12))],
)
def test_pad_keeps_the_whole_picture_between_grey_bars(
    size: tuple[int, int], rows: slice, columns: slice
) -> None:
    rule, image = Preprocess.parse("pad"), noise(*size)
    inner = (rows.stop - rows.start, columns.stop - columns.start)
    expected = np.full((16, 16, 3), 127.0)
    expected[rows, columns] = oracle(rule, image, inner, (0, 0, image.width, image.height))
    assert_close(run(rule, image, (16, 16)), expected)


@pytest.mark.parametrize("size", [(60, 80), (9, 14)])
@pytest.mark.parametrize("region", [(0.1, 0.2, 0.6, 0.9), (0.5, 0, 1, 1), (0, 0, 0.01, 0.01)])
@pytest.mark.parametrize("name", ["bilinear", "legacy-bilinear"])
def test_a_region_is_that_part_of_the_picture(
    size: tuple[int, int], region: Region, name: str
) -> None:
    rule, image = Preprocess.parse(f"stretch({name})"), noise(*size)
    left, top, right, bottom = region
    box = left * image.width, top * image.height, right * image.width, bottom * image.height
    expected = oracle(rule, image, (12, 8), box)
    assert_close(run(rule, image, (12, 8), region=region), expected)


@pytest.mark.parametrize("spec", ["crop(0.875)", "stretch(lanczos)", "pad(bilinear)"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270, -90, 450, 90.0])
@pytest.mark.parametrize("target", [(32, 32), (24, 48)])
def test_rotation_is_that_of_the_picture(spec: str, rotation: int, target: tuple[int, int]) -> None:
    rule, image = Preprocess.parse(spec), photo()
    turned = image.rotate(-rotation, expand=True)  # Pillow counts counter-clockwise
    expected = run(rule, turned, target)[0].astype(float)
    assert_close(run(rule, image, target, rotation=rotation), expected)


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.mark.parametrize("spec", ["crop", "stretch", "stretch(box)"])
@pytest.mark.parametrize(
    ("rotation", "corners"),
    [
        (0, [RED, GREEN, BLUE, WHITE]),
        (90, [BLUE, RED, WHITE, GREEN]),
        (180, [WHITE, BLUE, GREEN, RED]),
        (270, [GREEN, WHITE, RED, BLUE]),
    ],
)
def test_a_region_is_taken_first_and_then_turned(
    spec: str, rotation: int, corners: list[tuple[int, int, int]]
) -> None:
    """Four squares in the lower right quarter of a black picture."""
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[40:60, 40:60], pixels[40:60, 60:] = RED, GREEN
    pixels[60:, 40:60], pixels[60:, 60:] = BLUE, WHITE
    rule, image = Preprocess.parse(spec), Image.fromarray(pixels)
    result = run(rule, image, (20, 20), region=(0.5, 0.5, 1, 1), rotation=rotation)[0]
    found = [result[row, column] for row in (5, 15) for column in (5, 15)]
    assert [tuple(map(int, colour)) for colour in found] == corners


@pytest.mark.parametrize("spec", RULES)
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 3), (224, 224)])
def test_one_colour_stays_that_colour(spec: str, rotation: int, size: tuple[int, int]) -> None:
    """Nothing black comes in over the border, however small the picture."""
    image = Image.new("RGB", (size[1], size[0]), (200, 100, 50))
    pixels = run(Preprocess.parse(spec), image, (24, 32), rotation=rotation)
    colours = {tuple(map(int, colour)) for colour in pixels.reshape(-1, 3)}
    allowed = {(200, 100, 50), (127, 127, 127)} if spec.startswith("pad") else {(200, 100, 50)}
    assert (200, 100, 50) in colours
    assert colours <= allowed


@pytest.mark.parametrize("spec", RULES)
@pytest.mark.parametrize("region", [(0, 0, 1e-5, 1e-5), (1 - 1e-5, 0.5, 1, 1)])
def test_a_tiny_region_is_one_pixel(spec: str, region: Region) -> None:
    pixels = run(Preprocess.parse(spec), photo(), (16, 16), region=region)
    assert pixels.shape == (1, 16, 16, 3)


# ── arguments ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("region", [None, (0, 0, 1, 1), (0.25, 0.5, 0.75, 1.0)])
def test_regions(region: Region | None) -> None:
    check_region(region)


@pytest.mark.parametrize(
    "region",
    [
        (0, 0, 0, 1),
        (0.5, 0, 0.4, 1),
        (0, 0, 1.1, 1),
        (-0.1, 0, 1, 1),
        (0, 0, 1),
        (float("nan"), 0, 1, 1),
        (0.5, 0, 0.5 + 1e-16, 1),
        (0.5, 0, 0.5 + 1e-12, 1),
    ],
)
def test_what_is_no_region_is_refused(region: Region) -> None:
    with pytest.raises(whatsit.UsageError) as caught:
        check_region(region)
    assert caught.value.message == f"{region!r} is not a region"
    assert caught.value.hint == "the upper left quarter is (0, 0, 0.5, 0.5)"


@pytest.mark.parametrize("rotation", [0, 90, -90, 180, 270, 3600])
def test_rotations(rotation: int) -> None:
    check_rotation(rotation)


@pytest.mark.parametrize("rotation", [1, 45, -91])
def test_what_is_no_quarter_turn_is_refused(rotation: int) -> None:
    with pytest.raises(whatsit.UsageError) as caught:
        check_rotation(rotation)
    assert caught.value.message == f"cannot rotate by {rotation} degrees"
    assert caught.value.expected == "a multiple of 90, clockwise"


# ── scaled decoding ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("spec", RULES)
def test_scaled_decoding_leaves_at_least_the_pixels_that_are_needed(spec: str) -> None:
    """One decoded pixel or more for each of the tensor, in the part that the rule takes."""
    rule = Preprocess.parse(spec)
    rng = np.random.default_rng(1)
    for _ in range(300):
        height, width = (int(side) for side in rng.integers(300, 5000, 2))
        target = tuple(int(side) for side in rng.integers(96, 260, 2))
        rotation = int(rng.choice([0, 90, 180, 270]))
        left, top = rng.uniform(0, 0.6, 2)
        region = (left, top, rng.uniform(left + 0.1, 1), rng.uniform(top + 0.1, 1))
        factor = rule.shrink((height, width), target, region, rotation)
        reduction = max((r for r in (1, 2, 4, 8) if r <= factor), default=1)
        decoded = height / reduction, width / reduction
        used = part_used(rule, decoded, target, region, rotation)
        if reduction > 1:
            assert used >= 1.2  # decoded pixels for one of the tensor, on the poorer axis


def part_used(
    rule: Preprocess,
    decoded: tuple[float, float],
    target: tuple[int, int],
    region: Region,
    rotation: int,
) -> float:
    """Decoded pixels for one of the tensor, on the axis that has fewer and is not padded."""
    height = decoded[0] * (region[3] - region[1])
    width = decoded[1] * (region[2] - region[0])
    if rotation in (90, 270):
        height, width = width, height
    scales = height / target[0], width / target[1]
    if rule.mode == "pad":
        return max(scales)
    return min(scales) * (rule.fraction if rule.mode == "crop" else 1)


def test_a_small_picture_is_not_shrunk() -> None:
    assert Preprocess.parse("crop(0.875)").shrink((300, 400), (224, 224)) < 2


def test_a_twelve_megapixel_picture_is_decoded_at_an_eighth() -> None:
    assert Preprocess.parse("crop").shrink((3000, 4000), (224, 224)) >= 8


@pytest.mark.parametrize("text", ["crop(bilinear, bicubic)", "crop(0.5, 0.9)", "stretch(0.5)"])
def test_what_is_said_twice_or_in_vain_is_refused(text: str) -> None:
    with pytest.raises(whatsit.UsageError):
        Preprocess.parse(text)


def test_a_rule_made_by_hand_is_checked_too() -> None:
    with pytest.raises(whatsit.UsageError):
        Preprocess("crop", "bicubic", 5.0)


def test_a_fraction_keeps_its_digits() -> None:
    rule = Preprocess.parse("crop(0.87512345)")
    assert Preprocess.parse(str(rule)) == rule


def test_the_program_in_the_docs_gives_the_same() -> None:
    """What the page says of legacy-bilinear is enough to do without this package."""
    page = Path(__file__).parents[1] / "docs" / "preprocessing.md"
    program = page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(program, names)
    rng = np.random.default_rng(7)
    for height, width in ((5, 3), (7, 16), (40, 33), (1, 1), (64, 9)):
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        theirs = names["resize"](pixels.tolist(), 16, 11)
        ours = run(Preprocess.parse("stretch"), Image.fromarray(pixels), (11, 16))
        assert ours[0].tolist() == [[list(pixel) for pixel in row] for row in theirs]
