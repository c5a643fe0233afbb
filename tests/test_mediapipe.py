"""MediaPipe takes our files as they are, and gives our answers.

It is the judge of three promises: that a bundle is a standard file, that `stretch` is what it
runs, and that regions and rotations mean what they mean there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import make_models
import numpy as np
import pytest
from PIL import Image

import whatsit
from whatsit import Preprocess, preprocess, zoo
from whatsit.preprocess import Region

mediapipe = pytest.importorskip("mediapipe")

HEIGHT, WIDTH = 24, 32
PHOTOS = sorted(file for file in zoo.GOLDEN.iterdir() if file.suffix in (".jpg", ".png"))


def judge(data: bytes) -> Any:
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_buffer=data), max_results=-1
    )
    return vision.ImageClassifier.create_from_options(options)


def categories(classifier: Any, pixels: np.ndarray, **options: Any) -> list[Any]:
    from mediapipe.tasks.python.vision.core.image_processing_options import ImageProcessingOptions

    image = mediapipe.Image(
        image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels)
    )
    answer = classifier.classify(image, ImageProcessingOptions(**options))
    rows: list[Any] = answer.classifications[0].categories
    return rows


@pytest.fixture(scope="module")
def pixels_judge() -> Iterator[Any]:
    """MediaPipe with a model whose scores are the pixels that it was fed."""
    graph = make_models.pixels(HEIGHT, WIDTH)
    with judge(make_models.bundle(graph, HEIGHT * WIDTH * 3)) as classifier:
        yield classifier


def fed(classifier: Any, pixels: np.ndarray, **options: Any) -> np.ndarray:
    """The tensor (h, w, 3) that MediaPipe makes of a picture."""
    tensor = np.zeros(HEIGHT * WIDTH * 3)
    for row in categories(classifier, pixels, **options):
        tensor[row.index] = row.score
    return tensor.reshape(HEIGHT, WIDTH, 3)


def pixels_of(name: str) -> np.ndarray:
    with Image.open(zoo.GOLDEN / name) as image:
        return np.asarray(image.convert("RGB"))


@cache
def pictures() -> dict[str, np.ndarray]:
    """Larger than the tensor, smaller, of its size, and one pixel: smooth enough that MediaPipe's
    coordinates, which it rounds to a 32nd of a pixel, make no difference.
    """
    photo = Image.fromarray(pixels_of("coffee.png"))
    sizes = {"large": (301, 203), "small": (13, 9), "same": (WIDTH, HEIGHT), "thin": (3, 90)}
    smooth = photo.resize((6, 5), Image.Resampling.BOX).point(lambda level: 96 + level // 4)
    made = {
        name: np.asarray(smooth.resize(size, Image.Resampling.BICUBIC))
        for name, size in sizes.items()
    }
    return {**made, "dot": made["small"][:1, :1]}


@pytest.mark.parametrize("name", ["large", "small", "same", "thin", "dot"])
@pytest.mark.parametrize(
    "region", [None, (0, 0, 0.5, 0.5), (0.1, 0.2, 0.6, 0.9), (0.5, 0.25, 1, 1)]
)
@pytest.mark.parametrize("rotation", [0, 90, 180, 270, -90, 450])
def test_stretch_region_and_rotation_feed_the_same_pixels(
    pixels_judge: Any, name: str, region: Region | None, rotation: int
) -> None:
    from mediapipe.tasks.python.components.containers.rect import RectF

    picture = pictures()[name]
    options: dict[str, Any] = {"rotation_degrees": rotation}
    if region is not None:
        edges = dict(zip(("left", "top", "right", "bottom"), region, strict=True))
        options["region_of_interest"] = RectF(**edges)
    theirs = fed(pixels_judge, picture, **options)
    ours = preprocess.run(
        Preprocess.parse("stretch"),
        Image.fromarray(picture),
        (HEIGHT, WIDTH),
        region=region,
        rotation=rotation,
    )
    # MediaPipe computes regions and turns in float32, which moves a sample by 1/32 of a pixel.
    exact = region is None and rotation == 0
    assert np.abs(ours[0] - theirs).max() <= (0 if exact else 1)


@pytest.mark.parametrize("name", zoo.catalogue())
def test_built_in_models_load_and_give_our_best_class(name: str) -> None:
    with (
        whatsit.load(name, preprocess="stretch", raw=True) as ours,
        judge(ours.bundle.data) as theirs,
    ):
        for photo in PHOTOS:
            with Image.open(photo) as image:
                pixels = np.asarray(image.convert("RGB"))
            best = ours.classify(pixels).predictions[0]
            rows = categories(theirs, pixels)
            assert len(rows) == 1000
            assert (rows[0].index, rows[0].category_name) == (best.index, best.label)
            assert rows[0].score == pytest.approx(best.score, abs=1e-6)


def test_a_bundle_that_we_made_has_its_labels_there() -> None:
    graph = make_models.pixels(8, 8, scale=1 / 255)
    names = [f"Größe {index}, »so«" for index in range(192)]
    bundle = whatsit.Bundle.create(
        graph, name="made", labels=names, preprocess="pad", mean=0, std=1
    )
    with judge(bundle.data) as classifier:
        rows = categories(classifier, np.full((8, 8, 3), 51, np.uint8))
    assert {row.index: row.category_name for row in rows} == dict(enumerate(names))


@pytest.mark.parametrize(("mean", "std"), [(0.0, 255.0), (127.5, 127.5)])
def test_float_input_is_normalised_there_as_here(mean: float, std: float) -> None:
    data = make_models.bundle(make_models.floats(8, 8), 192, mean=mean, std=std)
    picture = np.random.default_rng(0).integers(128, 256, (8, 8, 3), np.uint8)
    bundle = whatsit.Bundle.from_bytes(data, "floats")
    with judge(data) as theirs, whatsit.Classifier(bundle, raw=True) as ours:
        expected = {row.index: row.score for row in categories(theirs, picture)}
        answer = ours.classify(picture, top=192)
    assert {p.index: p.score for p in answer.predictions} == pytest.approx(expected, abs=1e-5)
