"""The lowest point of a smooth convex function: L-BFGS, with steps halved until they go down.

After J. Nocedal, Mathematics of Computation 35 (1980), 773-782. It is all that a layer's fit needs
of an optimiser, and is there at once, where a library of them takes half a second to import.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Loss: TypeAlias = Callable[[Values], tuple[float, Values]]  # value and gradient at a point

_REMEMBERED = 10  # steps, from which the curvature is known
_MOST_HALVINGS = 30
_LEAST_GAIN = 1e-4  # of a step, as a share of what the slope promises


def lowest(loss: Loss, start: Values, *, stop: float, most_steps: int) -> Values:
    """Where `loss` is least, as nearly as that no part of its gradient is above `stop`.

    Or as near as `most_steps`, or the precision of the loss, let it come.
    """
    point, (value, gradient) = start, loss(start)
    past: deque[tuple[Values, Values]] = deque(maxlen=_REMEMBERED)
    for _ in range(most_steps):
        if np.abs(gradient).max() <= stop:
            break
        direction = _downhill(gradient, past)
        promised = -float(direction @ gradient)
        length = 1.0
        for _ in range(_MOST_HALVINGS):
            there = point + length * direction
            value_there, gradient_there = loss(there)
            if value_there <= value - _LEAST_GAIN * length * promised:
                break
            length /= 2
        else:
            break
        step, change = there - point, gradient_there - gradient
        if step @ change > 0:  # always, but for rounding
            past.append((step, change))
        point, value, gradient = there, value_there, gradient_there
    return point


def _downhill(gradient: Values, past: deque[tuple[Values, Values]]) -> Values:
    """The gradient, downwards, by the curvature that was seen in the last steps."""
    if not past:
        return -gradient / np.linalg.norm(gradient)
    rest, taken = -gradient, []
    for step, change in reversed(past):
        share = float(step @ rest) / float(step @ change)
        taken.append(share)
        rest = rest - share * change
    step, change = past[-1]
    direction: Values = rest * (float(step @ change) / float(change @ change))
    for (step, change), share in zip(past, reversed(taken), strict=True):
        back = float(change @ direction) / float(step @ change)
        direction = direction + (share - back) * step
    return direction
