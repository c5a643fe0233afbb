"""Why is accuracy low: tries each deviation on labelled pictures, and looks for weak points."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import datasets, opening
from ..errors import DatasetError, InputError
from ..evaluate import known as matched
from ..labels import Labels
from ..measures import Rate, mcnemar
from ..wording import interval, p_equals, percent, shown
from .hypotheses import Deviation, deviations
from .naming import title
from .searching import Trials
from .values import Accuracy, Finding, Progress, Severity
from .ways import Picture, Range, Way, orientation

if TYPE_CHECKING:
    from .engine import Engine
    from .specimen import Specimen

_CHANCE = 0.01  # of all deviations together
_LEAST_GAIN = 0.03  # of accuracy, for a deviation to be worth a word
_CLEAR_GAIN = 0.10
_OVERSURE = 0.1
_SHOWN = 5
_FILTERS = ("nearest", "legacy-bilinear", "bilinear")  # the others change too little


@dataclass(frozen=True, slots=True)
class Labelled:
    """What labelled pictures say: findings, how often each way is right, of how many pictures."""

    findings: tuple[Finding, ...]
    rows: tuple[Accuracy, ...]
    pictures: int
    notes: tuple[str, ...]
    best: Deviation | None = None  # of the first cause that is proved


def examine(
    specimen: Specimen,
    engine: Engine,
    own: Range | None,
    data: str,
    *,
    limit: int,
    seed: int,
    labels_by: str,
    say: Progress,
) -> Labelled:
    """Runs the model on some labelled pictures in every way. Raises DatasetError, UsageError."""
    whole = opening.read(data)
    labels = (
        specimen.bundle.labels if specimen.bundle else Labels.from_lines("\n".join(specimen.labels))
    )
    found = matched(whole, labels, labels_by=labels_by, skip_unknown=True)
    drawn = [found.known[i] for i in datasets.sampled(len(found.known), limit, seed)]
    cases = [
        (Path(whole.rows[place].path), index)
        for place in drawn
        if (index := found.indices[place]) is not None
    ]
    tried = _worth_trying(specimen, own, turned=any(orientation(path) != 1 for path, _ in cases))
    seen: list[_Seen] = []
    for done, (path, truth) in enumerate(cases, 1):
        with contextlib.suppress(InputError):  # told below, by their number
            seen.append(_look(Trials(specimen, engine, [Picture(path)], own), truth, tried))
        say(done, len(cases), f"labelled pictures, in {len(tried)} ways each")
    if not seen:
        raise DatasetError(
            f"no picture of {data!r} can be used", expected="labelled pictures of its classes"
        )
    notes = list(found.notes)
    if failed := len(cases) - len(seen):
        notes.append(f"{failed} of the pictures cannot be read, and count for nothing")
    return _judged(seen, tried, labels, notes)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the model says of one picture: its first class and score, and in which ways it is right.

    The ways are the model's own, and then those that are tried.
    """

    truth: int
    first: int
    score: float
    right: tuple[bool, ...]


def _worth_trying(specimen: Specimen, own: Range | None, *, turned: bool) -> list[Deviation]:
    assert specimen.input is not None
    every = deviations(Way.of(specimen.rule), specimen.input, own, turned=turned)
    shifts = [
        Deviation("answer", "labels-shifted", f"labels are shifted by one ({word})", counting=word)
        for word in ("+1", "-1")
    ]
    return [
        *shifts,
        *(each for each in every if each.slot != "filter" or dict(each.way)["filter"] in _FILTERS),
    ]


def _look(trials: Trials, truth: int, tried: Sequence[Deviation]) -> _Seen:
    """One picture at a time, since hundreds of photos at full size would fill the memory."""
    scores = trials.answer(trials.base, 0)
    first = int(scores.argmax())
    right = [first == truth]
    for each in tried:
        if each.slot == "answer":
            right.append(first == truth + (1 if each.counting == "+1" else -1))
        else:
            right.append(int(trials.answer(each.applied(trials.base), 0).argmax()) == truth)
    return _Seen(truth, first, float(scores[first]), tuple(right))


def _judged(
    seen: Sequence[_Seen], tried: Sequence[Deviation], labels: Labels, notes: Sequence[str]
) -> Labelled:
    """Which ways are right more often than chance would have it, and what is weak if none is."""
    own = [each.right[0] for each in seen]
    rows = [Accuracy("as the model does it", (), sum(own), 1.0)]
    proved: list[tuple[Accuracy, Deviation]] = []
    for number, deviation in enumerate(tried, 1):
        now = [each.right[number] for each in seen]
        p = mcnemar(
            sum(a and not b for a, b in zip(own, now, strict=True)),
            sum(b and not a for a, b in zip(own, now, strict=True)),
        )
        rows.append(Accuracy(deviation.words, (deviation.code,), sum(now), p))
        gain = (sum(now) - sum(own)) / len(seen)
        if gain >= _LEAST_GAIN and p < _CHANCE / len(tried):
            proved.append((rows[-1], deviation))
    proved.sort(key=lambda pair: -pair[0].right)
    return Labelled(
        (*_causes(proved, rows[0], len(seen)), *(_weak(seen, labels) if not proved else ())),
        (rows[0], *sorted(rows[1:], key=lambda row: -row.right)),
        len(seen),
        tuple(notes),
        proved[0][1] if proved else None,
    )


def _causes(
    proved: list[tuple[Accuracy, Deviation]], own: Accuracy, pictures: int
) -> list[Finding]:
    """The way that is right most often; others that are better too are told with it."""
    if not proved:
        return []
    best, deviation = proved[0]
    gain = (best.right - own.right) / pictures
    others = [row for row, each in proved[1:] if each.code != deviation.code]
    evidence = [
        f"{own.right} of {pictures} pictures are right as the model does it",
        f"{best.right} of {pictures} if {deviation.words} ({p_equals(best.p_value)})",
        *(f"{row.right} of {pictures} if {row.words}" for row in others[:2]),
    ]
    mild = deviation.slot in ("cut", "filter") or gain < _CLEAR_GAIN
    return [
        Finding(
            deviation.code,
            Severity.WARNING if mild else Severity.SERIOUS,
            title(deviation.code),
            tuple(evidence),
            "The model is right more often so: what it was made for and what the file says differ.",
            mended=mendable(deviation),
        )
    ]


def mendable(deviation: Deviation) -> bool:
    """Whether a file can be changed so that it does this by itself."""
    return deviation.slot in ("cut", "filter", "range", "answer") or (
        deviation.code == "channels-swapped"
    )


def _weak(seen: Sequence[_Seen], labels: Labels) -> list[Finding]:
    """Where the model itself is weak, since nothing on the way of the picture is at fault."""
    findings = []
    rate = Rate(sum(each.right[0] for each in seen), len(seen))
    wrong = Counter((each.truth, each.first) for each in seen if each.truth != each.first)
    often = [(pair, count) for pair, count in wrong.most_common(_SHOWN) if count > 1]
    low, high = rate.interval
    said = f"{rate.hits} of {rate.total} are right: {percent(rate.value)} ({interval((low, high))})"
    if often:
        findings.append(
            Finding(
                "confused-classes",
                Severity.NOTE,
                "Classes that the model takes for one another",
                (
                    said,
                    *(
                        f"{count} times {shown(labels.names[truth], 30)} was taken for "
                        f"{shown(labels.names[first], 30)}"
                        for (truth, first), count in often
                    ),
                ),
                "More pictures of these classes, or a larger model: `whatsit evaluate --report`.",
            )
        )
    sure = sum(each.score for each in seen) / len(seen)
    if sure - rate.value > _OVERSURE:
        findings.append(
            Finding(
                "too-sure",
                Severity.NOTE,
                "The model is surer than it is right",
                (f"its first scores are {percent(sure)} on average; {said}",),
                "`whatsit calibrate` makes scores mean what they say.",
            )
        )
    return findings
