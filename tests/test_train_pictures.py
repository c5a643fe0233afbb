"""The pictures that a model is taught from: their classes, their copies, how they are split."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import full_disk
import make_dataset
import numpy as np
import pytest
from conftest import Run
from PIL import Image, ImageEnhance, ImageOps

import whatsit as package
from whatsit import DatasetError, doctor, embed, zoo
from whatsit.doctor.looks import see_all
from whatsit.doctor.twins import grouped, same_looks
from whatsit.train import lesson, pictures

PARENT = "mobilenet-v2-int8"


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of each of three kinds."""
    folder = tmp_path_factory.mktemp("made") / "textures"
    return make_dataset.write(folder, 6, kinds=("dots", "noise", "rings"), first=300)


# Classes


def test_spellings_of_one_class_are_noted(textures: Path, tmp_path: Path) -> None:
    for kind, name in (("dots", "Roses"), ("noise", "roses "), ("rings", "caf\u00e9")):
        shutil.copytree(textures / kind, tmp_path / name)
    shutil.copytree(textures / "rings", tmp_path / "Cafe\u0301")
    found = pictures.material(pictures.opened(tmp_path))
    (note,) = found.dataset.notes
    assert note.startswith("one class under several spellings?")
    assert "'Roses' and 'roses'" in note
    assert "'Cafe\u0301' and 'caf\u00e9'" in note
    assert found.names == ("Cafe\u0301", "Roses", "caf\u00e9", "roses")


def test_other_names_are_not(textures: Path) -> None:
    assert pictures.material(pictures.opened(textures)).dataset.notes == ()


def test_hints_name_no_option_that_train_lacks(textures: Path, tmp_path: Path) -> None:
    shutil.copytree(textures, tmp_path / "val")
    (tmp_path / "val" / "rings").rename(tmp_path / "val" / "ring")
    with pytest.raises(DatasetError) as caught:
        package.train(textures, validation=tmp_path / "val", parent=PARENT)
    assert "'ring': 'rings'" in caught.value.hint
    assert "out of --validation" in caught.value.hint
    assert "--skip-unknown" not in caught.value.hint


# The split


def test_the_record_says_which_pictures_there_were(textures: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(textures, tmp_path / "set")
    (folder / "dots" / "deep").mkdir()
    (folder / "dots" / "0300.png").rename(folder / "dots" / "deep" / "ü.png")
    lines = []
    for kind in ("dots", "noise", "rings"):
        for parent, _, names in os.walk(folder / kind):
            below = Path(parent).relative_to(folder).as_posix()
            lines += [f"{below}/{name}\0{kind}\n".encode() for name in names]
    assert len(lines) == 18
    expected = hashlib.sha256(b"".join(sorted(lines))).hexdigest()
    others = make_dataset.write(tmp_path / "others", 2, kinds=("dots", "noise", "rings"), first=500)
    report = package.train(others, validation=folder, parent=PARENT)
    assert report.split["test"] == {"pictures": 18, "sha256": expected}
    relative = pictures.opened(os.path.relpath(folder))
    assert lesson._list_sha256(pictures.material(relative)) == expected


def test_too_many_copies_to_hold_any_out(tmp_path: Path) -> None:
    """Two pictures a class, each many times: a fifth cannot be held out, but one in turn."""
    for kind in ("dots", "rings"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        for number in (7, 8):
            picture = make_dataset.texture(kind, number)
            for light in range(8):
                brighter = ImageEnhance.Brightness(picture).enhance(0.6 + 0.05 * light)
                brighter.save(tmp_path / "set" / kind / f"{number}-{light}.png")
    report = package.train(tmp_path / "set", parent=PARENT)
    assert report.split["train"]["pictures"] == 32
    assert report.split["test"]["pictures"] == 0
    assert any("too many pictures look the same to hold any out" in note for note in report.notes)
    assert report.accuracy_on == "set, cross-validation of the pictures learned from"


# Copies


def altered(picture: Image.Image) -> dict[str, Image.Image]:
    width, height = picture.size
    edge = (round(0.06 * width), round(0.04 * height), width, height)
    return {
        "quarter": picture.resize((width // 4 + 12, height // 4 + 12)),
        "large": picture.resize((2 * width, 2 * height)),
        "mirrored": ImageOps.mirror(picture),
        "dark": ImageEnhance.Brightness(picture).enhance(0.5),
        "cropped": picture.crop(edge),
        "grey": picture.convert("L").convert("RGB"),
    }


@pytest.fixture
def photos(tmp_path: Path) -> tuple[list[str], list[int]]:
    """Photos and copies of them, and the number of the original of each."""
    paths, originals = [], []
    for number, file in enumerate(sorted(zoo.GOLDEN.glob("*.*g"))):
        photo = Image.open(file).convert("RGB").resize((320, 240))
        for how, copy in {"original": photo, **altered(photo)}.items():
            path = tmp_path / f"{file.stem}-{how}.jpg"
            copy.save(path, quality=80)
            paths.append(str(path))
            originals.append(number)
    return paths, originals


def test_copies_are_found_as_the_doctor_finds_them(photos: tuple[list[str], list[int]]) -> None:
    paths, originals = photos
    vectors = embed(PARENT, paths).vectors
    assert doctor.groups(paths, vectors=vectors) == originals
    seen = {row: each for row, each in enumerate(see_all(paths)) if each is not None}
    pairs = [(pair.first, pair.second) for pair in same_looks(seen, vectors)]
    assert grouped(len(paths), pairs) == originals


def test_copies_that_the_model_finds_unlike(photos: tuple[list[str], list[int]]) -> None:
    """As a small copy of a large photo may be: then the looks alone must do."""
    paths, originals = photos
    strange = np.eye(len(paths), 50, dtype=np.float32)
    numbers = doctor.groups(paths, vectors=strange)
    whole = [row for row, path in enumerate(paths) if "cropped" not in path]
    assert [numbers[row] for row in whole] == [numbers[7 * originals[row]] for row in whole]
    assert len(set(numbers)) >= 6


# From the command line


def test_a_list_with_missing_files(
    whatsit: Callable[..., Run], textures: Path, tmp_path: Path
) -> None:
    rows = [f'{file},"Kreise, rund"' for file in sorted((textures / "rings").iterdir())]
    rows += [f"{file},пятна 🌸" for file in sorted((textures / "dots").iterdir())]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file,label", *rows, "gone.png,пятна 🌸"]), encoding="utf-8")
    run = whatsit("train", table, "-m", PARENT, "-o", tmp_path / "x.tflite")
    assert run.status == 0
    assert "gone.png" in run.out
    assert package.Bundle.read(tmp_path / "x.tflite").labels.names == ("Kreise, rund", "пятна 🌸")
    table.write_text("file,label\n" + "".join(f"{n}.png,{n % 2}\n" for n in range(20)))
    run = whatsit("train", table, "-m", PARENT, "-o", tmp_path / "y.tflite")
    assert run.status == 1
    assert "'0' 0, '1' 0 (20 left out, the first since: no file" in run.err
    assert not (tmp_path / "y.tflite").exists()


@full_disk.needs_limits
def test_a_full_disk(whatsit: Callable[..., Run], textures: Path, tmp_path: Path) -> None:
    with full_disk.largest_file(300_000):
        run = whatsit("train", textures, "-m", PARENT, "-o", tmp_path / "x.tflite")
    assert run.status == 1
    assert "cannot write" in run.err
    assert "File too large" in run.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_to_read_only(whatsit: Callable[..., Run], textures: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    run = whatsit("train", textures, "-m", PARENT, "-o", tmp_path / "x.tflite")
    tmp_path.chmod(0o700)
    assert run.status == 1
    assert "cannot write" in run.err
    assert list(tmp_path.iterdir()) == []
