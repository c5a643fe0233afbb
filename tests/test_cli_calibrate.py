"""`whatsit calibrate`: what is printed and written, and every way it can be refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import make_heads
import make_models
import make_networks
import numpy as np
import pytest
from conftest import Run
from full_disk import largest_file, needs_limits
from make_networks import Network
from PIL import Image

import whatsit as package
from whatsit import Bundle, Labels, ModelDamaged, calibrate
from whatsit.trust import RECORD, trust_of

Whatsit = Callable[..., Run]
FLOWERS = make_heads.SHARED / "data" / "flowers" / "val"


def coloured(folder: Path, count: int, seed: int = 0) -> Path:
    """Pictures of one colour each, of the class that the small model would draw for it."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        colour = rng.integers(0, 256, 3)
        logits = make_heads._WEIGHTS @ (colour / 255) + make_heads._BIAS
        share = 1 / (1 + np.exp(3 * (logits[1] - logits[0])))  # surer than the model is
        place = folder / ("c0" if rng.random() < share else "c1")
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), tuple(map(int, colour))).save(place / f"{number}.png")
    return folder


def grey(folder: Path, count: int) -> Path:
    """Pictures without a colour, as far from the known ones as such a model can tell."""
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (8, 8), (number,) * 3).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coloured(tmp_path_factory.mktemp("data") / "colours", 120)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    make_heads.small("fully connected").write(path)
    return path


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def with_record(model: Path, value: object) -> None:
    Bundle.read(model).with_facts({RECORD: value}).write(model)


# ── what it gives ────────────────────────────────────────────────────────────────────────────


def test_a_calibrated_model_is_written(whatsit: Whatsit, model: Path, data: Path) -> None:
    out = model.with_name("out.tflite")
    run = whatsit("calibrate", model, data, "-o", out)
    assert (run.status, run.err) == (0, "")
    lines = run.out.splitlines()
    assert lines[0] == "small on colours"
    assert lines[1].startswith("120 pictures, temperature 0.")
    assert "Calibration error " in run.out
    for title in ("Coverage", "lowest to highest", "within", "mean size", "right if sure"):
        assert title in run.out
    assert [line.split()[0] for line in lines if "% " in line[:5]] == ["80", "90", "95", "99"]
    assert "Unknown is told by how near a picture is to what the model was shown" in run.out
    assert "Known pictures that pass, of 95 % asked for: " in run.out
    assert lines[-1] == str(out)
    assert max(map(len, lines[:-1])) <= 80

    bundle, before = Bundle.read(out), Bundle.read(model)
    trust = trust_of(bundle)
    assert trust is not None
    assert (trust.data_set, trust.pictures, trust.known.rule) == ("colours", 120, "prototypes")
    assert (bundle.labels, bundle.preprocess) == (before.labels, before.preprocess)
    assert {**bundle.record, RECORD: None} == {**before.record, RECORD: None}
    answer = json.loads(whatsit("--json", "-m", out, next(data.glob("c0/*"))).out)
    assert answer["set"] is not None


def test_without_an_output_it_only_measures(whatsit: Whatsit, model: Path, data: Path) -> None:
    run = whatsit("calibrate", model, data)
    assert run.status == 0
    assert "note      nothing was written: -o FILE.tflite keeps the calibration\n" in run.err
    assert names(model.parent) == ["small.tflite"]


def test_json(whatsit: Whatsit, model: Path, data: Path, tmp_path: Path) -> None:
    out = model.with_name("out.tflite")
    strange = grey(tmp_path / "grey", 12)
    run = whatsit("calibrate", model, data, "-o", out, "--json", "--foreign", strange)
    value = json.loads(run.out)
    assert (run.status, run.out.count("\n")) == (0, 1)
    assert (value["model"], value["data_set"], value["pictures"]) == ("small", "colours", 120)
    assert value["output"] == str(out)
    assert value["rule"] == "prototypes"
    assert [level["coverage"] for level in value["trial"]["levels"]] == [0.8, 0.9, 0.95, 0.99]
    (foreign,) = value["foreign"]
    assert foreign["name"] == str(strange)
    assert foreign["rejected"]["total"] == 12
    assert {"rejected", "auroc"} == foreign["by_best_score"].keys()
    assert value["failures"] == []
    assert json.loads(whatsit("calibrate", model, data, "--json").out)["output"] is None


def test_the_library_gives_the_same(whatsit: Whatsit, model: Path, data: Path) -> None:
    value = json.loads(whatsit("calibrate", model, data, "--json").out)
    found = calibrate(model, data)
    assert isinstance(found, package.Calibrated)
    assert found.to_json() == {key: value[key] for key in value if key != "output"}
    again = calibrate(found.bundle, data)
    assert again.trust.temperature == found.trust.temperature  # the scores are the model's own


def test_the_same_call_gives_the_same_bytes(whatsit: Whatsit, model: Path, data: Path) -> None:
    one, other = model.with_name("one.tflite"), model.with_name("other.tflite")
    for out, workers in ((one, 1), (other, 3)):
        assert whatsit("calibrate", model, data, "-o", out, "--workers", workers).status == 0
    assert one.read_bytes() == other.read_bytes()


def test_foreign_pictures_are_compared(
    whatsit: Whatsit, model: Path, data: Path, tmp_path: Path
) -> None:
    strange = grey(tmp_path / "grey", 12)
    run = whatsit("calibrate", model, data, "--foreign", strange, "--foreign", data / "c1")
    table = run.out[run.out.index("Foreign pictures") :].splitlines()
    assert [row.split()[0] for row in table[1:3]] == ["grey", "c1"]
    assert table[0].split() == "Foreign pictures rejected by best score AUROC by best score".split()
    assert max(map(len, table)) <= 80


def test_the_tree_of_a_model_that_has_one(whatsit: Whatsit, tmp_path: Path, data: Path) -> None:
    graph = make_models.bare(make_heads.small("fully connected").data)
    model = tmp_path / "tree.tflite"
    Bundle.create(
        graph,
        name="tree",
        labels=Labels(("c0", "c1"), parents=("top", "top"), tree={"top": ("colour", None)}),
        preprocess="stretch",
        mean=0,
        std=1,
    ).write(model)
    run = whatsit("calibrate", model, data)
    assert "In the class tree" in run.out
    assert " of 1.0\n" in run.out
    level = json.loads(whatsit("calibrate", model, data, "--json").out)["trial"]["levels"][0]
    assert level["tree"]["right"]["value"] >= 0.75


def test_a_limit_and_a_seed(whatsit: Whatsit, model: Path, data: Path) -> None:
    run = whatsit("calibrate", model, data, "--limit", 50, "--seed", 3)
    assert "\n50 pictures, " in run.out
    assert "note      50 of 120 pictures were drawn\n" in run.err


def test_a_built_in_model(whatsit: Whatsit, tmp_path: Path, cat: Path, coffee: Path) -> None:
    for number in range(10):
        for name, photo in (("tiger cat", cat), ("espresso", coffee)):
            place = tmp_path / "set" / name / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(photo) as image:
                image.crop((0, 0, image.width - 5 * number, image.height)).save(place)
    run = whatsit("calibrate", "mobilenet-v2-int8", tmp_path / "set")
    assert run.status == 0
    assert run.out.startswith("mobilenet-v2-int8 on set\n20 pictures, ")
    assert "In the class tree" in run.out
    assert "the pictures are of 2 of 1,000 classes" in run.err


@pytest.mark.skipif(not FLOWERS.is_dir(), reason="needs ../shared/data")
def test_pictures_of_other_classes(whatsit: Whatsit) -> None:
    run = whatsit("calibrate", "mobilenet-v2-int8", FLOWERS)
    assert (run.status, run.out) == (1, "")
    assert "labels name no class of the model" in run.err


def test_the_script_for_foreign_pictures(
    whatsit: Whatsit, model: Path, data: Path, tmp_path: Path
) -> None:
    script = Path(__file__).parents[1] / "benchmarks" / "foreign.py"
    for place in ("one", "again"):
        subprocess.run([sys.executable, str(script), str(tmp_path / place), "6"], check=True)
    made = sorted((tmp_path / "one").glob("*/*.png"))
    assert {file.parent.name for file in made} >= {"noise", "patterns", "textures"}
    assert len(made) % 6 == 0
    for file in made:
        other = tmp_path / "again" / file.parent.name / file.name
        assert file.read_bytes() == other.read_bytes()
    assert len({file.read_bytes() for file in made}) == len(made)
    run = whatsit("calibrate", model, data, "--foreign", tmp_path / "one" / "noise")
    assert run.status == 0


# ── bad input ────────────────────────────────────────────────────────────────────────────────


def test_unreadable_pictures_are_listed(whatsit: Whatsit, model: Path, tmp_path: Path) -> None:
    folder = coloured(tmp_path / "set", 30)
    (folder / "c0" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    out = model.with_name("out.tflite")
    run = whatsit("calibrate", model, folder, "-o", out)
    assert run.status == 1
    assert "30 pictures, " in run.out
    assert "Failed: 1, not counted above\n  'c0/torn.png' " in run.out
    assert trust_of(Bundle.read(out)) is not None  # the others are enough
    value = json.loads(whatsit("calibrate", model, folder, "--json").out)
    assert [row["path"] for row in value["failures"]] == ["c0/torn.png"]


def test_too_few_pictures(whatsit: Whatsit, model: Path, tmp_path: Path) -> None:
    folder = coloured(tmp_path / "set", 20)
    assert whatsit("calibrate", model, folder).status == 0
    (next(folder.glob("*/*.png"))).write_bytes(b"")
    run = whatsit("calibrate", model, folder, "-o", model.with_name("out.tflite"))
    assert (run.status, run.out) == (1, "")
    assert "19 pictures to calibrate with (1 cannot be read)\n" in run.err
    assert "expected  at least 20, better 500, that the model was not taught from" in run.err
    assert not model.with_name("out.tflite").exists()


def test_pictures_of_one_class(whatsit: Whatsit, model: Path, data: Path, tmp_path: Path) -> None:
    # Of a model of two classes, one is no less than chance might give.
    graph = make_models.bundle(make_models.pixels(1, 1, 1 / 255), 3)
    other = tmp_path / "three.tflite"
    other.write_bytes(graph)
    shutil.copytree(data / "c0", tmp_path / "set" / "c0")
    run = whatsit("calibrate", other, tmp_path / "set")
    assert run.status == 0
    assert "note      the pictures are of one class of 3, 'c0': what was measured holds" in run.err
    assert whatsit("calibrate", model, tmp_path / "set").status == 0


def test_a_foreign_folder_without_pictures(
    whatsit: Whatsit, model: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    run = whatsit("calibrate", model, data, "--foreign", tmp_path / "empty")
    assert (run.status, run.out) == (1, "")
    assert f"no pictures in the folder '{tmp_path / 'empty'}'" in run.err
    run = whatsit("calibrate", model, data, "--foreign", tmp_path / "gone")
    assert (run.status, run.out) == (1, "")
    assert f"none of the foreign pictures in '{tmp_path / 'gone'}' can be read" in run.err


def test_foreign_pictures_that_cannot_be_read_do_not_count(
    whatsit: Whatsit, model: Path, data: Path, tmp_path: Path
) -> None:
    strange = grey(tmp_path / "grey", 5)
    (strange / "torn.png").write_bytes(b"torn")
    run = whatsit("calibrate", model, data, "--foreign", strange, "--json")
    assert run.status == 0
    assert "1 of 6 foreign pictures in " in run.err
    assert json.loads(run.out)["foreign"][0]["rejected"]["total"] == 5


def test_a_model_without_an_embedding_is_judged_by_its_scores(
    whatsit: Whatsit, tmp_path: Path, data: Path
) -> None:
    model, out = tmp_path / "mean.tflite", tmp_path / "out.tflite"
    model.write_bytes(make_models.bundle(make_heads.mean_at_the_end(), 3))
    run = whatsit("calibrate", model, data, "-o", out)
    assert run.status == 0
    assert "Unknown is told by the score of the best class, which tells little." in run.out
    trust = trust_of(Bundle.read(out))
    assert trust is not None
    assert trust.known.rule == "score"


@pytest.mark.parametrize("name", make_heads.FOREIGN)
def test_a_foreign_model_with_uint8_scores(whatsit: Whatsit, tmp_path: Path, name: str) -> None:
    bundle = make_heads.read(name)
    rows = []
    for number in range(20):
        photo = make_heads.GOLDEN[number % len(make_heads.GOLDEN)]
        shutil.copy(photo, tmp_path / f"{number}{photo.suffix}")
        rows.append(f"{number}{photo.suffix},{number}\n")
    (tmp_path / "labels.csv").write_text("file,class_index\n" + "".join(rows))
    out = tmp_path / "out.tflite"
    run = whatsit("calibrate", bundle.path, tmp_path, "--runtime", "litert", "-o", out)
    assert run.status == 0, run.err
    answer = json.loads(whatsit("--json", "-m", out, make_heads.GOLDEN[0]).out)
    scores = [row["score"] for row in answer["predictions"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert answer["set"] is not None


def test_a_model_with_three_means_is_refused_before_the_work(
    whatsit: Whatsit, tmp_path: Path, data: Path
) -> None:
    model = tmp_path / "foreign.tflite"
    made = make_networks.bundle(Network(floats_in=True), "foreign")
    three = make_networks.with_normalisation(made, (1.0, 2.0, 3.0), (1.0, 1.0, 1.0))
    model.write_bytes(three.data)
    run = whatsit("calibrate", model, data, "--workers", 0)  # which would be refused next
    assert (run.status, run.out) == (1, "")
    assert "it takes the means [" in run.err
    assert "expected  one mean and one std" in run.err


@pytest.mark.parametrize("kind", ["temperature", "width", "tensor"])
def test_a_damaged_calibration_is_made_anew(
    whatsit: Whatsit, model: Path, data: Path, kind: str
) -> None:
    value = calibrate(model, data).trust.to_json()
    if kind == "temperature":
        value["temperature"] = -1
    elif kind == "tensor":
        value["known"]["prototypes"]["tensor"] += 1
    else:
        rows = value["known"]["prototypes"]
        rows["width"], rows["rows"] = 2, "AAAAAA=="  # of a shorter embedding
    with_record(model, value)
    if kind == "temperature":
        photo = next(data.glob("c0/*"))
        run = whatsit("-m", model, photo)
        assert (run.status, run.out) == (1, "")
        assert "what it says of its calibration cannot be read: the temperature -1.0" in run.err
        assert "hint      `whatsit calibrate` measures it again\n" in run.err
        with pytest.raises(ModelDamaged):
            package.load(model)
    out = model.with_name("mended.tflite")
    run = whatsit("calibrate", model, data, "-o", out)
    assert run.status == 0
    assert "it is measured anew, without what was in it" in run.err
    assert trust_of(Bundle.read(out)) is not None
    assert whatsit("-m", out, next(data.glob("c0/*"))).status == 0


def test_the_prototypes_of_the_lesson_are_kept(model: Path, data: Path, tmp_path: Path) -> None:
    taught = calibrate(model, data)
    again = calibrate(taught.bundle, coloured(tmp_path / "other", 40, seed=9))
    first, second = taught.trust.known.prototypes, again.trust.known.prototypes
    assert first is not None
    assert second is not None
    assert (first.rows == second.rows).all()
    assert again.trust.pictures == 40


def test_calibrating_twice_with_the_same_pictures_changes_nothing(model: Path, data: Path) -> None:
    """By the means that the first time left, each picture would be near to itself."""
    first = calibrate(model, data)
    again = calibrate(first.bundle, data)
    assert again.bundle.sha256 == first.bundle.sha256
    assert again.trial == first.trial


def test_models_show_tells_what_a_model_was_calibrated_on(
    whatsit: Whatsit, model: Path, data: Path
) -> None:
    run = whatsit("models", "show", model)
    assert "\ntrust         uncalibrated\n" in run.out
    calibrate(model, data).bundle.write(model)
    run = whatsit("models", "show", model)
    assert "\ntrust         data_set colours, pictures 120, temperature 0." in run.out
    assert max(map(len, run.out.splitlines())) < 200  # and not the thousands of numbers
    value = json.loads(whatsit("models", "show", model, "--json").out)["trust"]
    assert (value["pictures"], value["rule"], len(value["error"])) == (120, "prototypes", 2)
    with_record(model, {"temperature": 7})
    run = whatsit("models", "show", model)
    assert run.status == 0
    assert "what it says of its calibration cannot be read" in run.out


@needs_limits
def test_a_full_disk_leaves_nothing(whatsit: Whatsit, model: Path, data: Path) -> None:
    out = model.with_name("out.tflite")
    with largest_file(500):
        run = whatsit("calibrate", model, data, "-o", out, "--json")
    assert run.status == 1
    assert f"cannot write '{out}'" in run.err
    assert "is the folder yours, and the disk not full?" in run.err
    assert json.loads(run.out)["output"] is None  # what was measured is not lost
    assert names(model.parent) == ["small.tflite"]


def test_what_is_there_is_kept_unless_told_otherwise(
    whatsit: Whatsit, model: Path, data: Path
) -> None:
    out = model.with_name("out.tflite")
    out.write_bytes(b"precious")
    run = whatsit("calibrate", model, data, "-o", out)
    assert (run.status, run.out) == (2, "")
    assert "is there already" in run.err
    assert "--force writes over it" in run.err
    assert out.read_bytes() == b"precious"
    assert whatsit("calibrate", model, data, "-o", out, "--force").status == 0
    assert trust_of(Bundle.read(out)) is not None


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["MODEL", "DATA", "-o", "MODEL"], 2, "would replace a file that the run reads"),
        (["MODEL", "DATA", "-o", "MODEL", "--force"], 2, "would replace a file that the run reads"),
        (["MODEL", "DATA", "-o", "out.onnx"], 2, "the output 'out.onnx'"),
        (["MODEL", "DATA", "-o", ""], 2, "-o with an empty name"),
        (["MODEL", "DATA", "-o", "no/where/out.tflite"], 1, "cannot write 'no/where/out.tflite'"),
        (["gone.tflite", "DATA"], 1, "no model file 'gone.tflite'"),
        (["no-model", "DATA"], 2, "'no-model'"),
        (["MODEL", "gone"], 1, "no data set 'gone'"),
        (["MODEL", "DATA", "--limit", "0"], 2, "a limit of 0 pictures"),
        (["MODEL", "DATA", "--limit", "19"], 1, "19 pictures to calibrate with"),
        (["MODEL", "DATA", "--labels-by", "colour"], 2, "labels by 'colour'"),
        (["MODEL", "DATA", "--labels-by", "index"], 1, "labels name no class of the model"),
        (["MODEL", "DATA", "--label-offset", "1"], 2, "a label offset for labels by name"),
        (["MODEL", "DATA", "--workers", "0"], 2, "0 workers"),
        (["MODEL", "DATA", "--runtime", "fake"], 2, "no runtime 'fake'"),
        (["MODEL"], 2, "missing argument 'DATASET'"),
    ],
)
def test_wrong_usage(
    whatsit: Whatsit,
    model: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(model.parent)
    before = model.read_bytes()
    filled = [{"MODEL": str(model), "DATA": str(data)}.get(text, text) for text in arguments]
    run = whatsit("calibrate", *filled)
    assert (run.status, run.out) == (status, "")
    assert message in run.err
    assert run.err.count("error     ") == 1
    assert names(model.parent) == ["small.tflite"]
    assert model.read_bytes() == before


def test_a_picture_is_not_written_over(whatsit: Whatsit, model: Path, tmp_path: Path) -> None:
    folder = coloured(tmp_path / "set", 25)
    picture = folder / "photo.tflite"
    shutil.move(next(folder.glob("c0/*.png")), picture)
    rows = [f"{file.relative_to(folder)},{file.parent.name}\n" for file in folder.glob("*/*.png")]
    rows.append("photo.tflite,c0\n")
    (folder / "labels.csv").write_text("file,label\n" + "".join(rows))
    before = picture.read_bytes()
    for option in ([], ["--foreign", picture]):
        run = whatsit("calibrate", model, folder, "-o", picture, "--force", *option)
        assert (run.status, run.out) == (2, "")
        assert "would replace a file that the run reads" in run.err
    assert picture.read_bytes() == before


# ── on a terminal ────────────────────────────────────────────────────────────────────────────


def test_names_that_could_steer_a_terminal(
    whatsit: Whatsit, model: Path, data: Path, tmp_path: Path
) -> None:
    if os.name != "posix":
        pytest.skip("no such file names")
    shutil.copytree(data, tmp_path / "\x1b[31mset\n")
    strange = grey(tmp_path / "\x1b[2Jgrey [bold] and a name that is rather long", 3)
    run = whatsit("calibrate", model, tmp_path / "\x1b[31mset\n", "--foreign", strange)
    assert run.status == 0
    assert not set("\x1b\x07") & set(run.out + run.err)
    assert max(map(len, run.out.splitlines())) <= 80


def test_a_terminal_sees_a_bar_and_eighty_columns(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    whatsit: Whatsit,
    model: Path,
    data: Path,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    run = whatsit("calibrate", model, data)
    assert run.status == 0
    assert "Trying" in run.err
    assert "Trying" not in run.out
