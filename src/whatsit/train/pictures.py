"""The pictures that a model is taught from: opened, checked, and given class indices."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import datasets, images
from ..datasets import Dataset
from ..datasets.tables import NAMES as TABLES
from ..datasets.truths import SPLITS
from ..errors import DatasetError, ModelError, WhatsitError
from ..getting import archives
from ..labels import Labels
from .report import LeftOut

LEAST_PICTURES = 2  # of a class: with one, nothing can say whether it was learned

_MOST_MEMBERS = 1_000_000
_LISTED = 5


@dataclass(frozen=True)
class Material:
    """A data set whose labels are classes: `names` in their order, and the class of each row."""

    dataset: Dataset
    names: tuple[str, ...]
    classes: tuple[int, ...]

    @property
    def paths(self) -> list[str]:
        """The pictures, in the order of the rows."""
        return [row.path for row in self.dataset.rows]

    def only(self, rows: list[int]) -> Material:
        """These rows, in this order; the classes stay."""
        return Material(
            self.dataset.only(rows), self.names, tuple(self.classes[row] for row in rows)
        )

    def counts(self) -> dict[str, int]:
        """How many pictures each class has, those with none too."""
        found = Counter(self.classes)
        return {name: found[index] for index, name in enumerate(self.names)}


@contextlib.contextmanager
def opened(source: Dataset | str | os.PathLike[str]) -> Iterator[Dataset]:
    """A Dataset, the one at a path, or the one in an archive, unpacked until the block ends.

    Raises DatasetError.
    """
    if isinstance(source, Dataset):
        yield source
        return
    text = os.fspath(source)
    if "://" in text:
        raise DatasetError(
            f"{text!r} is an address", expected="a folder, a list or an archive", hint="fetch it"
        )
    kind = _archive_kind(Path(text))
    if kind is None:
        yield _told_apart(datasets.read(text))
        return
    with tempfile.TemporaryDirectory(prefix="whatsit-") as folder:
        _unpack(Path(text), kind, Path(folder))
        found = datasets.read(_top(Path(folder)))
        _check_inside(found, Path(folder), text)
        yield _told_apart(replace(found, name=_stem(Path(text))))


def _check_inside(dataset: Dataset, folder: Path, archive: str) -> None:
    """Raises DatasetError if a list in the archive names pictures that were not in it."""
    inside = os.path.join(os.path.realpath(folder), "")
    for row in dataset.rows:
        if not os.path.realpath(row.path).startswith(inside):
            raise DatasetError(
                f"{archive!r} lists {dataset.place(row)!r}, which is not in it",
                expected="pictures that lie in the archive",
            )


def material(dataset: Dataset) -> Material:
    """The data set with its classes in order: by number if all labels are numbers, else by name.

    Raises DatasetError for labels that cannot be names of classes, or fewer than two.
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
    return Material(dataset, tuple(names), tuple(place[row.label] for row in rows))


def matched(dataset: Dataset, names: tuple[str, ...]) -> Material:
    """Pictures to measure with, by the classes that are taught. Raises DatasetError for others."""
    dataset = replace(
        dataset, rows=tuple(replace(row, label=class_name(row.label)) for row in dataset.rows)
    )
    found = datasets.truths(dataset, Labels(names), labels_by="name").indices
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
        folders = [entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."]
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


def _archive_kind(path: Path) -> archives.Kind | None:
    try:
        if not path.is_file():
            return None
        with open(path, "rb") as file:
            kind = archives.kind_of(file.read(8))
    except OSError:
        return None  # datasets.read says what is wrong
    return None if kind == "model" else kind


def _unpack(path: Path, kind: archives.Kind, folder: Path) -> None:
    """Writes the pictures and lists of an archive below `folder`. Raises DatasetError."""
    try:
        with open(path, "rb") as file:
            for name, _, content in archives.members(file, kind, most=_MOST_MEMBERS):
                parts = name.replace("\\", "/").removeprefix("./").split("/")
                hidden = any(part[:1] == "." or part == "__MACOSX" for part in parts)
                if hidden or not (images.is_picture_name(parts[-1]) or parts[-1] in TABLES):
                    continue
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "xb") as out:
                    while block := content.read(1 << 20):
                        out.write(block)
    except ModelError as error:
        raise DatasetError(
            f"{os.fspath(path)!r}: {error.message}",
            expected=error.expected,
            hint="unpack it yourself and give the folder",
        ) from error
    except OSError as error:
        raise WhatsitError(
            f"cannot unpack {os.fspath(path)!r}: {error.strerror or error}",
            hint="is there room in the folder for temporary files (TMPDIR)?",
        ) from error
    except archives.BROKEN as error:
        raise DatasetError(
            f"{os.fspath(path)!r} cannot be unpacked: {error}", hint="it is damaged or cut short"
        ) from error


def _top(folder: Path) -> Path:
    """Below folders that hold nothing but one folder of folders."""
    while True:
        inside = sorted(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        if not any(entry.is_dir() or entry.name in TABLES for entry in inside[0].iterdir()):
            return folder
        folder = inside[0]


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (".tar.gz", ".tgz", ".zip"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] or name
    return path.stem
