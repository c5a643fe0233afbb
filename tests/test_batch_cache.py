"""Answers kept by content: exact, made once, and never in the way."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_disk import largest_file, needs_limits

from whatsit import BatchReport, batch, zoo
from whatsit.batch import cache
from whatsit.batch.answering import Answering
from whatsit.batch.cache import Answer, AnswerCache
from whatsit.errors import ImageUnreadable
from whatsit.results import Ancestor

MODEL = "mobilenet-v2-int8"
ONE = Answer("sure", ((281, 0.1 + 0.2), (3, float(np.float32(0.1)))))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(out: str, inputs: list[str], **options: Any) -> BatchReport:
    return batch(inputs, out, **{"model": MODEL, "workers": 2, **options})


def golden(*names: str) -> list[str]:
    return [str(zoo.GOLDEN / name) for name in names or ("cat.png", "coffee.png", "rocket.jpg")]


def file(own_cache: Path) -> Path:
    return own_cache / "answers" / "answers.sqlite"


def refused() -> Answer:
    raise AssertionError("asked again")


# In a run.


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("embeddings", [False, True])
def test_kept_answers_are_the_same_bytes(folder: Path, ending: str, embeddings: bool) -> None:
    if ending == "csv" and embeddings:
        pytest.skip("refused")
    options = {"embeddings": embeddings}
    run(f"a.{ending}", golden(), cache=False, **options)
    first = run(f"b.{ending}", golden(), **options)
    second = run(f"c.{ending}", golden(), **options)
    assert (first.from_cache, second.from_cache) == (0, 3)
    a, b, c = (Path(f"{name}.{ending}").read_bytes() for name in "abc")
    assert a == b == c


def test_the_same_bytes_are_classified_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    answer = Answering._answer

    def counted(self: Answering, picture: Any) -> Answer:
        nonlocal calls
        calls += 1
        return answer(self, picture)

    monkeypatch.setattr(Answering, "_answer", counted)
    inputs = golden() * 20
    report = run("out.jsonl", inputs, workers=4)
    assert (calls, report.from_cache) == (3, 57)
    run("plain.jsonl", inputs, cache=False)
    assert Path("out.jsonl").read_bytes() == Path("plain.jsonl").read_bytes()
    assert calls == 63


@pytest.mark.parametrize(
    "options",
    [
        {"model": "efficientnet-lite0-int8"},
        {"top": 2},
        {"threshold": 0.1},
        {"allow": ["espresso"]},
        {"deny": ["espresso"]},
        {"preprocess": "stretch"},
        {"region": (0, 0, 0.5, 0.5)},
        {"rotation": 90},
        {"embeddings": True},
    ],
    ids=str,
)
def test_another_question_has_another_answer(folder: Path, options: dict[str, Any]) -> None:
    run("a.jsonl", golden())
    assert run("b.jsonl", golden(), **options).from_cache == 0
    assert run("b.jsonl", golden(), **options).from_cache == 3


def test_the_engine_in_a_process_of_its_own_gives_the_same_answers(folder: Path) -> None:
    run("a.jsonl", golden())
    assert run("b.jsonl", golden(), runtime="isolated").from_cache == 3


def test_a_bad_picture_twice(folder: Path) -> None:
    Path("a.jpg").write_bytes(b"no picture")
    shutil.copy("a.jpg", "b.jpg")
    for _ in range(2):
        report = run("out.jsonl", ["a.jpg", "b.jpg"] * 5)
        assert (report.failed, report.from_cache) == (10, 0)
        lines = Path("out.jsonl").read_text().splitlines()
        assert "'a.jpg' is not a picture" in lines[0]
        assert "'b.jpg' is not a picture" in lines[1]


def test_without_the_cache_nothing_is_kept(folder: Path, own_cache: Path) -> None:
    run("out.jsonl", golden(), cache=False)
    assert not file(own_cache).exists()


@pytest.mark.parametrize(
    "content", [b"this is no database at all" * 100, b"SQLite format 3\0" * 99]
)
def test_a_damaged_cache(folder: Path, own_cache: Path, content: bytes) -> None:
    file(own_cache).parent.mkdir()
    file(own_cache).write_bytes(content)
    notes: list[str] = []
    report = run("out.jsonl", golden(), note=notes.append)
    assert (report.pictures, report.failed) == (3, 0)
    [note] = notes
    assert note.startswith("the cache of answers was not used: file is not a database")
    assert str(file(own_cache)) in note


def test_a_cache_folder_that_cannot_be_made(folder: Path, own_cache: Path) -> None:
    (own_cache / "answers").write_text("a file")
    notes: list[str] = []
    assert run("out.jsonl", golden(), note=notes.append).failed == 0
    assert "was not used" in notes[0]


def test_a_cache_that_another_program_locks(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_PATIENCE_S", 0.1)
    run("out.jsonl", golden("cat.png"))
    other = sqlite3.connect(file(own_cache))
    other.execute("BEGIN EXCLUSIVE")
    notes: list[str] = []
    report = run("out.jsonl", golden(), note=notes.append)
    other.close()
    assert (report.pictures, report.failed) == (3, 0)
    assert "database is locked" in notes[0]


@needs_limits
def test_a_full_disk(folder: Path, own_cache: Path) -> None:
    """The answers do not fit; the output, which is smaller, does."""
    kept = AnswerCache(b"k")
    with largest_file(2000):
        assert kept.answer(b"a", lambda: ONE) == (ONE, False)
        kept.close()
    assert kept.problem


# By itself.


def test_several_may_make_it_at_once(own_cache: Path) -> None:
    """SQLite does not wait for another that makes the file as well."""
    for _ in range(10):
        start = threading.Barrier(8)

        def opened(start: threading.Barrier = start) -> AnswerCache:
            start.wait()
            return AnswerCache(b"k")

        with ThreadPoolExecutor(8) as pool:
            made = [pool.submit(opened) for _ in range(8)]
        for one in made:
            one.result().close()
        assert [one.result().problem for one in made] == [""] * 8
        shutil.rmtree(own_cache / "answers")


def test_answers_come_back_exactly() -> None:
    vector = np.arange(-3, 3, 0.37).astype(np.float16)
    dog = Ancestor("n1", "dog", 0.5)
    full = Answer("sure", ((1, 5e-324),), ("a",), None, dog, vector)
    for answer in (ONE, Answer("unknown", ()), full):
        back = Answer.from_bytes(answer.to_bytes())
        assert back is not None
        assert (back.verdict, back.ranked) == (answer.verdict, answer.ranked)
        if answer.embedding is None:
            assert back.embedding is None
        else:
            assert back.embedding is not None
            assert back.embedding.tobytes() == answer.embedding.tobytes()
            assert back.embedding.dtype == np.float16


def test_a_spoilt_answer_is_made_anew(own_cache: Path) -> None:
    kept = AnswerCache(b"k")
    kept.answer(b"a", lambda: ONE)
    kept.close()
    with sqlite3.connect(file(own_cache)) as base:
        ((content,),) = base.execute("SELECT answer FROM answers")
        for place in range(0, len(content), 7):
            spoilt = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            assert Answer.from_bytes(spoilt) is None
        base.execute("UPDATE answers SET answer = ?", (content[:-1],))
    kept = AnswerCache(b"k")
    assert kept.answer(b"a", lambda: ONE) == (ONE, False)
    kept.close()


def test_threads_wait_for_the_first() -> None:
    kept = AnswerCache(b"k")
    made = threading.Event()
    calls = []

    def slow() -> Answer:
        calls.append(1)
        made.wait(5)
        return ONE

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(kept.answer, b"a", slow) for _ in range(4)]
        while len(calls) < 1:
            time.sleep(0.001)
        assert kept.answer(b"b", lambda: ONE) == (ONE, False)  # others go on meanwhile
        made.set()
        assert sorted(future.result()[1] for future in futures) == [False, True, True, True]
    assert len(calls) == 1
    assert kept.answer(b"a", refused) == (ONE, True)
    kept.close()


def test_one_that_fails_is_not_answered_for_others() -> None:
    kept = AnswerCache(b"k")
    wait = threading.Event()

    def failing() -> Answer:
        wait.wait(5)
        raise ImageUnreadable("the first is damaged")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.answer, b"a", failing)
        while not kept._in_flight:
            time.sleep(0.001)
        second = pool.submit(kept.answer, b"a", lambda: ONE)
        wait.set()
        assert second.result() == (ONE, False)
        with pytest.raises(ImageUnreadable):
            first.result()
    kept.close()


def test_two_runs_at_once_share_it() -> None:
    first, second = AnswerCache(b"k"), AnswerCache(b"k")
    for i in range(300):
        first.answer(b"%d" % i, lambda: ONE)
        second.answer(b"x%d" % i, lambda: ONE)
    first.close()
    assert second.answer(b"0", refused) == (ONE, True)
    second.close()
    assert (first.problem, second.problem) == ("", "")


def test_it_is_kept_while_the_run_goes_on(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill loses the latest answers, not all of them."""
    monkeypatch.setattr(cache, "_HELD_BACK_S", 0.0)
    kept = AnswerCache(b"k")
    kept.answer(b"a", lambda: ONE)
    other = AnswerCache(b"k")
    assert other.answer(b"a", refused) == (ONE, True)
    other.close()
    kept.close()


def test_it_does_not_grow_for_ever(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MOST_BYTES", 200_000)
    kept = AnswerCache(b"k")
    big = Answer("sure", ONE.ranked, embedding=np.ones(500, np.float16))
    for i in range(1000):
        kept.answer(b"%d" % i, lambda: big)
        if i % 50 == 0:
            kept._write()
    assert kept.answer(b"999", refused)[1]
    kept.close()
    assert file(own_cache).stat().st_size < 400_000
    assert not kept.problem
    found = AnswerCache(b"k")
    assert not found.answer(b"0", lambda: big)[1]  # the oldest have gone
    found.close()
