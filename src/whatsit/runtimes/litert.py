"""The engine for models that are trusted: LiteRT with its XNNPACK kernels, in this process."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from .base import INSTALL_LITERT, LITERT, Array, Outputs, Program, check_outputs, failed, no_engine

_first_start = threading.Lock()
_started = False


class LiteRTRuntime(Outputs):
    """Runs a program with LiteRT. Not safe for several threads at once: open one for each."""

    def __init__(self, program: Program, threads: int = 1) -> None:
        super().__init__(program)
        self._interpreter, self._input_index, self._output_indices = _start(program, threads)

    def close(self) -> None:
        """Releases the interpreter."""
        self._interpreter = None

    def _invoke(self, batch: Array) -> list[Array]:
        try:
            self._interpreter.set_tensor(self._input_index, batch)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index) for index in self._output_indices]
        except (RuntimeError, ValueError) as error:
            raise failed(self._name, str(error)) from error


def _start(program: Program, threads: int) -> tuple[Any, int, list[int]]:
    """An interpreter with its tensors allocated, and the indices of its input and outputs."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise no_engine(LITERT, str(error), INSTALL_LITERT) from error
    try:
        interpreter = Interpreter(model_content=program.data, num_threads=threads)
        with _silent_first_start():
            interpreter.allocate_tensors()
        source, targets = interpreter.get_input_details()[0], interpreter.get_output_details()
    except (RuntimeError, ValueError) as error:
        raise failed(program.name, str(error)) from error
    check_outputs(program, len(targets))
    return interpreter, source["index"], [target["index"] for target in targets]


@contextlib.contextmanager
def _silent_first_start() -> Iterator[None]:
    """Sends standard error to nowhere while LiteRT starts for the first time in this process.

    It then writes "INFO: Created TensorFlow Lite XNNPACK delegate for CPU." straight to file
    descriptor 2, and offers no way to turn that off. Its errors arrive as exceptions all the same.
    """
    global _started
    with _first_start:
        saved = None if _started else _duplicate_stderr()
        if saved is None:
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            yield
            _started = True
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(null)


def _duplicate_stderr() -> int | None:
    try:
        return os.dup(2)
    except OSError:  # closed, as in some services
        return None
