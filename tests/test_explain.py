"""Class activation maps: exact, in the right place, and no more than they are worth."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import make_heads
import make_maps
import make_models
import make_networks
import make_pictures
import numpy as np
import pytest
from make_networks import Network
from PIL import Image, ImageFilter

import whatsit
from whatsit import (
    Bundle,
    Explainer,
    Explanation,
    ImageNotFound,
    ImageUnreadable,
    ModelDamaged,
    ModelUnsupported,
    UsageError,
    zoo,
)
from whatsit.explain import colours
from whatsit.explain.evidence import REGIONS, Evidence, sampled
from whatsit.graph.read import Op, Quantisation
from whatsit.preprocess import Placement

OPEN = [*zoo.catalogue(), *make_heads.FOREIGN]
EVERYTHING = (0.0, 0.0, 1.0, 1.0)
WHOLE = Placement(EVERYTHING, EVERYTHING, 0)
RED = (255, 0, 0)
KNOWN = {"coffee.png": 967, "camera.png": 872, "rocket.jpg": 657, "flower.jpg": 985}


def spotted(x: float, y: float, size: tuple[int, int] = (96, 96)) -> Image.Image:
    """A red spot of an eighth of the shorter side, its middle at these fractions, on black."""
    image, far = Image.new("RGB", size), min(size) / 16
    middle = (x * size[0], y * size[1])
    left, top, right, bottom = (round(m + d) for d in (-far, far) for m in middle)
    image.paste(RED, (left, top, right, bottom))
    return image


def explained(picture: Any, bundle: Bundle | None = None, **asked: Any) -> Explanation:
    """By the model of colours, or another, in this process, which starts sooner."""
    return whatsit.explain(bundle or make_maps.colours(), picture, runtime="litert", **asked)


def peaked(image: Image.Image, **view: Any) -> tuple[float, float]:
    """Where the model of colours sees most red."""
    peak = explained(image, target="red", **view).peak
    assert peak is not None
    return peak


# ── the maps are exact ───────────────────────────────────────────────────────────────────────


def test_a_map_is_the_weights_times_the_pixels() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    why = explained(pixels, target="blue", versus="red")
    for side, row in ((why.target, 2), (why.versus, 0)):
        assert side is not None
        weights = make_maps.WEIGHTS[row]
        expected = [
            [sum(weights[c] * pixels[y, x, c] / 255 for c in range(3)) for x in range(8)]
            for y in range(8)
        ]
        assert side.values.dtype == np.float32
        assert side.values == pytest.approx(np.array(expected), abs=1e-5)
        assert side.bias == make_maps.BIAS[row]
        assert side.logit == pytest.approx(np.mean(expected) + make_maps.BIAS[row], abs=1e-5)
    logits = make_maps.WEIGHTS @ pixels.reshape(-1, 3).mean(0) / 255 + make_maps.BIAS
    assert why.target.score == pytest.approx(np.exp(logits[2]) / np.exp(logits).sum(), abs=1e-5)
    assert why.rounding == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("kind", make_heads.KINDS)
def test_every_kind_of_head(kind: str) -> None:
    steps = {"int8": Quantisation.single(1 / 255, -128), "uint8": Quantisation.single(1 / 255, 0)}
    bundle = make_heads.small(kind, embedding=steps.get(kind))
    pixels = np.random.default_rng(2).integers(0, 256, (8, 8, 3), np.uint8)
    why = explained(pixels, bundle, target=0)
    weights = np.array([1.5, -0.25, 0.5])  # those of make_heads, which all kinds can hold
    assert why.target.values == pytest.approx(pixels / 255 @ weights, abs=2e-3)
    assert why.target.logit == pytest.approx((pixels / 255 @ weights).mean() + 0.25, abs=1e-2)
    assert why.rounding is not None
    assert why.rounding < (0.05 if kind in steps else 1e-4)


@pytest.mark.parametrize("name", OPEN)
def test_the_map_is_made_of_what_litert_computes_there(name: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    bundle = make_heads.read(name)
    with pytest.warns(UserWarning, match="intended for debugging"):
        whole = Interpreter(model_content=bundle.data, experimental_preserve_all_tensors=True)
    whole.allocate_tensors()
    whole.set_tensor(whole.get_input_details()[0]["index"], make_heads.golden_batches(bundle)[2])
    whole.invoke()
    pools = [o for o in whole._get_ops_details() if o["op_name"] in ("MEAN", "AVERAGE_POOL_2D")]
    layers = [o for o in whole._get_ops_details() if o["op_name"] in ("CONV_2D", "FULLY_CONNECTED")]
    cells = real(whole, pools[-1]["inputs"][0])
    stored = {  # halves, which XNNPACK makes into floats of its own
        o["outputs"][0]: o["inputs"][0]
        for o in whole._get_ops_details()
        if o["op_name"] == "DEQUANTIZE"
    }
    weights, bias = (real(whole, stored.get(i, i)) for i in layers[-1]["inputs"][1:3])
    why = whatsit.explain(bundle, make_heads.GOLDEN[2], runtime="litert")
    row = weights.reshape(len(weights), -1)[why.target.index]
    expected = np.einsum("yxd,d->yx", cells[0].astype(np.float64), row.astype(np.float64))
    assert why.target.values == pytest.approx(expected, abs=2e-3)
    assert why.target.bias == pytest.approx(float(bias[why.target.index]), abs=1e-5)
    assert why.target.logit == pytest.approx(expected.mean() + why.target.bias, abs=1e-3)


def real(interpreter: Any, index: int) -> np.ndarray:
    """A tensor in real numbers, by what LiteRT says of its steps."""
    details = {each["index"]: each for each in interpreter.get_tensor_details()}[index]
    values: np.ndarray = interpreter.get_tensor(index)
    steps = details["quantization_parameters"]
    if len(steps["scales"]) == 0:
        return values.astype(np.float32)
    sides = [1] * values.ndim
    if len(steps["scales"]) > 1:
        sides[steps["quantized_dimension"]] = -1
    scales, points = (steps[key].reshape(sides) for key in ("scales", "zero_points"))
    return ((values.astype(np.float64) - points) * scales).astype(np.float32)


@pytest.mark.parametrize("name", zoo.catalogue())
def test_the_maps_rank_the_classes_as_the_model_does(name: str) -> None:
    """The logits of the maps against the logarithms of what the model itself gives."""
    bundle = make_heads.read(name)
    most = 1e-4 if name.endswith("float16") else 0.15
    answers = make_heads.answers(bundle, make_heads.golden_batches(bundle))
    with Explainer(bundle) as explainer, whatsit.Classifier(bundle) as model:
        for photo, scores in zip(make_heads.GOLDEN, answers, strict=True):
            best = np.argsort(-scores, kind="stable")[:5]
            sides = [explainer.explain(photo, target=int(i)).target for i in best]
            logits = np.array([side.logit for side in sides])
            own = np.log(scores[best])
            assert np.abs((logits - logits[0]) - (own - own[0])).max() < most
            clear = -np.diff(own) > 2 * most
            assert (np.diff(logits)[clear] < 0).all()
            shown = model.scorer()(photo).scores
            assert [side.score for side in sides] == pytest.approx(shown[best], abs=1e-6)


def test_a_grafted_model_can_be_explained() -> None:
    from whatsit.graph import graft

    parent = make_heads.read("efficientnet-lite0-int8")
    random = np.random.default_rng(0)
    weights = random.normal(size=(2, 1280)).astype(np.float32)
    seen = random.normal(size=(4, 2)).astype(np.float32) * 20
    bundle = graft(parent, weights, np.zeros(2, np.float32), ["a", "b"], name="t", logits=seen)
    why = whatsit.explain(bundle, make_heads.GOLDEN[0])
    assert why.versus is not None
    assert why.target.values.shape == (7, 7)
    assert {why.target.label, why.versus.label} == {"a", "b"}
    assert why.model == "t"


@pytest.mark.parametrize("engine", ["isolated", "openvino"])
def test_the_engines_agree(cat: Path, engine: str) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    one, other = (whatsit.explain(None, cat, runtime=name) for name in ("litert", engine))
    assert other.target.index == one.target.index
    maps = (side.target.values.reshape(-1) for side in (one, other))
    assert np.corrcoef(*maps)[0, 1] > 0.99


# ── which models have maps ───────────────────────────────────────────────────────────────────


def test_an_average_over_all_places_is_a_mean() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    one = explained(pixels)
    two = explained(pixels, make_maps.colours(pool="average"))
    three = explained(pixels, make_maps.colours(axes=(-2, -3)))
    for other in (two, three):
        assert (other.target.values == one.target.values).all()
        assert other.target.score == pytest.approx(one.target.score, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: make_networks.bundle(Network(flattens=True)), "its last layer reads"),
        (lambda: make_networks.bundle(Network(last=Op.LOGISTIC)), "straight into a softmax"),
        (make_heads.with_added_bias, "straight into a softmax"),
        (make_heads.without_bias_or_softmax, "straight into a softmax"),
        (lambda: make_maps.colours(between=Op.RELU), "reads what RELU gives, not the mean"),
        (lambda: make_maps.colours(pool="average", window=5), "what AVERAGE_POOL_2D gives"),
        (make_maps.without_map, "ends in the picture itself"),
    ],
)
def test_other_models_are_refused(make: Any, reason: str) -> None:
    bundle: Bundle = make()
    with pytest.raises(ModelUnsupported, match=reason) as refused:
        Explainer(bundle)
    assert refused.value.message.startswith(f"model {bundle.name!r} cannot say why: ")
    assert "global mean" in refused.value.expected
    assert "built-in models" in refused.value.hint


def test_scores_are_calibrated_as_those_of_the_classifier() -> None:
    bundle = make_maps.colours()
    trust = {
        "data_set": "colours",
        "pictures": 2,
        "temperature": 2.5,
        "error": [0.2, 0.1],
        "places": [0.5, 0.6],
        "misled": [0.0, 0.1],
        "known": {"rule": "peak", "scores": [0.1, 0.2]},
    }
    calibrated = Bundle.create(
        make_models.bare(bundle.data),
        name="colours",
        labels=bundle.labels,
        preprocess="stretch",
        mean=0,
        std=1,
        facts={"trust": trust},
    )
    image = Image.new("RGB", (8, 8), (200, 90, 10))
    own, found = explained(image, bundle), explained(image, calibrated)
    with whatsit.Classifier(calibrated, runtime="litert") as model:
        answer = model.classify(image)
    assert found.target.score == pytest.approx(answer.predictions[0].score, abs=1e-6)
    assert found.target.score < own.target.score
    assert found.target.logit == own.target.logit
    assert (own.temperature, found.temperature) == (1, 2.5)
    assert found.rounding == pytest.approx(0, abs=1e-4)


def test_numbers_that_are_none_are_refused() -> None:
    with (
        Explainer(make_maps.colours(factor=math.nan), runtime="litert") as explainer,
        pytest.raises(ModelDamaged, match=r"no numbers|from nan"),
    ):
        explainer.explain(spotted(0.5, 0.5))


def test_a_model_of_one_class_has_nothing_to_compare() -> None:
    bundle = make_maps.colours(weights=make_maps.WEIGHTS[:1], bias=make_maps.BIAS[:1])
    why = explained(spotted(0.3, 0.3), bundle)
    assert (why.versus, why.difference, why.rounding) == (None, None, None)
    assert why.target.score == 1
    assert (why.to_json()["versus"], why.to_json()["difference"]) == (None, None)
    assert why.overlay().size == why.overlay("target").size
    with pytest.raises(UsageError, match="the difference of the only class 'red'"):
        why.overlay("difference")


# ── which classes ────────────────────────────────────────────────────────────────────────────


def test_the_two_likeliest_are_taken() -> None:
    image = Image.new("RGB", (8, 8), (200, 90, 10))
    with Explainer(make_maps.colours(), runtime="litert") as explainer:

        def pair(**asked: Any) -> tuple[str, str]:
            why = explainer.explain(image, **asked)
            assert why.versus is not None
            return why.target.label, why.versus.label

        assert pair() == ("red", "green")
        assert pair(target="red") == ("red", "green")
        assert pair(target="blue") == ("blue", "red")
        assert pair(target=2, versus="green") == ("blue", "green")
        assert pair(versus="red") == ("green", "red")
        assert pair(versus=2) == ("red", "blue")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"target": "purple"}, "no class 'purple'"),
        ({"target": 3}, "no class 3"),
        ({"versus": "reed"}, "no class 'reed'"),
        ({"target": "red", "versus": 0}, "the class 'red' against itself"),
        ({"region": (0.5, 0, 0.5, 1)}, "is not a region"),
        ({"rotation": 45}, "cannot rotate by 45 degrees"),
        ({"preprocess": "shrink"}, "is not a preprocessing rule"),
        ({"runtime": "abacus"}, "no runtime 'abacus'"),
    ],
)
def test_arguments_that_cannot_work(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        whatsit.explain(make_maps.colours(), spotted(0.5, 0.5), **asked)


def test_a_branch_of_the_tree_is_no_class(cat: Path) -> None:
    with pytest.raises(UsageError, match=r"'n02084071' names 1\d\d classes: "):
        whatsit.explain(None, cat, target="n02084071")
    assert whatsit.explain(None, cat, target="n02123045").target.label == "tabby"


@pytest.mark.parametrize("source", ["gone.png", b"", b"no picture", io.BytesIO(b"neither")])
def test_bad_pictures(source: Any) -> None:
    with pytest.raises((ImageNotFound, ImageUnreadable)):
        explained(source)


# ── the map lies where the picture is ────────────────────────────────────────────────────────


@pytest.mark.parametrize("rotation", [0, 90, 180, 270, -90])
@pytest.mark.parametrize(
    ("rule", "size"),
    [
        ("stretch(bilinear)", (96, 96)),
        ("stretch(bicubic)", (160, 80)),
        ("crop(1.0, bilinear)", (200, 96)),
        ("crop(0.875, bicubic)", (96, 130)),
        ("pad(bilinear)", (192, 64)),
        ("pad", (60, 200)),
    ],
)
def test_the_peak_is_where_the_spot_is(rule: str, size: tuple[int, int], rotation: int) -> None:
    cell = max(size) / 8 / np.array(size)  # the largest that a cell can be, in fractions
    with Explainer(make_maps.colours(), runtime="litert", preprocess=rule) as explainer:
        for x, y in ((0.42, 0.44), (0.58, 0.36), (0.5, 0.61)):
            image = spotted(x, y, size)
            peak = explainer.explain(image, target="red", rotation=rotation).peak
            assert peak is not None
            assert (np.abs(np.array(peak) - (x, y)) <= 0.75 * cell).all()


def test_the_peak_within_a_region() -> None:
    image = spotted(0.7, 0.3, (200, 120))
    for region in ((0.5, 0, 1, 0.5), (0.6, 0.1, 0.9, 0.6), (0.65, 0.05, 1, 1)):
        for rotation, rule in itertools.product((0, 90), ("stretch(box)", "crop", "pad")):
            peak = peaked(image, region=region, rotation=rotation, preprocess=rule)
            assert peak == pytest.approx((0.7, 0.3), abs=0.08)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_upright(orientation: int) -> None:
    upright = spotted(0.25, 0.7, (160, 96))
    data = make_pictures.turned(upright, orientation, "PNG")
    why = explained(data, target="red", preprocess="stretch(bilinear)")
    assert why.peak == pytest.approx((0.25, 0.7), abs=0.08)
    assert (np.asarray(why.picture) == np.asarray(upright)).all()


def test_large_photos_are_placed_as_small_ones(tmp_path: Path) -> None:
    """They are decoded at a part of their size, once for the model and once for people."""
    spotted(0.3, 0.6, (4001, 3003)).save(tmp_path / "big.jpg", quality=90)
    with Explainer(make_maps.colours(), runtime="litert", preprocess="crop(1.0)") as explainer:
        why = explainer.explain(tmp_path / "big.jpg")
        with (tmp_path / "big.jpg").open("rb") as file:
            again = explainer.explain(file)
    assert why.peak == pytest.approx((0.3, 0.6), abs=0.06)
    assert why.picture.size == (1280, 961)
    assert again.peak == why.peak
    assert (np.asarray(again.picture) == np.asarray(why.picture)).all()


def test_what_was_not_seen_has_no_values() -> None:
    values = np.ones((2, 2), np.float32)
    placed = Evidence(values, Placement((0.25, 0.0, 0.75, 0.5), EVERYTHING, 0))
    found = placed.on_picture(8, 8)
    assert (found[:4, 2:6] == 1).all()
    assert np.isnan(found).sum() == 64 - 16
    assert placed.peak is None  # nowhere more than elsewhere


def test_the_bars_of_a_padded_picture_are_no_part_of_it() -> None:
    values = np.array([[9, 9, 9, 9], [1, 2, 1, 1], [1, 1, 1, 1], [9, 9, 9, 9]], np.float32)
    placed = Evidence(values, Placement(EVERYTHING, (0.0, 0.25, 1.0, 0.75), 0))
    found = placed.on_picture(32, 64)
    assert found.shape == (32, 64)
    assert found[10:22].max() < 3  # but for the bend at the very border


@pytest.mark.parametrize("turns", range(4))
def test_turned_values_are_turned_back(turns: int) -> None:
    upright = np.arange(12, dtype=np.float32).reshape(3, 4)
    seen = np.rot90(upright, -turns)  # with the clock
    found = Evidence(seen, Placement(EVERYTHING, EVERYTHING, turns)).on_picture(3, 4)
    assert found == pytest.approx(upright, abs=1e-5)


def test_a_map_is_enlarged_smoothly() -> None:
    ramp = np.tile(np.arange(6, dtype=np.float32), (6, 1))
    fine = sampled(ramp, EVERYTHING, 6, 60)
    assert fine[0, 25:35] == pytest.approx((np.arange(25, 35) + 0.5) / 10 - 0.5, abs=1e-4)
    flat = sampled(np.full((3, 2), 7.5, np.float32), EVERYTHING, 11, 13)
    assert flat == pytest.approx(np.full((11, 13), 7.5))
    values = np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32)
    # It goes through the value of each cell, in the cell's middle.
    assert sampled(values, EVERYTHING, 35, 35)[3::7, 3::7] == pytest.approx(values, abs=1e-5)
    part = sampled(values, (0.2, 0.4, 0.4, 0.6), 7, 7)
    assert part[3, 3] == pytest.approx(values[2, 1], abs=1e-5)


def test_the_regions_share_the_evidence() -> None:
    values = np.zeros((9, 9), np.float32)
    values[1, 7] = 3
    values[4, 4] = -5  # against it: no share
    regions = Evidence(values, WHOLE).regions
    assert tuple(regions) == REGIONS
    assert regions["upper right"] > 0.7
    assert sum(regions.values()) == pytest.approx(1)
    assert (-Evidence(values, WHOLE)).regions["centre"] > 0.7
    assert set(Evidence(-np.ones((3, 3), np.float32), WHOLE).regions.values()) == {0.0}


@pytest.mark.parametrize("values", [np.zeros((4, 4)), -np.ones((7, 7)), np.full((1, 1), 3.0)])
def test_a_flat_map_has_no_peak(values: np.ndarray) -> None:
    assert Evidence(values.astype(np.float32), WHOLE).peak is None


# ── mosaics ──────────────────────────────────────────────────────────────────────────────────


def mosaic(names: tuple[str, str], axis: int, size: tuple[int, int]) -> Image.Image:
    """Two golden photos, side by side or on each other."""
    part = (size[0] // 2, size[1]) if axis == 0 else (size[0], size[1] // 2)
    whole = Image.new("RGB", size)
    for place, name in enumerate(names):
        photo = Image.open(zoo.GOLDEN / name).convert("RGB")
        whole.paste(photo.resize(part), (place * part[0], 0) if axis == 0 else (0, place * part[1]))
    return whole


@pytest.mark.parametrize("rule", [None, "stretch(bilinear)", "pad"])
def test_in_a_mosaic_each_class_points_to_its_own_half(rule: str | None) -> None:
    """All pairs of four photos; stretched and padded, the mosaic need not be square."""
    size = (448, 448) if rule is None else (600, 400)
    hits = []
    with Explainer(preprocess=rule) as explainer:
        for names, axis in itertools.product(itertools.combinations(KNOWN, 2), range(2)):
            picture = mosaic(names, axis, size)
            for place, name in enumerate(names):
                other = KNOWN[names[1 - place]]
                why = explainer.explain(picture, target=KNOWN[name], versus=other)
                assert why.difference is not None
                for peak in (why.peak, why.difference.peak):
                    hits.append(peak is not None and (peak[axis] >= 0.5) == bool(place))
    assert len(hits) == 48
    assert sum(hits) >= 0.9 * len(hits)


# ── faithfulness ─────────────────────────────────────────────────────────────────────────────


def test_a_spot_that_is_all_there_is() -> None:
    """Red in one cell; the blurred copy has a little of it everywhere."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[5, 2] = RED
    bundle = make_maps.colours(weights=60 * make_maps.WEIGHTS, bias=0 * make_maps.BIAS)
    with Explainer(bundle, runtime="litert") as explainer:
        why = explainer.explain(pixels, target="red")
        found = explainer.faithfulness(why, orders=10)
        assert explainer.faithfulness(why, orders=10) == found
        other = explainer.faithfulness(why, orders=10, seed=1)
        blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1))
        without = np.asarray(blurred).copy()
        ends = [explainer.explain(each, target="red").target.score for each in (pixels, without)]
        # The step after the first has taken more cells, but the others are black already.
        gone = np.where(np.arange(64).reshape(8, 8, 1) == 5 * 8 + 2, without, pixels)
        second = explainer.explain(gone, target="red").target.score
    assert (found.shares[0], found.shares[-1]) == (0, 1)
    assert len(found.shares) == len(found.deletion) == len(found.random_insertion) == 13
    assert (found.deletion[0], found.deletion[-1]) == pytest.approx(ends)
    assert (found.insertion[-1], found.insertion[0]) == pytest.approx(ends)
    assert (found.random_deletion[0], found.random_insertion[0]) == pytest.approx(ends)
    assert found.deletion[1] == pytest.approx(second, abs=0.02)
    assert (found.deletion_wins, found.insertion_wins, found.orders) == (10, 10, 10)
    assert other.random_deletion != found.random_deletion
    for name, area in found.areas.items():
        curve, steps = np.array(getattr(found, name)), np.diff(found.shares)
        assert area == pytest.approx(sum(steps * (curve[1:] + curve[:-1]) / 2))
    assert json.loads(json.dumps(found.to_json()))["deletion_wins"] == 10


def test_real_maps_are_better_than_chance() -> None:
    wins = orders = 0
    with Explainer() as explainer:
        for name in ("camera.png", "flower.jpg"):
            found = explainer.faithfulness(explainer.explain(zoo.GOLDEN / name), orders=4)
            wins, orders = wins + found.deletion_wins + found.insertion_wins, orders + found.orders
    assert wins >= 0.8 * 2 * orders


@pytest.mark.parametrize("orders", [0, -1, 1001])
def test_a_number_of_orders_that_cannot_be(orders: int) -> None:
    with Explainer(make_maps.colours(), runtime="litert") as explainer:
        why = explainer.explain(spotted(0.5, 0.5))
        with pytest.raises(UsageError, match=f"{orders} random orders"):
            explainer.faithfulness(why, orders=orders)


# ── overlays ─────────────────────────────────────────────────────────────────────────────────


def test_an_overlay_shows_the_map_where_it_is() -> None:
    why = explained(spotted(0.25, 0.25, (480, 480)), target="red")
    drawn = np.asarray(why.overlay("target"), np.int64)
    assert drawn.shape[1] == 480
    assert drawn.shape[0] > 480  # the legend
    spot, rest = drawn[105:135, 105:135].mean((0, 1)), drawn[300:400, 300:400]
    assert spot[0] > spot[2] + 40  # warm
    assert rest.max() == 0  # black, where nothing speaks for it, stays black


def test_what_was_not_seen_is_dark_and_grey() -> None:
    image = Image.new("RGB", (900, 300), (120, 220, 120))
    why = explained(image, preprocess="crop(1.0)", target="blue")
    drawn = np.asarray(why.overlay("target"), np.int64)[20:280]
    unseen, seen = drawn[:, 50:250].reshape(-1, 3), drawn[:, 320:580].reshape(-1, 3)
    assert np.ptp(unseen.mean(0)) < 2
    assert unseen.mean() < 0.6 * seen.mean()


def test_both_overlays_stand_side_by_side_or_on_each_other() -> None:
    for size, across in (((300, 300), True), ((300, 600), True), ((900, 300), False)):
        why = explained(Image.new("RGB", size, (200, 100, 50)))
        one, two, both = (why.overlay(kind) for kind in ("target", "difference", "both"))
        assert one.size == two.size
        assert both.width == (2 * one.width + 16 if across else one.width)
        assert both.height == (one.height if across else 2 * one.height)
        assert both.mode == "RGB"


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (5, 2000), (7, 7)])
def test_odd_pictures_can_be_drawn(size: tuple[int, int]) -> None:
    why = explained(Image.new("RGB", size, (9, 200, 9)))
    assert max(why.overlay().size) < 3000
    json.dumps(why.to_json(), allow_nan=False)


@pytest.mark.parametrize("label", ["x" * 500, "\u732b", "\x1b[31m", "", "a\nb", "\u062d\u0645"])
def test_any_label_can_be_drawn(label: str) -> None:
    why = explained(spotted(0.5, 0.5))
    assert why.versus is not None
    named = dataclasses.replace(
        why,
        target=dataclasses.replace(why.target, label=label),
        versus=dataclasses.replace(why.versus, label=label),
    )
    assert named.overlay().size == why.overlay().size


def test_there_is_no_other_overlay() -> None:
    why = explained(spotted(0.5, 0.5))
    with pytest.raises(UsageError, match="an overlay 'versus'"):
        why.overlay("versus")


def test_the_colours_tell_by_their_lightness_alone() -> None:
    """Luminance by its definition (IEC 61966-2-1) rises with the strength, without a step."""
    strength = np.linspace(0.001, 1, 256, dtype=np.float32)
    for ramp in (colours.heat(strength), colours.sides(strength), colours.sides(-strength)):
        share = ramp / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        lightness = np.cbrt(linear @ [0.2126, 0.7152, 0.0722])
        steps = np.diff(lightness)
        assert steps.min() > -0.004  # 8 bits round
        assert steps.max() < 0.01
        assert lightness[-1] - lightness[0] > 0.25
    blue, orange = colours.sides(np.array([0.8, -0.8], np.float32)).astype(int)
    assert blue[2] > blue[0] + 50
    assert orange[0] > orange[2] + 50


# ── the rest of the contract ─────────────────────────────────────────────────────────────────


def test_json(cat: Path) -> None:
    why = whatsit.explain(None, cat)
    row = json.loads(json.dumps(why.to_json(), allow_nan=False))
    assert list(row) == [
        *("path", "model", "target", "versus"),
        *("evidence", "difference", "temperature", "seen", "rounding"),
    ]
    assert row["path"] == str(cat)
    for side in ("target", "versus"):
        assert list(row[side]) == ["index", "label", "score", "logit", "bias"]
    cells = np.array(row["evidence"]["map"])
    assert cells.shape == (7, 7)
    assert cells.mean() + row["target"]["bias"] == pytest.approx(row["target"]["logit"], abs=1e-3)
    lead = row["target"]["logit"] - row["versus"]["logit"]
    bias = row["target"]["bias"] - row["versus"]["bias"]
    assert np.mean(row["difference"]["map"]) + bias == pytest.approx(lead, abs=1e-3)
    assert sum(row["evidence"]["regions"].values()) == pytest.approx(1, abs=1e-3)
    assert set(row["difference"]["versus_peak"]) == {"x", "y"}
    assert 0 <= row["rounding"] < 0.2
    # Of cat.png (451 x 300), crop(0.875) takes 262.5 a side.
    assert row["seen"]["right"] - row["seen"]["left"] == pytest.approx(262.5 / 451, abs=1e-3)
    assert row["seen"]["bottom"] - row["seen"]["top"] == pytest.approx(262.5 / 300, abs=1e-3)
    assert row["seen"]["rotation"] == 0
    assert row["seen"]["part_of_map"] == [0, 0, 1, 1]


def test_the_picture_given_is_left_as_it_was() -> None:
    image = spotted(0.5, 0.5, (2000, 1500))
    before = np.asarray(image).copy()
    why = explained(image)
    assert (np.asarray(image) == before).all()
    assert why.picture.size == (1280, 960)
    assert why.path is None


def test_several_threads_get_the_answers_of_one() -> None:
    photos = [make_heads.GOLDEN[i % len(make_heads.GOLDEN)] for i in range(12)]
    with Explainer(threads=1) as explainer:
        alone = [explainer.explain(photo) for photo in photos]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(explainer.explain, photos))
    for one, other in zip(alone, together, strict=True):
        assert (one.target.values == other.target.values).all()
        assert one.target.index == other.target.index


def test_explanations_can_be_compared(cat: Path, coffee: Path) -> None:
    with Explainer() as explainer:
        one, same, other = map(explainer.explain, (cat, cat, coffee))
    assert one == same
    assert one != other
    assert "array" not in repr(one)


def test_a_closed_explainer_says_so(cat: Path) -> None:
    explainer = Explainer()
    explainer.close()
    explainer.close()
    with pytest.raises(UsageError, match="closed"):
        explainer.explain(cat)


def test_auto_takes_an_engine_of_this_machine(cat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from whatsit import engines

    chosen = engines.Pick("isolated", (), "because")
    monkeypatch.setattr(engines, "pick", lambda bundle, threads: chosen)
    with Explainer(runtime="auto") as explainer:
        assert explainer.runtime == "isolated"
        assert explainer.pick is chosen
        assert isinstance(explainer.explain(cat), Explanation)
