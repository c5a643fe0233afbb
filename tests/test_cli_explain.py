"""`whatsit explain`: what is printed and drawn, and every way it can be refused."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import full_disk
import make_maps
import make_pictures
import numpy as np
import pytest
from conftest import CATS, ESPRESSO, Run
from make_reports import Page
from PIL import Image

from whatsit import explain, report, zoo

Program = Callable[..., Run]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The model of colours, as a file."""
    path = tmp_path / "colours.tflite"
    make_maps.colours().write(path)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Red above, green below on the right."""
    image = Image.new("RGB", (160, 160))
    image.paste((255, 0, 0), (60, 10, 100, 50))
    image.paste((0, 255, 0), (120, 120, 140, 140))
    path = tmp_path / "photo.png"
    image.save(path)
    return path


# ── what is printed ──────────────────────────────────────────────────────────────────────────


def test_text(whatsit: Program, cat: Path) -> None:
    run = whatsit("explain", cat)
    lines = run.out.splitlines()
    assert (run.status, run.err) == (0, "")
    assert lines[0] == str(cat)
    assert max(map(len, lines[1:])) <= 80
    assert "\x1b" not in run.out
    found = explain(None, cat)
    assert found.target.index in CATS
    assert lines[2].startswith(f"  {found.target.label} {100 * found.target.score:.1f} %")
    assert lines[2].endswith("(-)")
    assert sum("··" in line for line in lines) > 8  # the small maps
    assert f"For {found.target.label}: " in run.out
    assert f"Rather than {found.versus and found.versus.label}: " in run.out
    assert run.out.rstrip().endswith("The model saw 51 % of the picture; the rest was cut off.")


def test_the_words_say_where_it_is(whatsit: Program, model: Path, photo: Path) -> None:
    run = whatsit("explain", photo, "-m", model, "--class", "red", "--versus", "green")
    text = " ".join(run.out.split())
    assert run.status == 0
    assert "For red: top" in text
    assert "Rather than green: top" in text
    assert "For green instead: lower right" in text
    assert "from the left" in text
    assert "cut off" not in text  # stretched: all of it was seen
    assert run.err.startswith("note      ") or run.err == ""
    rows = run.out.splitlines()
    assert any("██" in row[:40] for row in rows[3:9])
    assert not any("██" in row[:40] for row in rows[12:22])


def test_a_terminal_without_blocks_gets_letters(
    whatsit: Program, cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import click

    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(click, "echo", lambda text, **_: stream.write(str(text)))
    whatsit("explain", cat)
    stream.seek(0)
    text = stream.read()
    assert "##" in text
    assert "''" in text
    assert "\\u" not in text


def test_colours_on_a_terminal(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from test_cli_output import Terminal, plain

    from whatsit.cli import explain_text

    found = explain(make_maps.colours(), photo, target="red", versus="green", runtime="litert")
    as_text = "\n".join(explain_text.lines(found, "photo.png"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    with contextlib.redirect_stdout(Terminal()):
        coloured = "\n".join(explain_text.lines(found, "photo.png"))
    assert "\x1b" not in as_text
    assert plain(coloured) == as_text
    assert "\x1b[94m++" in coloured
    assert "\x1b[31m-" in coloured


def test_json_has_the_maps(whatsit: Program, cat: Path) -> None:
    run = whatsit("explain", cat, "--json", "--class", "tabby", "--versus", "lynx")
    row = json.loads(run.out)
    assert (run.status, run.err) == (0, "")
    assert row["path"] == str(cat)
    assert row["output"] is None
    assert (row["target"]["label"], row["versus"]["label"]) == ("tabby", "lynx")
    assert np.array(row["evidence"]["map"]).shape == np.array(row["difference"]["map"]).shape
    assert "test" not in row


def test_the_test(whatsit: Program, model: Path, photo: Path) -> None:
    run = whatsit("explain", photo, "-m", model, "--test", "--json")
    test = json.loads(run.out)["test"]
    assert test["orders"] == 20
    assert len(test["curves"]["deletion"]) == len(test["shares"]) == 13
    text = " ".join(whatsit("explain", photo, "-m", model, "--test").out.split())
    assert f"lower than in {test['deletion_wins']} of 20 random orders." in text
    assert f"higher than in {test['insertion_wins']} of 20." in text


def test_a_map_that_is_no_better_than_chance_is_called_so(photo: Path) -> None:
    from whatsit import Faithfulness
    from whatsit.cli import explain_text

    found = explain(make_maps.colours(), photo, runtime="litert")
    curve = (0.5, 0.5)
    for wins, warned in (((3, 9), True), ((11, 9), False), ((9, 11), False), ((20, 20), False)):
        test = Faithfulness((0.0, 1.0), curve, curve, curve, curve, 20, *wins)
        text = " ".join(explain_text.tested(found, test))
        assert ("do not trust it" in text) == warned


def test_standard_input(whatsit: Program, coffee: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(coffee.read_bytes())))
    row = json.loads(whatsit("explain", "-", "--json").out)
    assert (row["path"], row["target"]["index"]) == ("-", ESPRESSO)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(coffee.read_bytes())))
    assert whatsit("explain", "-").out.startswith("standard input\n")


def test_the_view_is_that_of_classify(whatsit: Program, cat: Path) -> None:
    view = ("--region", "0,0,0.6,1", "--rotate", "180", "--preprocess", "pad")
    why = json.loads(whatsit("explain", cat, "--json", *view).out)
    answer = json.loads(whatsit("classify", cat, "--json", *view).out)
    assert [why["target"]["index"], why["versus"]["index"]] == [
        each["index"] for each in answer["predictions"][:2]
    ]
    assert why["seen"]["right"] == pytest.approx(0.6, abs=1e-3)
    assert why["seen"]["rotation"] == 180


# ── what is written ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["why.png", "why.JPG", "why.jpeg"])
def test_the_overlay(whatsit: Program, cat: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    run = whatsit("explain", cat, "-o", out, "--json")
    assert run.status == 0
    assert json.loads(run.out)["output"] == str(out)
    with Image.open(out) as image:
        assert image.format == ("PNG" if name.endswith("png") else "JPEG")
        assert image.size == explain(None, cat).overlay().size
    assert os.listdir(tmp_path) == [name]


def test_a_file_that_is_there_stays(whatsit: Program, cat: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    out.write_text("mine")
    run = whatsit("explain", cat, "-o", out)
    assert (run.status, run.out, out.read_text()) == (2, "", "mine")
    assert "is there already" in run.err
    assert "--force writes over it" in run.err
    run = whatsit("explain", cat, "-o", out, "--force")
    assert run.status == 0
    assert run.out.endswith(f"  Drawn over the picture: {out}\n")
    with Image.open(out) as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("why.gif", "the output"),
        ("why", "the output"),
        ("", "-o with an empty name"),
        ("no/such/folder/why.png", "there is no such folder"),
        ("folder.png", "it is a folder"),
    ],
)
def test_outputs_that_cannot_be(
    whatsit: Program, cat: Path, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    run = whatsit("explain", cat, "-o", tmp_path / name if name else "", "--force")
    assert run.out == ""
    assert run.status == (1 if "folder" in name else 2)
    assert message in run.err
    assert run.err.count("\n") <= 3
    assert os.listdir(tmp_path) == ["folder.png"]


def test_the_picture_and_the_model_are_not_replaced(
    whatsit: Program, cat: Path, model: Path
) -> None:
    own = Path(shutil.copy(cat, model.with_name("own.png")))
    before = own.read_bytes(), model.read_bytes()
    link = model.with_name("link.png")
    link.symlink_to(model)
    for target in (own, link):
        run = whatsit("explain", own, "-m", model, "-o", target, "--force")
        assert (run.status, run.out) == (2, "")
        assert "would replace a file that the run reads" in run.err
    run = whatsit("explain", own, "-o", own.with_name("a.png"), "--report", own.with_name("a.png"))
    assert run.status == 2
    assert (own.read_bytes(), model.read_bytes()) == before


@full_disk.needs_limits
def test_a_full_disk_leaves_nothing(whatsit: Program, cat: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    with full_disk.largest_file(20_000):
        run = whatsit("explain", cat, "-o", out)
    assert run.status == 1
    assert "cannot write" in run.err
    assert os.listdir(tmp_path) == []
    assert "For " in run.out  # the answer is printed all the same
    assert "Drawn" not in run.out


def test_the_report(whatsit: Program, cat: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.html"
    assert whatsit("explain", cat, "--report", out, "--test").status == 0
    page = Page(out.read_text(encoding="utf-8"))
    found = explain(None, cat)
    assert page.wrong == []
    assert found.versus is not None
    assert f"Why {found.target.label} and not {found.versus.label}?" in " ".join(page.text.split())
    pictures = page.all("img")
    assert len(pictures) == 3
    assert all(str(picture["src"]).startswith("data:image/jpeg;base64,") for picture in pictures)
    assert all(picture["alt"] for picture in pictures)
    assert "cat.png" in page.text
    assert str(cat.parent) not in page.text
    numbers = [[cell.replace("−", "-") for cell in row] for row in page.tables[1]]
    assert np.array(numbers, float) == pytest.approx(found.target.values, abs=0.051)
    assert len(page.tables[3]) == 14  # the test: a head and 13 steps


def test_the_report_of_a_single_class_and_odd_names() -> None:
    bundle = make_maps.colours(weights=make_maps.WEIGHTS[:1], bias=make_maps.BIAS[:1])
    found = explain(bundle, Image.new("RGB", (9, 400), (1, 2, 3)), runtime="litert")
    page = Page(report.explanation_page(found))
    assert page.wrong == []
    assert len(page.all("img")) == 2
    assert report.explanation_page(found) == report.explanation_page(found)


def test_the_report_of_an_evaluation_explains_mistakes(
    whatsit: Program, tmp_path: Path, cat: Path, coffee: Path
) -> None:
    """A cat that is said to be a cup, and a cup that is none."""
    out = tmp_path / "report.html"
    for label, photo in (("cup", cat), ("espresso", coffee), ("cup", coffee)):
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / "data" / label)
    assert whatsit("evaluate", zoo.DEFAULT, tmp_path / "data", "--report", out).status == 0
    page = Page(out.read_text(encoding="utf-8"))
    maps = [picture["alt"] for picture in page.all("img") if picture.get("class") == "whole"]
    assert len(maps) == 2
    assert all(str(alt).startswith("A picture of cup, with what speaks for ") for alt in maps)
    assert page.wrong == []


def test_an_evaluation_of_a_model_without_maps_has_none(
    whatsit: Program, tmp_path: Path, cat: Path
) -> None:
    model, out = tmp_path / "pixels.tflite", tmp_path / "report.html"
    make_maps.without_map().write(model)
    (tmp_path / "data" / "c191").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "data" / "c191" / "black.png")
    assert whatsit("evaluate", model, tmp_path / "data", "--report", out).status == 0
    assert "Why they were mistaken" not in out.read_text(encoding="utf-8")


# ── what is refused ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class", "purple cat"], "no class 'purple cat'"),
        (["--class", "1000"], "no class 1000"),
        (["--class", "n02084071"], "names 118 classes"),
        (["--versus", "tabbi"], "no class 'tabbi'"),
        (["--class", "tabby", "--versus", "281"], "the class 'tabby' against itself"),
        (["--region", "1,2"], "is not a region"),
        (["--rotate", "45"], "cannot rotate by 45 degrees"),
        (["--preprocess", "squash"], "is not a preprocessing rule"),
        (["--runtime", "fake"], "no runtime 'fake'"),
        (["--report", "why.txt"], "a report 'why.txt'"),
        (["another.png"], "unexpected extra argument"),
    ],
)
def test_wrong_usage(whatsit: Program, cat: Path, options: list[str], message: str) -> None:
    run = whatsit("explain", cat, *options)
    assert (run.status, run.out) == (2, "")
    assert message in run.err
    assert run.err.startswith("error     ")
    assert run.err.count("\n") <= 3


def test_without_a_picture_there_is_help(whatsit: Program) -> None:
    run = whatsit("explain")
    assert run.status == 2
    assert "--versus" in run.err


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("gone.jpg", None, "image-not-found"),
        ("empty.jpg", b"", "image-unreadable"),
        ("notes.txt", b"no picture", "image-unreadable"),
        ("bomb.png", make_pictures.png(50_000, 50_000), "image-too-large"),
    ],
)
def test_a_bad_picture(
    whatsit: Program, tmp_path: Path, name: str, content: bytes | None, code: str
) -> None:
    path, out = tmp_path / name, tmp_path / "why.png"
    if content is not None:
        path.write_bytes(content)
    run = whatsit("explain", path, "-o", out)
    assert (run.status, run.out) == (1, "")
    assert run.err.startswith("error     ")
    run = whatsit("explain", path, "-o", out, "--json")
    row = json.loads(run.out)
    assert (run.status, run.err) == (1, "")
    assert (row["path"], row["error"]["code"]) == (str(path), code)
    assert not out.exists()


def test_a_folder_is_no_picture(whatsit: Program, tmp_path: Path) -> None:
    run = whatsit("explain", tmp_path)
    assert (run.status, run.out) == (1, "")
    assert "is a folder" in run.err


def test_a_model_without_a_map(whatsit: Program, cat: Path, tmp_path: Path) -> None:
    path = tmp_path / "pixels.tflite"
    make_maps.without_map().write(path)
    run = whatsit("explain", cat, "-m", path, "-o", tmp_path / "why.png")
    assert (run.status, run.out) == (1, "")
    assert run.err.startswith("error     model 'pixels' cannot say why: ")
    assert "expected  a classifier that ends in a global mean" in run.err
    assert not (tmp_path / "why.png").exists()


def test_a_model_that_is_not_there(whatsit: Program, cat: Path) -> None:
    run = whatsit("explain", cat, "-m", "no-such-model")
    assert run.out == ""
    assert run.status in (1, 2)
    assert "no-such-model" in run.err


def test_a_foreign_model_is_explained(whatsit: Program, cat: Path) -> None:
    path = Path(__file__).parents[2] / "shared" / "models" / "tf2_mobilenet_v2_1.0_224_ptq.tflite"
    if not path.exists():
        pytest.skip("needs ../shared/models")
    run = whatsit("explain", cat, "-m", path, "--json")
    row = json.loads(run.out)
    assert run.status == 0
    assert "stretched" in run.err  # as classify says of it
    assert row["target"]["index"] in {index + 1 for index in CATS}  # its class 0 is background
    assert (row["seen"]["left"], row["seen"]["right"]) == (0, 1)
    assert zoo.DEFAULT not in row["model"]
