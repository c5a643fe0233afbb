"""Teaching from end to end, on textures: what comes out, and what bad data sets say."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import make_dataset
import make_pictures
import numpy as np
import pytest
from PIL import Image

import whatsit
from whatsit import DatasetError, ModelUnsupported, UsageError, WhatsitError, datasets, zoo
from whatsit.train import add

PARENT = "mobilenet-v2-int8"
KINDS = make_dataset.KINDS


@pytest.fixture(scope="session")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures a class."""
    return make_dataset.write(tmp_path_factory.mktemp("made") / "textures", 20)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six other pictures a class."""
    return make_dataset.write(tmp_path_factory.mktemp("made") / "others", 6, first=100)


@pytest.fixture(scope="session")
def taught(
    textures: Path, others: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[whatsit.TrainingReport, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHATSIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        path = tmp_path_factory.mktemp("taught") / "textures.tflite"
        return whatsit.train(textures, parent=PARENT, validation=others, output=path), path


def train(dataset: Path, **options: Any) -> whatsit.TrainingReport:
    return whatsit.train(dataset, parent=PARENT, **options)


def test_it_is_good_at_what_it_was_taught(taught: tuple[whatsit.TrainingReport, Path]) -> None:
    report, path = taught
    assert report.accuracy.value > 0.9
    assert report.accuracy.total == 30
    assert report.float_accuracy is not None
    assert abs(report.float_accuracy.hits - report.accuracy.hits) <= len(report.flips) <= 1
    assert report.pictures == dict.fromkeys(KINDS, 20)
    assert path.read_bytes() == report.bundle.data
    assert len(report.bundle.data) < len(zoo.open_builtin(PARENT).data)


def test_the_record(taught: tuple[whatsit.TrainingReport, Path]) -> None:
    report, path = taught
    bundle = whatsit.Bundle.read(path)
    parent = zoo.open_builtin(PARENT)
    assert bundle.labels.names == KINDS
    assert bundle.preprocess == parent.preprocess
    assert bundle.record["parents"][-1] == {"name": PARENT, "sha256": parent.sha256}
    assert bundle.record["recipe"]["rule"] == "logistic"
    assert bundle.record["split"]["train"]["pictures"] == 100
    assert bundle.record["split"]["test"]["pictures"] == 30
    (row,) = bundle.record["accuracy"]
    assert row["data_set"] == "others"
    assert row["pictures"] == 30
    assert row["top1"] == pytest.approx(100 * report.accuracy.value, abs=0.01)
    low, high = row["top1_interval"]
    assert low < row["top1"] <= high
    assert bundle.metadata.license == parent.metadata.license


def test_every_way_to_run_it_gives_the_same_class(
    taught: tuple[whatsit.TrainingReport, Path], others: Path
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    report, path = taught
    assert report.evaluation is not None
    root = report.evaluation.root
    answers = {
        os.path.join(root, answer.path): answer.ranked[0][0] for answer in report.evaluation.answers
    }
    with whatsit.load(path) as model:
        found = {r.path: r.predictions[0].index for r in model.classify_many(answers)}
    assert found == answers
    rerun = whatsit.evaluate(whatsit.load(path), others)
    assert rerun.top(1).hits == report.accuracy.hits
    plain = Interpreter(model_path=str(path))
    plain.allocate_tensors()
    (given,), (asked,) = plain.get_output_details(), plain.get_input_details()
    assert (given["dtype"], list(given["shape"])) == (np.float32, [1, 5])
    for picture, answer in list(answers.items())[::7]:
        plain.set_tensor(asked["index"], pixels(report.bundle, picture)[np.newaxis])
        plain.invoke()
        assert plain.get_tensor(given["index"])[0].argmax() == answer


def test_what_storing_the_head_changes_is_named(
    taught: tuple[whatsit.TrainingReport, Path], others: Path
) -> None:
    from whatsit.train import making

    evaluation = taught[0].evaluation
    assert evaluation is not None
    held = SimpleNamespace(dataset=datasets.read(others), classes=[])
    truths = {answer.path: answer.truth for answer in evaluation.answers}
    held.classes = [truths[held.dataset.place(row)] for row in held.dataset.rows]
    given = {answer.path: answer.ranked[0][0] for answer in evaluation.answers}
    first = held.dataset.place(held.dataset.rows[0])
    floats = np.zeros((len(held.classes), 5), np.float32)  # a head that agrees but for one picture
    for row, picture in enumerate(held.dataset.rows):
        floats[row, given[held.dataset.place(picture)]] = 1
    floats[0] = np.roll(floats[0], 1)
    lesson = SimpleNamespace(held=held, learned=evaluation.labels)
    product = SimpleNamespace(best=floats.argmax(axis=1))
    (flip,) = making._flips(cast(Any, lesson), cast(Any, product), evaluation)
    assert flip.path == first


def pixels(bundle: whatsit.Bundle, path: str) -> np.ndarray:
    from whatsit import images, preprocess

    image = images.open_image(path)
    size = (bundle.input.height, bundle.input.width)
    return preprocess.run(bundle.preprocess, image, size)[0]


def test_mediapipe_gives_the_same_class(
    taught: tuple[whatsit.TrainingReport, Path], others: Path
) -> None:
    from test_mediapipe import categories, judge

    report, path = taught
    with judge(path.read_bytes()) as classifier, whatsit.load(path) as model:
        for kind in KINDS:
            picture = others / kind / "0103.png"
            shown = pixels(report.bundle, str(picture))  # cut and resized, as it takes no rule
            rows = categories(classifier, shown)
            assert [row.category_name for row in rows][:1] == [
                model.classify(picture).predictions[0].label
            ]


def test_the_same_bytes_twice(
    taught: tuple[whatsit.TrainingReport, Path], textures: Path, others: Path, tmp_path: Path
) -> None:
    again = train(textures, validation=others, output=tmp_path / "of-another-name.tflite")
    assert again.bundle.data == taught[1].read_bytes()
    assert (tmp_path / "of-another-name.tflite").read_bytes() == again.bundle.data


def test_a_fifth_is_held_out(textures: Path) -> None:
    first = train(textures)
    assert sum(first.pictures.values()) + first.accuracy.total == 100
    assert first.accuracy.total in range(15, 26)
    assert first.accuracy_on == "textures, held out"
    assert train(textures, seed=1).split["test"] != first.split["test"]


def test_few_pictures_are_all_learned_from(others: Path) -> None:
    report = train(others)
    assert report.recipe["rule"] in ("ridge", "means")
    assert sum(report.pictures.values()) == report.accuracy.total == 30
    assert report.evaluation is None
    assert "each picture left out in turn" in report.accuracy_on
    assert "fewer than 10 pictures" in report.notes[0]


def test_few_shot_by_wish(textures: Path, others: Path) -> None:
    report = train(textures, few_shot=True, validation=others)
    assert report.recipe["rule"] in ("ridge", "means")
    assert report.accuracy.value > 0.8
    assert report.notes == ()


def test_a_float_parent(textures: Path, others: Path) -> None:
    report = whatsit.train(textures, parent="mobilenet-v2-float16", validation=others)
    assert report.accuracy.value > 0.9
    assert report.flips == ()


def test_copies_of_what_is_measured_with_are_left_out(
    textures: Path, others: Path, tmp_path: Path
) -> None:
    mixed = shutil.copytree(textures, tmp_path / "mixed")
    shutil.copy(others / "rings" / "0101.png", mixed / "rings" / "copy.png")
    report = train(mixed, validation=others)
    assert str(mixed / "rings" / "copy.png") in [row.path for row in report.left_out]
    assert report.pictures["rings"] == 20


def copied(others: Path, folder: Path, pictures: int, copies: int) -> Path:
    """Two classes of that many pictures, each in that many copies."""
    for kind in KINDS[:2]:
        (folder / kind).mkdir(parents=True)
        for number in range(pictures):
            for copy in range(copies):
                source = others / kind / f"010{number}.png"
                shutil.copy(source, folder / kind / f"{number}-{copy}.png")
    return folder


@pytest.mark.parametrize("few_shot", [False, True])
def test_classes_of_one_picture_in_copies(others: Path, tmp_path: Path, few_shot: bool) -> None:
    with pytest.raises(DatasetError, match="look the same"):
        train(copied(others, tmp_path / "set", 1, 12), few_shot=few_shot)


def test_classes_of_two_pictures_in_copies(others: Path, tmp_path: Path) -> None:
    report = train(copied(others, tmp_path / "set", 2, 8))
    if report.split["test"]["pictures"] == 0:
        assert "cross-validation" in report.accuracy_on
        assert any("look the same" in note for note in report.notes)
    else:
        assert "held out" in report.accuracy_on


# One more class


def test_adding_a_class(textures: Path, others: Path, tmp_path: Path) -> None:
    four = shutil.copytree(textures, tmp_path / "four")
    shutil.rmtree(four / "stripes")
    path = tmp_path / "model.tflite"
    first = train(four, few_shot=True, output=path)
    report = add("stripes", textures / "stripes", to=path, validation=others)
    assert report.bundle.labels.names == (*KINDS[:4], "stripes")
    assert report.pictures["stripes"] == 20
    assert report.accuracy.value > 0.9
    assert report.evaluation is not None
    found = {score.name: score for score in report.evaluation.per_class()}
    assert found["stripes"].correct >= 5
    assert [p["sha256"] for p in report.bundle.record["parents"]][-1] == first.bundle.sha256
    assert "remembered pictures" in report.notes[0]
    again = add("noise 2", textures / "noise", to=report.bundle)
    assert len(again.bundle.labels) == 6


def test_an_addition_is_only_estimated(
    taught: tuple[whatsit.TrainingReport, Path], others: Path
) -> None:
    report = add("rings 2", others / "rings", to=taught[1])
    assert report.accuracy is None
    assert report.estimate is not None
    assert 0 < report.estimate <= 1
    assert "accuracy" not in report.bundle.record
    assert set(report.bundle.record["estimate"]) == {"data_set", "pictures", "top1"}


def test_added_copies_of_what_is_measured_with(
    textures: Path, others: Path, tmp_path: Path
) -> None:
    four = shutil.copytree(textures, tmp_path / "four")
    shutil.rmtree(four / "stripes")
    new = shutil.copytree(textures / "stripes", tmp_path / "new")
    shutil.copy(others / "stripes" / "0101.png", new / "copy.png")
    report = add("stripes", new, to=train(four, few_shot=True).bundle, validation=others)
    assert str(new / "copy.png") in [row.path for row in report.left_out]
    assert report.pictures["stripes"] == 20


def test_damaged_memories() -> None:
    from whatsit.train.memory import Memory

    same = Memory.of(np.ones((6, 8), np.float32), np.array([0, 0, 0, 1, 1, 1]))
    value = same.to_json()
    assert np.allclose(Memory.from_json(value).vectors(), 1)
    for harm in (
        {"steps": "AAAAAA=="},
        {"pictures": [float("inf"), 3]},
        {"pictures": [3, -1]},
        {"mean": "AAAAAA=="},
    ):
        with pytest.raises(whatsit.ModelError, match="remembers"):
            Memory.from_json({**value, **harm})


def test_adding_what_is_there(taught: tuple[whatsit.TrainingReport, Path], others: Path) -> None:
    with pytest.raises(UsageError, match="'Rings' is there already"):
        add("Rings", others / "rings", to=taught[1])


def test_adding_to_what_remembers_nothing(others: Path) -> None:
    with pytest.raises(ModelUnsupported, match="remembers nothing"):
        add("rings", others / "rings", to=PARENT)
    bundle = train(others, remember=False).bundle
    with pytest.raises(ModelUnsupported, match="remembers nothing"):
        add("new", others / "rings", to=bundle)


@pytest.mark.parametrize("harm", ["mean", "points", "classes", "pictures"])
def test_adding_to_a_spoilt_memory(
    taught: tuple[whatsit.TrainingReport, Path], others: Path, harm: str
) -> None:
    bundle = taught[0].bundle
    memory = {**bundle.record["memory"], harm: "AAA"}
    bundle = whatsit.Bundle(**{**vars_of(bundle), "record": {**bundle.record, "memory": memory}})
    with pytest.raises(whatsit.ModelError, match="remember"):
        add("new", others / "rings", to=bundle)


def test_adding_to_a_memory_of_another_width(
    taught: tuple[whatsit.TrainingReport, Path], others: Path
) -> None:
    from whatsit.train.memory import Memory

    bundle, chance = taught[0].bundle, np.random.default_rng(0)
    other = Memory.of(chance.normal(size=(20, 8)).astype(np.float32), np.arange(20) % len(KINDS))
    record = {**bundle.record, "memory": other.to_json()}
    bundle = whatsit.Bundle(**{**vars_of(bundle), "record": record})
    with pytest.raises(whatsit.ModelDamaged, match="embeddings of 8 values") as caught:
        add("new", others / "rings", to=bundle)
    assert caught.value.expected == "1280, as its last layer takes"


def vars_of(bundle: whatsit.Bundle) -> dict[str, Any]:
    import dataclasses

    return {field.name: getattr(bundle, field.name) for field in dataclasses.fields(bundle)}


@pytest.mark.parametrize("content", [None, "file", "empty"])
def test_adding_from_no_pictures(
    taught: tuple[whatsit.TrainingReport, Path], tmp_path: Path, content: str | None
) -> None:
    folder = tmp_path / "new"
    if content == "file":
        folder.write_bytes(b"")
    elif content == "empty":
        folder.mkdir()
    with pytest.raises(DatasetError, match="new"):
        add("new", folder, to=taught[1])


# Data sets as people have them


def test_archives(others: Path, tmp_path: Path) -> None:
    expected = train(others).bundle.record["split"]["train"]
    with zipfile.ZipFile(tmp_path / "others.zip", "w") as packed:
        packed.writestr("__MACOSX/others/rings/._0101.png", b"")
        for file in sorted(others.rglob("*.png")):
            packed.write(file, f"others/{file.relative_to(others)}")
    with tarfile.open(tmp_path / "others.tgz", "w:gz") as packed_tar:
        packed_tar.add(others, "./deeper/others")
    for name in ("others.zip", "others.tgz"):
        report = train(tmp_path / name)
        assert report.bundle.labels.names == KINDS
        assert report.split["data_set"] == "others"
        assert report.bundle.record["split"]["train"] == expected


def test_an_archive_that_leads_out_of_its_folder(tmp_path: Path, cat: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        packed.write(cat, "../evil/cat.png")
    with pytest.raises(DatasetError, match="leads out of its folder") as caught:
        train(tmp_path / "evil.zip")
    assert "unpack it yourself" in caught.value.hint
    assert not (tmp_path.parent / "evil").exists()


def test_an_archive_whose_list_names_other_files(tmp_path: Path, cat: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        packed.write(cat, "cat.png")
        packed.writestr("labels.csv", f"file,label\ncat.png,a\n{cat},b\n")
    with pytest.raises(DatasetError, match="which is not in it"):
        train(tmp_path / "evil.zip")


@pytest.mark.parametrize("cut", [30, 2000])
def test_a_damaged_archive(others: Path, tmp_path: Path, cut: int) -> None:
    with tarfile.open(tmp_path / "whole.tgz", "w:gz") as packed:
        packed.add(others, "others")
    content = (tmp_path / "whole.tgz").read_bytes()
    (tmp_path / "cut.tgz").write_bytes(content[:cut])
    with pytest.raises(DatasetError, match=r"cut\.tgz"):
        train(tmp_path / "cut.tgz")


def test_a_csv_with_odd_names_and_missing_files(others: Path, tmp_path: Path) -> None:
    names = {"rings": 'Kreise, "rund"', "dots": "пятна 🌸"}
    with open(tmp_path / "labels.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "label"])
        for kind, name in names.items():
            for picture in sorted((others / kind).iterdir()):
                rows.writerow([picture, name])
        rows.writerow(["gone.png", 'Kreise, "rund"'])
    report = train(tmp_path / "labels.csv")
    assert report.bundle.labels.names == tuple(sorted(names.values()))
    assert [row.path for row in report.left_out] == [str(tmp_path / "gone.png")]
    assert set(report.pictures.values()) == {6}


def test_corrupt_pictures_hidden_and_nested_folders(others: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(others, tmp_path / "odd")
    whole = (folder / "rings" / "0100.png").read_bytes()
    (folder / "rings" / "cut.png").write_bytes(whole[:200])
    (folder / "rings" / "empty.jpg").write_bytes(b"")
    (folder / "rings" / ".hidden.png").write_bytes(b"")
    (folder / ".thumbnails").mkdir()
    (folder / "dots" / "deep" / "deeper").mkdir(parents=True)
    for number, picture in enumerate(sorted((folder / "dots").glob("*.png"))[:3]):
        picture.rename(folder / "dots" / "deep" / "deeper" / f"{number}.png")
    (folder / "loose.png").write_bytes(whole)
    report = train(folder)
    assert report.pictures == dict.fromkeys(KINDS, 6)
    assert sorted(Path(row.path).name for row in report.left_out) == ["cut.png", "empty.jpg"]
    assert any("beside the folders" in text for text in report.notes)


def test_numbered_classes_are_in_order(others: Path, tmp_path: Path) -> None:
    for number, kind in enumerate(KINDS, 7):
        shutil.copytree(others / kind, tmp_path / "n" / str(number))
    report = train(tmp_path / "n")
    assert report.bundle.labels.names == ("7", "8", "9", "10", "11")


def one_class(folder: Path, others: Path) -> None:
    shutil.copytree(others / "rings", folder / "rings")


def empty_class(folder: Path, others: Path) -> None:
    shutil.copytree(others, folder, dirs_exist_ok=True)
    (folder / "nothing").mkdir()


def no_pictures(folder: Path, others: Path) -> None:
    (folder / "rings").mkdir()


def nothing(folder: Path, others: Path) -> None:
    pass


def one_each(folder: Path, others: Path) -> None:
    for kind in KINDS:
        (folder / kind).mkdir()
        shutil.copy(others / kind / "0100.png", folder / kind)


def parts(folder: Path, others: Path) -> None:
    shutil.copytree(others, folder / "train")
    shutil.copytree(others, folder / "val")


def one_too_deep(folder: Path, others: Path) -> None:
    shutil.copytree(others, folder / "flower_photos")


def all_broken(folder: Path, others: Path) -> None:
    shutil.copytree(others, folder, dirs_exist_ok=True)
    for picture in (folder / "rings").iterdir():
        picture.write_bytes(b"no picture")


def of_two_lines(folder: Path, others: Path) -> None:
    shutil.copytree(others / "rings", folder / "two\nlines")
    shutil.copytree(others / "dots", folder / "dots")


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (one_class, "one class, 'rings'", "anything else"),
        (empty_class, "no pictures in the folder 'nothing'", "remove the folder"),
        (no_pictures, "no pictures in the folders", ""),
        (nothing, "is empty", ""),
        (one_each, "5 of 5 classes have fewer than 2 pictures: 'checks' 1", ""),
        (parts, "are 'train', 'val'", "--validation"),
        (one_too_deep, "one class, 'flower_photos'", "did you mean"),
        (all_broken, r"'rings' 0 \(6 left out, the first since: ", ""),
        (of_two_lines, r"'two\\nlines'", ""),
    ],
)
def test_data_sets_that_cannot_be_taught(
    make: Callable[[Path, Path], None], message: str, hint: str, others: Path, tmp_path: Path
) -> None:
    folder, output = tmp_path / "set", tmp_path / "model.tflite"
    folder.mkdir()
    make(folder, others)
    with pytest.raises(DatasetError, match=message) as caught:
        train(folder, output=output)
    assert caught.value.expected
    assert hint in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_thousand_classes_of_two_pictures(tmp_path: Path) -> None:
    """Tiny pictures, each class of a colour of its own; the two differ by noise."""
    chance = np.random.default_rng(0)
    with open(tmp_path / "labels.csv", "w", encoding="ascii") as file:
        file.write("file,label\n")
        for number in range(1000):
            colours = chance.integers(0, 256, (3, 3, 3))
            for copy in range(2):
                noisy = np.clip(colours + chance.normal(0, 2, (3, 3, 3)), 0, 255)
                picture = Image.fromarray(noisy.astype(np.uint8))
                path = tmp_path / f"{number}-{copy}.png"
                path.write_bytes(make_pictures.encoded(picture, "PNG"))
                file.write(f"{path.name},class {number}\n")
    report = train(tmp_path / "labels.csv")
    assert len(report.bundle.labels) == 1000
    assert report.accuracy.total == 2000
    with whatsit.Classifier(report.bundle) as taught:
        right = [
            taught.classify(tmp_path / f"{n}-0.png").predictions[0].label == f"class {n}"
            for n in range(0, 1000, 50)
        ]
    assert sum(right) > 10


def test_labels_of_the_validation_pictures_must_be_known(others: Path, tmp_path: Path) -> None:
    odd = shutil.copytree(others, tmp_path / "odd")
    (odd / "rings").rename(odd / "ringz")
    with pytest.raises(DatasetError, match="'ringz'") as caught:
        train(others, validation=odd)
    assert "'rings'" in caught.value.hint


def test_a_class_that_nothing_measures_is_told(
    others: Path, textures: Path, tmp_path: Path
) -> None:
    some = shutil.copytree(others, tmp_path / "some")
    shutil.rmtree(some / "rings")
    report = train(textures, validation=some)
    assert "no picture to measure with of 'rings': it does not count in Top-1" in report.notes


def test_what_macos_puts_into_folders_is_no_class(others: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(others, tmp_path / "textures")
    (folder / "__MACOSX" / "rings").mkdir(parents=True)
    (folder / "__MACOSX" / "rings" / "._0.png").write_bytes(b"\0\5\x16\7")
    assert train(folder).bundle.labels.names == KINDS


def test_without_the_extra(others: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(whatsit.ExtraMissing) as caught:
        train(others)
    assert "whatsit[train]" in caught.value.hint


# Places to write to


def test_an_output_that_is_there(others: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.tflite"
    output.write_bytes(b"precious")
    with pytest.raises(UsageError, match="is there already") as caught:
        train(others, output=output)
    assert "--force" in caught.value.hint
    assert output.read_bytes() == b"precious"
    train(others, output=output, force=True)
    assert whatsit.Bundle.read(output).labels.names == KINDS


@pytest.mark.parametrize("name", ["none/model.tflite", "model.onnx", ".tflite"])
def test_outputs_that_cannot_be(others: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(WhatsitError, match=r"model|\.tflite"):
        train(others, output=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WhatsitError, match="No space left"):
        train(others, output=tmp_path / "model.tflite")
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_is_not_there(others: Path) -> None:
    with pytest.raises(UsageError, match="'magic'"):
        train(others, method="magic")
