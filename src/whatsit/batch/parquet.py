"""Parquet, by pyarrow: blocks are kept as Arrow streams and put together in groups of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..errors import ExtraMissing
from .columns import (
    LISTS,
    REAL,
    SCORE,
    SCORES,
    TEXT,
    TEXTS,
    TRUTH,
    VECTOR,
    WHOLE,
    WHOLES,
    Column,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from .answering import Row

# What a reader takes at a time, and a writer holds: a few MB.
GROUP_ROWS = 8192
VECTOR_GROUP_ROWS = 1024  # with embeddings


def need() -> None:
    """Raises ExtraMissing where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ExtraMissing(
            "Parquet needs pyarrow, which is not installed",
            hint="pip install 'whatsit[batch]', or name an output that ends in .jsonl or .csv",
        ) from error


class Parquet:
    """A row a picture; lists for all of its classes, float16 of a fixed length for embeddings."""

    def __init__(self, columns: Sequence[Column], width: int, facts: Mapping[str, str]) -> None:
        need()
        self._columns = columns
        self._schema = _schema(columns, width, facts)
        vectors = any(column.type == VECTOR for column in columns)
        self._group_rows = VECTOR_GROUP_ROWS if vectors else GROUP_ROWS

    def part(self, rows: Sequence[Row]) -> bytes:
        import pyarrow as pa

        arrays = [
            _array([column.value(row) for row in rows], column, self._schema.field(place).type)
            for place, column in enumerate(self._columns)
        ]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._schema) as stream:
            stream.write_batch(pa.record_batch(arrays, schema=self._schema))
        content: bytes = sink.getvalue().to_pybytes()
        return content

    def assemble(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        from pyarrow import parquet

        # A dictionary of what hardly ever comes twice would only cost space.
        texts = [_leaf(c) for c in self._columns if c.type in (TEXT, TEXTS) and c.name != "path"]
        with parquet.ParquetWriter(file, self._schema, use_dictionary=texts or False) as writer:
            for group in _groups(parts, self._group_rows):
                writer.write_table(group, row_group_size=self._group_rows)


def _leaf(column: Column) -> str:
    """The name of what holds the values in the file."""
    return f"{column.name}.list.element" if column.type in LISTS else column.name


def _groups(parts: Iterable[bytes], size: int) -> Iterator[pa.Table]:
    """The rows of all blocks, `size` at a time; in one piece, as the layout shows in the file."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    rows = 0
    for part in parts:
        table = pa.ipc.open_stream(part).read_all()
        waiting.append(table)
        rows += table.num_rows
        while rows >= size:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, size).combine_chunks()
            waiting, rows = [whole.slice(size)], rows - size
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()


def _schema(columns: Sequence[Column], width: int, facts: Mapping[str, str]) -> pa.Schema:
    import pyarrow as pa

    types = {
        TEXT: pa.string(),
        WHOLE: pa.int64(),
        REAL: pa.float64(),
        TRUTH: pa.bool_(),
        SCORE: pa.float32(),
        TEXTS: pa.list_(pa.string()),
        WHOLES: pa.list_(pa.int64()),
        SCORES: pa.list_(pa.float32()),
        VECTOR: pa.list_(pa.float16(), max(width, 1)),
    }
    fields = [pa.field(column.name, types[column.type]) for column in columns]
    return pa.schema(fields, metadata={f"whatsit.{name}": value for name, value in facts.items()})


def _array(values: list[Any], column: Column, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if column.type == VECTOR:
        return _vectors(values, kind)
    return pa.array(values, kind)


def _vectors(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Vectors (D,) of floats, or None, as a list array of a fixed length."""
    import pyarrow as pa

    flat = np.zeros((len(values), kind.list_size), np.float16)
    for place, value in enumerate(values):
        if value is not None:
            flat[place] = value  # which was float16 before
    missing = pa.array([value is None for value in values], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(
        pa.array(flat.reshape(-1)),
        type=kind,
        mask=missing,  # (N, D) → (N * D,)
    )
