from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run
from make_faults import put, saved, texture, textures

Program = Callable[..., Run]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    textures(tmp_path / "set", {"a": 12, "b": 12})
    return tmp_path / "set"


def test_a_good_data_set(whatsit: Program, good: Path) -> None:
    run = whatsit("dataset", "check", good, "--no-labels")
    assert run.status == 0
    assert run.err == ""
    assert run.out == "set  24 pictures of 2 classes\n\nNothing wrong was found.\n"


def test_what_is_serious_comes_first_and_gives_status_1(whatsit: Program, good: Path) -> None:
    put(good / "a" / "cut.jpg", saved(texture(90))[:-100])
    put(good / "a" / "tiny.png", saved(texture(91, 20, 20), "PNG"))
    shutil.copy(good / "a" / "3.jpg", good / "b" / "again.jpg")
    shutil.copy(good / "a" / "4.jpg", good / "a" / "again.jpg")
    run = whatsit("dataset", "check", good, "--no-labels")
    assert run.status == 1
    starts = [line.split()[0] for line in run.out.splitlines() if line[:1].islower()]
    assert starts == ["set", "serious", "serious", "warning", "note"]
    assert "         a/3.jpg\n         b/again.jpg\n" in run.out
    assert "the same file, as a and as b" in run.out
    assert "a/cut.jpg" in run.out
    assert str(good) not in run.out
    assert run.out.endswith("Not ready: look at what is serious first.\n")
    assert max(map(len, run.out.splitlines())) <= 80


def test_warnings_alone_give_status_0(whatsit: Program, good: Path) -> None:
    shutil.copy(good / "a" / "4.jpg", good / "a" / "again.jpg")
    run = whatsit("dataset", "check", good, "--no-labels")
    assert run.status == 0
    assert run.out.endswith("Nothing serious; look at the warnings.\n")


def test_json_is_one_object(whatsit: Program, good: Path) -> None:
    shutil.copy(good / "a" / "3.jpg", good / "b" / "again.jpg")
    run = whatsit("dataset", "check", good, "--json", "-m", "mobilenet-v2-int8")
    assert run.status == 1
    value = json.loads(run.out)
    assert value["model"] == "mobilenet-v2-int8"
    assert next(finding["code"] for finding in value["findings"]) == "contradiction"
    assert value["parts"] == ["set"]


def test_classes_that_cannot_be_told_apart_are_said_as_one(whatsit: Program, good: Path) -> None:
    run = whatsit("dataset", "check", good)  # textures of the same kind in both
    assert run.status == 0
    assert "of 24 pictures look like another class" in run.out


def test_against_another_one(whatsit: Program, good: Path, tmp_path: Path) -> None:
    put(tmp_path / "val" / "a" / "x.jpg", (good / "a" / "0.jpg").read_bytes())
    put(tmp_path / "val" / "b" / "y.jpg", saved(texture(77)))
    run = whatsit("dataset", "check", good, "--against", tmp_path / "val", "--no-labels")
    assert run.status == 1
    assert "serious  1 picture in more than one part" in run.out
    assert "set/a/0.jpg\n         val/a/x.jpg\n" in run.out


def test_a_report_has_the_pictures(whatsit: Program, good: Path, tmp_path: Path) -> None:
    shutil.copy(good / "a" / "3.jpg", good / "b" / "again.jpg")
    page = tmp_path / "report.html"
    assert whatsit("dataset", "check", good, "--no-labels", "--report", page).status == 1
    assert page.read_text().count("data:image/jpeg") == 2


def test_many_cases_are_cut(whatsit: Program, good: Path) -> None:
    for number in range(9):
        put(good / "a" / f"bad {number}.jpg", b"no picture")
    run = whatsit("dataset", "check", good, "--no-labels")
    assert "serious  9 files that cannot be read" in run.out
    assert "… and 4 more: see --report or --json" in run.out


def test_names_cannot_steer_the_terminal(whatsit: Program, good: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no such names")
    put(good / "a" / "x\x1b[31m\n.jpg", b"no picture")
    run = whatsit("dataset", "check", good, "--no-labels")
    assert "\x1b" not in run.out
    assert "a/x\\x1b[31m\\n.jpg" in run.out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["check"], 2, "check"),
        (["chekc", "x"], 2, "chekc"),
        (["check", "gone"], 1, "no data set 'gone'"),
        (["check", "SET", "--against", "gone"], 1, "no data set 'gone'"),
        (["check", "SET", "--against", "SET"], 2, "are the same data set"),
        (["check", "SET", "-m", "gone"], 2, "no built-in model"),
        (["check", "SET", "--workers", "0", "--no-labels"], 2, "0 workers"),
        (["check", "SET", "--report", "x.pdf"], 2, "x.pdf"),
    ],
)
def test_what_cannot_work(
    whatsit: Program, good: Path, arguments: list[str], status: int, words: str
) -> None:
    run = whatsit("dataset", *(str(good) if each == "SET" else each for each in arguments))
    assert run.status == status
    assert words in run.err
    assert run.out == ""
