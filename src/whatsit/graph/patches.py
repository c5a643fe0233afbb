"""What a convolution sees of its input at a few places: windows of a map, with TensorFlow's
padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from .read import Operator


def some_windows(
    values: NDArray[Any], operator: Operator, kernel: tuple[int, int], count: int, number: int
) -> NDArray[Any]:
    """Up to `count` windows [n, kh, kw, C] of a map [h, w, C], spread evenly; others for each
    picture `number`.
    """
    options = operator.builtinOptions
    same = options.padding == schema.Padding.SAME
    steps = options.dilationHFactor, options.dilationWFactor
    (size_y, before_y), (size_x, before_x) = (
        _outputs(n, (k - 1) * d + 1, s, same)
        for n, k, s, d in zip(
            values.shape[:2], kernel, (options.strideH, options.strideW), steps, strict=True
        )
    )
    flat = spread(size_y * size_x, count, number)
    y = (flat // size_x * options.strideH - before_y)[:, None] + steps[0] * np.arange(kernel[0])
    x = (flat % size_x * options.strideW - before_x)[:, None] + steps[1] * np.arange(kernel[1])
    inside = _within(y, values.shape[0])[:, :, None] & _within(x, values.shape[1])[:, None]
    y, x = np.clip(y, 0, values.shape[0] - 1), np.clip(x, 0, values.shape[1] - 1)
    found: NDArray[Any] = values[y[:, :, None], x[:, None]] * inside[..., None]
    return found


def spread(total: int, count: int, number: int) -> NDArray[Any]:
    """Up to `count` indices below `total`, evenly spread, from another start for each `number`."""
    count = min(count, total)
    # The golden ratio's fraction moves the start without ever settling into a pattern.
    start = int(number * 0.6180339887 * total)
    return (start + np.arange(count) * total // count) % total


def _within(indices: NDArray[Any], size: int) -> NDArray[Any]:
    return (indices >= 0) & (indices < size)


def _outputs(size: int, kernel: int, stride: int, same: bool) -> tuple[int, int]:
    """How many positions a kernel has along one side, and the padding before the first."""
    if not same:
        return -(-(size - kernel + 1) // stride), 0
    outputs = -(-size // stride)
    return outputs, max((outputs - 1) * stride + kernel - size, 0) // 2
