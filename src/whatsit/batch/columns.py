"""The columns of a table of answers: their names, their types, and their values in a row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..results import Prediction
from ..wording import utf8

if TYPE_CHECKING:
    from .answering import Row

# Types of columns. SCORE is a probability, MANY of these are lists, VECTOR is the embedding.
TEXT, WHOLE, REAL, TRUTH, SCORE, VECTOR = "text", "whole", "real", "truth", "score", "vector"
TEXTS, WHOLES, SCORES = "texts", "wholes", "scores"
LISTS = frozenset({TEXTS, WHOLES, SCORES, VECTOR})

INPUT = "input."  # before the name of a column of the input table that has the name of one of ours
_HEAD = ("path", "verdict", "label", "index", "score", "synset")
_MANY = ("labels", "indices", "scores")
_TAIL = ("error_code", "error_message")
_EMBEDDING = "embedding"
_RANKED = re.compile(r"(label|index|score|synset)(?:_([1-9]\d{0,3}))?")
_OF_PREDICTION: dict[str, tuple[str, Callable[[Prediction], Any]]] = {
    "label": (TEXT, lambda p: p.label),
    "index": (WHOLE, lambda p: p.index),
    "score": (SCORE, lambda p: p.score),
    "synset": (TEXT, lambda p: p.synset),
}
_LISTED = {"labels": ("label", TEXTS), "indices": ("index", WHOLES), "scores": ("score", SCORES)}


@dataclass(frozen=True, slots=True)
class Column:
    """A name, a type, and how to find the value of a row, which may be None."""

    name: str
    type: str
    value: Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The names of the columns of the output, and those of them that the input table has.

    No names at all stand for the JSON object of an answer, which is no table.
    """

    names: tuple[str, ...]
    carried: tuple[str, ...] = ()  # as the input table has them


def chosen(
    names: Sequence[str] | None, kind: str, *, top: int, embeddings: bool, tables: bool
) -> Chosen:
    """The columns of a file of this kind. Raises UsageError for names that it cannot have.

    `tables` says whether there is an input with columns of its own.
    """
    if names is None:
        return Chosen(() if kind == "jsonl" else _usual(kind, top, embeddings))
    if not names or not all(names) or len(set(names)) < len(names):
        raise UsageError(
            f"the columns {','.join(names)!r}", expected="names with commas between, each once"
        )
    carried = [name for name in names if not _is_ours(name)]
    if carried and not tables:
        raise UsageError(
            f"no column {carried[0]!r}",
            expected=f"some of {', '.join((*_HEAD, *_MANY, *_TAIL, _EMBEDDING))}",
            hint="other columns can be carried from a CSV or Parquet input",
        )
    for name in names:
        _check(name, kind, top, embeddings)
    if embeddings and _EMBEDDING not in names:
        raise UsageError(
            "--embeddings without a column for them", expected="`embedding` among --columns"
        )
    return Chosen(tuple(names), tuple(name.removeprefix(INPUT) for name in carried))


def _usual(kind: str, top: int, embeddings: bool) -> tuple[str, ...]:
    if kind == "csv":
        ranks = [
            f"{part}_{rank}" for rank in range(2, top + 1) for part in ("label", "index", "score")
        ]
        return (*_HEAD, *ranks, *_TAIL)
    return (*_HEAD, *_MANY, *_TAIL, *([_EMBEDDING] if embeddings else []))


def _is_ours(name: str) -> bool:
    return name in (*_HEAD, *_MANY, *_TAIL, _EMBEDDING) or _RANKED.fullmatch(name) is not None


def _check(name: str, kind: str, top: int, embeddings: bool) -> None:
    if name == _EMBEDDING and not embeddings:
        raise UsageError("the column embedding without --embeddings", expected="both or neither")
    if kind == "csv" and name in (*_MANY, _EMBEDDING):
        raise UsageError(
            f"the column {name} in a CSV file",
            expected="one value a column, such as label, label_2, score_2",
            hint="lists go into .jsonl and .parquet",
        )
    match = _RANKED.fullmatch(name)
    if match and int(match[2] or 1) > top:
        raise UsageError(
            f"the column {name} of {top} answers a picture",
            expected=f"at most {match[1]}_{top}",
            hint=f"--top {match[2]} gives as many",
        )


def columns(names: Sequence[str], carried: Sequence[tuple[str, str]]) -> list[Column]:
    """The columns of these names; `carried` has name and type of those of the input table."""
    types = dict(carried)
    return [
        _ours(name) if _is_ours(name) else _carried(name, types[name.removeprefix(INPUT)])
        for name in names
    ]


def _ours(name: str) -> Column:
    if name == "path":
        return Column(name, TEXT, lambda row: utf8(row.item.path))
    if name == "verdict":
        return Column(name, TEXT, lambda row: row.result.verdict and row.result.verdict.value)
    if name == _EMBEDDING:
        return Column(name, VECTOR, lambda row: row.result.embedding)
    if name in _TAIL:
        return _of_error(name, name.removeprefix("error_"))
    if name in _LISTED:
        return _listed(name, *_LISTED[name])
    match = _RANKED.fullmatch(name)
    assert match is not None
    return _ranked(name, match[1], int(match[2] or 1) - 1)


def _of_error(name: str, part: str) -> Column:
    def value(row: Row) -> Any:
        error = row.result.error
        return None if error is None else utf8(error.to_json()[part])

    return Column(name, TEXT, value)


def _listed(name: str, part: str, type_: str) -> Column:
    _, of = _OF_PREDICTION[part]

    def value(row: Row) -> Any:
        return None if row.result.error else [of(p) for p in row.result.predictions]

    return Column(name, type_, value)


def _ranked(name: str, part: str, rank: int) -> Column:
    type_, of = _OF_PREDICTION[part]

    def value(row: Row) -> Any:
        predictions = row.result.predictions
        return of(predictions[rank]) if rank < len(predictions) else None

    return Column(name, type_, value)


def _carried(name: str, type_: str) -> Column:
    key = name.removeprefix(INPUT)
    if type_ != TEXT:
        return Column(name, type_, lambda row: row.item.columns.get(key))
    return Column(name, type_, lambda row: as_text(row.item.columns.get(key)))


def as_text(value: Any) -> str | None:
    """A value of an input table as text: itself, or its JSON."""
    if value is None:
        return None
    return utf8(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def type_of(value: Any, so_far: str | None) -> str | None:
    """The type of a carried column that has `value` too; None as long as nothing is known."""
    if value is None:
        return so_far
    if isinstance(value, bool):
        found = TRUTH
    elif isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        found = WHOLE
    elif isinstance(value, float):
        found = REAL
    else:
        found = TEXT
    if so_far is None or so_far == found:
        return found
    return REAL if {so_far, found} == {WHOLE, REAL} else TEXT
