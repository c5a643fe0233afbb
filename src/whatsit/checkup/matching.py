"""Which of our classes the scores of another program are of, and which picture it answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..labels import Labels
from .comparing import Target
from .engine import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .answers import Recorded
    from .specimen import Specimen

    Indices = NDArray[np.intp]
    Scores = NDArray[np.float64]

_MOSTLY = 0.9  # of the names, for two lists to be of the same classes


class Names:
    """Finds classes by whatever they are called: display name, synonym or WordNet id."""

    def __init__(self, specimen: Specimen) -> None:
        labels = specimen.bundle.labels if specimen.bundle else None
        raw = specimen.labels
        self.shown = labels.names if labels else ()
        if labels is None and raw:
            self.shown = Labels.from_lines("\n".join(raw)).names
        rows = [*enumerate(self.shown), *enumerate(raw)]
        if labels:
            rows += enumerate(labels.synsets)
            rows += [(i, ", ".join(names)) for i, names in enumerate(labels.lemmas)]
            rows += [(i, name) for i, names in enumerate(labels.lemmas) for name in names]
        rows += [(i, name.split(",")[0]) for i, name in enumerate(raw)]
        self._found: dict[str, int] = {}
        for index, name in rows:
            self._found.setdefault(plain(name), index)

    def find(self, name: str) -> int:
        """The class of that name, or -1."""
        key = plain(name)
        for form in (key, key.split(",")[0].strip(), key[:9]):  # the last: a WordNet id
            if form in self._found:
                return self._found[form]
        return -1


def plain(name: str) -> str:
    """A name without what programs change in it."""
    return " ".join(name.casefold().replace("_", " ").split())


@dataclass(frozen=True, slots=True)
class Matched:
    """Answers as targets, one a picture.

    `contradiction` is an example of a class whose index and name do not belong together.
    """

    targets: tuple[Target, ...]
    notes: tuple[str, ...] = ()
    contradiction: str = ""


def of_recorded(
    answers: Sequence[Recorded], specimen: Specimen, step: float, shown: str
) -> Matched:
    """What the recorded answers say of the classes of our model. Raises UsageError."""
    names = Names(specimen)
    targets: list[Target] = []
    notes: list[str] = []
    odd = ""
    for answer in answers:
        by_index = [-1 if e.index is None else e.index for e in answer.entries]
        by_name = [-1 if e.label is None else names.find(e.label) for e in answer.entries]
        if answer.complete and len(by_index) != specimen.classes:
            offset = _background(len(by_index), specimen.classes, shown)
            by_index = [i + offset for i in by_index]
            notes.append(
                f"{shown} has {len(by_index)} scores and the model {specimen.classes}: one of them "
                "is taken to have a class 'background' that comes first"
            )
        scores = np.array([e.score or 0.0 for e in answer.entries], np.float64)
        ways = _ways(by_index, by_name, specimen.classes, scores)
        if not ways:
            raise _foreign(answer, names, specimen, shown)
        odd = odd or _contradiction(answer, names, ways)
        targets.append(_target(answer, ways, step))
    return Matched(tuple(_shared(targets)), tuple(dict.fromkeys(notes)), odd)


def _foreign(answer: Recorded, names: Names, specimen: Specimen, shown: str) -> UsageError:
    entry = answer.entries[0]
    what = repr(entry.label)[:80] if entry.label is not None else f"class {entry.index}"
    example = f", such as {names.shown[0]!r}" if names.shown else ""
    return UsageError(
        f"the answers in {shown} are not of the classes of this model: {what}",
        expected=f"some of its {specimen.classes} classes{example}",
        hint="is it the answer of another model?",
    )


def _background(theirs: int, ours: int, shown: str) -> int:
    """What to add to their indices for ours where one of the two has a background class."""
    if abs(theirs - ours) != 1:
        raise UsageError(
            f"{shown} has {theirs} scores for a picture, and the model gives {ours}",
            expected=f"{ours} scores",
            hint="is it the answer of another model?",
        )
    return ours - theirs


def _ways(
    by_index: list[int], by_name: list[int], classes: int, scores: Scores
) -> dict[str, Indices]:
    """The ways of counting; `own` is by name where there are names that are known.

    Of a list of all classes that is moved by one, the class that falls off at one end is at the
    other, unless 0 was put there.
    """
    index = np.array([i if 0 <= i < classes else -1 for i in by_index], np.intp)
    name = np.array(by_name, np.intp)
    known_names, known_index = ((way >= 0).mean() >= 0.5 for way in (name, index))
    if not known_names and not known_index:
        return {}
    ways = {"own": name if known_names else index}
    if known_names and known_index and not np.array_equal(name, index):
        ways["by index"] = index
    for word, step in (("+1", 1), ("-1", -1)):
        moved = ways["own"] + step
        if len(moved) == classes and (ways["own"] >= 0).all():
            moved = np.where((moved % classes == moved) | (scores != 0), moved % classes, -1)
        ways[word] = np.where((ways["own"] >= 0) & (moved < classes), moved, -1)
    return ways


def _contradiction(answer: Recorded, names: Names, ways: dict[str, Indices]) -> str:
    if "by index" not in ways:
        return ""
    for entry, index, own in zip(answer.entries, ways["by index"], ways["own"], strict=True):
        if index >= 0 and own >= 0 and index != own:
            return f"class {index} is called {entry.label!r} there, and {names.shown[index]!r} here"
    return ""


def _target(answer: Recorded, ways: dict[str, Indices], step: float) -> Target:
    if answer.entries[0].score is None:
        first = {name: places[:1] for name, places in ways.items()}
        return Target(np.ones(1), first, complete=False, only_first=True)
    scores = np.array([entry.score for entry in answer.entries], np.float64)
    if answer.logits:
        return Target(softmax(scores), ways, answer.complete, step, free=not answer.complete)
    return Target(np.clip(scores, 0, 1), ways, answer.complete, max(answer.step, step))


def _shared(targets: list[Target]) -> list[Target]:
    """All with the same ways of counting; what lacks one counts as it is."""
    every = sorted({name for target in targets for name in target.classes})
    return [
        Target(
            t.scores,
            {name: t.classes.get(name, t.classes["own"]) for name in every},
            t.complete,
            t.step,
            t.free,
            t.only_first,
        )
        for t in targets
    ]


def of_model(scores: Sequence[Scores], other: Specimen, ours: Specimen, step: float) -> Matched:
    """The answers of another model, all its scores for each picture. Raises UsageError."""
    names, theirs = Names(ours), other.labels
    count, classes = other.classes, ours.classes
    by_name = [names.find(name) for name in theirs] if len(theirs) == count else []
    named = bool(by_name) and float(np.mean([i >= 0 for i in by_name])) >= _MOSTLY
    offset = 0
    if not named and count != classes:
        offset = _background(count, classes, f"the model {other.name!r}")
    index = np.arange(count) + offset
    index = np.where((index >= 0) & (index < classes), index, -1)
    name = np.array(by_name if named else index, np.intp)
    ways = _ways(index.tolist(), name.tolist(), classes, np.ones(count))
    odd = ""
    differing = np.flatnonzero((name != index) & (name >= 0) & (index >= 0))
    if "by index" in ways and count == classes and len(differing):
        place = int(differing[0])
        odd = f"class {place} is called {theirs[place]!r} there, and {names.shown[place]!r} here"
    return Matched(tuple(Target(each, ways, True, step) for each in scores), (), odd)


def pair_up(
    pictures: Sequence[str], answers: Sequence[Recorded], shown: str
) -> list[tuple[str, Recorded]]:
    """Each picture with its answer: by path, else by name, else in order.

    Without pictures, those that the answers name. Raises UsageError.
    """
    if not pictures:
        return _named_there(answers, shown)
    if len(pictures) == 1 and len(answers) == 1:
        return [(pictures[0], answers[0])]
    named = [(answer.path, answer) for answer in answers if answer.path]
    if not named:
        if len(pictures) != len(answers):
            raise UsageError(
                f"{len(pictures)} pictures, and {len(answers)} answers in {shown} that name none",
                expected="one answer for each picture, in the same order",
            )
        return list(zip(pictures, answers, strict=True))
    by_path = {os.path.abspath(path): answer for path, answer in named}
    by_name = {file_name(path): answer for path, answer in named}
    pairs = [
        (picture, answer)
        for picture in pictures
        if (answer := by_path.get(os.path.abspath(picture)) or by_name.get(file_name(picture)))
    ]
    if not pairs:
        raise UsageError(
            f"{shown} holds no answer to {pictures[0]!r}",
            expected=f"a picture that it names, such as {file_name(named[0][0])!r}",
        )
    return pairs


def file_name(path: str) -> str:
    """The last part of a path, which another system may have written."""
    return os.path.basename(path.replace("\\", "/"))


def _named_there(answers: Sequence[Recorded], shown: str) -> list[tuple[str, Recorded]]:
    folder = os.path.dirname(shown)
    pairs = []
    for answer in answers:
        for place in (answer.path, os.path.join(folder, answer.path)) if answer.path else ():
            if os.path.isfile(place):
                pairs.append((place, answer))
                break
    if not pairs:
        raise UsageError(
            f"{shown} names no picture that is here",
            expected="the pictures that it answers",
            hint="`whatsit doctor MODEL PHOTO --against RESULT.json`",
        )
    return pairs
