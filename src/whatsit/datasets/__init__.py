"""Labelled pictures: what a folder or a file of labels holds, and which classes it means.

Recognised by content: a folder for each class; a CSV file with the columns file and label (or
class_index), or a folder with such a labels.csv (one with the columns class and parent is the tree
of a folder's classes); ImageNet's validation pictures with val.txt or
Kaggle's LOC_val_solution.csv.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from .. import images
from ..errors import DatasetError, UsageError
from . import folders, tables, trees
from .base import Dataset as Dataset
from .base import LeftOut as LeftOut
from .base import Row as Row
from .base import sampled as sampled
from .base import size_bytes as size_bytes
from .truths import LABELS_BY as LABELS_BY
from .truths import SPLITS as SPLITS
from .truths import Matched as Matched
from .truths import truths as truths

_TABLES = (".csv", ".tsv", ".txt")


def read(path: str | os.PathLike[str]) -> Dataset:
    """The data set at `path`. Raises DatasetError if there is none that can be used.

    UsageError for an empty name, which would be the current folder.
    """
    root, shown = Path(path), os.fspath(path)
    if not shown:
        raise UsageError(
            "a data set with an empty name",
            expected="a folder or a file; . is the current folder",
            hint="is it a shell variable that is not set?",
        )
    try:
        if root.is_dir():
            return _folder(root)
        exists = root.exists()
    except OSError as error:
        raise folders.unreadable(root, error) from error
    if not exists:
        raise DatasetError(f"no data set {shown!r}", hint="check the spelling and the folder")
    if root.suffix.casefold() in _TABLES and root.is_file():
        return tables.read(root, _name(root.parent))
    if images.is_picture_name(root.name):
        raise DatasetError(
            f"{shown!r} is one picture",
            expected="a folder for each class, or a CSV file",
            hint="`whatsit classify` says what is in it",
        )
    raise DatasetError(
        f"{shown!r} is no data set",
        expected="a folder, a file .csv or val.txt, or a .zip or .tar.gz of these",
        hint="unpack any other archive first",
    )


def _folder(root: Path) -> Dataset:
    tree = None
    for name in tables.NAMES:
        if trees.is_tree(root / name):
            tree = root / name
        elif (root / name).is_file():
            return tables.read(root / name, _name(root))
    try:
        return replace(folders.read(root, _name(root)), tree_in=tree)
    except DatasetError:
        if (root / tables.DEVKIT).is_file():  # says what is wrong with it
            tables.read(root / tables.DEVKIT, _name(root))
        raise


def _name(folder: Path) -> str:
    """Of the folder, and of the one above it where the name says only which part this is."""
    folder = folder if folder.name not in ("", "..") else folder.resolve()
    if folder.name.casefold() in SPLITS:
        return f"{folder.resolve().parent.name}/{folder.name}"
    return folder.name
