"""Why is accuracy low: tries each deviation on labelled pictures, and looks for weak points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
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
from .values import Accuracy, Finding, Severity
from .ways import Picture, Range, Way

if TYPE_CHECKING:
    from .engine import Engine
    from .specimen import Specimen

_CHANCE = 0.01  # of all deviations together
_LEAST_GAIN = 0.03  # of accuracy, for a deviation to be worth a word
_CLEAR_GAIN = 0.10
_FINE = 0.5  # of confusions: which are named
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
    say: Callable[[str], None],
) -> Labelled:
    """Runs the model on some labelled pictures in every way. Raises DatasetError, UsageError."""
    whole = opening.read(data)
    labels = (
        specimen.bundle.labels if specimen.bundle else Labels.from_lines("\n".join(specimen.labels))
    )
    found = matched(whole, labels, labels_by=labels_by, skip_unknown=True)
    usable = found.known
    places = [usable[i] for i in datasets.sampled(len(usable), limit, seed)]
    truths, pictures, failed = [], [], 0
    for place in places:
        index = found.indices[place]
        try:
            picture = Picture(Path(whole.rows[place].path))
        except InputError:
            failed += 1
            continue
        if index is not None:
            pictures.append(picture)
            truths.append(index)
    if not pictures:
        raise DatasetError(
            f"no picture of {data!r} can be used", expected="labelled pictures of its classes"
        )
    notes = list(found.notes)
    if failed:
        notes.append(f"{failed} of the pictures cannot be read, and count for nothing")
    trials = Trials(specimen, engine, pictures, own)
    base = Way.of(specimen.rule)
    tried = _worth_trying(base, pictures, trials, own)
    answers = [trials.answer(base, i) for i in range(len(pictures))]
    firsts = [int(scores.argmax()) for scores in answers]
    right = [first == truth for first, truth in zip(firsts, truths, strict=True)]
    rows = [Accuracy("as the model does it", (), sum(right), 1.0)]
    proved: list[tuple[Accuracy, Deviation]] = []
    for number, each in enumerate(tried, 1):
        say(f"on {len(pictures)} labelled pictures: {number} of {len(tried)}")
        if each.slot == "answer":
            step = 1 if each.counting == "+1" else -1
            now = [first == truth + step for first, truth in zip(firsts, truths, strict=True)]
        else:
            way = each.applied(base)
            now = [int(trials.answer(way, i).argmax()) == truth for i, truth in enumerate(truths)]
        p = mcnemar(
            sum(a and not b for a, b in zip(right, now, strict=True)),
            sum(b and not a for a, b in zip(right, now, strict=True)),
        )
        row = Accuracy(each.words, (each.code,), sum(now), p)
        rows.append(row)
        gain = (sum(now) - sum(right)) / len(pictures)
        if gain >= _LEAST_GAIN and p < _CHANCE / len(tried):
            proved.append((row, each))
    proved.sort(key=lambda pair: -pair[0].right)
    causes = _causes(proved, rows[0], len(pictures))
    rate = Rate(sum(right), len(pictures))
    weak = _weak(firsts, truths, answers, labels, rate) if not causes else []
    ordered = [rows[0], *sorted(rows[1:], key=lambda row: -row.right)]
    return Labelled(
        (*causes, *weak),
        tuple(ordered),
        len(pictures),
        tuple(notes),
        proved[0][1] if proved else None,
    )


def _worth_trying(
    base: Way, pictures: Sequence[Picture], trials: Trials, own: Range | None
) -> list[Deviation]:
    every = deviations(base, pictures, trials.tensor, own)
    shifts = [
        Deviation("answer", "labels-shifted", f"labels are shifted by one ({word})", counting=word)
        for word in ("+1", "-1")
    ]
    return [
        *shifts,
        *(each for each in every if each.slot != "filter" or dict(each.way)["filter"] in _FILTERS),
    ]


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


def _weak(
    firsts: Sequence[int],
    truths: Sequence[int],
    answers: Sequence[object],
    labels: Labels,
    rate: Rate,
) -> list[Finding]:
    """Where the model itself is weak, since nothing on the way of the picture is at fault."""
    import numpy as np

    findings = []
    wrong = Counter(
        (truth, first) for truth, first in zip(truths, firsts, strict=True) if truth != first
    )
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
    sure = float(np.mean([np.max(scores) for scores in answers]))  # type: ignore[call-overload]
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
