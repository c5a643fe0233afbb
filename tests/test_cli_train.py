from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import make_dataset
import pytest
from conftest import Run

import whatsit as package
from whatsit import zoo

Program = Callable[..., Run]
MODEL = ("-m", "mobilenet-v2-int8")
FLOWERS = Path(__file__).parents[2] / "shared" / "data" / "flowers"


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset.write(tmp_path_factory.mktemp("made") / "textures", 12)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset.write(tmp_path_factory.mktemp("made") / "others", 4, first=100)


def test_text(whatsit: Program, textures: Path, others: Path, tmp_path: Path) -> None:
    output = tmp_path / "t.tflite"
    run = whatsit("train", textures, *MODEL, "--validation", others, "-o", output)
    lines = run.out.splitlines()
    assert (run.status, run.err) == (0, "")
    assert lines[0] == f"{output}: 5 classes, taught to mobilenet-v2-int8 with 60 pictures"
    assert re.fullmatch(r"Top-1 +\d+\.\d % \(\d+\.\d to \d+\.\d\), \d+ of 20", lines[2])
    assert lines[3] == "on            others"
    assert re.match(r"Float head +\d+\.\d % before it was stored: ", lines[4])
    promise = r"\(90 % promised\), with \d\.\d\d classes"
    assert re.fullmatch(rf"Likely set +holds the truth in \d+\.\d % {promise}", lines[5])
    assert re.fullmatch(r"Size +2\.\d MB", lines[6])
    assert any(re.match(r"rings +12 +\d of 4 +\d of \d", line) for line in lines)
    assert f"whatsit -m {output} photo.jpg        what is in a picture" in run.out
    assert max(len(line) for line in lines if str(tmp_path.parent) not in line) <= 80


def test_json(whatsit: Program, textures: Path, tmp_path: Path) -> None:
    output = tmp_path / "t.tflite"
    run = whatsit("train", textures, *MODEL, "--json", "-o", output)
    value = json.loads(run.out)
    assert (run.status, run.err) == (0, "")
    assert value["output"] == str(output)
    assert value["bytes"] == output.stat().st_size
    assert value["sha256"] == package.Bundle.read(output).sha256
    assert value["accuracy"]["total"] + sum(value["classes"].values()) == 60
    assert value["split"]["seed"] == 0
    assert value["evaluation"]["pictures"] == value["accuracy"]["total"]


def test_few(whatsit: Program, others: Path, tmp_path: Path) -> None:
    run = whatsit("train", others, *MODEL, "-o", tmp_path / "t.tflite")
    assert run.status == 0
    assert run.err.startswith("note      most classes have fewer than 10 pictures")
    assert "others, each picture left out in turn" in run.out


def test_left_out(whatsit: Program, textures: Path, others: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(textures, tmp_path / "set")
    (folder / "rings" / "broken.png").write_bytes(b"no picture")
    run = whatsit("train", folder, *MODEL, "--validation", others, "-o", tmp_path / "t.tflite")
    assert run.status == 0
    assert "Left out: 1 picture" in run.out
    assert str(folder / "rings" / "broken.png") in run.out


def test_adding_in_place_and_elsewhere(
    whatsit: Program, textures: Path, others: Path, tmp_path: Path
) -> None:
    output, other = tmp_path / "t.tflite", tmp_path / "other.tflite"
    assert whatsit("train", others, *MODEL, "-o", output).status == 0
    before = output.read_bytes()
    new = f"more={textures / 'rings'}"
    run = whatsit("train", "--add", new, "--to", output, "-o", other)
    assert run.status == 0
    assert output.read_bytes() == before
    assert "remembered pictures that were right" in run.err
    assert "6 classes" in run.out
    run = whatsit("train", "--add", new, "--to", output, "-o", other)
    assert run.status == 2  # it is there now
    assert "--force" in run.err
    assert whatsit("train", "--add", new, "--to", output).status == 0
    assert output.read_bytes() == other.read_bytes()
    assert package.Bundle.read(output).labels.names[-1] == "more"


def test_a_report(whatsit: Program, textures: Path, tmp_path: Path) -> None:
    output, page = tmp_path / "t.tflite", tmp_path / "report.html"
    run = whatsit("train", textures, *MODEL, "-o", output, "--report", page)
    assert (run.status, run.err) == (0, "")
    assert re.search(r"^(Twice  |More   )", run.out, re.MULTILINE)
    assert max(len(line) for line in run.out.splitlines() if str(tmp_path.parent) not in line) <= 80
    html = page.read_text("utf-8")
    assert "Would more pictures help?" in html
    assert package.Bundle.read(output).sha256 in html
    new = f"more={textures / 'rings'}"
    run = whatsit("train", "--add", new, "--to", output, "--json", "--report", page)
    assert run.status == 0
    assert json.loads(run.out)["curve"] is None
    assert "Estimate of Top-1" in page.read_text("utf-8")


def test_a_report_changes_nothing_else(whatsit: Program, others: Path, tmp_path: Path) -> None:
    plain, other = tmp_path / "a.tflite", tmp_path / "b.tflite"
    value = json.loads(whatsit("train", others, *MODEL, "-o", plain, "--json").out)
    assert value["curve"] is None
    options = ("--json", "--report", tmp_path / "r.html")
    value = json.loads(whatsit("train", others, *MODEL, "-o", other, *options).out)
    assert value["curve"]["cross_validation"]
    assert plain.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("page", ["page.txt", "", "no folder/page.html", "folder.html"])
def test_a_report_that_cannot_be_written_stops_before_the_work(
    whatsit: Program, others: Path, tmp_path: Path, page: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    output = tmp_path / "t.tflite"
    run = whatsit("train", others, "-o", output, "--report", page and tmp_path / page)
    assert run.status in (1, 2)
    assert run.err.startswith("error")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.html"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["DATASET"], "no file to write"),
        (["-o", "x.tflite"], "no data set"),
        (["--add", "a=b"], "--add alone"),
        (["--to", "b"], "--to alone"),
        (["--add", "ab", "--to", "x.tflite"], "--add 'ab'"),
        (["--add", "=b", "--to", "x.tflite"], "--add '=b'"),
        (["--add", "a=", "--to", "x.tflite"], "--add 'a='"),
        (["DATASET", "--add", "a=b", "--to", "x.tflite"], "for teaching anew"),
        (["DATASET", "-o", "x.png"], "x.png"),
        (["DATASET", "-o", "x.tflite", "--method", "tune"], "the method 'tune'"),
        (["DATASET", "-o", "x.tflite", "--workers", "0"], "0 workers"),
    ],
)
def test_wrong_usage(
    whatsit: Program,
    others: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = whatsit("train", *(str(others) if a == "DATASET" else a for a in arguments))
    assert run.status == 2
    assert message in run.err.splitlines()[0]
    assert "expected" in run.err
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_cannot_be_taught(whatsit: Program, others: Path, tmp_path: Path) -> None:
    import make_models

    odd = tmp_path / "odd.tflite"
    odd.write_bytes(make_models.bundle(make_models.pixels(8, 8), 192))
    run = whatsit("train", others, "-m", odd, "-o", tmp_path / "t.tflite")
    assert run.status == 1
    assert "no last layer that can be replaced" in run.err
    assert not (tmp_path / "t.tflite").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("after_s", [0.3, 1.0, 2.0])
def test_an_interruption_leaves_nothing(tmp_path: Path, after_s: float) -> None:
    folder = make_dataset.write(tmp_path / "many", 60)
    out = tmp_path / "out"
    out.mkdir()
    output = out / "t.tflite"
    program = [sys.executable, "-m", "whatsit", "train", str(folder), "-o", str(output)]
    child = subprocess.Popen(program, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    time.sleep(after_s)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    if child.returncode != 0:  # else it was quicker
        assert b"Traceback" not in said or after_s < 0.5  # Python itself was starting
        assert list(out.iterdir()) == []


def commands_of_the_guide() -> list[str]:
    """The lines of the guide's blocks that call the program."""
    page = (Path(__file__).parents[1] / "docs" / "teaching.md").read_text(encoding="utf-8")
    guide = page.split("## Recognise flowers in five minutes")[1].split("\n## ")[0]
    return [line.strip() for line in guide.splitlines() if line.strip().startswith("whatsit ")]


def follow(whatsit: Program, pictures: Path, more: Path) -> dict[str, str]:
    """Runs the guide with these pictures; what each of its commands printed."""
    photo = next(iter(sorted((more / "daisy").iterdir())))
    said = {}
    for line in commands_of_the_guide():
        words = line.split()[1:]
        names = {"flowers/": pictures, "more-flowers/": more, "photo.jpg": photo}
        run = whatsit(*(names.get(word, word) for word in words))
        assert run.status == 0, (line, run.err)
        said[line] = run.out
    return said


def flowers(folder: Path, *, every: dict[str, int]) -> None:
    """Every so-and-so-many-th flower of train and val."""
    for part, step in every.items():
        for kind in sorted((FLOWERS / part).iterdir()):
            (folder / part / kind.name).mkdir(parents=True)
            for picture in sorted(kind.iterdir())[::step]:
                shutil.copy(picture, folder / part / kind.name)


def stand_ins(folder: Path) -> None:
    """Textures where the flowers are not."""
    make_dataset.write(folder / "train", 12)
    make_dataset.write(folder / "val", 3, first=50)
    for part in ("train", "val"):
        (folder / part / "rings").rename(folder / part / "daisy")


@pytest.mark.parametrize("real", [True, False])
def test_the_guide(
    whatsit: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: bool
) -> None:
    if real and not FLOWERS.is_dir():
        pytest.skip("the flowers are not here: textures stand in for them")
    if not real and FLOWERS.is_dir():
        pytest.skip("the flowers are here: no textures need stand in for them")
    monkeypatch.chdir(tmp_path)
    if real:
        flowers(tmp_path, every={"train": 4, "val": 6})
    else:
        stand_ins(tmp_path)
    said = follow(whatsit, tmp_path / "train", tmp_path / "val")
    assert len(said) == 5
    assert "daisy" in said["whatsit -m flowers.tflite photo.jpg"]
    shown = said["whatsit models show flowers.tflite"]
    assert "remembers" in shown
    assert len(shown) < 4000


@pytest.mark.skipif(not FLOWERS.is_dir(), reason="the flowers are not here")
def test_flowers(whatsit: Program, tmp_path: Path) -> None:
    """On 200 of the pictures, so that it is quick; docs/teaching.md has the numbers of all."""
    flowers(tmp_path, every={"train": 5, "val": 6})
    output = tmp_path / "f.tflite"
    run = whatsit(
        "train", tmp_path / "train", "--validation", tmp_path / "val", "-o", output, "--json"
    )
    value = json.loads(run.out)
    assert value["accuracy"]["value"] > 0.75
    assert abs(value["accuracy"]["hits"] - value["float_accuracy"]["hits"]) <= 1
    run = whatsit("evaluate", output, tmp_path / "val", "--json")
    assert json.loads(run.out)["accuracy"]["top1"]["hits"] == value["accuracy"]["hits"]
    assert value["parent"] == zoo.DEFAULT


def test_two_classes_at_a_time_are_refused(whatsit: Program, tmp_path: Path) -> None:
    added = ("--add", "a=x", "--add", "b=y", "--to", tmp_path / "m.tflite")
    run = whatsit("train", *added)
    assert run.status == 2
    assert "error     --add 2 times\nexpected  one class at a time\n" in run.err
