"""Parquet tables of pictures: which rows there are, and what is carried along from them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from ..errors import ExtraMissing, UsageError, WhatsitError
from . import carried, tables, urls
from .items import Item, TableRow
from .urls import Filesystems

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .tables import Wanted

_BUFFER_BYTES = 1 << 20  # with a buffer a column is read page by page, else at once
_LISTED_ROWS = 1024


def items(table: str, wanted: Wanted, filesystems: Filesystems) -> Iterator[Item]:
    """One item a row, in order; the bytes of pictures are not read here.

    Raises an InputError, UsageError for a table that has not the columns, ExtraMissing.
    """
    with tables.open_table(table, filesystems, seekable=True) as file:
        parquet = _opened(table, file)
        schema = parquet.schema_arrow
        column = _chosen(table, schema, wanted.column)
        _check_carried(table, schema, wanted.carry)
        if not parquet.metadata.num_rows:
            raise tables.nothing(table)
        if carried.is_text(_plain_type(schema.field(column).type)):
            yield from _path_items(table, parquet, column, wanted.carry)
        else:
            yield from _bytes_items(table, parquet, column, wanted.carry)


def _path_items(
    table: str, parquet: pq.ParquetFile, column: str, carry: Sequence[str]
) -> Iterator[Item]:
    cells = tables.Cells(table)
    row = 0
    needed = list(dict.fromkeys([column, *carry]))
    for batch in _batches(table, parquet, needed, range(parquet.num_row_groups)):
        paths = carried.values(column_of(batch, column))
        for path, others in zip(paths, _carried_rows(batch, carry), strict=True):
            yield cells.item(row, f"row {row}", path, others)
            row += 1


def _bytes_items(
    table: str, parquet: pq.ParquetFile, column: str, carry: Sequence[str]
) -> Iterator[Item]:
    row = 0
    for group in range(parquet.num_row_groups):
        count = parquet.metadata.row_group(group).num_rows
        for in_group, others in enumerate(_carried(table, parquet, group, count, carry)):
            place = TableRow(table, group, in_group, column)
            yield Item(f"{table}#{row}", columns=others, table=place)
            row += 1


def _carried(
    table: str, parquet: pq.ParquetFile, group: int, count: int, carry: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    if not carry:
        yield from itertools.repeat({}, count)
        return
    for batch in _batches(table, parquet, list(carry), [group]):
        yield from _carried_rows(batch, carry)


def _carried_rows(batch: pa.RecordBatch, carry: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    columns = {name: carried.values(column_of(batch, name)) for name in carry}
    for row in range(batch.num_rows):
        yield {name: cells[row] for name, cells in columns.items()}


def _batches(
    table: str, parquet: pq.ParquetFile, columns: list[str], groups: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    """The rows of these columns, a few at a time. Raises what tables.broken gives."""
    batches = iterated(parquet, columns, groups, _LISTED_ROWS)
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:  # of pyarrow, or of the file system
            raise tables.broken(table, error) from error
        if batch is None:
            return
        yield batch


def iterated(
    parquet: pq.ParquetFile, columns: list[str], groups: Sequence[int], rows: int
) -> Iterator[pa.RecordBatch]:
    batches: Iterator[pa.RecordBatch] = parquet.iter_batches(
        batch_size=rows, row_groups=list(groups), columns=columns, use_threads=False
    )
    return batches


def column_of(batch: pa.RecordBatch, name: str) -> pa.Array:
    """The column of exactly this name: to ask for `a` also gives one that is called `a.b`."""
    return batch.column(batch.schema.get_field_index(name))


def opened(file: IO[bytes], metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
    """The table in a file. Raises ExtraMissing, and what pyarrow and file systems raise."""
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ExtraMissing(
            "a Parquet table needs pyarrow, which is not installed", hint=urls.EXTRA_HINT
        ) from error
    return pq.ParquetFile(file, metadata=metadata, buffer_size=_BUFFER_BYTES)


def _opened(table: str, file: IO[bytes]) -> pq.ParquetFile:
    try:
        return opened(file)
    except WhatsitError:
        raise
    except Exception as error:  # of pyarrow, or of the file system
        raise tables.broken(table, error) from error


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of the cells of a column that stores each value once."""
    from pyarrow import types

    return kind.value_type if types.is_dictionary(kind) else kind


def _bytes_field(kind: pa.DataType) -> str | None:
    """The field with the bytes of a struct {bytes, path}, as Hugging Face stores pictures."""
    from pyarrow import types

    if types.is_struct(kind):
        place = kind.get_field_index("bytes")
        if place >= 0 and carried.is_bytes(kind.field(place).type):
            return "bytes"
    return None


def _holds_bytes(kind: pa.DataType) -> bool:
    return carried.is_bytes(_plain_type(kind)) or _bytes_field(kind) is not None


def _chosen(table: str, schema: pa.Schema, column: str | None) -> str:
    """The column with the pictures: the one named, or found by name, bytes before paths."""
    if column is not None:
        _check_there(table, schema, column)
        kind = schema.field(column).type
        if not _holds_bytes(kind) and not carried.is_text(_plain_type(kind)):
            raise _no_pictures(table, schema.field(column))
        return column
    fields = [(field.name.casefold(), field) for field in schema]
    for test in (_holds_bytes, lambda kind: carried.is_text(_plain_type(kind))):
        for known in tables.NAMES:
            for name, field in fields:
                if name == known and test(field.type):
                    _check_there(table, schema, field.name)
                    return str(field.name)
    for name, field in fields:
        if name in tables.NAMES:
            raise _no_pictures(table, field)
    raise tables.no_column(table, schema.names, None)


def _no_pictures(table: str, field: pa.Field) -> UsageError:
    return UsageError(
        f"the column {field.name!r} of {table!r} holds {field.type}",
        expected="paths, URLs or the bytes of pictures",
        hint="--column NAME says which one has the pictures",
    )


def _check_there(table: str, schema: pa.Schema, column: str) -> None:
    count = schema.names.count(column)
    if not count:
        raise tables.no_column(table, schema.names, column)
    if count > 1:
        raise tables.twice(table, column)


def _check_carried(table: str, schema: pa.Schema, carry: Sequence[str]) -> None:
    for name in carry:
        _check_there(table, schema, name)
        kind = schema.field(name).type
        if not carried.can_be(kind):
            raise UsageError(
                f"the column {name!r} of {table!r} holds {kind}, which cannot be carried along",
                expected="text, numbers, dates, or lists and structs of them",
            )
