"""Writes the int8 twin of a float graph, given the scale of every tensor and the rounded weights.

The arithmetic is that of TensorFlow Lite's 8-bit quantisation specification: activations with one
scale and zero point, weights symmetric with one scale per output channel, biases int32 at input
scale times weight scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from .plan import INT8_VERSIONS, WEIGHTED, Plan
from .read import Op, Operator, Quantisation, Type, op_code, tensor_name
from .write import GraphWriter


@dataclass(frozen=True)
class LayerWeights:
    """Rounded weights in the layer's own shape, and the scale of each output [outputs] along
    `axis`.
    """

    stored: NDArray[Any]
    scales: NDArray[Any]
    axis: int

    @property
    def quantisation(self) -> Quantisation:
        """With a single scale where all are alike: FULLY_CONNECTED below version 12 knows no more
        than one.
        """
        scales = self.scales[:1] if (self.scales == self.scales[0]).all() else self.scales
        return Quantisation(
            scales, np.zeros(len(scales), np.int64), self.axis if len(scales) > 1 else 0
        )


def write_int8(
    plan: Plan,
    quantisations: Mapping[int, Quantisation],
    layers: Mapping[int, LayerWeights],
) -> bytes:
    """The int8 model; `layers` holds the rounded weights of each weighted operator, by its output
    tensor.
    """
    return _Int8Writer(plan, quantisations, layers).run()


class _Int8Writer:
    def __init__(
        self,
        plan: Plan,
        quantisations: Mapping[int, Quantisation],
        layers: Mapping[int, LayerWeights],
    ) -> None:
        self._plan, self._quantisations = plan, quantisations
        self._layers = layers
        self._writer = GraphWriter(plan.model.description)
        self._tensors: dict[int, int] = {}

    def run(self) -> bytes:
        plan, writer = self._plan, self._writer
        image = plan.graph.tensors[int(plan.graph.inputs[0])]
        params = image.quantization
        bytes_ = Quantisation.single(float(params.scale[0]), int(params.zeroPoint[0]))
        source = writer.tensor(tensor_name(image), tuple(image.shape), Type.UINT8, bytes_)
        entry = self._computed(plan.entry)
        # Version 2 of QUANTIZE takes quantised input.
        writer.operator(Op.QUANTIZE, 2, [source], [entry], schema.QuantizeOptionsT())
        for operator in plan.operators:
            self._operator(operator)
        return writer.finish([source], [self._finish()])

    def _computed(self, index: int) -> int:
        tensor = self._plan.graph.tensors[index]
        shape, quantisation = tuple(int(n) for n in tensor.shape), self._quantisations[index]
        self._tensors[index] = self._writer.tensor(
            tensor_name(tensor), shape, Type.INT8, quantisation
        )
        return self._tensors[index]

    def _operator(self, operator: Operator) -> None:
        code = op_code(self._plan.model, operator)
        if code in WEIGHTED:
            inputs = self._weighted_inputs(operator)
        else:
            inputs = [self._input(operator, int(index)) for index in operator.inputs]
        out = self._computed(int(operator.outputs[0]))
        self._writer.operator(code, INT8_VERSIONS[code], inputs, [out], operator.builtinOptions)

    def _input(self, operator: Operator, index: int) -> int:
        """A computed tensor, an int32 argument, or a float constant stored as the operator's output
        is.
        """
        values = self._plan.constant(index)
        if values is None:
            return self._tensors[index]
        name = tensor_name(self._plan.graph.tensors[index])
        if values.dtype == np.int32:
            return self._writer.constant(name, values)
        quantisation = self._quantisations[int(operator.outputs[0])]
        stored = np.rint(values / quantisation.scales[0]) + quantisation.zero_points[0]
        return self._writer.constant(name, np.clip(stored, -128, 127).astype(np.int8), quantisation)

    def _weighted_inputs(self, operator: Operator) -> list[int]:
        source, weights, bias = (int(index) for index in operator.inputs)
        tensors, out = self._plan.graph.tensors, int(operator.outputs[0])
        layer = self._layers[out]
        kernel = self._writer.constant(
            tensor_name(tensors[weights]), layer.stored, layer.quantisation
        )
        real = self._plan.constant(bias)
        assert real is not None
        scales = self._quantisations[source].scales * layer.quantisation.scales
        stored = np.rint(real / np.broadcast_to(scales, real.shape).astype(np.float64)).astype(
            np.int32
        )
        quantisation = Quantisation(scales, np.zeros(len(scales), np.int64))
        return [
            self._tensors[source],
            kernel,
            self._writer.constant(tensor_name(tensors[bias]), stored, quantisation),
        ]

    def _finish(self) -> int:
        """Back to real numbers, and through the float SOFTMAX if there was one."""
        plan, writer = self._plan, self._writer
        last = plan.graph.tensors[plan.last]
        name = tensor_name(last) if plan.softmax is None else f"{tensor_name(last)}/real"
        out = writer.tensor(name, tuple(last.shape), Type.FLOAT32)
        if plan.softmax is None:
            writer.graph.tensors[self._tensors[plan.last]].name = f"{name}/int8"
        options = schema.DequantizeOptionsT()
        writer.operator(Op.DEQUANTIZE, 2, [self._tensors[plan.last]], [out], options)
        if plan.softmax is None:
            return out
        end = plan.graph.tensors[int(plan.softmax.outputs[0])]
        probabilities = writer.tensor(tensor_name(end), tuple(end.shape), Type.FLOAT32)
        writer.operator(Op.SOFTMAX, 1, [out], [probabilities], plan.softmax.builtinOptions)
        return probabilities
