"""The way of one picture in the app's JavaScript: each step gives what the Python one gives."""

from __future__ import annotations

import copy
import dataclasses
import math
import random
from collections.abc import Callable
from typing import Any

import make_dataset
import numpy as np
import PIL
import pytest
from js import Js, JsError, JsObject
from numpy.typing import NDArray
from PIL import Image

from whatsit import Bundle, Classifier, inputs, preprocess, zoo
from whatsit import results as py_results
from whatsit._metadata import TensorInfo
from whatsit.bundle import OutputSpec
from whatsit.errors import ModelDamaged, UsageError, WhatsitError
from whatsit.preprocess import Preprocess, Region
from whatsit.runtimes import base
from whatsit.scoring import _vector
from whatsit.smoothing import Smoother, Smoothing
from whatsit.train import train
from whatsit.trust import trust_of
from whatsit.trust.known import Known

Scores = NDArray[np.float32]

RULE, PREPROCESS, SCORING = "core/rule.js", "core/preprocess.js", "core/scoring.js"
TRUST, RESULTS, SMOOTHING = "core/trust.js", "core/results.js", "core/smoothing.js"
# Since then it resizes what is much taller in the other order, as JavaScript always does.
TALL_AS_HERE = int(PIL.__version__.split(".")[0]) >= 13
FILTERS = ["bilinear", "bicubic", "lanczos", "box", "legacy-bilinear"]


# ── the rule ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        *("crop", "stretch", "pad", " crop(0.875) ", "crop(0.875, bicubic)", "crop(bicubic,.5)"),
        *("crop()", "crop(,)", "pad(box)", "stretch(legacy-bilinear)", "crop(1e-2)", "crop(1)"),
        *("crop(0.123456789012345, lanczos)", "crop(+0.5)", "crop(0.01)", "crop(0_0.5_0)"),
    ],
)
def test_a_rule_is_read_and_written_as_python_does(js: Js, text: str) -> None:
    rule = Preprocess.parse(text)
    read = js(RULE, "parseRule", text)
    assert read == {"mode": rule.mode, "filter": rule.filter, "fraction": rule.fraction}
    assert js(RULE, "ruleText", read) == str(rule)


@pytest.mark.parametrize(
    "text",
    [
        *("", "crop(2)", "crop(0.009)", "crop(nan)", "crop(inf)", "crop(0x1)", "crop(1__0)"),
        *("pad(0.5)", "crop(0.5, 0.5)", "crop(box, box)", "Crop", "crop (1)", "crop(1))", "box"),
        *("crop('1')", 'it\'s "one"', "\n\t\\crop", "crop(é\u2028\x00\U0001f4f7\u00a0\xad)"),
    ],
)
def test_a_wrong_rule_is_refused_in_the_same_words(js: Js, text: str) -> None:
    with pytest.raises(UsageError) as expected:
        Preprocess.parse(text)
    with pytest.raises(JsError) as found:
        js(RULE, "parseRule", text)
    assert said(found.value) == said(expected.value)


def said(error: JsError | WhatsitError) -> tuple[str, str, str, str]:
    return error.code, error.message, error.expected, error.hint


# ── cutting and resizing ─────────────────────────────────────────────────────────────────────


def noise(chance: random.Random, width: int, height: int) -> Image.Image:
    """Pixels of black, white and anything between, where overshooting shows."""
    drawn = np.random.default_rng(chance.randrange(2**32))
    levels = drawn.integers(-200, 456, (height, width, 3)).clip(0, 255)
    return Image.fromarray(levels.astype(np.uint8))


def as_js(image: Image.Image) -> dict[str, object]:
    pixels = np.asarray(image)
    return {"width": image.width, "height": image.height, "data": pixels.reshape(-1)}


def side(chance: random.Random) -> int:
    return chance.choice([1, 2, 3, chance.randrange(1, 30), chance.randrange(1, 300)])


def region(chance: random.Random) -> Region | None:
    if chance.random() < 0.5:
        return None
    left, right = sorted(chance.sample(range(9), 2))
    top, bottom = (chance.random() / 2, 0.5 + chance.random() / 2)
    return (left / 8, top, right / 8, bottom)


def check(
    js: Js, rule: Preprocess, image: Image.Image, shape: tuple[int, int], **view: object
) -> None:
    if not TALL_AS_HERE and image.height > image.width:
        return
    expected = preprocess.run(rule, image, shape, **view)  # type: ignore[arg-type]
    plain = {"mode": rule.mode, "filter": rule.filter, "fraction": rule.fraction}
    found = js(PREPROCESS, "run", plain, as_js(image), list(shape), view)
    about = (str(rule), image.size, shape, view)
    assert np.array_equal(found.reshape(expected.shape), expected), about
    placed = preprocess.place(rule, (image.height, image.width), shape, **view)  # type: ignore[arg-type]
    assert js(PREPROCESS, "place", plain, [image.height, image.width], list(shape), view) == {
        "box": list(placed.box),
        "inner": list(placed.inner),
        "turns": placed.turns,
    }, about


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("mode", ["crop", "stretch", "pad"])
def test_pixels_are_those_of_python_to_the_last_bit(js: Js, mode: str, filter: str) -> None:
    chance = random.Random(f"{mode} {filter}")
    for _ in range(60):
        fraction = chance.choice([1.0, 0.875, 0.01 + 0.99 * chance.random()])
        rule = Preprocess(mode, filter, fraction)  # type: ignore[arg-type]
        image = noise(chance, side(chance), side(chance))
        shape = (chance.randrange(1, 60), chance.randrange(1, 60))
        check(js, rule, image, shape, region=region(chance), rotation=chance.randrange(-4, 9) * 90)


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (224, 224), (448, 224), (640, 480)])
@pytest.mark.parametrize("filter", FILTERS)
def test_odd_shapes_too(js: Js, filter: str, size: tuple[int, int]) -> None:
    chance = random.Random(f"{filter} {size}")
    image = noise(chance, *size)
    for mode in ("crop", "stretch", "pad"):
        check(js, Preprocess(mode, filter), image, (224, 224))  # type: ignore[arg-type]
    # Whole pixels of the input's own size are only cut out.
    if size[0] > 30 and size[1] > 30:
        view = {"region": (8 / size[0], 4 / size[1], 28 / size[0], 24 / size[1])}
        check(js, Preprocess("stretch", filter), image, (20, 20), **view)  # type: ignore[arg-type]
        check(js, Preprocess("stretch", filter), image, (20, 40), **view)  # type: ignore[arg-type]
        check(js, Preprocess("stretch", filter), image, (size[1], 100))  # type: ignore[arg-type]
        check(js, Preprocess("stretch", filter), image, (100, size[0]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [(0, 0, 0, 1), (0, 0, 1.5, 1), (0.5, 0, 0.25, 1), (0, 0, 1e-7, 1), (0, 0.5), ()]
)
def test_a_wrong_region_is_refused_in_the_same_words(js: Js, wrong: tuple[float, ...]) -> None:
    with pytest.raises(UsageError) as expected:
        preprocess.check_region(wrong)  # type: ignore[arg-type]
    with pytest.raises(JsError) as found:
        js(PREPROCESS, "checkRegion", list(wrong))
    assert said(found.value) == said(expected.value)


def test_a_wrong_rotation_too(js: Js) -> None:
    js(PREPROCESS, "checkRotation", -180)
    js(PREPROCESS, "checkRegion", [0, 0, 1, 0.5])
    js(PREPROCESS, "checkRegion", None)
    with pytest.raises(UsageError) as expected:
        preprocess.check_rotation(45)
    with pytest.raises(JsError) as found:
        js(PREPROCESS, "checkRotation", 45)
    assert said(found.value) == said(expected.value)


# ── from pixels to a tensor, from a tensor to scores ─────────────────────────────────────────


@pytest.mark.parametrize(
    ("mean", "std"), [((127.0,), (128.0,)), ((1.5, 2.25, 3.1), (0.7, 9, 58.4))]
)
def test_the_input_is_that_of_python(
    js: Js, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    pixels = np.asarray(noise(random.Random(7), 16, 16))[np.newaxis]
    for dtype in ("uint8", "float32"):
        spec = inputs.InputSpec(dtype, 16, 16, mean, std)
        plain = {"input": {"dtype": dtype, "mean": mean, "std": std}}
        found = js(SCORING, "inputTensor", plain, pixels)
        expected = inputs.tensor(spec, pixels)
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected.reshape(-1))


def output(spec: OutputSpec) -> dict[str, Any]:
    sizes = {"classes": spec.classes, "scale": spec.scale, "zeroPoint": spec.zero_point}
    return {"dtype": spec.dtype, **sizes}


def test_scores_are_those_of_python(js: Js) -> None:
    chance = np.random.default_rng(3)
    levels = chance.integers(2, 256, 50).astype(np.uint8)
    floats = (chance.random(50) * 1.001 - 0.0005).astype(np.float32)
    for spec, raw in (
        (OutputSpec("uint8", 50, 1 / 256, 0), levels),
        (OutputSpec("uint8", 50, 0.0039, 2), levels),
        (OutputSpec("float32", 50), floats),
    ):
        found = js(SCORING, "scores", {"name": "m", "output": output(spec)}, raw)
        assert np.array_equal(found, base.probabilities("m", spec, raw)[0])


@pytest.mark.parametrize("raw", [[0.5], [0.5, math.nan], [0.1, 1.5], [-3, 0], [123456789, 0]])
def test_what_are_no_scores_is_refused_in_the_same_words(js: Js, raw: list[float]) -> None:
    spec, values = OutputSpec("float32", 2), np.array(raw, np.float32)
    with pytest.raises(ModelDamaged) as expected:
        base.probabilities("it's", spec, values)
    with pytest.raises(JsError) as found:
        js(SCORING, "scores", {"name": "it's", "output": output(spec)}, values)
    assert said(found.value) == said(expected.value)


def test_an_embedding_is_that_of_python(js: Js) -> None:
    raw = np.random.default_rng(3).integers(-128, 128, 50).astype(np.int8)
    spec = OutputSpec("int8", 50, 0.123, -7)
    found = js(SCORING, "realNumbers", {"name": "m"}, output(spec), raw)
    assert np.array_equal(found, base.real_numbers("m", spec, raw)[0])
    for bad in ([1, 2], [1, 2, math.inf]):
        values = np.array(bad, np.float32)
        with pytest.raises(ModelDamaged) as expected:
            base.real_numbers("m", OutputSpec("float32", 3), values)
        with pytest.raises(JsError) as refused:
            js(SCORING, "realNumbers", {"name": "m"}, output(OutputSpec("float32", 3)), values)
        assert said(refused.value) == said(expected.value)


@pytest.mark.parametrize(
    "info",
    [
        TensorInfo("t", (1, 8), "float32", None, 0),
        TensorInfo("t", (1, 1, 1, 8), "int8", 0.5, 3),
        TensorInfo("t", (1, 2, 8), "float32", None, 0),
        TensorInfo("t", (8,), "float32", None, 0),
        TensorInfo("t", (), "float32", None, 0),
        TensorInfo("t", (1, 8), "int32", None, 0),
        TensorInfo("t", (1, 8), "int8", None, 0),
        TensorInfo("t", (1, 8), "int8", 0.5, 3, True),
    ],
)
def test_what_an_embedding_is_made_of(js: Js, info: TensorInfo) -> None:
    facts = {"name": "t", "shape": info.shape, "dtype": info.dtype, "scale": info.scale}
    facts |= {"zeroPoint": info.zero_point, "severalScales": info.several_scales}
    refused = None
    try:
        expected = output(_vector(4, info))
    except ModelDamaged as error:
        refused = error.about("model 'm'")
    if refused is None:
        assert js(SCORING, "vectorSpec", {"name": "m"}, 4, facts) == expected
        return
    with pytest.raises(JsError) as found:
        js(SCORING, "vectorSpec", {"name": "m"}, 4, facts)
    assert said(found.value) == said(refused)


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────

CALIBRATED = sorted(zoo.catalogue())
GOLDEN = sorted(file for file in zoo.GOLDEN.iterdir() if file.suffix in (".jpg", ".png"))
SHARES = [(0.9, 0.95), (0.5, 0.5), (0.99, 0.99), (0.9999, 0.9999), (0.01, 0.01)]


def kept(js: Js, bundle: Bundle) -> JsObject:
    """The bundle, read by JavaScript."""
    return js.keep("core/bundle.js", "readBundle", bundle.data, bundle.name)


def drawn_scores(classes: int, count: int) -> list[Scores]:
    """Softmax of noise: from nearly flat to one sure class, some in steps of 1/256."""
    chance = np.random.default_rng(classes)
    found = []
    for number in range(count):
        logits = chance.normal(0, chance.choice([0.1, 1, 3, 10]), classes)
        powers = np.exp(logits - logits.max())
        scores = (powers / powers.sum()).astype(np.float32)
        found.append(
            np.rint(scores * 256).clip(0, 255).astype(np.float32) / 256 if number % 2 else scores
        )
    return found


def check_answers(
    js: Js,
    bundle: Bundle,
    seen: list[tuple[Scores, Scores | None]],
    shares: list[tuple[float, float]],
) -> set[str]:
    """Compares whole results, and gives the verdicts that were among them."""
    held, trust = kept(js, bundle), trust_of(bundle)
    verdicts = set()
    for coverage, acceptance in shares:
        judge = trust and trust.at(bundle.labels, coverage, acceptance)
        theirs = js.keep(TRUST, "judgeOf", held, {"coverage": coverage, "acceptance": acceptance})
        for scores, embedding in seen:
            calibrated, judgement = judge.judge(scores, embedding) if judge else (scores, None)
            found = theirs.call("judge", scores, embedding) if judge else None
            if found is not None:
                np.testing.assert_allclose(found["scores"], calibrated, rtol=1e-5, atol=1e-7)
                assert judge is not None
                assert theirs.get("tensor") == judge.tensor
            result = expected_result(bundle, calibrated, judgement)
            parts = {"bundle": held, "scores": calibrated, "judgement": found, "top": 5}
            answer = js(
                RESULTS, "answer", {**parts, "threshold": 0.05, "timings": {"decode": 1.005}}
            )
            assert_alike(answer, result.to_json())
            verdicts.add(answer["verdict"])
    held.drop()
    return verdicts


def expected_result(bundle: Bundle, scores: Scores, judgement: Any) -> py_results.Result:
    """As Classifier.answer puts it together."""
    from whatsit.classifier import Seen

    seen = Seen(scores, {"decode": 1.005}, None, judgement)
    shell = type("Shell", (), {"bundle": bundle})()
    return Classifier.answer(shell, seen, top=5, threshold=0.05)


def assert_alike(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """The same, scores to a millionth."""
    assert list(found) == list(expected)
    assert without_measures(found) == without_measures(expected)
    assert numbers_in(found) == pytest.approx(numbers_in(expected), abs=1.5e-6)


def without_measures(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: without_measures(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [without_measures(part) for part in value]
    return None if name in ("score", "decode") else value


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers_in(part)]
    if isinstance(value, list):
        return [number for part in value for number in numbers_in(part)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


@pytest.mark.parametrize("name", CALIBRATED)
def test_verdicts_of_built_in_models_are_those_of_python(js: Js, name: str) -> None:
    bundle = zoo.open_builtin(name)
    with Classifier(bundle, raw=True, embeddings=True) as classifier:
        score = classifier.scorer()
        seen = [(one.scores, one.embedding) for one in map(score, GOLDEN)]
    noise = [(scores, seen[0][1]) for scores in drawn_scores(len(bundle.labels), 20)]
    verdicts = check_answers(js, bundle, seen + noise, SHARES)
    assert verdicts == {"sure", "ambiguous", "unknown"}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model with a tree, and prototypes of its classes."""
    folder = make_dataset.write(tmp_path_factory.mktemp("made") / "textures", 16)
    tree = "class,parent\nchecks,drawn\nrings,drawn\nstripes,drawn\ndots,drawn\nnoise,\n"
    (folder / "labels.csv").write_text(tree)
    other = make_dataset.write(tmp_path_factory.mktemp("made") / "others", 8, first=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHATSIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return train(folder, parent="mobilenet-v2-int8", validation=other).bundle


def test_verdicts_of_a_taught_model_are_those_of_python(js: Js, taught: Bundle) -> None:
    trust = trust_of(taught)
    assert trust is not None
    assert trust.known.prototypes is not None
    chance = np.random.default_rng(5)
    rows = trust.known.prototypes.rows.astype(np.float32)
    seen = []
    for scores in drawn_scores(len(taught.labels), 60):
        near = rows[chance.integers(len(rows))] + chance.normal(
            0, chance.choice([1, 60, 400]), rows.shape[1]
        )
        seen.append((scores, near.astype(np.float32)))
    assert check_answers(js, taught, seen, SHARES) == {"sure", "ambiguous", "unknown"}
    judge = js.keep(TRUST, "judgeOf", kept(js, taught))
    for wrong in (None, np.ones(3, np.float32)):
        with pytest.raises(ModelDamaged) as expected:
            trust.known.score(seen[0][0], wrong)
        with pytest.raises(JsError) as found:
            judge.call("judge", seen[0][0], wrong)
        assert said(found.value) == said(expected.value)


def test_verdicts_without_calibration_are_those_of_python(js: Js, taught: Bundle) -> None:
    record = {key: value for key, value in taught.record.items() if key != "trust"}
    bundle = dataclasses.replace(with_record(taught, record), name=taught.name)
    assert js(TRUST, "judgeOf", kept(js, bundle)) is None
    seen = [(scores, None) for scores in drawn_scores(len(bundle.labels), 40)]
    assert check_answers(js, bundle, seen, [(0.9, 0.95)]) >= {"sure", "ambiguous"}


def with_record(bundle: Bundle, record: dict[str, Any]) -> Bundle:
    return Bundle.create(
        bundle.data,
        name=bundle.name,
        labels=bundle.labels,
        preprocess=bundle.preprocess,
        mean=bundle.normalisation()[0],
        std=bundle.normalisation()[1],
        facts=record,
    )


def test_few_classes_and_no_prototypes_go_by_the_best_score(js: Js, taught: Bundle) -> None:
    trust = dict(taught.record["trust"])
    trust["known"] = {"rule": "score", "scores": [0.5, 0.7, 0.8, 0.9]}
    bundle = with_record(taught, {**taught.record, "trust": trust})
    seen = [(scores, None) for scores in drawn_scores(len(bundle.labels), 20)]
    assert "unknown" in check_answers(js, bundle, seen, [(0.9, 0.5)])


@pytest.mark.parametrize("acceptance", [5e-324, 1e-12, 0.1, 0.5, 0.8, 0.95])
def test_the_limit_of_the_known_is_that_of_python(js: Js, acceptance: float) -> None:
    scores = np.array([0.5, 0.7, 0.8, 0.9])
    known = {"rule": "score", "scores": scores, "prototypes": None}
    found = js("core/trust/known.js", "limitOf", known, acceptance)
    assert found == Known("score", scores).limit(acceptance)


@pytest.mark.parametrize("share", [0, 1, -0.5, 1.5, math.nan])
def test_wrong_shares_are_refused(js: Js, taught: Bundle, share: float) -> None:
    for name, text in (("coverage", "a coverage"), ("acceptance", "an acceptance")):
        with pytest.raises(JsError) as found:
            js(TRUST, "judgeOf", kept(js, taught), {name: share})
        assert found.value.code == "wrong-usage"
        assert found.value.message == f"{text} of {share!r}"
        assert found.value.expected == "a share between 0 and 1, such as 0.9"


def without(key: str) -> Callable[[dict[str, Any]], None]:
    def change(trust: dict[str, Any]) -> None:
        del trust[key]

    return change


def setting(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(trust: dict[str, Any]) -> None:
        *above, key = path.split(".")
        for name in above:
            trust = trust[name]
        trust[key] = value

    return change


DAMAGE = [
    *map(without, ["known", "error", "places", "misled", "pictures", "data_set", "temperature"]),
    setting("error", [0.1]),
    setting("error", [0.1, 0.1, 0.1]),
    setting("error", [0.1, 30]),
    setting("error", ["a", 0]),
    setting("error", [math.nan, 0]),
    setting("error", [[], 0]),
    setting("temperature", 30),
    setting("temperature", 0),
    setting("temperature", "warm"),
    setting("temperature", None),
    setting("pictures", 3),
    setting("pictures", "many"),
    setting("pictures", None),
    setting("pictures", math.nan),
    setting("pictures", math.inf),
    setting("places", 5),
    setting("places", []),
    setting("known", "peak"),
    setting("known", []),
    setting("known", 3),
    setting("known.rule", "guess"),
    setting("known.rule", "peak"),
    setting("known.scores", [1, 0]),
    setting("known.scores", [0, math.nan]),
    setting("known.scores", [0, None]),
    setting("known.scores", ["x"]),
    setting("known.scores", 0.5),
    setting("known.prototypes.rows", "A"),
    setting("known.prototypes.rows", "A*=="),
    setting("known.prototypes.rows", "AAAA"),
    setting("known.prototypes.rows", 5),
    setting("known.prototypes.tensor", -1),
    setting("known.prototypes.tensor", "x"),
    setting("known.prototypes.width", 0),
    setting("known.prototypes.width", None),
]


@pytest.mark.parametrize("number", range(len(DAMAGE)))
def test_a_damaged_calibration_is_refused_in_the_same_words(
    js: Js, taught: Bundle, number: int
) -> None:
    record = copy.deepcopy(dict(taught.record))
    DAMAGE[number](record["trust"])
    with pytest.raises(ModelDamaged) as expected:
        trust_of(dataclasses.replace(taught, record=record))
    plain = {"name": taught.name, "record": record, "labels": {"names": taught.labels.names}}
    with pytest.raises(JsError) as found:
        js(TRUST, "judgeOf", plain)
    assert said(found.value) == said(expected.value)


# ── what is printed ──────────────────────────────────────────────────────────────────────────


def test_numbers_are_rounded_as_python_does(js: Js) -> None:
    chance = random.Random(1)
    values = [k / 128 for k in range(129)] + [k / 256 for k in range(257)]
    values += [chance.random() for _ in range(50)] + [0.0000005, 0.9999995, 1.0000005]
    values += [float(np.float32(chance.random())) for _ in range(50)]
    for value in values:
        assert js(RESULTS, "rounded", value, 6) == round(value, 6)
    for value in (0.125, 0.375, 1.005, 2.675, 12.345, 1234.625):
        assert js(RESULTS, "rounded", value, 2) == round(value, 2)


@pytest.mark.parametrize("k", [1, 2, 5, 63, 64, 65, 1000, 2000])
def test_the_best_are_those_of_python(js: Js, k: int) -> None:
    for scores in (*drawn_scores(1000, 4), np.zeros(1000, np.float32), np.ones(3, np.float32)):
        assert js(RESULTS, "topK", scores, k) == py_results.top_k(scores, k)


# ── a video ──────────────────────────────────────────────────────────────────────────────────


def test_the_mean_is_that_of_python(js: Js) -> None:
    chance = random.Random(4)
    for time_s in (0.0, 0.25, 1.0):
        ours = Smoother(dataclasses.replace(Smoothing(), time_s=time_s), 10)
        theirs = js.new(SMOOTHING, "Smoother", time_s, 10)
        now_ms = 0.0
        for number in range(40):
            now_ms += chance.choice([1, 33.3, 40, 5000])
            scores = drawn_scores(10, 40)[number]
            if number == 20:
                ours.forget()
                theirs.call("forget")
            expected = ours.step(now_ms, scores)
            np.testing.assert_allclose(theirs.call("step", now_ms, scores), expected, rtol=1e-6)


@pytest.mark.parametrize("time_ms", [100.5, 99.5, math.nan, math.inf])
def test_a_time_that_does_not_rise_is_refused(js: Js, time_ms: float) -> None:
    ours, theirs = Smoother(Smoothing(), 2), js.new(SMOOTHING, "Smoother", 0.5, 2)
    scores = np.ones(2, np.float32)
    ours.step(100.5, scores)
    theirs.call("step", 100.5, scores)
    with pytest.raises(UsageError) as expected:
        ours.step(time_ms, scores)
    with pytest.raises(JsError) as found:
        theirs.call("step", time_ms, scores)
    assert said(found.value) == said(expected.value)
    with pytest.raises(UsageError) as expected:
        ours.step(200.5, scores[:1])
    with pytest.raises(JsError) as found:
        theirs.call("step", 200.5, scores[:1])
    assert said(found.value) == said(expected.value)


def shown(js: Js, frames: list[list[float]], most: int = 3) -> list[list[int]]:
    """The classes of the rows after each frame."""
    rows = js.new(SMOOTHING, "Shown", {"enter": 0.2, "leave": 0.1, "most": most})
    return [
        [row["index"] for row in rows.call("step", np.array(frame, np.float32))] for frame in frames
    ]


def test_two_classes_that_are_alike_do_not_change_places(js: Js) -> None:
    chance = random.Random(2)
    frames = [
        [0.4 + chance.uniform(-0.01, 0.01), 0.4 + chance.uniform(-0.01, 0.01)] for _ in range(60)
    ]
    assert len({tuple(order) for order in shown(js, frames)}) == 1
    # The last place is not fought over either.
    assert len({tuple(order) for order in shown(js, frames, most=1)}) == 1


def test_a_class_at_the_threshold_does_not_flicker(js: Js) -> None:
    frames = [[0.5, 0.2 + (-0.02 if number % 2 else 0.01)] for number in range(30)]
    assert shown(js, frames) == [[0, 1]] * 30
    below = [[0.5, 0.2 - (0.02 if number % 2 else 0.01)] for number in range(30)]
    assert shown(js, below) == [[0]] * 30


def test_a_new_scene_is_shown_at_once(js: Js) -> None:
    scene, other = [0.8, 0.15, 0.0, 0.0], [0.02, 0.0, 0.25, 0.7]
    assert shown(js, [scene, other]) == [[0], [3, 2]]
    # While both fade, the better one is above, and what is clearly better takes a place.
    assert shown(js, [[0.6, 0.1], [0.4, 0.3], [0.3, 0.5]]) == [[0], [0, 1], [1, 0]]
    assert shown(js, [[0.5, 0.3, 0.0], [0.4, 0.3, 0.5]], most=2) == [[0, 1], [2, 0]]


def test_wrong_levels_are_refused(js: Js) -> None:
    with pytest.raises(UsageError) as expected:
        Smoothing(enter=0.2, leave=0.3)
    with pytest.raises(JsError) as found:
        js.new(SMOOTHING, "Shown", {"enter": 0.2, "leave": 0.3, "most": 3})
    assert said(found.value) == said(expected.value)
