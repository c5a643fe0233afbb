"""Runs an unknown model with LiteRT in a process of its own, so that it cannot take ours down.

LiteRT verifies a model's tables, but a damaged or hostile file can still make its kernels read
what is not there or ask for all memory, and may do so for some pictures only, so that no trial
beforehand can tell. A model that did not come with this package therefore lives in a child with
bounded memory and time. It costs one start of Python, and a fraction of a millisecond a picture.

This file is also the child's program: it then imports nothing of this package. Both sides speak in
frames: one byte of kind, the length, the content.
"""

from __future__ import annotations

import struct
import sys
from typing import IO

_TIMEOUT_S = 120
_MEMORY_BYTES = 8 << 30  # address space: numpy and LiteRT map far more than they use
_MAX_MODEL_BYTES = 1 << 31  # the largest flatbuffer
_MAX_ANSWER_BYTES = 64 << 20  # a child gone mad must not fill our memory
_HEADER = struct.Struct("<cQ")
_LENGTH = struct.Struct("<Q")
_DATA, _ERROR, _NO_ENGINE = b"d", b"e", b"n"


def _send(stream: IO[bytes], kind: bytes, content: bytes) -> None:
    stream.write(_HEADER.pack(kind, len(content)))
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes], most_bytes: int) -> tuple[bytes, bytes]:
    """Kind and content of the next frame. Raises EOFError for half a frame or one too long."""
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise EOFError
    kind, length = _HEADER.unpack(header)
    content = stream.read(length) if length <= most_bytes else b""
    if len(content) < length:
        raise EOFError
    return kind, content


def _packed(parts: list[bytes]) -> bytes:
    return b"".join(piece for part in parts for piece in (_LENGTH.pack(len(part)), part))


def _unpacked(content: bytes) -> list[bytes]:
    """The parts that `_packed` put together. Raises EOFError where the content ends within one."""
    parts, at = [], 0
    while at < len(content):
        start = at + _LENGTH.size
        if start > len(content):
            raise EOFError
        at = start + _LENGTH.unpack_from(content, start - _LENGTH.size)[0]
        if at > len(content):
            raise EOFError
        parts.append(content[start:at])
    return parts


def _child(threads: int, timeout_s: float) -> None:
    """Takes the model, then a batch at a time, and answers each with the raw outputs."""
    import os
    import signal

    here = os.path.dirname(os.path.abspath(__file__))  # its modules must not pass for others
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != here]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints gets among the answers
    _limit_memory()
    try:
        _serve(requests, answers, threads, timeout_s)
    except EOFError:
        return
    except ImportError as error:
        _send(answers, _NO_ENGINE, str(error).encode())
    except Exception as error:  # whatever it is, the parent turns it into its own error
        _send(answers, _ERROR, (str(error) or type(error).__name__).encode())


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return  # Windows has no such limits; the time limit holds there too
    for limit, size in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, _MEMORY_BYTES)):
        _, hard = resource.getrlimit(limit)
        try:
            resource.setrlimit(limit, (size, hard))
        except (ValueError, OSError):
            continue  # macOS knows RLIMIT_AS but refuses it


def _serve(requests: IO[bytes], answers: IO[bytes], threads: int, timeout_s: float) -> None:
    import faulthandler

    # Before anything that can fail: while the parent sends the model, it cannot listen.
    _, model = _receive(requests, _MAX_MODEL_BYTES)
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    faulthandler.dump_traceback_later(timeout_s, exit=True)
    interpreter = Interpreter(model_content=model, num_threads=threads)
    interpreter.allocate_tensors()
    tensor = interpreter.get_input_details()[0]
    outputs = [details["index"] for details in interpreter.get_output_details()]
    answer = b""
    while True:
        faulthandler.cancel_dump_traceback_later()
        _send(answers, _DATA, answer)
        _, batch = _receive(requests, _MAX_MODEL_BYTES)
        faulthandler.dump_traceback_later(timeout_s, exit=True)
        array = np.frombuffer(batch, tensor["dtype"]).reshape(tensor["shape"])
        interpreter.set_tensor(tensor["index"], array)
        interpreter.invoke()
        answer = _packed([interpreter.get_tensor(index).tobytes() for index in outputs])


if __name__ == "__main__":
    _child(int(sys.argv[1]), float(sys.argv[2]))
    sys.exit()


import contextlib  # noqa: E402
import os  # noqa: E402
import subprocess  # noqa: E402
import weakref  # noqa: E402

import numpy as np  # noqa: E402

from ..errors import ModelDamaged, RuntimeUnavailable  # noqa: E402
from .base import (  # noqa: E402
    INSTALL_LITERT,
    LITERT,
    Array,
    Outputs,
    Program,
    failed,
    no_engine,
)


class IsolatedRuntime(Outputs):
    """Runs a program in a child process; if that dies, the caller gets ModelDamaged."""

    def __init__(self, program: Program, threads: int = 1) -> None:
        super().__init__(program)
        self._child = _start(threads)
        self._finalizer = weakref.finalize(self, _stop, self._child)
        self._ask(program.data)

    def close(self) -> None:
        """Ends the child."""
        self._finalizer()

    def _invoke(self, batch: Array) -> list[Array]:
        answer = self._ask(batch.tobytes())
        try:
            parts = _unpacked(answer)
        except EOFError as error:
            raise failed(self._name, "its process gives half an answer") from error
        specs = [spec for spec in (self._output, self._tap) if spec is not None]
        if len(parts) != len(specs):
            reason = f"it finds {len(parts)} outputs instead of {len(specs)}"
            raise failed(self._name, reason)
        try:
            return [
                np.frombuffer(part, spec.dtype) for part, spec in zip(parts, specs, strict=True)
            ]
        except ValueError as error:  # half a number
            raise failed(self._name, str(error)) from error

    def _ask(self, content: bytes) -> bytes:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            _send(self._child.stdin, _DATA, content)
            kind, answer = _receive(self._child.stdout, _MAX_ANSWER_BYTES)
        except (OSError, EOFError, ValueError) as error:
            raise self._died() from error
        if kind == _NO_ENGINE:
            self.close()
            raise no_engine(LITERT, answer.decode("utf-8", "replace"), INSTALL_LITERT)
        if kind != _DATA:
            self.close()
            raise failed(self._name, answer.decode("utf-8", "replace"))
        return answer

    def _died(self) -> ModelDamaged:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=1)
        status = self._child.poll()
        self.close()
        if status == 1:  # how faulthandler ends a process
            return failed(self._name, f"it took more than {_TIMEOUT_S} s")
        return failed(self._name, f"it crashed the process that ran it (status {status})")


def _start(threads: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OPENBLAS_NUM_THREADS": "1",  # numpy only carries arrays there
    }
    program = [os.path.abspath(__file__), str(threads), str(_TIMEOUT_S)]
    try:
        return subprocess.Popen(
            [sys.executable, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    except OSError as error:
        raise RuntimeUnavailable(
            f"no process can be started to run the model in: {error}",
            hint="runtime='litert' runs a model that you trust in this process",
        ) from error


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):  # what was not yet sent
                stream.close()
