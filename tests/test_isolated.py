"""The engine for unknown models: whatever they do to their process, ours lives."""

from __future__ import annotations

import gc
import io
import platform
import struct
import subprocess
from pathlib import Path

import make_models
import numpy as np
import pytest

import whatsit
from whatsit import Bundle, _taps, zoo
from whatsit.bundle import OutputSpec
from whatsit.runtimes import Graph, isolated, open_runtime
from whatsit.runtimes.isolated import IsolatedRuntime

x86_only = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="-2^31 // -1 is a number there"
)


def tiny(graph: bytes, classes: int) -> Bundle:
    return Bundle.from_bytes(make_models.bundle(graph, classes), "tiny")


def pixel(value: int) -> np.ndarray:
    return np.full((1, 1, 1, 3), value, np.uint8)


def test_gives_the_very_scores_of_the_engine_in_this_process() -> None:
    bundle = tiny(make_models.pixels(8, 8, scale=1 / 255), 192)
    batch = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    ours, theirs = open_runtime(bundle, "litert"), open_runtime(bundle, "isolated")
    np.testing.assert_array_equal(theirs.run(batch), ours.run(batch))
    ours.close()
    theirs.close()


@x86_only
def test_a_model_that_crashes_its_process_is_our_error() -> None:
    runtime = IsolatedRuntime(tiny(make_models.hostile(), 3))
    assert runtime.run(pixel(2)).tolist() == [[0.0, 0.0, 0.0]]
    with pytest.raises(whatsit.ModelDamaged) as caught:
        runtime.run(pixel(1))
    assert caught.value.message == (
        "LiteRT cannot run model 'tiny': it crashed the process that ran it (status -8)"
    )
    assert caught.value.hint == "the file is damaged, or made for another version of LiteRT"


@x86_only
def test_the_classifier_goes_on_after_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "hostile.tflite"
    file.write_bytes(make_models.bundle(make_models.hostile(), 3))
    with whatsit.load(file) as model:
        for value, harmless in [(0, True), (1, False), (2, True), (3, False), (4, True)]:
            picture = pixel(value)[0]
            if harmless:
                assert len(model.classify(picture).predictions) == 3
            else:
                with pytest.raises(whatsit.ModelDamaged):
                    model.classify(picture)


def test_a_model_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_TIMEOUT_S", 1e-6)
    with pytest.raises(whatsit.ModelDamaged, match="it took more than 1e-06 s"):
        IsolatedRuntime(zoo.open_builtin(zoo.DEFAULT))


def test_a_graph_that_litert_refuses_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    right, wrong = np.array([1, 192], np.int32).tobytes(), np.array([1, 193], np.int32).tobytes()
    graph = make_models.pixels(8, 8).replace(right, wrong, 1)  # the shape that RESHAPE is to make
    file = tmp_path / "impossible.tflite"
    file.write_bytes(make_models.bundle(graph, 192))
    with pytest.raises(whatsit.ModelDamaged, match="LiteRT cannot run model 'impossible': "):
        whatsit.load(file)


def test_a_child_that_was_ended_from_outside_is_our_error() -> None:
    runtime = IsolatedRuntime(tiny(make_models.hostile(), 3))
    runtime._child.kill()
    with pytest.raises(whatsit.ModelDamaged, match="it crashed the process"):
        runtime.run(pixel(0))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"d",
        struct.pack("<cQ", b"d", 4) + b"abc",
        struct.pack("<cQ", b"d", 5) + b"abcde",
        struct.pack("<cQ", b"d", 1 << 62),
    ],
)
def test_half_a_frame_and_one_too_long_are_the_end(frame: bytes) -> None:
    with pytest.raises(EOFError):
        isolated._receive(io.BytesIO(frame), 4)


@pytest.mark.parametrize("parts", [[], [b""], [b"a"], [b"", b"abc"], [b"ab", b"", b"c"]], ids=str)
def test_outputs_are_packed_and_unpacked(parts: list[bytes]) -> None:
    content = isolated._packed(parts)
    assert isolated._unpacked(content) == parts
    if content:
        with pytest.raises(EOFError):
            isolated._unpacked(content[:-1])


def test_an_output_longer_than_the_answer_is_half_an_answer() -> None:
    with pytest.raises(EOFError):
        isolated._unpacked(struct.pack("<Q", (1 << 64) - 1) + b"abc")


@x86_only
def test_a_tapped_model_that_crashes_its_process_is_our_error() -> None:
    data = _taps.tapped(make_models.hostile(), 6)
    spec = OutputSpec("float32", 3)
    runtime = IsolatedRuntime(Graph("tiny", data, spec, spec))
    scores, values = runtime.both(pixel(2))
    assert scores.tolist() == values.tolist() == [[0.0, 0.0, 0.0]]
    with pytest.raises(whatsit.ModelDamaged, match="it crashed the process that ran it"):
        runtime.both(pixel(1))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\1", "its process gives half an answer"),
        (isolated._packed([b"\0" * 12]), "it finds 1 outputs instead of 2"),
        (isolated._packed([b"\0" * 12, b"\0" * 11]), "buffer size must be a multiple"),
        (isolated._packed([b"\0" * 8, b"\0" * 16]), "it gives 2 scores for 3 classes"),
        (isolated._packed([b"\0" * 12, b"\0" * 16]), "it gives 4 values instead of 3"),
    ],
    ids=["half", "one", "half a number", "too few scores", "too many values"],
)
def test_answers_of_other_sizes_are_refused(
    answer: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = OutputSpec("float32", 3)
    data = _taps.tapped(make_models.hostile(), 6)
    runtime = IsolatedRuntime(Graph("tiny", data, spec, spec))
    monkeypatch.setattr(runtime, "_ask", lambda _: answer)
    with pytest.raises(whatsit.ModelDamaged, match=reason):
        runtime.both(pixel(2))
    runtime.close()


def test_close_ends_the_child_and_may_be_called_again() -> None:
    runtime = IsolatedRuntime(tiny(make_models.hostile(), 3))
    child = runtime._child
    runtime.close()
    runtime.close()
    assert child.returncode is not None


def test_a_forgotten_engine_leaves_no_process_behind() -> None:
    runtime = IsolatedRuntime(tiny(make_models.hostile(), 3))
    child: subprocess.Popen[bytes] = runtime._child
    del runtime
    gc.collect()
    assert child.returncode is not None


def test_without_a_way_to_start_a_process_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated.sys, "executable", "/no/python")
    with pytest.raises(whatsit.RuntimeUnavailable, match="no process can be started"):
        IsolatedRuntime(tiny(make_models.hostile(), 3))


def test_built_in_models_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_start", lambda threads: pytest.fail("a process was started"))
    with whatsit.load() as model:
        assert model.classify(zoo.GOLDEN / "cat.png").predictions


def test_a_trusted_model_may_run_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "_start", lambda threads: pytest.fail("a process was started"))
    file = tmp_path / "mine.tflite"
    file.write_bytes(make_models.bundle(make_models.pixels(8, 8, scale=1 / 255), 192))
    with whatsit.load(file, runtime="litert") as model:
        assert model.classify(np.zeros((8, 8, 3), np.uint8)).predictions[0].score == 0


def test_damaged_copies_of_a_real_graph_end_in_our_error_or_in_an_answer(tmp_path: Path) -> None:
    """The bytes before the weights: operators, tensors, shapes. Only whatsit's errors come out."""
    data = zoo.catalogue()[zoo.DEFAULT].path.read_bytes()
    file = tmp_path / "damaged.tflite"
    outcomes = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        damaged = bytearray(data)
        for position in rng.integers(8, 60_000, 2):
            damaged[position] = rng.integers(0, 256)
        file.write_bytes(damaged)
        try:
            with whatsit.load(file) as model:
                model.classify(zoo.GOLDEN / "cat.png")
            outcomes.add("answered")
        except whatsit.WhatsitError as error:
            outcomes.add(error.code)
    assert outcomes <= {"answered", "model-damaged", "model-unsupported", "model-without-metadata"}


def test_without_litert_the_error_is_not_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ai_edge_litert").mkdir()
    (tmp_path / "ai_edge_litert" / "__init__.py").write_text("raise ImportError('gone')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(whatsit.RuntimeUnavailable, match="LiteRT cannot be imported: gone"):
        IsolatedRuntime(tiny(make_models.pixels(256, 256, scale=1 / 255), 256 * 256 * 3))
