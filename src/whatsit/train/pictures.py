"""The pictures that a model is taught from: opened, checked, and given class indices."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import datasets, opening
from ..datasets import Dataset, LeftOut
from ..datasets.truths import SPLITS
from ..doctor.classes import spellings
from ..errors import DatasetError
from ..labels import Labels

LEAST_PICTURES = 2  # of a class: with one, nothing can say whether it was learned

_LISTED = 5


@dataclass(frozen=True)
class Material:
    """A data set whose labels are classes: `names` in their order, and the class of each row.

    `tree` has the same names, in a tree; None without one.
    """

    dataset: Dataset
    names: tuple[str, ...]
    classes: tuple[int, ...]
    tree: Labels | None = None

    @property
    def labels(self) -> Labels:
        """The classes as a bundle has them."""
        return self.tree or Labels(self.names)

    @property
    def paths(self) -> list[str]:
        """The pictures, in the order of the rows."""
        return [row.path for row in self.dataset.rows]

    def only(self, rows: list[int]) -> Material:
        """These rows, in this order; the classes stay."""
        classes = tuple(self.classes[row] for row in rows)
        return replace(self, dataset=self.dataset.only(rows), classes=classes)

    def counts(self) -> dict[str, int]:
        """How many pictures each class has, those with none too."""
        found = Counter(self.classes)
        return {name: found[index] for index, name in enumerate(self.names)}


def opened(
    source: Dataset | str | os.PathLike[str], progress: opening.Progress | None = None
) -> Dataset:
    """The data set that `source` is or names. Raises what `opening.read` raises."""
    return (
        source
        if isinstance(source, Dataset)
        else _told_apart(opening.read(source, progress=progress))
    )


def material(dataset: Dataset, tree: str | os.PathLike[str] | None = None) -> Material:
    """The data set with its classes in order: by number if all labels are numbers, else by name.

    They hang in the tree of that file, or else in the data set's own, if it has one. Raises
    DatasetError for labels that cannot be names of classes, or fewer than two, or another tree.
    """
    _check_folders(dataset)
    rows = [replace(row, label=class_name(row.label)) for row in dataset.rows]
    dataset = replace(dataset, rows=tuple(rows))
    labels = {row.label for row in rows}
    numbers = all(label.isdecimal() and label.isascii() for label in labels)
    names = sorted(labels, key=lambda label: (int(label) if numbers else 0, label))
    if len(names) < 2:
        raise DatasetError(
            f"one class, {names[0]!r}, in {os.fspath(dataset.root)!r}",
            expected="at least two classes to tell apart",
            hint="a folder for each class; pictures of anything else make a second one",
        )
    if {name.casefold() for name in names} <= SPLITS:
        raise DatasetError(
            f"the folders of {os.fspath(dataset.root)!r} are {', '.join(map(repr, names))}",
            expected="a folder for each class",
            hint="these look like parts of a data set: teach from one, and name the other with "
            "--validation",
        )
    place = {name: index for index, name in enumerate(names)}
    dataset = replace(dataset, notes=(*dataset.notes, *_misspelt(names)))
    tree = tree or dataset.tree_in
    return Material(
        dataset,
        tuple(names),
        tuple(place[row.label] for row in rows),
        None if tree is None else datasets.trees.read(tree, names),
    )


def _misspelt(names: Sequence[str]) -> list[str]:
    """A note where two classes look like one, as on a system that tells case apart."""
    same = [" and ".join(map(repr, alike)) for alike in spellings(names)]
    if not same:
        return []
    more = f" and {len(same) - _LISTED} more" if len(same) > _LISTED else ""
    shown = "; ".join(same[:_LISTED])
    return [f"one class under several spellings? each is taught as its own: {shown}{more}"]


def matched(dataset: Dataset, names: tuple[str, ...]) -> Material:
    """Pictures to measure with, by the classes that are taught. Raises DatasetError for others."""
    dataset = replace(
        dataset, rows=tuple(replace(row, label=class_name(row.label)) for row in dataset.rows)
    )
    found = datasets.truths(
        dataset,
        Labels(names),
        labels_by="name",
        to_leave_out="take the pictures of other classes out of --validation",
    ).indices
    return Material(dataset, names, tuple(index for index in found if index is not None))


def check_counts(found: Material, left_out: Sequence[LeftOut]) -> None:
    """Raises DatasetError where a class has too few pictures that can be read."""
    counts = found.counts()
    few = {name: count for name, count in counts.items() if count < LEAST_PICTURES}
    if not few:
        return
    shown = ", ".join(f"{name!r} {count}" for name, count in list(few.items())[:_LISTED])
    more = f" and {len(few) - _LISTED} more" if len(few) > _LISTED else ""
    unread = ""
    if left_out:
        unread = f" ({len(left_out)} left out, the first since: {left_out[0].reason})"
    raise DatasetError(
        f"{len(few)} of {len(counts)} classes have fewer than {LEAST_PICTURES} pictures: "
        f"{shown}{more}{unread}",
        expected=f"at least {LEAST_PICTURES} pictures of each class, better 20 or more",
    )


def without_copies(
    paths: Sequence[str], groups: Sequence[int], count: int
) -> tuple[list[int], list[LeftOut]]:
    """Which of the first `count` pictures look like none of the others, which are measured with.

    And those that do, left out: `groups` are equal for pictures that look the same.
    """
    taken = dict(zip(groups[count:], paths[count:], strict=True))
    kept = [row for row in range(count) if groups[row] not in taken]
    return kept, [
        LeftOut(paths[row], f"it looks like {taken[groups[row]]!r}, which is measured with")
        for row in range(count)
        if groups[row] in taken
    ]


def class_name(label: str) -> str:
    """The label without blanks around it. Raises DatasetError if no model file can hold it."""
    name = label.strip()
    if len(name.splitlines()) != 1 or "\0" in name:
        raise DatasetError(f"the label {label!r}", expected="a class name of one line")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"the label {label!r} is no text in UTF-8", hint="rename the folder"
        ) from error
    return name


def _check_folders(dataset: Dataset) -> None:
    """A folder without pictures would be a class that is never learned."""
    if dataset.kind != datasets.folders.KIND:
        return
    known = {row.label for row in dataset.rows}
    with os.scandir(dataset.root) as entries:
        folders = [
            entry.name
            for entry in entries
            if entry.is_dir() and not datasets.folders.is_hidden(entry.name)
        ]
    empty = sorted(set(folders) - known)
    if empty:
        raise DatasetError(
            f"no pictures in the folder {empty[0]!r}"
            + (f" and {len(empty) - 1} more" if len(empty) > 1 else ""),
            expected="pictures of each class",
            hint="remove the folder, or put pictures into it",
        )


def _told_apart(dataset: Dataset) -> Dataset:
    """The data set; one whose only folder holds the folders of the classes is meant by that one."""
    labels = {row.label for row in dataset.rows}
    if dataset.kind != datasets.folders.KIND or len(labels) != 1:
        return dataset
    (label,) = labels
    inner = dataset.root / label
    folders = {Path(row.path).relative_to(inner).parts[0] for row in dataset.rows}
    if len(folders) < 2 or any((inner / name).is_file() for name in folders):
        return dataset
    raise DatasetError(
        f"one class, {label!r}, whose folder holds {len(folders)} folders",
        expected="a folder for each class",
        hint=f"did you mean {os.fspath(inner)!r}?",
    )
