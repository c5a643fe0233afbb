"""Evens out the channels of a float graph so that one scale for a whole tensor serves each of them.

Multiplying a channel where it is made and dividing where it is read leaves the function as it was
(cross-layer equalisation, Nagel et al., arXiv:1906.04721). Here it is done for every set of tensors
that must share their factors: a residual stream is one such set, since ADD ties its inputs and
output. A ReLU6 allows factors of one and more, up to the point where a channel's largest value
reaches 6: then min(6, s x) / s still is x for every value seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from .observe import Statistics
from .plan import WEIGHTED
from .read import Model, Op, Operator, computed_inputs, constant, inputs_of, only_graph, op_code
from .write import set_constant

# Multiplying a channel of every input multiplies the output's: factors pass through. PAD adds
# zeros.
_TYING = frozenset({Op.ADD, Op.PAD, Op.MEAN})
_Activation = schema.ActivationFunctionType
# s f(x) = f(s x) for these; RELU6 with the care described above.
_SCALABLE = frozenset({_Activation.NONE, _Activation.RELU, _Activation.RELU6})
_RELU6_TOP = 6.0
# Room above the largest value seen, for pictures that were not.
_HEADROOM = 1.05
# Rounding that makes up for its own errors (rounding.py) leaves about a tenth of the plain noise.
_WEIGHT_NOISE = 0.1
# How far to go from nothing (0) to all channels alike (1).
_STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
# A dead channel would otherwise ask for an endless factor.
_LARGEST_FACTOR = 64.0


@dataclass
class _Group:
    """Tensors that share their factors, the weighted operators that make them and those that read
    them.
    """

    tensors: list[int] = field(default_factory=list)
    producers: list[Operator] = field(default_factory=list)
    consumers: list[Operator] = field(default_factory=list)
    free: bool = True


def equalise(model: Model, seen: dict[int, Statistics]) -> dict[int, Statistics]:
    """Rewrites the weights of a float model in place; returns the statistics of its tensors as they
    are now.
    """
    after = dict(seen)
    for group in _groups(model):
        if not group.free or not group.producers or not group.consumers:
            continue
        if any(index not in after for index in group.tensors):
            continue
        factors = _best_factors(model, group, after)
        for operator in group.producers:
            _multiply_output(model, operator, factors)
        for operator in group.consumers:
            _divide_input(model, operator, factors)
        for index in group.tensors:
            after[index] = after[index].scaled(factors)
    return after


def _groups(model: Model) -> list[_Group]:
    graph = only_graph(model)
    parent = list(range(len(graph.tensors)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for operator in graph.operators:
        if op_code(model, operator) in _TYING:
            for index in computed_inputs(model, operator):
                parent[root(index)] = root(int(operator.outputs[0]))
    groups: dict[int, _Group] = defaultdict(_Group)
    for operator in graph.operators:
        _register(model, operator, groups, root)
    for index in (*graph.inputs, *graph.outputs):
        groups[root(int(index))].free = False
    return [groups[key] for key in sorted(groups)]


def _register(
    model: Model, operator: Operator, groups: dict[int, _Group], root: Callable[[int], int]
) -> None:
    """Enters one operator into the groups of the tensors it reads and makes."""
    code = op_code(model, operator)
    made = groups[root(int(operator.outputs[0]))]
    made.tensors.append(int(operator.outputs[0]))
    if code in WEIGHTED:
        made.producers.append(operator)
        made.free &= _activation(operator) in _SCALABLE
        read = groups[root(int(operator.inputs[0]))]
        read.consumers.append(operator)
        source, weights = (only_graph(model).tensors[int(i)] for i in operator.inputs[:2])
        # Else it flattens a map by itself: several of its columns read one channel.
        read.free &= int(source.shape[-1]) == int(weights.shape[-1])
    elif code in _TYING:
        made.free &= _activation(operator) == _Activation.NONE
        made.free &= _constants_are_neutral(model, operator, code)
    else:
        made.free = False
        for index in inputs_of(operator):
            groups[root(index)].free = False


def _activation(operator: Operator) -> int:
    return int(getattr(operator.builtinOptions, "fusedActivationFunction", _Activation.NONE))


def _constants_are_neutral(model: Model, operator: Operator, code: int) -> bool:
    """Whether ADD has no constant side, PAD leaves channels alone, MEAN does not run over them."""
    graph = only_graph(model)
    if code == Op.ADD:
        return len(computed_inputs(model, operator)) == 2
    source, argument = (graph.tensors[int(i)] for i in operator.inputs[:2])
    values = constant(model, argument)
    if values is None:
        return False
    rank = len(source.shape)
    if code == Op.PAD:
        return not bool(values[rank - 1].any())
    return all(int(axis) % rank != rank - 1 for axis in values.ravel())


def _best_factors(model: Model, group: _Group, seen: dict[int, Statistics]) -> NDArray[Any]:
    """The factors [C], of several strengths, that make the least noise in what reads the group."""
    reach = np.max([np.maximum(seen[i].high, -seen[i].low) for i in group.tensors], axis=0)
    reach = np.maximum(reach, reach.max() / _LARGEST_FACTOR)
    relu6 = any(_activation(operator) == _Activation.RELU6 for operator in group.producers)
    full = _RELU6_TOP / (_HEADROOM * reach) if relu6 else reach.max() / reach
    full = np.clip(full, 1.0, _LARGEST_FACTOR)
    choices = [full**strength for strength in _STRENGTHS]
    return min(choices, key=lambda factors: _noise(model, group, seen, factors))


def _noise(
    model: Model, group: _Group, seen: dict[int, Statistics], factors: NDArray[Any]
) -> float:
    """Variance that rounding adds to the outputs of the group's readers, times twelve."""
    total = 0.0
    for operator in group.consumers:
        rows = _rows(model, operator) / factors  # [outputs, C]
        step = np.abs(rows).max(1) / 127
        power = (seen[int(operator.inputs[0])].samples.astype(np.float64) ** 2).mean(0) * factors**2
        if op_code(model, operator) == Op.DEPTHWISE_CONV_2D:
            # Each output reads one channel: its weights' step shrinks as the channel grows, nothing
            # is lost.
            total += float((np.abs(rows).max(0) / 127) ** 2 @ power)
        else:
            total += _WEIGHT_NOISE * float((step**2).sum() * power.sum())
        gain = (rows**2).sum(0)
        steps = [_step(seen[i], factors) for i in group.tensors]
        total += float(np.sum(np.square(steps)) * gain.sum())
    return total


def _step(seen: Statistics, factors: NDArray[Any]) -> float:
    """The step of eight bits over what a tensor holds, leaving out one value in ten thousand."""
    values = seen.samples[::4] * factors.astype(np.float32)  # a quarter says as much
    low, high = np.quantile(values, (0.0001, 0.9999))
    return float(max(high, 0) - min(low, 0)) / 255


def _rows(model: Model, operator: Operator) -> NDArray[Any]:
    """Weights as [outputs or taps, input channels], float64."""
    weights = constant(model, only_graph(model).tensors[int(operator.inputs[1])])
    assert weights is not None
    return weights.reshape(-1, weights.shape[-1]).astype(np.float64)


def _multiply_output(model: Model, operator: Operator, factors: NDArray[Any]) -> None:
    tensors = only_graph(model).tensors
    weights, bias = (tensors[int(index)] for index in operator.inputs[1:3])
    values = constant(model, weights)
    assert values is not None
    depthwise = op_code(model, operator) == Op.DEPTHWISE_CONV_2D
    shape = (1,) * (values.ndim - 1) + (-1,) if depthwise else (-1,) + (1,) * (values.ndim - 1)
    set_constant(model, weights, (values * factors.reshape(shape)).astype(np.float32))
    set_constant(model, bias, (constant(model, bias) * factors).astype(np.float32))


def _divide_input(model: Model, operator: Operator, factors: NDArray[Any]) -> None:
    weights = only_graph(model).tensors[int(operator.inputs[1])]
    set_constant(model, weights, (constant(model, weights) / factors).astype(np.float32))
