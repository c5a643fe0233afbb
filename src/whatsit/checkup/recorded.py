"""Answers that another program wrote down: what RESULT.json may look like, and what it says.

Taken is what programs print: the lines of `whatsit --json`, its CSV, a list of all scores, labels
with scores, MediaPipe's categories, one picture or many. What is none of it is refused.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from .. import images
from ..errors import UsageError

_MAX_BYTES = 256 << 20
_NAMES = ("path", "file", "filename", "file_name", "image", "picture", "photo", "name", "source")
_LISTS = (
    "predictions",
    "categories",
    "classifications",
    "scores",
    "probabilities",
    "probs",
    "logits",
    "outputs",
    "output",
    "results",
    "result",
    "images",
    "pictures",
    "top",
    "topk",
    "top5",
    "top_5",
    "classes",
    "data",
)
_INDICES = ("index", "class_index", "class_id", "idx", "id")
_LABELS = (
    "label",
    "category_name",
    "class_name",
    "categoryName",
    "className",
    "display_name",
    "displayName",
    "name",
    "class",
    "category",
    "synset",
    "top1",
    "top_1",
    "prediction",
    "answer",
)
_SCORES = ("score", "probability", "prob", "confidence", "value", "p", "logit")
_EXPECTED = "lines of `whatsit --json`, a list of all scores, or labels with scores"
_FEW, _BYTES_OFF = 20, 48  # scores, and what rounding may add to 256 of them
_ALL_DIGITS = 8  # from here on scores count as exact


@dataclass(frozen=True, slots=True)
class Entry:
    """One class of an answer, by what the other program calls it."""

    score: float | None
    index: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One picture's answer. `step` is the smallest difference that its scores can show, 0 if any.

    `complete` says that every class is there, in the order of the model's output. `logits` are
    scores that are no probabilities.
    """

    path: str | None
    entries: tuple[Entry, ...]
    complete: bool = False
    logits: bool = False
    step: float = 0.0
    percent: bool = False


class _Wrong(Exception):
    """What stands there is no answer; the text says what it is."""


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
        found, failed = _answers(values)
    except _Wrong as error:
        raise _refused(shown, str(error)) from error
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
        pass
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


def _answers(values: Sequence[Any]) -> tuple[list[Recorded], int]:
    found: list[Recorded] = []
    failed = 0
    for value in values:
        for one in _pictures(value):
            if isinstance(one, Mapping) and one.get("error") is not None and not _inner(one):
                failed += 1
                continue
            path = _path_of(one)
            found.append(replace(_answer(_inside(one)), path=path))
    return found, failed


def _pictures(value: Any) -> Iterable[Any]:
    """The parts of a value that are of one picture each."""
    if isinstance(value, Mapping):
        if value and all(images.is_picture_name(str(key)) for key in value):
            return [{"path": key, "predictions": part} for key, part in value.items()]
        inner = _inner(value)
        parts = value[inner] if inner else None
        if isinstance(parts, Mapping) and _path_of(value) is None:
            return _pictures(parts)
        if isinstance(parts, list) and parts and all(_is_picture(part) for part in parts):
            return [part for each in parts for part in _pictures(each)]
        return [value]
    if isinstance(value, list) and value:
        if all(_is_picture(part) for part in value):
            return [part for each in value for part in _pictures(each)]
        if all(isinstance(part, list) for part in value) and not all(map(_is_pair, value)):
            return value  # a batch: a list of scores, or of labels with scores, for each picture
    return [value]


def _is_picture(value: Any) -> bool:
    """Whether an object is the answer for a picture, and not one class of it."""
    if not isinstance(value, Mapping):
        return False
    if value.get("error") is not None:
        return True
    inner = _inner(value)
    return (inner is not None and isinstance(value[inner], (list, Mapping))) or (
        any(key in value for key in _NAMES[:-2])
        and any(key in value for key in (*_LABELS, *_INDICES))
    )


def _is_pair(value: list[Any]) -> bool:
    """["tabby", 0.8], [281, 0.8] or ["n02123045", "tabby", 0.8]."""
    return (
        len(value) in (2, 3)
        and isinstance(value[0], (str, int))
        and _is_number(value[-1])
        and (len(value) == 3 or isinstance(value[0], str) or isinstance(value[1], Decimal))
        and not (len(value) == 3 and not isinstance(value[1], str))
    )


def _inner(value: Mapping[Any, Any]) -> str | None:
    return next((key for key in _LISTS if isinstance(value.get(key), (list, dict))), None)


def _path_of(value: Any) -> str | None:
    if isinstance(value, Mapping):
        for key in _NAMES:
            path = value.get(key)
            if isinstance(path, str) and (key != "name" or images.is_picture_name(path)):
                return path
    return None


def _inside(value: Any) -> Any:
    """What holds the classes: unpacks objects and lists of one that stand around it."""
    while True:
        if isinstance(value, Mapping):
            inner = _inner(value)
            if inner is None:
                return value
            if inner == "logits":
                return {"logits": value[inner]}
            value = value[inner]
        elif isinstance(value, list) and len(value) == 1:
            part = value[0]
            if (isinstance(part, list) and not _is_pair(part)) or (
                isinstance(part, Mapping) and _inner(part)
            ):
                value = part
            else:
                return value
        else:
            return value


def _answer(value: Any) -> Recorded:
    """The classes of one picture."""
    if isinstance(value, Mapping) and set(value) == {"logits"}:
        return replace(_answer(_inside(value["logits"])), logits=True)
    if isinstance(value, str):
        if not value or value[0] in "{[<":
            raise _Wrong("it holds text that is no answer")
        return Recorded(None, (Entry(None, label=value),))
    if isinstance(value, list) and value and all(map(_is_number, value)):
        return _of_numbers(value)
    if isinstance(value, Mapping):
        if value and all(map(_is_number, value.values())) and not _is_entry(value):
            entries = [_keyed(key, score) for key, score in value.items()]
        else:
            entries = [_entry(value)]
    elif isinstance(value, list) and value:
        entries = [_entry(part) for part in value]
    else:
        raise _Wrong("it holds no classes and no scores")
    return _checked(entries)


def _is_entry(value: Mapping[Any, Any]) -> bool:
    return any(key in value for key in (*_INDICES[:4], "label")) and set(value) <= {
        *_INDICES,
        *_SCORES,
        "rank",
        "label",
    }


def _keyed(key: Any, score: Any) -> tuple[Entry, Any]:
    text = str(key)
    if text.isdecimal() and len(text) < 9:
        return Entry(None, index=int(text)), score
    return Entry(None, label=text), score


def _entry(value: Any) -> tuple[Entry, Any]:
    """One class: an object, a pair, or its name alone."""
    if isinstance(value, str):
        return Entry(None, label=value), None
    if isinstance(value, list) and _is_pair(value):
        first = value[-2]
        index, label = (first, None) if isinstance(first, int) else (None, str(first))
        return Entry(None, index, label), value[-1]
    if not isinstance(value, Mapping):
        raise _Wrong(f"{value!r:.60} is no class with a score")
    index = next((value[k] for k in _INDICES if type(value.get(k)) is int), None)
    label = next((value[k] for k in _LABELS if isinstance(value.get(k), str) and value[k]), None)
    if label is None and index is None:
        index = next((value[k] for k in _LABELS if type(value.get(k)) is int), None)
    score = next((value[k] for k in _SCORES if _is_number(value.get(k))), None)
    if (index is None and label is None) or (index is not None and index < 0):
        raise _Wrong("one of its classes has neither index nor label")
    return Entry(None, index, label), score


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _of_numbers(values: list[Any]) -> Recorded:
    """All scores of a model, in the order of its output."""
    if len(values) < 2:
        raise _Wrong("a single number is no answer")
    return replace(
        _checked([(Entry(None, index=i), score) for i, score in enumerate(values)]), complete=True
    )


def _checked(pairs: list[tuple[Entry, Any]]) -> Recorded:
    scores = [score for _, score in pairs if score is not None]
    if not scores:
        return Recorded(None, (pairs[0][0],))  # the first class alone is known
    if len(scores) < len(pairs):
        raise _Wrong("some of its classes have a score, and others none")
    numbers = [float(score) for score in scores]
    if not all(map(math.isfinite, numbers)):
        raise _Wrong("its scores are no numbers")
    low, high, total = min(numbers), max(numbers), sum(numbers)
    percent = low >= 0 and 1.01 < high <= 100.01 and total <= 101 and high + total > 2.5
    in_bytes = _in_bytes(scores, total)
    logits = not percent and not in_bytes and (low < -1e-3 or high > 1.01)
    scale = 0.01 if percent else 1 / 256 if in_bytes else 1.0
    entries = tuple(
        replace(entry, score=number * scale)
        for (entry, _), number in zip(pairs, numbers, strict=True)
    )
    return Recorded(None, entries, logits=logits, step=_step(scores) * scale, percent=percent)


def _in_bytes(scores: Sequence[Any], total: float) -> bool:
    """Whether they are all the bytes of a uint8 output: 256 stand for a probability of 1."""
    whole = all(0 <= score <= 255 and float(score).is_integer() for score in scores)
    return whole and len(scores) > _FEW and abs(total - 256) < _BYTES_OFF


def _step(scores: Iterable[Any]) -> float:
    """The last digit that the scores were rounded to; 0 for those that were not."""
    values = list(scores)
    steps = {round(float(value) * 256, 4) % 1 for value in values}
    if steps == {0.0}:
        return 1 / 256  # of a quantised output
    digits = max(
        -exponent if isinstance(value, Decimal) and isinstance(exponent, int) else 0
        for value in values
        for exponent in [Decimal(value).as_tuple().exponent]
    )
    return 0.0 if digits >= _ALL_DIGITS else 10.0**-digits
