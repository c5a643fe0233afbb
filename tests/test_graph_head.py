"""Where a classifier ends: found in real models, cut off, and refused where there is none."""

from __future__ import annotations

import make_heads
import make_models
import numpy as np
import pytest

import whatsit
from whatsit import Bundle, zoo
from whatsit._flatbuffer import pack_model, read_model
from whatsit.bundle import OutputSpec
from whatsit.graph import Head, embedding_graph, find_head, last_layer
from whatsit.graph.read import Quantisation, tensor_name
from whatsit.runtimes import Graph, open_runtime

OPEN = [*zoo.catalogue(), *make_heads.FOREIGN]
# The embedding of a small 8-bit model, whose means go from 0 to 1.
STEPS = {"int8": Quantisation.single(1 / 255, -128), "uint8": Quantisation.single(1 / 255, 0)}


def test_the_heads_of_the_built_in_models() -> None:
    heads = {name: find_head(make_heads.read(name)) for name in zoo.catalogue()}
    assert {head.width for head in heads.values()} == {1280}
    for name, head in heads.items():
        stored = name.rpartition("-")[2]
        assert (head.dtype, head.storage) == ("int8" if stored == "int8" else "float32", stored)


@pytest.mark.parametrize("name", make_heads.FOREIGN)
def test_the_heads_of_foreign_models(name: str) -> None:
    head = find_head(make_heads.read(name))
    assert head.width == (256 if "0.25" in name else 1280)
    assert (head.dtype, head.storage) == (
        ("int8", "int8") if name.startswith("tf2") else ("uint8", "float16")
    )


@pytest.mark.parametrize("name", OPEN)
def test_the_embedding_is_what_litert_computes_there(name: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    bundle = make_heads.read(name)
    head = find_head(bundle)
    batch = make_heads.golden_batches(bundle)[0]
    with pytest.warns(UserWarning, match="intended for debugging"):
        whole = Interpreter(model_content=bundle.data, experimental_preserve_all_tensors=True)
    whole.allocate_tensors()
    whole.set_tensor(whole.get_input_details()[0]["index"], batch)
    whole.invoke()
    stored = whole.get_tensor(head.embedding).reshape(1, head.width)
    tensor = read_model(bundle.data).subgraphs[0].tensors[head.embedding]
    steps = Quantisation.of(tensor)
    if steps is None:
        expected = stored
    else:
        expected = (stored.astype(np.float32) - steps.zero_points[0]) * steps.scales[0]
    found = make_heads.embed(bundle, [batch])
    assert (found.shape, found.dtype) == ((1, head.width), np.float32)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 if steps is None else 1e-6)


@pytest.mark.parametrize("name", OPEN)
def test_the_last_layer_gives_the_models_own_answers(name: str) -> None:
    bundle = make_heads.read(name)
    layer = last_layer(bundle)
    assert layer.weights.shape == (bundle.output.classes, find_head(bundle).width)
    batches = make_heads.golden_batches(bundle)
    logits = make_heads.embed(bundle, batches) @ layer.weights.T + layer.bias
    computed, own = make_heads.softmax(logits), make_heads.answers(bundle, batches)
    # A step of int8 logits is up to 0.13, which moves a probability by at most a quarter of that.
    np.testing.assert_allclose(computed, own, atol=1e-5 if "float16" in name else 0.04)


@pytest.mark.parametrize("name", OPEN)
def test_the_old_layer_is_not_in_the_embedding_graph(name: str) -> None:
    bundle = make_heads.read(name)
    data = embedding_graph(bundle)
    head = find_head(bundle)
    bytes_a_weight = 2 if "float16" in name else 1
    assert len(data) < len(bundle.data) - bundle.output.classes * head.width * bytes_a_weight
    graph = read_model(data).subgraphs[0]
    names = [tensor_name(tensor) for tensor in graph.tensors]
    assert len(set(names)) == len(names)  # OpenVINO knows tensors by nothing else
    assert not any(";" in name for name in names)
    assert embedding_graph(bundle) == data


def test_openvino_gives_the_same_embedding() -> None:
    pytest.importorskip("openvino")
    bundle = make_heads.read("efficientnet-lite0-float16")
    program = Graph(bundle.name, embedding_graph(bundle), OutputSpec("float32", 1280))
    batch = make_heads.golden_batches(bundle)[0]
    found = open_runtime(program, "openvino").raw(batch)
    np.testing.assert_allclose(found, make_heads.embed(bundle, [batch]), rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", make_heads.KINDS)
def test_a_small_head_of_each_kind(kind: str) -> None:
    bundle = make_heads.small(kind, embedding=STEPS.get(kind))
    head = find_head(bundle)
    name = tensor_name(read_model(bundle.data).subgraphs[0].tensors[head.embedding])
    assert (name, head.width) == ("embedding" if kind in STEPS else "means", 3)
    batches = make_heads.golden_batches(bundle)
    layer = last_layer(bundle)
    logits = make_heads.embed(bundle, batches) @ layer.weights.T + layer.bias
    # A step of the 8-bit logits is 1/32.
    np.testing.assert_allclose(
        make_heads.softmax(logits), make_heads.answers(bundle, batches), rtol=0, atol=0.01
    )


def test_a_bias_that_is_added_later_is_no_part_of_the_layer() -> None:
    bundle = make_heads.with_added_bias()
    assert find_head(bundle) == Head(3, 3, "float32", "float32")
    with pytest.raises(whatsit.ModelUnsupported, match="does not lead straight into a softmax"):
        last_layer(bundle)


def test_scores_without_a_softmax_can_be_replaced_but_not_read_as_a_layer() -> None:
    bundle = make_heads.without_bias_or_softmax()
    assert find_head(bundle).width == 3
    with pytest.raises(whatsit.ModelUnsupported, match="does not lead straight into a softmax"):
        last_layer(bundle)


@pytest.mark.parametrize(
    ("graph", "classes", "reason"),
    [
        (make_models.pixels(8, 8), 192, "it ends in the picture itself"),
        (make_models.floats(8, 8), 192, "it ends in the picture itself"),
        (make_models.edges(), 2, "it ends in the picture itself"),
        (make_models.hostile(), 3, "it ends in CAST"),
        (make_heads.mean_at_the_end(), 3, "it ends in MEAN"),
        (make_heads.wide_convolution(), 2, "its last layer is a convolution of [8, 8]"),
        (make_heads.computed_weights(), 2, "the weights of its last layer are computed"),
        (make_models.padded(make_heads.small("float16").data, 1, 2), 5, "it ends in PAD"),
        (make_heads.constant_embedding(), 2, "its embedding does not depend on the picture"),
        (make_heads.several_vectors(), 2, "its last layer reads [4, 3], not one vector of 3"),
    ],
)
def test_graphs_without_a_head_are_refused_with_the_reason(
    graph: bytes, classes: int, reason: str
) -> None:
    bundle = Bundle.from_bytes(make_models.bundle(graph, classes), "odd")
    with pytest.raises(whatsit.ModelUnsupported) as caught:
        embedding_graph(bundle)
    expected = f"model 'odd' has no last layer that can be replaced: {reason}"
    assert caught.value.message == expected
    assert caught.value.expected.startswith("a classifier that ends in")
    assert caught.value.hint


@pytest.mark.parametrize("steps", [None, Quantisation(np.ones(3), np.zeros(3), 1)])
def test_an_embedding_without_one_scale_is_refused(steps: Quantisation | None) -> None:
    bundle = make_heads.small("int8", embedding=steps)
    with pytest.raises(whatsit.ModelUnsupported, match="its embedding has no single scale"):
        find_head(bundle)


def test_a_graph_in_circles_is_refused() -> None:
    model = read_model(make_heads.small("convolution").data)
    last = model.subgraphs[0].operators[-1]
    last.inputs = last.outputs
    bundle = Bundle.from_bytes(make_models.bundle(pack_model(model), 2), "circle")
    with pytest.raises(whatsit.ModelUnsupported, match="no last layer"):
        find_head(bundle)


@pytest.mark.parametrize("part", ["tensor", "buffer", "operator code"])
def test_indices_that_lead_nowhere_are_refused(part: str) -> None:
    model = read_model(make_heads.small("fully connected").data)
    graph = model.subgraphs[0]
    if part == "tensor":
        graph.operators[0].inputs = np.array([0, 99], np.int32)
    elif part == "buffer":
        graph.tensors[2].buffer = 99
    else:
        graph.operators[0].opcodeIndex = 99
    bundle = Bundle.from_bytes(make_models.bundle(pack_model(model), 2), "broken")
    with pytest.raises(whatsit.ModelDamaged) as caught:
        find_head(bundle)
    assert caught.value.message == f"model 'broken': its graph cannot be read: no {part} 99"


def test_weights_cut_short_are_refused() -> None:
    model = read_model(make_heads.small("fully connected").data)
    graph = model.subgraphs[0]
    weights = graph.tensors[graph.operators[-2].inputs[1]]
    model.buffers[weights.buffer].data = model.buffers[weights.buffer].data[:-5]
    bundle = Bundle.from_bytes(make_models.bundle(pack_model(model), 2), "short")
    with pytest.raises(whatsit.ModelDamaged, match=r"'short': its constant 'weights' has 19 bytes"):
        find_head(bundle)


@pytest.mark.parametrize("kind", ["fully connected", "int8", "float16"])
def test_no_damage_brings_anything_but_a_models_error(kind: str) -> None:
    """Bytes of the tables altered at random: parsing only reads, and says what it cannot."""
    data = bytearray(make_heads.small(kind, embedding=STEPS.get(kind)).data)
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(600):
        damaged = data.copy()
        for place in rng.integers(8, 3000, rng.integers(1, 5)):
            damaged[place % len(data)] = rng.integers(0, 256)
        try:
            bundle = Bundle.from_bytes(bytes(damaged), "damaged")
        except whatsit.ModelError:
            continue
        for ask in (find_head, embedding_graph, last_layer):
            try:
                ask(bundle)
            except whatsit.ModelError as error:
                outcomes.add(type(error))
    assert outcomes == {whatsit.ModelDamaged, whatsit.ModelUnsupported}
