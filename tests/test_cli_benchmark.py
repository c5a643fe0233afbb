"""`whatsit benchmark`: options, the table, JSON, files, exit status."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from test_benchmark import measurement

from whatsit import benchmark, engines, machine, report, zoo
from whatsit.benchmark import Benchmark, Failed, Setting
from whatsit.measures import Spread

Program = Callable[..., Run]
QUICK = ("--rounds", 1, "--seconds", 0.05)


@dataclasses.dataclass
class Canned:
    """Stands in for `measure`: notes what it was asked, and gives `rows` and `warnings`."""

    rows: Callable[[Sequence[Setting]], list[Any]]
    warnings: tuple[str, ...] = ()
    settings: list[Setting] = dataclasses.field(default_factory=list)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __call__(self, settings: Sequence[Setting], **options: Any) -> Benchmark:
        self.settings, self.options = list(settings), options
        pictures, rows = options["pictures"], self.rows(settings)
        return Benchmark(
            machine=machine.facts(),
            made="2026-01-01T00:00:00+00:00",
            pictures=pictures.description,
            measurements=tuple(row for row in rows if not isinstance(row, Failed)),
            failures=tuple(row for row in rows if isinstance(row, Failed)),
            warnings=self.warnings,
            notes=("a note",),
            pictures_sha256=pictures.sha256,
            reference=Spread.of([3.0]),
        )


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Canned:
    stand_in = Canned(lambda settings: [measurement(setting=setting) for setting in settings])
    monkeypatch.setattr(benchmark, "measure", stand_in)
    monkeypatch.setenv("COLUMNS", "80")
    return stand_in


def objects(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.out.splitlines()]


# For real.


def test_json_is_one_object_a_setting(whatsit: Program) -> None:
    run = whatsit("benchmark", "--json", "--threads", "2,1,2", *QUICK)
    rows = objects(run)
    assert run.status == 0
    assert [(row["model"], row["runtime"], row["threads"]) for row in rows] == [
        (zoo.DEFAULT, "litert", 2),
        (zoo.DEFAULT, "litert", 1),
    ]
    for row in rows:
        assert row["answers"] == "golden"
        assert list(row["stages_ms"]) == ["decode", "preprocess", "inference", "total"]
        assert "1 round cannot show how far times scatter" in row["warnings"][-1]
        assert row["noise"] == 0
    assert "warning   1 round cannot show" in run.err


def test_wrong_answers_and_a_bad_model_are_exit_status_1(whatsit: Program) -> None:
    arguments = ("gone.tflite", zoo.DEFAULT, "--runtime", "fake", "--threads", "1,2", *QUICK)
    run = whatsit("benchmark", *arguments)
    assert run.status == 1
    assert f"! WRONG  {zoo.DEFAULT}, fake, 1 thread\n  differs on 6 of 6 golden" in run.out
    assert "error     gone.tflite, 2 settings: no model file 'gone.tflite'\n" in run.err


def test_save_and_compare(whatsit: Program, tmp_path: Path, cat: Path) -> None:
    file = tmp_path / "before.json"
    first = whatsit("benchmark", "--threads", 1, "--data", cat, *QUICK, "--save", file)
    assert first.status == 0
    second = whatsit("benchmark", "--data", cat, *QUICK, "--compare", file, "--json")
    (row,) = objects(second)  # the settings of the file
    assert (row["threads"], row["compared"]["noise"]) == (1, "fewer than 4 rounds")
    assert row["compared"]["before_ms"] == Benchmark.read(file).measurements[0].rounds_ms[0]
    assert row["compared"]["changed"] is False


# What is measured.


def test_the_default_is_the_default_model_by_threads(whatsit: Program, canned: Canned) -> None:
    assert whatsit("benchmark").status == 0
    assert {setting.model for setting in canned.settings} == {zoo.DEFAULT}
    counts = [setting.threads for setting in canned.settings]
    assert counts == [1 << n for n in range(len(counts))]
    assert counts[-1] <= machine.cpu_count() < 2 * counts[-1]
    given = {key: value for key, value in canned.options.items() if key != "progress"}
    golden = benchmark.choose_pictures()
    assert given == {"pictures": golden, "rounds": 5, "seconds": 4.0, "workers": None}


def test_all_models(whatsit: Program, canned: Canned) -> None:
    whatsit("benchmark", "--all", "--threads", 1)
    assert [setting.model for setting in canned.settings] == list(zoo.catalogue())


def test_all_runtimes_and_auto(
    whatsit: Program, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "installed", lambda: ["litert", "isolated"])
    whatsit("benchmark", "--threads", 1, "--runtime", "all,litert")
    assert [setting.runtime for setting in canned.settings] == ["litert", "isolated"]
    pick = engines.Pick("isolated", (), "isolated: for a reason")
    monkeypatch.setattr(engines, "pick", lambda bundle, *, threads: pick)
    run = whatsit("benchmark", "--threads", 1, "--runtime", "auto")
    assert run.err.splitlines()[0] == f"note      {zoo.DEFAULT}, 1 thread: isolated: for a reason"
    assert [setting.runtime for setting in canned.settings] == ["isolated"]


def test_numbers_are_passed_on(whatsit: Program, canned: Canned, cat: Path) -> None:
    data = ("--data", cat, "--data", cat.with_name("coffee.png"))
    whatsit("benchmark", "--rounds", 7, "--seconds", 0.5, "--workers", 3, *data)
    options = canned.options
    assert (options["rounds"], options["seconds"], options["workers"]) == (7, 0.5, 3)
    assert options["pictures"].paths == (str(cat), str(cat.with_name("coffee.png")))


# What is printed.


def test_the_table_fits_80_columns(whatsit: Program, canned: Canned) -> None:
    loud = {"throughput_per_s": 1234.5, "load_ms": 4321.0, "first_ms": 99999.4, "workers": 16}
    times = (123.4, 1234.5, 123.4, 150.1)

    def rows(settings: Sequence[Setting]) -> list[Any]:
        wide = [Setting(m, "openvino-bf16", 16) for m in (zoo.DEFAULT, "mobilenet-v2-float16")]
        return [measurement(times, setting, **loud) for setting in wide]

    canned.rows = rows
    run = whatsit("benchmark")
    lines = run.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == f"{zoo.DEFAULT}  5.0 MB"
    assert (
        lines[1].split() == "runtime thr. p50 p95 decode prep. infer. per s load first MB".split()
    )
    cells = "openvino-bf16 16 137 1072 137 137 137 1234 (16) 4321 99999 70"
    assert lines[2].split() == cells.split()
    assert "…" not in run.out
    assert "In front, and not to be told apart by these rounds, in ms a picture:" in lines
    assert f"  {zoo.DEFAULT}, openvino-bf16, 16 threads: 137" in lines
    assert "Fastest" not in run.out
    assert "  mobilenet-v2-float16, openvino-bf16, 16 threads: 137" in lines
    assert str(machine.facts()["cpu"]) in run.out
    assert lines[-1] == "Measured with the 6 golden pictures."


def test_the_fastest_is_one_with_right_answers(whatsit: Program, canned: Canned) -> None:
    times = {"a": (3.0,) * 5, "b": (5.0,) * 5, "c": (8.0,) * 5}
    canned.rows = lambda settings: [
        measurement(ms, Setting(name, "litert", 1), answers="differs" if name == "a" else "litert")
        for name, ms in times.items()
    ]
    run = whatsit("benchmark")
    assert run.status == 1
    assert "Fastest: b, litert, 1 thread: 5.00 ms a picture." in run.out
    assert "not to be told apart" not in run.out
    assert " 3.00! " in run.out


def test_only_a_few_as_fast_are_listed(whatsit: Program, canned: Canned) -> None:
    canned.rows = lambda settings: [
        measurement((5.0,) * 5, Setting("m", "litert", threads)) for threads in range(1, 9)
    ]
    lines = whatsit("benchmark").out.split("in ms a picture:\n")[1].splitlines()
    near = [f"  m, litert, {threads} threads: 5.00" for threads in (2, 3, 4, 5)]
    assert lines[:6] == ["  m, litert, 1 thread: 5.00", *near, "  and 3 others"]


@pytest.mark.parametrize("rounds", [1, 2])
def test_few_rounds_name_no_fastest(whatsit: Program, canned: Canned, rounds: int) -> None:
    canned.rows = lambda settings: [
        measurement((ms,) * rounds, Setting(name, "litert", 1)) for name, ms in (("a", 1), ("b", 9))
    ]
    out = whatsit("benchmark").out
    assert f"Which is fastest cannot be told from {rounds} round{'s' * (rounds - 1)}." in out
    assert "Fastest" not in out


def test_unknown_memory_is_a_dash(whatsit: Program, canned: Canned) -> None:
    canned.rows = lambda settings: [measurement(peak_memory_bytes=None)]
    assert whatsit("benchmark").out.splitlines()[2].split()[-1] == "–"


def test_warnings_and_notes_go_to_standard_error(whatsit: Program, canned: Canned) -> None:
    canned.warnings = ("other programs kept 1.00 cores busy",)
    run = whatsit("benchmark", "--threads", 1)
    assert run.status == 0
    assert run.err == "note      a note\nwarning   other programs kept 1.00 cores busy\n"
    (row,) = objects(whatsit("benchmark", "--threads", 1, "--json"))
    assert row["warnings"] == ["other programs kept 1.00 cores busy"]


def test_a_failure_is_a_row_of_json(whatsit: Program, canned: Canned) -> None:
    error = {"code": "model-damaged", "message": "it crashed", "hint": "none"}
    canned.rows = lambda settings: [Failed(settings[0], error)]
    run = whatsit("benchmark", "--threads", 1, "--json")
    assert run.status == 1
    row = {"model": zoo.DEFAULT, "runtime": "litert", "threads": 1, "error": error}
    assert objects(run) == [row]


def test_names_cannot_steer_the_terminal(whatsit: Program, canned: Canned) -> None:
    name = "[red]\x1b[31mx.tflite"
    canned.rows = lambda settings: [measurement(setting=Setting(name, "litert", 1), answers="no")]
    run = whatsit("benchmark")
    assert "\x1b" not in run.out
    assert "[red]\\x1b[31mx.tflite  5.0 MB" in run.out


def test_a_comparison_is_a_line_a_setting(whatsit: Program, canned: Canned, tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    times = iter([(5.0,) * 5, (5.0,) * 5, (5.0,) * 5, (6.0,) * 5, (4.0,) * 5, (5.1,) * 5])
    canned.rows = lambda settings: [measurement(next(times), setting) for setting in settings]
    whatsit("benchmark", "--threads", "1,2,4", "--save", file)
    run = whatsit("benchmark", "--compare", file)
    assert [setting.threads for setting in canned.settings] == [1, 2, 4]
    slower, faster, same = run.out.split("the rounds allow:\n")[1].splitlines()[1:4]
    assert slower.split() == "litert × 1 5.00 → 6.00 1.20 × (1.20–1.20) slower".split()
    assert faster.split() == "litert × 2 5.00 → 4.00 0.80 × (0.80–0.80) faster".split()
    assert same.endswith("noise: less than 5%")
    assert max(map(len, (slower, faster, same))) <= 80
    assert "A fixed piece of work: 1.00 × its time before." in run.out


def test_a_comparison_with_settings_of_its_own(
    whatsit: Program, canned: Canned, tmp_path: Path
) -> None:
    file = tmp_path / "before.json"
    whatsit("benchmark", "--threads", "1", "--save", file)
    run = whatsit("benchmark", "--threads", "2", "--compare", file)
    assert f"not measured now: {zoo.DEFAULT}, litert, 1 thread\n" in run.out
    assert f"not measured before: {zoo.DEFAULT}, litert, 2 threads\n" in run.out
    (row,) = objects(whatsit("benchmark", "--threads", "2", "--compare", file, "--json"))
    assert row["compared"] is None


def test_bad_pictures_are_said_and_the_others_measured(
    whatsit: Program, canned: Canned, cat: Path
) -> None:
    run = whatsit("benchmark", "--data", "gone.png", "--data", cat)
    assert run.status == 1
    assert run.err.startswith("error     no file 'gone.png'\n")
    assert "Measured with 1 picture." in run.out


def test_a_report(
    whatsit: Program, canned: Canned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "benchmark_page", lambda run: f"<p>{run.pictures}")
    page = tmp_path / "page.html"
    assert whatsit("benchmark", "--report", page).status == 0
    assert page.read_text() == "<p>the 6 golden pictures"


# What cannot be.


def never(*_: Any, **__: Any) -> Benchmark:
    raise AssertionError("it was measured")


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (["--threads", "1,x"], 2, "--threads '1,x'"),
        (["--threads", ""], 2, "--threads ''"),
        (["--threads", "1,,2"], 2, "--threads '1,,2'"),
        (["--all", "mobilenet-v2-int8"], 2, "both --all and 'mobilenet-v2-int8'"),
        (["no-such-model"], 2, "no built-in model 'no-such-model'"),
        (["--data", "-"], 2, "pictures on standard input can be read only once"),
        (["--data", "gone.jpg"], 1, "no file 'gone.jpg'"),
        (["--rounds", "x"], 2, "invalid value for '--rounds': 'x' is not a valid integer"),
        (["--compare", "gone.json"], 2, "cannot read the benchmark 'gone.json': No such file"),
        (["--save", "no/such/folder/x.json"], 1, "cannot write 'no/such/folder/x.json'"),
        (["--save", "."], 1, "cannot write '.'"),
        (["--report", "page.txt"], 2, "a report 'page.txt'"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_measured(
    arguments: list[str],
    status: int,
    error: str,
    whatsit: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(benchmark, "measure", never)
    run = whatsit("benchmark", *arguments)
    assert (run.status, run.out) == (status, "")
    assert run.err.startswith(f"error     {error}")
    assert len(run.err.splitlines()) <= 3


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--threads", "0"], "0 threads"),
        (["--threads", "-1", "--runtime", "auto"], "-1 threads"),
        (["--runtime", "abacus"], "no runtime 'abacus'"),
        (["--runtime", ""], "no runtime ''"),
        (["--rounds", "0"], "0 rounds"),
        (["--seconds", "-1"], "-1 seconds"),
        (["--workers", "0"], "0 workers"),
    ],
)
def test_numbers_that_cannot_be(arguments: list[str], error: str, whatsit: Program) -> None:
    run = whatsit("benchmark", *arguments)
    lines = run.err.splitlines()
    assert (run.status, run.out) == (2, "")
    assert lines[0] == f"error     {error}"
    assert lines[1].startswith("expected  ")


@pytest.mark.parametrize("key", ["cpu", "architecture", "cores"])
def test_a_file_of_another_machine_is_refused(
    key: str, whatsit: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "measure", never)
    file = tmp_path / "other.json"
    elsewhere = {**machine.facts(), key: "PDP-11"}
    run = Benchmark(elsewhere, "2026-01-01", "the 6 golden pictures", (measurement(),), ())
    run.save(file)
    done = whatsit("benchmark", "--compare", file)
    assert done.status == 2
    assert "a run on another machine: " in done.err.splitlines()[0]
    assert "PDP-11" in done.err.splitlines()[0]
    assert str(machine.facts()["cpu"]) in done.err.splitlines()[1]


def test_a_file_with_other_pictures_is_refused(
    whatsit: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "measure", never)
    file = tmp_path / "before.json"
    run = Benchmark(machine.facts(), "2026-01-01", "3 pictures", (measurement(),), ())
    run.save(file)
    done = whatsit("benchmark", "--compare", file)
    assert done.status == 2
    assert done.err.startswith("error     a run with other pictures: 3 pictures\n")


def test_what_was_measured_is_saved_though_nobody_reads_it(
    whatsit: Program, canned: Canned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(run: Benchmark) -> None:
        raise BrokenPipeError

    from whatsit.cli import benchmark_text

    monkeypatch.setattr(benchmark_text, "print_run", closed)
    monkeypatch.setattr("whatsit.cli._stop_quietly", lambda: None)
    file = tmp_path / "run.json"
    assert whatsit("benchmark", "--save", file).status == 0
    assert len(Benchmark.read(file).measurements) > 0


def test_progress_is_said_on_a_terminal(
    whatsit: Program, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(settings: Sequence[Setting]) -> list[Any]:
        canned.options["progress"](0, 5, settings[0])
        return [measurement()]

    canned.rows = rows
    assert whatsit("benchmark", "--threads", 1).err == "note      a note\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    err = whatsit("benchmark", "--threads", 1).err
    first, gone, rest = err.split("\r")[1:]
    assert first.rstrip() == f"turn 1 of 5: {zoo.DEFAULT}, litert, 1 thread"
    assert len(first) == len(gone) == 79
    assert rest == "note      a note\n"
