"""A data set as a value: pictures, each with the label that the data set gives it."""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..errors import UsageError
from ..wording import shown

LabelKind = Literal["name", "index", "synset"]

_SYNSET = re.compile(r"n\d{8}")
_INDEX = re.compile(r"[0-9]{1,9}")
_LONGEST = 80  # characters of a label that are quoted
LISTED = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One picture and its label as the data set writes it."""

    path: str
    label: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that was not used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures. `kind` says in words what was recognised below `root`.

    `labels_by` is what the labels look like; `declared` is whether the data set itself says so,
    as the header `class_index` does. `notes` are remarks for a person. `whole` is what this is a
    part of: what labels mean does not depend on which of them were drawn. `listed_in` is the file
    with the labels, None where folders are; `tree_in` the one with the tree of the classes, if any.
    """

    name: str
    root: Path
    rows: tuple[Row, ...]
    labels_by: LabelKind
    kind: str = "labelled pictures"
    declared: bool = False
    notes: tuple[str, ...] = ()
    whole: Dataset | None = field(default=None, repr=False)
    listed_in: Path | None = field(default=None, repr=False)
    tree_in: Path | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, positions: Iterable[int]) -> Dataset:
        """The rows at these positions, in this order."""
        rows = tuple(self.rows[position] for position in positions)
        return replace(self, rows=rows, whole=self.whole or self)

    def place(self, row: Row) -> str:
        """Where the picture is below the root, alike from wherever the data set is named.

        That of a picture elsewhere is its absolute path.
        """
        start = os.path.join(self.root, "")
        if row.path.startswith(start):
            place = row.path[len(start) :]
        else:
            place = os.path.abspath(row.path).removeprefix(os.path.join(self.absolute_root, ""))
        return place.replace(os.sep, "/")

    @property
    def files(self) -> list[str]:
        """Every file that the data set is made of: the pictures, and a list or tree, if any."""
        listed = [os.fspath(path) for path in (self.listed_in, self.tree_in) if path is not None]
        return listed + [row.path for row in (self.whole or self).rows]

    @property
    def absolute_root(self) -> str:
        """The root as a path that does not depend on the current folder."""
        return os.path.abspath(self.root)

    def fingerprint(self) -> str:
        """A hash of the rows: paths below the root, sizes, times of change and labels."""
        digest = hashlib.sha256()
        for row in self.rows:
            for part in (self.place(row), row.label, *_size_and_time(row.path)):
                digest.update(str(part).encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()


def sampled(count: int, limit: int | None, seed: int = 0) -> list[int]:
    """`limit` of `count` positions, drawn at random without replacement, in order; all without one.

    The same seed draws the same positions. Raises UsageError for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} pictures", expected="at least 1")
    if limit is None or limit >= count:
        return list(range(count))
    return sorted(random.Random(seed).sample(range(count), limit))


def kind_of_labels(labels: Iterable[str]) -> LabelKind:
    """What `labels` look like, all of them: WordNet ids, numbers, or else names."""
    known = set(labels)
    if all(_SYNSET.fullmatch(label) for label in known):
        return "synset"
    if all(_INDEX.fullmatch(label) for label in known):
        return "index"
    return "name"


def quoted(text: str) -> str:
    """A label or a name as an error shows it: what a file holds may be of any length."""
    return shown(repr(text), _LONGEST)


def listed(labels: Iterable[str]) -> str:
    """The first few of them, and how many more there are."""
    names = list(labels)
    shown_names = ", ".join(map(quoted, names[:LISTED]))
    return f"{shown_names} and {len(names) - LISTED} more" if len(names) > LISTED else shown_names


def size_bytes(path: str) -> int | None:
    """Of a picture's file; None where there is none any more."""
    size, _ = _size_and_time(path)
    return size if size >= 0 else None


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        about = os.stat(path)
    except (OSError, ValueError):  # gone, or no possible name: that row fails when it is opened
        return -1, -1
    return about.st_size, about.st_mtime_ns
