"""What --save and --report must not write to: the files of the run, each other, nothing at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run
from make_evaluations import answer, evaluation

from whatsit import UsageError, zoo
from whatsit.cli.targets import Targets, model_files

Program = Callable[..., Run]
MODEL = "mobilenet-v2-int8"


@pytest.fixture
def plain(tmp_path: Path, cat: Path) -> Path:
    """A list of one picture, beside it."""
    shutil.copy(cat, tmp_path / "cat.png")
    path = tmp_path / "plain.csv"
    path.write_text("file,label\ncat.png,tabby\n")
    return path


def test_the_data_set_is_not_replaced(whatsit: Program, plain: Path) -> None:
    cat = plain.with_name("cat.png")
    before = plain.read_bytes(), cat.read_bytes()
    link = plain.with_name("report.html")
    link.symlink_to(plain)
    for option, target in (("--save", plain), ("--save", cat), ("--report", link)):
        run = whatsit("evaluate", MODEL, plain, option, target)
        assert (run.status, run.out) == (2, "")
        assert f"{option} {str(target)!r} would replace a file that the run reads" in run.err
        assert (plain.read_bytes(), cat.read_bytes()) == before


def test_a_list_in_a_folder_is_not_replaced(whatsit: Program, plain: Path) -> None:
    listed = plain.rename(plain.with_name("labels.csv"))
    run = whatsit("evaluate", MODEL, listed.parent, "--save", listed)
    assert run.status == 2
    assert listed.read_text().startswith("file,label")


def test_the_model_is_not_replaced(whatsit: Program, plain: Path, tmp_path: Path) -> None:
    model = tmp_path / "mm.tflite"
    shutil.copy(zoo.catalogue()[MODEL].path, model)
    before = model.read_bytes()
    assert whatsit("evaluate", model, plain, "--save", model).status == 2
    assert whatsit("benchmark", model, "--save", model).status == 2
    assert model.read_bytes() == before
    with pytest.raises(UsageError):
        Targets(save=str(zoo.catalogue()[MODEL].path)).spare(model_files([MODEL]))


def test_the_pictures_of_a_benchmark_are_not_replaced(whatsit: Program, plain: Path) -> None:
    picture, listed = plain.with_name("cat.png"), plain.with_name("list.txt")
    listed.write_text(f"{picture}\n")
    before = picture.read_bytes()
    for data, target in ((picture, picture), (picture.parent, picture), (f"@{listed}", listed)):
        run = whatsit("benchmark", "--data", data, "--save", target)
        assert (run.status, run.out) == (2, "")
        assert "would replace a file" in run.err
    assert picture.read_bytes() == before
    assert listed.read_text() == f"{picture}\n"


def test_a_comparison_spares_what_it_compares(whatsit: Program, tmp_path: Path) -> None:
    saved, link = tmp_path / "one.json", tmp_path / "page.html"
    evaluation([answer("a", 0, 0)]).save(saved)
    link.symlink_to(saved)
    before = saved.read_bytes()
    assert whatsit("compare", saved, saved, "--report", link).status == 2
    assert saved.read_bytes() == before


@pytest.mark.parametrize("there", [True, False])
def test_two_results_need_two_files(whatsit: Program, plain: Path, there: bool) -> None:
    page = plain.with_name("page.html")
    if there:
        page.write_text("mine")
    other = os.path.join(page.parent, ".", page.name)
    run = whatsit("evaluate", MODEL, plain, "--save", page, "--report", other)
    assert (run.status, run.out) == (2, "")
    assert "both write" in run.err
    assert page.exists() == there


@pytest.mark.parametrize("option", ["--save", "--report"])
def test_an_empty_name_is_refused(whatsit: Program, plain: Path, option: str) -> None:
    for command in (("evaluate", MODEL, plain), ("benchmark",)):
        run = whatsit(*command, option, "")
        assert (run.status, run.out) == (2, "")
        assert run.err.splitlines() == [
            f"error     {option} with an empty name",
            "expected  the name of a file",
            "hint      is it a shell variable that is not set?",
        ]
    assert whatsit("compare", MODEL, MODEL, plain, "--report", "").status == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("selftest", "--model", ""),
        ("benchmark", "--threads", ""),
        ("benchmark", "--runtime", ""),
        ("evaluate", MODEL, ""),
        ("compare", MODEL, MODEL, ""),
        ("evaluate", MODEL, "SET", "--seed", "3"),
        ("compare", MODEL, MODEL, "SET", "--seed", "3"),
    ],
)
def test_no_option_is_ignored(
    whatsit: Program, plain: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plain.parent)
    run = whatsit(*[str(plain) if word == "SET" else word for word in arguments])
    assert (run.status, run.out) == (2, "")
    assert run.err.startswith("error     ")


def test_another_file_is_written(whatsit: Program, plain: Path, tmp_path: Path) -> None:
    there = tmp_path / "other.json"
    there.write_text("old")
    assert whatsit("evaluate", MODEL, plain, "--save", there).status == 0
    assert '"format"' in there.read_text()
