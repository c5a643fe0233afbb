"""OpenVINO gives LiteRT's answers, says nothing, sends nothing and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path

import make_models
import numpy as np
import pytest
from make_models import Op, Spec, schema

import whatsit
from whatsit import Bundle, Classifier, _taps, engines, scoring, selftest, zoo
from whatsit.bundle import OutputSpec
from whatsit.graph import embedding_graph
from whatsit.runtimes import Graph, open_runtime, openvino

needs_openvino = pytest.mark.skipif(
    # Not importorskip: its plain import would send an event to OpenVINO's makers.
    find_spec("openvino") is None,
    reason="openvino is not installed",
)
SHARED = Path(__file__).parents[2] / "shared" / "models"
UNUSABLE = "the file is damaged, or needs what OpenVINO lacks; the runtime 'litert' may run it"


def tiny(graph: bytes, classes: int) -> Bundle:
    return Bundle.from_bytes(make_models.bundle(graph, classes), "tiny")


def reshaped(dtype: str, shape: list[int]) -> bytes:
    """[1,8,8,3] → `shape`, the same numbers of the same type, in steps of 1/256 for uint8."""
    step = (1 / 256, 0) if dtype == "uint8" else None
    return make_models.build(
        [
            Spec("image", (1, 8, 8, 3), dtype, quantization=step),
            Spec("shape", (len(shape),), "int32", np.array(shape, np.int32)),
            Spec("scores", tuple(shape), dtype, quantization=step),
        ],
        [Op(schema.BuiltinOperator.RESHAPE, (0, 1), (2,))],
        [0],
        [2],
    )


# What it answers.


@needs_openvino
@pytest.mark.parametrize("shape", [[1, 192], [1, 1, 1, 192]], ids=str)
@pytest.mark.parametrize(("dtype", "top"), [("uint8", 256), ("float32", 1)])
def test_edges_of_both_types_and_shapes(dtype: str, top: int, shape: list[int]) -> None:
    bundle = tiny(reshaped(dtype, shape), 192)
    values = np.arange(192)
    batch = (values if dtype == "uint8" else values / 192).astype(dtype).reshape(1, 8, 8, 3)
    with_openvino = open_runtime(bundle, "openvino").run(batch)
    assert (with_openvino.shape, with_openvino.dtype) == ((1, 192), np.float32)
    np.testing.assert_allclose(with_openvino[0], batch.ravel() / top, rtol=1e-6)


@needs_openvino
@pytest.mark.parametrize(
    ("name", "tolerance"), [("efficientnet-lite0-float16", 1e-4), ("efficientnet-lite0-int8", 0.1)]
)
def test_scores_are_those_of_litert(name: str, tolerance: float) -> None:
    """Noise is a hard case: no class is sure. The golden pictures have their own, closer, test."""
    bundle = zoo.open_builtin(name)
    batch = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    ours, theirs = (open_runtime(bundle, n, threads=2).run(batch) for n in ("litert", "openvino"))
    np.testing.assert_allclose(theirs, ours, atol=tolerance)
    assert float(theirs.sum()) == pytest.approx(1, abs=0.01)


@needs_openvino
@pytest.mark.parametrize("name", ["efficientnet-lite0-float16", "efficientnet-lite0-int8"])
def test_a_tap_changes_no_score_and_is_what_the_cut_graph_gives(name: str) -> None:
    bundle = zoo.open_builtin(name)
    program = scoring.tapped_program(bundle)
    cut = Graph(name, embedding_graph(bundle), OutputSpec("float32", 1280))
    batch = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    scores, vector = open_runtime(program, "openvino", threads=2).both(batch)
    np.testing.assert_allclose(scores, open_runtime(bundle, "openvino").run(batch), atol=1e-6)
    np.testing.assert_allclose(vector, open_runtime(cut, "openvino").raw(batch), atol=1e-5)


def furthest(bundle: Bundle) -> float:
    """How far the scores of the golden pictures are from the right ones at most."""
    with Classifier(bundle, runtime="openvino", threads=1, raw=True) as model:
        return max(check.difference for check in selftest.replay(model))


@needs_openvino
@pytest.mark.parametrize("name", ["efficientnet-lite0-float16", "mobilenet-v2-float16"])
def test_in_float32_it_gives_the_recorded_answers(name: str) -> None:
    assert furthest(zoo.open_builtin(name)) < 0.001


@needs_openvino
@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128_quant", "mobilenet_v2_1.0_224_quant"])
def test_models_of_others_with_uint8_scores(name: str) -> None:
    file = SHARED / f"{name}.tflite"
    if not file.exists():
        pytest.skip("the models of others are not beside the project")
    assert furthest(Bundle.read(file)) < 0.2  # its kernels round otherwise, in eight bits


@needs_openvino
def test_an_answer_does_not_change_with_the_next_picture() -> None:
    runtime = open_runtime(tiny(make_models.pixels(8, 8, scale=1 / 255), 192), "openvino")
    first = runtime.run(np.full((1, 8, 8, 3), 51, np.uint8))
    runtime.run(np.full((1, 8, 8, 3), 255, np.uint8))
    np.testing.assert_allclose(first, 0.2, rtol=1e-6)


@needs_openvino
def test_engines_in_several_threads_do_not_mix_their_pictures() -> None:
    bundle = tiny(make_models.pixels(8, 8, scale=1 / 255), 192)
    wrong: list[int] = []

    def work(value: int) -> None:
        runtime = open_runtime(bundle, "openvino")
        for _ in range(50):
            if not np.allclose(runtime.run(np.full((1, 8, 8, 3), value, np.uint8)), value / 255):
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in (0, 85, 170, 255)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@needs_openvino
def test_the_settings_that_speed_and_answers_hang_on() -> None:
    runtime = openvino.OpenVINORuntime(zoo.open_builtin(zoo.DEFAULT), threads=2)
    compiled = runtime._request.get_compiled_model()
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 2
    assert compiled.get_property("ENABLE_CPU_PINNING") is False  # or all workers share a core
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


@needs_openvino
def test_a_classifier_answers_with_it(cat: Path) -> None:
    with (
        whatsit.load("efficientnet-lite0-float16") as default,
        whatsit.load("efficientnet-lite0-float16", runtime="openvino") as model,
    ):
        assert model.runtime == "openvino"
        many = list(model.classify_many([cat] * 4, workers=2))
        best = default.classify(cat).predictions[0]
    for result in many:
        assert result.predictions[0].index == best.index
        assert result.predictions[0].score == pytest.approx(best.score, abs=1e-4)


# What it refuses.


def impossible() -> bytes:
    right, wrong = np.array([1, 192], np.int32).tobytes(), np.array([1, 193], np.int32).tobytes()
    return make_models.pixels(8, 8).replace(right, wrong, 1)  # the shape that RESHAPE is to make


def foreign_operator() -> bytes:
    return make_models.build(
        [Spec("image", (1, 8, 8, 3), "float32"), Spec("scores", (1, 192), "float32")],
        [Op(schema.BuiltinOperator.HASHTABLE_FIND, (0,), (1,))],
        [0],
        [1],
    )


@needs_openvino
@pytest.mark.parametrize(
    ("graph", "classes", "reason"),
    [
        (impossible(), 192, "Requested output shape [1,193] is incompatible"),
        (foreign_operator(), 192, "No translator found for HASHTABLE_FIND"),
        (make_models.edges(), 2, "it finds 1 inputs and 0 outputs"),
    ],
    ids=["impossible shape", "unknown operator", "nothing computed"],
)
def test_a_graph_that_it_cannot_run_is_refused_when_it_is_loaded(
    graph: bytes, classes: int, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "tiny.tflite"
    file.write_bytes(make_models.bundle(graph, classes))
    with pytest.raises(whatsit.ModelDamaged) as caught:
        whatsit.load(file, runtime="openvino")
    assert caught.value.message.startswith(f"OpenVINO cannot run model 'tiny': {reason}")
    assert caught.value.hint == UNUSABLE
    assert "\n" not in caught.value.message


@needs_openvino
def test_a_damaged_file_is_called_by_its_name_not_that_of_our_copy() -> None:
    bundle = zoo.open_builtin(zoo.DEFAULT)
    damaged = dataclasses.replace(bundle, data=bundle.data[:100_000], name="mine")
    with pytest.raises(whatsit.ModelDamaged, match="OpenVINO cannot run model 'mine'") as caught:
        open_runtime(damaged, "openvino")
    assert tempfile.gettempdir() not in caught.value.message


@needs_openvino
def test_a_tap_of_another_type_is_refused() -> None:
    spec = OutputSpec("float32", 12)
    data = _taps.tapped(make_models.forked(), 2)
    with pytest.raises(whatsit.ModelUnsupported) as caught:
        open_runtime(Graph("tiny", data, spec, OutputSpec("int8", 12)), "openvino")
    assert caught.value.message == "OpenVINO gives float32 values on the way for model 'tiny'"
    assert caught.value.expected == "int8, as the file says"


@needs_openvino
@pytest.mark.parametrize(
    "batch", [np.zeros((1, 1, 1, 3), np.uint8), np.zeros((1, 8, 8, 3), np.float32)]
)
def test_a_batch_that_does_not_fit_is_refused_not_spread(batch: np.ndarray) -> None:
    runtime = open_runtime(tiny(make_models.pixels(8, 8), 192), "openvino")
    with pytest.raises(whatsit.ModelDamaged, match=f"takes no {batch.dtype}"):
        runtime.run(batch)


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    openvino._core.cache_clear()
    monkeypatch.setitem(sys.modules, "openvino", None)


@pytest.mark.usefixtures("without_openvino")
@pytest.mark.parametrize("name", ["openvino", "openvino-bf16"])
def test_without_the_package_the_hint_is_the_command_that_brings_it(name: str) -> None:
    with pytest.raises(whatsit.RuntimeUnavailable) as caught:
        whatsit.load(runtime=name)
    assert caught.value.message.startswith("OpenVINO cannot be imported: ")
    assert caught.value.hint == "pip install 'whatsit[openvino]'"
    assert name not in engines.installed()


def test_a_processor_without_bfloat16_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "has_bfloat16", lambda: False)
    with pytest.raises(whatsit.RuntimeUnavailable) as caught:
        whatsit.load(runtime="openvino-bf16")
    assert caught.value.message == "this processor does not compute in bfloat16"
    assert caught.value.hint == "the runtime 'openvino' computes in float32"
    assert "openvino-bf16" not in engines.installed()


@needs_openvino
def test_no_room_for_the_temporary_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(whatsit.RuntimeUnavailable, match="needs the model in a temporary file: No"):
        whatsit.load(runtime="openvino")


# What it does to its surroundings.

_WATCHED = """
import json, sys

seen = []

def watch(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.")):
        seen.append(event)

sys.addaudithook(watch)
import whatsit

answers = [whatsit.load(runtime=name).classify(sys.argv[1]) for name in sys.argv[2:]]
best = [answer.predictions[0].index for answer in answers]
telemetry = sorted(name for name in sys.modules if name.startswith("openvino_telemetry"))
with open(3, "w") as out:
    json.dump([best, seen, telemetry], out)
"""


@needs_openvino
@pytest.mark.skipif(sys.platform == "win32", reason="hands over a POSIX file descriptor")
def test_it_is_silent_sends_nothing_and_leaves_no_file(tmp_path: Path, coffee: Path) -> None:
    """Its plain import writes a number for the user into the home folder, and sends an event."""
    home, temporary, result = (tmp_path / name for name in ("home", "été 中", "result.json"))
    home.mkdir()
    temporary.mkdir()
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(temporary)}
    script = 'exec 3>"$0"; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, result, sys.executable, "-c", _WATCHED, coffee, "openvino"],
        capture_output=True,
        env=environment,
        check=True,
    )
    best, events, telemetry = json.loads(result.read_text())
    assert (best, events, telemetry) == ([967], [], [])
    assert (done.stdout, done.stderr) == (b"", b"")
    assert list(home.iterdir()) == []
    assert list(temporary.iterdir()) == []


@needs_openvino
def test_who_wants_its_telemetry_package_can_still_import_it() -> None:
    if find_spec("openvino_telemetry") is None:
        pytest.skip("openvino_telemetry is not installed")
    program = (
        "import sys\n"
        "from whatsit.runtimes import openvino\n"
        "openvino._library()\n"
        "assert 'openvino_telemetry' not in sys.modules\n"
        "import importlib.util\n"
        "assert importlib.util.find_spec('openvino_telemetry')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
