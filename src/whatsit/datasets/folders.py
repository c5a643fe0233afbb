"""A folder for each class: the name of the folder is the label of every picture below it."""

from __future__ import annotations

import os
from pathlib import Path

from .. import images
from ..errors import DatasetError
from .base import Dataset, Row, kind_of_labels, listed

KIND = "a folder for each class"
_LAYOUTS = "a folder for each class, or a labels.csv with file,label"


def read(root: Path, name: str) -> Dataset:
    """The data set below `root`; hidden files and folders are skipped.

    Raises DatasetError where there are no pictures in folders.
    """
    rows: list[Row] = []
    empty: list[str] = []
    loose = 0
    for entry in _entries(root):
        if entry.is_dir():
            found = [Row(path, entry.name) for path in pictures_below(entry.path)]
            rows += found
            if not found:
                empty.append(entry.name)
        elif images.is_picture_name(entry.name):
            loose += 1
    if not rows:
        raise _nothing(root, loose, empty)
    notes = []
    if loose:
        notes.append(
            f"left out, since they lie beside the folders, without a label: {loose} of the pictures"
        )
    if empty:
        notes.append(f"no pictures in {listed(empty)}")
    labels_by = kind_of_labels(row.label for row in rows)
    return Dataset(name, root, tuple(rows), labels_by, KIND, notes=tuple(notes))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none of the person's: hidden, or macOS's own."""
    return name[0] == "." or name == "__MACOSX"


def unreadable(path: str | os.PathLike[str], error: OSError) -> DatasetError:
    """The error of a data set that the system does not let us read."""
    return DatasetError(
        f"cannot read {os.fspath(path)!r}: {error.strerror or error}",
        hint=""
        if isinstance(error, FileNotFoundError)
        else "change its permissions or run as its owner",
    )


def _entries(root: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root) as found:
            return sorted((e for e in found if not is_hidden(e.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(root, error) from error


def pictures_below(folder: str) -> list[str]:
    """Pictures at any depth, sorted; links to folders are not followed."""
    found: list[str] = []
    failures: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=failures.append):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(files):
            if not is_hidden(name) and images.is_picture_name(name):
                found.append(os.path.join(parent, name))
    for failure in failures:  # silently fewer pictures would be another data set
        raise unreadable(failure.filename or folder, failure)
    return found


def _nothing(root: Path, loose: int, empty: list[str]) -> DatasetError:
    name = os.fspath(root)
    if loose:
        return DatasetError(
            f"the {loose} pictures in {name!r} have no labels",
            expected=_LAYOUTS,
            hint="put the pictures of each class into a folder with its name",
        )
    if empty:
        return DatasetError(f"no pictures in the folders of {name!r}", expected=_LAYOUTS)
    return DatasetError(f"the folder {name!r} is empty", expected=_LAYOUTS)
