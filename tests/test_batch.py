"""A batch run: what it writes, what it goes on with, and what it refuses."""

from __future__ import annotations

import csv
import functools
import gzip
import json
import os
import pickle
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_disk import largest_file, needs_limits
from make_pictures import damaged, encoded
from PIL import Image

import whatsit
from whatsit import BatchReport, batch, zoo
from whatsit.batch import job as jobs
from whatsit.batch import local, locking, outputs
from whatsit.batch.answering import Answering, Task
from whatsit.batch.job import Job
from whatsit.errors import (
    ImageNotFound,
    ImageUnreadable,
    ModelDamaged,
    UsageError,
    WhatsitError,
)

MODEL = "mobilenet-v2-int8"
ENDINGS = ["jsonl", "csv", "parquet"]
# In a process of its own: four pictures a block, so that few make many blocks.
PROGRAM = """
import sys
from whatsit.batch import job
job.BLOCK = 4
from whatsit.cli import main
sys.argv = ["whatsit", *sys.argv[1:]]
main()
"""
posix = pytest.mark.skipif(os.name != "posix", reason="kills and permissions of POSIX")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BLOCK", 4)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a folder `photos` of eleven different pictures."""
    monkeypatch.chdir(tmp_path)
    photos(tmp_path / "photos", 11)
    return tmp_path


def photos(folder: Path, count: int) -> None:
    """Pictures that the model finds different, as JPEG and PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        name, content = photo(i)
        (folder / name).write_bytes(content)


@functools.cache
def photo(i: int) -> tuple[str, bytes]:
    golden = sorted(p for p in zoo.GOLDEN.iterdir() if p.suffix in (".png", ".jpg"))
    with Image.open(golden[i % len(golden)]) as opened:
        small = opened.convert("RGB").resize((160, 120)).rotate(15 * (i // len(golden)))
    kind = ("JPEG", "PNG")[i % 2]
    return f"{i:03d}{('.jpg', '.png')[i % 2]}", encoded(small, kind)


def run(out: str, inputs: Sequence[str] = ("photos",), **options: Any) -> BatchReport:
    options = {"model": MODEL, "cache": False, "workers": 1, **options}
    return batch(inputs, out, **options)


def rows(path: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def contract(inputs: Sequence[str], **options: Any) -> list[dict[str, Any]]:
    """What `classify_many` says, without times."""
    with whatsit.load(MODEL) as model:
        found = [result.to_json() for result in model.classify_many(inputs, workers=1, **options)]
    return [{**row, "timings_ms": {}} if "timings_ms" in row else row for row in found]


def there(folder: str = ".") -> set[str]:
    return set(os.listdir(folder))


def started(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, "batch", "-m", MODEL, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def interrupt(when: int) -> Callable[[int, int | None, int], None]:
    """A progress that is Ctrl-C after so many pictures."""

    def progress(done: int, total: int | None, failed: int) -> None:
        if total is not None and done >= when:
            raise KeyboardInterrupt

    return progress


# What is written.


def test_json_lines_are_the_contract_in_order(folder: Path) -> None:
    report = run("out.jsonl", ["photos", "gone.jpg", "photos/003.png"])
    names = [str(p) for p in sorted(Path("photos").iterdir())]
    assert rows("out.jsonl") == contract([*names, "gone.jpg", "photos/003.png"])
    assert report.out == ("out.jsonl",)
    assert (report.pictures, report.failed, report.by_code) == (13, 1, {"image-not-found": 1})
    assert (report.resumed, report.from_cache) == (0, 0)
    assert report.wall_s > 0
    assert report.per_s > 0
    assert there() == {"photos", "out.jsonl", "out.errors.jsonl"}


def test_the_options_of_classify(folder: Path) -> None:
    names = [str(p) for p in sorted(Path("photos").iterdir())]
    options = {
        "top": 2,
        "threshold": 0.01,
        "deny": ["espresso"],
        "region": (0.1, 0.1, 0.9, 0.9),
        "rotation": 90,
    }
    run("out.jsonl", **options)
    assert rows("out.jsonl") == contract(names, **options)
    run("out.jsonl", allow="espresso", preprocess="stretch")
    assert {row["predictions"][0]["label"] for row in rows("out.jsonl")} == {"espresso"}


def test_a_lone_input_is_a_list_of_one(folder: Path) -> None:
    assert run("out.jsonl", Path("photos")).pictures == 11  # type: ignore[arg-type]
    assert run("out.jsonl", "photos").pictures == 11


def test_each_failure_is_in_the_output_and_in_the_list(folder: Path) -> None:
    chance = random.Random(5)
    good = Path("photos/000.jpg").read_bytes()
    for i in range(0, 40):
        Path(f"photos/x{i:02d}.jpg").write_bytes(good)
    bad = {
        "photos/x07.jpg": (b"", "image-unreadable"),
        "photos/x19.jpg": (damaged(b"no picture" + good, chance), "image-unreadable"),
    }
    for name, (content, _) in bad.items():
        Path(name).write_bytes(content)
    report = run("out.jsonl", ["photos", "missing/*.jpg", "gone.png"])
    found = rows("out.jsonl")
    failed = [row for row in found if "error" in row]
    assert len(found) == report.pictures == 53
    assert rows("out.errors.jsonl") == failed
    codes = {row["path"]: row["error"]["code"] for row in failed}
    assert codes == {
        **{name: code for name, (_, code) in bad.items()},
        "missing/*.jpg": "image-not-found",
        "gone.png": "image-not-found",
    }
    assert report.errors == "out.errors.jsonl"
    assert report.by_code == {"image-not-found": 2, "image-unreadable": 2}
    assert "'photos/x07.jpg' is empty" in failed[0]["error"]["message"]


def test_an_older_list_of_errors_goes(folder: Path) -> None:
    run("out.jsonl", ["gone.jpg"])
    assert Path("out.errors.jsonl").exists()
    assert run("out.jsonl").errors is None
    assert not Path("out.errors.jsonl").exists()


@pytest.mark.parametrize("inputs", [["empty"], ["empty", "@gone.txt"], ["gone.csv"]])
def test_no_pictures_at_all_leave_the_output_as_it_is(folder: Path, inputs: list[str]) -> None:
    Path("empty").mkdir()
    Path("out.csv").write_text("good")
    with pytest.raises((ImageNotFound, ImageUnreadable), match=r"empty|gone"):
        run("out.csv", inputs)
    assert Path("out.csv").read_text() == "good"
    assert there() == {"photos", "empty", "out.csv"}


def test_an_input_without_pictures_among_others_is_a_row(folder: Path) -> None:
    Path("empty").mkdir()
    report = run("out.csv", ["empty", "photos"])
    assert (report.pictures, report.failed) == (12, 1)
    row = next(csv.DictReader(Path("out.csv").read_text("utf-8").splitlines()))
    assert row["path"] == "empty"
    assert row["error_code"] == "image-not-found"
    assert row["label"] == ""


# Whatever happens, the same bytes.


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_bytes_for_any_number_of_workers(folder: Path, ending: str) -> None:
    inputs = ["photos", "gone.jpg"]
    for workers in (1, 2, 4):
        run(f"out{workers}.{ending}", inputs, workers=workers)
    one, two, four = (Path(f"out{workers}.{ending}").read_bytes() for workers in (1, 2, 4))
    assert one == two == four


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_that_was_interrupted_goes_on(folder: Path, ending: str) -> None:
    inputs = ["gone.jpg", "photos"]
    run(f"whole.{ending}", inputs)
    with pytest.raises(KeyboardInterrupt):
        run(f"out.{ending}", inputs, progress=interrupt(9))
    assert not Path(f"out.{ending}").exists()
    told: list[tuple[int, int | None, int]] = []
    notes: list[str] = []
    report = run(
        f"out.{ending}",
        inputs,
        workers=2,
        progress=lambda *how_far: told.append(how_far),
        note=notes.append,
    )
    assert report.resumed == 8
    assert (report.pictures, report.failed) == (12, 1)
    assert notes == ["8 of 12 were done before"]
    assert told[0] == (8, 12, 1)
    assert told[-1] == (12, 12, 1)
    assert Path(f"out.{ending}").read_bytes() == Path(f"whole.{ending}").read_bytes()
    assert Path("out.errors.jsonl").read_bytes() == Path("whole.errors.jsonl").read_bytes()
    assert not Path(f"out.{ending}.job").exists()


@posix
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_that_is_killed_again_and_again(folder: Path, ending: str) -> None:
    photos(folder / "photos", 40)
    whole, out = f"whole.{ending}", f"out.{ending}"
    run(whole, ["photos", "gone.jpg"])
    chance = random.Random(ending)
    kills = 0
    for turn in range(6):
        process = started("--no-cache", "photos", "gone.jpg", "-o", out)
        done = threading.Thread(target=process.communicate)
        done.start()
        # At the first sign of life, which no machine is too quick for, and then at any moment.
        while process.poll() is None and not Path(f"{out}.job").exists():
            time.sleep(0.005)
        done.join(chance.uniform(0.0, 0.5) if turn else 0.0)
        if process.poll() is not None:
            break
        process.kill()
        done.join()
        kills += 1
    assert kills
    run_until_done(out)
    assert Path(out).read_bytes() == Path(whole).read_bytes()
    assert Path("out.errors.jsonl").read_bytes() == Path("whole.errors.jsonl").read_bytes()
    assert there() == {"photos", whole, out, "out.errors.jsonl", "whole.errors.jsonl"}


def run_until_done(out: str) -> None:
    process = started("--no-cache", "photos", "gone.jpg", "-o", out)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_stop_while_the_output_is_put_together(
    folder: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(f"whole.{ending}")
    run(f"out.{ending}", ["gone.jpg"])
    before = Path(f"out.{ending}").read_bytes()
    with monkeypatch.context() as patch:
        part = Job.part

        def stopped(self: Job, block: int) -> bytes:
            if block == 2:
                raise KeyboardInterrupt
            return part(self, block)

        patch.setattr(Job, "part", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(f"out.{ending}")
    assert Path(f"out.{ending}").read_bytes() == before
    report = run(f"out.{ending}")
    assert report.resumed == 11
    assert report.per_s == 0
    assert Path(f"out.{ending}").read_bytes() == Path(f"whole.{ending}").read_bytes()


def test_a_stop_while_the_inputs_are_listed_leaves_nothing(folder: Path) -> None:
    def progress(done: int, total: int | None, failed: int) -> None:
        assert total is None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=progress)
    assert there() == {"photos"}


def test_half_a_list_is_made_anew(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=interrupt(5))
    Path("out.jsonl.job/job.json").unlink()  # as a kill leaves it, before the list is complete
    assert run("out.jsonl").resumed == 0
    assert len(rows("out.jsonl")) == 11


def test_a_finished_command_does_it_anew(folder: Path) -> None:
    run("out.jsonl")
    Path("photos/000.jpg").unlink()
    report = run("out.jsonl")
    assert (report.resumed, report.pictures) == (0, 10)
    assert len(rows("out.jsonl")) == 10


def test_restart_begins_anew(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=interrupt(9))
    report = run("out.jsonl", top=1, restart=True)
    assert report.resumed == 0
    assert [len(row["predictions"]) for row in rows("out.jsonl")] == [1] * 11


def test_pictures_that_came_after_the_list_was_made_are_not_in_it(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=interrupt(5))
    shutil.copy("photos/000.jpg", "photos/zzz.jpg")
    assert run("out.jsonl").pictures == 11


def test_a_picture_that_is_readable_again_is_no_failure_any_more(folder: Path) -> None:
    """A run that was killed between a block's failures and its rows."""
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=interrupt(5))
    Path("out.jsonl.job/errors-000001.jsonl").write_text('{"path": "x", "error": {"code": "x"}}\n')
    report = run("out.jsonl")
    assert (report.failed, report.errors) == (0, None)


# What is refused.


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"top": 3}, "another top: 5, not 3"),
        ({"threshold": 0.5}, "another threshold: 0.0, not 0.5"),
        ({"allow": ["espresso"]}, "another allow: none, not espresso"),
        ({"model": "efficientnet-lite0-int8"}, f"another model: '{MODEL}', not "),
        ({"preprocess": "stretch"}, "another preprocess: "),
        ({"runtime": "isolated"}, "another runtime: 'litert', not 'isolated'"),
        ({"shard_rows": 5}, "another shard rows: none, not 5"),
        ({"inputs": ["photos", "more"]}, "another inputs: photos, not photos, more"),
        ({"columns": ["path", "label"]}, "another columns: none, not path, label"),
    ],
)
def test_another_command_does_not_go_on(folder: Path, options: Any, error: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=interrupt(5))
    with pytest.raises(UsageError) as caught:
        run("out.jsonl", **options)
    assert f"'out.jsonl.job' holds an interrupted run with {error}" in caught.value.message
    assert caught.value.hint == "--restart begins anew"
    assert run("out.jsonl").resumed == 4


def test_another_command_begins_anew_where_nothing_was_done(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=interrupt(2))
    assert run("out.jsonl", top=1).resumed == 0


def test_another_working_folder_is_another_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(folder / "out.jsonl")
    with pytest.raises(KeyboardInterrupt):
        run(out, progress=interrupt(5))
    (folder / "other").mkdir()
    monkeypatch.chdir(folder / "other")
    with pytest.raises(UsageError, match="another working folder"):
        run(out)


def test_another_version_does_not_go_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=interrupt(5))
    record = Path("out.jsonl.job/job.json")
    told = json.loads(record.read_text())
    told["facts"]["versions"]["numpy"] = "1.0"
    record.write_text(json.dumps(told))
    with pytest.raises(UsageError, match=r"another versions: numpy 1\.0, not numpy "):
        run("out.jsonl")


def test_a_model_file_that_has_changed(folder: Path) -> None:
    shutil.copy(zoo.catalogue()[MODEL].path, "mine.tflite")
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", model="mine.tflite", progress=interrupt(5))
    shutil.copy(zoo.catalogue()["mobilenet-v2-float16"].path, "mine.tflite")
    with pytest.raises(UsageError, match="another model's sha256: '"):
        run("out.jsonl", model="mine.tflite")


def test_a_list_that_has_changed(folder: Path) -> None:
    Path("list.txt").write_text("photos\n")
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", ["@list.txt"], progress=interrupt(5))
    Path("list.txt").write_text("photos\nmore\n")
    with pytest.raises(UsageError, match=r"another time of list\.txt"):
        run("out.jsonl", ["@list.txt"])


@pytest.mark.parametrize(
    "content",
    [
        {"notes.txt": "mine"},
        {"job.json": "{"},
        {"job.json": "[]"},
        {"job.json": '{"kind": "something else", "format": 1}'},
        {"job.json": '{"kind": "batch run of whatsit", "format": 2}'},
        {"deeper/notes.txt": "mine"},
    ],
    ids=str,
)
@pytest.mark.parametrize("restart", [False, True])
def test_a_foreign_folder_is_left_alone(
    folder: Path, content: dict[str, str], restart: bool
) -> None:
    for name, text in content.items():
        path = Path("out.jsonl.job", name)
        path.parent.mkdir(parents=True)
        path.write_text(text)
    with pytest.raises(UsageError) as caught:
        run("out.jsonl", restart=restart)
    assert "'out.jsonl.job'" in caught.value.message
    assert {
        str(path.relative_to("out.jsonl.job")): path.read_text()
        for path in Path("out.jsonl.job").rglob("*")
        if path.is_file()
    } == content


def test_a_file_in_the_way(folder: Path) -> None:
    Path("out.jsonl.job").write_text("mine")
    with pytest.raises(UsageError, match=r"'out\.jsonl\.job' is in the way: it is a file"):
        run("out.jsonl")
    assert Path("out.jsonl.job").read_text() == "mine"


@pytest.mark.parametrize(
    ("out", "error"),
    [
        ("", "an output with an empty name"),
        ("out", "the output 'out'"),
        ("out.txt", "the output 'out.txt'"),
        (".jsonl", "the output '.jsonl'"),
        ("out.parquet.gz", "the output 'out.parquet.gz'"),
        ("photos", "the output 'photos' is a folder"),
        ("photos/", "the output 'photos/' is a folder"),
        ("dir.jsonl", "the output 'dir.jsonl' is a folder"),
    ],
)
def test_outputs_that_cannot_be(folder: Path, out: str, error: str) -> None:
    Path("dir.jsonl").mkdir()
    with pytest.raises(UsageError) as caught:
        run(out)
    assert caught.value.message == error
    assert ".parquet" in caught.value.expected
    assert there() == {"photos", "dir.jsonl"}


def test_an_output_in_no_folder(folder: Path) -> None:
    with pytest.raises(WhatsitError, match="there is no such folder"):
        run("no/out.jsonl")


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(folder: Path) -> None:
    Path("closed").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(WhatsitError, match=r"cannot write 'closed/out\.jsonl': Permission denied"):
        run("closed/out.jsonl")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"top": 0}, "the top 0 classes"),
        ({"threshold": 2.0}, "a threshold of 2.0"),
        ({"workers": 0}, "0 workers"),
        ({"shard_rows": 0}, "files of 0 rows"),
        ({"engine": "spark"}, "no engine 'spark'"),
        ({"address": "auto"}, "an address with the engine 'local'"),
        ({"engine": "ray", "workers": 2}, "2 workers with the engine 'ray'"),
        ({"inputs": []}, "no inputs"),
        ({"inputs": ["photos", "-"]}, "one picture on standard input"),
        ({"allow": ["nonsense"]}, "no class 'nonsense'"),
        ({"model": "nonsense"}, "no built-in model 'nonsense'"),
        ({"columns": ["path", "id"]}, "no column 'id'"),
        ({"columns": ["path", "path"]}, "the columns 'path,path'"),
        ({"columns": []}, "the columns ''"),
        ({"columns": ["label_6"]}, "the column label_6 of 5 answers a picture"),
        ({"columns": ["embedding"]}, "the column embedding without --embeddings"),
        ({"columns": ["path"], "embeddings": True}, "--embeddings without a column for them"),
        ({"out": "out.csv", "embeddings": True}, "embeddings in a CSV file"),
        ({"out": "out.csv", "columns": ["labels"]}, "the column labels in a CSV file"),
    ],
)
def test_arguments_that_cannot_work(folder: Path, options: dict[str, Any], error: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(**{"out": "out.jsonl", **options})
    assert caught.value.message == error
    assert caught.value.expected
    assert there() == {"photos"}


@pytest.mark.parametrize("name", ["out.jsonl", "./photos/../out.jsonl", "out.errors.jsonl"])
def test_an_output_that_is_an_input(folder: Path, name: str) -> None:
    Path("out.jsonl").write_text("mine")
    with pytest.raises(UsageError, match="the output would replace"):
        run("out.jsonl", ["photos", name])
    assert Path("out.jsonl").read_text() == "mine"
    assert there() == {"photos", "out.jsonl"}


def test_an_output_that_a_list_or_a_pattern_names(folder: Path) -> None:
    Path("photos/out.jsonl").write_text("mine")
    Path("photos/list.csv").write_text("path\nout.jsonl\n")
    Path("list.txt").write_text("photos/out.jsonl\n")
    for name in ("@list.txt", "photos/*.jsonl", "photos/list.csv"):
        with pytest.raises(UsageError, match="the output would replace"):
            run("photos/out.jsonl", [name])
    with pytest.raises(UsageError, match="the output would replace"):
        run("photos/list.csv", ["photos/list.csv"])
    assert Path("photos/out.jsonl").read_text() == "mine"


def test_an_output_within_the_inputs(folder: Path) -> None:
    run("photos/out.jsonl")
    assert run("photos/out.jsonl").pictures == 11
    with pytest.raises(UsageError, match="the output would replace"):
        run("photos/out.jsonl", ["photos/**"])


def test_the_jobs_folder_is_no_input(folder: Path) -> None:
    report = run("photos/out.csv", ["photos/**"])
    assert (report.pictures, report.failed) == (11, 0)


@posix
def test_two_runs_at_once(folder: Path) -> None:
    inputs = ["photos"] * 10
    process = started("--no-cache", *inputs, "-o", "out.jsonl")
    try:
        while process.poll() is None and not Path("out.jsonl.job/job.json").exists():
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(UsageError, match=r"'out\.jsonl\.job' is in use"):
            run("out.jsonl", inputs)
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert len(rows("out.jsonl")) == 110
    assert not Path("out.jsonl.job").exists()


def test_the_lock_lets_one_in_at_a_time(folder: Path) -> None:
    """Threads that make and remove the folder as fast as they can."""
    place = outputs.Output.parse("out.jsonl").folder()
    inside, most = 0, 0
    count = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(40):
            try:
                with locking.working_in(place):
                    with count:
                        inside += 1
                        most = max(most, inside)
                    time.sleep(0.0005)
                    with count:
                        inside -= 1
            except UsageError:
                time.sleep(0.0005)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not Path("out.jsonl.job").exists()


def test_a_jobs_folder_that_somebody_removes(folder: Path) -> None:
    def remove(done: int, total: int | None, failed: int) -> None:
        if done == 2:
            shutil.rmtree("out.jsonl.job")

    with pytest.raises(WhatsitError, match=r"cannot (read|write) 'out\.jsonl\.job/"):
        run("out.jsonl", progress=remove, workers=1)
    assert there() == {"photos"}


@needs_limits
@pytest.mark.parametrize("size", [3000, 8000])
def test_a_full_disk(folder: Path, size: int) -> None:
    """The first is too small for a block, the second for the output."""
    run("whole.jsonl", top=20)
    with largest_file(size), pytest.raises(WhatsitError, match=r"cannot write .*: File too large"):
        run("out.jsonl", top=20)
    assert not Path("out.jsonl").exists()
    report = run("out.jsonl", top=20)
    assert report.resumed == (0 if size == 3000 else 11)
    assert Path("out.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    assert there() == {"photos", "out.jsonl", "whole.jsonl"}


@posix
def test_an_output_that_is_a_link_stays_one(folder: Path) -> None:
    Path("elsewhere").mkdir()
    Path("out.jsonl").symlink_to("elsewhere/real.jsonl")
    report = run("out.jsonl")
    assert Path("out.jsonl").is_symlink()
    assert len(rows("elsewhere/real.jsonl")) == 11
    assert there("elsewhere") == {"real.jsonl"}
    assert report.out == (str(folder / "elsewhere" / "real.jsonl"),)


def test_a_model_that_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ModelDamaged("it is broken")

    with monkeypatch.context() as patch:
        patch.setattr(Answering, "_answer", broken)
        with pytest.raises(ModelDamaged):
            run("out.jsonl", workers=2)
    assert run("out.jsonl", top=1).resumed == 0
    assert len(rows("out.jsonl")) == 11


# Shards, names, compression.


@pytest.mark.parametrize("shard_rows", [1, 3, 4, 6, 11, 50])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_shards(folder: Path, shard_rows: int, ending: str) -> None:
    report = run(f"out.{ending}", shard_rows=shard_rows)
    count = -(-11 // shard_rows)
    assert report.out == tuple(f"out-{i:05d}-of-{count:05d}.{ending}" for i in range(count))
    assert there() == {"photos", *report.out}
    paths = [path for name in report.out for path in column(name, "path")]
    assert paths == [str(p) for p in sorted(Path("photos").iterdir())]
    assert {len(column(name, "path")) for name in report.out[:-1]} <= {shard_rows}


def column(name: str, wanted: str) -> list[Any]:
    if name.endswith(".jsonl"):
        return [row[wanted] for row in rows(name)]
    if name.endswith(".csv"):
        with open(name, encoding="utf-8", newline="") as file:
            return [row[wanted] for row in csv.DictReader(file)]
    from pyarrow import parquet

    return list(parquet.read_table(name)[wanted].to_pylist())


def test_other_shards_of_an_earlier_run_go(folder: Path) -> None:
    run("out.jsonl", shard_rows=3)
    Path("out-00000-of-00002.csv").touch()
    Path("out-1-of-2.jsonl").touch()
    report = run("out.jsonl", shard_rows=6)
    assert there() == {"photos", *report.out, "out-00000-of-00002.csv", "out-1-of-2.jsonl"}
    with pytest.raises(UsageError, match="the output would replace"):
        run("out.jsonl", ["photos", report.out[0]], shard_rows=6)


def test_shards_go_on_too(folder: Path) -> None:
    run("whole.csv", shard_rows=3)
    with pytest.raises(KeyboardInterrupt):
        run("out.csv", shard_rows=3, progress=interrupt(8))
    report = run("out.csv", shard_rows=3)
    assert report.resumed == 6
    for i in range(4):
        shard = f"-{i:05d}-of-00004.csv"
        assert Path(f"out{shard}").read_bytes() == Path(f"whole{shard}").read_bytes()


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_gzip(folder: Path, ending: str) -> None:
    run(f"plain.{ending}")
    run(f"a.{ending}.gz")
    run(f"b.{ending.upper()}.GZ")
    packed = Path(f"a.{ending}.gz").read_bytes()
    assert gzip.decompress(packed) == Path(f"plain.{ending}").read_bytes()
    assert Path(f"b.{ending.upper()}.GZ").read_bytes() == packed  # neither name nor time in it
    run(f"a.{ending}.gz", ["gone.jpg"])
    assert Path("a.errors.jsonl").exists()


NAMES = ["a b.jpg", "été😀.jpg", "quo'te\".jpg", "comma,.jpg", "line\nend.jpg"]
RAW = [os.fsdecode(b"raw\xff.jpg")] if sys.platform == "linux" else []


@posix
@pytest.mark.parametrize("ending", ENDINGS)
def test_names_of_all_kinds(folder: Path, ending: str) -> None:
    Path("odd").mkdir()
    for name in NAMES + RAW:
        shutil.copy("photos/000.jpg", f"odd/{name}")
    with pytest.raises(KeyboardInterrupt):
        run(f"out.{ending}", ["odd"], progress=interrupt(5))
    report = run(f"out.{ending}", ["odd"])
    assert (report.failed, report.resumed) == (0, 4)
    found = column(f"out.{ending}", "path")
    kept = RAW if ending == "jsonl" else [name.replace("\udcff", "\\xff") for name in RAW]
    assert sorted(found) == sorted(f"odd/{name}" for name in NAMES + kept)


# Behind a URL.


@pytest.fixture
def bucket() -> Iterator[Any]:
    """fsspec's file system in memory, empty, as `memory://b`."""
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


def test_urls_mean_the_same_in_any_working_folder(
    folder: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in sorted(Path("photos").iterdir()):
        bucket.pipe_file(f"/b/in/{path.name}", path.read_bytes())
    with pytest.raises(KeyboardInterrupt):
        run("memory://b/out.jsonl", ["memory://b/in"], progress=interrupt(9))
    monkeypatch.chdir("photos")
    assert run("memory://b/out.jsonl", ["memory://b/in"]).resumed == 8


@pytest.mark.parametrize("ending", ["jsonl", "csv.gz", "parquet"])
def test_a_run_at_a_url_goes_on_too(folder: Path, bucket: Any, ending: str) -> None:
    for path in sorted(Path("photos").iterdir())[:3]:
        bucket.pipe_file(f"/b/in/{path.name}", path.read_bytes())
    inputs = ["memory://b/in", "photos", "memory://b/in/gone.png"]
    out = f"memory://b/out.{ending}"
    run(f"whole.{ending}", inputs)
    with pytest.raises(KeyboardInterrupt):
        run(out, inputs, progress=interrupt(9))
    assert not bucket.exists(f"/b/out.{ending}")
    with pytest.raises(UsageError, match="another top: 5, not 3"):
        run(out, inputs, top=3)
    report = run(out, inputs, workers=2)
    assert (report.resumed, report.failed) == (8, 1)
    assert report.out == (out,)
    assert report.errors == "memory://b/out.errors.jsonl"
    assert bucket.cat_file(f"/b/out.{ending}") == Path(f"whole.{ending}").read_bytes()
    left = {name for name in bucket.find("/b") if not name.startswith("/b/in/")}
    assert left == {f"/b/out.{ending}", "/b/out.errors.jsonl"}


def test_shards_at_a_url(folder: Path, bucket: Any) -> None:
    run("memory://b/out.csv", shard_rows=3)
    report = run("memory://b/out.csv", shard_rows=6)
    assert report.out == tuple(f"memory://b/out-{i:05d}-of-00002.csv" for i in range(2))
    assert bucket.find("/b") == [name.removeprefix("memory:/") for name in report.out]


def test_a_foreign_folder_at_a_url_is_left_alone(folder: Path, bucket: Any) -> None:
    bucket.pipe_file("/b/out.jsonl.job/notes.txt", b"mine")
    with pytest.raises(UsageError, match=r"is in the way: it holds 'notes\.txt'"):
        run("memory://b/out.jsonl")
    assert bucket.cat_file("/b/out.jsonl.job/notes.txt") == b"mine"


@pytest.mark.parametrize("text", ["memory://b/out.jsonl", "@memory://b/out.jsonl"])
def test_an_output_at_a_url_that_is_an_input(folder: Path, bucket: Any, text: str) -> None:
    with pytest.raises(UsageError, match="the output would replace"):
        run("memory://b/out.jsonl", [text])


def test_a_file_url_is_a_path(folder: Path) -> None:
    pytest.importorskip("fsspec")
    report = run(f"{folder.as_uri()}/out.jsonl")
    assert Path(report.out[0]) == folder / "out.jsonl"
    assert len(rows("out.jsonl")) == 11


@pytest.mark.parametrize("out", ["https://example.org/out.jsonl", "nonsense://out.jsonl"])
def test_urls_that_cannot_be_written_to(folder: Path, out: str) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(UsageError):
        run(out)


# The parts that other engines use.


def a_task(**options: Any) -> Task:
    from whatsit.batch.writing import Style

    bundle = zoo.open_builtin(MODEL)
    options = {"style": Style("jsonl"), "cache": False, **options}
    return Task(MODEL, bundle.data, "litert", str(bundle.preprocess), **options)


def test_blocks_may_be_done_in_any_order_and_twice(folder: Path) -> None:
    run("whole.jsonl")
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=interrupt(1))
    task = pickle.loads(pickle.dumps(a_task()))
    folder_place = outputs.Output.parse("out.jsonl").folder()
    job = pickle.loads(pickle.dumps(Job(folder_place, 11, None, ".jsonl")))
    with Answering(task) as answering:
        assert job.pending() == [0, 1, 2]
        for block in (2, 0, 1, 1):
            part = answering.part(job.items(block), 1)
            assert part.content.count(b"\n") == job.size(block)
            assert not part.errors
            job.store(block, part)
    assert run("out.jsonl").resumed == 11
    assert Path("out.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_a_run_takes_no_more_than_it_needs_of_the_list(folder: Path) -> None:
    """Memory does not grow with the list: only a few items wait at any time."""
    taken = 0

    def items() -> Iterator[Any]:
        nonlocal taken
        from whatsit.batch.items import Item

        for path in ["photos/000.jpg"] * 200:
            taken += 1
            yield Item(path)

    with Answering(a_task()) as answering:
        found = answering.rows(items(), 2)
        for _ in range(10):
            next(found)
        assert taken <= 10 + 1 + 2 * 8
        found.close()


def test_memory_does_not_grow_with_the_pictures(folder: Path) -> None:
    run("out.jsonl")  # what is made once
    peaks = []
    for count in (40, 400):
        Path("list.txt").write_text("photos/000.jpg\n" * count)
        tracemalloc.start()
        assert run("out.jsonl", ["@list.txt"], cache=True).pictures == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000  # of which the names of the blocks are a part


def test_local_does_nothing_where_nothing_is_pending(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", progress=interrupt(1))
    place = outputs.Output.parse("out.jsonl").folder()
    job = Job(place, 0, None, ".jsonl")
    with whatsit.load(MODEL) as model:
        assert local.run(job, a_task(), model, workers=2) == 0


def test_sizes_and_shards() -> None:
    place = outputs.Output.parse("out.jsonl").folder()
    job = Job(place, 11, None, ".jsonl")
    assert [job.size(b) for b in range(job.blocks)] == [4, 4, 3]
    assert job.shards() == [range(3)]
    job = Job(place, 11, 6, ".jsonl")
    assert [job.size(b) for b in range(job.blocks)] == [4, 2, 4, 1]
    assert job.shards() == [range(0, 2), range(2, 4)]
    assert Job(place, 0, 6, ".jsonl").shards() == [range(0, 0)]
    assert Job(place, 0, None, ".jsonl").blocks == 0


def test_embeddings_are_those_of_embed(folder: Path) -> None:
    run("out.jsonl", [*sorted(map(str, Path("photos").iterdir())), "gone.jpg"], embeddings=True)
    found = rows("out.jsonl")
    names = [row["path"] for row in found[:-1]]
    expected = whatsit.embed(MODEL, names, keep=False).vectors.astype(np.float16)
    assert np.array_equal(np.array([r["embedding"] for r in found[:-1]], np.float16), expected)
    assert "embedding" not in found[-1]


@posix
def test_a_signal_stops_a_run_and_it_goes_on(folder: Path) -> None:
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        before = len(parts())
        process = started("--no-cache", *["photos"] * 20, "-o", "out.jsonl")
        while process.poll() is None and len(parts()) < before + 2:
            time.sleep(0.005)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (status, b"")
        line = err.decode().removesuffix("\n").split("\n")[-1]
        assert line.startswith("note      interrupted after ")
        assert line.endswith(" of 220 pictures: the same command goes on from there")
        assert len(parts()) >= before + 2
    report = run("out.jsonl", ["photos"] * 20)
    assert report.resumed >= 16
    assert len(rows("out.jsonl")) == 220


def parts() -> list[str]:
    folder = Path("out.jsonl.job")
    return (
        [name for name in os.listdir(folder) if name.startswith("part-")] if folder.exists() else []
    )
