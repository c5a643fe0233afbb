"""Colours for maps: even steps of the number are even steps to the eye.

They are laid out in OKLab (bottosson.github.io/posts/oklab), where distances are as people see
them, and told apart by their lightness too, so that they work without colour vision and in grey.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rgb = NDArray[np.uint8]

_LEVELS = 256
_DARK, _LIGHT = 0.32, 0.93  # lightness at either end of the heat
_VIOLET, _YELLOW = 310.0, 460.0  # hues in degrees; the way leads through red
_CHROMA = 0.19  # at its strongest, in the middle: the ends of such a range have none to give
_BLUE, _ORANGE = 255.0, 58.0  # told apart by nearly everybody
# OKLab to the cube roots of the cone responses, and these to linear sRGB.
_TO_CONES = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.291485548],
    ]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.707614701],
    ]
)


def heat(strength: Floats) -> Rgb:
    """Dark violet for 0, over red, to light yellow for 1: (…) → (…, 3)."""
    chosen: Rgb = _ramp()[_levels(strength)]
    return chosen


def sides(strength: Floats) -> Rgb:
    """Blue for 1, orange for -1, the stronger the lighter: (…) → (…, 3)."""
    first, second = _side(_BLUE, 0.42, 0.80), _side(_ORANGE, 0.50, 0.88)
    levels = _levels(np.abs(strength))
    chosen: Rgb = np.where((strength >= 0)[..., np.newaxis], first[levels], second[levels])
    return chosen


def _levels(strength: Floats) -> NDArray[np.intp]:
    return np.rint(np.clip(strength, 0.0, 1.0) * (_LEVELS - 1)).astype(np.intp)


@functools.cache
def _ramp() -> Rgb:
    t = np.linspace(0.0, 1.0, _LEVELS)
    chroma = _CHROMA * np.sin(np.pi * (0.12 + 0.66 * t))
    return _srgb(_DARK + (_LIGHT - _DARK) * t, chroma, _VIOLET + (_YELLOW - _VIOLET) * t)


@functools.cache
def _side(hue: float, dark: float, light: float) -> Rgb:
    t = np.linspace(0.0, 1.0, _LEVELS)
    return _srgb(dark + (light - dark) * t, 0.15 - 0.03 * t, np.full_like(t, hue))


def _srgb(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> Rgb:
    """OKLCh to 8-bit sRGB, what lies outside of it cut off: (N,) → (N, 3)."""
    angle = np.deg2rad(hue)
    lab = np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], -1)
    linear = np.clip((lab @ _TO_CONES.T) ** 3 @ _TO_RGB.T, 0.0, 1.0)
    levels = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    eight_bits: Rgb = np.rint(255 * levels).astype(np.uint8)
    return eight_bits
