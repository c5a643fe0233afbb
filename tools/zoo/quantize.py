"""Turns a float graph into an int8 one by looking at pictures: no gradients, no randomness, no
labels.

Even out the channels (equalise.py), choose ranges of least squared error (ranges.py), round the
weights with regard to each other (rounding.py), write the graph (int8.py).
"""

from collections.abc import Iterable

import numpy as np
from equalise import equalise
from int8 import Plan, write_int8
from observe import observe
from rounding import round_weights, second_moments

from whatsit._flatbuffer import read_model

# Second moments settle long before extremes do.
_MOMENT_PICTURES = 125


def quantize_int8(model: bytes, calibration: Iterable[np.ndarray]) -> bytes:
    """An int8 graph with the same input and output as a float graph whose input is uint8.

    Args:
        model: one subgraph; its input goes through DEQUANTIZE; SOFTMAX, if last, stays float.
        calibration: pictures [h, w, 3] uint8 as the model takes them; some hundreds.

    Raises:
        UnsupportedGraphError: the graph holds an operator that has no rule here.
    """
    pictures = list(calibration)
    float_model = read_model(model)
    plan = Plan(float_model)
    seen = equalise(float_model, observe(model, plan.observed, pictures))
    scales = plan.quantisations(seen)
    some = pictures[:: max(1, len(pictures) // _MOMENT_PICTURES)]
    layers = round_weights(plan, scales, second_moments(plan, some))
    return write_int8(plan, scales, layers)
