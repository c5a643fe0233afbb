"""One picture of many: where it is, and what is carried along with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import errors
from ..errors import InputError

_ERRORS: dict[str, type[InputError]] = {
    kind.code: kind
    for kind in (
        InputError,
        errors.ImageNotFound,
        errors.ImageUnreadable,
        errors.ImageTooLarge,
        errors.ImageUnsupported,
    )
}


@dataclass(frozen=True, slots=True)
class TableRow:
    """Where the bytes of a picture are in a Parquet file: row group, row in it, column."""

    file: str
    group: int
    row: int
    column: str


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to be, or the error that stands in its place.

    `path` is as the output has it: a path, a URL, or `table.parquet#17` for row 17, counted from
    0, of a table. `columns` are the cells carried from the table, as JSON has values.
    """

    path: str
    error: InputError | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    table: TableRow | None = None

    def to_json(self) -> dict[str, Any]:
        """What json.dumps, as it is by default, and from_json keep without loss.

        A name that is no UTF-8 has surrogates, which are kept only while json.dumps writes ASCII.
        """
        value: dict[str, Any] = {"path": self.path}
        if self.error is not None:
            error = self.error
            value["error"] = [error.code, error.message, error.expected, error.hint]
        if self.columns:
            value["columns"] = dict(self.columns)
        if self.table is not None:
            table = self.table
            value["table"] = [table.file, table.group, table.row, table.column]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Item:
        """What to_json gave. Raises KeyError, TypeError or ValueError for anything else."""
        error, table = None, None
        if "error" in value:
            code, message, expected, hint = value["error"]
            error = _ERRORS[code](message, expected=expected, hint=hint)
        if "table" in value:
            table = TableRow(*value["table"])
        return cls(value["path"], error, value.get("columns", {}), table)
