"""A TensorFlow Lite graph as the schema's own objects: operators, tensors, constants.

Nothing here runs a graph. Of a damaged file the generated code makes anything, so `parse` checks
every number that is later used as an index; what it gives can be walked without fear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from .._flatbuffer import Node, read_model
from ..bundle import Bundle
from ..errors import ModelDamaged, ModelUnsupported

Model: TypeAlias = Any  # schema.ModelT, which comes without types, as do the next three
SubGraph: TypeAlias = Any
Tensor: TypeAlias = Any
Operator: TypeAlias = Any
Op = schema.BuiltinOperator
Type = schema.TensorType

DTYPES: Mapping[int, type[np.generic]] = {
    Type.FLOAT32: np.float32,
    Type.FLOAT16: np.float16,
    Type.INT32: np.int32,
    Type.UINT8: np.uint8,
    Type.INT8: np.int8,
}


@dataclass(frozen=True)
class Quantisation:
    """Affine quantisation, real = scale * (stored - zero_point); one pair, or one per slice of
    `axis`.
    """

    scales: NDArray[Any]
    zero_points: NDArray[Any]
    axis: int = 0

    @staticmethod
    def single(scale: float, zero_point: int) -> Quantisation:
        return Quantisation(np.array([scale], np.float32), np.array([zero_point], np.int64))

    @staticmethod
    def of(tensor: Tensor) -> Quantisation | None:
        """That of a tensor, or None for one without."""
        params = tensor.quantization
        scales = np.array(_optional(params and params.scale), np.float32)
        if scales.size == 0:
            return None
        found = _optional(params.zeroPoint)
        points = np.array(found, np.int64) if len(found) else np.zeros(len(scales), np.int64)
        return Quantisation(scales, points, int(params.quantizedDimension))

    def to_schema(self) -> Any:
        params = schema.QuantizationParametersT()
        params.scale = self.scales.astype(np.float32)
        params.zeroPoint = self.zero_points.astype(np.int64)
        params.quantizedDimension = self.axis
        return params


def parse(bundle: Bundle) -> Model:
    """The model of a bundle, unpacked. Raises ModelDamaged, and ModelUnsupported for several
    subgraphs.
    """
    try:
        _check_lengths(bundle.data)
        model = read_model(bundle.data)
        graph = only_graph(model)
        _check_indices(model, graph)
    except ModelUnsupported as error:
        raise ModelUnsupported(
            f"model {bundle.name!r}: {error.message}", expected=error.expected
        ) from error
    # The generated code checks nothing: of damaged tables it raises nearly anything.
    except Exception as error:
        raise ModelDamaged(
            f"model {bundle.name!r}: its graph cannot be read: {error}",
            hint="the file is damaged or cut short",
        ) from error
    return model


def _check_lengths(data: bytes) -> None:
    """Raises ValueError for a list of absurd length, which the generated code would go through."""
    root = Node.root(data)
    root.nodes(1)  # operator codes
    root.nodes(4)  # buffers
    for graph in root.nodes(2):
        graph.nodes(0)  # tensors
        graph.nodes(3)  # operators


def _check_indices(model: Model, graph: SubGraph) -> None:
    """Raises ValueError for an index that leads nowhere, TypeError where a part is missing."""
    _inside([*graph.inputs, *graph.outputs], len(graph.tensors), "tensor")
    _inside([tensor.buffer for tensor in graph.tensors], len(model.buffers), "buffer")
    for operator in graph.operators:
        _inside([operator.opcodeIndex], len(model.operatorCodes), "operator code")
        _inside(operator.outputs, len(graph.tensors), "tensor")
        _inside(inputs_of(operator), len(graph.tensors), "tensor")
        _inside(_optional(operator.intermediates), len(graph.tensors), "tensor")


def _inside(indices: Iterable[int], count: int, what: str) -> None:
    for index in indices:
        if not 0 <= index < count:
            raise ValueError(f"no {what} {index}")


def only_graph(model: Model) -> SubGraph:
    """The model's one subgraph. Raises ModelUnsupported where there are several."""
    if len(model.subgraphs) != 1:
        raise ModelUnsupported(f"it has {len(model.subgraphs)} subgraphs", expected="one subgraph")
    return model.subgraphs[0]


def tensor_name(tensor: Tensor) -> str:
    """A tensor's name; the schema's reader gives bytes."""
    if isinstance(tensor.name, bytes):
        return tensor.name.decode("utf-8", "replace")
    return "" if tensor.name is None else str(tensor.name)


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """A tensor's shape; of a scalar the schema's reader gives None."""
    return tuple(int(side) for side in _optional(tensor.shape))


def op_code(model: Model, operator: Operator) -> int:
    """The `BuiltinOperator` of an operator."""
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def op_name(code: int) -> str:
    """The name of a `BuiltinOperator`, such as CONV_2D, or its number if it has none."""
    return next((name for name, value in vars(Op).items() if value == code), f"operator {code}")


def constant(model: Model, tensor: Tensor) -> NDArray[Any] | None:
    """A constant tensor's values in its own shape, or None for one that is computed.

    Raises ModelUnsupported for a type that is not in DTYPES, ModelDamaged for a wrong number of
    values.
    """
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    dtype, shape = DTYPES.get(tensor.type), shape_of(tensor)
    name = tensor_name(tensor)
    if dtype is None:
        raise ModelUnsupported(f"its constant {name!r} is of type {tensor.type}")
    content = np.asarray(data, np.uint8).tobytes()
    try:
        return np.frombuffer(content, dtype).reshape(shape)
    except ValueError as error:
        raise ModelDamaged(
            f"its constant {name!r} has {len(content)} bytes for the shape {list(shape)}",
            hint="the file is damaged or cut short",
        ) from error


def inputs_of(operator: Operator) -> Iterator[int]:
    """The indices of the tensors an operator reads, without the -1 of an absent one."""
    return (int(index) for index in _optional(operator.inputs) if index != -1)


def outputs_of(operator: Operator) -> Iterator[int]:
    """The indices of the tensors an operator writes."""
    return (int(index) for index in _optional(operator.outputs))


def intermediates_of(operator: Operator) -> Iterator[int]:
    """The indices of the tensors an operator keeps for itself."""
    return (int(index) for index in _optional(operator.intermediates))


def computed_inputs(model: Model, operator: Operator) -> list[int]:
    """The indices of the tensors an operator reads that are not constants."""
    tensors = only_graph(model).tensors
    buffers = model.buffers
    return [i for i in inputs_of(operator) if _is_empty(buffers[tensors[i].buffer].data)]


def producers(graph: SubGraph) -> dict[int, Operator]:
    """The operator that writes each computed tensor."""
    return {index: operator for operator in graph.operators for index in outputs_of(operator)}


def _optional(values: Any) -> Any:
    """An empty vector is None to the schema's reader; some versions of it say 0."""
    return () if values is None or isinstance(values, int) else values


def _is_empty(data: Any) -> bool:
    return data is None or len(data) == 0
