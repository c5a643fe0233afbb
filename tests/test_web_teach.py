"""Teaching in the browser: the same heads, the same files, as in Python."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import make_heads
import make_models
import numpy as np
import pytest
from js import WEB, Js, JsError
from PIL import Image

from whatsit import Bundle, Labels, ModelUnsupported, _metadata, train
from whatsit._flatbuffer import pack_model, read_model
from whatsit.graph import find_head, graft
from whatsit.graph.read import Quantisation
from whatsit.splits import folds
from whatsit.train import trusting
from whatsit.train.few import fit_few
from whatsit.train.head import HeadFit, fit_head
from whatsit.trust.fitting import Answers, fitted, known_among

TEACH = "core/teach/"
LITE0 = "efficientnet-lite0-int8"
FLOAT = "mobilenet-v2-float16"
STEPS = {"int8": Quantisation.single(1 / 255, -128), "uint8": Quantisation.single(1 / 255, 0)}
NAMES = ["daisy", "rose", "tulip"]
SCHEMA = Path(__file__).parents[1] / "tools" / "web" / "schema.py"


@cache
def vectors(
    classes: int, each: int, width: int = 64, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings as a backbone gives them, of classes that lie partly in one another."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(classes, width)) * 0.35
    truth = np.repeat(np.arange(classes), each)
    found = np.maximum(middles[truth] + rng.normal(size=(len(truth), width)), 0)
    return found.astype(np.float32), truth


def taught(found: np.ndarray, truth: np.ndarray, groups: list[int] | None = None) -> dict[str, Any]:
    return {
        "vectors": found.ravel(),
        "width": found.shape[1],
        "truth": truth.tolist(),
        "groups": groups,
    }


def opened(js: Js, bundle: Bundle) -> Any:
    """A bundle of Python, as JavaScript reads it."""
    return js.keep("core/bundle.js", "readBundle", bundle.data, bundle.name)


def parts(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """A model's tables, and the files behind them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
        return data[:start], {name: archive.read(name) for name in archive.namelist()}


# ── the graph ────────────────────────────────────────────────────────────────────────────────


def test_the_schema_is_up_to_date() -> None:
    subprocess.run([sys.executable, str(SCHEMA), "--check"], check=True)


@pytest.mark.parametrize("name", [LITE0, FLOAT, *make_heads.FOREIGN])
def test_a_model_is_unpacked_and_packed_as_in_python(js: Js, name: str) -> None:
    bundle = make_heads.read(name)
    model = js.keep(TEACH + "graph.js", "readModel", bundle.data)
    assert js(TEACH + "graph.js", "packModel", model).tobytes() == pack_model(
        read_model(bundle.data)
    )


@pytest.mark.parametrize("kind", make_heads.KINDS)
def test_a_head_is_found_and_replaced_as_in_python(js: Js, kind: str) -> None:
    check_graft(js, make_heads.small(kind, embedding=STEPS.get(kind)))


@pytest.mark.parametrize("name", [LITE0, FLOAT, *make_heads.FOREIGN])
def test_a_real_head_is_replaced_as_in_python(js: Js, name: str) -> None:
    check_graft(js, make_heads.read(name))


def check_graft(js: Js, bundle: Bundle, classes: int = 5) -> None:
    head = find_head(bundle)
    rng = np.random.default_rng(1)
    weights = (rng.normal(size=(classes, head.width)) * 0.1).astype(np.float32)
    bias = rng.normal(size=classes).astype(np.float32)
    logits = (rng.normal(size=(40, classes)) * 3).astype(np.float32)
    names, facts = [f"kind {i}" for i in range(classes)], {"split": {"seed": 0}}
    expected = graft(
        bundle, weights, bias, names, name="mine", logits=logits, facts=facts, description="x"
    )
    own = opened(js, bundle)
    assert js(TEACH + "head.js", "findHead", own) == {
        "embedding": head.embedding,
        "width": head.width,
        "dtype": head.dtype,
        "storage": head.storage,
    }
    layer = {"weights": weights.ravel(), "bias": bias, "logits": logits.ravel()}
    about = {"name": "mine", "labels": names, "facts": facts, "description": "x"}
    made = js(TEACH + "graft.js", "graft", own, layer, about).tobytes()
    tables, files = parts(made)
    expected_tables, expected_files = parts(expected.data)
    assert tables == expected_tables
    assert list(files) == list(expected_files)
    assert {k: v for k, v in files.items() if k != "whatsit.json"} == {
        k: v for k, v in expected_files.items() if k != "whatsit.json"
    }
    assert json.loads(files["whatsit.json"]) == json.loads(expected_files["whatsit.json"])


def test_small_numbers_as_halves_are_those_of_numpy(js: Js) -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=4000) * 10.0 ** rng.integers(-9, 5, 4000)).astype(np.float32)
    edges = [0, -0.0, 65504, 65519.9, 6e-8, 2.98e-8, 6.1e-5, 6.09e-5, 1 / 3, 2049, 2051]
    values = np.concatenate([values, np.array(edges, np.float32)])
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16).view(np.uint16)
    assert js(TEACH + "numbers.js", "halves", values).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("labels", "message", "expected"),
    [
        (["one"], "1 class to tell apart", "at least two"),
        (["a", "b", "a "], "the class 'a' twice", "a name of its own"),
        (["a", " "], "class 1 without a name", "a name"),
        (["a", "b\nc"], "a class name of several lines", "one line a class"),
    ],
)
def test_names_that_cannot_be_classes(
    js: Js, labels: list[str], message: str, expected: str
) -> None:
    with pytest.raises(JsError) as error:
        js(TEACH + "layer_checks.js", "checkedNames", labels)
    assert error.value.code == "wrong-usage"
    assert error.value.message == message
    assert expected in error.value.expected


def test_numbers_that_no_layer_can_have(js: Js) -> None:
    own = opened(js, make_heads.small("fully connected"))
    width = find_head(make_heads.small("fully connected")).width
    weights = np.zeros(2 * width, np.float32)
    about = {"name": "x", "labels": ["a", "b"]}
    for layer, message in (
        ({"weights": weights[1:], "bias": np.zeros(2, np.float32)}, "weights and 2 biases"),
        ({"weights": weights, "bias": np.array([0, np.nan], np.float32)}, "1 of the 2 biases"),
    ):
        with pytest.raises(JsError, match=message):
            js(TEACH + "graft.js", "graft", own, {**layer, "logits": None}, about)


def test_an_int8_layer_needs_logits(js: Js) -> None:
    bundle = make_heads.small("int8", embedding=STEPS["int8"])
    width = find_head(bundle).width
    layer = {"weights": np.zeros(2 * width, np.float32), "bias": np.zeros(2, np.float32)}
    about = {"name": "x", "labels": ["a", "b"]}
    for logits, message, expected in (
        (None, "an int8 layer without logits", "what the layer gives for some pictures"),
        (np.zeros(3, np.float32), "3 logits", "[pictures, 2], of at least one picture"),
        (np.zeros(0, np.float32), "0 logits", "[pictures, 2], of at least one picture"),
    ):
        with pytest.raises(JsError) as error:
            js(TEACH + "graft.js", "graft", opened(js, bundle), {**layer, "logits": logits}, about)
        assert (error.value.code, error.value.message) == ("wrong-usage", message)
        assert error.value.expected.startswith(expected)


def test_three_means_are_refused_as_in_python(js: Js) -> None:
    metadata = _metadata.Metadata(
        mean=(1.0, 2.0, 3.5), std=(1.0, 1.0, 0.25), labels_file="labels.txt"
    )
    data = _metadata.write(
        make_models.bare(make_heads.float_input()), metadata, {"labels.txt": b"a\nb\n"}
    )
    bundle = Bundle.from_bytes(data, "three")
    with pytest.raises(ModelUnsupported) as expected:
        bundle.normalisation()
    with pytest.raises(JsError) as error:
        js("core/edges.js", "normalisation", opened(js, bundle))
    for part in ("code", "message", "expected", "hint"):
        assert getattr(error.value, part) == getattr(expected.value, part)


@pytest.mark.usefixtures("js")  # which skips where there is no Node
def test_a_page_that_is_not_secure_teaches_too() -> None:
    """Over plain http a browser has no crypto.subtle; the parent's hash is written all the same."""
    program = f"""
      Object.defineProperty(globalThis, "crypto", {{ value: {{}} }});
      const {{ sha256 }} = await import("{(WEB / "core" / "sha256.js").as_uri()}");
      const {{ readBundle }} = await import("{(WEB / "core" / "bundle.js").as_uri()}");
      const {{ graft }} = await import("{(WEB / "core" / "teach" / "graft.js").as_uri()}");
      const {{ readFileSync }} = await import("node:fs");
      const bytes = new Uint8Array(readFileSync(0));
      const layer = {{ weights: new Float32Array(+process.argv[1] * 2),
        bias: new Float32Array(2), logits: null }};
      const about = {{ name: "mine", labels: ["a", "b"] }};
      const made = await graft(readBundle(bytes, "parent"), layer, about);
      process.stdout.write(await sha256(bytes) + " ");
      process.stdout.write(readBundle(made, "mine").record.parents[0].sha256);
    """
    bundle = make_heads.small("fully connected")
    width = str(find_head(bundle).width)
    command = ["node", "--input-type=module", "-e", program, width]
    done = subprocess.run(command, input=bundle.data, capture_output=True, check=True)
    assert done.stdout.decode().split() == [bundle.sha256] * 2


def test_a_model_without_a_head_is_refused_as_in_python(js: Js) -> None:
    bundle = Bundle.from_bytes(make_models.bundle(make_models.pixels(4, 5), 60), "pixels")
    with pytest.raises(JsError) as error:
        js(TEACH + "head.js", "findHead", opened(js, bundle))
    with pytest.raises(Exception, match="no last layer") as expected:
        find_head(bundle)
    assert (error.value.code, error.value.message) == (
        expected.value.code,
        expected.value.message,
    )
    assert (error.value.expected, error.value.hint) == (
        expected.value.expected,
        expected.value.hint,
    )


def test_a_damaged_graph_is_an_error_of_ours(js: Js) -> None:
    data = make_heads.small("fully connected").data
    rng = np.random.default_rng(0)
    codes: set[str] = set()
    for _ in range(150):
        broken = bytearray(data)
        for place in rng.integers(0, len(parts(data)[0]), 6):
            broken[place] = int(rng.integers(256))
        source = {"name": "x", "bytes": bytes(broken), "output": {"classes": 2}}
        try:
            js(TEACH + "head.js", "findHead", source)
        except JsError as error:
            codes.add(error.code)
    assert codes <= {"model-damaged", "model-unsupported"}


# ── the head ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [7, 60, 331])
def test_folds_are_those_of_python(js: Js, count: int) -> None:
    rng = np.random.default_rng(count)
    truth = rng.integers(0, 4, count)
    groups = rng.integers(0, count, count)
    for given in (None, groups.tolist()):
        expected = folds([str(index) for index in truth], given, count=5, seed=3)
        found = js(TEACH + "splits.js", "folds", truth.tolist(), given, 5, 3)
        assert [tuple(part) for part in found] == expected


def check_same_head(fit: dict[str, Any], expected: HeadFit, found: np.ndarray) -> None:
    weights = fit["weights"].reshape(expected.weights.shape)
    logits = found @ weights.T + fit["bias"]
    assert fit["rule"] == expected.rule
    assert fit["strength"] == expected.strength
    assert fit["judged"] == expected.judged
    for one, other in zip(fit["scores"], expected.scores, strict=True):
        assert one["loss"] == pytest.approx(other.loss, abs=1e-3)
        assert one["accuracy"] == pytest.approx(other.accuracy, abs=0.02)
    assert (logits.argmax(axis=1) == expected.logits(found).argmax(axis=1)).mean() > 0.99
    assert np.abs(logits - expected.logits(found)).max() < 0.02


@pytest.mark.parametrize(("classes", "each", "width"), [(3, 20, 1280), (2, 15, 64), (6, 80, 64)])
def test_a_head_is_that_of_python(js: Js, classes: int, each: int, width: int) -> None:
    found, truth = vectors(classes, each, width)
    groups = [int(row) // 3 for row in range(len(truth))]
    for given in (None, groups):
        fit = js(TEACH + "fit.js", "fitHead", taught(found, truth, given))
        expected = fit_head(found, truth, groups=given)
        check_same_head(fit, expected, found)
        outcome = expected.outcome
        assert outcome is not None
        assert fit["outcome"]["rows"] == outcome.rows.tolist()
        own = fit["outcome"]["logits"].reshape(outcome.logits.shape)
        np.testing.assert_allclose(own, outcome.logits, atol=0.05)


@pytest.mark.parametrize("grouped", [False, True])
def test_a_head_of_few_pictures_is_that_of_python(js: Js, grouped: bool) -> None:
    found, truth = vectors(4, 6, 200)
    groups = [int(row) // 2 for row in range(len(truth))] if grouped else None
    fit = js(TEACH + "few.js", "fitFew", taught(found, truth, groups))
    expected = fit_few(found, truth, groups=groups)
    check_same_head(fit, expected, found)
    assert expected.outcome is not None
    own = fit["outcome"]["logits"].reshape(expected.outcome.logits.shape)
    np.testing.assert_allclose(own, expected.outcome.logits, atol=1e-3)


def test_classes_whose_pictures_all_look_the_same_cannot_be_judged(js: Js) -> None:
    found, truth = vectors(3, 4, 200)
    fit = js(TEACH + "few.js", "fitFew", taught(found, truth, truth.tolist()))
    assert (fit["scores"], fit["outcome"]) == ([], None)
    fit = js(TEACH + "fit.js", "fitHead", taught(found, truth, truth.tolist()))
    assert (fit["scores"], fit["outcome"]) == ([], None)


def test_what_cannot_be_learned_from(js: Js) -> None:
    found, truth = vectors(2, 5)
    for given, message in (
        (taught(found, truth * 0), "the classes [0]"),
        (taught(found, truth + 1), "the classes [1, 2]"),
        (taught(found * np.float32(np.nan), truth), "640 values for 10 pictures"),
    ):
        with pytest.raises(JsError) as error:
            js(TEACH + "fit.js", "fitHead", given)
        assert (error.value.code, error.value.message) == ("wrong-usage", message)


@pytest.mark.parametrize("grouped", [False, True])
def test_trust_is_that_of_python(js: Js, grouped: bool) -> None:
    found, truth = vectors(3, 20, 100)
    groups = np.arange(len(truth)) // 4 if grouped else None
    fit = fit_head(found, truth, groups=None if groups is None else groups.tolist())
    assert fit.outcome is not None
    scores = trusting._softmax(fit.outcome)
    expected = fitted(
        Answers(scores, fit.outcome.truth),
        Labels(tuple(NAMES)),
        data_set="mine",
        tensor=7,
        known=known_among(found, truth, 3, 7, groups),
    ).to_json()
    outcome = {
        "rows": fit.outcome.rows.tolist(),
        "truth": fit.outcome.truth.tolist(),
        "logits": fit.outcome.logits.ravel(),
    }
    about = {"classes": 3, "tensor": 7, "dataSet": "mine"}
    given = taught(found, truth, None if groups is None else groups.tolist())
    trust = js(TEACH + "trusting.js", "trustOf", given, outcome, about)
    assert trust["temperature"] == pytest.approx(expected["temperature"], abs=2e-4)
    np.testing.assert_allclose(trust["error"], expected["error"], atol=2e-4)
    np.testing.assert_allclose(trust["places"], expected["places"], atol=2e-5)
    np.testing.assert_allclose(trust["misled"], expected["misled"])
    np.testing.assert_allclose(trust["known"]["scores"], expected["known"]["scores"], atol=2e-6)
    assert trust["known"]["prototypes"] == expected["known"]["prototypes"]
    assert {k: trust[k] for k in ("data_set", "pictures")} == {"data_set": "mine", "pictures": 60}


def test_too_few_answers_say_nothing_of_trust(js: Js) -> None:
    found, truth = vectors(3, 6, 100)
    fit = js(TEACH + "few.js", "fitFew", taught(found, truth))
    about = {"classes": 3, "tensor": 7, "dataSet": "mine"}
    assert js(TEACH + "trusting.js", "trustOf", taught(found, truth), fit["outcome"], about) is None


# ── pictures of one moment ───────────────────────────────────────────────────────────────────


def test_pictures_of_one_moment_or_of_one_look_belong_together(js: Js) -> None:
    found, _ = vectors(1, 8, 100)
    moments: list[int | None] = [1000, 1200, 1900, 2100, None, None, 9000, None]
    groups = js(TEACH + "groups.js", "groupsOf", found.ravel(), 100, moments)
    assert groups == [0, 0, 0, 1, 2, 3, 4, 5]
    found = np.concatenate([found[:5], found[:3] * 1.001])
    groups = js(TEACH + "groups.js", "groupsOf", found.ravel(), 100, [None] * 8)
    assert groups == [0, 1, 2, 3, 4, 0, 1, 2]


def test_a_camera_that_moves_on_makes_new_groups(js: Js) -> None:
    angles = np.arange(40) * 0.1  # each as near to the last as pictures of one place are
    found = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    groups = js(TEACH + "groups.js", "groupsOf", found.ravel(), 2, [None] * 40)
    assert groups == [row // 4 for row in range(40)]


# ── the whole lesson ─────────────────────────────────────────────────────────────────────────


def lesson(
    js: Js, bundle: Bundle, found: np.ndarray, truth: np.ndarray, names: list[str] = NAMES
) -> tuple[dict[str, Any], Bundle]:
    material = [
        {
            "name": name,
            "vectors": found[truth == index].ravel(),
            "moments": [None] * int((truth == index).sum()),
            "types": ["image/jpeg"] * int((truth == index).sum()),
        }
        for index, name in enumerate(names)
    ]
    own = opened(js, bundle)
    made = js(TEACH + "lesson.js", "teach", own, material, {"name": "mine"})
    return made, Bundle.from_bytes(made.pop("bytes").tobytes(), "mine")


@pytest.mark.parametrize("name", [LITE0, FLOAT])
def test_a_taught_bundle_is_one_of_ours(js: Js, name: str) -> None:
    parent = make_heads.read(name)
    width = find_head(parent).width
    found, truth = vectors(3, 20, width)
    made, bundle = lesson(js, parent, found, truth)
    assert bundle.labels.names == tuple(NAMES)
    assert bundle.preprocess == parent.preprocess
    assert bundle.record["parents"][-1] == {"name": parent.name, "sha256": parent.sha256}
    assert bundle.record["licence"] == parent.record["licence"]
    assert bundle.record["recipe"]["pictures"] == dict.fromkeys(NAMES, 20)
    assert bundle.record["split"]["train"]["pictures"] == 60
    row = bundle.record["accuracy"][0]
    assert row["data_set"] == "mine, cross-validation of the pictures learned from"
    assert (row["pictures"], made["estimate"]["judged"]) == (60, 60)
    assert row["top1"] == round(100 * made["estimate"]["right"] / 60, 2)
    assert made["calibrated"]
    assert bundle.metadata.description == f"mine: 3 classes, taught to {parent.name}"


def test_few_pictures_of_each_class_are_enough_for_a_bundle(js: Js) -> None:
    found, truth = vectors(3, 3, 1280)
    made, bundle = lesson(js, make_heads.read(LITE0), found, truth)
    assert made["rule"] in ("ridge", "means")
    assert not made["calibrated"]
    assert "trust" not in bundle.record
    assert bundle.record["accuracy"][0]["data_set"] == "mine, each picture left out in turn"


def test_one_picture_is_too_few(js: Js) -> None:
    found, truth = vectors(3, 3, 1280)
    with pytest.raises(JsError) as error:
        lesson(js, make_heads.read(LITE0), found[2:], truth[2:])
    assert error.value.code == "dataset-unusable"
    assert error.value.message == "the class 'daisy' has 1 picture"


def test_pictures_that_look_the_same_are_told(js: Js) -> None:
    found, truth = vectors(3, 20, 1280)
    found = found.copy()
    found[truth == 1] = found[truth == 1][0]
    made, _ = lesson(js, make_heads.read(LITE0), found, truth)
    assert made["alike"] == ["rose"]


# ── the archive ──────────────────────────────────────────────────────────────────────────────


def test_names_are_safe_on_every_system(js: Js) -> None:
    names = [
        "a/b",
        "A/B",
        "con",
        "..",
        "x" * 90,
        "crème brûlée",
        "tab\there",
        "end. ",
        "日本",
        "nul.x",
    ]
    folders = js(TEACH + "archive.js", "folderNames", names)
    assert folders[:4] == ["a-b", "A-B 2", "con_", "class"]
    assert folders[4:] == ["x" * 60, "crème brûlée", "tab-here", "end", "日本", "nul-x_"]


def test_train_reads_the_archive(js: Js, tmp_path: Path, cat: Path, coffee: Path) -> None:
    pictures = []
    for file in (cat, coffee):
        own = []
        with Image.open(file) as image:
            for left in (0, 20, 40, 60):
                stream = io.BytesIO()
                image.convert("RGB").crop((left, left, left + 200, left + 180)).save(stream, "JPEG")
                own.append({"bytes": stream.getvalue(), "type": "image/jpeg"})
        pictures.append({"name": f"the {file.stem}?", "pictures": own})
    path = tmp_path / "mine.zip"
    path.write_bytes(js(TEACH + "archive.js", "archive", pictures).tobytes())
    report = train(path)
    assert report.bundle.labels.names == ("the cat-", "the coffee-")
    assert report.pictures == {"the cat-": 4, "the coffee-": 4}
