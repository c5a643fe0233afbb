"""Float graphs → plain, float16 and int8 ones: the same answers, in LiteRT and in our own sums."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import make_networks
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from make_networks import Network

from whatsit import Bundle, ModelUnsupported, zoo
from whatsit._flatbuffer import read_model
from whatsit.graph import rounding
from whatsit.graph.half import float16_graph
from whatsit.graph.patches import some_windows, spread
from whatsit.graph.plain import plain_graph
from whatsit.graph.quantize import check_int8, quantize_int8
from whatsit.graph.ranges import activation_quantisation, rounded, softmax_weights
from whatsit.graph.read import Op, Type, constant, only_graph, op_code, tensor_name
from whatsit.graph.rounding import _diffuse


def photos(count: int, side: int = 16, seed: int = 1) -> list[np.ndarray]:
    """Smooth coloured pictures [side, side, 3] uint8, all different."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    found = []
    for _ in range(count):
        a, b, c, d = random.uniform(-3, 3, (4, 3))
        waves = np.sin(a * x[..., None] * 3 + b * y[..., None] * 3 + c) * np.abs(d) * 45 + 127
        found.append(np.clip(waves + random.normal(size=waves.shape) * 5, 0, 255).astype(np.uint8))
    return found


def answers(graph: bytes, pictures: list[np.ndarray]) -> np.ndarray:
    """What LiteRT gives [n, classes] for inputs as they are."""
    interpreter = Interpreter(model_content=graph, num_threads=1)
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    found = []
    for picture in pictures:
        interpreter.set_tensor(image, picture[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(answer)[0])
    return np.stack(found)


def normalised(made: Bundle, pictures: list[np.ndarray]) -> list[np.ndarray]:
    mean, std = np.array(made.input.mean, np.float32), np.array(made.input.std, np.float32)
    return [((picture - mean) / std).astype(np.float32) for picture in pictures]


def codes(graph: bytes) -> list[int]:
    model = read_model(graph)
    return [op_code(model, operator) for operator in only_graph(model).operators]


# ── plain form ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kind",
    [
        Network(),
        Network(biased=False),
        Network(fused=False),
        Network(squeezes=True),
        Network(pads=True, fused=False, squeezes=True),
    ],
    ids=["plain", "no bias", "RELU6 apart", "SQUEEZE", "all"],
)
def test_the_plain_form_gives_the_same_answers(kind: Network) -> None:
    made = make_networks.bundle(kind)
    plain = plain_graph(made)
    pictures = photos(5)
    assert np.abs(answers(plain.graph, pictures) - answers(made.data, pictures)).max() < 1e-6
    assert (plain.mean, plain.std) == (127.0, 128.0)
    assert not {Op.SQUEEZE, Op.RELU6} & set(codes(plain.graph))
    assert all(b";" not in t.name for t in read_model(plain.graph).subgraphs[0].tensors)
    check_int8(plain.graph)


@pytest.mark.parametrize("pads", [False, True], ids=["SAME", "PAD"])
@pytest.mark.parametrize("side", [16, 15])
@pytest.mark.parametrize(
    ("mean", "std", "limit"),
    [
        ((127.0,), (128.0,), 1e-5),
        ((0.0,), (255.0,), 1e-5),
        ((0.0,), (1.0,), 1e-5),
        ((127.5,), (127.5,), 2e-2),  # half a grey level of the padding
        ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), 1e-5),
        ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), 1e-5),
        ((127.0, 127.0, 127.0), (64.0, 128.0, -128.0), 1e-5),
    ],
    ids=["exact", "0 to 1", "as they are", "-1 to 1", "torch", "caffe", "stds"],
)
def test_what_a_float_input_is_given_moves_into_the_graph(
    mean: tuple[float, ...],
    std: tuple[float, ...],
    limit: float,
    pads: bool,
    side: int,
) -> None:
    gain = 0.006 if std[0] == 1.0 else 1.0
    kind = Network(floats_in=True, pads=pads, side=side, gain=gain)
    made = make_networks.with_normalisation(make_networks.bundle(kind), mean, std)
    plain = plain_graph(made)
    pictures = photos(4, side)
    expected = answers(made.data, normalised(made, pictures))
    found = answers(plain.graph, pictures)
    assert found.std(0).max() > 1e-3  # they do differ from picture to picture
    assert np.abs(found - expected).max() < limit
    model = read_model(plain.graph)
    assert only_graph(model).tensors[only_graph(model).inputs[0]].type == Type.UINT8
    check_int8(plain.graph)


def test_a_mean_that_no_first_layer_can_take_is_refused() -> None:
    made = make_networks.bundle(replace(Network(floats_in=True)))
    graph = read_model(made.data)
    first = only_graph(graph).operators[0]
    graph.operatorCodes[first.opcodeIndex].builtinCode = Op.MUL
    graph.operatorCodes[first.opcodeIndex].deprecatedBuiltinCode = Op.MUL
    from whatsit._flatbuffer import pack_model

    odd = make_networks.with_normalisation(
        replace(made, data=pack_model(graph)), (100.0, 110.0, 120.0), (50.0, 50.0, 50.0)
    )
    with pytest.raises(ModelUnsupported, match=r"mean \[100.0.*first layer, which is MUL"):
        plain_graph(odd)


def test_the_float16_models_of_the_package_are_read_as_float32() -> None:
    built_in = zoo.open_builtin("mobilenet-v2-float16")
    plain = plain_graph(built_in)
    model = read_model(plain.graph)
    assert Type.FLOAT16 not in {tensor.type for tensor in only_graph(model).tensors}
    assert codes(plain.graph).count(Op.DEQUANTIZE) == 1
    assert float16_graph(plain.graph)  # and back, to the same weights
    half, again = (read_model(g) for g in (built_in.data, float16_graph(plain.graph)))
    weights = [
        {
            tensor_name(t): constant(m, t).tobytes()
            for t in only_graph(m).tensors
            if t.type == Type.FLOAT16
        }
        for m in (half, again)
    ]
    assert weights[0] == weights[1]
    assert len(weights[0]) > 30


@pytest.mark.parametrize("name", ["efficientnet-lite0-int8", "mobilenet-v2-int8"])
def test_an_int8_model_is_refused(name: str) -> None:
    with pytest.raises(ModelUnsupported, match=r"quantised already: the weights of CONV_2D"):
        plain_graph(zoo.open_builtin(name))


def test_weights_of_eight_bits_behind_dequantize_are_unpacked() -> None:
    """Stored small, but used as float: one scale for each output."""
    from ai_edge_litert import schema_py_generated as schema

    from whatsit._flatbuffer import pack_model
    from whatsit.graph.read import Quantisation
    from whatsit.graph.write import GraphWriter

    made = make_networks.bundle(Network())
    model = read_model(make_networks.graph(Network()))
    graph = only_graph(model)
    dense = graph.operators[-2]
    real = graph.tensors[dense.inputs[1]]
    values = constant(model, real)
    assert values is not None
    scales = np.abs(values).max(1) / 127
    writer = GraphWriter("")
    writer.model, writer.graph = model, graph
    stored = writer.constant(
        "stored",
        np.rint(values / scales[:, None]).astype(np.int8),
        Quantisation(scales, np.zeros(4, np.int64), 0),
    )
    real.buffer = 0
    writer.operator(Op.DEQUANTIZE, 5, [stored], [int(dense.inputs[1])], schema.DequantizeOptionsT())
    graph.operators.insert(0, graph.operators.pop())
    odd = replace(made, data=pack_model(model))
    plain = plain_graph(odd)
    assert plain.unpacked
    assert not plain_graph(made).unpacked
    pictures = photos(5)
    assert np.abs(answers(plain.graph, pictures) - answers(odd.data, pictures)).max() < 1e-6
    assert np.abs(answers(plain.graph, pictures) - answers(made.data, pictures)).max() > 0


# ── float16 ──────────────────────────────────────────────────────────────────────────────────


def test_float16_gives_nearly_the_same_answers() -> None:
    network = make_networks.graph(Network(side=64))
    wide = zoo.open_builtin("mobilenet-v2-float16")
    plain = plain_graph(wide).graph
    half = float16_graph(plain)
    assert len(half) < 0.55 * len(plain)
    side = wide.input.height
    pictures = photos(2, side)
    assert np.abs(answers(half, pictures) - answers(plain, pictures)).max() < 1e-6
    assert float16_graph(network) == float16_graph(network)


# ── int8 ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kind",
    [
        Network(),
        Network(squeezes=True, fused=False),
        Network(pads=True),
        Network(flattens=True),
        Network(between=Op.AVERAGE_POOL_2D),
        Network(between=Op.MAX_POOL_2D),
    ],
    ids=["plain", "SQUEEZE", "PAD", "flat", "average", "max"],
)
def test_int8_gives_nearly_the_same_answers(kind: Network) -> None:
    plain = plain_graph(make_networks.bundle(kind)).graph
    small = quantize_int8(plain, photos(40))
    others = photos(60, seed=2)
    found, expected = answers(small, others), answers(plain, others)
    assert np.abs(found - expected).mean() < 0.012
    assert np.quantile(np.abs(found - expected), 0.95) < 0.05
    model = read_model(small)
    kinds = {t.type for t in only_graph(model).tensors if constant(model, t) is not None}
    assert Type.FLOAT32 not in kinds
    edges = [
        only_graph(model).tensors[i].type
        for i in (*only_graph(model).inputs, *only_graph(model).outputs)
    ]
    assert edges == [Type.UINT8, Type.FLOAT32]


@pytest.mark.parametrize("kind", [Network(), Network(flattens=True)], ids=["plain", "flat"])
def test_wide_layers_are_rounded_in_blocks(kind: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounding, "WIDEST", 20)
    monkeypatch.setattr(rounding, "BLOCK", 7)  # which no layer's inputs are a multiple of
    plain = plain_graph(make_networks.bundle(kind)).graph
    others = photos(60, seed=2)
    found = answers(quantize_int8(plain, photos(40)), others)
    assert np.abs(found - answers(plain, others)).mean() < 0.015


def test_a_layer_of_12_000_inputs_fits_into_memory() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(3, 12_000))
    inputs = rounding._in_blocks(random.random((4, 12_000), np.float32))
    assert rounding._out_of_blocks(inputs, 12_000).shape == (4, 12_000)
    tracemalloc.start()
    moment = (inputs.transpose(0, 2, 1) @ inputs).astype(np.float64)
    blocks = rounding._in_blocks(rows)
    stored = _diffuse(blocks, moment, np.full((len(blocks), 3), 0.05))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4e8  # and not the 1.2e9 of one matrix
    assert rounding._out_of_blocks(stored, 12_000) == pytest.approx(rows / 0.05, abs=20)


def test_colours_at_the_border_stay_in_int8() -> None:
    kind = Network(floats_in=True)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    made = make_networks.with_normalisation(make_networks.bundle(kind), mean, std)
    small = quantize_int8(plain_graph(made).graph, photos(40))
    others = photos(60, seed=2)
    expected = answers(made.data, normalised(made, others))
    assert np.abs(answers(small, others) - expected).mean() < 0.015
    assert Op.CONCATENATION in codes(small)


def test_the_same_pictures_give_the_same_bytes() -> None:
    plain = plain_graph(make_networks.bundle(Network())).graph
    said: list[str] = []
    assert quantize_int8(plain, photos(20), said.append) == quantize_int8(plain, photos(20))
    assert said[0].startswith("looking at 20 pictures")
    assert quantize_int8(plain, photos(20)) != quantize_int8(plain, photos(20, seed=5))


def test_dark_pictures_do_not_break_it() -> None:
    """Layers that see next to nothing: no division by zero, no endless factor."""
    plain = plain_graph(make_networks.bundle(Network())).graph
    dark = [np.zeros((16, 16, 3), np.uint8) for _ in range(10)]
    assert np.isfinite(answers(quantize_int8(plain, dark), photos(3))).all()


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (Network(between=Op.LOGISTIC), "LOGISTIC"),
        (Network(between=Op.HARD_SWISH), "HARD_SWISH"),
        (Network(last=Op.LOGISTIC), "LOGISTIC"),
        (Network(between=Op.ELU), "ELU"),
    ],
)
def test_an_operator_without_a_rule_is_named(kind: Network, named: str) -> None:
    plain = plain_graph(make_networks.bundle(kind)).graph
    with pytest.raises(ModelUnsupported, match=f"no int8 rule for its operator {named}$") as caught:
        check_int8(plain)
    assert "DEQUANTIZE, CONV_2D, " in caught.value.hint
    assert named in caught.value.hint
    assert float16_graph(plain)  # which needs no rules


def test_an_activation_without_a_rule_is_named() -> None:
    from ai_edge_litert import schema_py_generated as schema

    from whatsit._flatbuffer import pack_model

    model = read_model(plain_graph(make_networks.bundle(Network())).graph)
    first = only_graph(model).operators[1]
    first.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.TANH
    with pytest.raises(ModelUnsupported, match="CONV_2D with a fused activation"):
        check_int8(pack_model(model))


def test_values_that_are_no_numbers_are_refused() -> None:
    from whatsit._flatbuffer import pack_model
    from whatsit.graph.write import set_constant

    model = read_model(plain_graph(make_networks.bundle(Network())).graph)
    first = only_graph(model).operators[1]
    bias = only_graph(model).tensors[first.inputs[2]]
    set_constant(model, bias, np.full(8, np.nan, np.float32))
    first.builtinOptions.fusedActivationFunction = 0
    with pytest.raises(ModelUnsupported, match="no numbers"):
        quantize_int8(pack_model(model), photos(10))


def test_a_softmax_that_reads_another_operator_is_refused() -> None:
    from whatsit._flatbuffer import pack_model

    model = read_model(plain_graph(make_networks.bundle(Network())).graph)
    operators = only_graph(model).operators
    operators[-1].inputs = [int(operators[-3].outputs[0])]
    with pytest.raises(ModelUnsupported, match="its last operator does not give its answer"):
        quantize_int8(pack_model(model), photos(10))


def test_weights_too_large_for_float16_stay_float32() -> None:
    from whatsit._flatbuffer import pack_model
    from whatsit.graph.read import Type, constant
    from whatsit.graph.write import set_constant

    model = read_model(zoo_float())
    graph = only_graph(model)
    index, large = next(
        (place, values)
        for place, tensor in enumerate(graph.tensors)
        if (values := constant(model, tensor)) is not None and values.size > 10_000
    )
    name = graph.tensors[index].name
    set_constant(model, graph.tensors[index], np.full_like(large, 1e5))
    half = read_model(float16_graph(pack_model(model)))
    (kept,) = (t for t in only_graph(half).tensors if t.name == name)
    assert kept.type == Type.FLOAT32
    values = constant(half, kept)
    assert values is not None
    assert values.max() == np.float32(1e5)


def zoo_float() -> bytes:
    """A built-in float16 model, its weights float32 again."""
    return plain_graph(zoo.open_builtin("mobilenet-v2-float16")).graph


def test_nothing_to_quantise_is_refused() -> None:
    import make_models

    made = Bundle.from_bytes(make_models.bundle(make_models.pixels(4, 4), 48), "tiny")
    with pytest.raises(ModelUnsupported, match="no layer with weights"):
        check_int8(plain_graph(made).graph)


# ── its parts ────────────────────────────────────────────────────────────────────────────────


def test_ranges_hold_zero_exactly_and_follow_the_values() -> None:
    values = np.random.default_rng(0).normal(size=50_000).astype(np.float32) + 1
    found = activation_quantisation(values, float(values.min()), float(values.max()))
    scale, zero = float(found.scales[0]), int(found.zero_points[0])
    stored = np.clip(np.rint(values / scale) + zero, -128, 127)
    error = float(np.square((stored - zero) * scale - values).mean())
    widest = (values.max() - values.min()) / 255
    assert error <= widest**2 / 12 * 1.01  # no worse than covering the extremes
    assert -128 <= zero <= 127
    assert activation_quantisation(np.zeros(9), 0.0, 0.0).scales[0] == 1.0


def test_a_scale_is_rounded_to_eight_bits() -> None:
    assert rounded(0.1) == pytest.approx(0.1, rel=1 / 256)
    assert rounded(0.1) == rounded(0.1 + 1e-9)


def test_softmax_weights_are_the_variances_of_a_draw() -> None:
    logits = np.array([[0.0, 0.0], [100.0, 0.0]])
    assert softmax_weights(logits) == pytest.approx(np.array([[0.25, 0.25], [0.0, 0.0]]))


def test_rounding_makes_up_for_its_errors() -> None:
    """Inputs that vary together: the sum of the errors counts, and GPTQ keeps it small."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(1, 20, 30))
    inputs = random.normal(size=(500, 3)) @ random.normal(size=(3, 30)) + 0.05 * random.normal(
        size=(500, 30)
    )
    moment = (inputs.T @ inputs / 500)[None]
    scales = np.abs(rows).max(2) / 127 * 16  # coarse: about four bits
    plain = np.clip(np.rint(rows / scales[..., None]), -127, 127)
    better = _diffuse(rows, moment, scales)
    errors = [
        float(np.square(inputs @ (stored * scales[..., None] - rows)[0].T).mean())
        for stored in (plain, better)
    ]
    assert errors[1] < 0.3 * errors[0]


def test_windows_are_what_a_convolution_reads() -> None:
    """Against a padded copy of the picture, indexed plainly; with strides and dilation."""
    from types import SimpleNamespace

    from ai_edge_litert import schema_py_generated as schema

    picture = np.arange(7 * 6 * 2, dtype=np.float32).reshape(7, 6, 2)
    options = SimpleNamespace(
        padding=schema.Padding.SAME, strideH=2, strideW=1, dilationHFactor=1, dilationWFactor=2
    )
    found = some_windows(picture, SimpleNamespace(builtinOptions=options), (3, 3), 100, 0)
    padded = np.pad(picture, ((1, 1), (2, 2), (0, 0)))
    expected = [padded[2 * y : 2 * y + 3, x : x + 5 : 2] for y in range(4) for x in range(6)]
    assert len(found) == 24
    assert np.array_equal(
        found[np.argsort(found[:, 1, 1, 0])],
        np.stack(expected)[np.argsort(np.stack(expected)[:, 1, 1, 0])],
    )


def test_spread_takes_each_place_once() -> None:
    for number in range(5):
        assert sorted(spread(10, 10, number)) == list(range(10))
    assert len(set(spread(1000, 8, 3))) == 8
