"""The bytes in Parquet tables: each row group read once, from its start on, bit by bit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from ..errors import ImageUnreadable, WhatsitError
from . import parquet_rows, tables, trouble, urls
from .items import TableRow
from .urls import Filesystems

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_MOST_FILES = 2
_MOST_GROUPS = 2
_LEAST_ROWS, _MOST_ROWS = 4, 1024
_BATCH_BYTES = 8 << 20
# Threads ask for rows in about their order only: those that were passed are kept a while.
_WAITING_ROWS = 1024
_WAITING_BYTES = 64 << 20


class RowGroups:
    """The row groups that are being read, each once. Safe to use from several threads."""

    def __init__(self, filesystems: Filesystems) -> None:
        self._filesystems = filesystems
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[str, int, str], _Group] = OrderedDict()
        self._metadata: OrderedDict[str, pq.FileMetaData] = OrderedDict()

    def cell(self, name: str, row: TableRow) -> tuple[bytes | None, str | None]:
        """The bytes in a cell, and the path that Hugging Face's struct has beside them.

        Raises an InputError with `name`.
        """
        with self._borrowed(row) as group:

            def attempt() -> tuple[bytes | None, str | None]:
                try:
                    return _parts(group.cell(row.row))
                except WhatsitError:
                    raise
                except Exception as error:
                    if not _lasts(row.file, error):
                        raise
                    raise _lost(name, error) from error

            return self._filesystems.tried(attempt, name)

    def close(self) -> None:
        """Closes the files; a row that is being read is still given."""
        with self._lock:
            while self._groups:
                self._drop()
            self._metadata.clear()

    @contextmanager
    def _borrowed(self, row: TableRow) -> Iterator[_Group]:
        """A row group that is not closed meanwhile; it may be forgotten for newer ones."""
        key = (row.file, row.group, row.column)
        with self._lock:
            group = self._groups.pop(key, None) or _Group(row.file, lambda: self._read(row))
            self._groups[key] = group
            group.users += 1
            while len(self._groups) > _MOST_GROUPS:
                self._drop()
        try:
            yield group
        finally:
            with self._lock:
                group.users -= 1
                if group.forgotten and not group.users:
                    group.close()

    def _drop(self) -> None:
        """Forgets the group that was used longest ago; its last user closes it."""
        _, group = self._groups.popitem(last=False)
        group.forgotten = True
        if not group.users:
            group.close()

    def _read(self, row: TableRow) -> _Reading:
        """The cells of the column in the row group, from its first row on."""
        file = tables.open_table(row.file, self._filesystems, seekable=True)
        try:
            parquet = parquet_rows.opened(file, self._known_metadata(row.file))
            self._remember(row.file, parquet.metadata)
            if row.group >= parquet.num_row_groups:
                return _Reading(file, iter(()))
            rows = _batch_rows(parquet.metadata.row_group(row.group), row.column)
            batches = parquet_rows.iterated(parquet, [row.column], [row.group], rows)
            return _Reading(file, (parquet_rows.column_of(batch, row.column) for batch in batches))
        except BaseException:
            file.close()
            raise

    def _known_metadata(self, file: str) -> pq.FileMetaData | None:
        with self._lock:
            return self._metadata.get(file)

    def _remember(self, file: str, metadata: pq.FileMetaData) -> None:
        with self._lock:
            self._metadata[file] = metadata
            self._metadata.move_to_end(file)
            while len(self._metadata) > _MOST_FILES:
                self._metadata.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file that is open, and the cells that it goes on to give."""

    file: IO[bytes]
    columns: Iterator[pa.Array]


class _Group:
    """The cells of one row group, read once from its beginning on, as they are asked for."""

    def __init__(self, file: str, read: Callable[[], _Reading]) -> None:
        self.users = 0
        self.forgotten = False
        self._file = file
        self._damage: tuple[int, Exception] | None = None  # from which row on, and what it is
        self._read = read
        self._reading: _Reading | None = None
        self._lock = threading.Lock()
        self._waiting = _Waiting()
        self._first, self._next = 0, 0  # the rows of the batch
        self._batch: pa.Array | None = None
        self._given: set[int] = set()  # rows of the batch

    def cell(self, row: int) -> Any:
        """The cell in this row. Raises IndexError, and what pyarrow and file systems raise."""
        with self._lock:
            if self._damage is not None and row >= self._damage[0]:
                raise self._damage[1].with_traceback(None)
            if row < self._first:
                if row in self._waiting:
                    return self._waiting.take(row)
                self._restart()
            while row >= self._next:
                self._advance()
            self._given.add(row)
            return self._batch[row - self._first].as_py() if self._batch is not None else None

    def close(self) -> None:
        """Closes the file and forgets the cells."""
        with self._lock:
            self._restart()

    def _advance(self) -> None:
        try:
            if self._reading is None:
                self._reading = self._read()
            batch = next(self._reading.columns, None)
            if batch is None:
                raise IndexError("there is no such row any more")
        except BaseException as error:
            if isinstance(error, Exception) and _lasts(self._file, error):
                self._damage = self._next, error
            self._restart()
            raise
        for row in range(self._first, self._next):
            if self._batch is not None and row not in self._given:
                self._waiting.put(row, self._batch[row - self._first].as_py())
        self._given.clear()
        self._batch = batch
        self._first, self._next = self._next, self._next + len(batch)

    def _restart(self) -> None:
        if self._reading is not None:
            self._reading.file.close()
        self._reading, self._batch = None, None
        self._first, self._next = 0, 0
        self._given.clear()
        self._waiting = _Waiting()


class _Waiting:
    """Cells that were passed before they were asked for; the oldest go where there are too many."""

    def __init__(self) -> None:
        self._cells: OrderedDict[int, Any] = OrderedDict()
        self._size_bytes = 0

    def __contains__(self, row: int) -> bool:
        return row in self._cells

    def put(self, row: int, cell: Any) -> None:
        self._cells[row] = cell
        self._size_bytes += _size_bytes(cell)
        while len(self._cells) > _WAITING_ROWS or self._size_bytes > _WAITING_BYTES:
            self.take(next(iter(self._cells)))

    def take(self, row: int) -> Any:
        cell = self._cells.pop(row)
        self._size_bytes -= _size_bytes(cell)
        return cell


def _size_bytes(cell: Any) -> int:
    return len(_parts(cell)[0] or b"")


def _lasts(file: str, error: Exception) -> bool:
    """Whether to read this again would go no better."""
    return not urls.is_url(file) or not trouble.may_pass(error)


def _lost(name: str, error: Exception) -> ImageUnreadable:
    return ImageUnreadable(
        f"cannot read {name!r}: {trouble.reason(error)}",
        hint="is the table damaged, or has it changed?",
    )


def _parts(cell: Any) -> tuple[bytes | None, str | None]:
    """The bytes and the path of a cell that holds bytes, or a struct of both, or nothing."""
    if isinstance(cell, dict):
        return cell.get("bytes"), cell.get("path")
    return cell, None


def _batch_rows(group: pq.RowGroupMetaData, column: str) -> int:
    """So many rows at a time that they are a few megabytes."""
    sizes = [
        about.total_uncompressed_size
        for about in (group.column(i) for i in range(group.num_columns))
        if about.path_in_schema == column or about.path_in_schema.startswith(f"{column}.")
    ]
    row_bytes: int = max(1, sum(sizes) // max(1, group.num_rows))
    return max(_LEAST_ROWS, min(_BATCH_BYTES // row_bytes, _MOST_ROWS))
