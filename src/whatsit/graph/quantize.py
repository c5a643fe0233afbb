"""Turns a float graph into an int8 one by looking at pictures: no gradients, no randomness, no
labels.

Even out the channels (equalise.py), choose ranges of least squared error (ranges.py), round the
weights with regard to each other (rounding.py), write the graph (plan.py, int8.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

from .._flatbuffer import read_model
from .equalise import equalise
from .int8 import write_int8
from .observe import observe
from .plan import Plan
from .rounding import round_weights, second_moments

# Second moments settle long before extremes do.
_MOMENT_PICTURES = 125


def check_int8(model: bytes) -> None:
    """Raises ModelUnsupported, naming the operator, where `quantize_int8` would."""
    Plan(read_model(model))


def quantize_int8(
    model: bytes,
    calibration: Iterable[NDArray[Any]],
    say: Callable[[str], None] = lambda text: None,
) -> bytes:
    """An int8 graph with the same input and output as a float graph whose input is uint8.

    `model` has one subgraph, whose input goes through DEQUANTIZE (see plain.py); a SOFTMAX at its
    end stays float. `calibration` are pictures [h, w, 3] uint8 as the model takes them, some
    hundreds. `say(text)` is told what is being done.

    Raises ModelUnsupported for an operator that has no rule here.
    """
    pictures = list(calibration)
    float_model = read_model(model)
    plan = Plan(float_model)
    say(f"looking at {len(pictures)} pictures through {len(plan.observed)} layers")
    seen = equalise(float_model, observe(model, plan.observed, pictures))
    scales = plan.quantisations(seen)
    some = pictures[:: max(1, len(pictures) // _MOMENT_PICTURES)]
    say("seeing which inputs go together")
    moments = second_moments(plan, some)
    say("rounding the weights")
    return write_int8(plan, scales, round_weights(plan, scales, moments))
