"""A data set as the doctor sees it: one part, or several such as the folders train and val."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .. import datasets
from ..datasets import Dataset, folders
from ..datasets.folders import is_hidden
from ..errors import UsageError
from ..opening import Place
from .values import Picture

_LISTS = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Part:
    """A data set, and its name among the parts."""

    name: str
    dataset: Dataset

    @property
    def in_folders(self) -> bool:
        """Whether its pictures lie in a folder for each class, and are not listed by a file."""
        return self.dataset.kind == folders.KIND

    def pictures(self) -> list[Picture]:
        """Its rows."""
        return [Picture(row.path, row.label, self.name) for row in self.dataset.rows]


def read(place: Place) -> list[Part]:
    """The data set at `place`, or one part for each of its folders train, val and test.

    Raises DatasetError if there is none that can be used.
    """
    splits = _splits(Path(place.path))
    if len(splits) < 2:
        dataset = place.read()
        return [Part(dataset.name, dataset)]
    return [Part(folder.name, place.read(folder)) for folder in splits]


def apart(own: list[Part], others: list[Part]) -> list[Part]:
    """The parts of two data sets, with names that differ.

    Raises UsageError if a part of the one is a part of the other.
    """
    taken = {part.name for part in own}
    renamed = []
    for part in others:
        name, number = part.name, 2
        while name in taken:
            name, number = f"{part.name} ({number})", number + 1
        taken.add(name)
        renamed.append(Part(name, part.dataset))
    for one in own:
        for other in others:
            if _same(one.dataset, other.dataset):
                raise UsageError(
                    f"{str(one.dataset.root)!r} and {str(other.dataset.root)!r} "
                    "are the same data set",
                    expected="two that share no pictures, such as train and val",
                )
    return own + renamed


def _same(one: Dataset, other: Dataset) -> bool:
    """Whether they are one, however their paths are written."""
    if os.path.realpath(one.root) != os.path.realpath(other.root):
        return False
    return {os.path.realpath(row.path) for row in one.rows} == {
        os.path.realpath(row.path) for row in other.rows
    }


def root_of(every: list[Part]) -> str:
    """The folder that holds all parts; nothing if none is known to."""
    try:
        return os.path.commonpath([part.dataset.root for part in every])
    except ValueError:  # absolute and relative ones, or those of several drives
        return ""


def _splits(root: Path) -> list[Path]:
    """The folders of `root`, if all that have a name which says so are parts of a split."""
    try:
        inside = sorted(entry for entry in root.iterdir() if not is_hidden(entry.name))
    except OSError:  # no folder: datasets.read says what is wrong
        return []
    if any(entry.suffix.casefold() in _LISTS and entry.is_file() for entry in inside):
        return []
    below = [entry for entry in inside if entry.is_dir()]
    named = [folder for folder in below if folder.name.casefold() in datasets.SPLITS]
    return sorted(named, key=_order) if len(named) == len(below) else []


def _order(folder: Path) -> tuple[bool, str]:
    """The part that is trained on first."""
    return not folder.name.casefold().startswith("train"), folder.name


def name_of(place: Place) -> str:
    """The name of a data set that has parts: that of its archive or folder."""
    return place.name or Path(place.path).resolve().name
