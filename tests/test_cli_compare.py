from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from make_evaluations import answer, evaluation

from whatsit import engines

Program = Callable[..., Run]
FIRST, SECOND = "efficientnet-lite0-int8", "mobilenet-v2-int8"


@pytest.fixture
def pictures(tmp_path: Path, cat: Path, coffee: Path) -> Path:
    """A cat and a coffee, and a coffee that is called a unicorn."""
    folder = tmp_path / "set"
    for name, source in (("tiger cat/a.png", cat), ("espresso/b.png", coffee)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / name)
    return folder


def saved(folder: Path, name: str, wrong: set[int], count: int = 40) -> Path:
    rows = [answer(f"{i:02}.png", 0, 1 if i in wrong else 0, 0.5 + i / 100) for i in range(count)]
    path = folder / f"{name}.json"
    evaluation(rows, model=name).save(path)
    return path


def test_two_models(whatsit: Program, pictures: Path) -> None:
    run = whatsit("compare", FIRST, SECOND, pictures)
    lines = run.out.splitlines()
    assert (run.status, run.err) == (0, "")
    assert lines[0] == f"{FIRST} (A) against {SECOND} (B)"
    assert lines[1] == "2 pictures of set, both run by litert"
    assert re.fullmatch(r"A  Top-1 .* % \(.* to .*\), \d right, \d of them alone", lines[3])
    assert lines[4].startswith("B  Top-1 ")
    assert re.fullmatch(r"The two cannot be told apart with 2 pictures: \d against \d\.", lines[6])


def test_saved_evaluations_need_no_data_set(whatsit: Program, tmp_path: Path) -> None:
    one = saved(tmp_path, "one", set(range(20)))
    other = saved(tmp_path, "other", {39})
    run = whatsit("compare", one, other)
    assert (run.status, run.err) == (0, "")
    assert "other is better by 47.5 points" in run.out
    assert "p < 0.0001: 20 against 1." in run.out
    assert re.search(r"Classes that flipped +only A right +only B right\nant +1 +20 *\n", run.out)
    assert "Pictures that flipped, surest mistakes first, 8 of 21" in run.out
    shown = run.out.split("8 of 21\n")[1].splitlines()
    assert shown[0] == " 89.0 %  B says bee, A rightly ant"
    assert shown[1].strip() == "39.png"
    assert shown[2] == " 69.0 %  A says bee, B rightly ant"
    assert max(map(len, run.out.splitlines())) <= 80


def test_json(whatsit: Program, tmp_path: Path) -> None:
    run = whatsit("compare", saved(tmp_path, "a", {1}), saved(tmp_path, "b", {2, 3}), "--json")
    value = json.loads(run.out)
    assert run.status == 0
    assert value["models"] == ["a", "b"]
    assert (value["both"], value["only_first"], value["only_second"]) == (37, 2, 1)
    assert value["p_value"] == 1.0
    assert [flip["path"] for flip in value["flips"]] == ["01.png", "02.png", "03.png"]


def test_a_saved_evaluation_against_a_model(
    whatsit: Program, pictures: Path, tmp_path: Path, cat: Path
) -> None:
    whatsit("evaluate", FIRST, pictures, "--save", tmp_path / "first.json")
    shutil.copy(cat, pictures / "espresso" / "later.png")
    run = whatsit("compare", tmp_path / "first.json", SECOND, pictures)
    assert (run.status, run.err) == (0, "")  # only the pictures that the saved one has
    assert "\n2 pictures of set, both run by litert\n" in run.out


def test_pictures_that_failed(whatsit: Program, pictures: Path) -> None:
    (pictures / "espresso" / "bad.png").write_bytes(b"")
    run = whatsit("compare", FIRST, SECOND, pictures)
    assert run.status == 1
    assert "\n2 pictures of set, both run by litert\n" in run.out
    (line,) = run.err.splitlines()  # though it failed twice
    assert line.startswith("note      failed with both: 1 of the pictures; 'espresso/bad.png' is e")


def test_unknown_labels_are_left_out_of_both(whatsit: Program, pictures: Path, cat: Path) -> None:
    (pictures / "unicorn").mkdir()
    shutil.copy(cat, pictures / "unicorn")
    assert whatsit("compare", FIRST, SECOND, pictures).status == 1
    run = whatsit("compare", FIRST, SECOND, pictures, "--skip-unknown", "--limit", "1")
    assert run.status == 0
    assert "\n1 picture of set, both run by litert\n" in run.out
    told = "left out, since the model lacks their labels: 1 of 3 pictures ('unicorn')"
    assert run.err == f"note      {FIRST}: {told}\nnote      {SECOND}: {told}\n"


def test_a_report(whatsit: Program, pictures: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("whatsit.report.comparison")
    run = whatsit("compare", FIRST, SECOND, pictures, "--report", tmp_path / "page.html")
    assert (run.status, run.err) == (0, "")
    assert SECOND in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([FIRST, SECOND], 2, "no data set to compare the models on"),
        ([FIRST, "gone.json"], 2, "no data set to compare the models on"),
        (["gone.json", "gone.json"], 1, "cannot read the evaluation 'gone.json'"),
        ([FIRST], 2, "missing argument 'MODEL_B'"),
        ([FIRST, "nothing", "{set}"], 2, "'nothing'"),
        ([FIRST, SECOND, "{set}/gone"], 1, "no data set '{set}/gone'"),
        ([FIRST, SECOND, "{set}", "--limit", "0"], 2, "a limit of 0 pictures"),
        ([FIRST, SECOND, "{set}", "--report", "a.pdf"], 2, "a report 'a.pdf'"),
        ([FIRST, SECOND, "{set}", "--labels-by", "x"], 2, "labels by 'x'"),
    ],
)
def test_wrong_usage(
    whatsit: Program, pictures: Path, arguments: list[str], status: int, message: str
) -> None:
    run = whatsit("compare", *(text.replace("{set}", str(pictures)) for text in arguments))
    assert (run.status, run.out) == (status, "")
    assert message.replace("{set}", str(pictures)) in run.err.splitlines()[0]


def test_evaluations_of_other_pictures(whatsit: Program, pictures: Path, tmp_path: Path) -> None:
    one = saved(tmp_path, "one", {0})
    other = tmp_path / "other.json"
    evaluation([answer("elsewhere.png", 0, 0)]).save(other)
    assert "no picture was answered by both" in whatsit("compare", one, other).err
    run = whatsit("compare", one, SECOND, pictures)
    assert (run.status, run.out) == (1, "")
    assert "no picture of 'set' is known to both" in run.err


# The same data set, or another one.


def test_a_data_set_is_the_same_from_everywhere(
    whatsit: Program, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    whatsit("evaluate", FIRST, pictures, "--save", one)
    monkeypatch.chdir(tmp_path)
    whatsit("evaluate", SECOND, "set", "--save", other)
    monkeypatch.chdir(pictures)
    for arguments in ((one, other), (one, other, "."), (one, SECOND, "../set")):
        run = whatsit("compare", *arguments)
        assert (run.status, run.err) == (0, "")
        assert "\n2 pictures of " in run.out
    page = tmp_path / "page.html"
    assert whatsit("compare", one, other, "--report", page).status == 0
    assert "cannot be shown" not in page.read_text(encoding="utf-8")


def test_data_sets_that_only_look_alike_are_not_compared(
    whatsit: Program, pictures: Path, tmp_path: Path, coffee: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(pictures, elsewhere / "set")
    shutil.copy(coffee, elsewhere / "set" / "tiger cat" / "a.png")
    saved = []
    for folder, model in ((tmp_path, FIRST), (elsewhere, SECOND)):
        monkeypatch.chdir(folder)
        saved.append(folder / "saved.json")
        whatsit("evaluate", model, "set", "--save", saved[-1])
    run = whatsit("compare", *saved)
    assert (run.status, run.out) == (2, "")
    assert "'tiger cat/a.png' is another picture in the second evaluation" in run.err


def test_a_copy_is_compared_with_a_note(whatsit: Program, pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures, tmp_path / "copy", copy_function=shutil.copyfile)
    os.utime(tmp_path / "copy" / "espresso" / "b.png", (1, 1))
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    whatsit("evaluate", FIRST, pictures, "--save", one)
    whatsit("evaluate", SECOND, tmp_path / "copy", "--save", other)
    run = whatsit("compare", one, other)
    assert run.status == 0
    assert "the files were copied or changed between the two" in run.err


# Options with saved evaluations.


def test_a_limit_is_kept_by_saved_evaluations(whatsit: Program, tmp_path: Path) -> None:
    one, other = saved(tmp_path, "one", {3}), saved(tmp_path, "other", set(range(10)))

    def paths(*options: object) -> list[str]:
        run = whatsit("compare", one, other, "--limit", 30, *options, "--json")
        value = json.loads(run.out)
        assert (run.status, run.err, value["pictures"]) == (0, "", 30)
        return [flip["path"] for flip in value["flips"]]

    assert paths() == paths("--seed", 0)
    assert len({str(paths("--seed", seed)) for seed in range(4)}) > 1


def test_a_limit_is_kept_with_a_data_set(whatsit: Program, pictures: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.json"
    whatsit("evaluate", FIRST, pictures, "--save", one)
    for second in (one, SECOND):
        run = whatsit("compare", one, second, pictures, "--limit", 1)
        assert (run.status, run.err) == (0, "")
        assert "\n1 picture of set, both run by litert\n" in run.out


@pytest.mark.parametrize(
    "option",
    [
        ["--threads", "99"],
        ["--workers", "2"],
        ["--runtime", "auto"],
        ["--no-resume"],
        ["--labels-by", "name"],
        ["--skip-unknown"],
    ],
)
def test_what_saved_evaluations_cannot_keep_is_refused(
    whatsit: Program, tmp_path: Path, option: list[str]
) -> None:
    one, other = saved(tmp_path, "one", {3}), saved(tmp_path, "other", {4})
    run = whatsit("compare", one, other, *option)
    assert (run.status, run.out) == (2, "")
    assert run.err.startswith(f"error     {option[0]} for two saved evaluations\n")


def test_the_engine_that_auto_takes_is_named(
    whatsit: Program, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pick = engines.Pick("isolated", (), "isolated: for a reason")
    monkeypatch.setattr(engines, "pick", lambda bundle, *, threads: pick)
    run = whatsit("compare", FIRST, SECOND, pictures, "--runtime", "auto")
    assert run.err.splitlines() == [
        f"note      {m}: isolated: for a reason" for m in (FIRST, SECOND)
    ]
    assert "2 pictures of set, both run by isolated" in run.out


def test_two_engines_are_told_apart(whatsit: Program, tmp_path: Path) -> None:
    files = []
    for engine in ("litert", "openvino"):
        files.append(tmp_path / f"{engine}.json")
        replace(evaluation([answer("a", 0, 0)]), runtime=engine).save(files[-1])
    assert "1 picture of set, A run by litert, B by openvino" in whatsit("compare", *files).out
