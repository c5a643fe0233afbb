"""Files that list pictures with their labels: CSV, val.txt, Kaggle's solution of ImageNet."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError
from .base import Dataset, LabelKind, Row, kind_of_labels, quoted
from .folders import unreadable

_SYNSET: LabelKind = "synset"
_INDEX: LabelKind = "index"
_MAX_BYTES = 1 << 28  # no list of pictures is that long, and all of it is read at once
_HEADERS = "a first line file,label or file,class_index"
DELIMITERS = (",", ";", "\t")
_VAL_LINE = re.compile(r"(.+\S)\s+(\d{1,9})")
# Where the pictures are, seen from the list: beside it, or as Kaggle's archive has them.
_PICTURE_FOLDERS = ("", "val", "images", os.path.join("ILSVRC", "Data", "CLS-LOC", "val"))
_PICTURE_ENDINGS = (".JPEG", ".jpeg", ".jpg", ".JPG", ".png")

# Names that a folder's list may have, the most telling first.
NAMES = ("labels.csv", "LOC_val_solution.csv", "val.txt")
DEVKIT = "ILSVRC2012_validation_ground_truth.txt"


def read(path: Path, name: str) -> Dataset:
    """The data set that the file lists. Raises DatasetError for any other file."""
    lines = io.StringIO(text_of(path, _HEADERS), newline=None).readlines()  # \r\n and \r become \n
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        raise DatasetError(f"{os.fspath(path)!r} is empty", expected=_HEADERS)
    if first.replace(" ", "").casefold() == "imageid,predictionstring":
        rows, labels_by, declared = _solution(path, lines), _SYNSET, True
        kind = "Kaggle's LOC_val_solution.csv"
    elif (columns := _columns(path, first)) is not None:
        rows = _csv(path, lines, columns)
        declared = columns.declared
        labels_by = _INDEX if declared else kind_of_labels(row.label for row in rows)
        kind = path.name
    elif path.suffix.casefold() != ".txt":
        raise DatasetError(
            f"the first line of {os.fspath(path)!r} is {first[:60]!r}",
            expected=_HEADERS,
            hint="the line with the names of the columns is needed",
        )
    else:
        rows, labels_by, declared = _val(path, lines), _INDEX, True
        kind = f"{path.name}, zero-based"
    if not rows:
        raise DatasetError(f"{os.fspath(path)!r} lists no pictures", expected="a line for each")
    rows, notes = _unique(path, rows)
    return Dataset(name, path.parent, tuple(rows), labels_by, kind, declared, notes, listed_in=path)


def text_of(path: Path, expected: str) -> str:
    """What a file of UTF-8 holds. Raises DatasetError for any other, or a very large one."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DatasetError(f"{os.fspath(path)!r} is larger than 256 MiB", expected=expected)
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{os.fspath(path)!r} is no text in UTF-8",
            expected=expected,
            hint="save it as CSV UTF-8",
        ) from error


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a CSV file has the file and the label; `declared`: the latter is a class_index."""

    delimiter: str
    file: int
    label: int
    declared: bool


def _columns(path: Path, first: str) -> _Columns | None:
    """What the first line of a CSV file says, or None if it does not name the columns."""
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([first[:1000]], delimiter=delimiter))
        except csv.Error:  # Python 3.10 on a NUL
            return None
        names = [name.strip().casefold() for name in cells]
        known = [name for name in ("class_index", "label") if name in names]
        if "file" in names and len(known) == 2:
            raise DatasetError(
                f"{os.fspath(path)!r} has both a label and a class_index", expected=_HEADERS
            )
        if "file" in names and known:
            declared = known == ["class_index"]
            return _Columns(delimiter, names.index("file"), names.index(known[0]), declared)
    return None


def _csv(path: Path, lines: list[str], columns: _Columns) -> list[Row]:
    """Rows of a file with the columns file and label, or file and class_index."""
    rows = []
    for number, cells in cells_of(path, lines, columns.delimiter):
        if len(cells) <= max(columns.file, columns.label):
            raise bad_line(path, number, f"has {len(cells)} columns")
        file, label = cells[columns.file].strip(), cells[columns.label].strip()
        if not file or not label:
            raise bad_line(path, number, f"has no {'label' if file else 'file'}")
        if columns.declared and not (label.isdecimal() and len(label) < 10):
            what = f"has the class_index {quoted(label)}"
            raise bad_line(path, number, what, "a whole number from 0")
        rows.append(Row(os.path.join(path.parent, file), label))
    return rows


def cells_of(
    path: Path, lines: list[str], delimiter: str, expected: str = ""
) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each row below the header that is not blank. Raises DatasetError."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header = False
    try:
        for cells in reader:
            if header and any(cell.strip() for cell in cells):
                yield reader.line_num, cells
            header = header or any(cells)
    except csv.Error as error:
        raise bad_line(path, reader.line_num, f"cannot be read: {error}", expected) from error


def _val(path: Path, lines: list[str]) -> list[Row]:
    """Rows of `ILSVRC2012_val_00000001.JPEG 65`."""
    if all(line.strip().isdecimal() for line in lines if line.strip()):
        raise DatasetError(
            f"{os.fspath(path)!r} has the class numbers of the ImageNet devkit: they follow "
            "another order than the usual 0 to 999",
            expected="pictures in folders by WordNet id, LOC_val_solution.csv, or a val.txt",
            hint="LOC_val_solution.csv of Kaggle's ImageNet has the same truths as WordNet ids",
        )
    rows = []
    for number, line in enumerate(lines, 1):
        match = _VAL_LINE.fullmatch(line.strip())
        if match:
            rows.append((match[1], match[2]))
        elif line.strip():
            what = f"is {line.strip()[:60]!r}"
            raise bad_line(path, number, what, "a picture and a class index")
    folder = _folder_of(path.parent, rows[0][0]) if rows else ""
    return [Row(os.path.join(path.parent, folder, file), label) for file, label in rows]


def _solution(path: Path, lines: list[str]) -> list[Row]:
    """Rows of `ILSVRC2012_val_00048981,n03995372 85 1 499 272`; several boxes name one class."""
    pairs = []
    for number, cells in cells_of(path, lines, ","):
        synsets = set(re.findall(r"\bn\d{8}\b", cells[1])) if len(cells) > 1 else set()
        if len(synsets) != 1 or not cells[0].strip():
            raise bad_line(path, number, f"names {len(synsets)} classes", "one WordNet id")
        pairs.append((cells[0].strip(), synsets.pop()))
    if not pairs:
        return []
    folder, ending = _folder_and_ending(path.parent, pairs[0][0])
    return [Row(os.path.join(path.parent, folder, file + ending), label) for file, label in pairs]


def _folder_and_ending(parent: Path, file: str) -> tuple[str, str]:
    for ending in _PICTURE_ENDINGS:
        folder = _folder_of(parent, file + ending)
        if os.path.exists(os.path.join(parent, folder, file + ending)):
            return folder, ending
    return "", _PICTURE_ENDINGS[0]


def _folder_of(parent: Path, file: str) -> str:
    """Which of the usual folders holds `file`; the list's own if none."""
    for folder in _PICTURE_FOLDERS:
        if os.path.exists(os.path.join(parent, folder, file)):
            return folder
    return ""


def _unique(path: Path, rows: list[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """`rows` without repetitions. Raises DatasetError for a picture with two labels."""
    labels: dict[str, str] = {}
    for row in rows:
        file = os.path.normpath(row.path)
        if labels.setdefault(file, row.label) != row.label:
            raise DatasetError(
                f"{os.fspath(path)!r} gives {quoted(file)} two labels, "
                f"{quoted(labels[file])} and {quoted(row.label)}",
                expected="one label a picture",
            )
    if len(labels) == len(rows):
        return rows, ()
    first = {os.path.normpath(row.path): row for row in reversed(rows)}
    kept = [first[file] for file in labels]
    return kept, (
        f"counted once, since they stand there more often: {len(rows) - len(kept)} lines",
    )


def bad_line(path: Path, number: int, what: str, expected: str = "") -> DatasetError:
    """The error of one line of a file, counted from 1."""
    return DatasetError(
        f"line {number} of {os.fspath(path)!r} {what}", expected=expected or "a file and its label"
    )
