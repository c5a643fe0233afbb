"""`whatsit batch` as a program: its summary, its exit status, its errors, its bar."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run

from whatsit import zoo
from whatsit.batch import BatchReport
from whatsit.batch import job as jobs
from whatsit.cli.batch import _duration, _Stage

Program = Callable[..., Run]
MODEL = ["-m", "mobilenet-v2-int8"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `photos`, in which one of nine is no picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "BLOCK", 4)
    Path("photos").mkdir()
    for i in range(8):
        shutil.copy(zoo.GOLDEN / ("rocket.jpg", "temple.jpg")[i % 2], f"photos/{i}.jpg")
    Path("photos/bad.jpg").write_bytes(b"no picture")
    return tmp_path


def lines(path: str) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def test_the_summary(whatsit: Program) -> None:
    run = whatsit("batch", *MODEL, "photos", "-o", "out.jsonl", "--workers", 1)
    assert (run.status, run.err) == (1, "")
    summary = run.out.splitlines()
    assert summary[:2] == [
        "8 pictures classified, 1 failed",
        "        1  image-unreadable  'photos/bad.jpg' is not a picture of a known kind",
    ]
    assert summary[2].startswith("Time     ")
    assert summary[2].endswith(" pictures a second")
    assert summary[3:] == [
        "Cache    6 answered from it",
        "Output   out.jsonl",
        "Errors   out.errors.jsonl",
    ]
    assert all(len(line) <= 80 for line in summary)
    assert len(lines("out.jsonl")) == 9
    assert [line["path"] for line in lines("out.errors.jsonl")] == ["photos/bad.jpg"]


def test_all_good_is_status_0(whatsit: Program) -> None:
    run = whatsit("batch", *MODEL, "photos/[0-9].jpg", "-o", "out.csv", "--shard-rows", 3)
    assert run.status == 0
    assert run.out.splitlines()[0] == "8 pictures classified"
    assert run.out.splitlines()[-1] == "Output   out-00000-of-00003.csv and 2 more"


def test_the_summary_as_json(whatsit: Program) -> None:
    run = whatsit("batch", *MODEL, "photos", "-o", "out.jsonl", "--json", "--no-cache")
    value = json.loads(run.out)
    assert run.status == 1
    assert list(value) == [
        *("out", "errors", "pictures", "failed", "by_code", "examples", "from_cache"),
        *("resumed", "wall_s", "per_s"),
    ]
    assert value["out"] == ["out.jsonl"]
    assert (value["pictures"], value["failed"]) == (9, 1)
    assert value["by_code"] == {"image-unreadable": 1}
    assert (value["from_cache"], value["resumed"]) == (0, 0)


def test_no_pictures(whatsit: Program) -> None:
    Path("empty").mkdir()
    run = whatsit("batch", *MODEL, "empty", "-o", "out.jsonl")
    assert (run.status, run.out) == (1, "")
    assert run.err.startswith("error     no pictures in the folder 'empty'\nexpected  files with")
    assert not Path("out.jsonl").exists()


def test_a_list_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "whatsit", "batch", *MODEL, "@-", "-o", "out.jsonl"]
    done = subprocess.run(command, input=b"photos/1.jpg\nphotos/0.jpg\n", capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [line["path"] for line in lines("out.jsonl")] == ["photos/1.jpg", "photos/0.jpg"]


def test_the_options_arrive(whatsit: Program) -> None:
    Path("list.csv").write_text("picture,id\nphotos/0.jpg,7\n")
    options = ["--column", "picture", "--columns", "id, label, score_2,embedding", "--embeddings"]
    others = ["-k", 2, "--threshold", "0.000001", "--deny", "missile", "--region", "0,0,1,0.9"]
    more = ["--rotate", 180, "--preprocess", "stretch", "--runtime", "litert", "--workers", 2]
    run = whatsit("batch", *MODEL, "list.csv", "-o", "out.jsonl", *options, *others, *more)
    assert (run.status, run.err) == (0, "")
    [row] = lines("out.jsonl")
    assert list(row) == ["id", "label", "score_2", "embedding"]
    assert row["id"] == "7"
    assert len(row["embedding"]) == 1280


@pytest.mark.parametrize(
    ("arguments", "error", "status"),
    [
        (["photos"], "missing option '-o' / '--out'", 2),
        (["-o", "out.jsonl"], "missing argument 'INPUT...'", 2),
        (["photos", "-o", "out.xlsx"], "the output 'out.xlsx'", 2),
        (["photos", "-o", "photos"], "the output 'photos' is a folder", 2),
        (["photos", "-o", "out.jsonl", "--top", "0"], "the top 0 classes", 2),
        (["photos", "-o", "out.jsonl", "--engine", "spark"], "no engine 'spark'", 2),
        (["photos", "-o", "out.jsonl", "--columns", ""], "the columns ''", 2),
        (["photos", "-o", "out.jsonl", "--column", "x", "--columns", "id"], "no column 'id'", 2),
        (["photos", "-o", "out.jsonl", "--runtime", "fake"], "no runtime 'fake'", 2),
        (["photos", "-o", "no/out.jsonl"], "cannot write 'no/out.jsonl': there is no such", 1),
        (["-", "-o", "out.jsonl"], "one picture on standard input", 2),
        (["photos", "photos/0.jpg", "-m", "gone.tflite", "-o", "o.csv"], "no model file 'gone", 1),
    ],
)
def test_wrong_usage(whatsit: Program, arguments: list[str], error: str, status: int) -> None:
    run = whatsit("batch", *arguments)
    assert (run.status, run.out) == (status, "")
    first, *others = run.err.splitlines()
    assert first.startswith(f"error     {error}")
    assert all(line.startswith(("expected  ", "hint      ")) for line in others)
    assert os.listdir() == ["photos"]


def test_going_on_and_another_command(whatsit: Program) -> None:
    first = ["batch", *MODEL, "photos", "-o", "out.jsonl", "--no-cache"]
    with pytest.MonkeyPatch.context() as patch:
        store = jobs.Job.store

        def stopped(self: jobs.Job, block: int, part: jobs.Part) -> None:
            store(self, block, part)
            raise KeyboardInterrupt

        patch.setattr(jobs.Job, "store", stopped)
        run = whatsit(*first)
    assert (run.status, run.out) == (130, "")
    assert run.err == (
        "note      interrupted after 4 of 9 pictures: the same command goes on from there\n"
    )
    run = whatsit(*first, "--top", 3)
    assert (run.status, run.out) == (2, "")
    assert run.err == (
        "error     'out.jsonl.job' holds an interrupted run with another top: 5, not 3\n"
        "expected  the same command as before\n"
        "hint      --restart begins anew\n"
    )
    run = whatsit(*first)
    assert run.status == 1
    assert run.err == "note      4 of 9 were done before\n"
    assert "Earlier  4 were done before\n" in run.out
    run = whatsit(*first, "--top", 3, "--restart")
    assert (run.status, run.err) == (1, "")


def test_names_that_could_steer_a_terminal(whatsit: Program) -> None:
    Path("\x1b[31m").mkdir()
    run = whatsit("batch", *MODEL, "photos", "gone\x1b.jpg", "-o", "\x1b[31m/out.jsonl")
    assert "\x1b" not in run.out + run.err
    assert "\\x1b[31m/out.jsonl" in run.out


def test_an_interrupt_before_the_first_picture() -> None:
    assert _Stage().stopped().startswith("interrupted before the first picture: ")


def test_durations() -> None:
    assert [_duration(s) for s in (0.04, 59.94, 60, 245, 7200, 360_000)] == [
        *("0.0 s", "59.9 s", "1 min 0 s", "4 min 5 s", "2 h 0 min", "100 h 0 min"),
    ]


def test_the_bar_says_rate_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stage = _Stage()
    assert stage._remark(5, None, 0) == "listed"
    assert stage._remark(100, 1000, 0) == ""
    now = 110.0
    assert stage._remark(2100, 9000, 3) == "200/s  3 failed"
    stage._done, stage._total = 2100, 9000
    assert stage.stopped().startswith("interrupted after 2,100 of 9,000 pictures: ")


def test_a_bar_on_a_terminal(whatsit: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run = whatsit("batch", *MODEL, "photos", "-o", "out.jsonl")
    assert "9/9" in run.err
    assert "1 failed" in run.err
    assert "Output   out.jsonl" in run.out


def test_help_says_how_to_go_on(whatsit: Program) -> None:
    run = whatsit("batch", "--help")
    assert run.status == 0
    assert "goes on where it was" in " ".join(run.out.split())


def test_a_local_run_into_json_lines_needs_no_extra() -> None:
    """Neither to be installed nor to be waited for."""
    program = (
        "import sys, whatsit\n"
        "sys.modules.update(dict.fromkeys(('pyarrow', 'fsspec', 'ray', 'pandas', 'rich')))\n"
        "whatsit.batch(['photos'], 'out.jsonl', workers=2)\n"
        "whatsit.batch(['photos'], 'out.csv', workers=1)\n"
        "whatsit.batch(['list.csv'], 'out.csv', workers=1, columns=['id', 'label'])\n"
    )
    Path("list.csv").write_text("path,id\nphotos/0.jpg,7\n")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_the_report_is_ready_for_json() -> None:
    report = BatchReport(("a",), 3, 1, {"x": 1}, 0, 2, 1.23456, 2.34567, "e")
    assert json.loads(json.dumps(report.to_json())) == report.to_json()
    assert report.to_json()["wall_s"] == 1.235
