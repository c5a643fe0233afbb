"""A float graph as a torch module, made of the graph's own operators, and back again.

The module computes what LiteRT computes, to the last digits of float32, so that what is learned
here is what runs there. TensorFlow Lite keeps pictures as [N, h, w, C], torch as [N, C, h, w]: a
tensor of four sides is turned, any other stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor, nn
from torch.nn import functional

from ...errors import ModelUnsupported
from ...graph.entry import same_padding
from ...graph.read import (
    Model,
    Op,
    Operator,
    Quantisation,
    constant,
    inputs_of,
    only_graph,
    op_code,
    op_name,
    shape_of,
)
from ...graph.write import set_constant

Values = dict[int, Tensor]  # by the index of the tensor in the graph
Step = Callable[[Values], Tensor]
Order = tuple[int, ...]  # of sides, for permute

_Activation = schema.ActivationFunctionType
# Sides of TensorFlow Lite's weights in the order that torch has them in, by operator.
_ORDERS: dict[int, Order] = {
    Op.CONV_2D: (0, 3, 1, 2),  # [outputs, kh, kw, inputs]
    Op.DEPTHWISE_CONV_2D: (3, 0, 1, 2),  # [1, kh, kw, outputs]
    Op.FULLY_CONNECTED: (0, 1),
}
_AXES = (0, 2, 3, 1)  # where each side of [N, h, w, C] is in [N, C, h, w]
_TO_TORCH, _TO_TFLITE = (0, 3, 1, 2), (0, 2, 3, 1)


class Network(nn.Module):
    """The part of a float graph that ends in the tensor `end`: uint8 (N, h, w, 3) → (N, D).

    `model` is in plain form (see graph/plain.py): its input goes through DEQUANTIZE, its weights
    are float32. Its constants become parameters, and `write_back` puts these into it again. Raises
    ModelUnsupported, naming the operator, for one without a rule here.
    """

    def __init__(self, model: Model, end: int) -> None:
        super().__init__()
        self._model, self._graph, self._end = model, only_graph(model), end
        self._image = int(self._graph.inputs[0])
        self._weights: dict[int, tuple[nn.Parameter, Order]] = {}
        self._steps: dict[int, Step] = {}
        for operator in self._graph.operators:
            out = int(operator.outputs[0])
            self._steps[out] = self._step(operator)
            if out == end:
                break
        self._last_use = self._last_uses()
        for index, (parameter, _) in self._weights.items():
            self.register_parameter(f"tensor{index}", parameter)

    def forward(self, pictures: Tensor) -> Tensor:
        """The embeddings (N, D) of pictures (N, h, w, 3) of 8 bits."""
        values = {self._image: pictures.permute(_TO_TORCH)}
        for out, step in self._steps.items():
            values[out] = step(values)
            for index in self._last_use[out]:
                values.pop(index, None)  # memory that no later step needs
        return values[self._end].flatten(1)

    def depths(self) -> list[tuple[nn.Parameter, float]]:
        """Each parameter with where it stands: 0 next to the picture, 1 next to the embedding."""
        order = [parameter for parameter, _ in self._weights.values()]
        return [(one, place / max(1, len(order) - 1)) for place, one in enumerate(order)]

    def sharpen(self, factor: float) -> None:
        """Multiplies what is given by `factor`; the layer that gives it is the last one."""
        with torch.no_grad():
            for parameter, _ in list(self._weights.values())[-2:]:
                parameter.mul_(factor)

    def write_back(self) -> None:
        """Puts the parameters as they are now into the model this was made of."""
        for index, (parameter, order) in self._weights.items():
            values = parameter.detach().cpu().permute(tuple(np.argsort(order))).numpy()
            set_constant(self._model, self._graph.tensors[index], np.ascontiguousarray(values))

    def _last_uses(self) -> dict[int, list[int]]:
        """The tensors that are read for the last time, by what is made of them."""
        last = {}
        for operator in self._graph.operators[: len(self._steps)]:
            last.update(dict.fromkeys(inputs_of(operator), int(operator.outputs[0])))
        found: dict[int, list[int]] = {out: [] for out in self._steps}
        for index, out in last.items():
            if index != self._end:
                found[out].append(index)
        return found

    def _step(self, operator: Operator) -> Step:
        makers: dict[int, Callable[[Operator], Step]] = {
            Op.DEQUANTIZE: self._dequantize,
            Op.CONV_2D: self._convolution,
            Op.DEPTHWISE_CONV_2D: self._convolution,
            Op.FULLY_CONNECTED: self._fully_connected,
            Op.ADD: self._add,
            Op.MEAN: self._mean,
            Op.PAD: self._pad,
            Op.CONCATENATION: self._concatenation,
            Op.AVERAGE_POOL_2D: self._pool,
            Op.MAX_POOL_2D: self._pool,
            Op.RESHAPE: self._reshape,
        }
        code = op_code(self._model, operator)
        if code not in makers:
            raise ModelUnsupported(
                f"there is no rule to train its operator {op_name(code)}",
                expected=f"only {', '.join(op_name(known) for known in makers)} before the last "
                "layer",
                hint="--method head teaches any backbone",
            )
        step = makers[code](operator)
        return _activated(step, operator, op_name(code))

    def _dequantize(self, operator: Operator) -> Step:
        source = int(operator.inputs[0])
        given = Quantisation.of(self._graph.tensors[source])
        assert given is not None, "plain form gives the input one"
        scale, zero_point = float(given.scales[0]), float(given.zero_points[0])
        return lambda values: (values[source].float() - zero_point) * scale

    def _convolution(self, operator: Operator) -> Step:
        source, (weights, bias) = int(operator.inputs[0]), self._learned(operator)
        options = operator.builtinOptions
        strides = (options.strideH, options.strideW)
        steps = (options.dilationHFactor, options.dilationWFactor)
        channels = shape_of(self._graph.tensors[source])[-1]
        groups = channels // weights.shape[1]
        sides = self._sides(operator, tuple(weights.shape[2:]))

        def run(values: Values) -> Tensor:
            x, rest = _padded(values[source], sides)
            return functional.conv2d(x, weights, bias, strides, rest, steps, groups)

        return run

    def _fully_connected(self, operator: Operator) -> Step:
        source, (weights, bias) = int(operator.inputs[0]), self._learned(operator)
        width = weights.shape[1]
        return lambda values: functional.linear(
            _flat(values[source]).reshape(-1, width), weights, bias
        )

    def _add(self, operator: Operator) -> Step:
        first, second = (self._input(int(index)) for index in operator.inputs)
        return lambda values: first(values) + second(values)

    def _mean(self, operator: Operator) -> Step:
        source, axes = int(operator.inputs[0]), self._constant(int(operator.inputs[1]))
        sides = len(shape_of(self._graph.tensors[source]))
        keep = bool(operator.builtinOptions.keepDims)
        places = sorted(int(axis) % sides for axis in np.ravel(axes))
        if sides != 4 or places != [1, 2]:
            raise ModelUnsupported(f"its MEAN is over {places}", expected="rows and columns")
        return lambda values: values[source].mean((2, 3), keepdim=keep)

    def _pad(self, operator: Operator) -> Step:
        source, amounts = int(operator.inputs[0]), self._constant(int(operator.inputs[1]))
        if amounts.shape != (4, 2):
            raise ModelUnsupported(f"its PAD is of {len(amounts)} sides", expected="pictures")
        _, rows, columns, channels = ((int(before), int(after)) for before, after in amounts)
        return lambda values: functional.pad(values[source], (*columns, *rows, *channels))

    def _concatenation(self, operator: Operator) -> Step:
        parts = [self._input(int(index)) for index in operator.inputs]
        sides = len(shape_of(self._graph.tensors[int(operator.outputs[0])]))
        axis = int(operator.builtinOptions.axis) % sides
        axis = _AXES[axis] if sides == 4 else axis

        def run(values: Values) -> Tensor:
            given = [part(values) for part in parts]
            count = max(len(part) for part in given)  # a constant is there once
            return torch.cat([part.expand(count, *part.shape[1:]) for part in given], axis)

        return run

    def _pool(self, operator: Operator) -> Step:
        source, options = int(operator.inputs[0]), operator.builtinOptions
        window = (options.filterHeight, options.filterWidth)
        strides = (options.strideH, options.strideW)
        sides = self._sides(operator, window)
        if op_code(self._model, operator) == Op.MAX_POOL_2D:
            return lambda values: functional.max_pool2d(
                _bordered(values[source], sides, -torch.inf), window, strides
            )

        def average(values: Values) -> Tensor:  # of what is no padding
            x = values[source]
            ones = torch.ones_like(x[:1, :1])
            total = functional.avg_pool2d(_bordered(x, sides, 0.0), window, strides)
            return total / functional.avg_pool2d(_bordered(ones, sides, 0.0), window, strides)

        return average

    def _reshape(self, operator: Operator) -> Step:
        source = int(operator.inputs[0])
        shape = shape_of(self._graph.tensors[int(operator.outputs[0])])[1:]
        return lambda values: _turned(_flat(values[source]).reshape(-1, *shape))

    def _input(self, index: int) -> Step:
        """A computed tensor, or a constant that is not learned."""
        values = constant(self._model, self._graph.tensors[index])
        if values is None:
            return lambda found: found[index]
        fixed = _turned(torch.from_numpy(values.copy()))
        self.register_buffer(f"tensor{index}", fixed, persistent=False)
        return lambda found: self.get_buffer(f"tensor{index}")

    def _constant(self, index: int) -> Any:
        values = constant(self._model, self._graph.tensors[index])
        if values is None:
            raise ModelUnsupported("the sides that an operator works on are computed")
        return values

    def _learned(self, operator: Operator) -> tuple[nn.Parameter, nn.Parameter]:
        """Weights and bias, which plain form gives to every layer."""
        order = _ORDERS[op_code(self._model, operator)]
        found = []
        for index, sides in zip(map(int, operator.inputs[1:3]), (order, (0,)), strict=True):
            values = torch.from_numpy(self._constant(index).copy())
            parameter = nn.Parameter(values.permute(sides).contiguous())
            self._weights[index] = parameter, sides
            found.append(parameter)
        return found[0], found[1]

    def _sides(self, operator: Operator, window: tuple[int, ...]) -> list[tuple[int, int]]:
        """What is put on (before, after) the rows and the columns."""
        options = operator.builtinOptions
        if options.padding != schema.Padding.SAME:
            return [(0, 0), (0, 0)]
        sizes = shape_of(self._graph.tensors[int(operator.inputs[0])])[1:3]
        return same_padding(sizes, window, options)


def _activated(step: Step, operator: Operator, name: str) -> Step:
    """The step with the activation that the operator ends in."""
    kind = getattr(operator.builtinOptions, "fusedActivationFunction", _Activation.NONE)
    if kind == _Activation.NONE:
        return step
    if kind == _Activation.RELU:
        return lambda values: functional.relu(step(values))
    if kind == _Activation.RELU6:
        return lambda values: functional.relu6(step(values))
    if kind == _Activation.RELU_N1_TO_1:
        return lambda values: functional.hardtanh(step(values))
    raise ModelUnsupported(f"there is no rule to train its {name} with activation {kind}")


def _padded(x: Tensor, sides: list[tuple[int, int]]) -> tuple[Tensor, tuple[int, int]]:
    """The tensor, and what a convolution is still to put on itself: nothing if it is uneven."""
    (top, bottom), (left, right) = sides
    if (top, left) == (bottom, right):
        return x, (top, left)
    return _bordered(x, sides, 0.0), (0, 0)


def _bordered(x: Tensor, sides: list[tuple[int, int]], value: float) -> Tensor:
    (top, bottom), (left, right) = sides
    return functional.pad(x, (left, right, top, bottom), value=value)


def _flat(x: Tensor) -> Tensor:
    """Values in the order that TensorFlow Lite has them in."""
    return x.permute(_TO_TFLITE) if x.ndim == 4 else x


def _turned(x: Tensor) -> Tensor:
    """The reverse."""
    return x.permute(_TO_TORCH) if x.ndim == 4 else x
