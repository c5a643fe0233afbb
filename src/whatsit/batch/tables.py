"""Tables that list pictures: CSV here, Parquet in parquet_rows."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from .. import images
from ..errors import ImageNotFound, ImageUnreadable, InputError, UsageError, WhatsitError
from ..wording import shown
from . import trouble, urls
from .items import Item
from .urls import Filesystems

# What a column with the pictures is called if nobody says so, the first of them that is there.
NAMES = ("path", "file", "filename", "file_name", "image", "url", "bytes")
_DELIMITERS = (",", ";", "\t")
_ENDINGS = (".csv", ".tsv", ".parquet")
_MAX_LINE_BYTES = 1 << 20
_LISTED = 12
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of each table: the column with the pictures, and those to carry along."""

    column: str | None
    carry: tuple[str, ...]


def is_table(name: str) -> bool:
    """Whether this is a table by its ending."""
    return _path_of(name).lower().endswith(_ENDINGS)


def items(table: str, wanted: Wanted, filesystems: Filesystems) -> Iterator[Item]:
    """One item a row, in order. An InputError of the table itself becomes an item with the error.

    Raises UsageError for a table that has not the columns, or whose text cannot be read.
    """
    try:
        if _path_of(table).lower().endswith(".parquet"):
            from . import parquet_rows

            yield from parquet_rows.items(table, wanted, filesystems)
        else:
            with open_table(table, filesystems, seekable=False) as file:
                yield from _csv(table, file, wanted)
    except InputError as error:
        yield Item(table, error)


def open_table(table: str, filesystems: Filesystems, *, seekable: bool) -> IO[bytes]:
    """The file, opened. Raises an InputError."""
    if urls.is_url(table):
        return filesystems.open(table, seekable=seekable)
    return images.open_file(table)


def nothing(table: str) -> ImageNotFound:
    """The error of a table without rows."""
    return ImageNotFound(f"the table {table!r} lists no pictures", expected="a row for each")


def no_column(table: str, there: Iterable[str], column: str | None) -> UsageError:
    """The error of a table that has not this column; None: not any that holds pictures."""
    names = list(there)
    listed = ", ".join(shown(repr(name), _LONGEST) for name in names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    has = f"the table {table!r} has the columns {listed}{more}"
    if column is not None:
        return UsageError(f"{has}, and none {column!r}", expected="the name of one of them")
    return UsageError(
        has,
        expected=f"one of {', '.join(NAMES)}",
        hint="--column NAME says which one has the pictures",
    )


def twice(table: str, column: str) -> UsageError:
    """The error of a column that is there more than once."""
    return UsageError(
        f"the table {table!r} has the column {column!r} more than once",
        expected="columns with names of their own",
    )


def broken(table: str, error: Exception) -> WhatsitError:
    """The error of a table of which no more can be read.

    What is damaged fails as a picture does. Where the way to it broke, the list would be cut
    short for ever, so that ends the run.
    """
    if urls.is_url(table) and trouble.may_pass(error):
        return WhatsitError(
            f"cannot read all of {table!r}: {trouble.reason(error)}",
            hint="it may pass: the same command tries again",
        )
    return ImageUnreadable(
        f"cannot read {table!r}: {trouble.reason(error)}", hint="is the table damaged or cut short?"
    )


class Cells:
    """Makes items of the cells of one table that hold paths or URLs."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._checked: dict[tuple[str, ...], ImageUnreadable | None] = {}

    def item(self, row: int, where: str, cell: str | None, carried: Mapping[str, Any]) -> Item:
        """The item of a cell in `row`, counted from 0; `where` it is, in words.

        Raises ExtraMissing for a URL whose package is not installed.
        """
        if cell is None or not cell.strip() or "\0" in cell:
            return self.failed(row, f"{where} of {self._table!r} has no path", carried)
        path = urls.beside(self._table, cell)
        return Item(path, self._objection(path), carried)

    def failed(self, row: int, what: str, carried: Mapping[str, Any]) -> Item:
        """The item of a row that names no picture."""
        error = ImageUnreadable(what, expected="a path or a URL")
        return Item(f"{self._table}#{row}", error, carried)

    def _objection(self, path: str) -> ImageUnreadable | None:
        if not urls.is_url(path):
            return None
        protocols = urls.Url.parse(path).protocols
        if protocols not in self._checked:
            try:
                urls.check(path)
                self._checked[protocols] = None
            except UsageError as error:
                self._checked[protocols] = ImageUnreadable(error.message, expected=error.expected)
        return self._checked[protocols]


def _csv(table: str, file: IO[bytes], wanted: Wanted) -> Iterator[Item]:
    lines = _lines(table, file)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise nothing(table)
    delimiter = "\t" if _path_of(table).lower().endswith(".tsv") else _delimiter(first, wanted)
    reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
    rows = _rows(table, reader)
    names = [name.strip() for name in next(rows)]
    places = {name: _place(table, names, name) for name in wanted.carry}
    chosen = _place(table, names, wanted.column or _found(table, names))
    cells_of = Cells(table)
    count = 0
    for number, cells in enumerate(rows):
        where = f"line {reader.line_num}"
        if len(cells) != len(names):
            what = f"{where} of {table!r} has {len(cells)} cells, and the first line {len(names)}"
            yield cells_of.failed(number, what, dict.fromkeys(places))
        else:
            carried = {name: cells[place] for name, place in places.items()}
            yield cells_of.item(number, where, cells[chosen], carried)
        count += 1
    if not count:
        raise nothing(table)


def _rows(table: str, reader: Any) -> Iterator[list[str]]:
    """The rows that hold anything, the first line included."""
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield cells
    except csv.Error as error:
        raise UsageError(
            f"line {reader.line_num} of {table!r} cannot be read: {error}",
            expected='cells with commas or quotes in quotes: "a, b"',
        ) from error


def _lines(table: str, file: IO[bytes]) -> Iterator[str]:
    """The lines as text, their ends kept. Raises UsageError for what is no text in UTF-8."""
    for number in itertools.count(1):
        try:
            line = file.readline(_MAX_LINE_BYTES + 1)
        except Exception as error:  # as many kinds as there are file systems
            raise broken(table, error) from error
        if not line:
            return
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, from Windows editors
        if len(line) > _MAX_LINE_BYTES:
            raise UsageError(f"line {number} of {table!r} is longer than 1 MiB", expected="CSV")
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise UsageError(
                f"line {number} of {table!r} is no text in UTF-8",
                expected="a table in UTF-8",
                hint="save it as CSV UTF-8",
            ) from error


def _delimiter(first: str, wanted: Wanted) -> str:
    """The one under which the first line names the column that is wanted; else names most."""

    def merit(delimiter: str) -> tuple[bool, int]:
        names = _split(first, delimiter)
        known = (name.casefold() in NAMES for name in names)
        fits = wanted.column in names if wanted.column is not None else any(known)
        return fits, len(names)

    return max(_DELIMITERS, key=merit)


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _found(table: str, names: Sequence[str]) -> str:
    """The column that holds paths by its name; bytes are in no CSV."""
    for known in NAMES:
        for name in names:
            if name.casefold() == known != "bytes":
                return name
    raise no_column(table, names, None)


def _place(table: str, names: Sequence[str], name: str) -> int:
    if name not in names:
        raise no_column(table, names, name)
    if names.count(name) > 1:
        raise twice(table, name)
    return names.index(name)


def _path_of(name: str) -> str:
    """What the ending is read from: of a URL its path, without a query."""
    if not urls.is_url(name):
        return name
    url = urls.Url.parse(name)
    return url.path.partition("?")[0] if url.protocol in urls.WEB else url.path
