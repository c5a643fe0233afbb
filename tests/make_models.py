"""Builds the tiny .tflite files that the tests use, straight from the schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from whatsit import Bundle
from whatsit._flatbuffer import pack_model, read_model

_TYPES = {
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
}


@dataclass(frozen=True)
class Spec:
    """One tensor: name, shape, element type, optional constant and (scale, zero point)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    value: np.ndarray | None = None
    quantization: tuple[float, int] | None = None


@dataclass(frozen=True)
class Op:
    """One operator: builtin code, input and output tensor indices, options object or None."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int = 0
    options: object | None = None


def build(
    tensors: Sequence[Spec], ops: Sequence[Op], inputs: Sequence[int], outputs: Sequence[int]
) -> bytes:
    """A flatbuffer with one subgraph."""
    model = schema.ModelT()
    model.version = 3
    model.description = "test"
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [_tensor(model, spec) for spec in tensors]
    codes = sorted({op.code for op in ops})
    model.operatorCodes = [_operator_code(code) for code in codes]
    graph.operators = [_operator(op, codes.index(op.code)) for op in ops]
    graph.inputs, graph.outputs = list(inputs), list(outputs)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(model: schema.ModelT, spec: Spec) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = spec.name, list(spec.shape), _TYPES[spec.dtype]
    if spec.value is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(spec.value).tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    if spec.quantization is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [spec.quantization[0]]
        tensor.quantization.zeroPoint = [spec.quantization[1]]
    return tensor


def _operator_code(code: int) -> schema.OperatorCodeT:
    row = schema.OperatorCodeT()
    row.deprecatedBuiltinCode = min(code, 127)
    row.builtinCode = code
    row.version = 2 if code in (schema.BuiltinOperator.DEQUANTIZE,) else 1
    return row


def _operator(op: Op, index: int) -> schema.OperatorT:
    row = schema.OperatorT()
    row.opcodeIndex = index
    row.inputs, row.outputs = list(op.inputs), list(op.outputs)
    row.builtinOptionsType, row.builtinOptions = op.options_type, op.options
    return row


def pixels(height: int = 16, width: int = 16, scale: float = 1.0) -> bytes:
    """uint8 [1,h,w,3] → float32 [1, h*w*3]: its "scores" are the very pixels that it was given."""
    count = height * width * 3
    return build(
        [
            Spec("image", (1, height, width, 3), "uint8", quantization=(scale, 0)),
            Spec("floats", (1, height, width, 3), "float32"),
            Spec("shape", (2,), "int32", np.array([1, count], np.int32)),
            Spec("scores", (1, count), "float32"),
        ],
        [
            Op(schema.BuiltinOperator.DEQUANTIZE, (0,), (1,)),
            Op(schema.BuiltinOperator.RESHAPE, (1, 2), (3,)),
        ],
        [0],
        [3],
    )


def edges(
    source: Spec | None = None, target: Spec | None = None, *, inputs: int = 1, outputs: int = 1
) -> bytes:
    """A graph with no operators at all: for what is refused before anything runs."""
    source = source or Spec("image", (1, 8, 8, 3), "uint8", quantization=(1 / 255, 0))
    target = target or Spec("scores", (1, 2), "float32")
    return build([source, target], [], [0] * inputs, [1] * outputs)


def floats(height: int = 8, width: int = 8) -> bytes:
    """float32 [1,h,w,3] → float32 [1, h*w*3]: its "scores" are the normalised pixels."""
    count = height * width * 3
    return build(
        [
            Spec("image", (1, height, width, 3), "float32"),
            Spec("shape", (2,), "int32", np.array([1, count], np.int32)),
            Spec("scores", (1, count), "float32"),
        ],
        [Op(schema.BuiltinOperator.RESHAPE, (0, 1), (2,))],
        [0],
        [2],
    )


def forked() -> bytes:
    """float32 [1,2,2,3] → scores [1,12], the logistic of the input; as many values beside them.

    Tensor 2 is the input as a vector, 4 the negative scores, which nobody reads; 5 is never
    written, and 7 made of a constant.
    """
    vector = np.array([1, 12], np.int32)
    return build(
        [
            Spec("image", (1, 2, 2, 3), "float32"),
            Spec("shape", (2,), "int32", vector),
            Spec("vector", (1, 12), "float32"),
            Spec("scores", (1, 12), "float32"),
            Spec("dead", (1, 12), "float32"),
            Spec("never", (1, 12), "float32"),
            Spec("constant", (1, 12), "float32", np.ones((1, 12), np.float32)),
            Spec("constant/negative", (1, 12), "float32"),
        ],
        [
            Op(schema.BuiltinOperator.RESHAPE, (0, 1), (2,)),
            Op(schema.BuiltinOperator.LOGISTIC, (2,), (3,)),
            Op(schema.BuiltinOperator.NEG, (3,), (4,)),
            Op(schema.BuiltinOperator.NEG, (6,), (7,)),
        ],
        [0],
        [3],
    )


def hostile() -> bytes:
    """uint8 [1,1,1,3] → three scores of 0; divides -2^31 by -1 if a pixel value is odd.

    On x86 that ends the process (SIGFPE). LiteRT finds nothing wrong with the file.
    """
    cast, mul = schema.CastOptionsT(), schema.MulOptionsT()
    return build(
        [
            Spec("image", (1, 1, 1, 3), "uint8"),
            Spec("numbers", (1, 1, 1, 3), "int32"),
            Spec("least", (3,), "int32", np.full(3, -(1 << 31), np.int32)),
            Spec("least or 0", (1, 1, 1, 3), "int32"),
            Spec("minus one", (3,), "int32", np.full(3, -1, np.int32)),
            Spec("remainders", (1, 1, 1, 3), "int32"),
            Spec("floats", (1, 1, 1, 3), "float32"),
            Spec("shape", (2,), "int32", np.array([1, 3], np.int32)),
            Spec("scores", (1, 3), "float32"),
        ],
        [
            Op(schema.BuiltinOperator.CAST, (0,), (1,), schema.BuiltinOptions.CastOptions, cast),
            Op(schema.BuiltinOperator.MUL, (1, 2), (3,), schema.BuiltinOptions.MulOptions, mul),
            Op(schema.BuiltinOperator.FLOOR_MOD, (3, 4), (5,)),
            Op(schema.BuiltinOperator.CAST, (5,), (6,), schema.BuiltinOptions.CastOptions, cast),
            Op(schema.BuiltinOperator.RESHAPE, (6, 7), (8,)),
        ],
        [0],
        [8],
    )


def bundle(graph: bytes, classes: int, *, mean: float = 0.0, std: float = 1.0) -> bytes:
    """`graph` with labels c0, c1, … and the rule `stretch`, as the bytes of a bundle."""
    labels = [f"c{index}" for index in range(classes)]
    made = Bundle.create(
        graph, name="tiny", labels=labels, preprocess="stretch", mean=mean, std=std
    )
    return made.data


def bare(data: bytes) -> bytes:
    """The graph of a bundle, without any metadata, as the models of 2019 came."""
    model = read_model(data)
    model.metadata = None
    return pack_model(model)


def padded(data: bytes, before: int, after: int) -> bytes:
    """A bare classifier with so many more scores, all 0, before and after its own."""
    model = read_model(bare(data))
    graph = model.subgraphs[0]
    classes = int(graph.tensors[graph.outputs[0]].shape[-1])
    amounts = np.array([[0, 0], [before, after]], np.int32)
    graph.tensors.append(_tensor(model, Spec("amounts", (2, 2), "int32", amounts)))
    graph.tensors.append(_tensor(model, Spec("more", (1, classes + before + after), "float32")))
    model.operatorCodes.append(_operator_code(schema.BuiltinOperator.PAD))
    last = len(graph.tensors) - 1
    op = Op(0, (int(graph.outputs[0]), last - 1), (last,))
    graph.operators.append(_operator(op, len(model.operatorCodes) - 1))
    graph.outputs = [last]
    return pack_model(model)
