"""Writes the int8 twin of a float graph, given the scale of every tensor and the rounded weights.

The arithmetic is that of TensorFlow Lite's 8-bit quantisation specification: activations with one
scale and zero point, weights symmetric with one scale per output channel, biases int32 at input
scale times weight scale.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from graph import (
    GraphWriter,
    Op,
    Operator,
    Quantisation,
    Type,
    computed_inputs,
    constant,
    only_graph,
    op_code,
    op_name,
    tensor_name,
)
from observe import Statistics
from ranges import activation_quantisation, softmax_weights

WEIGHTED = frozenset({Op.CONV_2D, Op.DEPTHWISE_CONV_2D, Op.FULLY_CONNECTED})
# Their output is stored as their input is: moving numbers about needs no new scale.
_SAME = frozenset({Op.CONCATENATION, Op.PAD, Op.MAX_POOL_2D, Op.AVERAGE_POOL_2D, Op.RESHAPE})
# The oldest versions that know int8 (lite/tools/versioning/op_version.cc), so that old runtimes
# take the file.
_INT8_VERSIONS: Mapping[int, int] = {
    Op.CONV_2D: 3,
    Op.DEPTHWISE_CONV_2D: 3,
    Op.FULLY_CONNECTED: 4,
    Op.ADD: 2,
    Op.MEAN: 2,
    Op.PAD: 2,
    Op.CONCATENATION: 2,
    Op.MAX_POOL_2D: 2,
    Op.AVERAGE_POOL_2D: 2,
    Op.RESHAPE: 1,
}


class UnsupportedGraphError(ValueError):
    """The graph holds something that these rules do not cover."""


class Plan:
    """Which parts of a float graph become int8, and which tensors must be stored alike."""

    def __init__(self, model: schema.ModelT) -> None:
        self.model = model
        self.graph = only_graph(model)
        first, *rest = self.graph.operators
        image = self.graph.tensors[int(self.graph.inputs[0])]
        if op_code(model, first) != Op.DEQUANTIZE or image.type != Type.UINT8:
            raise UnsupportedGraphError("a uint8 input through DEQUANTIZE is expected")
        self.entry = int(first.outputs[0])
        ends_in_softmax = op_code(model, rest[-1]) == Op.SOFTMAX
        self.softmax: Operator | None = rest[-1] if ends_in_softmax else None
        self.operators: list[Operator] = rest[:-1] if ends_in_softmax else rest
        self._check()
        self.last = int(self.operators[-1].outputs[0])
        self.observed = [int(operator.outputs[0]) for operator in self.operators]

    def _check(self) -> None:
        for operator in self.operators:
            code = op_code(self.model, operator)
            if code not in _INT8_VERSIONS:
                raise UnsupportedGraphError(f"no int8 rule for {op_name(code)}")
            if code == Op.ADD and len(computed_inputs(self.model, operator)) != 2:
                raise UnsupportedGraphError("no int8 rule for ADD of a constant")
            if code in WEIGHTED and (len(operator.inputs) < 3 or operator.inputs[2] < 0):
                raise UnsupportedGraphError(f"no int8 rule for {op_name(code)} without bias")
            if code == Op.DEPTHWISE_CONV_2D and operator.builtinOptions.depthMultiplier != 1:
                raise UnsupportedGraphError("no int8 rule for a depth multiplier")

    def constant(self, index: int) -> np.ndarray | None:
        """A constant tensor's values, None for a computed one."""
        return constant(self.model, self.graph.tensors[index])

    def weights(self, operator: Operator) -> np.ndarray:
        """A weighted operator's weights, as they lie in the graph."""
        values = self.constant(int(operator.inputs[1]))
        if values is None:
            raise UnsupportedGraphError("weights that are computed")
        return values

    def weighted(self) -> Iterable[Operator]:
        """The operators with weights, first to last."""
        return (o for o in self.operators if op_code(self.model, o) in WEIGHTED)

    def quantisations(self, seen: Mapping[int, Statistics]) -> dict[int, Quantisation]:
        """The int8 quantisation of every computed tensor; tensors that are stored alike get the
        same one.
        """
        chosen = {}
        for root, members in self._alike().items():
            if root == self.entry:
                found = self._picture_quantisation()
            else:
                values = np.concatenate([seen[i].samples.ravel() for i in members])
                low = min(float(seen[i].low.min()) for i in members)
                high = max(float(seen[i].high.max()) for i in members)
                weights = self._weights_of_values(members, seen)
                found = activation_quantisation(values, low, high, weights)
            chosen.update(dict.fromkeys(members, found))
        return chosen

    def _weights_of_values(
        self, members: list[int], seen: Mapping[int, Statistics]
    ) -> np.ndarray | None:
        """What each value of the logits matters to the softmax after them; None elsewhere."""
        if self.softmax is None or members != [self.last]:
            return None
        return softmax_weights(seen[self.last].samples).ravel()

    def _picture_quantisation(self) -> Quantisation:
        """The input's own scale, its zero point moved from uint8 to int8: no pixel changes."""
        params = self.graph.tensors[int(self.graph.inputs[0])].quantization
        return Quantisation.single(float(params.scale[0]), int(params.zeroPoint[0]) - 128)

    def _alike(self) -> dict[int, list[int]]:
        """Sets of tensors that are stored alike, by their first member."""
        first = {self.entry: self.entry}
        for operator in self.operators:
            out, sources = int(operator.outputs[0]), computed_inputs(self.model, operator)
            if op_code(self.model, operator) not in _SAME:
                first[out] = out
                continue
            roots = {first[index] for index in sources}
            first[out] = min(roots)
            first = {index: min(roots) if root in roots else root for index, root in first.items()}
        sets: dict[int, list[int]] = {}
        for index, root in first.items():
            sets.setdefault(root, []).append(index)
        return sets


@dataclass(frozen=True)
class LayerWeights:
    """Rounded weights in the layer's own shape, and the scale of each output [outputs] along
    `axis`.
    """

    stored: np.ndarray
    scales: np.ndarray
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
        self._writer.operator(code, _INT8_VERSIONS[code], inputs, [out], operator.builtinOptions)

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
