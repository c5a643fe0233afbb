"""Scales: which real range the 256 steps of an int8 tensor should cover."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .read import Quantisation

_BINS = 4096
# Candidate ends of a range, as parts of the extremes seen. All below zero may go: a softmax does
# not care how unlikely an unlikely class is.
_LOW_PARTS = np.linspace(0.0, 1.0, 101)
_HIGH_PARTS = np.linspace(0.25, 1.0, 76)
_WEIGHT_PARTS = np.linspace(0.7, 1.0, 31)
_LEVELS = 255


def activation_quantisation(
    values: NDArray[Any], low: float, high: float, weights: NDArray[Any] | None = None
) -> Quantisation:
    """The int8 quantisation of least mean squared error.

    For sampled values, whose extremes over all are low and high; each may have a weight of its own.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if high == low:
        return Quantisation.single(1.0, 0)
    counts, edges = np.histogram(values, _BINS, (low, high), weights=weights)
    below, above = _least_error(counts / counts.sum(), (edges[1:] + edges[:-1]) / 2, low, high)
    return _affine(below, above)


def softmax_weights(logits: NDArray[Any]) -> NDArray[Any]:
    """How much an error in each logit [n, classes] matters: p (1 - p).

    That is the diagonal of the second derivative of the divergence between two softmaxes.
    """
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    shares = powers / powers.sum(1, keepdims=True)
    weights: NDArray[Any] = shares * (1 - shares)
    return weights


def _affine(low: float, high: float) -> Quantisation:
    """Stored values -128..127 for low..high, with real zero stored exactly."""
    scale = rounded((high - low) / _LEVELS)
    zero_point = int(np.clip(round(-128 - low / scale), -128, 127))
    return Quantisation.single(scale, zero_point)


def rounded(scale: float) -> float:
    """A scale with eight bits of mantissa, so that a last-digit difference in a statistic changes
    no model.
    """
    mantissa, exponent = math.frexp(scale)
    return math.ldexp(round(mantissa * 256), exponent - 8)


def _least_error(
    shares: NDArray[Any], centres: NDArray[Any], low: float, high: float
) -> tuple[float, float]:
    """The ends (low, high) that minimise clipping error plus rounding error over a histogram."""
    lows = _LOW_PARTS * low if low < 0 else np.zeros(1)
    highs = _HIGH_PARTS * high if high > 0 else np.zeros(1)
    left = np.array([_clipped(shares, centres, end, above=False) for end in lows])
    right = np.array([_clipped(shares, centres, end, above=True) for end in highs])
    clipping = left[:, None, 0] + right[None, :, 0]  # [lows, highs]
    inside = 1 - left[:, None, 1] - right[None, :, 1]
    rounding = ((highs[None, :] - lows[:, None]) / _LEVELS) ** 2 / 12
    best = np.unravel_index(np.argmin(clipping + inside * rounding), clipping.shape)
    return float(lows[best[0]]), float(highs[best[1]])


def _clipped(
    shares: NDArray[Any], centres: NDArray[Any], end: float, above: bool
) -> tuple[float, float]:
    """Squared error of what lies beyond one end, and its share."""
    beyond = centres > end if above else centres < end
    return float(shares[beyond] @ (centres[beyond] - end) ** 2), float(shares[beyond].sum())


def weight_scales(rows: NDArray[Any], importance: NDArray[Any]) -> NDArray[Any]:
    """One symmetric scale [outputs] for each row of weights [outputs, n], of least squared error.

    `importance` [outputs or 1, n] is the mean square of what each weight is multiplied with.
    """
    full = np.maximum(np.abs(rows).max(1), 1e-9) / 127
    best, least = full, np.full(len(rows), np.inf)
    for part in _WEIGHT_PARTS:
        scales = full * part
        stored = np.clip(np.rint(rows / scales[:, None]), -127, 127)
        error = ((stored * scales[:, None] - rows) ** 2 * importance).sum(1)
        best = np.where(error < least, scales, best)
        least = np.minimum(error, least)
    chosen: NDArray[np.float32] = best.astype(np.float32)
    return chosen
