"""Measures settings in turns, each turn in a process of its own, round after round."""

from __future__ import annotations

import datetime
import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .. import engines, machine
from ..bundle import Bundle
from ..classifier import default_runtime, default_threads, open_bundle
from ..errors import ModelError, UsageError
from ..measures import Spread
from ..runtimes import AUTO, FOR_TESTS, ISOLATED, RUNTIMES
from ..wording import counted
from . import noise, turns
from .answers import Judge
from .pictures import Pictures, choose_pictures
from .values import STAGES, Benchmark, Failed, Measurement, Setting

ROUNDS = 5
SECONDS = 4.0  # of a setting, all rounds together: with 1 and 2 threads a model takes about 10 s
_MOST = 1024  # rounds, workers or threads: more is a slip of the finger

# Called before each turn: turns done, turns in all, the setting whose turn it is.
Progress = Callable[[int, int, Setting], None]


@dataclass
class _Contender:
    """A setting while it is measured."""

    setting: Setting
    bundle: Bundle
    judge: Judge
    workers: int
    turns: list[turns.Turn] = field(default_factory=list)
    answers: str = ""
    error: dict[str, str] | None = None


def measure(
    settings: Iterable[Setting],
    *,
    pictures: Pictures | None = None,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    workers: int | None = None,
    throughput: bool = True,
    progress: Progress | None = None,
) -> Benchmark:
    """The times of `settings`, which take turns in `rounds` so that the machine's drift hits all.

    `pictures` is what `choose_pictures` gave (default: the golden ones), `seconds` what each
    setting gets in all, `workers` how many pictures are classified at the same time for the
    throughput (default: as many as the cores have threads of the setting for; at least 1). Raises
    UsageError for an argument that cannot work; what fails with one setting alone is its failure.
    """
    settings = list(dict.fromkeys(settings))
    _check(settings, rounds, seconds, workers)
    chosen = pictures or choose_pictures()
    watch = noise.Watch()
    contenders, failures = _opened(settings, chosen, workers if throughput else 0)
    _take_turns(contenders, chosen, watch, rounds, seconds / rounds, progress)
    failures += [Failed(c.setting, c.error) for c in contenders if c.error is not None]
    measurements = tuple(_measurement(c) for c in contenders if c.error is None)
    facts = machine.facts()
    return Benchmark(
        machine=facts,
        made=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        pictures=chosen.description,
        measurements=measurements,
        warnings=tuple(watch.warnings(measurements, rounds)) if measurements else (),
        notes=tuple(noise.notes(facts)),
        failures=tuple(failures),
        pictures_sha256=chosen.sha256,
        reference=watch.reference,
    )


def latencies(
    models: Iterable[str | os.PathLike[str]],
    *,
    pictures: Pictures | None = None,
    runtime: str | None = None,
    threads: int | None = None,
    rounds: int = ROUNDS,
    seconds: float = 1.5,
    progress: Progress | None = None,
) -> Benchmark:
    """How long each model takes for a picture, as `classify` would run it: 2 to 3 s a model.

    One measurement a model, in their order, whose `stages["total"]` is the spread wanted; without
    throughput, which is 0. Models that cannot run are among the failures.
    """
    return measure(
        settings_for(
            [os.fspath(model) for model in models],
            runtimes=[] if runtime is None else [runtime],
            threads=[] if threads is None else [threads],
        ),
        pictures=pictures,
        rounds=rounds,
        seconds=seconds,
        throughput=False,
        progress=progress,
    )


def settings_for(
    models: Sequence[str],
    *,
    runtimes: Sequence[str] = (),
    threads: Sequence[int] = (),
    note: Callable[[str], None] | None = None,
) -> list[Setting]:
    """Every model in every runtime with every number of threads.

    Without `runtimes` that which `classify` would use, without `threads` as many as it would; the
    runtime "auto" is the fastest that gives the right answers, and `note` is told which and why.
    Raises UsageError for an unknown name of a model and for impossible threads.
    """
    for count in threads:  # before `auto` runs with them
        _check_count(count, "threads")
    named: list[str | None] = [*runtimes] or [None]
    return [
        Setting(model, _runtime(model, runtime, count, note), count)
        for model in models
        for runtime in named
        for count in (threads or [default_threads()])
    ]


def _runtime(
    model: str, runtime: str | None, threads: int, note: Callable[[str], None] | None
) -> str:
    """The engine meant by `runtime`: `auto` is the fastest that is right, None the usual one."""
    if runtime is not None and runtime != AUTO:
        return runtime
    try:
        bundle = open_bundle(model)
    except ModelError:  # which becomes the failure of its settings
        return ISOLATED
    if runtime == AUTO:
        pick = engines.pick(bundle, threads=threads)
        if note is not None:
            note(f"{model}, {counted(threads, 'thread')}: {pick.reason}")
        return pick.runtime
    return default_runtime(bundle)


def _check(settings: Sequence[Setting], rounds: int, seconds: float, workers: int | None) -> None:
    if not settings:
        raise UsageError("nothing to measure", expected="at least one model")
    for setting in settings:
        if setting.runtime not in RUNTIMES:
            known = ", ".join(name for name in RUNTIMES if name != FOR_TESTS)
            raise UsageError(f"no runtime {setting.runtime!r}", expected=f"one of {known}")
        _check_count(setting.threads, "threads")
    _check_count(rounds, "rounds")
    _check_count(1 if workers is None else workers, "workers")
    if not 0 < seconds <= 86400:
        raise UsageError(f"{seconds:g} seconds", expected="more than 0, at most a day")


def _check_count(number: int, what: str) -> None:
    if not 1 <= number <= _MOST:
        raise UsageError(f"{number} {what}", expected=f"a number from 1 to {_MOST}")


def _opened(
    settings: Sequence[Setting], pictures: Pictures, workers: int | None
) -> tuple[list[_Contender], list[Failed]]:
    """All that can be measured; a model that cannot be read fails with each of its settings."""
    contenders: list[_Contender] = []
    failures: list[Failed] = []
    for model in dict.fromkeys(setting.model for setting in settings):
        own = [setting for setting in settings if setting.model == model]
        try:
            bundle = open_bundle(model)
        except ModelError as error:
            failures += [Failed(setting, error.to_json()) for setting in own]
            continue
        judge = Judge(model, bundle, [setting.runtime for setting in own], pictures.paths)
        for setting in own:
            free = max(1, machine.cpu_count() // setting.threads)
            count = free if workers is None else workers
            contenders.append(_Contender(setting, bundle, judge, count))
    return contenders, failures


def _take_turns(
    contenders: Sequence[_Contender],
    pictures: Pictures,
    watch: noise.Watch,
    rounds: int,
    seconds: float,
    progress: Progress | None,
) -> None:
    """All rounds; each begins with another setting, since the first may find a colder machine."""
    done = 0
    watch.between_turns()
    for number in range(rounds):
        first = number % max(1, len(contenders))
        for contender in [*contenders[first:], *contenders[:first]]:
            if progress is not None:
                progress(done, rounds * len(contenders), contender.setting)
            done += 1
            if contender.error is None:
                _take_turn(contender, pictures, seconds)
                watch.between_turns()


def _take_turn(contender: _Contender, pictures: Pictures, seconds: float) -> None:
    runtime = contender.setting.runtime
    ask = not contender.turns  # the answers are the same in every round
    questions = contender.judge.questions(runtime) if ask else []
    # The rest goes into warming up, a quarter of this, and into the throughput, a third.
    own = seconds * (0.6 if contender.workers else 0.8)
    task = turns.task_for(
        contender.setting, pictures.paths, questions, seconds=own, workers=contender.workers
    )
    try:
        turn = turns.take(task)
    except turns.TurnFailed as failed:
        contender.error = failed.error
        return
    if ask:
        contender.answers = contender.judge.verdict(runtime, turn.answers)
    contender.turns.append(turn)


def _measurement(contender: _Contender) -> Measurement:
    taken = contender.turns
    rounds_ms = tuple(statistics.median(turn.times_ms["total"]) for turn in taken)
    peaks = [turn.peak_memory_bytes for turn in taken if turn.peak_memory_bytes is not None]
    return Measurement(
        setting=contender.setting,
        model_sha256=contender.bundle.sha256,
        model_bytes=len(contender.bundle.data),
        load_ms=statistics.median(turn.load_ms for turn in taken),
        first_ms=statistics.median(turn.first_ms for turn in taken),
        stages={
            stage: Spread.of([ms for turn in taken for ms in turn.times_ms[stage]])
            for stage in STAGES
        },
        throughput_per_s=statistics.median(turn.per_s for turn in taken),
        workers=contender.workers,
        peak_memory_bytes=max(peaks) if peaks else None,
        answers=contender.answers,
        noise=noise.apart(rounds_ms),
        rounds_ms=rounds_ms,
    )
