"""Where a classifier ends: its last layer, and the embedding, the vector that this layer reads.

What may follow the layer is a softmax or sigmoid, changes of type and of shape. The layer itself is
FULLY_CONNECTED or, as in the first MobileNets, a CONV_2D of 1 x 1 on a map of 1 x 1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..errors import ModelDamaged, ModelUnsupported
from .prune import prune
from .read import (
    DTYPES,
    Model,
    Op,
    Operator,
    Quantisation,
    SubGraph,
    Tensor,
    Type,
    computed_inputs,
    constant,
    inputs_of,
    only_graph,
    op_code,
    op_name,
    parse,
    producers,
    shape_of,
)
from .write import GraphWriter

Number = Literal["float32", "int8", "uint8"]
Storage = Literal["float32", "float16", "int8"]
Floats = NDArray[np.float32]

_SHAPES = frozenset({Op.RESHAPE, Op.SQUEEZE})
_AFTER = _SHAPES | {Op.SOFTMAX, Op.LOGISTIC, Op.DEQUANTIZE, Op.QUANTIZE}
_SMALL = frozenset({Type.FLOAT16, Type.INT8, Type.UINT8})
_EXPECTED = "a classifier that ends in a fully connected layer, or a 1 x 1 convolution, and softmax"


@dataclass(frozen=True, slots=True)
class Head:
    """What can be replaced. `embedding` is the index of a tensor of `width` values.

    `dtype` is what the embedding is made of; `storage` how the weights of a new layer are kept,
    which is as the bundle's own are, with float16 in place of 8 bits where the layer is float.
    """

    embedding: int
    width: int
    dtype: Number
    storage: Storage


@dataclass(frozen=True, slots=True)
class Layer:
    """The last layer in real numbers: logits (C,) = weights (C, D) @ embedding (D,) + bias (C,)."""

    weights: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class Tail:
    """A .tflite that gives what the whole bundle gives, from an embedding as `batch` makes it."""

    data: bytes
    shape: tuple[int, ...]
    dtype: Number
    quantisation: Quantisation | None

    def batch(self, vector: Floats) -> NDArray[Any]:
        """The tensor that `embedding_graph` gave as (D,) in real numbers, as it was."""
        if self.dtype == "float32" or self.quantisation is None:
            return vector.reshape(self.shape)
        steps = np.rint(vector / self.quantisation.scales[0]) + self.quantisation.zero_points[0]
        batch: NDArray[Any] = steps.astype(self.dtype).reshape(self.shape)
        return batch


def find_head(bundle: Bundle) -> Head:
    """The head of a bundle. Raises ModelUnsupported, with the reason, if none can be replaced."""
    return locate(bundle, parse(bundle))


def locate(bundle: Bundle, model: Model) -> Head:
    """The head of `model`, which is the bundle's, parsed."""
    with _named(bundle):
        return _head(model, _last_operators(model)[-1], bundle.output.classes)


def last_layer(bundle: Bundle) -> Layer:
    """The weights and biases that the bundle itself classifies with.

    Raises ModelUnsupported where they alone do not say what it answers: without a softmax after
    them, say.
    """
    model = parse(bundle)
    with _named(bundle):
        operators = _last_operators(model)
        _head(model, operators[-1], bundle.output.classes)
        _check_plain(model, operators)
        return _layer(model, operators[-1])


def embedding_graph(bundle: Bundle) -> bytes:
    """The bundle's graph up to its embedding, as a .tflite that gives it as float32 [1, D].

    Raises ModelUnsupported if it has none.
    """
    model = parse(bundle)
    head = locate(bundle, model)
    embedding = cut(bundle, model, head)
    writer = GraphWriter.onto(model)
    vector = writer.reshaped(writer.dequantised(embedding), (1, head.width))
    return writer.finish([int(index) for index in writer.graph.inputs], [vector])


def tail_graph(bundle: Bundle) -> Tail:
    """What follows the embedding in the bundle's graph, by the same operators.

    Raises ModelUnsupported if it has no embedding, or needs more of the picture than that.
    """
    model = parse(bundle)
    head = locate(bundle, model)
    graph = only_graph(model)
    embedding, output = graph.tensors[head.embedding], int(graph.outputs[0])
    source = producers(graph).get(head.embedding)
    graph.operators = [operator for operator in graph.operators if operator is not source]
    graph.inputs = np.array([head.embedding], np.int32)
    with _named(bundle):
        place = prune(model, output)
    writer = GraphWriter.onto(model)
    data = writer.finish([int(index) for index in graph.inputs], [place])
    return Tail(data, shape_of(embedding), head.dtype, Quantisation.of(embedding))


def cut(bundle: Bundle, model: Model, head: Head) -> int:
    """Drops from `model` all that follows the embedding; returns the embedding's new index."""
    with _named(bundle):
        return prune(model, head.embedding)


@contextlib.contextmanager
def _named(bundle: Bundle) -> Iterator[None]:
    """Puts the model's name before the message of what is wrong with its head."""
    try:
        yield
    except ModelUnsupported as error:
        raise ModelUnsupported(
            f"model {bundle.name!r} has no last layer that can be replaced: {error.message}",
            expected=_EXPECTED,
            hint="`whatsit models` lists models that can be taught",
        ) from error
    except ModelDamaged as error:
        raise ModelDamaged(f"model {bundle.name!r}: {error.message}", hint=error.hint) from error


def _last_operators(model: Model) -> list[Operator]:
    """The graph's end, backwards: from the operator that gives the output to the layer."""
    graph = only_graph(model)
    made_by = producers(graph)
    operators: list[Operator] = []
    index = int(graph.outputs[0])
    while True:
        operator = made_by.pop(index, None)  # pop: a damaged graph may go in circles
        if operator is None:
            raise ModelUnsupported("it ends in the picture itself")
        operators.append(operator)
        code = op_code(model, operator)
        if code in (Op.FULLY_CONNECTED, Op.CONV_2D):
            return operators
        # The shape that a RESHAPE gives may itself be computed.
        sources = [_input(operator, 0)] if code in _SHAPES else computed_inputs(model, operator)
        # Some converters add the bias in an operator of its own.
        if len(sources) != 1 or code not in (_AFTER | {Op.ADD}):
            raise ModelUnsupported(f"it ends in {op_name(code)}")
        index = sources[0]


def _head(model: Model, operator: Operator, classes: int) -> Head:
    graph = only_graph(model)
    index = _stored(model, graph, _input(operator, 1))
    weights = graph.tensors[index]
    shape = shape_of(weights)
    if len(shape) not in (2, 4) or any(side != 1 for side in shape[1:-1]):
        raise ModelUnsupported(f"its last layer is a convolution of {list(shape[1:-1])}")
    if shape[0] != classes:
        raise ModelUnsupported(f"its last layer gives {shape[0]} values for {classes} classes")
    embedding = _embedding(model, graph, _input(operator, 0), shape[-1])
    tensor = graph.tensors[embedding]
    dtype = _number(tensor)
    if dtype == "int8":
        return Head(embedding, shape[-1], dtype, "int8")
    # Of a layer that was too small to be stored in halves, the rest of the weights tells.
    halves = any(t.type in _SMALL and constant(model, t) is not None for t in graph.tensors)
    return Head(embedding, shape[-1], dtype, "float16" if halves else "float32")


def _input(operator: Operator, place: int) -> int:
    inputs = list(inputs_of(operator))
    if len(inputs) <= place:
        raise ModelUnsupported("one of its last operators reads nothing")
    return inputs[place]


def _stored(model: Model, graph: SubGraph, index: int) -> int:
    """The constant behind a tensor: the tensor itself, or what a DEQUANTIZE makes it of."""
    operator = producers(graph).get(index)
    if operator is not None and op_code(model, operator) == Op.DEQUANTIZE:
        index = _input(operator, 0)
    if constant(model, graph.tensors[index]) is None:
        raise ModelUnsupported("the weights of its last layer are computed")
    return index


def _embedding(model: Model, graph: SubGraph, index: int, width: int) -> int:
    """The tensor that a layer reads, or the one it was made of by a mere change of shape."""
    made_by = producers(graph)
    if not _is_vector(graph.tensors[index], width):
        shape = list(shape_of(graph.tensors[index]))
        raise ModelUnsupported(f"its last layer reads {shape}, not one vector of {width}")
    seen = {index}
    while True:
        operator = made_by.get(index)
        if operator is None or op_code(model, operator) not in _SHAPES:
            return index
        source = _input(operator, 0)
        if source in seen or not _is_vector(graph.tensors[source], width):
            return index
        seen.add(source)
        index = source


def _is_vector(tensor: Tensor, width: int) -> bool:
    shape = shape_of(tensor)
    return len(shape) in (2, 3, 4) and shape[-1] == width and all(n == 1 for n in shape[:-1])


def _number(tensor: Tensor) -> Number:
    dtype = DTYPES.get(tensor.type)
    name = str(tensor.type) if dtype is None else np.dtype(dtype).name
    if name not in ("float32", "int8", "uint8"):
        raise ModelUnsupported(f"its embedding is of type {name}")
    quantisation = Quantisation.of(tensor)
    if name != "float32" and (
        quantisation is None
        or len(quantisation.scales) != 1
        or not 0 < quantisation.scales[0] < np.inf
    ):
        raise ModelUnsupported("its embedding has no single scale")
    return cast(Number, name)


def _check_plain(model: Model, operators: list[Operator]) -> None:
    """Raises ModelUnsupported unless the layer's values go into a softmax as they are."""
    codes = [op_code(model, operator) for operator in operators]
    if codes.count(Op.SOFTMAX) != 1 or Op.LOGISTIC in codes or Op.ADD in codes:
        raise ModelUnsupported("its last layer does not lead straight into a softmax")
    beta = getattr(operators[codes.index(Op.SOFTMAX)].builtinOptions, "beta", 1)
    fused = getattr(operators[-1].builtinOptions, "fusedActivationFunction", 0)
    if beta != 1 or fused != 0:
        raise ModelUnsupported("its softmax or its last layer does more than usual")


def _layer(model: Model, operator: Operator) -> Layer:
    graph = only_graph(model)
    weights = _real(model, graph.tensors[_stored(model, graph, _input(operator, 1))])
    rows = weights.reshape(weights.shape[0], -1)  # (C, 1, 1, D) → (C, D)
    if len(list(inputs_of(operator))) < 3:
        return Layer(rows, np.zeros(len(rows), np.float32))
    bias = graph.tensors[_stored(model, graph, _input(operator, 2))]
    real = _real(model, bias).reshape(-1)
    if real.shape != (len(rows),):
        raise ModelUnsupported(f"its last layer has {real.size} biases for {len(rows)} classes")
    return Layer(rows, real)


def _real(model: Model, tensor: Tensor) -> Floats:
    """A constant in real numbers."""
    values: NDArray[Any] | None = constant(model, tensor)
    assert values is not None
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    quantisation = Quantisation.of(tensor)
    if quantisation is None:
        raise ModelUnsupported("its last layer is in steps of unknown size")
    sides = [1] * values.ndim
    try:
        if len(quantisation.scales) > 1:
            sides[quantisation.axis] = -1
        scales = quantisation.scales.astype(np.float64).reshape(sides)
        points = quantisation.zero_points.reshape(sides)
        real: Floats = ((values - points) * scales).astype(np.float32)
    except (IndexError, ValueError) as error:
        raise ModelDamaged(f"the scales of its last layer do not fit: {error}") from error
    return real
