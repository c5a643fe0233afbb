"""The process that one turn of one setting is measured in.

It takes its task as a line of JSON on standard input, answers with a line of JSON on standard
output, and ends when its parent does.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO, Any

_TIMEOUT_S = 120  # to open the model and to classify once; no model that is used takes so long
_TIMEOUT_FIRSTS = 200  # the rest may take so many times the first picture besides
_PATIENCE = 4  # a pass through the pictures is cut short after so many times its share
_WARM_UP = 3  # pictures at least before the clock counts
_ENDED_WITH_PARENT = 3


def main() -> None:
    """Measures what standard input asks for."""
    requests, answers = _streams()
    task = json.loads(requests.readline())
    try:
        answer = _measured(task, requests)
    except Exception as error:  # whatever it is, the parent turns it into an error of the row
        answer = {"error": _described(error)}
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _streams() -> tuple[IO[bytes], IO[bytes]]:
    """Standard input and output, for us alone: nothing that a library prints gets among them."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, answers


def _described(error: Exception) -> dict[str, str]:
    from ..errors import WhatsitError

    if isinstance(error, WhatsitError):
        return error.to_json()
    text = " ".join(str(error).split()) or "no more is known"
    return {"code": "error", "message": f"{type(error).__name__}: {text}", "hint": ""}


def _measured(task: dict[str, Any], requests: IO[bytes]) -> dict[str, Any]:
    import faulthandler

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the program does: see cli/__init__.py
    from ..classifier import load  # numpy and all: not a part of what a model costs

    faulthandler.dump_traceback_later(_TIMEOUT_S, exit=True)
    start = time.perf_counter()
    # Raw, since the recorded answers are; calibrating the scores is measured all the same.
    classifier = load(task["model"], threads=task["threads"], runtime=task["runtime"], raw=True)
    loaded = time.perf_counter()
    classifier.classify(task["pictures"][0])
    first = time.perf_counter()
    patience_s = _TIMEOUT_S + _TIMEOUT_FIRSTS * (first - loaded) + 10 * task["seconds"]
    faulthandler.dump_traceback_later(patience_s, exit=True)
    # From here on only: a thread that waits for standard input while Windows loads the engine's
    # libraries can lock both up.
    threading.Thread(target=_end_with_parent, args=(requests,), daemon=True).start()
    answer: dict[str, Any] = {"load_ms": (loaded - start) * 1e3, "first_ms": (first - loaded) * 1e3}
    with classifier:
        answer["answers"] = [_answer(classifier, *question) for question in task["questions"]]
        if task["seconds"]:
            answer.update(_warm(classifier, task["pictures"], task["seconds"]))
            answer["peak_memory_bytes"] = _peak_memory_bytes(task["runtime"])
        if task["workers"]:
            each_s = sum(answer["times_ms"]["total"]) / len(answer["times_ms"]["total"]) / 1e3
            answer["per_s"] = _throughput(classifier, task, each_s)
    return answer


def _end_with_parent(requests: IO[bytes]) -> None:
    requests.read()
    os._exit(_ENDED_WITH_PARENT)


def _answer(classifier: Any, picture: str, asked: Sequence[int] | None) -> list[list[float]]:
    """Class and score of the best class, and of those asked for; without any, of the best five."""
    result = classifier.classify(picture, top=classifier.bundle.output.classes)
    scores = {p.index: p.score for p in result.predictions}
    best = [p.index for p in result.predictions[:5]]
    wanted = best if asked is None else dict.fromkeys([best[0], *asked])
    return [[index, scores[index]] for index in wanted]


def _warm(classifier: Any, pictures: Sequence[str], seconds: float) -> dict[str, Any]:
    """The times of picture after picture, in whole passes, for about `seconds`."""
    _pass(classifier, pictures, seconds / 4, at_least=_WARM_UP)
    times: dict[str, list[float]] = {}
    for timings in _pass(classifier, pictures, seconds):
        for stage, ms in timings.items():
            times.setdefault(stage, []).append(ms)
    return {"times_ms": times}


def _pass(
    classifier: Any, pictures: Sequence[str], seconds: float, at_least: int = 1
) -> list[dict[str, float]]:
    """The stages of each picture and their `total`, by a stopwatch around classify()."""
    taken: list[dict[str, float]] = []
    began = time.perf_counter()
    for number, picture in enumerate(itertools.cycle(pictures)):
        start = time.perf_counter()
        elapsed = start - began
        whole = number % len(pictures) == 0
        if number >= at_least and elapsed > seconds * (1 if whole else _PATIENCE):
            break
        result = classifier.classify(picture)
        total = time.perf_counter() - start
        taken.append({**result.timings_ms, "total": total * 1e3})
    return taken


def _throughput(classifier: Any, task: dict[str, Any], each_s: float) -> float:
    """Pictures a second while `workers` classify at the same time, for about a third of a turn."""
    pictures, workers = task["pictures"], task["workers"]
    # The first ones open an engine for each worker.
    list(classifier.classify_many((pictures * 2 * workers)[: 2 * workers], workers=workers))
    goal = max(2 * workers, math.ceil(task["seconds"] / 3 / each_s) * workers)
    passes = max(1, round(goal / len(pictures)))
    many = (pictures * passes)[: max(2 * workers, _PATIENCE * goal)]
    start = time.perf_counter()
    failed = [result for result in classifier.classify_many(many, workers=workers) if result.error]
    taken = time.perf_counter() - start
    if failed and failed[0].error is not None:
        raise failed[0].error
    return len(many) / taken


def _peak_memory_bytes(runtime: str) -> int | None:
    from ..machine import peak_memory_bytes
    from ..runtimes import ISOLATED

    return peak_memory_bytes(with_children=runtime == ISOLATED)
