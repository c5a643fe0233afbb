"""OpenVINO on the processor: faster than LiteRT with some models, on some machines.

It reads the same .tflite. In this process, so only for models that are trusted.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import tempfile
import threading
from typing import Any, cast

from ..errors import ModelDamaged, ModelUnsupported, RuntimeUnavailable
from .base import Array, Outputs, Program, failed, no_engine

_ENGINE = "OpenVINO"
_TELEMETRY = "openvino_telemetry"
_first_import = threading.Lock()


class OpenVINORuntime(Outputs):
    """Runs a program with OpenVINO. Not safe for several threads at once: open one for each.

    Floats are computed as float32, whatever the processor would rather do.
    """

    _engine = _ENGINE
    _precision = "f32"

    def __init__(self, program: Program, threads: int = 1) -> None:
        super().__init__(program)
        self._request = _start(program, threads, self._precision)
        self._input = self._request.get_input_tensor().data  # a view: what is written there is run

    def close(self) -> None:
        """Releases the compiled model."""
        self._request = self._input = None

    def _invoke(self, batch: Array) -> list[Array]:
        """The outputs, in the order of the graph: views of what the next picture overwrites."""
        # numpy would spread or convert what does not fit.
        if (batch.shape, batch.dtype) != (self._input.shape, self._input.dtype):
            raise _failed(self._name, f"its input takes no {batch.dtype} {list(batch.shape)}")
        self._input[...] = batch
        try:
            self._request.infer()
            return [tensor.data for tensor in self._request.output_tensors]
        except RuntimeError as error:
            raise _failed(self._name, str(error)) from error


class BFloat16OpenVINORuntime(OpenVINORuntime):
    """OpenVINO with floats of 8 significant bits: far faster on processors that have them.

    With a tap it rounds in other places, so the scores are not quite those of the same graph
    without. Raises RuntimeUnavailable on other processors.
    """

    _precision = "bf16"

    def __init__(self, program: Program, threads: int = 1) -> None:
        if not has_bfloat16():
            raise RuntimeUnavailable(
                "this processor does not compute in bfloat16",
                expected="AVX512_BF16, AMX, or an ARM processor with BF16",
                hint="the runtime 'openvino' computes in float32",
            )
        super().__init__(program, threads)


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16. Raises RuntimeUnavailable without OpenVINO."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _start(program: Program, threads: int, precision: str) -> Any:
    """An infer request of the compiled model."""
    core = _core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        # Pinned, the engines of several workers would all sit on the first core.
        "ENABLE_CPU_PINNING": False,
    }
    try:
        compiled = core.compile_model(_read(core, program), "CPU", settings)
        specs = [spec for spec in (program.output, program.tap) if spec is not None]
        edges = len(compiled.inputs), len(compiled.outputs)
        if edges != (1, len(specs)):
            raise _failed(program.name, f"it finds {edges[0]} inputs and {edges[1]} outputs")
        dtypes = [output.get_element_type().to_dtype() for output in compiled.outputs]
        request = compiled.create_infer_request()
    except RuntimeError as error:
        raise _failed(program.name, str(error)) from error
    for dtype, spec, what in zip(dtypes, specs, ("scores", "values on the way"), strict=False):
        if dtype != spec.dtype:
            raise ModelUnsupported(
                f"{_ENGINE} gives {dtype} {what} for model {program.name!r}",
                expected=f"{spec.dtype}, as the file says",
                hint="the runtime 'litert' may run it",
            )
    return request


def _read(core: Any, program: Program) -> Any:
    """The model, not yet compiled. OpenVINO reads a .tflite only from a file of that name."""
    try:
        with tempfile.TemporaryDirectory(prefix="whatsit-", ignore_cleanup_errors=True) as folder:
            path = os.path.join(folder, "model.tflite")
            with open(path, "xb") as file:
                file.write(program.data)
            try:
                return core.read_model(path)
            except RuntimeError as error:
                raise _failed(program.name, str(error).replace(path, program.name)) from error
    except OSError as error:
        raise RuntimeUnavailable(
            f"{_ENGINE} needs the model in a temporary file: {error.strerror or error}",
            hint=f"is the disk of {tempfile.gettempdir()!r} full? TMPDIR names another",
        ) from error


@functools.cache
def _core() -> Any:
    return _library().Core()


def _library() -> Any:
    """The package openvino, imported without its telemetry.

    At its import it would write a number for this user into the home folder and send an event to
    its makers; it does neither where its package for that is missing.
    """
    with _first_import:
        modules = cast("dict[str, Any]", sys.modules)
        hides = "openvino" not in modules and _TELEMETRY not in modules
        if hides:
            modules[_TELEMETRY] = None  # its import then fails
        try:
            return importlib.import_module("openvino")
        except (ImportError, OSError, RuntimeError) as error:  # also a library that does not load
            raise no_engine(_ENGINE, str(error), "pip install 'whatsit[openvino]'") from error
        finally:
            if hides:
                del modules[_TELEMETRY]


def _failed(name: str, reason: str) -> ModelDamaged:
    """The error with the last line of OpenVINO's, where it says what went wrong, not where."""
    lines = [line for line in reason.splitlines() if line.strip()] or ["no reason given"]
    return failed(name, lines[-1], engine=_ENGINE)
