"""A TensorFlow Lite graph made anew, tensor by tensor and operator by operator."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from .._flatbuffer import pack_model
from .read import (
    DTYPES,
    Model,
    Op,
    Operator,
    Quantisation,
    Tensor,
    Type,
    only_graph,
    shape_of,
    tensor_name,
)

_TYPES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
# Operator codes above this are written to the 32-bit field, with this number in the old 8-bit one.
_PLACEHOLDER_CODE = 127
# The oldest that know these types.
_DEQUANTIZE_VERSIONS = {Type.UINT8: 1, Type.INT8: 2, Type.FLOAT16: 3}


def set_constant(model: Model, tensor: Tensor, values: NDArray[Any]) -> None:
    """Puts new values of the same shape into a constant tensor; the type follows the values."""
    tensor.type = _TYPES[values.dtype]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)


class GraphWriter:
    """A one-subgraph model, filled tensor by tensor and operator by operator."""

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
        self._names: set[str] = set()

    @classmethod
    def onto(cls, model: Model) -> GraphWriter:
        """Goes on with a model that is there already, which it changes."""
        writer = cls("")
        writer.model, writer.graph = model, only_graph(model)
        writer._versions = {
            (int(max(entry.builtinCode, entry.deprecatedBuiltinCode)), int(entry.version)): index
            for index, entry in enumerate(model.operatorCodes)
            if entry.customCode is None
        }
        writer._names = {tensor_name(tensor) for tensor in writer.graph.tensors}
        return writer

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        type_code: int,
        quantisation: Quantisation | None = None,
    ) -> int:
        """Adds a computed tensor; returns its index. A name that is taken gets a number."""
        tensor = schema.TensorT()
        tensor.name, tensor.type = self._unique(name), type_code
        tensor.shape = np.array(shape, np.int32)
        tensor.buffer = 0
        if quantisation is not None:
            tensor.quantization = quantisation.to_schema()
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(
        self, name: str, values: NDArray[Any], quantisation: Quantisation | None = None
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

    def dequantised(self, tensor: int) -> int:
        """Adds what makes a tensor float32, if it is not; returns the index of the result."""
        source = self.graph.tensors[tensor]
        if source.type == Type.FLOAT32:
            return tensor
        real = self.tensor(f"{tensor_name(source)}/real", shape_of(source), Type.FLOAT32)
        version = _DEQUANTIZE_VERSIONS[source.type]
        self.operator(Op.DEQUANTIZE, version, [tensor], [real], schema.DequantizeOptionsT())
        return real

    def reshaped(self, tensor: int, shape: tuple[int, ...]) -> int:
        """Adds what gives a tensor this shape, if it has not; returns the index of the result."""
        source = self.graph.tensors[tensor]
        if shape_of(source) == shape:
            return tensor
        name = f"{tensor_name(source)}/{'x'.join(map(str, shape))}"
        sides = np.array(shape, np.int32)
        result = self.tensor(name, shape, source.type, Quantisation.of(source))
        options = schema.ReshapeOptionsT()
        options.newShape = sides
        self.operator(
            Op.RESHAPE, 1, [tensor, self.constant(f"{name}/shape", sides)], [result], options
        )
        return result

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        """Declares what goes in and comes out; returns the flatbuffer."""
        self.graph.inputs, self.graph.outputs = (
            np.array(inputs, np.int32),
            np.array(outputs, np.int32),
        )
        return pack_model(self.model)

    def _unique(self, name: str) -> str:
        """OpenVINO tells tensors apart by their names alone."""
        number, unique = 2, name
        while unique in self._names:
            number, unique = number + 1, f"{name}/{number}"
        self._names.add(unique)
        return unique

    def _code_index(self, code: int, version: int) -> int:
        key = (code, version)
        if key not in self._versions:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.version = code, version
            entry.deprecatedBuiltinCode = min(code, _PLACEHOLDER_CODE)
            self._versions[key] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(entry)
        return self._versions[key]
