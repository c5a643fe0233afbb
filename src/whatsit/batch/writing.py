"""The formats of the output: rows as JSON lines, CSV or Parquet, and files made of blocks."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol

from .columns import SCORE, SCORES, TRUTH, VECTOR, Column, columns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .answering import Row

# format → what the names of finished blocks end in
PART_ENDINGS = {"jsonl": ".jsonl", "csv": ".csv", "parquet": ".arrow"}


@dataclass(frozen=True, slots=True)
class Style:
    """How rows are written. Picklable, so that every host writes them alike.

    `columns` is empty for the JSON object of an answer. `carried` has name and type of those that
    come from the input table, `width` the length of an embedding (0: none), `facts` what a file
    says of its origin, where the format has a place for that.
    """

    kind: str
    compressed: bool = False
    columns: tuple[str, ...] = ()
    carried: tuple[tuple[str, str], ...] = ()
    width: int = 0
    facts: Mapping[str, str] | None = None

    def format(self) -> Format:
        """What writes in this style. Raises ExtraMissing for Parquet without pyarrow."""
        found = columns(self.columns, self.carried)
        if self.kind == "csv":
            return Csv(found, self.compressed)
        if self.kind == "jsonl":
            return JsonLines(found, self.compressed)
        from .parquet import Parquet

        return Parquet(found, self.width, self.facts or {})


class Format(Protocol):
    """One kind of file. The same rows give the same bytes, however they were cut into blocks."""

    def part(self, rows: Sequence[Row]) -> bytes:
        """A block of rows, to be kept."""
        ...

    def assemble(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        """The output, made of such blocks."""
        ...


class JsonLines:
    """An object a line: the contract of `--json` without its times, or the chosen columns."""

    def __init__(self, columns: Sequence[Column], compressed: bool = False) -> None:
        self._columns = columns
        self._compressed = compressed

    def part(self, rows: Sequence[Row]) -> bytes:
        return "".join(map(self._line, rows)).encode()

    def assemble(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        _joined(parts, file, self._compressed)

    def _line(self, row: Row) -> str:
        if self._columns:
            return _object([(c.name, _as_json(c, c.value(row))) for c in self._columns])
        value = row.result.to_json()
        members = [(name, json.dumps(part)) for name, part in value.items()]
        if row.result.error is None:
            # They are never the same twice, and a resumed run must end with the same bytes.
            members = [(n, "{}" if n == "timings_ms" else text) for n, text in members]
            if row.result.embedding is not None:
                members.append(("embedding", _numbers(row.result.embedding)))
        return _object(members)


class Csv:
    """A header, and a row a picture. UTF-8; a name's bytes that are none become \\xff."""

    def __init__(self, columns: Sequence[Column], compressed: bool = False) -> None:
        self._columns = columns
        self._compressed = compressed

    def part(self, rows: Sequence[Row]) -> bytes:
        return _csv([[_cell(c, c.value(row)) for c in self._columns] for row in rows])

    def assemble(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        header = _csv([[column.name for column in self._columns]])
        _joined(itertools.chain([header], parts), file, self._compressed)


def _joined(parts: Iterable[bytes], file: IO[bytes], compressed: bool) -> None:
    with _packed(file) if compressed else nullcontext(file) as target:
        for part in parts:
            target.write(part)


@contextmanager
def _packed(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """A gzip stream without a name and a time, which would be other bytes each time."""
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        yield packed  # type: ignore[misc]


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return ""
    if column.type == SCORE:
        return f"{value:.6f}"
    if column.type == TRUTH:
        return "true" if value else "false"
    return str(value)


def _object(members: Iterable[tuple[str, str]]) -> str:
    inside = ", ".join(f"{json.dumps(name)}: {text}" for name, text in members)
    return "{" + inside + "}\n"


def _as_json(column: Column, value: Any) -> str:
    if value is None:
        return "null"
    if column.type == VECTOR:
        return _numbers(value)
    if column.type == SCORE:
        return json.dumps(round(value, 6))
    if column.type == SCORES:
        return json.dumps([round(score, 6) for score in value])
    return json.dumps(value)


def _numbers(vector: NDArray[np.float32]) -> str:
    """A vector as a JSON array. Five digits tell any two float16 values apart."""
    import numpy as np

    # Beyond what float16 can hold there is no number, and JSON has no word for it.
    with np.errstate(over="ignore"):
        values = vector.astype(np.float16).tolist()
    return "[" + ", ".join(f"{v:.5g}" if abs(v) <= 65504 else "null" for v in values) + "]"
