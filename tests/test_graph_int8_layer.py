"""A last layer in 8 bits: the arithmetic of its numbers, at the ends of what they can be."""

from __future__ import annotations

import numpy as np
import pytest

import whatsit
from whatsit.graph.int8_layer import int8_layer
from whatsit.graph.read import Quantisation

STEPS = Quantisation.single(0.02, -128)


def vectors(count: int = 200, width: int = 64, seed: int = 0) -> np.ndarray:
    """Embeddings as they come out of an int8 backbone."""
    stored = np.random.default_rng(seed).integers(-128, 128, (count, width))
    return ((stored + 128) * np.float32(0.02)).astype(np.float32)


def computed(layer: object, embeddings: np.ndarray) -> np.ndarray:
    """What the layer gives, in real numbers: the sum in integers, then one rounding."""
    from whatsit.graph.int8_layer import Int8Layer

    assert isinstance(layer, Int8Layer)
    stored = np.rint(embeddings / np.float32(0.02)).astype(np.int64)  # minus the zero point
    sums = stored @ layer.weights.T.astype(np.int64) + layer.bias
    scale, zero = float(layer.output.scales[0]), int(layer.output.zero_points[0])
    steps = np.rint(sums * 0.02 * layer.scales.astype(np.float64) / scale) + zero
    real: np.ndarray = (np.clip(steps, -128, 127) - zero) * scale
    return real


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 5.0])
@pytest.mark.parametrize("classes", [2, 5, 50])
def test_it_gives_the_logits_within_about_a_step(size: float, classes: int) -> None:
    rng = np.random.default_rng(classes)
    weights = (rng.normal(size=(classes, 64)) * size / 10).astype(np.float32)
    bias = (rng.normal(size=classes) * size).astype(np.float32)
    seen = vectors() @ weights.T + bias
    layer = int8_layer(weights, bias, STEPS, seen)
    step, zero = float(layer.output.scales[0]), int(layer.output.zero_points[0])
    floor, ceiling = (-128 - zero) * step, (127 - zero) * step
    unseen = vectors(seed=1)
    expected = np.clip(unseen @ weights.T + bias, floor, ceiling)
    away = (computed(layer, unseen) - expected) / step
    assert np.abs(away).max() < 3  # these embeddings are all large, which the rounding adds up
    assert np.sqrt(np.mean(away**2)) < 1
    assert step < 1.3 * float(np.ptp(seen)) / 255


def test_each_class_has_a_scale_of_its_own() -> None:
    weights = np.ones((3, 64), np.float32) * np.array([[1], [0.1], [-10]], np.float32)
    layer = int8_layer(weights, np.zeros(3, np.float32), STEPS, vectors() @ weights.T)
    assert np.abs(layer.weights).max(axis=1).tolist() == [127, 127, 127]
    np.testing.assert_allclose(layer.scales, [1 / 127, 0.1 / 127, 10 / 127], rtol=1e-6)


def test_nothing_but_zeros() -> None:
    zeros = np.zeros((2, 64), np.float32)
    layer = int8_layer(zeros, zeros[:, 0], STEPS, np.zeros((5, 2), np.float32))
    assert not layer.weights.any()
    assert (layer.scales > 0).all()
    assert not computed(layer, vectors()).any()


def test_logits_on_one_side_of_zero_are_moved_alike() -> None:
    rng = np.random.default_rng(0)
    weights = (rng.normal(size=(3, 64)) / 10).astype(np.float32)
    bias = np.array([1000, 1001, 999], np.float32)
    seen = vectors() @ weights.T + bias
    layer = int8_layer(weights, bias, STEPS, seen)
    assert float(layer.output.scales[0]) < 0.1
    lead = computed(layer, vectors())
    np.testing.assert_allclose(
        lead - lead[:, :1], seen - seen[:, :1], rtol=0, atol=3 * float(layer.output.scales[0])
    )


def test_a_bias_far_beyond_the_weights_fits_its_integer() -> None:
    weights = np.array([[1e-9] * 64, [-1e-9] * 64], np.float32)
    bias = np.array([50, -50], np.float32)
    layer = int8_layer(weights, bias, STEPS, vectors() @ weights.T + bias)
    assert np.abs(layer.bias.astype(np.int64)).max() < 1.01 * 2**30
    first, second = computed(layer, vectors())[0]
    assert first == pytest.approx(50, rel=0.01)
    assert second <= 0  # how far below is not kept: e^-50 is nothing


def test_unlikely_classes_do_not_coarsen_the_steps() -> None:
    """One class that is never meant lies far below all others."""
    rng = np.random.default_rng(0)
    weights = (rng.normal(size=(4, 64)) / 5).astype(np.float32)
    bias = np.array([0, 0, 0, -500], np.float32)
    seen = vectors() @ weights.T + bias
    layer = int8_layer(weights, bias, STEPS, seen)
    assert float(layer.output.scales[0]) < 0.2


def test_logits_too_far_apart_for_8_bits_are_refused() -> None:
    rng = np.random.default_rng(0)
    weights = (rng.normal(size=(500, 64)) * 1e4).astype(np.float32)
    with pytest.raises(whatsit.UsageError) as caught:
        int8_layer(weights, np.zeros(500, np.float32), STEPS, vectors() @ weights.T)
    assert "of 200 pictures would get another answer" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("size", [1e4, 1e20, 1e30])
def test_enormous_weights_are_scaled(size: float) -> None:
    rng = np.random.default_rng(0)
    weights = (rng.normal(size=(3, 64)) * size).astype(np.float32)
    seen = vectors() @ weights.T
    layer = int8_layer(weights, np.zeros(3, np.float32), STEPS, seen)
    same = computed(layer, vectors()).argmax(axis=1) == seen.argmax(axis=1)
    assert same.mean() > 0.97


def test_logits_that_are_not_those_of_the_weights_are_refused() -> None:
    weights = np.full((2, 64), 1e6, np.float32)
    with pytest.raises(whatsit.UsageError) as caught:
        int8_layer(weights, np.zeros(2, np.float32), STEPS, np.array([[0.001, -0.001]], np.float32))
    assert caught.value.message.startswith("weights up to 1e+06 and biases up to 0 for logits")
    assert caught.value.expected == "logits that these weights give"
