"""Which parts of a float graph become int8, which of its operators have no rule for that, and which
tensors must be stored alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from ..errors import ModelUnsupported
from .observe import Statistics
from .ranges import activation_quantisation, softmax_weights
from .read import (
    Model,
    Op,
    Operator,
    Quantisation,
    Type,
    computed_inputs,
    constant,
    only_graph,
    op_code,
    op_name,
)

WEIGHTED = frozenset({Op.CONV_2D, Op.DEPTHWISE_CONV_2D, Op.FULLY_CONNECTED})
# Their output is stored as their input is: moving numbers about needs no new scale.
_SAME = frozenset({Op.CONCATENATION, Op.PAD, Op.MAX_POOL_2D, Op.AVERAGE_POOL_2D, Op.RESHAPE})
_Activation = schema.ActivationFunctionType
_ACTIVATIONS = frozenset(
    {_Activation.NONE, _Activation.RELU, _Activation.RELU6, _Activation.RELU_N1_TO_1}
)
# The oldest versions that know int8 (lite/tools/versioning/op_version.cc), so that old runtimes
# take the file.
INT8_VERSIONS: Mapping[int, int] = {
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


class Plan:
    """Which parts of a float graph become int8, and which tensors must be stored alike."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.graph = only_graph(model)
        self.entry = self._entry()
        rest = self.graph.operators[1:]
        ends_in_softmax = op_code(model, rest[-1]) == Op.SOFTMAX
        self.softmax: Operator | None = rest[-1] if ends_in_softmax else None
        self.operators: list[Operator] = rest[:-1] if ends_in_softmax else rest
        self._check()
        self.last = int(self.operators[-1].outputs[0])
        self._check_end()
        self.observed = [int(operator.outputs[0]) for operator in self.operators]

    def _entry(self) -> int:
        """The tensor behind the DEQUANTIZE of the input."""
        operators = self.graph.operators
        image = self.graph.tensors[int(self.graph.inputs[0])]
        if (
            len(operators) < 2
            or op_code(self.model, operators[0]) != Op.DEQUANTIZE
            or image.type != Type.UINT8
        ):
            raise ModelUnsupported(
                "its input is not uint8 that goes through DEQUANTIZE", expected="a float graph"
            )
        return int(operators[0].outputs[0])

    def _check(self) -> None:
        if not any(True for _ in self.weighted()):
            raise ModelUnsupported("it has no layer with weights", expected="a float classifier")
        for operator in self.operators:
            lacking = self._lacking(operator)
            if lacking:
                raise ModelUnsupported(
                    f"there is no int8 rule for its operator {lacking}",
                    expected=f"only {', '.join(op_name(code) for code in INT8_VERSIONS)}, and "
                    "SOFTMAX at the end",
                    hint=f"it is made of {self._names()}; float16 needs no rules",
                )

    def _check_end(self) -> None:
        """The operators stand in the order they run in; what the last gives must be the answer."""
        end = [self.last] if self.softmax is None else [int(self.softmax.outputs[0])]
        reads_last = self.softmax is None or int(self.softmax.inputs[0]) == self.last
        if not reads_last or [int(index) for index in self.graph.outputs] != end:
            raise ModelUnsupported(
                "its last operator does not give its answer", expected="one chain to the scores"
            )

    def _lacking(self, operator: Operator) -> str:
        """What of an operator has no rule, or nothing."""
        code = op_code(self.model, operator)
        name = op_name(code)
        if code not in INT8_VERSIONS:
            return name
        if code == Op.ADD and len(computed_inputs(self.model, operator)) != 2:
            return f"{name} of a constant"
        activation = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
        if activation not in _ACTIVATIONS:
            return f"{name} with a fused activation other than RELU"
        if code not in WEIGHTED:
            return ""
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            return f"{name} without bias"
        if any(self.constant(int(index)) is None for index in operator.inputs[1:3]):
            return f"{name} with weights that are computed"
        if code == Op.DEPTHWISE_CONV_2D and operator.builtinOptions.depthMultiplier != 1:
            return f"{name} with a depth multiplier"
        read = self.graph.tensors[int(operator.inputs[0])].shape[-1]
        if code == Op.CONV_2D and self.weights(operator).shape[-1] != read:
            return f"{name} in groups"
        return ""

    def _names(self) -> str:
        """The operators of the whole graph, each once."""
        codes = dict.fromkeys(op_code(self.model, o) for o in self.graph.operators)
        return ", ".join(op_name(code) for code in codes)

    def constant(self, index: int) -> NDArray[Any] | None:
        """A constant tensor's values, None for a computed one."""
        return constant(self.model, self.graph.tensors[index])

    def weights(self, operator: Operator) -> NDArray[Any]:
        """A weighted operator's weights, as they lie in the graph."""
        values = self.constant(int(operator.inputs[1]))
        assert values is not None, "_check has seen to it"
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
    ) -> NDArray[Any] | None:
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
