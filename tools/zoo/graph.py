"""Looks into TensorFlow Lite graphs, as the schema's own objects, and makes new ones.

`GraphWriter` adds tensors and operators by name. whatsit reads and writes the files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from whatsit._flatbuffer import pack_model

Tensor: TypeAlias = schema.TensorT
Operator: TypeAlias = schema.OperatorT
Op = schema.BuiltinOperator
Type = schema.TensorType

DTYPES: Mapping[int, type[np.generic]] = {
    Type.FLOAT32: np.float32,
    Type.FLOAT16: np.float16,
    Type.INT32: np.int32,
    Type.UINT8: np.uint8,
    Type.INT8: np.int8,
}
_TYPES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
# Operator codes above this are written to the 32-bit field, with this number in the old 8-bit one.
_PLACEHOLDER_CODE = 127


@dataclass(frozen=True)
class Quantisation:
    """Affine quantisation, real = scale * (stored - zero_point); one pair, or one per slice of
    `axis`.
    """

    scales: np.ndarray
    zero_points: np.ndarray
    axis: int = 0

    @staticmethod
    def single(scale: float, zero_point: int) -> "Quantisation":
        return Quantisation(np.array([scale], np.float32), np.array([zero_point], np.int64))

    def to_schema(self) -> schema.QuantizationParametersT:
        params = schema.QuantizationParametersT()
        params.scale = self.scales.astype(np.float32)
        params.zeroPoint = self.zero_points.astype(np.int64)
        params.quantizedDimension = self.axis
        return params


def only_graph(model: schema.ModelT) -> schema.SubGraphT:
    """The model's one subgraph; raises ValueError where there are several."""
    if len(model.subgraphs) != 1:
        raise ValueError(f"one subgraph expected, {len(model.subgraphs)} found")
    return model.subgraphs[0]


def tensor_name(tensor: Tensor) -> str:
    """A tensor's name; the schema's reader gives bytes."""
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)


def op_code(model: schema.ModelT, operator: Operator) -> int:
    """The `BuiltinOperator` of an operator."""
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def op_name(code: int) -> str:
    """The name of a `BuiltinOperator`, such as CONV_2D."""
    return str(next(name for name, value in vars(Op).items() if value == code))


def constant(model: schema.ModelT, tensor: Tensor) -> np.ndarray | None:
    """A constant tensor's values in its own shape, or None for one that is computed."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    return np.frombuffer(np.asarray(data, np.uint8).tobytes(), DTYPES[tensor.type]).reshape(
        tensor.shape
    )


def set_constant(model: schema.ModelT, tensor: Tensor, values: np.ndarray) -> None:
    """Puts new values of the same shape into a constant tensor; the type follows the values."""
    tensor.type = _TYPES[values.dtype]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)


def inputs_of(operator: Operator) -> Iterator[int]:
    """The indices of the tensors an operator reads, without the -1 of an absent one."""
    return (int(index) for index in operator.inputs if index >= 0)


def computed_inputs(model: schema.ModelT, operator: Operator) -> list[int]:
    """The indices of the tensors an operator reads that are not constants."""
    tensors = only_graph(model).tensors
    return [index for index in inputs_of(operator) if constant(model, tensors[index]) is None]


class GraphWriter:
    """A new one-subgraph model, filled tensor by tensor and operator by operator."""

    def __init__(self, description: str) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = description
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]  # buffer 0 is "no data", by the schema's rule
        self.graph = schema.SubGraphT()
        self.graph.name = "main"
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]
        self._versions: dict[tuple[int, int], int] = {}

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        type_code: int,
        quantisation: Quantisation | None = None,
    ) -> int:
        """Adds a computed tensor; returns its index."""
        tensor = schema.TensorT()
        tensor.name, tensor.type = name, type_code
        tensor.shape = np.array(shape, np.int32)
        tensor.buffer = 0
        if quantisation is not None:
            tensor.quantization = quantisation.to_schema()
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(
        self, name: str, values: np.ndarray, quantisation: Quantisation | None = None
    ) -> int:
        """Adds a constant tensor; returns its index."""
        index = self.tensor(name, values.shape, _TYPES[values.dtype], quantisation)
        set_constant(self.model, self.graph.tensors[index], values)
        return index

    def operator(
        self, code: int, version: int, inputs: list[int], outputs: list[int], options: Any = None
    ) -> Operator:
        """Adds an operator; `options` is an options object of the schema, as `Conv2DOptionsT`."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code_index(code, version)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.graph.operators.append(operator)
        return operator

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        """Declares what goes in and comes out; returns the flatbuffer."""
        self.graph.inputs, self.graph.outputs = (
            np.array(inputs, np.int32),
            np.array(outputs, np.int32),
        )
        return pack_model(self.model)

    def _code_index(self, code: int, version: int) -> int:
        key = (code, version)
        if key not in self._versions:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.version = code, version
            entry.deprecatedBuiltinCode = min(code, _PLACEHOLDER_CODE)
            self._versions[key] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(entry)
        return self._versions[key]
