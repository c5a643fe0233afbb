"""Which inference engine: the fastest that gives the recorded answers here, found by trying.

Nothing is believed of an engine: neither that it is fast, nor that it is right.
"""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import inputs, machine, storage, zoo
from .bundle import Bundle
from .errors import RuntimeUnavailable, WhatsitError
from .results import top_k
from .runtimes import FOR_TESTS, ISOLATED, LITERT, RUNTIMES, open_runtime
from .runtimes.base import Array, Runtime
from .zoo.golden_answers import TOLERANCE, Best, judge, recorded, recorded_for

EITHER_LITERT = (LITERT, ISOLATED)  # give the same answers

_PACKAGES = {
    LITERT: "ai_edge_litert",
    ISOLATED: "ai_edge_litert",
    "openvino": "openvino",
    "openvino-bf16": "openvino",
}
_MARGIN = 0.1  # an engine must be so much faster than one before it in RUNTIMES to replace it
_SECONDS = 0.5  # of inference for each engine, in _ROUNDS rounds
_ROUNDS = 6
_MOST_ROUNDS = 15  # on a busy machine
_AGREEMENT = 0.03
_FEWEST_RUNS = 5  # in a round
_COMPARED = 5  # best classes of the reference
_FORMAT = 1
_ONLY_ISOLATED = (
    "isolated: the model is not built in, and this is the only engine that keeps such a model in "
    "a process of its own"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """How one engine did with the golden pictures.

    `difference` is the largest of a score from the right one, None if the engine itself failed;
    `median_ms` the time of a picture, None unless it passed and was measured. `reason` says in
    words why it cannot be used, and nothing if it can.
    """

    runtime: str
    median_ms: float | None
    difference: float | None
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Pick:
    """The engine to use, what was tried for it, and the reason in words for a person."""

    runtime: str
    trials: tuple[Trial, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _Question:
    """A golden picture as input tensor (1, h, w, 3), and its best classes."""

    picture: str
    batch: Array
    expected: Best


def installed() -> list[str]:
    """The engines that can run here, the default first."""
    return [name for name in _found() if name != "openvino-bf16" or _has_bfloat16()]


def pick(bundle: Bundle, *, threads: int) -> Pick:
    """The fastest installed engine that gives the right answers with `bundle`.

    The default unless another is at least a tenth faster. Remembered until the model, the machine
    or the version of an engine is another. Raises RuntimeUnavailable if no engine will do.
    """
    if not zoo.is_builtin(bundle):
        return Pick(ISOLATED, (), _ONLY_ISOLATED)
    key = _key(bundle, threads)
    memory = storage.cache_folder("engines") / f"{bundle.sha256[:16]}-{threads}.json"
    remembered = _remembered(memory, key)
    if remembered is not None:
        return remembered
    trials = _measured(bundle, threads)
    picked = _decided(trials)
    # What an engine failed at may go well next time; what it computes wrongly will not.
    if all(trial.difference is not None for trial in trials):
        _remember(memory, key, trials)
    return picked


def right_answers(bundle: Bundle) -> Mapping[str, Best]:
    """Golden picture → best classes: the recorded ones of a built-in model, LiteRT's of others."""
    answers = recorded_for(bundle)
    return _reference(bundle) if answers is None else answers


def _reference(bundle: Bundle) -> dict[str, Best]:
    """What LiteRT says of the golden pictures, in a process of its own."""
    pictures = next(iter(recorded().values()))  # every model has answers to the same ones
    with contextlib.closing(open_runtime(bundle, ISOLATED)) as engine:
        scores = {name: engine.run(_batch(bundle, zoo.GOLDEN / name))[0] for name in pictures}
    return {
        picture: [(index, float(row[index])) for index in top_k(row, _COMPARED)]
        for picture, row in scores.items()
    }


def _found() -> list[str]:
    """The engines whose package is there, without importing it."""
    names = [name for name in RUNTIMES if name != FOR_TESTS]
    return [name for name in names if name not in _PACKAGES or find_spec(_PACKAGES[name])]


def _has_bfloat16() -> bool:
    from .runtimes.openvino import has_bfloat16

    try:
        return has_bfloat16()
    except RuntimeUnavailable:  # which the trial of the engine itself will say
        return False


def _measured(bundle: Bundle, threads: int) -> tuple[Trial, ...]:
    """A trial of each engine; the stopwatch runs only for those that passed."""
    questions = [
        _Question(picture, _batch(bundle, zoo.GOLDEN / picture), best)
        for picture, best in right_answers(bundle).items()
    ]
    with contextlib.ExitStack() as opened:
        trials, engines = [], {}
        for name in installed():
            if name == ISOLATED:  # LiteRT in a box: never the faster one
                continue
            trial, engine = _tried(bundle, name, threads, questions, opened)
            trials.append(trial)
            if engine is not None:
                engines[name] = engine
        times_ms = _medians_ms(engines, questions[0].batch)
    return tuple(
        Trial(t.runtime, times_ms.get(t.runtime), t.difference, t.passed, t.reason) for t in trials
    )


def _tried(
    bundle: Bundle,
    name: str,
    threads: int,
    questions: list[_Question],
    opened: contextlib.ExitStack,
) -> tuple[Trial, Runtime | None]:
    """How `name` does, and the engine itself if it passed, which `opened` closes."""
    try:
        engine = open_runtime(bundle, name, threads=threads)
        opened.callback(engine.close)
        worst, wrong = _replayed(engine, questions)
    except Exception as error:  # whatever an engine raises, the others may still do
        reason = error.message if isinstance(error, WhatsitError) else f"{error!r}"
        return Trial(name, None, None, False, f"{name} fails: {reason}"), None
    if wrong:
        return Trial(name, None, worst, False, f"{name} gives other answers: {wrong}"), None
    return Trial(name, None, worst, True, ""), engine


def _replayed(engine: Runtime, questions: list[_Question]) -> tuple[float, str]:
    """The largest difference, and in words the worst answer that does not agree, or nothing."""
    worst, wrong = 0.0, ""
    for question in questions:
        scores = dict(enumerate(engine.run(question.batch)[0].tolist()))  # (1, C) → C scores
        difference, passed = judge(scores, question.expected)
        if not passed and (not wrong or difference > worst):
            wrong = f"{question.picture} is off by {difference:.4f} (allowed: {TOLERANCE})"
        worst = max(worst, difference)
    return worst, wrong


def _batch(bundle: Bundle, file: Path) -> Array:
    """The input tensor of a picture, by the bundle's own rule."""
    return inputs.read(file, bundle, bundle.preprocess).batch


def _medians_ms(engines: Mapping[str, Runtime], batch: Array) -> dict[str, float]:
    """The median time of each engine in its best round.

    They take turns, so that whatever else the machine does slows all of them; noise only ever
    adds. As long as no two good rounds of an engine agree, there are more of them.
    """
    rounds: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(1, _MOST_ROUNDS + 1):
        for name, engine in engines.items():
            rounds[name].append(_median_ms(engine, batch))
        if number >= _ROUNDS and all(map(_agree, rounds.values())):
            break
    return {name: min(times_ms) for name, times_ms in rounds.items()}


def _agree(times_ms: list[float]) -> bool:
    """Whether the two best rounds are nearly the same, so that the best was no accident."""
    best, second = sorted([*times_ms, math.inf])[:2]
    return second <= best * (1 + _AGREEMENT)


def _median_ms(engine: Runtime, batch: Array) -> float:
    engine.run(batch)  # the caches are still those of the engine before
    times_ms: list[float] = []
    end = time.perf_counter() + _SECONDS / _ROUNDS
    while len(times_ms) < _FEWEST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        engine.run(batch)
        times_ms.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times_ms)


def _decided(trials: tuple[Trial, ...]) -> Pick:
    """The pick that follows from `trials`, which are in the order of preference."""
    passed = [trial for trial in trials if trial.passed]
    excluded = "".join(f"; {trial.reason}" for trial in trials if not trial.passed)
    if not passed:
        raise RuntimeUnavailable(
            f"no engine can be used{excluded}",
            expected="one that gives the recorded answers",
            hint="`whatsit selftest` shows them all",
        )
    best = passed[0]
    for trial in passed[1:]:
        if _ms(trial) < _ms(best) * (1 - _MARGIN):
            best = trial
    return Pick(best.runtime, trials, _times(best, passed) + excluded)


def _times(best: Trial, passed: list[Trial]) -> str:
    """What the stopwatch and the golden pictures said, as one remark."""
    own = f"{best.runtime}: {_ms(best):.1f} ms a picture"
    if len(passed) == 1:
        return f"{own}; the only engine here that gives the recorded answers"
    others = ", ".join(f"{t.runtime} {_ms(t):.1f}" for t in passed if t is not best)
    close = any(_ms(trial) < _ms(best) for trial in passed)
    margin = f" (a lead of less than {_MARGIN:.0%} may be noise)" if close else ""
    count = "both" if len(passed) == 2 else f"all {len(passed)}"
    return f"{own}, {others}{margin}; {count} gave the recorded answers"


def _ms(trial: Trial) -> float:
    if trial.median_ms is None:
        raise ValueError(f"{trial.runtime} was not measured")
    return trial.median_ms


def _key(bundle: Bundle, threads: int) -> dict[str, Any]:
    """What the pick depends on, as JSON has it."""
    facts = machine.facts()
    return {
        "format": _FORMAT,
        "model": bundle.sha256,
        "threads": threads,
        "engines": _found(),
        **{fact: facts[fact] for fact in ("cpu", "architecture", "cores", "versions")},
    }


def _remembered(memory: Path, key: Mapping[str, Any]) -> Pick | None:
    """The pick in `memory` if it is for `key`, and is what we wrote."""
    try:
        saved = json.loads(memory.read_text(encoding="utf-8"))
        if saved["key"] != key:
            return None
        trials = tuple(_trial(row) for row in saved["trials"])
        if {trial.runtime for trial in trials} <= set(_found()):
            return _decided(trials)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, RuntimeUnavailable):
        return None
    return None


def _trial(row: Mapping[str, Any]) -> Trial:
    """The trial of a JSON object. Raises KeyError, TypeError or ValueError for any other."""
    median_ms, difference = row["median_ms"], float(row["difference"])
    return Trial(
        str(row["runtime"]),
        None if median_ms is None else float(median_ms),
        difference,
        row["passed"] is True,
        str(row["reason"]),
    )


def _remember(memory: Path, key: Mapping[str, Any], trials: tuple[Trial, ...]) -> None:
    content = {"key": key, "trials": [asdict(trial) for trial in trials]}
    # Where nothing can be written, it is measured again next time.
    with contextlib.suppress(OSError, WhatsitError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        with storage.whole_file(memory) as file:
            file.write(json.dumps(content).encode())
