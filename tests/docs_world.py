"""The folder in which the documentation's commands run: a little of everything they name."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path

import make_dataset
import numpy as np
from make_models import bare
from PIL import Image

import whatsit
from whatsit import zoo
from whatsit.classifier import open_bundle

# The golden pictures with what they show, as folders of a data set.
_LABELS = {
    "tabby": "cat.png",
    "espresso": "coffee.png",
    "daisy": "flower.jpg",
    "palace": "temple.jpg",
    "missile": "rocket.jpg",
    "tripod": "camera.png",
}
_FLOWERS = {"daisy": "checks", "dandelion": "rings", "roses": "stripes"}
_GOLDEN = ("cat.png", "coffee.png", "flower.jpg")


def build(root: Path) -> None:
    """Writes everything into `root`; some seconds, of which two models take most."""
    _pictures(root)
    _data_sets(root)
    _tables(root)
    _models(root)
    _second_opinions(root)
    _video(root / "clip.mp4")


def _pictures(root: Path) -> None:
    for name in _GOLDEN:
        shutil.copy(zoo.GOLDEN / name, root)
    shutil.copy(zoo.GOLDEN / "flower.jpg", root / "photo.jpg")
    (root / "notes.txt").write_text("no picture\n")
    for folder in ("photos", "holiday", "more", "some", "incoming", "Pictures"):
        (root / folder).mkdir()
        for picture in zoo.GOLDEN.glob("*.jpg"):
            shutil.copy(picture, root / folder)
    for name in _GOLDEN:
        shutil.copy(zoo.GOLDEN / name, root / "photos")
    Image.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(root / "photos" / "grey.png")
    (root / "photos" / "zebra.jpg").write_bytes(b"\xff\xd8\xff cut short")


def _data_sets(root: Path) -> None:
    for folder in ("pictures", "labelled", "my-pictures"):
        for label, picture in _LABELS.items():
            (root / folder / label).mkdir(parents=True)
            shutil.copy(zoo.GOLDEN / picture, root / folder / label)
    _flowers(root / "flowers", first=0, pictures=10)
    _flowers(root / "more-flowers", first=50, pictures=3)
    (root / "new" / "tulips").mkdir(parents=True)
    for number in range(4):
        make_dataset.texture("dots", number).save(root / "new" / "tulips" / f"{number}.jpg")


def _flowers(folder: Path, *, first: int, pictures: int) -> None:
    for name, kind in _FLOWERS.items():
        (folder / name).mkdir(parents=True)
        for number in range(first, first + pictures):
            picture = make_dataset.texture(kind, number)
            picture.save(folder / name / f"{number:04}.jpg", quality=92)


def _tables(root: Path) -> None:
    (root / "list.txt").write_text("photo.jpg\ncat.png\n")
    with open(root / "catalogue.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "path"), (1, "photo.jpg"), (2, "cat.png")])
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:  # the blocks that need it will say so
        return
    pyarrow.parquet.write_table(
        pyarrow.table({"path": ["photo.jpg", "cat.png"]}), root / "images.parquet"
    )


def _models(root: Path) -> None:
    flowers = root / "flowers"
    whatsit.train(flowers, output=root / "flowers.tflite")
    shutil.copy(root / "flowers.tflite", root / "mine.tflite")
    parent = "efficientnet-lite0-float16"
    whatsit.train(flowers, parent=parent, output=root / "flowers-float.tflite")
    taught = open_bundle(root / "flowers.tflite")
    (root / "bare.tflite").write_bytes(bare(taught.data))
    shutil.copy(root / "bare.tflite", root / "net.tflite")
    with zipfile.ZipFile(root / "flowers.zip", "w") as archive:
        archive.write(root / "bare.tflite", "flowers.tflite")
        archive.writestr("labels.txt", "".join(f"{name}\n" for name in taught.labels.names))
    (root / "labels.txt").write_text("".join(f"{name}\n" for name in taught.labels.names))


def _second_opinions(root: Path) -> None:
    """A model, another one, and what some program answered: for the model doctor."""
    for name in ("model.tflite", "right.tflite"):
        shutil.copy(zoo.open_builtin(zoo.DEFAULT).path, root / name)
    with whatsit.load() as model:
        answer = {**model.classify(root / "photo.jpg").to_json(), "path": "photo.jpg"}
    (root / "result.json").write_text(json.dumps(answer) + "\n")


def _video(path: Path) -> None:
    """Three seconds of a coffee, two of a camera on its tripod, three of the coffee again."""
    try:
        import make_videos
    except ImportError:
        return
    coffee, camera = (
        np.asarray(Image.open(zoo.GOLDEN / name).convert("RGB").resize((320, 240)))
        for name in ("coffee.png", "camera.png")
    )
    make_videos.write(path, [coffee] * 30 + [camera] * 20 + [coffee] * 30, rate=10)
