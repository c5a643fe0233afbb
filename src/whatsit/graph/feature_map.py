"""The last feature map of a classifier whose last layer reads the mean of it.

For such a network the logit of a class is the mean over all places of what the layer makes of each
place alone: which part of the picture speaks for a class can be read off, and nothing is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .._taps import tensor_info
from ..bundle import Bundle, OutputSpec
from ..errors import ModelUnsupported
from .head import Layer, last_layer, locate
from .read import (
    Model,
    Op,
    Operator,
    constant,
    inputs_of,
    only_graph,
    op_code,
    op_name,
    parse,
    producers,
    shape_of,
)

_SAME_VALUES = frozenset({Op.QUANTIZE, Op.DEQUANTIZE, Op.RESHAPE, Op.SQUEEZE})
_EXPECTED = "a classifier that ends in a global mean, one layer and softmax"
_HINT = "the built-in models can be explained, and those that were taught from them"


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """The map is the tensor of this index, (1, height, width, depth); `spec` is what it is made of.

    logits (C,) = layer.weights (C, depth) @ mean of the map (depth,) + layer.bias (C,), but for the
    rounding of a quantised mean.
    """

    tensor: int
    height: int
    width: int
    depth: int
    spec: OutputSpec
    layer: Layer = field(repr=False)


def find_feature_map(bundle: Bundle) -> FeatureMap:
    """The map of a bundle. Raises ModelUnsupported, with the reason, for a bundle without one."""
    model = parse(bundle)
    try:
        layer = last_layer(bundle)
        tensor = _source(model, locate(bundle, model).embedding)
        _, height, width, depth = shape_of(only_graph(model).tensors[tensor])
        spec = _spec(bundle, tensor, height * width * depth)
    except ModelUnsupported as error:
        cause = error.__cause__  # head's own errors speak of replacing the layer
        reason = cause.message if isinstance(cause, ModelUnsupported) else error.message
        raise ModelUnsupported(
            f"model {bundle.name!r} cannot say why: {reason}", expected=_EXPECTED, hint=_HINT
        ) from error
    return FeatureMap(tensor, height, width, depth, spec, layer)


def _spec(bundle: Bundle, tensor: int, count: int) -> OutputSpec:
    info = tensor_info(bundle.data, tensor)
    if info.dtype == "float32":
        return OutputSpec("float32", count)
    if info.dtype not in ("int8", "uint8") or info.steps is None:
        raise ModelUnsupported(f"its feature map, of type {info.dtype}, has no single scale")
    return OutputSpec(info.dtype, count, *info.steps)


def _source(model: Model, index: int) -> int:
    """The map that the embedding at `index` is the mean of. Raises ModelUnsupported without one."""
    made_by = producers(only_graph(model))
    while True:
        operator = made_by.pop(index, None)  # pop: a damaged graph may go in circles
        if operator is None:
            raise ModelUnsupported("its last layer reads the picture itself")
        code, index = op_code(model, operator), next(inputs_of(operator), -1)
        if index < 0:
            raise ModelUnsupported("one of its last operators reads nothing")
        if code not in _SAME_VALUES:
            break
    if not _is_global_mean(model, operator, code):
        raise ModelUnsupported(
            f"its last layer reads what {op_name(code)} gives, not the mean of a feature map"
        )
    return index


def _is_global_mean(model: Model, operator: Operator, code: int) -> bool:
    tensors = only_graph(model).tensors
    inputs = list(inputs_of(operator))
    shape = shape_of(tensors[inputs[0]])
    if len(shape) != 4 or shape[0] != 1:
        return False
    if code == Op.MEAN:
        axes = constant(model, tensors[inputs[1]]) if len(inputs) > 1 else None
        return axes is not None and {int(axis) % 4 for axis in axes.reshape(-1)} == {1, 2}
    options = operator.builtinOptions
    return (
        code == Op.AVERAGE_POOL_2D
        and (int(options.filterHeight), int(options.filterWidth)) == shape[1:3]
        and options.fusedActivationFunction == 0
        and all(shape_of(tensors[int(i)])[1:3] == (1, 1) for i in operator.outputs)
    )
