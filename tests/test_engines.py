"""The fastest engine is used only if it is right; what was found is remembered, and forgotten."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
from collections.abc import Callable
from pathlib import Path

import make_models
import numpy as np
import pytest
from conftest import Run

import whatsit as whatsit_package
from whatsit import Bundle, Classifier, engines, machine, zoo
from whatsit.engines import Trial
from whatsit.errors import RuntimeUnavailable, UsageError
from whatsit.runtimes import RUNTIMES, litert
from whatsit.runtimes.base import Array
from whatsit.runtimes.litert import LiteRTRuntime

Program = Callable[..., Run]

# Engines that are wrong each in its own way; every one of them would be a fast one.


class Right(LiteRTRuntime):
    pass


class ChannelsSwapped(LiteRTRuntime):
    def run(self, batch: Array) -> Array:
        return super().run(batch[..., ::-1].copy())


class UpsideDown(LiteRTRuntime):
    def run(self, batch: Array) -> Array:
        return super().run(batch[:, ::-1].copy())


class ClassesShifted(LiteRTRuntime):
    def run(self, batch: Array) -> Array:
        return np.roll(super().run(batch), 1, axis=1)


class Flattened(LiteRTRuntime):
    def run(self, batch: Array) -> Array:
        return super().run(batch) * 0.9


class RightOnlyOnce(LiteRTRuntime):
    """Keeps its first answer, as an engine does that gives a view of a buffer it never fills."""

    def run(self, batch: Array) -> Array:
        self.first = getattr(self, "first", None)
        if self.first is None:
            self.first = super().run(batch)
        return self.first


class NoNumbers(LiteRTRuntime):
    def run(self, batch: Array) -> Array:
        return super().run(batch) * np.nan


class OneNotANumber(LiteRTRuntime):
    """Only the best class, so that every comparison with it is false."""

    def run(self, batch: Array) -> Array:
        scores = super().run(batch)
        scores[0, scores[0].argmax()] = np.nan
        return scores


class TooFew(LiteRTRuntime):
    def run(self, batch: Array) -> Array:
        return super().run(batch)[:, :3]


class Failing(LiteRTRuntime):
    def run(self, batch: Array) -> Array:
        raise OverflowError("a bug of its own")


class NotOpening:
    def __init__(self, bundle: Bundle, threads: int) -> None:
        raise RuntimeUnavailable("no such processor")


MUTANTS = [
    ChannelsSwapped,
    UpsideDown,
    ClassesShifted,
    Flattened,
    RightOnlyOnce,
    NoNumbers,
    OneNotANumber,
    TooFew,
    Failing,
    NotOpening,
]


_batch = engines._batch
_batches: dict[tuple[str, Path], Array] = {}


def decoded(bundle: Bundle, file: Path) -> Array:
    key = bundle.sha256, file
    if key not in _batches:
        _batches[key] = _batch(bundle, file)
    return _batches[key]


@pytest.fixture(autouse=True)
def only_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engines of this machine aside, little patience, and each picture decoded only once."""
    monkeypatch.delitem(RUNTIMES, "openvino")
    monkeypatch.delitem(RUNTIMES, "openvino-bf16")
    for limit, least in (("_SECONDS", 0), ("_MOST_ROUNDS", 1), ("_FEWEST_RUNS", 1)):
        monkeypatch.setattr(engines, limit, least)
    monkeypatch.setattr(engines, "_batch", decoded)


@pytest.fixture
def also(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`also(Right, 0.5)`: one more engine, which takes half of LiteRT's time by the stopwatch."""

    def add(kind: type, share: float = 1.0) -> None:
        monkeypatch.setitem(RUNTIMES, kind.__name__, f"{__name__}:{kind.__name__}")
        times = {"litert": 2.0, kind.__name__: 2.0 * share}
        monkeypatch.setattr(
            engines, "_medians_ms", lambda opened, batch: {name: times[name] for name in opened}
        )

    return add


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return zoo.open_builtin("mobilenet-v2-int8")


def refuse_to_measure(*_: object) -> None:
    pytest.fail("measured again")


# Which one.


def test_litert_alone_is_picked(bundle: Bundle) -> None:
    pick = engines.pick(bundle, threads=1)
    assert pick.runtime == "litert"
    (trial,) = pick.trials
    assert (trial.runtime, trial.passed, trial.reason) == ("litert", True, "")
    assert trial.median_ms is not None
    assert trial.median_ms > 0
    assert trial.difference is not None
    assert trial.difference < 0.05
    assert pick.reason == (
        f"litert: {trial.median_ms:.1f} ms a picture; "
        "the only engine here that gives the recorded answers"
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda kind: kind.__name__)
def test_a_wrong_engine_is_never_picked_however_fast(
    mutant: type, also: Callable[..., None], bundle: Bundle
) -> None:
    also(mutant, 0.001)
    pick = engines.pick(bundle, threads=1)
    assert pick.runtime == "litert"
    (trial,) = [trial for trial in pick.trials if trial.runtime == mutant.__name__]
    assert not trial.passed
    assert trial.median_ms is None
    assert trial.reason.startswith(f"{mutant.__name__} ")
    assert trial.reason in pick.reason


def test_the_reason_names_the_picture_and_the_difference(
    also: Callable[..., None], bundle: Bundle
) -> None:
    also(ClassesShifted)
    reason = engines.pick(bundle, threads=1).reason
    worst = max(row[0][1] for row in engines.recorded()[bundle.name].values())
    assert "ClassesShifted gives other answers: coffee.png is off by 0.9" in reason
    assert worst > 0.9


@pytest.mark.parametrize(
    ("mutant", "reason"),
    [
        (Failing, "Failing fails: OverflowError('a bug of its own')"),
        (NotOpening, "NotOpening fails: no such processor"),
    ],
)
def test_an_engine_that_raises_is_skipped_with_its_reason(
    mutant: type, reason: str, also: Callable[..., None], bundle: Bundle
) -> None:
    also(mutant)
    pick = engines.pick(bundle, threads=1)
    assert pick.runtime == "litert"
    assert pick.reason.endswith(f"; {reason}")


@pytest.mark.parametrize(
    ("share", "runtime", "reason"),
    [
        (0.5, "Right", "Right: 1.0 ms a picture, litert 2.0; both gave the recorded answers"),
        (0.89, "Right", "Right: 1.8 ms a picture, litert 2.0; both gave the recorded answers"),
        (
            0.91,
            "litert",
            "litert: 2.0 ms a picture, Right 1.8 (a lead of less than 10% may be noise); "
            "both gave the recorded answers",
        ),
        (1.5, "litert", "litert: 2.0 ms a picture, Right 3.0; both gave the recorded answers"),
    ],
)
def test_another_engine_must_be_clearly_faster(
    share: float, runtime: str, reason: str, also: Callable[..., None], bundle: Bundle
) -> None:
    also(Right, share)
    pick = engines.pick(bundle, threads=1)
    assert (pick.runtime, pick.reason) == (runtime, reason)


def test_of_three_the_fastest_unless_its_lead_is_small() -> None:
    def decided(*times_ms: float) -> str:
        trials = [Trial(name, ms, 0.0, True, "") for name, ms in zip("abc", times_ms, strict=True)]
        return engines._decided(tuple(trials)).runtime

    assert decided(3, 2, 1) == "c"
    assert decided(3, 1, 2) == "b"
    assert decided(3, 2, 1.9) == "b"
    assert decided(2, 1.9, 1.85) == "a"


def test_no_engine_that_is_right_is_an_error(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    monkeypatch.setattr(litert.LiteRTRuntime, "run", ClassesShifted.run)
    monkeypatch.setattr(litert.LiteRTRuntime, "run", lambda *_: np.zeros((1, 1000), np.float32))
    for _ in range(2):  # nothing of it is remembered
        with pytest.raises(RuntimeUnavailable) as caught:
            engines.pick(bundle, threads=1)
    assert caught.value.message.startswith(
        "no engine can be used; litert gives other answers: coffee.png is off by 0.9"
    )
    assert caught.value.expected == "one that gives the recorded answers"


class Clock:
    """Time that only the engines move on, by `paces_ms` in round after round, then the last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(engines.time, "perf_counter", lambda: self.now_s)
        monkeypatch.setattr(engines, "_MOST_ROUNDS", 15)
        monkeypatch.setattr(engines, "_FEWEST_RUNS", 5)

    def measure(self, **paces_ms: list[float]) -> tuple[dict[str, float], int]:
        """What is found of engines by these names, and after how many rounds."""
        paced = {name: Paced(self, paces) for name, paces in paces_ms.items()}
        found = engines._medians_ms(paced, np.zeros(1))
        return found, max(engine.runs // 6 for engine in paced.values())


class Paced:
    def __init__(self, clock: Clock, paces_ms: list[float]) -> None:
        self.clock, self.paces_ms, self.runs = clock, paces_ms, 0

    def run(self, batch: Array) -> Array:
        # A round is one run to warm up and five that are measured.
        self.clock.now_s += self.paces_ms[min(self.runs // 6, len(self.paces_ms) - 1)] / 1e3
        self.runs += 1
        return np.zeros((1, 2), np.float32)

    def close(self) -> None:
        pass


def test_noise_in_some_rounds_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    found, rounds = Clock(monkeypatch).measure(slowed=[9, 4, 2, 8, 2, 9], steady=[3])
    assert found == pytest.approx({"slowed": 2, "steady": 3})
    assert rounds == 6


def test_a_busy_machine_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found, rounds = Clock(monkeypatch).measure(slowed=[9, 4, 8, 7, 5, 6, 7, 2, 2], steady=[3])
    assert found == pytest.approx({"slowed": 2, "steady": 3})
    assert rounds == 9
    _, rounds = Clock(monkeypatch).measure(wild=[2.0**-n for n in range(20)], steady=[3])
    assert rounds == 15  # and no more


def test_isolated_is_no_candidate_for_a_built_in_model(bundle: Bundle) -> None:
    assert "isolated" in engines.installed()
    assert [trial.runtime for trial in engines.pick(bundle, threads=1).trials] == ["litert"]


def test_the_fake_one_is_never_offered() -> None:
    assert engines.installed() == ["litert", "isolated"]


# Models that are not built in.


def test_a_foreign_model_stays_in_its_own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_measured", refuse_to_measure)
    graph = make_models.pixels(8, 8, scale=1 / 255)
    foreign = Bundle.from_bytes(make_models.bundle(graph, 192), "mobilenet-v2-int8")
    pick = engines.pick(foreign, threads=1)
    assert (pick.runtime, pick.trials) == ("isolated", ())
    assert pick.reason.startswith("isolated: the model is not built in")


def test_a_built_in_model_is_known_by_its_bytes(bundle: Bundle) -> None:
    renamed = dataclasses.replace(bundle, name="mine")
    assert engines.pick(renamed, threads=1).runtime == "litert"


def test_litert_says_what_is_right_for_a_foreign_model() -> None:
    """Its scores are the pixels: the best five are the five brightest."""
    graph = make_models.pixels(8, 8, scale=1 / 255)
    foreign = Bundle.from_bytes(make_models.bundle(graph, 192), "tiny")
    answers = engines.right_answers(foreign)
    assert set(answers) == set(engines.recorded()["mobilenet-v2-int8"])
    for picture, best in answers.items():
        pixels = engines._batch(foreign, zoo.GOLDEN / picture).ravel() / 255
        assert [score for _, score in best] == pytest.approx(sorted(pixels)[:-6:-1])


# What is remembered.


def test_a_pick_is_remembered(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, also: Callable[..., None]
) -> None:
    also(Right, 0.5)
    first = engines.pick(bundle, threads=1)
    monkeypatch.setattr(engines, "_measured", refuse_to_measure)
    assert engines.pick(bundle, threads=1) == first


def newer(name: str) -> str:
    return "99.0"


def another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNTIMES, "Right", f"{__name__}:Right")


CHANGES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "versions": lambda patch: patch.setattr(machine, "_version", newer),
    "cores": lambda patch: patch.setattr(machine, "cpu_count", lambda: 1000),
    "processor": lambda patch: patch.setattr(machine, "_cpu_model", lambda: "another"),
    "engines": another_engine,
    "format": lambda patch: patch.setattr(engines, "_FORMAT", 2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_pick_is_forgotten_when_something_is_new(
    change: str, monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    engines.pick(bundle, threads=1)
    before = measurements(monkeypatch)
    engines.pick(bundle, threads=1)
    assert before == []
    CHANGES[change](monkeypatch)
    engines.pick(bundle, threads=1)
    assert before == ["measured"]


def measurements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with each measurement from now on."""
    seen: list[str] = []
    measured = engines._measured

    def count(bundle: Bundle, threads: int) -> tuple[Trial, ...]:
        seen.append("measured")
        return measured(bundle, threads)

    monkeypatch.setattr(engines, "_measured", count)
    return seen


def test_each_number_of_threads_has_its_own(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    seen = measurements(monkeypatch)
    for threads in (1, 2, 1, 2):
        engines.pick(bundle, threads=threads)
    assert len(seen) == 2


def memory(own_cache: Path) -> Path:
    (file,) = (own_cache / "engines").iterdir()
    return file


def with_trials(text: str, trials: object) -> str:
    return json.dumps({**json.loads(text), "trials": trials})


ROW = {"runtime": "litert", "median_ms": 1.0, "difference": 0.0, "passed": True, "reason": ""}
DAMAGES: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "cut short": lambda text: text[: len(text) // 2],
    "no JSON": lambda text: "\0" * len(text),
    "no object": lambda text: "[1]",
    "null": lambda text: "null",
    "deep": lambda text: "[" * 100_000,
    "no trials": lambda text: with_trials(text, []),
    "trials are no list": lambda text: with_trials(text, 7),
    "a trial is a word": lambda text: with_trials(text, ["litert"]),
    "no time": lambda text: with_trials(text, [{**ROW, "median_ms": None}]),
    "a time in words": lambda text: with_trials(text, [{**ROW, "median_ms": "fast"}]),
    "nothing passed": lambda text: with_trials(text, [{**ROW, "passed": False}]),
    "no such engine": lambda text: with_trials(text, [{**ROW, "runtime": "fake"}]),
    "a key is missing": lambda text: with_trials(text, [{"runtime": "litert"}]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_memory_is_measured_anew(
    damage: str, monkeypatch: pytest.MonkeyPatch, bundle: Bundle, own_cache: Path
) -> None:
    engines.pick(bundle, threads=1)
    file = memory(own_cache)
    file.write_text(DAMAGES[damage](file.read_text()))
    seen = measurements(monkeypatch)
    assert engines.pick(bundle, threads=1).runtime == "litert"
    assert engines.pick(bundle, threads=1).runtime == "litert"
    assert seen == ["measured"]  # and is whole again


def test_bytes_that_are_no_text_are_measured_anew(bundle: Bundle, own_cache: Path) -> None:
    engines.pick(bundle, threads=1)
    memory(own_cache).write_bytes(b"\xff\xfe\xff")
    assert engines.pick(bundle, threads=1).runtime == "litert"


def test_where_nothing_can_be_written_it_works_all_the_same(
    bundle: Bundle, own_cache: Path
) -> None:
    (own_cache / "engines").write_text("a file where the folder should be")
    for _ in range(2):
        assert engines.pick(bundle, threads=1).runtime == "litert"


def test_a_failure_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, also: Callable[..., None]
) -> None:
    """Memory was short, say: that must not count against an engine for ever."""
    also(Right, 0.5)
    with monkeypatch.context() as patch:
        patch.setattr(Right, "run", Failing.run)
        assert engines.pick(bundle, threads=1).runtime == "litert"
    assert engines.pick(bundle, threads=1).runtime == "Right"


def test_writers_at_the_same_time_leave_one_whole_memory(bundle: Bundle, own_cache: Path) -> None:
    first = engines.pick(bundle, threads=1)
    file, key = memory(own_cache), engines._key(bundle, 1)
    read: list[engines.Pick | None] = []

    def work() -> None:
        for _ in range(20):
            engines._remember(file, key, first.trials)
            read.append(engines._remembered(file, key))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [first] * 80
    assert list((own_cache / "engines").iterdir()) == [file]


# The classifier and the program.


def test_a_classifier_says_which_engine_it_uses(
    tmp_path: Path, bundle: Bundle, also: Callable[..., None]
) -> None:
    file = tmp_path / "foreign.tflite"
    file.write_bytes(make_models.bundle(make_models.pixels(8, 8), 192))
    assert (Classifier(bundle).runtime, Classifier(bundle).pick) == ("litert", None)
    assert Classifier(bundle, runtime="fake").runtime == "fake"
    for runtime in (None, "auto"):
        with whatsit_package.load(file, runtime=runtime) as model:
            assert model.runtime == "isolated"
    also(Right, 0.5)
    with Classifier(bundle, runtime="auto", threads=1) as model:
        assert model.runtime == "Right"
        assert model.pick is not None
        assert model.pick.runtime == "Right"
        assert model.classify(zoo.GOLDEN / "coffee.png").predictions[0].label == "espresso"


def test_threads_of_the_classifier_are_those_that_are_measured(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    asked: list[int] = []
    chosen = engines.Pick("litert", (), "")
    monkeypatch.setattr(engines, "pick", lambda bundle, *, threads: asked.append(threads) or chosen)
    Classifier(bundle, runtime="auto", threads=3)
    Classifier(bundle, runtime="auto")
    assert asked == [3, min(4, machine.cpu_count())]


def test_the_library_names_the_engines_that_there_are(bundle: Bundle) -> None:
    with pytest.raises(UsageError) as caught:
        Classifier(bundle, runtime="tpu")
    assert caught.value.message == "no runtime 'tpu'"
    assert caught.value.expected == "one of auto, litert, isolated, fake"


def test_the_program_says_which_engine_and_why(whatsit: Program, coffee: Path) -> None:
    run = whatsit("--runtime", "auto", "--json", coffee)
    assert run.status == 0
    assert json.loads(run.out)["predictions"][0]["label"] == "espresso"
    assert run.err.startswith("note      litert: ")
    assert run.err.endswith(" ms a picture; the only engine here that gives the recorded answers\n")


def test_a_named_engine_needs_no_remark(whatsit: Program, coffee: Path) -> None:
    default, named = whatsit("--csv", coffee), whatsit("--csv", "--runtime", "isolated", coffee)
    assert (named.status, named.err) == (0, "")
    assert named.out == default.out


@pytest.mark.parametrize("name", ["fake", "tpu", ""])
@pytest.mark.parametrize("command", ["classify", "selftest"])
def test_the_program_offers_only_engines_for_people(
    command: str, name: str, whatsit: Program, coffee: Path
) -> None:
    inputs = [coffee] if command == "classify" else []
    run = whatsit(command, "--runtime", name, *inputs)
    assert (run.status, run.out) == (2, "")
    assert run.err == (f"error     no runtime {name!r}\nexpected  one of auto, litert, isolated\n")


def test_selftest_replays_on_the_engine_that_was_named(
    whatsit: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ["--model", "mobilenet-v2-int8"]
    assert whatsit("selftest", *model, "--runtime", "isolated").out.endswith("6 passed, 0 failed\n")
    monkeypatch.setitem(RUNTIMES, "shifted", f"{__name__}:ClassesShifted")
    run = whatsit("selftest", *model, "--runtime", "shifted")
    assert run.status == 1
    assert run.out.endswith("0 passed, 6 failed\n")


def test_selftest_auto_says_which_engine_it_replays_on(whatsit: Program) -> None:
    run = whatsit("selftest", "--model", "mobilenet-v2-int8", "--runtime", "auto")
    assert run.status == 0
    assert run.err.startswith("note      mobilenet-v2-int8: litert: ")


def test_an_engine_that_is_not_installed_is_said_with_the_remedy(
    whatsit: Program, coffee: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RUNTIMES, "gone", f"{__name__}:NotOpening")
    run = whatsit("--runtime", "gone", coffee)
    assert (run.status, run.out) == (1, "")
    assert run.err == "error     no such processor\n"


def test_engines_are_closed_after_the_trial(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, also: Callable[..., None]
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(LiteRTRuntime, "close", lambda self: closed.append(type(self).__name__))
    also(ClassesShifted)
    with contextlib.suppress(RuntimeUnavailable):
        engines.pick(bundle, threads=1)
    assert sorted(closed) == ["ClassesShifted", "LiteRTRuntime"]
