"""One turn of one setting: starts its process, gives it the task, takes the answer."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .values import Setting

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[1:]; from whatsit.benchmark.child import main; main()"
)

# A picture, and the classes whose scores are asked for; None for the best five.
Question = tuple[str, tuple[int, ...] | None]
Scores = tuple[tuple[int, float], ...]  # classes and their scores


@dataclass(frozen=True, slots=True)
class Task:
    """What a turn does. Without `seconds` only the start is timed, without `workers` no rate."""

    model: str
    runtime: str
    threads: int
    pictures: tuple[str, ...]
    questions: tuple[Question, ...] = ()
    seconds: float = 0.0
    workers: int = 0


@dataclass(frozen=True)
class Turn:
    """What one turn found.

    `answers` holds the scores asked for, and that of the best class; `times_ms` the stages of each
    picture.
    """

    load_ms: float
    first_ms: float
    answers: tuple[Scores, ...]
    times_ms: Mapping[str, Sequence[float]]
    per_s: float
    peak_memory_bytes: int | None


class TurnFailed(Exception):
    """A turn without a result; `error` has the keys code, message and hint."""

    def __init__(self, error: Mapping[str, str]) -> None:
        super().__init__(error["message"])
        self.error = dict(error)


def task_for(
    setting: Setting,
    pictures: Sequence[str],
    questions: Sequence[Question] = (),
    *,
    seconds: float = 0.0,
    workers: int = 0,
) -> Task:
    """The task of one turn of `setting`."""
    return Task(
        setting.model,
        setting.runtime,
        setting.threads,
        tuple(pictures),
        tuple(questions),
        seconds,
        workers,
    )


def take(task: Task) -> Turn:
    """Runs `task` in a fresh process. Raises TurnFailed if that gives an error or dies."""
    child = _start()
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        with contextlib.suppress(OSError):  # it died at once: its status says more
            child.stdin.write(json.dumps(asdict(task)).encode() + b"\n")
            child.stdin.flush()  # and is left open: its end tells the child of ours
        text = child.stdout.readline()
        status = child.wait() if not text else 0
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                stream.close()
    return _parsed(text, status)


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _PROGRAM, *(path or os.getcwd() for path in sys.path)]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise TurnFailed(
            {
                "code": "error",
                "message": f"no process can be started: {error.strerror or error}",
                "hint": "",
            }
        ) from error


def _parsed(text: bytes, status: int) -> Turn:
    try:
        answer: dict[str, Any] = json.loads(text)
    except ValueError:
        answer = {"error": _death(status)}
    if "error" in answer:
        raise TurnFailed(answer["error"])
    return Turn(
        load_ms=answer["load_ms"],
        first_ms=answer["first_ms"],
        answers=tuple(
            tuple((int(index), float(score)) for index, score in scores)
            for scores in answer["answers"]
        ),
        times_ms=answer.get("times_ms", {}),
        per_s=answer.get("per_s", 0.0),
        peak_memory_bytes=answer.get("peak_memory_bytes"),
    )


def _death(status: int) -> dict[str, str]:
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return {
        "code": "model-damaged",
        "message": f"the process that measured it ended with {how}",
        "hint": "the model or the runtime crashed it, or it took too long or too much memory",
    }
