"""The query of a request: what is asked of a picture, in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ..errors import UsageError
from ..results import ACCEPTANCE, COVERAGE

if TYPE_CHECKING:
    from ..preprocess import Region

MOST_CLASSES = 100_000
_MOST_PARAMETERS = 200
_MOST_DEGREES = 3600
_LONGEST = 200  # letters of a value: a longer name is none, and is slow to look for
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_REAL = re.compile(r"-?(?:[0-9]{1,20}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Question:
    """The parameters of one request. Whether their values make sense is for the classifier."""

    model: str | None = None
    top: int = 5
    threshold: float = 0.0
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    region: Region | None = None
    rotation: int = 0
    raw: bool = False
    coverage: float = COVERAGE
    acceptance: float = ACCEPTANCE
    preprocess: str | None = None

    @classmethod
    def parse(cls, query: bytes) -> Question:
        """What a query string asks. Raises UsageError for an unknown or unreadable parameter."""
        values: dict[str, list[str]] = {}
        for name, value in _pairs(query):
            if name not in PARAMETERS:
                raise _unknown(name)
            if len(value) > _LONGEST:
                raise UsageError(f"{name} has {len(value)} letters", expected=f"at most {_LONGEST}")
            values.setdefault(name, []).append(value)
        return cls(**{name: PARAMETERS[name].read(name, given) for name, given in values.items()})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: how it is read, and how the document of the API describes it."""

    read: Callable[[str, Sequence[str]], Any]
    schema: Mapping[str, Any]
    about: str
    example: Any = field(default=None)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("latin-1"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError as error:
        raise UsageError(
            "the query has too many parameters", expected=f"at most {_MOST_PARAMETERS}"
        ) from error


def _unknown(name: str) -> UsageError:
    import difflib

    close = difflib.get_close_matches(name[:_LONGEST], PARAMETERS, n=1)
    return UsageError(
        f"no parameter {name[:_LONGEST]!r}",
        expected=f"one of {', '.join(PARAMETERS)}",
        hint=f"did you mean {close[0]!r}?" if close else "",
    )


def _one(name: str, given: Sequence[str]) -> str:
    if len(given) > 1:
        raise UsageError(f"{name} is there {len(given)} times", expected="once")
    return given[0]


def _text(name: str, given: Sequence[str]) -> str:
    return _one(name, given)


def _texts(name: str, given: Sequence[str]) -> tuple[str, ...]:
    return tuple(given)


def _whole(name: str, given: Sequence[str]) -> int:
    text = _one(name, given)
    if not _WHOLE.fullmatch(text):
        raise UsageError(f"{name} {text!r}", expected="a whole number")
    return int(text)


def _top(name: str, given: Sequence[str]) -> int:
    top = _whole(name, given)
    if top > MOST_CLASSES:
        raise UsageError(f"the top {top} classes", expected=f"at most {MOST_CLASSES}")
    return top


def _turn(name: str, given: Sequence[str]) -> int:
    degrees = _whole(name, given)
    if abs(degrees) > _MOST_DEGREES:
        raise UsageError(f"cannot rotate by {degrees} degrees", expected="90, 180 or 270")
    return degrees


def _real(name: str, given: Sequence[str]) -> float:
    text = _one(name, given)
    if not _REAL.fullmatch(text):
        raise UsageError(f"{name} {text!r}", expected="a number")
    return float(text)


def _flag(name: str, given: Sequence[str]) -> bool:
    text = _one(name, given)
    if text not in ("true", "false"):
        raise UsageError(f"{name} {text!r}", expected="true or false")
    return text == "true"


def _region(name: str, given: Sequence[str]) -> Region:
    text = _one(name, given)
    parts = text.split(",")
    if len(parts) != 4 or not all(_REAL.fullmatch(part) for part in parts):
        raise UsageError(
            f"{text!r} is not a region",
            expected="left,top,right,bottom as fractions of the picture",
            hint="the upper left quarter is 0,0,0.5,0.5",
        )
    left, top, right, bottom = map(float, parts)
    return left, top, right, bottom


_SHARE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_KEYS = {"type": "array", "items": {"type": "string", "maxLength": _LONGEST, "minLength": 1}}

PARAMETERS: Mapping[str, Parameter] = {
    "model": Parameter(_text, {"type": "string"}, "One of the models that are served."),
    "top": Parameter(
        _top,
        {"type": "integer", "minimum": 1, "maximum": MOST_CLASSES, "default": 5},
        "How many classes to answer with.",
        3,
    ),
    "threshold": Parameter(
        _real,
        {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
        "Leave out classes that score less.",
    ),
    "allow": Parameter(
        _texts,
        _KEYS,
        "Answer only with this class; again for several. An index, a name, or a WordNet id, which "
        "may name a whole branch: n02084071 is every dog.",
    ),
    "deny": Parameter(_texts, _KEYS, "Never answer with this class. Not beside `allow`."),
    "region": Parameter(
        _region,
        {"type": "string", "pattern": r"^(0|1|0?\.[0-9]{1,6})(,(0|1|0?\.[0-9]{1,6})){3}$"},
        "Look only at this part: left,top,right,bottom from 0 to 1.",
        "0,0,0.5,0.5",
    ),
    "rotation": Parameter(
        _turn,
        {
            "type": "integer",
            "multipleOf": 90,
            "minimum": -_MOST_DEGREES,
            "maximum": _MOST_DEGREES,
            "default": 0,
        },
        "Turn the picture clockwise by so many degrees, a multiple of 90.",
    ),
    "preprocess": Parameter(
        _text,
        {"type": "string", "maxLength": _LONGEST},
        "Cut and resize by this rule instead of the model's own.",
        "crop(0.875, bicubic)",
    ),
    "raw": Parameter(
        _flag,
        {"type": "boolean", "default": False},
        "The model's own scores, not the calibrated ones.",
    ),
    "coverage": Parameter(
        _real,
        {**_SHARE, "default": COVERAGE},
        "How often the set of likely classes must hold the right one.",
    ),
    "acceptance": Parameter(
        _real,
        {**_SHARE, "default": ACCEPTANCE},
        "Of pictures that show a known class, the share that must not be called unknown.",
    ),
}
