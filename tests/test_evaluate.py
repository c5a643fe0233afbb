"""Runs over data sets: the counts of independent loops, interrupted runs, bad pictures."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from make_evaluations import grey, grey_class, grey_model, grey_set
from PIL import Image

import whatsit
from whatsit import Classifier, DatasetError, Evaluation, UsageError, zoo
from whatsit._journal import Entry, Journal
from whatsit.datasets import read
from whatsit.runtimes import open_runtime

SHARED = Path(__file__).parents[2] / "shared"
SAMPLE = SHARED / "data" / "imagenet-val-sample"
needs_shared = pytest.mark.skipif(not SAMPLE.exists(), reason="needs ../shared")
LEVELS = [int(level) for level in np.linspace(0, 255, 60)]


def fake() -> Classifier:
    return Classifier(grey_model(), runtime="fake")


def without_times(evaluation: Evaluation) -> dict:
    value = evaluation.to_json()
    for part in ("speed_ms", "pictures_per_s", "notes"):
        del value[part]
    return value


# Against independent programs.


def top1_and_top5(sample: list[tuple[str, int]], scores_of: object) -> tuple[int, int]:
    ranks = []
    for file, truth in sample:
        order = np.argsort(-scores_of(SAMPLE / file), kind="stable")
        ranks.append(int(np.flatnonzero(order == truth)[0]))
    return sum(rank < 1 for rank in ranks), sum(rank < 5 for rank in ranks)


def sample_rows(every: int) -> list[tuple[str, int]]:
    with open(SAMPLE / "labels.csv", newline="") as file:
        rows = [(row["file"], int(row["class_index"])) for row in csv.DictReader(file)]
    return rows[::every]


@needs_shared
def test_the_counts_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    """Pillow and LiteRT alone, on every third picture."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(zoo.catalogue()[zoo.DEFAULT].path), num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def scores_of(path: Path) -> np.ndarray:
        image = Image.open(path).convert("RGB")
        side = 0.875 * min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        small = image.resize((224, 224), Image.BICUBIC, (left, top, left + side, top + side))
        interpreter.set_tensor(source["index"], np.asarray(small)[None])
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])[0]

    sample = sample_rows(every=3)
    lines = [f"{SAMPLE / file},{truth}" for file, truth in sample]
    (tmp_path / "labels.csv").write_text("\n".join(["file,class_index", *lines]))
    with whatsit.load() as model:
        found = whatsit.evaluate(model, tmp_path)
    assert (found.top(1).hits, found.top(5).hits) == top1_and_top5(sample, scores_of)
    assert found.top(1).total == len(sample)


@needs_shared
def test_a_model_with_background_against_classify_one_by_one(tmp_path: Path) -> None:
    sample = sample_rows(every=10)
    lines = [f"{SAMPLE / file},{truth}" for file, truth in sample]
    (tmp_path / "labels.csv").write_text("\n".join(["file,class_index", *lines]))
    with whatsit.load(SHARED / "models" / "mobilenet_v2_1.0_224_quant.tflite") as model:
        found = whatsit.evaluate(model, tmp_path)
        hits = Counter()
        for file, truth in sample:
            best = [p.index - 1 for p in model.classify(SAMPLE / file).predictions]
            hits.update(top1=best[0] == truth, top5=truth in best)
    assert (found.top(1).hits, found.top(5).hits) == (hits["top1"], hits["top5"])
    assert found.top(1).value > 0.6
    assert "'background'" in found.notes[1]
    assert "stretched" in found.notes[0]


@needs_shared
def test_synset_folders_and_a_model_without_ids(tmp_path: Path) -> None:
    labels = zoo.open_builtin(zoo.DEFAULT).labels
    for file, truth in sample_rows(every=40):
        folder = tmp_path / labels.synsets[truth]
        folder.mkdir(exist_ok=True)
        shutil.copy(SAMPLE / file, folder)
    with whatsit.load(SHARED / "models" / "mobilenet_v2_1.0_224_quant.tflite") as model:
        found = whatsit.evaluate(model, tmp_path)
    assert found.top(5).value > 0.6
    assert "carries no WordNet ids" in found.notes[1]


def test_the_fake_model_is_right_where_the_folder_says_so(tmp_path: Path) -> None:
    right = grey_set(tmp_path, LEVELS)
    found = whatsit.evaluate(fake(), tmp_path)
    assert (found.top(1).hits, found.top(1).total) == (sum(right), len(LEVELS))
    by_number = {int(Path(a.path).stem): a for a in found.answers}
    for number, level in enumerate(LEVELS):
        assert by_number[number].ranked[0] == (grey_class(level), pytest.approx(0.9))
        assert by_number[number].right == right[number]
        assert len(by_number[number].ranked) == 5
    assert (found.model, found.runtime, found.dataset) == ("grey", "fake", tmp_path.name)
    assert found.fingerprint == read(tmp_path).fingerprint()
    assert found.wall_s is not None


def test_the_answer_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    grey_set(tmp_path, LEVELS)
    one, three = (whatsit.evaluate(fake(), tmp_path, workers=n) for n in (1, 3))
    assert one.answers == three.answers
    assert (one.workers, three.workers) == (1, 3)


def test_more_classes_are_kept_for_a_larger_k(tmp_path: Path) -> None:
    grey_set(tmp_path, LEVELS[:6])
    found = whatsit.evaluate(fake(), read(tmp_path), ks=(1, 20))
    assert {len(answer.ranked) for answer in found.answers} == {20}
    assert list(found.to_json()["accuracy"]) == ["top1", "top20"]


# Bad pictures, limits, arguments.


def test_bad_pictures_are_listed_and_cost_nobody_anything(tmp_path: Path) -> None:
    grey_set(tmp_path, LEVELS[:10], wrong_every=99)
    (tmp_path / "c1" / "empty.png").touch()
    (tmp_path / "c1" / "text.png").write_text("no picture")
    rows = [f"{path},{path.parent.name}" for path in sorted(tmp_path.rglob("*.png"))]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows, "gone.png,c3", "-,c3"]))
    found = whatsit.evaluate(fake(), tmp_path)
    assert {Path(f.path).name: f.error["code"] for f in found.failures} == {
        "empty.png": "image-unreadable",
        "text.png": "image-unreadable",
        "gone.png": "image-not-found",
        "-": "image-not-found",  # no standard input: a data set's file is a file
    }
    assert (found.top(1).hits, found.top(1).total) == (9, 10)


def test_all_pictures_bad(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\na.png,c0\nb.png,c1\n")
    found = whatsit.evaluate(fake(), tmp_path)
    assert (len(found.answers), len(found.failures)) == (0, 2)
    assert found.top(1).total == 0


def test_a_limit_draws_the_same_pictures_again(tmp_path: Path) -> None:
    grey_set(tmp_path, LEVELS)

    def drawn(seed: int) -> list[str]:
        found = whatsit.evaluate(fake(), tmp_path, limit=12, seed=seed)
        return [answer.path for answer in found.answers]

    assert len(set(drawn(1))) == 12
    assert drawn(1) == drawn(1) != drawn(2)


def test_labels_of_the_data_set_can_be_left_out(tmp_path: Path) -> None:
    grey_set(tmp_path, LEVELS[:4], wrong_every=99)
    (tmp_path / "unicorn").mkdir()
    grey(3).save(tmp_path / "unicorn" / "a.png")
    with pytest.raises(DatasetError, match="'unicorn'"):
        whatsit.evaluate(fake(), tmp_path)
    heard: list[str] = []
    found = whatsit.evaluate(fake(), tmp_path, skip_unknown=True, note=heard.append)
    assert found.top(1).total == 4
    assert found.notes == tuple(heard)
    assert heard[-1] == "left out, since the model lacks their labels: 1 of 5 pictures ('unicorn')"


@pytest.mark.parametrize(
    "arguments",
    [{"limit": 0}, {"ks": ()}, {"ks": (0,)}, {"workers": 0}, {"workers": -1}, {"labels_by": "x"}],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict) -> None:
    grey_set(tmp_path, LEVELS[:4])
    with pytest.raises(UsageError):
        whatsit.evaluate(fake(), tmp_path, **arguments)


def test_progress_counts_up_to_all(tmp_path: Path) -> None:
    grey_set(tmp_path, LEVELS[:7])
    seen: list[tuple[int, int]] = []
    whatsit.evaluate(fake(), tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 7) for n in range(1, 8)]


# Interrupted runs.


class Interrupted(Exception):
    pass


def interrupted_after(number: int, folder: Path, **options: object) -> None:
    def stop(done: int, total: int) -> None:
        if done >= number:
            raise Interrupted

    with pytest.raises(Interrupted):
        whatsit.evaluate(fake(), folder, progress=stop, **options)


def journals(cache: Path) -> list[Path]:
    return sorted((cache / "evaluations").glob("*"))


def test_an_interrupted_run_goes_on(tmp_path: Path, own_cache: Path) -> None:
    grey_set(tmp_path, LEVELS)
    whole = whatsit.evaluate(fake(), tmp_path)
    assert journals(own_cache) == []
    interrupted_after(20, tmp_path)
    interrupted_after(30, tmp_path)
    assert len(journals(own_cache)) == 2
    seen: list[int] = []
    resumed = whatsit.evaluate(fake(), tmp_path, progress=lambda done, total: seen.append(done))
    assert seen[0] == 31
    assert resumed.notes == ("30 of 60 were done before",)
    assert without_times(resumed) == without_times(whole)
    assert resumed.answers == whole.answers
    assert resumed.wall_s is None
    assert journals(own_cache) == []


def test_no_resume_starts_over(tmp_path: Path, own_cache: Path) -> None:
    grey_set(tmp_path, LEVELS)
    interrupted_after(20, tmp_path)
    found = whatsit.evaluate(fake(), tmp_path, resume=False)
    assert found.notes == ()
    assert journals(own_cache) == []


def test_another_task_does_not_go_on_from_this_one(tmp_path: Path, own_cache: Path) -> None:
    grey_set(tmp_path, LEVELS)
    interrupted_after(20, tmp_path)
    others = (
        whatsit.evaluate(fake(), tmp_path, workers=3),
        whatsit.evaluate(fake(), tmp_path, ks=(9,)),
        whatsit.evaluate(fake(), tmp_path, limit=50),
        whatsit.evaluate(Classifier(grey_model(), runtime="fake", preprocess="pad"), tmp_path),
    )
    assert [found.notes for found in others] == [()] * 4
    shutil.copy(tmp_path / "c1" / "0000.png", tmp_path / "c1" / "more.png")
    assert whatsit.evaluate(fake(), tmp_path).notes == ()
    assert len(journals(own_cache)) == 1


@pytest.mark.parametrize(
    "tail",
    [b'[3, [[1, 0.5]', b"[3, [[1, 0.5]], [1, 1, 1]]", b"\0\0\0\n", b"\xff\n", b"[]\n", b"7\n",
     b'[99, [[1, 0.5]], [1, 1, 1]]\n', b'[-1, [[1, 0.5]], [1, 1, 1]]\n', b'[59, [], [1, 1, 1]]\n',
     b'[59, [[192, 0.5]], [1, 1, 1]]\n', b'[59, [[1, NaN]], [1, 1, 1]]\n',
     b'[59, [[1, 0.5]], [1, 1]]\n', b'["59", [[1, 0.5]], [1, 1, 1]]\n', b"[" * 99999 + b"\n"],
)  # fmt: skip
def test_a_line_cut_short_or_garbled_is_done_again(
    tmp_path: Path, own_cache: Path, tail: bytes
) -> None:
    grey_set(tmp_path, LEVELS)
    whole = whatsit.evaluate(fake(), tmp_path)
    interrupted_after(20, tmp_path)
    (path,) = journals(own_cache)
    path.write_bytes(path.read_bytes() + tail)
    resumed = whatsit.evaluate(fake(), tmp_path)
    assert resumed.notes == ("20 of 60 were done before",)
    assert resumed.answers == whole.answers


def test_any_cut_of_the_journal_gives_the_same(tmp_path: Path, own_cache: Path) -> None:
    grey_set(tmp_path, LEVELS[:9])
    whole = whatsit.evaluate(fake(), tmp_path)
    interrupted_after(9, tmp_path)
    (path,) = journals(own_cache)
    content = path.read_bytes()
    for cut in range(0, len(content), 37):
        path.write_bytes(content[:cut])
        assert whatsit.evaluate(fake(), tmp_path).answers == whole.answers
        assert journals(own_cache) == []


def test_a_run_leaves_the_journal_of_another_that_is_writing(own_cache: Path) -> None:
    def entry(score: float) -> Entry:
        return Entry(((0, score),), {"decode": 1.0, "preprocess": 1.0, "inference": 1.0})

    first, second = (Journal("key", rows=9, classes=3) for _ in range(2))
    first.add(0, entry(0.25))
    assert second.earlier() == {0: entry(0.25)}
    second.add(1, entry(0.5))
    first.add(2, entry(0.75))
    second.discard()
    assert len(journals(own_cache)) == 1
    assert Journal("key", rows=9, classes=3).earlier() == {0: entry(0.25), 2: entry(0.75)}
    first.discard()
    assert journals(own_cache) == []
    assert Journal("key", rows=9, classes=3).earlier() == {}


def test_old_journals_are_swept(tmp_path: Path, own_cache: Path) -> None:
    folder = own_cache / "evaluations"
    folder.mkdir()
    old, fresh = folder / "some.aa.jsonl", folder / "other.bb.jsonl"
    for path, days in ((old, 31), (fresh, 29)):
        path.touch()
        os.utime(path, (time.time() - days * 86400,) * 2)
    grey_set(tmp_path, LEVELS[:3])
    whatsit.evaluate(fake(), tmp_path)
    assert journals(own_cache) == [fresh]


def test_to_forget_spares_the_journal_of_a_run_of_now(own_cache: Path) -> None:
    entry = Entry(((0, 0.5),), {"decode": 1.0, "preprocess": 1.0, "inference": 1.0})
    gone, going, other = (Journal("key", rows=9, classes=3) for _ in range(3))
    gone.add(0, entry)
    going.add(1, entry)
    gone.close()
    other.forget()
    assert len(journals(own_cache)) == 1
    assert other.earlier() == {1: entry}
    going.close()


def test_a_run_that_does_not_resume_takes_nothing_from_one_of_now(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey_set(tmp_path, LEVELS[:5])
    monkeypatch.setattr(Journal, "discard", lambda journal: None)  # as if it still went on
    for _ in range(2):
        assert whatsit.evaluate(fake(), tmp_path, resume=False).notes == ()


@pytest.mark.parametrize(("pictures", "workers", "threads"), [(1, 1, 4), (2, 2, 2)])
def test_the_threads_that_were_used_are_recorded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pictures: int,
    workers: int,
    threads: int,
) -> None:
    monkeypatch.setattr("whatsit.classifier.cpu_count", lambda: 4)
    opened = []

    def spy(*arguments: object, **options: object) -> object:
        opened.append(options["threads"])
        return open_runtime(*arguments, **options)

    grey_set(tmp_path, LEVELS[:pictures])
    with fake() as classifier:
        monkeypatch.setattr("whatsit.scoring.open_runtime", spy)
        classifier._models._idle.clear()
        found = whatsit.evaluate(classifier, tmp_path, workers=2)
    assert (found.workers, found.threads) == (workers, threads)
    assert set(opened) == {threads}


def test_a_cache_that_cannot_be_written_is_a_note(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey_set(tmp_path, LEVELS[:5])
    (tmp_path / "file").touch()
    monkeypatch.setenv("WHATSIT_CACHE", str(tmp_path / "file"))
    found = whatsit.evaluate(fake(), tmp_path)
    assert found.top(1).total == 5
    assert found.notes == ("the answers could not be kept for an interruption: Not a directory",)


# Interrupted for real.


def many_pictures(folder: Path, count: int) -> None:
    """Cuts of the golden photos, so that the answers differ, in folders by index."""
    chance = np.random.default_rng(3)
    photos = [Image.open(p).convert("RGB") for p in sorted(zoo.GOLDEN.glob("*.*g"))]
    for number in range(count):
        photo = photos[number % len(photos)]
        side = int(min(photo.size) * chance.uniform(0.4, 1))
        left, top = (int(chance.integers(0, room - side + 1)) for room in photo.size)
        truth = (281, 967, 985, 657)[number % 4]
        path = folder / str(truth) / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.crop((left, top, left + side, top + side)).resize((128, 128)).save(path)


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "whatsit", "evaluate", "mobilenet-v2-int8", str(folder), *options]


def answers_in(out: bytes) -> dict:
    value = json.loads(out)
    for part in ("speed_ms", "pictures_per_s", "notes"):
        del value[part]
    return value


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_run_killed_three_times_gives_what_one_run_gives(tmp_path: Path, own_cache: Path) -> None:
    many_pictures(tmp_path / "set", 240)
    run = command(tmp_path / "set", "--json")
    done = 0
    for _ in range(3):
        process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while lines(own_cache) < done + 25 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate()
        assert (process.returncode, out) == (-signal.SIGKILL, b"")
        done = lines(own_cache)
    resumed = subprocess.run(run, capture_output=True, check=True)
    assert resumed.stderr == b"note      %d of 240 were done before\n" % done
    assert journals(own_cache) == []
    whole = subprocess.run(run, capture_output=True, check=True)
    assert whole.stderr == b""
    assert answers_in(resumed.stdout) == answers_in(whole.stdout)


def lines(cache: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in journals(cache))


def test_two_runs_at_the_same_time_do_not_disturb_each_other(
    tmp_path: Path, own_cache: Path
) -> None:
    many_pictures(tmp_path / "set", 60)
    run = command(tmp_path / "set", "--json")
    both = [subprocess.Popen(run, stdout=subprocess.PIPE) for _ in range(2)]
    first, second = (process.communicate()[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert answers_in(first) == answers_in(second)
    assert json.loads(first)["pictures"] == 60
    assert journals(own_cache) == []
