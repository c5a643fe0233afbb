"""The engine of the web app in a real browser: its answers are Python's."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import numpy as np
import pytest
from engine_page import (
    DEFAULT,
    Asker,
    Opened,
    base64_of,
    chromium,
    opened,
    plain,
    rgb,
    running,
    site,
    still_works,
)
from js import Js
from make_models import bundle, padded, pixels
from PIL import Image
from test_web_explain import same

import whatsit
from whatsit import Bundle, Classifier, zoo
from whatsit.graph import graft
from whatsit.serve.site import Site, is_built
from whatsit.zoo.golden_answers import judge

__all__ = ["chromium", "opened", "plain", "running", "site"]  # fixtures

pytestmark = pytest.mark.skipif(not is_built(), reason="the web app is not built: make web")

OTHERS = [name for name in zoo.catalogue() if name != DEFAULT]
SAME = 1e-6  # integer arithmetic: the same on every engine but for the last bit of a float
FLOAT16 = 1e-4
BUILDS = ["threaded", "relaxed", "compat"]


# ── its answers are Python's ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("build", BUILDS)
def test_each_build_gives_the_scores_of_python(plain: Asker, build: str) -> None:
    started = plain("start", {"build": build}, DEFAULT)
    assert started["facts"]["build"] == build
    assert started["facts"]["threads"] == (started["facts"]["threads"] if build == BUILDS[0] else 1)
    with whatsit.load(DEFAULT, raw=True) as classifier:
        for picture in ("cat.png", "rocket.jpg"):
            expected = classifier.scorer()(rgb(picture)).scores
            found = plain.classify(rgb(picture), raw=True, all=True)
            assert np.abs(np.array(found["scores"]) - expected).max() <= SAME


@pytest.mark.parametrize("model", OTHERS)
def test_every_model_gives_the_scores_of_python(plain: Asker, model: str) -> None:
    facts = plain("start", {}, model)["model"]
    assert facts["builtin"]
    picture = rgb("cat.png")
    with whatsit.load(model, raw=True) as classifier:
        expected = classifier.scorer()(picture).scores
    found = plain.classify(picture, raw=True, all=True)["scores"]
    tolerance = FLOAT16 if "float16" in model else SAME
    assert np.abs(np.array(found) - expected).max() <= tolerance


def test_the_whole_answer_is_that_of_python(running: Asker) -> None:
    with whatsit.load(DEFAULT, embeddings=True) as classifier:
        for picture in ("cat.png", "coffee.png", "temple.jpg"):
            expected = classifier.classify(rgb(picture), top=3, threshold=0.01)
            found = running.classify(rgb(picture), top=3, threshold=0.01)
            ours, theirs = expected.to_json(), found["result"]
            assert theirs.pop("timings_ms").keys() == ours.pop("timings_ms").keys()
            for mine, other in zip(ours["predictions"], theirs["predictions"], strict=True):
                assert mine.pop("score") == pytest.approx(other.pop("score"), abs=2e-6)
            for key in ("broader", "probably"):
                if ours[key] is not None:
                    assert ours[key].pop("score") == pytest.approx(
                        theirs[key].pop("score"), abs=2e-6
                    )
            assert theirs == ours


def test_the_embedding_is_that_of_python(running: Asker) -> None:
    picture = rgb("cat.png")
    height, width, _ = picture.shape
    with whatsit.load(DEFAULT, embeddings=True) as classifier:
        expected = classifier.classify(picture).embedding
    found = running("embed", base64_of(picture.tobytes()), width, height)
    assert expected is not None
    assert np.array_equal(np.array(found, np.float32), expected)


@pytest.mark.parametrize(
    ("model", "picture", "rule"),
    [
        (DEFAULT, "cat.png", None),
        (DEFAULT, "temple.jpg", "pad(bicubic)"),
        ("efficientnet-lite0-float16", "rocket.jpg", None),
        ("mobilenet-v2-int8", "flower.jpg", None),
    ],
)
def test_an_explanation_is_that_of_python(
    running: Asker, model: str, picture: str, rule: str | None
) -> None:
    running("open", model)
    height, width, _ = rgb(picture).shape
    found = running("explain", base64_of(rgb(picture).tobytes()), width, height, {"rule": rule})
    same(found, whatsit.explain(model, rgb(picture), preprocess=rule, runtime="litert"))
    again = {"target": found["versus"]["label"], "versus": found["target"]["index"]}
    other = running("explain", base64_of(rgb(picture).tobytes()), width, height, again)
    assert other["target"]["index"] == found["versus"]["index"]
    best = running.classify(rgb(picture), rule=rule)["result"]["predictions"][0]
    assert best["index"] == found["target"]["index"]
    assert best["score"] == pytest.approx(found["target"]["score"], abs=1e-6)


def test_a_taught_model_says_why_and_one_without_a_map_why_not(running: Asker) -> None:
    parent = zoo.open_builtin(DEFAULT)
    weights = np.random.default_rng(3).normal(size=(3, 1280)).astype(np.float32) / 12
    logits = np.array([[-4.0, 0.0, 4.0]], np.float32)
    taught = graft(parent, weights, np.zeros(3, np.float32), list("abc"), logits=logits, name="abc")
    running("openBytes", "abc", base64_of(taught.data), None)
    picture = rgb("coffee.png")
    height, width, _ = picture.shape
    found = running("explain", base64_of(picture.tobytes()), width, height, {"target": "b"})
    same(found, whatsit.explain(taught, picture, target="b", runtime="litert"))
    running("openBytes", "tiny", base64_of(bundle(pixels(scale=1 / 255), 768)), None)
    error = running("explain", base64_of(picture.tobytes()), width, height, {})["error"]
    assert error["code"] == "model-unsupported"
    assert error["message"].startswith("model 'tiny' cannot say why: ")
    assert "taught from them" in error["hint"]


def test_twenty_thousand_classes_are_answered_as_in_python(running: Asker) -> None:
    count = 20_000
    parent = zoo.open_builtin(DEFAULT)
    labels = [f"species {index} of the meadow" for index in range(count)]
    data = Bundle.create(
        padded(parent.data, 9_000, 10_000),
        name="meadow",
        labels=labels,
        preprocess=parent.preprocess,
        mean=parent.input.mean[0],
        std=parent.input.std[0],
    ).data
    facts = running("openBytes", "meadow", base64_of(data), None)
    assert (facts["classes"], facts["labels"]) == (count, labels)
    with Classifier(Bundle.from_bytes(data, "meadow")) as classifier:
        expected = classifier.classify(rgb("cat.png"), top=count).to_json()["predictions"]
    found = running.classify(rgb("cat.png"), top=count, all=True)
    scores = [row.pop("score") for row in found["result"]["predictions"]]
    assert np.abs(np.array(scores) - [row.pop("score") for row in expected]).max() <= SAME
    assert found["result"]["predictions"] == expected  # the zeros in their order, too
    assert len(found["scores"]) == count


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("size", [(50, 20_000), (20_000, 50)])
def test_a_very_long_picture_is_answered_as_in_python(
    running: Asker, size: tuple[int, int], kind: str
) -> None:
    width, height = size
    picture = np.random.default_rng(1).integers(0, 256, (height // 10, width // 10, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).resize(size).save(file, kind)
    for rule in ("crop", "pad", "stretch"):
        found = running("classifyFile", base64_of(file.getvalue()), {"rule": rule, "all": True})
        assert found["size"] == list(size)
        with whatsit.load(DEFAULT, preprocess=rule) as classifier:
            expected = classifier.classify(file.getvalue(), top=1000).predictions
        furthest = max(abs(found["scores"][row.index] - row.score) for row in expected)
        assert furthest <= SAME, rule


def test_facts_say_what_the_bundle_says(running: Asker) -> None:
    entry = zoo.catalogue()[DEFAULT]
    facts = running("open", DEFAULT)
    assert facts["labels"] == list(zoo.open_builtin(DEFAULT).labels.names)
    assert (facts["sha256"], facts["bytes"]) == (entry.sha256, entry.size_bytes)
    assert facts["rule"] == entry.preprocess
    assert tuple(facts["input"]) == entry.input
    assert facts["calibrated"]


def test_what_the_model_saw_of_a_picture_is_told(running: Asker) -> None:
    picture = np.zeros((300, 600, 3), np.uint8)
    whole = running.classify(picture, rule="stretch")
    assert whole["crop"] == {"left": 0, "top": 0, "right": 1, "bottom": 1}
    assert (whole["size"], whole["inputSize"]) == ([600, 300], [224, 224])
    cut = running.classify(picture, rule="crop")["crop"]
    assert cut == pytest.approx({"left": 0.25, "top": 0, "right": 0.75, "bottom": 1})
    trained = running.classify(picture)["crop"]
    assert trained["bottom"] - trained["top"] == pytest.approx(0.875)


def test_live_video_is_resized_by_the_browser_and_its_frames_are_closed(running: Asker) -> None:
    found = running.evaluate(
        """async () => {
          const blob = await (await fetch("samples/camera.jpg")).blob();
          const still = await engine.classify(blob);
          const bitmap = await createImageBitmap(blob);
          const live = await engine.classify(bitmap, {exact: false});
          const frame = new VideoFrame(await createImageBitmap(blob), {timestamp: 0});
          const video = await engine.classify(frame, {exact: false});
          const padded = await engine.classify(await createImageBitmap(blob),
            {exact: false, rule: "pad"});
          return {still, live, video, padded, closed: [bitmap.width, frame.codedWidth]};
        }"""
    )
    best = [found[way]["result"]["predictions"][0] for way in ("still", "live", "video", "padded")]
    assert {row["label"] for row in best} == {"tripod"}
    assert found["live"]["crop"] == found["still"]["crop"]
    assert found["live"]["size"] == [480, 480]
    assert found["closed"] == [0, 0]


def test_a_worker_without_canvas_is_given_what_the_page_draws(opened: Opened, site: Site) -> None:
    worker = b"self.OffscreenCanvas = undefined;\n" + site.files["engine/worker.js"].read()
    with opened(changed={"engine/worker.js": worker}) as ask:
        ask("start", {"build": "relaxed"}, DEFAULT)
        assert ask.evaluate("async () => (await engine.selfTest()).passed")
        found = ask.evaluate(
            """async () => {
              const blob = await (await fetch("samples/camera.jpg")).blob();
              return engine.classify(await createImageBitmap(blob), {exact: false});
            }"""
        )
        assert found["result"]["predictions"][0]["label"] == "tripod"


# ── the self-test ────────────────────────────────────────────────────────────────────────────


def test_the_self_test_passes_on_a_good_build(plain: Asker) -> None:
    plain("start", {}, DEFAULT)
    found = plain.evaluate("() => engine.selfTest()")
    assert found["passed"]
    assert [check["picture"] for check in found["checks"]] == ["camera.jpg", "cat.jpg"]
    assert all(check["difference"] < 1e-3 for check in found["checks"])


def test_a_build_with_wrong_answers_is_left_for_the_next(plain: Asker) -> None:
    plain("start", {}, DEFAULT)
    found = plain.evaluate(
        """async () => {
          const right = Engine.prototype.classify;
          Engine.prototype.classify = async function (source, options) {
            const answer = await right.call(this, source, options);
            if (this.facts.build === "threaded") answer.scores = answer.scores.map(() => 0.5);
            return answer;
          };
          try {
            return {test: await engine.selfTest(), facts: engine.facts, name: engine.model.name};
          } finally {
            Engine.prototype.classify = right;
          }
        }"""
    )
    assert found["test"]["passed"]
    assert found["facts"]["build"] == found["test"]["build"] == "relaxed"
    assert found["name"] == DEFAULT
    threaded, relaxed = found["facts"]["tried"]
    assert (threaded["build"], threaded["passed"]) == ("threaded", False)
    assert "its scores of camera.jpg are 0.4" in threaded["reason"]
    assert relaxed == {"build": "relaxed", "passed": True, "reason": ""}


def test_where_no_build_is_right_the_self_test_says_so(opened: Opened, site: Site) -> None:
    expected = json.loads(site.files["samples/expected.json"].read())
    expected[zoo.catalogue()[DEFAULT].sha256]["cat.jpg"][0][1] = 0.9
    wrong = json.dumps(expected).encode()
    with opened(changed={"samples/expected.json": wrong}) as ask:
        ask("start", {}, DEFAULT)
        found = ask.evaluate("() => engine.selfTest()")
        tried = ask.evaluate("engine.facts.tried")
    assert not found["passed"]
    assert [(row["build"], row["passed"]) for row in tried] == [(name, False) for name in BUILDS]


def test_a_model_of_ones_own_is_only_known_to_run(running: Asker) -> None:
    data = bundle(pixels(scale=1 / 255), 768)
    facts = running("openBytes", "tiny", base64_of(data), None)
    assert not facts["builtin"]
    assert not facts["calibrated"]
    found = running.evaluate("() => engine.selfTest()")
    assert found["passed"]
    assert [check["expected"] for check in found["checks"]] == [None, None]
    picture = np.arange(768, dtype=np.uint32).astype(np.uint8).reshape(16, 16, 3)
    scores = running.classify(picture, all=True)["scores"]
    expected = Bundle.from_bytes(data, "tiny")
    assert len(scores) == expected.output.classes
    assert np.allclose(scores, picture.reshape(-1) / 255, atol=SAME)


@pytest.mark.parametrize("seed", range(6))
def test_scores_are_judged_as_in_python(js: Js, seed: int) -> None:
    noise = np.random.default_rng(seed)
    scores = noise.random(20).astype(np.float32)
    best = np.argsort(-scores)[:5]
    off = 0.03 * (seed + 1)
    expected = [(int(i), float(scores[i] + noise.uniform(-off, off))) for i in best]
    difference, passed = judge({i: float(s) for i, s in enumerate(scores)}, expected)
    found = js("engine/selftest.js", "judge", scores, [list(pair) for pair in expected])
    assert found["difference"] == pytest.approx(difference)
    assert found["passed"] is passed


# ── what cannot run is left for what can ─────────────────────────────────────────────────────


def test_a_page_that_is_not_isolated_has_no_threads(opened: Opened) -> None:
    with opened(isolated=False) as ask:
        facts = ask("start", {}, DEFAULT)["facts"]
        assert (facts["build"], facts["isolated"], facts["threads"]) == ("relaxed", False, 1)
        assert "no memory" in facts["tried"][0]["reason"]


@pytest.mark.parametrize("spoilt", [None, b"\0asm no more"])
def test_a_build_that_does_not_start_is_left_for_the_next(
    opened: Opened, spoilt: bytes | None
) -> None:
    files = {"rt/litert_wasm_threaded_internal.wasm": spoilt}
    with opened(changed=files) as ask:
        facts = ask("start", {}, DEFAULT)["facts"]
        assert facts["build"] == "relaxed"
        assert [row["passed"] for row in facts["tried"]] == [False, True]
        assert facts["tried"][0]["reason"]


@pytest.mark.parametrize("missing", ["rt/litert.js", "core/bundle.js"])
def test_without_any_build_there_is_an_error(opened: Opened, missing: str) -> None:
    with opened(changed={missing: None}) as ask:
        error = ask("start", {})["error"]
        assert error["code"] == "runtime-unavailable"
        assert error["message"].startswith("no engine starts here: ")
        assert error["expected"]
        assert error["hint"]


# ── models that do not open ──────────────────────────────────────────────────────────────────


def test_a_model_with_another_sha256_is_refused(running: Asker) -> None:
    data = bundle(pixels(scale=1 / 255), 768)
    other = hashlib.sha256(b"").hexdigest()
    error = running("openBytes", "tiny", base64_of(data), other)["error"]
    assert error["code"] == "model-damaged"
    assert error["message"] == "model 'tiny' is not the file that was asked for"
    assert error["expected"] == f"sha256 {other}"
    still_works(running)
    assert running("openBytes", "tiny", base64_of(data), hashlib.sha256(data).hexdigest())["sha256"]


def test_a_model_that_cannot_be_fetched_is_told(running: Asker) -> None:
    error = running("open", "no-such-model")["error"]
    assert error["code"] == "download-failed"
    assert error["message"] == "model 'no-such-model' cannot be fetched: the server answers 404"
    still_works(running)


def test_damaged_models_leave_the_one_before_in_use(running: Asker) -> None:
    data = (zoo.GOLDEN.parent / f"{DEFAULT}.tflite").read_bytes()
    noise = np.random.default_rng(5)
    damaged = [b"", data[: len(data) // 2]]
    for _ in range(2):  # tables of the graph stand at the end, before the labels
        spoilt = bytearray(data)
        at = int(noise.integers(len(data) * 0.8, len(data) * 0.98))
        spoilt[at : at + 2000] = noise.bytes(2000)
        damaged.append(bytes(spoilt))
    for case in damaged:
        answer = running("openBytes", "damaged", base64_of(case), None)
        if "error" in answer:
            assert answer["error"]["code"].startswith("model-"), answer
            still_works(running)
        else:
            running("open", DEFAULT)


def test_a_model_that_gives_no_probabilities_is_refused(running: Asker) -> None:
    data = bundle(pixels(scale=1.0), 768)
    answer = running("openBytes", "tiny", base64_of(data), None)
    assert "error" not in answer  # of black pixels its scores are 0
    error = running.classify(np.full((16, 16, 3), 255, np.uint8))["error"]
    assert error["code"] == "model-damaged"
    assert error["message"] == "model 'tiny' gives scores from 255 to 255"


# ── measuring, and what else it counts on ────────────────────────────────────────────────────


def test_measuring_gives_every_stage(running: Asker) -> None:
    found = running.evaluate(
        """async () => {
          const steps = [];
          const measured = await engine.measure({runs: 5, warmup: 2, onStep: (s) => steps.push(s)});
          return {measured, steps};
        }"""
    )
    measured = found["measured"]
    assert measured["runs"] == 5
    assert list(measured["stages"]) == ["preprocess", "inference", "post", "total"]
    for times in measured["stages"].values():
        assert 0 <= times["min"] <= times["median"] <= times["p95"] <= times["max"]
    assert [step["done"] for step in found["steps"]] == [1, 2, 3, 4, 5, 6, 7]


def test_spreads_are_those_of_numpy(js: Js) -> None:
    times = np.random.default_rng(1).random(37) * 20
    found = js("engine/measuring.js", "spread", list(times))
    assert found["median"] == pytest.approx(np.median(times))
    assert found["p95"] == pytest.approx(np.percentile(times, 95))
    assert found["mean"] == pytest.approx(times.mean())


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 100_000])
def test_sha256_in_plain_code_is_sha256(js: Js, length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    found = js("core/sha256.js", "plainSha256", data)
    assert bytes(found) == hashlib.sha256(data).digest()
    assert js("core/sha256.js", "sha256", data) == hashlib.sha256(data).hexdigest()


ALL = {"isolated": True, "relaxedSimd": True, "cores": 8}


@pytest.mark.parametrize(
    ("build", "features", "threads", "word"),
    [
        ("threaded", ALL, 4, ""),
        ("threaded", {**ALL, "isolated": False}, 4, "isolated"),
        ("threaded", {**ALL, "relaxedSimd": False}, 4, "SIMD"),
        ("threaded", ALL, 1, "one thread"),
        ("relaxed", {**ALL, "relaxedSimd": False}, 4, "SIMD"),
        ("compat", {**ALL, "relaxedSimd": False, "isolated": False}, 4, ""),
    ],
)
def test_builds_are_held_against_what_the_browser_can(
    js: Js, build: str, features: dict[str, Any], threads: int, word: str
) -> None:
    reason = js("engine/builds.js", "reasonAgainst", build, features, threads)
    assert word in reason
    assert bool(reason) == bool(word)
