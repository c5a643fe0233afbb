"""Small classifiers with a head of each kind, and what real ones compute: for tests of graph."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import make_models
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from whatsit import Bundle, inputs, zoo
from whatsit.bundle import OutputSpec
from whatsit.graph import embedding_graph, find_head
from whatsit.graph.read import Op, Quantisation, Type
from whatsit.graph.write import GraphWriter
from whatsit.runtimes import Graph, open_runtime
from whatsit.runtimes.base import Array

SHARED = Path(__file__).parents[2] / "shared"
FOREIGN = [
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v2_1.0_224_quant",
    "tf2_mobilenet_v2_1.0_224_ptq",
]
KINDS = ["fully connected", "convolution", "float16", "computed shape", "int8", "uint8"]
GOLDEN = sorted(file for file in zoo.GOLDEN.iterdir() if file.suffix in (".jpg", ".png"))

_WEIGHTS = np.array([[1.5, -0.25, 0.5], [-1, 0.75, 0.125]], np.float32)
_BIAS = np.array([0.25, -0.5], np.float32)
_STEP = 1 / 64  # of the weights in 8 bits, which are then exact


# ── real models ──────────────────────────────────────────────────────────────────────────────


@cache
def read(name: str) -> Bundle:
    """A built-in or foreign model; skips the test where the latter is absent."""
    folder = SHARED / "models" if name in FOREIGN else Path(zoo.__file__).parent
    path = folder / f"{name}.tflite"
    if not path.exists():
        pytest.skip("needs ../shared/models")
    return Bundle.read(path)


def batch(bundle: Bundle, picture: Path) -> Array:
    """The input tensor of a picture, by the bundle's own rule."""
    return inputs.read(picture, bundle, bundle.preprocess).batch


@cache
def _golden(name: str) -> list[Array]:
    return [batch(read(name), picture) for picture in GOLDEN]


def golden_batches(bundle: Bundle) -> list[Array]:
    """The golden pictures as input tensors; of a small model plain colours instead."""
    if bundle.path is not None:
        return _golden(bundle.name)
    colours = [(0, 0, 0), (255, 0, 0), (10, 200, 30), (255, 255, 255)]
    height, width = bundle.input.height, bundle.input.width
    return [np.full((1, height, width, 3), colour, np.uint8) for colour in colours]


def embed(bundle: Bundle, batches: list[Array], runtime: str = "litert") -> np.ndarray:
    """What an engine gives for the embedding graph, (N, D)."""
    spec = OutputSpec("float32", find_head(bundle).width)
    engine = open_runtime(Graph(bundle.name, embedding_graph(bundle), spec), runtime, threads=2)
    return np.concatenate([engine.raw(batch) for batch in batches])


def answers(bundle: Bundle, batches: list[Array], runtime: str = "litert") -> np.ndarray:
    """The bundle's own probabilities, (N, C)."""
    engine = open_runtime(bundle, runtime, threads=2)
    return np.concatenate([engine.run(batch) for batch in batches])


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(1, keepdims=True)
    return shares


# ── small ones ───────────────────────────────────────────────────────────────────────────────


def small(kind: str, *, embedding: Quantisation | None = None) -> Bundle:
    """A classifier of two classes by the mean colour, its embedding, with a head of `kind`.

    For 8 bits the embedding is quantised as said.
    """
    writer, image, means = _backbone()
    if kind in ("int8", "uint8"):
        logits = _quantised_head(writer, means, kind, embedding)
    elif kind in ("convolution", "computed shape"):
        logits = _convolution(writer, means, computed_shape=kind == "computed shape")
    else:
        logits = _fully_connected(writer, means, halves=kind == "float16")
    return _bundle(_ended(writer, image, logits), 2, kind)


def with_added_bias() -> Bundle:
    """The bias in an operator of its own."""
    writer, image, means = _backbone()
    products = writer.tensor("products", (1, 2), Type.FLOAT32)
    options = schema.FullyConnectedOptionsT()
    kernel = writer.constant("weights", _WEIGHTS)
    writer.operator(Op.FULLY_CONNECTED, 1, [means, kernel, -1], [products], options)
    logits = writer.tensor("logits", (1, 2), Type.FLOAT32)
    bias = writer.constant("bias", _BIAS)
    writer.operator(Op.ADD, 1, [products, bias], [logits], schema.AddOptionsT())
    return _bundle(_ended(writer, image, logits), 2, "added")


def without_bias_or_softmax() -> Bundle:
    """A layer that itself gives the scores."""
    writer, image, means = _backbone()
    scores = writer.tensor("scores", (1, 3), Type.FLOAT32)
    options = schema.FullyConnectedOptionsT()
    kernel = writer.constant("weights", np.eye(3, dtype=np.float32))
    writer.operator(Op.FULLY_CONNECTED, 1, [means, kernel, -1], [scores], options)
    return _bundle(writer.finish([image], [scores]), 3, "bare")


def float_input() -> bytes:
    """The fully connected head on a picture of floats."""
    writer = GraphWriter("floats")
    image = writer.tensor("image", (1, 8, 8, 3), Type.FLOAT32)
    return _ended(writer, image, _fully_connected(writer, _means(writer, image)))


def mean_at_the_end() -> bytes:
    """Classes first, then the mean of their map."""
    writer, image, means = _backbone()
    return writer.finish([image], [means])


def wide_convolution() -> bytes:
    """A last layer that looks at places."""
    writer, image, _ = _backbone()
    kernel = writer.constant("weights", np.zeros((2, 8, 8, 3), np.float32))
    out = writer.tensor("logits", (1, 1, 1, 2), Type.FLOAT32)
    _convolved(writer, 1, kernel, writer.constant("bias", _BIAS), out)
    return _ended(writer, image, writer.reshaped(out, (1, 2)))


def computed_weights() -> bytes:
    writer, image, means = _backbone()
    kernel = writer.tensor("weights", (2, 3), Type.FLOAT32)
    options = schema.CastOptionsT()
    source = writer.constant("whole weights", np.ones((2, 3), np.int32))
    writer.operator(Op.CAST, 1, [source], [kernel], options)
    return _ended(writer, image, _layer(writer, means, kernel))


def constant_embedding() -> bytes:
    writer, image, _ = _backbone()
    vector = writer.tensor("vector", (1, 3), Type.FLOAT32)
    source = writer.constant("whole vector", np.ones((1, 3), np.int32))
    writer.operator(Op.CAST, 1, [source], [vector], schema.CastOptionsT())
    return _ended(writer, image, _fully_connected(writer, vector))


def several_vectors() -> bytes:
    writer, image, means = _backbone()
    rows = writer.tensor("rows", (4, 3), Type.FLOAT32)
    writer.operator(Op.TILE, 1, [means], [rows])
    return _ended(writer, image, _fully_connected(writer, rows))


def _backbone() -> tuple[GraphWriter, int, int]:
    """uint8 picture → its mean colour, (1, 3) from 0 to 1. The writer, the input, the means."""
    writer = GraphWriter("small")
    image = writer.tensor("image", (1, 8, 8, 3), Type.UINT8, Quantisation.single(1 / 255, 0))
    return writer, image, _means(writer, writer.dequantised(image))


def _means(writer: GraphWriter, pixels: int) -> int:
    axes = writer.constant("axes", np.array([1, 2], np.int32))
    means = writer.tensor("means", (1, 3), Type.FLOAT32)
    writer.operator(Op.MEAN, 1, [pixels, axes], [means], schema.ReducerOptionsT())
    return means


def _fully_connected(writer: GraphWriter, vector: int, *, halves: bool = False) -> int:
    values = _WEIGHTS.astype(np.float16) if halves else _WEIGHTS
    return _layer(writer, vector, writer.dequantised(writer.constant("weights", values)))


def _layer(writer: GraphWriter, vector: int, kernel: int) -> int:
    logits = writer.tensor("logits", (1, 2), Type.FLOAT32)
    bias = writer.constant("bias", _BIAS)
    options = schema.FullyConnectedOptionsT()
    writer.operator(Op.FULLY_CONNECTED, 1, [vector, kernel, bias], [logits], options)
    return logits


def _convolution(writer: GraphWriter, vector: int, *, computed_shape: bool) -> int:
    kernel = writer.constant("weights", _WEIGHTS.reshape(2, 1, 1, 3))
    out = writer.tensor("logits", (1, 1, 1, 2), Type.FLOAT32)
    source = writer.reshaped(vector, (1, 1, 1, 3))
    _convolved(writer, source, kernel, writer.constant("bias", _BIAS), out)
    if not computed_shape:
        return writer.reshaped(out, (1, 2))
    shape = writer.tensor("shape", (2,), Type.INT32)
    sides = writer.constant("sides", np.array([1, 2], np.float32))
    writer.operator(Op.CAST, 1, [sides], [shape], schema.CastOptionsT())
    result = writer.tensor("logits/flat", (1, 2), Type.FLOAT32)
    writer.operator(Op.RESHAPE, 1, [out, shape], [result], schema.ReshapeOptionsT())
    return result


def _quantised_head(
    writer: GraphWriter, means: int, kind: str, embedding: Quantisation | None
) -> int:
    """A convolution in 8 bits; the uint8 one has weights with a zero point, as those of 2018."""
    signed = kind == "int8"
    code, low = (Type.INT8, -128) if signed else (Type.UINT8, 0)
    vector = writer.tensor("embedding", (1, 3), code, embedding)
    writer.operator(Op.QUANTIZE, 1, [means], [vector], schema.QuantizeOptionsT())
    middle, dtype = (0, np.int8) if signed else (128, np.uint8)
    stored = (np.rint(_WEIGHTS / _STEP) + middle).astype(dtype).reshape(2, 1, 1, 3)
    kernel = writer.constant("weights", stored, Quantisation.single(_STEP, middle))
    scale = _STEP * (1 if embedding is None else float(embedding.scales[0]))
    biases = np.rint(_BIAS / scale).astype(np.int32)
    bias = writer.constant("bias", biases, Quantisation.single(scale, 0))
    out = writer.tensor("logits", (1, 1, 1, 2), code, Quantisation.single(1 / 32, low + 100))
    source = writer.reshaped(vector, (1, 1, 1, 3))
    _convolved(writer, source, kernel, bias, out, version=3 if signed else 1)
    return writer.dequantised(writer.reshaped(out, (1, 2)))


def _convolved(
    writer: GraphWriter, source: int, kernel: int, bias: int, out: int, *, version: int = 1
) -> None:
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideW = options.strideH = 1
    writer.operator(Op.CONV_2D, version, [source, kernel, bias], [out], options)


def _ended(writer: GraphWriter, image: int, logits: int) -> bytes:
    scores = writer.tensor("scores", (1, 2), Type.FLOAT32)
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    writer.operator(Op.SOFTMAX, 1, [logits], [scores], options)
    return writer.finish([image], [scores])


def _bundle(graph: bytes, classes: int, name: str) -> Bundle:
    return Bundle.from_bytes(make_models.bundle(graph, classes), name)
