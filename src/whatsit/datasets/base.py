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

LabelKind = Literal["name", "index", "synset"]

_SYNSET = re.compile(r"n\d{8}")
_INDEX = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Row:
    """One picture and its label as the data set writes it."""

    path: str
    label: str


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures. `kind` says in words what was recognised below `root`.

    `labels_by` is what the labels look like; `declared` is whether the data set itself says so,
    as the header `class_index` does. `notes` are remarks for a person. `whole` is what this is a
    part of: what labels mean does not depend on which of them were drawn.
    """

    name: str
    root: Path
    rows: tuple[Row, ...]
    labels_by: LabelKind
    kind: str = "labelled pictures"
    declared: bool = False
    notes: tuple[str, ...] = ()
    whole: Dataset | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, positions: Iterable[int]) -> Dataset:
        """The rows at these positions, in this order."""
        rows = tuple(self.rows[position] for position in positions)
        return replace(self, rows=rows, whole=self.whole or self)

    def fingerprint(self) -> str:
        """A hash of the rows: paths below the root, sizes, times of change and labels."""
        digest = hashlib.sha256()
        start = os.path.join(self.root, "")
        for row in self.rows:
            for part in (row.path.removeprefix(start), row.label, *_size_and_time(row.path)):
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


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        about = os.stat(path)
    except (OSError, ValueError):  # gone, or no possible name: that row fails when it is opened
        return -1, -1
    return about.st_size, about.st_mtime_ns
