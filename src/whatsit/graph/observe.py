"""Runs a graph with its inner tensors laid open, and gathers what quantisation needs to know of
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from .._flatbuffer import pack_model, read_model
from ..errors import ModelDamaged, ModelUnsupported
from .patches import spread
from .read import only_graph

# Positions looked at in each feature map of each picture. Neighbours say nearly the same, so a few
# of many pictures are worth more than all of few; extremes are taken over every position all the
# same.
_POSITIONS = 8


@dataclass
class Statistics:
    """What was seen of one tensor: extremes of each channel [C], and values at some positions [n,
    C].
    """

    low: NDArray[Any]
    high: NDArray[Any]
    samples: NDArray[Any]

    def scaled(self, factors: NDArray[Any]) -> Statistics:
        """The statistics as they would be had each channel been multiplied by a positive factor
        [C].
        """
        factors = factors.astype(np.float32)
        return Statistics(self.low * factors, self.high * factors, self.samples * factors)


def run_open(
    model: bytes, tensors: Sequence[int], pictures: Sequence[NDArray[Any]]
) -> Iterator[list[NDArray[Any]]]:
    """For each picture, the values of the given tensors.

    They are declared outputs of the graph, so the kernels are those of a normal run (an interpreter
    that preserves all tensors falls back to others). Raises ModelDamaged if LiteRT fails.
    """
    opened = read_model(model)
    only_graph(opened).outputs = np.array(tensors, np.int32)
    try:
        interpreter = Interpreter(model_content=pack_model(opened), num_threads=2)
        interpreter.allocate_tensors()
        image = interpreter.get_input_details()[0]["index"]
        for picture in pictures:
            interpreter.set_tensor(image, picture[None])
            interpreter.invoke()
            yield [interpreter.get_tensor(index) for index in tensors]
    except (RuntimeError, ValueError) as error:
        raise ModelDamaged(f"LiteRT fails with it, its layers laid open: {error}") from error


def observe(
    model: bytes, tensors: Sequence[int], pictures: Sequence[NDArray[Any]]
) -> dict[int, Statistics]:
    """Statistics of float tensors [1, ..., C] over all pictures, by tensor index.

    Raises ModelUnsupported if some are infinite or no numbers.
    """
    samples: dict[int, list[NDArray[Any]]] = {index: [] for index in tensors}
    lows: dict[int, NDArray[Any]] = {}
    highs: dict[int, NDArray[Any]] = {}
    for number, values in enumerate(run_open(model, tensors, pictures)):
        for index, value in zip(tensors, values, strict=True):
            flat = value.reshape(-1, value.shape[-1])  # [positions, C]
            lows[index] = np.minimum(lows.get(index, np.inf), flat.min(0))
            highs[index] = np.maximum(highs.get(index, -np.inf), flat.max(0))
            samples[index].append(flat[spread(len(flat), _POSITIONS, number)])
    if not all(np.isfinite(lows[i]).all() and np.isfinite(highs[i]).all() for i in tensors):
        raise ModelUnsupported(
            "a layer gives values that are no numbers", expected="finite ones for every picture"
        )
    return {i: Statistics(lows[i], highs[i], np.concatenate(samples[i])) for i in tensors}
