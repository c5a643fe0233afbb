"""Stores a float graph's weights as float16: half the size, read back to float32 when a runtime
prepares the graph.
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from .._flatbuffer import read_model
from .read import Model, Op, Quantisation, Tensor, constant, only_graph, op_code, tensor_name
from .write import GraphWriter

# Smaller constants (biases, axes) are not worth a DEQUANTIZE each.
_LEAST_VALUES = 4096


def float16_graph(model: bytes) -> bytes:
    """The same graph with each large float32 constant as float16 behind a DEQUANTIZE, as XNNPACK
    expects it.
    """
    source = read_model(model)
    graph = only_graph(source)
    writer = GraphWriter(source.description)
    indices = {}
    for operator in graph.operators:
        for index in map(int, (*operator.inputs, *operator.outputs)):
            if index >= 0 and index not in indices:
                indices[index] = _copy(source, graph.tensors[index], writer)
        code = source.operatorCodes[operator.opcodeIndex]
        inputs = [indices.get(int(index), -1) for index in operator.inputs]
        outputs = [indices[int(index)] for index in operator.outputs]
        options = operator.builtinOptions
        writer.operator(op_code(source, operator), code.version, inputs, outputs, options)
    return writer.finish(
        [indices[int(i)] for i in graph.inputs], [indices[int(i)] for i in graph.outputs]
    )


def _copy(source: Model, tensor: Tensor, writer: GraphWriter) -> int:
    """Adds a tensor to the new graph, with the DEQUANTIZE that makes it where it is a large
    constant.
    """
    name, shape = tensor_name(tensor), tuple(int(n) for n in tensor.shape)
    values = constant(source, tensor)
    if values is None:
        return writer.tensor(name, shape, tensor.type, _quantisation(tensor))
    if values.dtype != np.float32 or values.size < _LEAST_VALUES:
        return writer.constant(name, values)
    if np.abs(values).max() > np.finfo(np.float16).max:  # it would become infinite
        return writer.constant(name, values)
    stored = writer.constant(f"{name}/float16", values.astype(np.float16))
    real = writer.tensor(name, shape, tensor.type)
    # Version 3 of DEQUANTIZE is the first to know float16.
    writer.operator(Op.DEQUANTIZE, 3, [stored], [real], schema.DequantizeOptionsT())
    return real


def _quantisation(tensor: Tensor) -> Quantisation | None:
    params = tensor.quantization
    if params is None or params.scale is None or len(params.scale) == 0:
        return None
    return Quantisation.single(float(params.scale[0]), int(params.zeroPoint[0]))
