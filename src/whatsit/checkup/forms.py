"""The forms in which programs write answers, parsed: one picture or many, objects, lists, pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from .. import images
from .answers import Entry, NoAnswer, Recorded, answer

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


def answers(values: Sequence[Any]) -> tuple[list[Recorded], int]:
    """The answers in parsed values, and how many pictures failed there. Raises NoAnswer."""
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
            raise NoAnswer("it holds text that is no answer")
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
        raise NoAnswer("it holds no classes and no scores")
    return answer(entries)


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
        raise NoAnswer(f"{value!r:.60} is no class with a score")
    index = next((value[k] for k in _INDICES if type(value.get(k)) is int), None)
    label = next((value[k] for k in _LABELS if isinstance(value.get(k), str) and value[k]), None)
    if label is None and index is None:
        index = next((value[k] for k in _LABELS if type(value.get(k)) is int), None)
    score = next((value[k] for k in _SCORES if _is_number(value.get(k))), None)
    if (index is None and label is None) or (index is not None and index < 0):
        raise NoAnswer("one of its classes has neither index nor label")
    return Entry(None, index, label), score


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _of_numbers(values: list[Any]) -> Recorded:
    """All scores of a model, in the order of its output."""
    if len(values) < 2:
        raise NoAnswer("a single number is no answer")
    return replace(
        answer([(Entry(None, index=i), score) for i, score in enumerate(values)]), complete=True
    )
