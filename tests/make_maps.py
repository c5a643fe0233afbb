"""Classifiers whose maps are known beforehand: each cell is a pixel."""

from __future__ import annotations

import make_models
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from whatsit import Bundle
from whatsit.graph.read import Op, Quantisation, Type
from whatsit.graph.write import GraphWriter

SIDE = 8
WEIGHTS = np.array([[4.0, -2.0, -2.0], [-2.0, 4.0, -2.0], [-2.0, -2.0, 4.0]], np.float32)
BIAS = np.array([0.25, 0.0, -0.25], np.float32)
COLOURS = ("red", "green", "blue")


def colours(
    *,
    pool: str = "mean",
    axes: tuple[int, ...] = (1, 2),
    window: int = SIDE,
    between: int | None = None,
    weights: np.ndarray = WEIGHTS,
    bias: np.ndarray = BIAS,
    factor: float = 1.0,
) -> Bundle:
    """A model that knows colours: its map is the pixels, 8 x 8 of them from 0 to `factor`.

    `pool` and what belongs to it say how the vector before the last layer is made: by `mean` over
    `axes`, or by `average` over a window; then `between` is one more operator.
    """
    writer = GraphWriter("colours")
    image = writer.tensor("image", (1, SIDE, SIDE, 3), Type.UINT8, Quantisation.single(1 / 255, 0))
    cells = writer.tensor("cells", (1, SIDE, SIDE, 3), Type.FLOAT32)
    scale = writer.constant("factor", np.full((1, 1, 1, 3), factor, np.float32))
    writer.operator(Op.MUL, 1, [writer.dequantised(image), scale], [cells], schema.MulOptionsT())
    vector = _pooled(writer, cells, pool, axes, window)
    if between is not None:
        changed = writer.tensor("changed", (1, 1, 1, 3), Type.FLOAT32)
        writer.operator(between, 1, [vector], [changed])
        vector = changed
    count = len(weights)
    logits, scores = (writer.tensor(n, (1, count), Type.FLOAT32) for n in ("logits", "scores"))
    inputs = [writer.reshaped(vector, (1, 3)), writer.constant("weights", weights)]
    inputs.append(writer.constant("bias", bias))
    writer.operator(Op.FULLY_CONNECTED, 1, inputs, [logits], schema.FullyConnectedOptionsT())
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    writer.operator(Op.SOFTMAX, 1, [logits], [scores], softmax)
    graph = writer.finish([image], [scores])
    names = list(COLOURS[:count])
    return Bundle.create(graph, name="colours", labels=names, preprocess="stretch", mean=0, std=1)


def _pooled(writer: GraphWriter, cells: int, pool: str, axes: tuple[int, ...], window: int) -> int:
    vector = writer.tensor("vector", (1, 1, 1, 3), Type.FLOAT32)
    if pool == "mean":
        mean = schema.ReducerOptionsT()
        mean.keepDims = True
        over = writer.constant("axes", np.array(axes, np.int32))
        writer.operator(Op.MEAN, 1, [cells, over], [vector], mean)
        return vector
    options = schema.Pool2DOptionsT()
    options.filterHeight = options.filterWidth = window
    options.strideH = options.strideW = SIDE
    options.padding = schema.Padding.VALID
    writer.operator(Op.AVERAGE_POOL_2D, 1, [cells], [vector], options)
    return vector


def without_map() -> Bundle:
    """A classifier whose scores are its pixels."""
    return Bundle.from_bytes(make_models.bundle(make_models.pixels(8, 8), 192), "pixels")
