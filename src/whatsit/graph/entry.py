"""How pixels become what a float graph is given, (p - mean) / std, and its place in the graph.

One mean and std of the input say it all where they are alike for the three colours and the mean is
a whole number. Else the first convolution takes on the rest. It may pad with zeros *after*
normalising, which mean a colour: rows and columns of this colour are put on by CONCATENATION.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from .read import Op, Type, shape_of
from .write import GraphWriter

# The padding of a mean of 127.5 is half a grey level off: less than any photo can tell.
_UNSEEN_LEVELS = 0.5


@dataclass(frozen=True, slots=True)
class Entry:
    """(p - means) / stds as gains * x + offsets of one x = (p - mean) / std, with a whole mean.

    `colour` is what a zero of the graph is as x. All three are (3,), float32.
    """

    mean: int
    std: float
    gains: NDArray[np.float32]
    offsets: NDArray[np.float32]
    colour: NDArray[np.float32]

    @classmethod
    def of(cls, means: tuple[float, ...], stds: tuple[float, ...]) -> Entry:
        """For one or three of each."""
        each_mean = np.broadcast_to(np.array(means, np.float64), 3)
        each_std = np.broadcast_to(np.array(stds, np.float64), 3)
        mean = int(np.clip(round(float(each_mean.mean())), 0, 255))
        std = float(np.abs(each_std).mean())
        return cls(
            mean,
            std,
            (std / each_std).astype(np.float32),
            ((mean - each_mean) / each_std).astype(np.float32),
            ((each_mean - mean) / std).astype(np.float32),
        )

    @property
    def exact(self) -> bool:
        """Whether nothing is left for the weights to do."""
        return bool((self.gains == 1).all() and (self.offsets == 0).all())

    @property
    def coloured(self) -> bool:
        """Whether padding shows."""
        return bool(np.abs(self.colour * self.std).max() > _UNSEEN_LEVELS)

    def fold(
        self, code: int, weights: NDArray[Any], bias: NDArray[Any] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weights and bias of a first convolution that reads x, in place of those that read the
        graph's own input.
        """
        repeats = weights.shape[-1] // 3  # above 1: a depthwise layer's depth multiplier
        gains, offsets = np.repeat(self.gains, repeats), np.repeat(self.offsets, repeats)
        # Depthwise: [1, kh, kw, C], each output from one channel; else [outputs, kh, kw, 3].
        axes = (0, 1, 2) if code == Op.DEPTHWISE_CONV_2D else (1, 2, 3)
        more = (weights.astype(np.float64) * offsets).sum(axes)
        before = np.zeros_like(more) if bias is None else bias.astype(np.float64)
        return (weights * gains).astype(np.float32), (before + more).astype(np.float32)


def same_padding(
    sizes: tuple[int, ...], kernel: tuple[int, ...], options: Any
) -> list[tuple[int, int]]:
    """TensorFlow's SAME as (before, after) of rows and of columns."""
    strides = options.strideH, options.strideW
    # Pools have no dilation.
    steps = getattr(options, "dilationHFactor", 1), getattr(options, "dilationWFactor", 1)
    found = []
    for size, taps, stride, step in zip(sizes, kernel, strides, steps, strict=True):
        total = max((-(-size // stride) - 1) * stride + (taps - 1) * step + 1 - size, 0)
        found.append((total // 2, total - total // 2))
    return found


def bordered(
    writer: GraphWriter, x: int, amounts: list[tuple[int, int]], colour: NDArray[np.float32]
) -> int:
    """The tensor [1, h, w, 3] with rows and columns of a colour around it, as many as `amounts`."""
    for axis, (before, after) in enumerate(amounts, 1):
        shape = list(shape_of(writer.graph.tensors[x]))
        inputs = [x]
        for count, place in ((before, 0), (after, len(inputs) + 1)):
            if count:
                sides = (1, *(count if i == axis else shape[i] for i in (1, 2)), 3)
                filled = np.ascontiguousarray(np.broadcast_to(colour, sides))
                inputs.insert(place, writer.constant(f"border{axis}/colour", filled))
        if len(inputs) == 1:
            continue
        shape[axis] += before + after
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        x = writer.tensor(f"border{axis}", tuple(shape), Type.FLOAT32)
        writer.operator(Op.CONCATENATION, 1, inputs, [x], options)
    return x
