"""Cells of a Parquet table as JSON has values, so that they can be carried along."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def can_be(kind: pa.DataType) -> bool:
    """Whether `values` takes a column of this type: text, numbers, dates, and what nests them."""
    from pyarrow import types

    if types.is_struct(kind):
        return all(can_be(kind.field(i).type) for i in range(kind.num_fields))
    if types.is_map(kind):
        return can_be(kind.key_type) and can_be(kind.item_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return can_be(kind.value_type)
    if types.is_dictionary(kind):
        return can_be(kind.value_type)
    plain = (types.is_null, types.is_boolean, types.is_integer, types.is_floating)
    others = (types.is_decimal, types.is_date, types.is_time, types.is_timestamp)
    return is_text(kind) or any(test(kind) for test in (*plain, *others))


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    return str(kind) in ("string", "large_string", "string_view")


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a column of this type holds bytes."""
    from pyarrow import types

    return str(kind) in ("binary", "large_binary", "binary_view") or bool(
        types.is_fixed_size_binary(kind) and not types.is_decimal(kind)
    )


def values(column: pa.Array) -> list[Any]:
    """The cells: dates and times as ISO 8601 has them, decimals as text, null as None.

    A number that JSON cannot say (NaN, infinity) is None.
    """
    return [_value(cell) for cell in column]


def _value(cell: pa.Scalar) -> Any:
    import pyarrow as pa

    if not cell.is_valid:
        return None
    if isinstance(cell, pa.DictionaryScalar):
        return _value(cell.value)
    if isinstance(cell, pa.StructScalar):
        return {name: _value(part) for name, part in cell.items()}
    if isinstance(cell, pa.MapScalar):
        return [[_value(pair["key"]), _value(pair["value"])] for pair in cell.values]
    if isinstance(cell, (pa.ListScalar, pa.LargeListScalar, pa.FixedSizeListScalar)):
        return [_value(part) for part in cell.values]
    if isinstance(cell, pa.TimestampScalar):
        return _timestamp(cell)
    if isinstance(cell, (pa.Date32Scalar, pa.Date64Scalar, pa.Time32Scalar, pa.Time64Scalar)):
        return _said(cell)
    return _plain(cell.as_py())


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    number = float(value)  # also numpy's float16
    return number if math.isfinite(number) else None


def _timestamp(cell: pa.TimestampScalar) -> str:
    """`2024-02-29T12:30:00.000000001+00:00`: an instant is stored as UTC, wherever it was taken."""
    import pyarrow as pa

    # To say what is local, Arrow needs the system's time zones, which Windows has not.
    utc = pa.scalar(cell.value, pa.timestamp(cell.type.unit))
    return re.sub(r"(?<=\d) (?=\d)", "T", _said(utc)) + ("+00:00" if cell.type.tz else "")


def _said(cell: pa.Scalar) -> str:
    """Of dates and times, as Arrow writes them: Python's have no nanoseconds, nor year 10000."""
    import pyarrow as pa

    return re.sub(r"\.0+$", "", cell.cast(pa.string()).as_py())
