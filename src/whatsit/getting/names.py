"""Pairs a model's scores with names. Never by guessing: what does not fit is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import ModelUnsupported
from ..labels import Labels
from .probe import IMAGENET, Answers, first_class, imagenet_labels

BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class Fitted:
    """One name for each score, and in words how it came to that."""

    labels: Labels
    notes: tuple[str, ...] = ()


def read(content: bytes, where: str) -> list[str]:
    """The lines of a file of labels. Raises ModelUnsupported for what is no such file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ModelUnsupported(
            f"the labels in {where} are no UTF-8: see line {line}",
            expected="one class name a line, in UTF-8",
            hint="save the file again as UTF-8",
        ) from error
    lines = [line.strip() for line in text.replace("\r\n", "\n").rstrip().split("\n")]
    for number, name in enumerate(lines, 1):
        if not name or "\0" in name:
            raise ModelUnsupported(
                f"line {number} of the labels in {where} holds no name",
                expected="one class name a line, none empty",
            )
    return lines


def fit(names: Sequence[str], classes: int, answers: Answers) -> Fitted:
    """`names` for a model of `classes` scores. Raises ModelUnsupported if they do not fit."""
    notes: list[str] = []
    if len(names) != classes:
        names, note = _one_apart(names, classes, answers)
        notes.append(note)
    labels = Labels.from_lines("\n".join(names))
    twice = sorted({name for name, shown in zip(names, labels.names, strict=True) if name != shown})
    if twice:
        listed = ", ".join(twice[:5]) + (" …" if len(twice) > 5 else "")
        notes.append(f"several classes have the same name, and now their index behind it: {listed}")
    return Fitted(labels, tuple(notes))


def fit_imagenet(classes: int, answers: Answers) -> Fitted:
    """The 1000 ImageNet classes with their WordNet ids, for a model of `classes` scores."""
    labels = imagenet_labels()
    if classes == IMAGENET:
        hits, pictures = answers.hits(0), len(answers.scores)
        note = (
            "its classes are taken to be the 1000 of ImageNet: it recognises "
            f"{hits} of {pictures} known pictures"
        )
        return Fitted(labels, (note,))
    _, note = _one_apart(labels.names, classes, answers)
    first = answers.offset() == 1
    extended = replace(
        labels,
        names=_with(BACKGROUND, labels.names, first),
        synsets=_with("", labels.synsets, first),
        lemmas=_with((BACKGROUND,), labels.lemmas, first),
        parents=_with("", labels.parents, first),
    )
    return Fitted(extended, (note,))


def check(names: Sequence[str], answers: Answers) -> tuple[str, ...]:
    """A note if the model knows none of the golden pictures.

    Raises ModelUnsupported if their answers are clearly the neighbours of the right ones.
    """
    start = first_class(names)
    if start is None:
        return ()
    offset = answers.offset()
    if offset is not None and offset != start:
        raise ModelUnsupported(
            f"its labels are off by one: ImageNet begins at line {start + 1} of them, but at "
            f"score {offset + 1} of the model, as known pictures show",
            expected=f"{BACKGROUND!r} in the first line, if and only if the model has it",
            hint="--labels FILE gives it others; --labels imagenet takes our own names",
        )
    if answers.hits(start) == 0:
        return (
            f"of {len(answers.scores)} known pictures it recognises none: are its mean, std and "
            "labels right?",
        )
    return ()


def _one_apart(names: Sequence[str], classes: int, answers: Answers) -> tuple[list[str], str]:
    """`names` with `background` added or left out, as the golden pictures show it to be right."""
    start, offset = first_class(names), answers.offset()
    pair = (classes, len(names))
    if start is None or pair not in ((IMAGENET + 1, IMAGENET), (IMAGENET, IMAGENET + 1)):
        raise _mismatch(classes, len(names))
    if offset is None:
        raise _undecided(classes, len(names))
    shown = "as the answers to known pictures show"
    if classes > len(names):
        where = "first" if offset else "last"
        return list(_with(BACKGROUND, names, bool(offset))), (
            f"the model has 1001 scores for 1000 labels: its {where} is {BACKGROUND!r}, {shown}"
        )
    if offset:
        raise _undecided(classes, len(names))
    left_out, kept = (names[0], names[1:]) if start else (names[-1], names[:-1])
    return list(kept), (
        f"the model has 1000 scores for 1001 labels: {left_out!r} is left out, {shown}"
    )


def _with(extra: str | tuple[str], rest: Sequence[object], first: bool) -> tuple:  # type: ignore[type-arg]
    return (extra, *rest) if first else (*rest, extra)


def _mismatch(classes: int, count: int) -> ModelUnsupported:
    return ModelUnsupported(
        f"it gives {classes} scores, but there are {count} labels",
        expected=f"{classes} labels, one a line",
        hint="has the model a class of its own for the background? name it in its line"
        if classes == count + 1
        else "",
    )


def _undecided(classes: int, count: int) -> ModelUnsupported:
    more = "before the first name, or after the last" if classes > count else "out"
    return ModelUnsupported(
        f"it gives {classes} scores, but there are {count} labels, and its answers to known "
        "pictures do not show which belongs to which",
        expected=f"{classes} labels, one a line",
        hint=f"most such models mean 'background' by their first score: put that line {more}",
    )
