"""Rounds weights to int8 so that what one rounding loses, later roundings of the same output make
up for.

Weights of an output are rounded one after another; each error is spread over those still to come,
in the way that disturbs the output least given how the inputs vary together (GPTQ, Frantar et al.,
arXiv:2210.17323). Inputs after a ReLU are positive and alike, so that plain rounding errors add up;
this removes most of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._flatbuffer import pack_model
from .int8 import LayerWeights
from .observe import run_open
from .patches import some_windows
from .plan import Plan
from .ranges import weight_scales
from .read import Op, Operator, Quantisation, op_code

# Windows looked at in each map of each picture.
_POSITIONS = 16
# Added to the diagonal, as a part of its mean: GPTQ's own choice.
_DAMPING = 0.01
# Inputs of a layer that are looked at together: how they vary takes 8 bytes for each two of them,
# five times over. A layer of more inputs is rounded in blocks of BLOCK, each for itself.
WIDEST, BLOCK = 2048, 512
# Half of int32, so that adding products to a bias cannot overflow.
_LARGEST_BIAS = 2**30


def second_moments(plan: Plan, pictures: Sequence[NDArray[Any]]) -> dict[int, NDArray[Any]]:
    """How the inputs of each weighted layer vary together, by its output tensor: the mean of x xᵀ.

    [1, n, n] for a layer whose outputs read the same n inputs, [C, taps, taps] for a depthwise one,
    [blocks, width, width] for one of more than WIDEST inputs, the last block filled with zeros.
    """
    operators = list(plan.weighted())
    sources = sorted({int(operator.inputs[0]) for operator in operators})
    sums: dict[int, NDArray[Any]] = {}
    for number, values in enumerate(run_open(pack_model(plan.model), sources, pictures)):
        maps = dict(zip(sources, values, strict=True))
        for operator in operators:
            inputs = _inputs(
                plan, operator, maps[int(operator.inputs[0])], number
            )  # [groups, windows, n]
            moment = inputs.transpose(0, 2, 1) @ inputs / inputs.shape[1]
            out = int(operator.outputs[0])
            if out in sums:
                sums[out] += moment
            else:
                sums[out] = moment
    return {out: total.astype(np.float64) / len(pictures) for out, total in sums.items()}


def _inputs(plan: Plan, operator: Operator, values: NDArray[Any], number: int) -> NDArray[Any]:
    """Some windows of a layer's input as [groups, windows, n]; one group, one per channel if
    depthwise, or one per block.
    """
    code = op_code(plan.model, operator)
    if code == Op.FULLY_CONNECTED:
        return _in_blocks(values.reshape(-1, plan.weights(operator).shape[-1]))
    kernel = plan.weights(operator).shape[1:3]
    chosen = some_windows(values[0], operator, kernel, _POSITIONS, number)  # [windows, kh, kw, C]
    if code == Op.DEPTHWISE_CONV_2D:
        taps = chosen.reshape(len(chosen), -1, chosen.shape[-1]).transpose(2, 0, 1)
        return np.ascontiguousarray(taps)  # a product of strided stacks would miss the fast path
    return _in_blocks(chosen.reshape(len(chosen), -1))


def _in_blocks(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows [m, n] as [blocks, m, width]: one block, or as many as it takes of at most BLOCK."""
    count, width = rows.shape
    blocks = 1 if width <= WIDEST else -(-width // BLOCK)
    side = -(-width // blocks)
    filled = np.pad(rows, ((0, 0), (0, blocks * side - width)))
    return np.ascontiguousarray(filled.reshape(count, blocks, side).transpose(1, 0, 2))


def _out_of_blocks(blocks: NDArray[Any], width: int) -> NDArray[Any]:
    """What `_in_blocks` was given, of that width."""
    count = blocks.shape[1]
    return blocks.transpose(1, 0, 2).reshape(count, -1)[:, :width]


def round_weights(
    plan: Plan, quantisations: Mapping[int, Quantisation], moments: Mapping[int, NDArray[Any]]
) -> dict[int, LayerWeights]:
    """The int8 weights of every weighted layer, by its output tensor."""
    return {
        int(operator.outputs[0]): _round_layer(
            plan,
            operator,
            quantisations[int(operator.inputs[0])],
            moments[int(operator.outputs[0])],
        )
        for operator in plan.weighted()
    }


def _round_layer(
    plan: Plan, operator: Operator, source: Quantisation, moment: NDArray[Any]
) -> LayerWeights:
    code, values = op_code(plan.model, operator), plan.weights(operator)
    axis = values.ndim - 1 if code == Op.DEPTHWISE_CONV_2D else 0
    moved = np.moveaxis(values, axis, 0)
    rows = moved.reshape(len(moved), -1).astype(np.float64)  # [outputs, n]
    depthwise = code == Op.DEPTHWISE_CONV_2D
    importance = np.diagonal(moment, axis1=1, axis2=2)  # [groups, n]
    if not depthwise:
        importance = importance.reshape(1, -1)[:, : rows.shape[1]]
    scales = _scales(rows, importance, one=code == Op.FULLY_CONNECTED)
    # A dead channel has a bias but no weights to speak of: its scale must still let int32 hold the
    # bias.
    bias = plan.constant(int(operator.inputs[2]))
    assert bias is not None
    scales = np.maximum(scales, np.abs(bias) / (source.scales[0] * _LARGEST_BIAS)).astype(
        np.float32
    )
    if depthwise:
        stored = _diffuse(rows[:, None], moment, scales[:, None])
    else:
        same = np.broadcast_to(scales, (len(moment), len(scales)))
        stored = _out_of_blocks(_diffuse(_in_blocks(rows), moment, same), rows.shape[1])
    stored = np.moveaxis(stored.reshape(moved.shape), 0, axis).astype(np.int8)
    return LayerWeights(np.ascontiguousarray(stored), scales, axis)


def _scales(rows: NDArray[Any], importance: NDArray[Any], one: bool) -> NDArray[Any]:
    """One scale per output [outputs]; all alike where there may be only one."""
    if not one:
        return weight_scales(rows, importance)
    wide = np.broadcast_to(importance, rows.shape).reshape(1, -1)
    return np.repeat(weight_scales(rows.reshape(1, -1), wide), len(rows))


def _diffuse(rows: NDArray[Any], moment: NDArray[Any], scales: NDArray[Any]) -> NDArray[Any]:
    """Stored values [groups, outputs, n] for weights of that shape, moments [groups, n, n], scales
    [groups, outputs].
    """
    diagonal = np.diagonal(moment, axis1=1, axis2=2)
    order = np.argsort(
        -diagonal, axis=1, kind="stable"
    )  # [groups, n], what matters most comes first
    damping = _DAMPING * np.maximum(diagonal.mean(1), 1e-12)
    moment = np.take_along_axis(np.take_along_axis(moment, order[:, :, None], 1), order[:, None], 2)
    moment = moment + damping[:, None, None] * np.eye(moment.shape[1])
    upper = np.linalg.cholesky(np.linalg.inv(moment)).transpose(0, 2, 1)
    left = np.take_along_axis(rows, order[:, None], 2)
    stored = np.empty_like(left)
    for j in range(left.shape[2]):
        stored[:, :, j] = np.clip(np.rint(left[:, :, j] / scales), -127, 127)
        error = (left[:, :, j] - stored[:, :, j] * scales) / upper[:, j, j, None]
        left[:, :, j + 1 :] -= error[:, :, None] * upper[:, None, j, j + 1 :]
    back = np.argsort(order, axis=1)
    return np.take_along_axis(stored, back[:, None], 2)
