"""The nearest rows of many vectors, without ever holding all distances at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.int64]

_BLOCK = 1024  # rows at a time: of 20 000 pictures 80 MB and not 1.6 GB


def unit(vectors: Floats) -> Floats:
    """Rows (N, D) of length 1; a row that is 0 or not finite becomes 0."""
    finite = np.isfinite(vectors).all(1, keepdims=True)
    rows = np.where(finite, vectors, 0)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = (rows / np.maximum(length, 1e-12)).astype(np.float32)
    return scaled


def nearest(views: Sequence[Floats], whole: Floats, count: int) -> tuple[Places, Floats]:
    """Of each row the `count` other rows of `whole` that are nearest, best first: (N, k) twice.

    A row may have several views, each (N, D), of which the nearest counts. Nearness is the
    product: of rows of length 1 the cosine.
    """
    blocks = list(_blocks(views, whole, min(count, len(whole) - 1)))
    return np.concatenate([near for near, _ in blocks]), np.concatenate([s for _, s in blocks])


def _blocks(views: Sequence[Floats], whole: Floats, count: int) -> Iterator[tuple[Places, Floats]]:
    for start in range(0, len(whole), _BLOCK):
        rows = slice(start, start + _BLOCK)
        scores = views[0][rows] @ whole.T  # (block, N)
        for view in views[1:]:
            np.maximum(scores, view[rows] @ whole.T, out=scores)
        own = np.arange(len(scores))
        scores[own, start + own] = -np.inf
        near = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(scores, near, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        yield np.take_along_axis(near, order, axis=1), np.take_along_axis(values, order, axis=1)
