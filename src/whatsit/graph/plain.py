"""A float model in the one form that the quantiser reads.

Raw uint8 pixels go in and through DEQUANTIZE, whatever the model took (entry.py); weights are
float32, each operator with its own; every layer with weights has a bias; activations are fused
where they can be; no SQUEEZE. The function is that of the model, apart from the last digits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from ..bundle import Bundle
from ..errors import ModelUnsupported
from .entry import Entry, bordered, same_padding
from .plan import WEIGHTED
from .read import (
    Op,
    Operator,
    Quantisation,
    Type,
    constant,
    inputs_of,
    only_graph,
    op_code,
    op_name,
    outputs_of,
    parse,
    shape_of,
    tensor_name,
)
from .write import GraphWriter

_Activation = schema.ActivationFunctionType
_FUSABLE = {Op.RELU: _Activation.RELU, Op.RELU6: _Activation.RELU6}
_TAKES_ACTIVATION = WEIGHTED | {Op.ADD}
_CONVOLUTIONS = frozenset({Op.CONV_2D, Op.DEPTHWISE_CONV_2D})


@dataclass(frozen=True)
class PlainGraph:
    """A .tflite without metadata; its uint8 input stands for (p - mean) / std.

    `unpacked` is whether the model had its weights as float16 (or less) behind DEQUANTIZE.
    """

    graph: bytes
    mean: float
    std: float
    unpacked: bool


def plain_graph(bundle: Bundle) -> PlainGraph:
    """The model of a bundle in plain form.

    Raises ModelUnsupported for a model that is quantised already, or whose input cannot be
    changed, and what `parse` raises.
    """
    return _Plain(bundle).run()


class _Plain:
    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._model = parse(bundle)
        self._graph = only_graph(self._model)
        description = self._model.description or b""
        self._writer = GraphWriter(
            description.decode("utf-8", "replace")
            if isinstance(description, bytes)
            else description
        )
        self._tensors: dict[int, int] = {}
        self._folded: dict[int, NDArray[Any]] = {}  # what a DEQUANTIZE makes of a constant
        self._uses = Counter(i for o in self._graph.operators for i in inputs_of(o))
        self._uses.update(map(int, self._graph.outputs))
        self._entry: Entry | None = None  # while it is still to be folded into the first layer

    def run(self) -> PlainGraph:
        self._check()
        image, mean, std = self._image()
        operators = list(self._graph.operators)
        fused = self._fuse(operators)
        for operator in operators:
            if id(operator) not in fused:
                self._operator(operator)
        if any(int(i) not in self._tensors for i in self._graph.outputs):
            raise ModelUnsupported("its output is not computed", expected="a classifier")
        outputs = [self._tensors[int(i)] for i in self._graph.outputs]
        return PlainGraph(
            self._writer.finish([image], outputs), mean, std, unpacked=bool(self._folded)
        )

    def _check(self) -> None:
        for operator in self._graph.operators:
            code = op_code(self._model, operator)
            if code == Op.CUSTOM or getattr(operator, "builtinOptions2", None) is not None:
                raise ModelUnsupported(
                    "it holds an operator of somebody's own making",
                    expected="the operators of TensorFlow Lite",
                )
            stored = [self._graph.tensors[i] for i in inputs_of(operator)]
            if code in WEIGHTED and any(t.type in (Type.INT8, Type.UINT8) for t in stored):
                raise ModelUnsupported(
                    f"it is quantised already: the weights of {op_name(code)} have 8 bits",
                    expected="a float32 or float16 model",
                    hint="quantise the float model that it was made from",
                )

    def _image(self) -> tuple[int, float, float]:
        """Adds the uint8 input, and its DEQUANTIZE if the model has none; gives mean and std."""
        (source,) = map(int, self._graph.inputs)
        tensor = self._graph.tensors[source]
        name, shape = _name(tensor), shape_of(tensor)
        if tensor.type == Type.UINT8:
            given = Quantisation.of(tensor) or Quantisation.single(1.0, 0)
            scale, zero_point = float(given.scales[0]), int(given.zero_points[0])
            self._tensors[source] = self._writer.tensor(name, shape, Type.UINT8, given)
            return self._tensors[source], float(zero_point), 1 / scale
        entry = Entry.of(self._bundle.input.mean, self._bundle.input.std)
        quantisation = Quantisation.single(1 / entry.std, entry.mean)
        image = self._writer.tensor(name, shape, Type.UINT8, quantisation)
        x = self._writer.tensor(f"{name}/normalised", shape, Type.FLOAT32)
        self._writer.operator(Op.DEQUANTIZE, 1, [image], [x], schema.DequantizeOptionsT())
        self._tensors[source] = x
        if not entry.exact:
            if self._uses[source] != 1:
                raise self._unfoldable("several operators that read it")
            self._entry = entry
        return image, float(entry.mean), entry.std

    def _fuse(self, operators: list[Operator]) -> set[int]:
        """Joins RELU and RELU6 to what makes their input; gives the ids of those now needless."""
        makers = {int(o.outputs[0]): o for o in operators if len(o.outputs) == 1}
        fused = set()
        for operator in operators:
            activation = _FUSABLE.get(op_code(self._model, operator))
            maker = makers.get(int(operator.inputs[0])) if activation is not None else None
            if (
                maker is not None
                and op_code(self._model, maker) in _TAKES_ACTIVATION
                and maker.builtinOptions.fusedActivationFunction == _Activation.NONE
                and self._uses[int(operator.inputs[0])] == 1
            ):
                maker.builtinOptions.fusedActivationFunction = activation
                maker.outputs = operator.outputs
                fused.add(id(operator))
        return fused

    def _operator(self, operator: Operator) -> None:
        code = op_code(self._model, operator)
        if code == Op.DEQUANTIZE:
            values = self._constant(int(operator.inputs[0]))
            if values is not None:
                stored = self._graph.tensors[int(operator.inputs[0])]
                self._folded[int(operator.outputs[0])] = _real(values, Quantisation.of(stored))
                return
        if self._entry is not None:
            self._first(operator, self._entry)
        elif code in WEIGHTED:
            self._write(operator, self._weighted(operator))
        elif code == Op.SQUEEZE:
            self._squeeze(operator)
        else:
            inputs = [self._input(int(i)) if i >= 0 else -1 for i in operator.inputs]
            self._write(operator, inputs)

    def _write(self, operator: Operator, inputs: list[int]) -> None:
        code = op_code(self._model, operator)
        version = self._model.operatorCodes[operator.opcodeIndex].version
        outputs = [self._computed(index) for index in outputs_of(operator)]
        self._writer.operator(code, version, inputs, outputs, operator.builtinOptions)

    def _constant(self, index: int) -> NDArray[Any] | None:
        """The values of a constant, or of a constant behind DEQUANTIZE; None for a computed one."""
        if index in self._folded:
            return self._folded[index]
        return constant(self._model, self._graph.tensors[index])

    def _input(self, index: int) -> int:
        """A computed tensor, or a constant, which each operator gets for itself alone."""
        values = self._constant(index)
        if values is None:
            return self._tensors[index] if index in self._tensors else self._computed(index)
        tensor = self._graph.tensors[index]
        given = None if index in self._folded else Quantisation.of(tensor)
        return self._writer.constant(_name(tensor), values, given)

    def _computed(self, index: int) -> int:
        tensor = self._graph.tensors[index]
        self._tensors[index] = self._writer.tensor(
            _name(tensor), shape_of(tensor), tensor.type, Quantisation.of(tensor)
        )
        return self._tensors[index]

    def _weighted(self, operator: Operator) -> list[int]:
        source, weights, *bias = (int(index) for index in operator.inputs)
        inputs = [self._input(source), self._input(weights)]
        if bias and bias[0] >= 0:
            return [*inputs, self._input(bias[0])]
        out = self._graph.tensors[int(operator.outputs[0])]
        zeros = np.zeros(shape_of(out)[-1], np.float32)
        return [*inputs, self._writer.constant(f"{_name(out)}/bias", zeros)]

    def _squeeze(self, operator: Operator) -> None:
        out = self._graph.tensors[int(operator.outputs[0])]
        shape = self._writer.constant(f"{_name(out)}/shape", np.array(shape_of(out), np.int32))
        inputs = [self._input(int(operator.inputs[0])), shape]
        options = schema.ReshapeOptionsT()
        options.newShape = np.array(shape_of(out), np.int32)
        target = self._computed(int(operator.outputs[0]))
        self._writer.operator(Op.RESHAPE, 1, inputs, [target], options)

    def _first(self, operator: Operator, entry: Entry) -> None:
        """What reads the input: a convolution, or the PAD before one."""
        code = op_code(self._model, operator)
        x = self._input(int(operator.inputs[0]))
        if code == Op.PAD:
            self._tensors[int(operator.outputs[0])] = self._padded(operator, x, entry)
            return
        weights = self._constant(int(operator.inputs[1])) if code in _CONVOLUTIONS else None
        if weights is None or weights.shape[-1] % 3:
            raise self._unfoldable(op_name(code))
        self._entry = None
        has_bias = len(operator.inputs) > 2 and operator.inputs[2] >= 0
        bias = self._constant(int(operator.inputs[2])) if has_bias else None
        options = operator.builtinOptions
        if entry.coloured and options.padding == schema.Padding.SAME:
            sizes = shape_of(self._graph.tensors[int(operator.inputs[0])])[1:3]
            amounts = same_padding(sizes, weights.shape[1:3], options)
            x = bordered(self._writer, x, amounts, entry.colour)
            options.padding = schema.Padding.VALID
        name = _name(self._graph.tensors[int(operator.outputs[0])])
        weights, bias = entry.fold(code, weights, bias)
        kernel = self._writer.constant(f"{name}/weights", weights)
        self._write(operator, [x, kernel, self._writer.constant(f"{name}/bias", bias)])

    def _padded(self, operator: Operator, x: int, entry: Entry) -> int:
        """PAD of zeros that mean a colour, as a border of this colour."""
        amounts = self._constant(int(operator.inputs[1]))
        out = int(operator.outputs[0])
        if amounts is None or amounts.shape != (4, 2) or amounts[[0, 3]].any():
            raise self._unfoldable("a PAD of an odd kind")
        if self._uses[out] != 1:
            raise self._unfoldable("a PAD that several operators read")
        sides = [(int(before), int(after)) for before, after in amounts[1:3]]
        return bordered(self._writer, x, sides, entry.colour)

    def _unfoldable(self, what: str) -> ModelUnsupported:
        mean, std = list(self._bundle.input.mean), list(self._bundle.input.std)
        return ModelUnsupported(
            f"its mean {mean} and std {std} cannot be moved into its first layer, which is {what}",
            expected="a convolution that reads the input",
        )


def _name(tensor: Any) -> str:
    """A tensor's name without the `;` that some readers take for the end of it."""
    return tensor_name(tensor).replace(";", ",")


def _real(values: NDArray[Any], given: Quantisation | None) -> NDArray[np.float32]:
    """What a stored constant stands for."""
    if given is None or values.dtype == np.float16:
        return values.astype(np.float32)
    shape = [1] * values.ndim
    shape[given.axis if len(given.scales) > 1 else 0] = -1 if len(given.scales) > 1 else 1
    scales, points = given.scales.reshape(shape), given.zero_points.reshape(shape)
    real: NDArray[np.float32] = ((values.astype(np.float32) - points) * scales).astype(np.float32)
    return real
