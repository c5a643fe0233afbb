"""New last layers in real models: right answers, in every engine, in a file of the right size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import make_heads
import make_models
import numpy as np
import pytest
from PIL import Image

import whatsit
from whatsit import Bundle, Labels, _metadata, zoo
from whatsit._flatbuffer import read_model
from whatsit.graph import find_head, graft, last_layer
from whatsit.graph.read import Op, Quantisation, op_code, tensor_name
from whatsit.runtimes.base import Array

OPEN = [*zoo.catalogue(), *make_heads.FOREIGN]
FLOWERS = make_heads.SHARED / "data" / "flowers"
LITE0 = "efficientnet-lite0-int8"
SOME = [LITE0, "mobilenet-v2-float16", *make_heads.FOREIGN]  # where an engine is slow to start


@cache
def golden(name: str) -> tuple[list[Array], np.ndarray]:
    """The golden pictures and their embeddings (N, D)."""
    bundle = make_heads.read(name)
    batches = make_heads.golden_batches(bundle)
    return batches, make_heads.embed(bundle, batches)


@cache
def again(name: str) -> Bundle:
    """A model with its own last layer in place of its own."""
    bundle = make_heads.read(name)
    layer = last_layer(bundle)
    logits = golden(name)[1] @ layer.weights.T + layer.bias
    return graft(bundle, layer.weights, layer.bias, bundle.labels, logits=logits, name="again")


def names(count: int) -> list[str]:
    return [f"kind {index}" for index in range(count)]


def random_layer(classes: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Weights as training makes them: their logits spread over some nats."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(classes, width)) * 3 / np.sqrt(width)
    return weights.astype(np.float32), rng.normal(size=classes).astype(np.float32)


def taught(name: str, classes: int, labels: Sequence[str] | None = None) -> Bundle:
    """A model with a random layer."""
    bundle = make_heads.read(name)
    weights, bias = random_layer(classes, find_head(bundle).width)
    logits = golden(name)[1] @ weights.T + bias
    return graft(bundle, weights, bias, labels or names(classes), logits=logits, name="taught")


@pytest.mark.parametrize("name", OPEN)
def test_a_models_own_layer_gives_its_own_answers(name: str) -> None:
    batches, _ = golden(name)
    parent, child = (make_heads.answers(b, batches) for b in (make_heads.read(name), again(name)))
    ahead = np.sort(parent, axis=1)
    clear = ahead[:, -1] - ahead[:, -2] > 0.02  # the smallest model leaves two classes equal
    assert (child.argmax(axis=1) == parent.argmax(axis=1))[clear].all()
    assert clear.sum() >= 5
    # One step of the logits, up to 0.13 in the parent and 0.11 in the child, on either side.
    np.testing.assert_allclose(child, parent, rtol=0, atol=1e-4 if "float16" in name else 0.06)


@pytest.mark.parametrize("classes", [2, 5, 1000, 2000])
@pytest.mark.parametrize("name", OPEN)
def test_a_layer_of_any_number_of_classes(name: str, classes: int) -> None:
    batches, vectors = golden(name)
    weights, bias = random_layer(classes, find_head(make_heads.read(name)).width)
    child = taught(name, classes)
    assert (child.output.dtype, child.output.classes) == ("float32", classes)
    found = make_heads.answers(child, batches)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-4)
    expected = make_heads.softmax(vectors @ weights.T + bias)
    # A step of logits that go from -25 to 25 is 0.2, of which a half may be lost at either class.
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.08)


def test_the_old_layer_is_not_in_the_file() -> None:
    parent, child = make_heads.read(LITE0), taught(LITE0, 5)
    old_layer = 1000 * 1280
    record = len(_metadata.read_files(parent.data)["whatsit.json"])
    assert len(parent.data) - len(child.data) > old_layer + 0.9 * record
    assert 3.8e6 < len(child.data) < 4.0e6
    weights = last_layer(parent).weights
    stored = np.rint(weights / np.abs(weights).max() * 127).astype(np.int8)
    assert stored[500].tobytes() in parent.data
    assert stored[500].tobytes() not in child.data


@pytest.mark.parametrize(
    ("name", "dtype", "code"),
    [
        (LITE0, "int8", Op.CONV_2D),
        ("mobilenet-v2-float16", "float16", Op.FULLY_CONNECTED),
        ("mobilenet_v1_0.25_128_quant", "float16", Op.FULLY_CONNECTED),
        ("tf2_mobilenet_v2_1.0_224_ptq", "int8", Op.CONV_2D),
    ],
)
def test_the_layer_is_stored_as_the_old_one_was(name: str, dtype: str, code: int) -> None:
    model = read_model(taught(name, 20).data)
    graph = model.subgraphs[0]
    (weights,) = [t for t in graph.tensors if tensor_name(t) == "logits/weights"]
    assert len(model.buffers[weights.buffer].data) == {"int8": 1, "float16": 2}[dtype] * np.prod(
        weights.shape
    )
    assert code in [op_code(model, operator) for operator in graph.operators[-5:]]
    assert op_code(model, graph.operators[-1]) == Op.SOFTMAX
    named = [tensor_name(tensor) for tensor in graph.tensors]
    assert len(set(named)) == len(named)
    assert not any(";" in name for name in named)


def test_float32_stays_float32() -> None:
    bundle = make_heads.small("fully connected")
    child = graft(bundle, *random_layer(2000, 3), names(2000), name="wide")
    assert find_head(child).storage == "float32"
    np.testing.assert_array_equal(last_layer(child).weights, random_layer(2000, 3)[0])


def test_a_layer_too_small_for_float16_does_not_hide_what_the_rest_is() -> None:
    few = taught("mobilenet-v2-float16", 2)  # 2560 weights
    assert find_head(few).storage == "float16"
    assert last_layer(few).weights.tolist() == random_layer(2, 1280)[0].tolist()


def test_weights_beyond_float16_are_stored_as_float32() -> None:
    bundle = make_heads.small("float16")
    weights, bias = random_layer(2000, 3)
    weights[7, 1] = 1e6
    child = graft(bundle, weights, bias, names(2000), name="wide")
    np.testing.assert_array_equal(last_layer(child).weights, weights)


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert taught(LITE0, 5).data == taught(LITE0, 5).data


def test_what_is_inherited_and_what_is_new() -> None:
    parent = make_heads.read(LITE0)
    weights, bias = random_layer(2, 1280)
    facts = {"recipe": {"seed": 7}, "accuracy": [{"data_set": "mine", "top1": 99.0}]}
    child = graft(
        parent, weights, bias, ["no", "yes"], logits=np.eye(2), facts=facts, name="yes-no",
        description="says yes",
    )  # fmt: skip
    assert child.name == "yes-no"
    assert child.labels.names == ("no", "yes")
    assert child.preprocess == parent.preprocess
    assert (child.metadata.mean, child.metadata.std) == (parent.metadata.mean, parent.metadata.std)
    assert (child.metadata.license, child.metadata.author) == (
        parent.metadata.license,
        parent.metadata.author,
    )
    assert child.metadata.description == "says yes"
    files = [_metadata.read_files(bundle.data)["LICENSE.txt"] for bundle in (parent, child)]
    assert files[0] == files[1]
    record = dict(child.record)
    assert record.pop("parents") == [
        *parent.record["parents"],
        {"name": LITE0, "sha256": parent.sha256},
    ]
    assert record == {
        "format": 1,
        "preprocess": str(parent.preprocess),
        "licence": "Apache-2.0",
        "origin": parent.record["origin"],
        "classes": {"names": ["no", "yes"]},
        **facts,
    }


@pytest.mark.parametrize("name", [LITE0, "mobilenet-v2-float16", "mobilenet_v1_0.25_128_quant"])
def test_a_taught_model_can_be_taught_again(name: str) -> None:
    child = taught(name, 5)
    batches, vectors = golden(name)
    # The embedding is the same to the last bit, so the second layer is that of the first parent.
    np.testing.assert_array_equal(make_heads.embed(child, batches), vectors)
    weights, bias = random_layer(7, vectors.shape[1], seed=1)
    logits = vectors @ weights.T + bias
    second, direct = (
        graft(parent, weights, bias, names(7), logits=logits, name="second")
        for parent in (child, make_heads.read(name))
    )
    found, expected = (make_heads.answers(bundle, batches) for bundle in (second, direct))
    np.testing.assert_array_equal(found, expected)
    assert len(second.data) <= len(direct.data) + 2000
    assert [parent["name"] for parent in second.record["parents"][-2:]] == [name, "taught"]


def test_it_runs_by_itself_through_the_public_door(tmp_path: Any, cat: Any) -> None:
    file = tmp_path / "taught.tflite"
    taught(LITE0, 5).write(file)
    with whatsit.load(file) as classifier:
        assert classifier.runtime == "isolated"
        result = classifier.classify(cat)
    assert {prediction.label for prediction in result.predictions} == set(names(5))


@pytest.mark.parametrize("name", SOME)
def test_openvino_gives_the_same_answers(name: str) -> None:
    """For the embeddings that it computes itself, which for int8 are not quite LiteRT's."""
    pytest.importorskip("openvino")
    bundle, child = make_heads.read(name), taught(name, 5)
    batches = golden(name)[0][:2]
    weights, bias = random_layer(5, find_head(bundle).width)
    vectors = make_heads.embed(bundle, batches, runtime="openvino")
    found = make_heads.answers(child, batches, runtime="openvino")
    expected = make_heads.softmax(vectors @ weights.T + bias)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("classes", [2, 1000])
def test_mediapipe_gives_the_same_answers(name: str, classes: int) -> None:
    from test_mediapipe import categories, judge

    child = taught(name, classes)
    size = (child.input.width, child.input.height)
    with whatsit.Classifier(child, preprocess="stretch") as ours, judge(child.data) as theirs:
        for photo in make_heads.GOLDEN[:3]:
            with Image.open(photo) as image:
                pixels = np.asarray(image.convert("RGB").resize(size))
            rows = {row.index: row for row in categories(theirs, pixels)}
            labels = {index: row.category_name for index, row in rows.items()}
            assert labels == dict(enumerate(names(classes)))
            answer = ours.classify(pixels, top=classes)
            scores = {prediction.index: prediction.score for prediction in answer.predictions}
            assert {i: row.score for i, row in rows.items()} == pytest.approx(scores, abs=1e-5)


# ── a trained layer ──────────────────────────────────────────────────────────────────────────


def trained(vectors: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regression by plain gradient descent: weights (C, D) and biases (C,)."""
    mean, spread = vectors.mean(axis=0), vectors.std() + 1e-6
    inputs = (vectors - mean) / spread
    targets = np.eye(int(classes.max()) + 1)[classes]
    weights = np.zeros((targets.shape[1], inputs.shape[1]))
    for _ in range(300):
        error = make_heads.softmax(inputs @ weights.T) - targets
        weights -= 0.05 * (error.T @ inputs / len(inputs) + 1e-3 * weights)
    real = weights / spread
    return real.astype(np.float32), (-real @ mean).astype(np.float32)


@pytest.mark.skipif(not FLOWERS.is_dir(), reason="needs ../shared/data/flowers")
def test_a_trained_int8_layer_answers_as_the_float_one() -> None:
    bundle = make_heads.read(LITE0)
    kinds = sorted(folder.name for folder in (FLOWERS / "train").iterdir())
    learn, ask = (
        [
            (file, i)
            for i, k in enumerate(kinds)
            for file in sorted((FLOWERS / part / k).iterdir())[:n]
        ]
        for part, n in (("train", 30), ("val", 60))
    )
    vectors = make_heads.embed(bundle, [make_heads.batch(bundle, file) for file, _ in learn])
    weights, bias = trained(vectors, np.array([kind for _, kind in learn]))
    child = graft(bundle, weights, bias, kinds, logits=vectors @ weights.T + bias, name="flowers")
    batches = [make_heads.batch(bundle, file) for file, _ in ask]
    real = make_heads.embed(bundle, batches) @ weights.T + bias
    found = make_heads.answers(child, batches)
    truth = np.array([kind for _, kind in ask])
    assert (real.argmax(axis=1) == truth).mean() > 0.75
    assert (found.argmax(axis=1) == real.argmax(axis=1)).mean() >= 0.995
    # Differences of logits, which the probabilities show, within two steps.
    step = float(_logits_steps(child).scales[0])
    leads = np.log(found) - np.log(found).max(axis=1, keepdims=True)
    expected = real - real.max(axis=1, keepdims=True)
    shown = expected > -5
    assert np.abs(leads - expected)[shown].max() <= 2.5 * step
    assert np.abs(leads - expected)[shown].mean() <= 0.5 * step


def _logits_steps(bundle: Bundle) -> Quantisation:
    graph = read_model(bundle.data).subgraphs[0]
    (logits,) = [tensor for tensor in graph.tensors if tensor_name(tensor) == "logits"]
    steps = Quantisation.of(logits)
    assert steps is not None
    return steps


# ── what cannot be ───────────────────────────────────────────────────────────────────────────


def refused(**changes: Any) -> whatsit.UsageError:
    """What is said of arguments that would do but for `changes`."""
    arguments: dict[str, Any] = {
        "weights": np.ones((2, 3), np.float32),
        "bias": np.zeros(2, np.float32),
        "labels": ["a", "b"],
        "logits": np.zeros((4, 2), np.float32),
        **changes,
    }
    steps = Quantisation.single(1 / 255, -128)
    with pytest.raises(whatsit.UsageError) as caught:
        graft(make_heads.small("int8", embedding=steps), **arguments, name="odd")
    return caught.value


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((2, 4)), "weights [2, 4] and biases [2]"),
        (np.ones((3, 3)), "weights [3, 3] and biases [2]"),
        (np.ones((2, 1, 1, 3)), "weights [2, 1, 1, 3] and biases [2]"),
        (np.array([[1, np.nan, 1], [1, 1, np.inf]]), "2 of the 6 weights are no finite numbers"),
        (np.full((2, 3), 1e60), "6 of the 6 weights are no finite numbers"),
    ],
)
def test_weights_that_do_not_fit(weights: np.ndarray, message: str) -> None:
    assert refused(weights=weights).message == message


def test_the_shape_that_is_expected_is_said() -> None:
    assert refused(weights=np.ones((2, 4))).expected == (
        "[2, 3] and [2]: 2 classes, an embedding of 3 values"
    )


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        (np.zeros(3), "weights [2, 3] and biases [3]"),
        (np.array([0, np.nan]), "1 of the 2 biases are no finite numbers"),
    ],
)
def test_biases_that_do_not_fit(bias: np.ndarray, message: str) -> None:
    assert refused(bias=bias).message == message


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", "c"], "weights [2, 3] and biases [2]"),
        (["a", " a "], "the class 'a' twice"),
        (Labels(("a", "a")), "the class 'a' twice"),
        (["a", ""], "class 1 without a name"),
        (["a", "b\nc"], "a class name of several lines"),
        ([], "0 classes to tell apart"),
        (["a"], "1 class to tell apart"),
    ],
)
def test_labels_that_do_not_fit(labels: Any, message: str) -> None:
    assert refused(labels=labels).message == message


def test_one_class_is_refused_with_the_reason() -> None:
    error = refused(labels=["cat"], weights=np.ones((1, 3)), bias=np.zeros(1))
    assert error.expected == "at least two: a model of one class gives it to every picture"
    assert error.hint == "add a class with pictures of anything else"


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (None, "an int8 layer without logits"),
        (np.zeros((0, 2)), "logits [0, 2]"),
        (np.zeros((4, 3)), "logits [4, 3]"),
        (np.zeros(2), "logits [2]"),
        (np.array([[np.nan, 0]]), "1 of the 2 logits are no finite numbers"),
    ],
)
def test_logits_that_do_not_fit(logits: Any, message: str) -> None:
    assert refused(logits=logits).message == message


def test_a_float_layer_needs_no_logits() -> None:
    bundle = make_heads.small("convolution")
    weights, bias = random_layer(2, 3)
    child = graft(bundle, weights, bias, ["a", "b"], name="plain")
    batches = make_heads.golden_batches(bundle)
    logits = make_heads.embed(bundle, batches) @ weights.T + bias
    np.testing.assert_allclose(
        make_heads.answers(child, batches), make_heads.softmax(logits), atol=1e-6
    )


@pytest.mark.parametrize("kind", make_heads.KINDS)
def test_each_kind_of_head_is_replaced(kind: str) -> None:
    low = {"int8": -128, "uint8": 0}.get(kind)
    steps = None if low is None else Quantisation.single(1 / 255, low)
    bundle = make_heads.small(kind, embedding=steps)
    weights, bias = random_layer(4, 3)
    batches = make_heads.golden_batches(bundle)
    logits = make_heads.embed(bundle, batches) @ weights.T + bias
    child = graft(bundle, weights, bias, names(4), logits=logits, name=kind)
    np.testing.assert_allclose(
        make_heads.answers(child, batches), make_heads.softmax(logits), rtol=0, atol=0.02
    )
    if kind != "int8":
        np.testing.assert_array_equal(last_layer(child).weights, weights)


def test_a_graph_without_a_head_is_refused() -> None:
    bundle = Bundle.from_bytes(make_models.bundle(make_models.pixels(8, 8), 192), "odd")
    with pytest.raises(whatsit.ModelUnsupported, match="has no last layer that can be replaced"):
        graft(bundle, np.ones((2, 3)), np.zeros(2), ["a", "b"], name="odd")


def test_three_means_are_refused_where_they_matter() -> None:
    metadata = _metadata.Metadata(
        mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0), labels_file="labels.txt"
    )
    for graph, fits in ((make_heads.small("convolution").data, True), (FLOAT_INPUT, False)):
        data = _metadata.write(make_models.bare(graph), metadata, {"labels.txt": b"a\nb\n"})
        bundle = Bundle.from_bytes(data, "three")
        if fits:
            child = graft(bundle, *random_layer(2, 3), ["a", "b"], name="child")
            assert (child.metadata.mean, child.metadata.std) == ((0.0,), (1.0,))
            continue
        with pytest.raises(whatsit.ModelUnsupported) as caught:
            graft(bundle, *random_layer(2, 3), ["a", "b"], name="child")
        assert "it takes the means [1.0, 2.0, 3.0]" in caught.value.message


FLOAT_INPUT = make_heads.float_input()
