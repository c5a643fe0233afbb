"""Engines by name, what they make of scores, and the fake one."""

from __future__ import annotations

import math
import subprocess
import sys

import make_models
import numpy as np
import pytest

import whatsit
from whatsit import Bundle, _taps, engines, inputs, zoo
from whatsit.bundle import InputSpec, OutputSpec
from whatsit.runtimes import FOR_TESTS, RUNTIMES, Graph, open_runtime
from whatsit.runtimes.base import probabilities, real_numbers

FLOAT3 = OutputSpec("float32", 3)
TWELVE = OutputSpec("float32", 12)
UINT8_3 = OutputSpec("uint8", 3, scale=1 / 256, zero_point=0)


@pytest.fixture(scope="module")
def tiny() -> Bundle:
    graph = make_models.pixels(8, 8, scale=1 / 255)
    return Bundle.from_bytes(make_models.bundle(graph, 192), "tiny")


def test_unknown_name_is_refused_with_the_known_ones(tiny: Bundle) -> None:
    with pytest.raises(whatsit.UsageError) as caught:
        open_runtime(tiny, "tpu")
    assert caught.value.message == "no runtime 'tpu'"
    assert caught.value.expected == "one of fake, isolated, litert, openvino, openvino-bf16"


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_engine_gives_probabilities_of_the_right_shape(tiny: Bundle, name: str) -> None:
    if name not in [FOR_TESTS, *engines.installed()]:
        pytest.skip(f"{name} cannot run here")
    runtime = open_runtime(tiny, name, threads=2)
    scores = runtime.run(np.full((1, 8, 8, 3), 51, np.uint8))
    runtime.close()
    runtime.close()
    assert (scores.shape, scores.dtype) == ((1, 192), np.float32)
    assert scores.min() >= 0
    assert scores.max() <= 1


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_engine_gives_its_raw_output_in_memory_of_its_own(tiny: Bundle, name: str) -> None:
    if name not in [FOR_TESTS, *engines.installed()]:
        pytest.skip(f"{name} cannot run here")
    runtime = open_runtime(tiny, name)
    raw = runtime.raw(np.full((1, 8, 8, 3), 51, np.uint8))
    kept = raw.copy()
    runtime.raw(np.full((1, 8, 8, 3), 99, np.uint8))
    runtime.close()
    assert (raw.shape, raw.dtype) == ((1, 192), np.float32)
    np.testing.assert_array_equal(raw, kept)


@pytest.mark.parametrize("name", ["litert", "isolated", "openvino"])
def test_a_graph_need_not_give_probabilities(name: str) -> None:
    """Pixels from 0 to 255, as they are; the same graph is no classifier."""
    if name not in engines.installed():
        pytest.skip(f"{name} cannot run here")
    graph = Graph("pixels", make_models.pixels(8, 8), OutputSpec("float32", 192))
    runtime = open_runtime(graph, name)
    batch = np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3)
    np.testing.assert_array_equal(runtime.raw(batch), batch.reshape(1, 192))
    with pytest.raises(whatsit.ModelDamaged, match="gives scores from 0 to 191"):
        runtime.run(batch)
    runtime.close()


@pytest.mark.parametrize("name", ["litert", "isolated", "openvino"])
def test_raw_output_of_another_size_is_refused(name: str) -> None:
    if name not in engines.installed():
        pytest.skip(f"{name} cannot run here")
    graph = Graph("pixels", make_models.pixels(8, 8), OutputSpec("float32", 5))
    runtime = open_runtime(graph, name)
    with pytest.raises(whatsit.ModelDamaged, match="it gives 192 values instead of 5"):
        runtime.raw(np.zeros((1, 8, 8, 3), np.uint8))
    runtime.close()


def tapped(index: int, spec: OutputSpec = TWELVE) -> Graph:
    return Graph("forked", _taps.tapped(make_models.forked(), index), TWELVE, spec)


@pytest.mark.parametrize(("index", "sign"), [(2, 0), (4, -1)], ids=["on the way", "aside"])
@pytest.mark.parametrize("name", ["litert", "isolated", "openvino"])
def test_a_tap_is_given_beside_the_scores(name: str, index: int, sign: int) -> None:
    """Both outputs have the same size here, so that only their order tells them apart."""
    if name not in engines.installed():
        pytest.skip(f"{name} cannot run here")
    runtime = open_runtime(tapped(index), name)
    batch = np.linspace(-2, 2, 12, dtype=np.float32).reshape(1, 2, 2, 3)
    scores, values = runtime.both(batch)
    kept = scores.copy(), values.copy()
    runtime.both(np.zeros_like(batch))
    np.testing.assert_array_equal(runtime.run(batch), scores)
    np.testing.assert_array_equal(runtime.raw(batch), scores)
    runtime.close()
    np.testing.assert_allclose(scores[0], 1 / (1 + np.exp(-batch.ravel())), rtol=1e-5)
    np.testing.assert_allclose(values, sign * scores if sign else batch.reshape(1, 12))
    assert scores.dtype == values.dtype == np.float32
    np.testing.assert_array_equal(scores, kept[0])
    np.testing.assert_array_equal(values, kept[1])


def test_the_fake_has_a_tap_too() -> None:
    scores, values = open_runtime(tapped(2), "fake").both(np.full((1, 2, 2, 3), 0.5, np.float32))
    assert scores.shape == (1, 12)
    assert values.tolist() == [[0.5] * 12]


@pytest.mark.parametrize("name", ["litert", "isolated", "openvino"])
def test_a_tap_of_another_size_is_refused(name: str) -> None:
    if name not in engines.installed():
        pytest.skip(f"{name} cannot run here")
    runtime = open_runtime(tapped(2, OutputSpec("float32", 5)), name)
    with pytest.raises(whatsit.ModelDamaged, match="it gives 12 values instead of 5"):
        runtime.both(np.zeros((1, 2, 2, 3), np.float32))
    runtime.close()


@pytest.mark.parametrize("name", ["litert", "isolated", "openvino"])
def test_a_tap_that_the_graph_does_not_have_is_refused(name: str) -> None:
    if name not in engines.installed():
        pytest.skip(f"{name} cannot run here")
    with pytest.raises(whatsit.ModelDamaged, match="it finds 1 "):
        open_runtime(Graph("forked", make_models.forked(), TWELVE, TWELVE), name).both(
            np.zeros((1, 2, 2, 3), np.float32)
        )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_tap_of_what_are_no_numbers_is_refused(value: float) -> None:
    values = np.array([[1, value, 2]], np.float32)
    with pytest.raises(whatsit.ModelDamaged, match="model 'odd' computes values that are no num"):
        real_numbers("odd", FLOAT3, values)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_steps_become_the_real_numbers_of_litert(dtype: str) -> None:
    """All 256 values, by its own operator."""
    low = -128 if dtype == "int8" else 0
    scale, zero_point = 0.0181884765625 * 1.1, low + 3
    steps = make_models.Spec("steps", (1, 256), dtype, quantization=(scale, zero_point))
    graph = make_models.build(
        [steps, make_models.Spec("real", (1, 256), "float32")],
        [make_models.Op(make_models.schema.BuiltinOperator.DEQUANTIZE, (0,), (1,))],
        [0],
        [1],
    )
    values = np.arange(low, low + 256).astype(dtype).reshape(1, 256)
    theirs = open_runtime(Graph("real", graph, OutputSpec("float32", 256))).raw(values)
    exact = float(np.float32(scale))  # as the file has it
    ours = real_numbers("real", OutputSpec(dtype, 256, exact, zero_point), values)
    assert ours.tobytes() == theirs.tobytes()


def test_no_threads_are_refused(tiny: Bundle) -> None:
    with pytest.raises(whatsit.UsageError, match="0 threads"):
        open_runtime(tiny, threads=0)


def test_litert_runs_the_graph(tiny: Bundle) -> None:
    batch = np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3)
    scores = open_runtime(tiny, "litert").run(batch)
    np.testing.assert_allclose(scores[0], np.arange(192) / 255, rtol=1e-6)


def test_litert_refuses_a_batch_of_another_shape(tiny: Bundle) -> None:
    with pytest.raises(whatsit.ModelDamaged, match="LiteRT cannot run model 'tiny'"):
        open_runtime(tiny, "litert").run(np.zeros((1, 9, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("spec", "raw", "message"),
    [
        (FLOAT3, [0.1, np.nan, 0.2], "model 'm' gives scores from nan to nan"),
        (FLOAT3, [0.1, np.inf, 0.2], "model 'm' gives scores from 0.1 to inf"),
        (FLOAT3, [-3.0, 7.5, 0.2], "model 'm' gives scores from -3 to 7.5"),
        (FLOAT3, [0.5, 0.5], "LiteRT cannot run model 'm': it gives 2 scores for 3 classes"),
        (FLOAT3, [], "LiteRT cannot run model 'm': it gives 0 scores for 3 classes"),
        (OutputSpec("uint8", 3, 1.0, 0), [0, 255, 3], "model 'm' gives scores from 0 to 255"),
    ],
)
def test_what_are_no_probabilities_is_refused(
    spec: OutputSpec, raw: list[float], message: str
) -> None:
    with pytest.raises(whatsit.ModelDamaged) as caught:
        probabilities("m", spec, np.array(raw, spec.dtype))
    assert caught.value.message == message


def test_the_error_names_the_engine_that_failed() -> None:
    with pytest.raises(whatsit.ModelDamaged) as caught:
        probabilities("m", FLOAT3, np.zeros(2, np.float32), engine="OpenVINO")
    assert caught.value.message == "OpenVINO cannot run model 'm': it gives 2 scores for 3 classes"
    assert "OpenVINO" in caught.value.hint


def test_scores_do_not_share_the_memory_of_the_engine() -> None:
    raw = np.array([[0.25, 0.5, 0.25]], np.float32)
    scores = probabilities("m", FLOAT3, raw)
    raw[:] = 0
    assert scores.tolist() == [[0.25, 0.5, 0.25]]


def test_the_input_is_the_pixels_or_their_normalised_values() -> None:
    pixels = np.array([0, 127, 255], np.uint8).reshape(1, 1, 1, 3)
    assert inputs.tensor(InputSpec("uint8", 1, 1), pixels) is pixels
    one = inputs.tensor(InputSpec("float32", 1, 1, (127.0,), (128.0,)), pixels)
    assert (one.dtype, one.ravel().tolist()) == (np.float32, [-127 / 128, 0.0, 1.0])
    three = inputs.tensor(InputSpec("float32", 1, 1, (0.0, 27.0, 55.0), (1.0, 2.0, 4.0)), pixels)
    assert three.ravel().tolist() == [0.0, 50.0, 50.0]


@pytest.mark.parametrize(
    ("spec", "raw", "expected"),
    [
        (FLOAT3, [[0.25, 0.5, 0.25]], [0.25, 0.5, 0.25]),
        (FLOAT3, [[[[0.25, 0.5, 0.25]]]], [0.25, 0.5, 0.25]),
        (FLOAT3, [[-1e-6, 1.00001, 0]], [0, 1, 0]),  # rounding of the softmax
        (UINT8_3, [[0, 128, 255]], [0, 0.5, 255 / 256]),
        (OutputSpec("uint8", 3, 1 / 128, 128), [[128, 192, 255]], [0, 0.5, 127 / 128]),
    ],
)
def test_scores_are_dequantised_and_flat(
    spec: OutputSpec, raw: list[object], expected: list[float]
) -> None:
    scores = probabilities("m", spec, np.array(raw, spec.dtype))
    np.testing.assert_array_equal(scores, np.array([expected], np.float32))


@pytest.mark.parametrize(("level", "peak"), [(0, 0), (128, 96), (255, 191)])
def test_the_fake_answers_by_brightness(tiny: Bundle, level: int, peak: int) -> None:
    scores = open_runtime(tiny, "fake").run(np.full((1, 8, 8, 3), level, np.uint8))
    assert int(scores.argmax()) == peak
    assert float(scores.sum()) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("redirect", ["", "2>&-"], ids=["stderr", "stderr closed"])
def test_litert_starts_in_silence(redirect: str) -> None:
    """Its notice goes straight to the file descriptor, past sys.stderr."""
    program = "import sys, whatsit; whatsit.load(); whatsit.load().classify(sys.argv[1])"
    command = [sys.executable, "-c", program, str(zoo.GOLDEN / "cat.png")]
    if redirect:
        if sys.platform == "win32":
            pytest.skip("closes stderr with a POSIX shell")
        command = ["sh", "-c", f'exec "$@" {redirect}', "sh", *command]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
