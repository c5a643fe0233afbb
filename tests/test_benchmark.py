"""Measuring: what a run holds, whose turn it is, what is believed, and what changed since."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import make_models
import numpy as np
import pytest

import whatsit
from whatsit import benchmark, machine, zoo
from whatsit.benchmark import Benchmark, Measurement, Pictures, Setting, child, noise, turns
from whatsit.benchmark.measuring import measure
from whatsit.measures import Spread
from whatsit.sources import Source, expand

DEFAULT = Setting(zoo.DEFAULT, "litert", 1)
FACTS = {"cpu": "Some CPU", "architecture": "x86_64", "cores": 2, "versions": {"whatsit": "1"}}


def quick(settings: Sequence[Setting], **options: Any) -> Benchmark:
    """One round as short as can be."""
    return measure(settings, **{"rounds": 1, "seconds": 0.05, **options})


def measurement(
    rounds_ms: Sequence[float] = (5.0,) * 5, setting: Setting = DEFAULT, **changes: Any
) -> Measurement:
    spread = Spread.of(rounds_ms)
    values = {
        "setting": setting,
        "model_sha256": "ab",
        "model_bytes": 5_000_000,
        "load_ms": 12.0,
        "first_ms": 40.0,
        "stages": dict.fromkeys(("decode", "preprocess", "inference", "total"), spread),
        "throughput_per_s": 200.0,
        "workers": 2,
        "peak_memory_bytes": 70_000_000,
        "answers": "golden",
        "noise": noise.apart(rounds_ms),
        "rounds_ms": tuple(rounds_ms),
    }
    return Measurement(**{**values, **changes})


def run_of(*measurements: Measurement, **changes: Any) -> Benchmark:
    values = {
        "machine": FACTS,
        "made": "2026-01-01T00:00:00+00:00",
        "pictures": "the 6 golden pictures",
        "measurements": measurements,
        "warnings": (),
        "pictures_sha256": "cd",
        "reference": Spread.of([3.0] * 5),
    }
    return Benchmark(**{**values, **changes})


# A real run.


def test_a_run_has_every_number() -> None:
    run = quick([DEFAULT, dataclasses.replace(DEFAULT, threads=2)], workers=2)
    entry = zoo.catalogue()[zoo.DEFAULT]
    assert [m.setting.threads for m in run.measurements] == [1, 2]
    assert run.failures == ()
    assert run.machine == machine.facts()
    for m in run.measurements:
        assert (m.model_sha256, m.model_bytes) == (entry.sha256, entry.size_bytes)
        assert (m.answers, m.right, m.workers) == ("golden", True, 2)
        assert list(m.stages) == ["decode", "preprocess", "inference", "total"]
        assert {spread.count for spread in m.stages.values()} == {m.stages["total"].count}
        parts = [m.stages[stage].median for stage in ("decode", "preprocess", "inference")]
        assert m.stages["total"].p95 > max(parts) > 0
        assert min(m.load_ms, m.first_ms, m.throughput_per_s) > 0
        assert m.rounds_ms == (m.stages["total"].median,)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_is_that_of_the_child_and_of_its_own() -> None:
    here, apart = quick([DEFAULT, dataclasses.replace(DEFAULT, runtime="isolated")]).measurements
    assert here.peak_memory_bytes is not None
    assert apart.peak_memory_bytes is not None
    assert 20e6 < here.peak_memory_bytes < 1e9
    assert apart.peak_memory_bytes > here.model_bytes + 40e6  # two interpreters of Python


def test_an_engine_with_other_answers_is_marked() -> None:
    (wrong,) = quick([Setting(zoo.DEFAULT, "fake", 1)]).measurements
    assert not wrong.right
    assert wrong.answers.startswith("differs on 6 of 6 golden pictures, a score by up to 0.9")


def test_a_copy_of_a_built_in_model_is_known_by_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "mein modéll.tflite"
    file.write_bytes(zoo.catalogue()[zoo.DEFAULT].path.read_bytes())
    (setting,) = benchmark.settings_for([str(file)], threads=[1])
    assert setting.runtime == "litert"
    assert quick([setting]).measurements[0].answers == "golden"


def test_a_foreign_model_is_held_against_litert(tmp_path: Path) -> None:
    file = tmp_path / "tiny.tflite"
    file.write_bytes(make_models.bundle(make_models.pixels(8, 8, scale=1 / 255), 192))
    settings = [Setting(str(file), runtime, 1) for runtime in ("isolated", "litert", "fake")]
    isolated, litert, fake = quick(settings).measurements
    assert (isolated.answers, litert.answers) == ("litert", "litert")
    assert fake.answers.startswith("differs on 6 of 6 pictures, against LiteRT")
    assert [s.runtime for s in benchmark.settings_for([str(file)])] == ["isolated"]


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="-2^31 // -1 is a number there"
)
def test_a_model_that_crashes_its_process_fails_alone(tmp_path: Path) -> None:
    file = tmp_path / "hostile.tflite"
    file.write_bytes(make_models.bundle(make_models.hostile(), 3))
    run = quick([Setting(str(file), "litert", 1), DEFAULT])
    (failed,) = run.failures
    assert failed.setting.model == str(file)
    assert failed.error["message"] == "the process that measured it ended with signal 8"
    assert [m.setting for m in run.measurements] == [DEFAULT]


def test_a_damaged_model_fails_with_all_its_settings(tmp_path: Path) -> None:
    file = tmp_path / "cut.tflite"
    file.write_bytes(zoo.catalogue()[zoo.DEFAULT].path.read_bytes()[:1000])
    bad = [Setting(str(file), "litert", threads) for threads in (1, 2)]
    run = quick([*bad, DEFAULT])
    assert [failed.setting for failed in run.failures] == bad
    assert {failed.error["code"] for failed in run.failures} == {"model-damaged"}
    assert len(run.measurements) == 1


def test_nothing_that_works_is_no_traceback() -> None:
    run = quick([Setting("gone.tflite", "litert", 1)])
    assert run.measurements == ()
    assert run.failures[0].error["message"] == "no model file 'gone.tflite'"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os._exit(7)", "the process that measured it ended with status 7"),
        ("print('hello')", "the process that measured it ended with status 0"),
        ("import time; raise SystemExit('no')", "the process that measured it ended with status 1"),
    ],
)
def test_a_child_that_dies(program: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PROGRAM", program)
    assert quick([DEFAULT]).failures[0].error["message"] == message


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    message = quick([DEFAULT]).failures[0].error["message"]
    assert message.startswith("no process can be started: ")


def test_a_picture_that_vanishes_is_an_error_of_the_row(tmp_path: Path) -> None:
    gone = Pictures((str(tmp_path / "gone.jpg"),), "1 picture", "")
    error = quick([DEFAULT], pictures=gone).failures[0].error
    assert error["code"] == "image-not-found"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_children_end_when_the_parent_is_killed() -> None:
    program = "from whatsit import benchmark as b; b.measure([b.Setting(None, 'isolated', 1)], "
    program = program.replace("None", repr(zoo.DEFAULT)) + "rounds=1, seconds=600)"
    parent = subprocess.Popen([sys.executable, "-c", program])
    child_of = wait_for(lambda: children(parent.pid))
    grandchild = wait_for(lambda: children(child_of[0]))
    time.sleep(0.5)  # into the turn itself
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not any(alive(pid) for pid in (*child_of, *grandchild)))


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def alive(pid: int) -> bool:
    about = Path(f"/proc/{pid}/stat")
    try:
        return about.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(found: Callable[[], Any]) -> Any:
    for _ in range(600):
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen within 30 s")


# Turns.


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[turns.Task]:
    """The tasks of all turns, whose n-th takes n ms for each picture."""
    tasks: list[turns.Task] = []

    def take(task: turns.Task) -> turns.Turn:
        tasks.append(task)
        n = float(len(tasks))
        times = {stage: [n, n, n] for stage in ("decode", "preprocess", "inference", "total")}
        right = tuple(tuple((i, s) for i, s in best) for best in recorded(task))
        return turns.Turn(10 * n, 100 * n, right, times, 1000 / n, int(n) << 20)

    monkeypatch.setattr(turns, "take", take)
    return tasks


def recorded(task: turns.Task) -> list[Any]:
    answers = json.loads((zoo.GOLDEN / "expected.json").read_text())[task.model]
    return [answers[Path(picture).name] for picture, _ in task.questions]


def test_settings_take_turns(taken: list[turns.Task]) -> None:
    run = measure([DEFAULT, dataclasses.replace(DEFAULT, threads=2)], rounds=3, seconds=3)
    assert [task.threads for task in taken] == [1, 2, 2, 1, 1, 2]  # each round another one first
    assert [len(task.questions) for task in taken] == [6, 6, 0, 0, 0, 0]
    first, second = run.measurements  # turns 1, 4, 5 and 2, 3, 6
    assert first.rounds_ms == (1, 4, 5)
    assert second.rounds_ms == (2, 3, 6)
    assert (first.load_ms, first.first_ms, first.throughput_per_s) == (40, 400, 250)
    assert first.peak_memory_bytes == 5 << 20
    assert first.noise == pytest.approx((4.5 - 2.5) / 4)
    assert first.stages["total"] == Spread.of([1, 1, 1, 4, 4, 4, 5, 5, 5])
    cores = machine.cpu_count()
    assert [task.workers for task in taken[:2]] == [cores, max(1, cores // 2)]
    assert all(0 < task.seconds < 1 for task in taken)


def test_progress_is_told_before_each_turn(taken: list[turns.Task]) -> None:
    told: list[tuple[int, int, int]] = []
    measure([DEFAULT], rounds=2, progress=lambda *said: told.append((*said[:2], len(taken))))
    assert told == [(0, 2, 0), (1, 2, 1)]


def test_a_setting_named_twice_is_measured_once(taken: list[turns.Task]) -> None:
    assert len(measure([DEFAULT, DEFAULT], rounds=1).measurements) == 1


def test_a_setting_that_failed_has_no_more_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def take(task: turns.Task) -> turns.Turn:
        calls.append(task)
        raise turns.TurnFailed({"code": "x", "message": "no", "hint": ""})

    monkeypatch.setattr(turns, "take", take)
    assert len(measure([DEFAULT], rounds=5).failures) == 1
    assert len(calls) == 1


def test_latencies_are_one_measurement_a_model(taken: list[turns.Task]) -> None:
    models = ["mobilenet-v2-int8", zoo.DEFAULT]
    run = benchmark.latencies(models)
    assert [m.setting.model for m in run.measurements] == models
    assert {(m.setting.runtime, m.workers) for m in run.measurements} == {("litert", 0)}
    assert {task.workers for task in taken} == {0}
    run = benchmark.latencies([zoo.DEFAULT], runtime="isolated", threads=3)
    assert [m.setting for m in run.measurements] == [Setting(zoo.DEFAULT, "isolated", 3)]


def test_auto_is_what_engines_pick(monkeypatch: pytest.MonkeyPatch) -> None:
    from whatsit import engines

    picked = engines.Pick("isolated", (), "")
    monkeypatch.setattr(engines, "pick", lambda bundle, *, threads: picked)
    (setting,) = benchmark.settings_for([zoo.DEFAULT], runtimes=["auto"], threads=[1])
    assert setting.runtime == "isolated"


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ([], {}, "nothing to measure"),
        ([Setting(zoo.DEFAULT, "abacus", 1)], {}, "no runtime 'abacus'"),
        ([Setting(zoo.DEFAULT, "litert", 0)], {}, "0 threads"),
        ([Setting(zoo.DEFAULT, "litert", 5000)], {}, "5000 threads"),
        ([DEFAULT], {"rounds": 0}, "0 rounds"),
        ([DEFAULT], {"rounds": 99999}, "99999 rounds"),
        ([DEFAULT], {"workers": 0}, "0 workers"),
        ([DEFAULT], {"seconds": 0}, "0 seconds"),
        ([DEFAULT], {"seconds": float("nan")}, "nan seconds"),
        ([DEFAULT], {"seconds": float("inf")}, "inf seconds"),
    ],
)
def test_bad_arguments(settings: list[Setting], options: dict[str, Any], message: str) -> None:
    with pytest.raises(whatsit.UsageError) as caught:
        measure(settings, **options)
    assert caught.value.message == message
    assert caught.value.expected


# The child's stopwatch.


class Clock:
    """A classifier for which time passes only while it classifies: `ms` for each picture."""

    def __init__(self, ms: Sequence[float]) -> None:
        self.now, self.ms, self.seen = 0.0, ms, []

    def classify(self, picture: str) -> Any:
        self.seen.append(picture)
        self.now += self.ms[(len(self.seen) - 1) % len(self.ms)] / 1e3
        return SimpleNamespace(timings_ms={"decode": 0.5, "preprocess": 0.25, "inference": 0.125})


def test_total_is_a_stopwatch_around_classify(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([3, 4, 5])
    monkeypatch.setattr(child.time, "perf_counter", lambda: clock.now)
    rows = child._pass(clock, ["a", "b", "c"], 0.030)
    assert clock.seen == ["a", "b", "c"] * 3  # 36 ms: only whole passes
    assert [row["total"] for row in rows] == pytest.approx([3, 4, 5] * 3)
    assert {row["decode"] for row in rows} == {0.5}


def test_a_slow_model_need_not_finish_its_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([1000])
    monkeypatch.setattr(child.time, "perf_counter", lambda: clock.now)
    assert len(child._pass(clock, ["a"] * 24, 1.0)) == 5  # until 4 times its share is over
    assert len(child._pass(clock, ["a"] * 24, 0.01, at_least=3)) == 3


# Noise.


def watch(
    monkeypatch: pytest.MonkeyPatch,
    *,
    load: float | None = 0.1,
    cores: Sequence[float | None] = (0.0,),
    work_ms: Sequence[float] = (3.0,) * 9,
    rounds: int = 5,
    measurements: Sequence[Measurement] = (),
) -> list[str]:
    """The warnings on a machine that behaves like this; `cores` are what neighbours took."""
    took, works = iter(cores), iter(work_ms)
    monkeypatch.setattr(machine, "load_average", lambda: load)
    monkeypatch.setattr(machine.Neighbours, "cores", lambda self: next(took))
    monkeypatch.setattr(noise, "reference_work_ms", lambda: next(works))
    monkeypatch.setattr(noise, "_PROBE_S", 0)
    watched = noise.Watch()
    for _ in work_ms:
        watched.between_turns()
    assert watched.reference.count == len(work_ms)
    return watched.warnings(measurements, rounds)


def test_a_quiet_machine_has_no_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watch(monkeypatch, measurements=[measurement((5, 5.1, 5.2, 5.1, 5))]) == []
    assert watch(monkeypatch, cores=[None]) == []
    assert watch(monkeypatch, work_ms=[3, 3.01, 3.3, 3, 3]) == []  # too few to be a drift


@pytest.mark.parametrize(
    ("behaviour", "warning"),
    [
        ({"load": 1.5, "cores": [None, None]}, "the load average was 1.50 before the run: close"),
        ({"load": 1.5, "cores": [0.8, 0.0]}, "the load average was 1.50 before the run: close"),
        ({"cores": [0.42]}, "other programs kept 0.42 cores busy during the run: close"),
        (
            {"work_ms": [3, 5, 3, 5, 3, 5, 3, 5]},
            "a fixed piece of work took 3.0 to 5.0 ms (middle half) between the turns, 50% apart:",
        ),
        (
            {"work_ms": [3, 3, 3, 3.2, 3.4, 3.6, 3.9, 3.9, 3.9]},
            "the machine grew 30% slower during the run, as a fixed piece of work shows: let it",
        ),
        ({"work_ms": [4, 4, 4, 4, 3, 3, 3, 3]}, "the machine grew 25% faster during the run"),
        ({"rounds": 1}, "1 round cannot show how far times scatter: take at least 3"),
        (
            {"measurements": [measurement((5, 5, 5)), measurement((5, 6, 7, 8, 9))]},
            "the rounds' medians lie more than 10% apart in 1 of 2 settings, up to 29% (efficient",
        ),
    ],
)
def test_noise_is_warned_of_with_the_number(
    behaviour: dict[str, Any], warning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = watch(monkeypatch, **behaviour)
    assert found.startswith(warning)


def test_an_old_load_is_no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The load average remembers what ended a minute ago, such as the run before."""
    assert watch(monkeypatch, load=1.5, cores=[0.0, 0.0]) == []


def test_a_clock_that_may_vary_is_a_note() -> None:
    assert noise.notes({"governor": None}) == noise.notes({"governor": "performance"}) == []
    (note,) = noise.notes({"governor": "powersave"})
    assert note.startswith("the CPU governor is 'powersave', which lets the clock vary: ")


def test_apart_is_the_middle_half_over_the_median() -> None:
    times = np.random.default_rng(0).uniform(4, 6, 101)
    ordered = sorted(times)
    expected = (ordered[75] - ordered[25]) / statistics.median(times)
    assert noise.apart(times) == pytest.approx(expected)


def test_the_fixed_piece_of_work_takes_time() -> None:
    assert noise.reference_work_ms() > 0


# What changed.


def changed(before: Measurement, after: Measurement, **changes: Any) -> benchmark.Change:
    (change,) = benchmark.changes_between(run_of(before), run_of(after, **changes)).changes
    return change


def test_a_change_has_its_ratio_and_what_the_rounds_allow() -> None:
    before, after = measurement((5, 5, 5, 4.8, 5.2)), measurement((6, 6, 6, 5.9, 6.5))
    change = changed(before, after)
    assert (change.before_ms, change.after_ms, change.ratio) == (5, 6, 1.2)
    assert change.low == pytest.approx(5.9 / 5.2)
    assert change.high == pytest.approx(6.5 / 4.8)
    assert (change.noise, change.same_model) == ("", True)
    assert changed(after, before).noise == ""
    assert changed(after, before).ratio == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    ("before", "after", "work_ms", "why"),
    [
        ((5, 5, 5, 5, 7), (6, 6, 6, 6, 6), 3.0, "rounds overlap"),
        ((5, 5, 5), (9, 9, 9), 3.0, "fewer than 4 rounds"),
        ((5,) * 5, (5.2,) * 5, 3.0, "less than 5%"),
        ((5,) * 5, (6,) * 5, 3.9, "machine drifted as much"),
        ((5,) * 5, (5,) * 5, 3.0, "rounds overlap"),
    ],
)
def test_what_may_be_noise_is_no_change(
    before: Sequence[float], after: Sequence[float], work_ms: float, why: str
) -> None:
    reference = Spread.of([work_ms] * 5)
    change = changed(measurement(before), measurement(after), reference=reference)
    assert change.noise == why
    assert change.to_json()["changed"] is False


def test_another_file_of_the_same_name_is_said() -> None:
    change = changed(measurement(), measurement(model_sha256="another"))
    assert not change.same_model


def test_settings_of_one_run_alone_are_listed() -> None:
    other = dataclasses.replace(DEFAULT, threads=2)
    compared = benchmark.changes_between(run_of(measurement()), run_of(measurement(setting=other)))
    assert compared.changes == ()
    assert (compared.only_before, compared.only_after) == ((DEFAULT,), (other,))


def test_what_else_is_different_is_noted() -> None:
    before = run_of(measurement(), warnings=("loud",))
    versions = {"whatsit": "2", "openvino": "3"}
    after = run_of(measurement(), machine={**FACTS, "versions": versions, "python": "3.14"})
    assert benchmark.changes_between(before, after).notes == (
        "python was None, is 3.14",
        "openvino was None, is 3",
        "whatsit was 1, is 2",
        "the run before had 1 warning of noise",
    )


@pytest.mark.parametrize(
    "other", [{"cpu": "Other CPU"}, {"architecture": "arm64"}, {"cores": 8}, {"cores": None}]
)
def test_runs_of_two_machines_are_not_compared(other: dict[str, Any]) -> None:
    before, after = run_of(measurement(), machine={**FACTS, **other}), run_of(measurement())
    with pytest.raises(whatsit.UsageError) as caught:
        benchmark.changes_between(before, after)
    assert str(next(iter(other.values()))) in caught.value.message
    assert caught.value.expected == "one on this machine: Some CPU, x86_64, 2 cores"


def test_runs_with_other_pictures_are_not_compared() -> None:
    before, after = run_of(measurement()), run_of(pictures_sha256="other", pictures="3 pictures")
    with pytest.raises(whatsit.UsageError) as caught:
        benchmark.changes_between(before, after)
    assert caught.value.message == "a run with other pictures: the 6 golden pictures"


# The file.


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    failed = benchmark.Failed(DEFAULT, {"code": "x", "message": "m", "hint": ""})
    no_memory = measurement((4.5, 4.5), peak_memory_bytes=None, answers="differs")
    run = run_of(measurement(), no_memory, warnings=("a",), notes=("b",), failures=(failed,))
    file = tmp_path / "run.json"
    run.save(file)
    assert Benchmark.read(file) == run
    assert list(tmp_path.iterdir()) == [file]
    again = run_of(reference=None)
    again.save(file)
    assert Benchmark.read(file) == again


def test_a_run_that_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(whatsit.WhatsitError, match="cannot write"):
        run_of(measurement()).save(tmp_path / "no such folder" / "run.json")


def saved(**changes: Any) -> str:
    return json.dumps({**run_of(measurement()).to_json(), **changes})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no benchmark: it is not JSON"),
        ("{", "is no benchmark: it is not JSON"),
        ("\xff\x00", "is no benchmark: it is not JSON"),
        ("[" * 100_000, "is no benchmark: it is not JSON"),
        ("[]", "this is no benchmark"),
        ("{}", "this is no benchmark"),
        ('{"kind": "other"}', "this is no benchmark"),
        (saved(format=99), "a benchmark of format 99"),
        (saved(measurements=None), "a damaged benchmark: null is no list"),
        (saved(machine=[]), "a damaged benchmark: [] is no table"),
        (saved(warnings=[1]), "a damaged benchmark: 1 is no text"),
        (saved(measurements=[{}]), "a damaged benchmark: it lacks 'peak_memory_bytes'"),
        (saved(measurements=[3]), "its contents are not those of a benchmark"),
        (saved().replace('"threads": 1', '"threads": true'), "true is no whole number"),
        (saved().replace('"load_ms": 12.0', '"load_ms": NaN'), "NaN is no measured number"),
        (saved().replace('"load_ms": 12.0', '"load_ms": -1'), "-1 is no measured number"),
        (saved().replace('"median": 5.0', '"median": "5"'), '"5" is no measured number'),
        (saved().replace('"median": 5.0', '"median": 0.0'), "a time of 0 ms"),
        (saved().replace('"rounds_ms": [5.0', '"rounds_ms": [0.0'), "a time of 0 ms"),
        (saved(failures=[{**DEFAULT.to_json(), "error": {}}]), "it lacks 'code'"),
        (
            saved(failures=[{**DEFAULT.to_json(), "error": 3}]),
            "its contents are not those of a benchmark",
        ),
    ],
)
def test_other_files_are_refused(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(whatsit.UsageError) as caught:
        Benchmark.read(file)
    assert message in caught.value.message
    assert repr(str(file)) in caught.value.message
    assert caught.value.expected


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(whatsit.UsageError, match="cannot read the benchmark"):
        Benchmark.read(tmp_path / name)


# The pictures.


def test_the_golden_pictures_are_the_default() -> None:
    pictures = benchmark.choose_pictures()
    assert sorted(Path(path).name for path in pictures.paths) == sorted(
        file.name for file in zoo.GOLDEN.iterdir() if file.suffix in (".jpg", ".png")
    )
    assert pictures.description == "the 6 golden pictures"


def test_many_pictures_are_thinned_evenly(cat: Path, tmp_path: Path) -> None:
    for number in range(100):
        shutil.copy(cat, tmp_path / f"{number:03}.png")
    pictures = benchmark.choose_pictures(expand([str(tmp_path)]))
    numbers = [int(Path(path).stem) for path in pictures.paths]
    assert len(numbers) == 24
    assert set(np.diff(numbers)) <= {4, 5}
    assert (numbers[0], pictures.description) == (0, "24 of 100 pictures")


def test_the_hash_is_of_the_bytes(cat: Path, coffee: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other name.png"
    copy.write_bytes(cat.read_bytes())
    one, same, other = (
        benchmark.choose_pictures([Source(str(path))]) for path in (cat, copy, coffee)
    )
    assert one.sha256 == same.sha256 != other.sha256
    assert one.description == "1 picture"


def test_a_bad_picture_is_left_out_and_said(cat: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    pictures = benchmark.choose_pictures(expand([str(bad), str(cat), "gone.png"]))
    assert pictures.paths == (str(cat),)
    assert [error.code for error in pictures.errors] == ["image-unreadable", "image-not-found"]
    with pytest.raises(whatsit.ImageUnreadable):
        benchmark.choose_pictures(expand([str(bad)]))


def test_pictures_that_cannot_be_read_twice_are_refused() -> None:
    with pytest.raises(whatsit.UsageError, match="only once"):
        benchmark.choose_pictures(expand(["-"]))
    with pytest.raises(whatsit.ImageNotFound, match="no pictures"):
        benchmark.choose_pictures([])
