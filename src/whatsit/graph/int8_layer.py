"""A last layer in 8 bits: weights with one scale a class, and steps for the logits.

The arithmetic is that of TensorFlow Lite's 8-bit quantisation specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .read import Quantisation

Floats = NDArray[np.float32]

_STEPS = 255
_HEADROOM = 1.1  # the pictures to come are not quite those that were seen
_SURE_NATS = 4.0  # a logit so far below the best one means a probability of at most 0.02
_CANDIDATES = 33
_MOST_ROWS = 512  # of logits: enough to choose a range by
_CLEAR = 0.1  # a lead in probability that must not be lost,
_LOST = 0.01  # but for this share of the pictures
_LARGEST_BIAS = 1 << 30  # about half of what int32 holds: the products are added to it
# A product of one step by one step, in steps of the result. Kernels refuse 256 and more; below
# 2^-24 a whole row adds up to nothing.
_LARGEST_RATIO, _LEAST_RATIO = 256.0, 2.0**-24


@dataclass(frozen=True)
class Int8Layer:
    """Weights (C, D), one scale a class (C,), biases (C,) in steps of input times weights, and how
    the logits are stored.
    """

    weights: NDArray[np.int8]
    scales: Floats
    bias: NDArray[np.int32]
    output: Quantisation


def int8_layer(weights: Floats, bias: Floats, source: Quantisation, logits: Floats) -> Int8Layer:
    """The layer for an embedding that is stored as `source` says.

    `logits` (N, C) are what the layer gives for pictures like those to come. Where all of them lie
    on one side of 0, every class is moved alike, which no softmax sees. Raises UsageError for
    numbers that 8 bits cannot hold beside each other.
    """
    wide = logits.astype(np.float64)
    low, high = float(wide.min()), float(wide.max())
    shift = 0.0 if low <= 0 <= high else (low + high) / 2
    output = _output(wide - shift)
    _check(wide - shift, output)
    step = float(source.scales[0])
    real = bias.astype(np.float64) - shift
    scales = _scales(weights, real, step, float(output.scales[0]))
    stored = np.clip(np.rint(weights / scales[:, None].astype(np.float64)), -127, 127)
    biases = np.rint(real / (step * scales.astype(np.float64)))
    return Int8Layer(stored.astype(np.int8), scales, biases.astype(np.int32), output)


def _scales(weights: Floats, bias: NDArray[np.float64], step: float, unit: float) -> Floats:
    """One scale a class: 127 is its largest weight, unless its bias would not fit then."""
    largest = np.abs(weights).max(axis=1).astype(np.float64) / 127
    for_bias = np.abs(bias) / (_LARGEST_BIAS * step)
    scales = np.maximum(np.maximum(largest, for_bias), _LEAST_RATIO * unit / step)
    ratio = float((step * scales / unit).max())
    with np.errstate(over="ignore"):
        found: Floats = scales.astype(np.float32)
    if not ratio < _LARGEST_RATIO or not np.isfinite(found * np.float32(step)).all():
        raise UsageError(
            f"weights up to {np.abs(weights).max():g} and biases up to {np.abs(bias).max():g} for "
            f"logits that differ by no more than {unit * _STEPS:g}",
            expected="logits that these weights give",
            hint="a model with float weights has room for them",
        )
    return found


def _output(logits: NDArray[np.float64]) -> Quantisation:
    """Steps from the least logit that matters to a little above the largest, with 0 among them."""
    rows = _some(logits)
    high = max(float(logits.max()) * _HEADROOM, 0.0)
    full = min(float(logits.min()) * _HEADROOM, 0.0)
    # A picture whose best logit is low must still show the rest below it.
    least = max(full, min(0.0, float(logits.max(axis=1).min()) - _SURE_NATS))
    lows = np.linspace(full, least, _CANDIDATES) if full < least else np.array([full])
    losses = [_loss(rows, low, high) for low in lows]
    return _affine(float(lows[int(np.argmin(losses))]), high)


def _loss(logits: NDArray[np.float64], low: float, high: float) -> float:
    """How far probabilities move when logits go into the steps of a range: mean divergence."""
    before, after = _log_softmax(logits), _log_softmax(_in_steps(logits, _affine(low, high)))
    return float((np.exp(before) * (before - after)).sum(axis=1).mean())


def _check(logits: NDArray[np.float64], output: Quantisation) -> None:
    """Raises UsageError if the steps are so coarse that clear answers turn into others."""
    rows = _some(logits)
    shares, best = np.exp(_log_softmax(rows)), _in_steps(rows, output).argmax(axis=1)
    lost = shares.max(axis=1) - np.take_along_axis(shares, best[:, None], 1)[:, 0]  # (N,)
    count = int((lost > _CLEAR).sum())
    if count > _LOST * len(rows):
        raise UsageError(
            f"logits from {logits.min():g} to {logits.max():g}: in 8 bits, {count} of {len(rows)} "
            "pictures would get another answer",
            expected="logits that a model with 8 bits can tell apart",
            hint="regularise the layer more, or teach a model with float weights",
        )


def _some(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return logits[:: -(-len(logits) // _MOST_ROWS)]


def _in_steps(logits: NDArray[np.float64], output: Quantisation) -> NDArray[np.float64]:
    """The logits after they were stored in 8 bits."""
    scale, zero = float(output.scales[0]), float(output.zero_points[0])
    steps: NDArray[np.float64] = np.clip(np.rint(logits / scale) + zero, -128, 127) - zero
    return steps * scale


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    below = logits - logits.max(axis=1, keepdims=True)
    shares: NDArray[np.float64] = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    return shares


def _affine(low: float, high: float) -> Quantisation:
    """Stored values -128 to 127 for low to high, which lie around 0."""
    scale = float(np.float32((high - low) / _STEPS))
    if scale < np.finfo(np.float32).tiny:  # all logits the same
        scale = 1.0 / _STEPS
    return Quantisation.single(scale, int(np.clip(round(-128 - low / scale), -128, 127)))
