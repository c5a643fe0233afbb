"""Runs a graph with its inner tensors laid open, and gathers what quantisation needs to know of
them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from graph import only_graph
from patches import spread

from whatsit._flatbuffer import pack_model, read_model

# Positions looked at in each feature map of each picture. Neighbours say nearly the same, so a few
# of many pictures are worth more than all of few; extremes are taken over every position all the
# same.
_POSITIONS = 8


@dataclass
class Statistics:
    """What was seen of one tensor: extremes of each channel [C], and values at some positions [n,
    C].
    """

    low: np.ndarray
    high: np.ndarray
    samples: np.ndarray

    def scaled(self, factors: np.ndarray) -> "Statistics":
        """The statistics as they would be had each channel been multiplied by a positive factor
        [C].
        """
        factors = factors.astype(np.float32)
        return Statistics(self.low * factors, self.high * factors, self.samples * factors)


def run_open(
    model: bytes, tensors: Sequence[int], pictures: Sequence[np.ndarray]
) -> Iterator[list[np.ndarray]]:
    """For each picture, the values of the given tensors.

    They are declared outputs of the graph, so the kernels are those of a normal run (an interpreter
    that preserves all tensors falls back to others).
    """
    opened = read_model(model)
    only_graph(opened).outputs = np.array(tensors, np.int32)
    interpreter = Interpreter(model_content=pack_model(opened), num_threads=2)
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]["index"]
    for picture in pictures:
        interpreter.set_tensor(image, picture[None])
        interpreter.invoke()
        yield [interpreter.get_tensor(index) for index in tensors]


def observe(
    model: bytes, tensors: Sequence[int], pictures: Sequence[np.ndarray]
) -> dict[int, Statistics]:
    """Statistics of float tensors [1, ..., C] over all pictures, by tensor index."""
    samples: dict[int, list[np.ndarray]] = {index: [] for index in tensors}
    lows: dict[int, np.ndarray] = {}
    highs: dict[int, np.ndarray] = {}
    for number, values in enumerate(run_open(model, tensors, pictures)):
        for index, value in zip(tensors, values, strict=True):
            flat = value.reshape(-1, value.shape[-1])  # [positions, C]
            lows[index] = np.minimum(lows.get(index, np.inf), flat.min(0))
            highs[index] = np.maximum(highs.get(index, -np.inf), flat.max(0))
            samples[index].append(flat[spread(len(flat), _POSITIONS, number)])
    return {i: Statistics(lows[i], highs[i], np.concatenate(samples[i])) for i in tensors}
