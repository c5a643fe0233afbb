"""Answers that another program wrote down: what RESULT.json may look like, and what it says.

Taken is what programs print: the lines of `whatsit --json`, its CSV, a list of all scores, labels
with scores, MediaPipe's categories, one picture or many. What is none of it is refused.
"""

from __future__ import annotations

import csv
import io
import json
import os
from decimal import Decimal
from typing import Any

from ..errors import UsageError
from .answers import NoAnswer, Recorded
from .forms import answers

_MAX_BYTES = 256 << 20
_EXPECTED = "lines of `whatsit --json`, a list of all scores, or labels with scores"


def read(path: str | os.PathLike[str]) -> tuple[tuple[Recorded, ...], tuple[str, ...]]:
    """The answers in a file, and notes on what was left out. Raises UsageError."""
    shown = os.fspath(path)
    text = _text(shown)
    if shown.casefold().endswith((".csv", ".tsv")):
        try:
            values = _rows(text, shown)
        except csv.Error as error:
            raise _refused(shown, f"it is no CSV: {error}") from error
    else:
        values = _values(text, shown)
    try:
        found, failed = answers(values)
    except NoAnswer as error:
        raise _refused(shown, str(error)) from error
    except RecursionError as error:
        raise _refused(shown, "it is nested too deeply") from error
    if not found:
        reason = "every picture in it failed" if failed else "no answer is in it"
        raise _refused(shown, reason)
    notes = (f"{failed} of the recorded pictures failed there, and count for nothing",)
    return tuple(found), notes if failed else ()


def _refused(shown: str, reason: str) -> UsageError:
    return UsageError(
        f"cannot read answers from {shown!r}: {reason}",
        expected=_EXPECTED,
        hint="`whatsit --json photo.jpg > result.json` writes such a file",
    )


def _text(shown: str) -> str:
    try:
        with open(shown, "rb") as file:
            content = file.read(_MAX_BYTES + 1)  # a pipe or a device does not tell its size
        if len(content) > _MAX_BYTES:
            raise _refused(shown, "it is larger than 256 MiB")
        return content.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(
            f"no file {shown!r} to compare with",
            expected="a model (a name or a .tflite), or a RESULT.json",
            hint="`whatsit models` lists the built-in models",
        ) from error
    except UnicodeDecodeError as error:
        raise _refused(shown, "it is no text") from error
    except (OSError, ValueError) as error:
        raise _refused(shown, str(getattr(error, "strerror", None) or error)) from error


def _values(text: str, shown: str) -> list[Any]:
    """The JSON values of a file: one, or one a line."""
    if not text.strip():
        raise _refused(shown, "it is empty")
    try:
        return [_load(text)]
    except (ValueError, RecursionError):
        pass  # one a line, if it is any
    lines = [line for line in text.splitlines() if line.strip()]
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(_load(line))
        except (ValueError, RecursionError) as error:
            if len(lines) == 1 and len(line) < 200 and line.lstrip()[0] not in "{[":
                return [line.strip()]  # a bare label
            raise _refused(shown, f"line {number} is no JSON") from error
    return values


def _load(text: str) -> Any:
    return json.loads(text, parse_float=_decimal, parse_int=_integer)


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) < 18 else _decimal(text)


def _decimal(text: str) -> Decimal:
    """A number with the digits that were written. Raises ValueError for what is none."""
    try:
        number = Decimal(text)
    except ArithmeticError as error:  # letters, or an exponent beyond all bounds
        raise ValueError(f"{text!r:.40} is no number") from error
    if not number.is_finite():
        raise ValueError(f"{text!r:.40} is no number")
    return number


def _rows(text: str, shown: str) -> list[Any]:
    """The pictures of a CSV with the columns of `whatsit --csv`, as objects."""
    sample = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in text[:500] else ",")
    names = [name or "" for name in sample.fieldnames or []]
    if not {"label", "index", "score"} & set(names):
        raise _refused(shown, "its first line does not name the columns path, index, label, score")
    pictures: dict[str, list[Any]] = {}
    for row in sample:
        if row.get("error"):
            continue
        entry: dict[str, Any] = {"label": row["label"]} if row.get("label") else {}
        for key, kind in (("index", int), ("score", _decimal)):
            if row.get(key):
                try:
                    entry[key] = kind(row[key])
                except ValueError as error:
                    raise _refused(shown, f"{row[key]!r:.40} is no {key}") from error
        pictures.setdefault(row.get("path") or "", []).append(entry)
    return [{"path": path or None, "predictions": rows} for path, rows in pictures.items()]
