"""The report of a training: how good the model is, what it was taught from, and how to go on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import evaluation as answers
from . import learning, text
from .page import render
from .pictures import Thumbnail, below, common_folder, thumbnail, without

if TYPE_CHECKING:
    from ..train.curve import LearningCurve
    from ..train.report import TrainingReport

_FLIPS = 15  # with their pictures; the surest mistakes have the others
_MOST_FLIPS = 200  # in words too
_MOST_LEFT_OUT = 200
_MOST_ROWS = 1000
_MISTAKES = 30
_QUOTED = re.compile(r"'([^']+)'")
_GAIN = 0.01  # what twice the pictures must promise to be worth collecting them
_METHODS = {"head": "a new last layer", "finetune": "all layers"}


@dataclass(frozen=True, slots=True)
class Flipped:
    """A flip, with its picture if that is shown."""

    picture: Thumbnail | None
    path: str
    truth: str
    float_answer: str
    answer: str


def page(report: TrainingReport) -> str:
    """The whole page."""
    evaluation = report.evaluation
    flips = _flips(report)
    shown: dict[str, Any] = {"e": None, "speed": {}, "mistakes": [], "machine": []}
    if evaluation is not None:
        drawn = sum(flip.picture is not None for flip in flips)
        shown = answers.context(
            evaluation, mistakes=_MISTAKES - drawn, taught=dict(report.pictures)
        )
    root = evaluation.root if evaluation is not None else ""
    left_root = _left_root(report)
    history = report.recipe.get("history") or []
    return render(
        "training.html",
        {
            **shown,
            "r": report,
            "name": report.bundle.name,
            "method": _METHODS.get(report.method, report.method),
            "taught_with": sum(report.pictures.values()),
            "size_bytes": len(report.bundle.data),
            "total": _duration(sum(report.seconds.values())),
            "notes": _notes(report, (left_root, root)),
            "curve": learning.curve_plot(report.curve)
            if report.curve is not None and len(report.curve.points) > 1
            else None,
            "history": history,
            "history_plot": learning.history_plot(history),
            "counts": sorted(report.pictures.items(), key=lambda each: each[1])[:_MOST_ROWS],
            "flips": flips,
            "more_flips": len(report.flips) - len(flips),
            "left_out": [
                (below(row.path, left_root), _placeless(row.reason, (left_root, root)))
                for row in report.left_out[:_MOST_LEFT_OUT]
            ],
            "advice": _advice(report),
            "recipe": _recipe(report),
            "split": _flat(report.split),
        },
    )


def _duration(seconds: float) -> str:
    """0.64 s, 83.5 s, 24 min, 3.2 h."""
    if seconds < 120:
        return f"{text.ms(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _left_root(report: TrainingReport) -> str:
    """The folder of what was left out; where all is of one class, the folder above."""
    root = common_folder(row.path for row in report.left_out)
    return os.path.dirname(root) if os.path.basename(root) in report.pictures else root


def _flips(report: TrainingReport) -> list[Flipped]:
    root = report.evaluation.root if report.evaluation is not None else ""
    return [
        Flipped(
            thumbnail(flip.path, root) if place < _FLIPS else None,
            flip.path,
            flip.truth,
            flip.float_answer,
            flip.answer,
        )
        for place, flip in enumerate(report.flips[:_MOST_FLIPS])
    ]


def _notes(report: TrainingReport, roots: Iterable[str]) -> list[str]:
    """All notes once, without the folders of the pictures."""
    notes = list(report.notes)
    if not report.finished:
        notes.insert(0, "the training was interrupted: this is the best model so far")
    if report.evaluation is not None:
        notes += [note for note in report.evaluation.notes if note not in notes]
    return [_placeless(note, roots) for note in notes]


def _placeless(message: str, roots: Iterable[str]) -> str:
    """A message without the folders of the pictures; of other absolute paths only the name."""
    for root in roots:
        message = without(message, root)
    return _QUOTED.sub(
        lambda match: f"'{os.path.basename(match[1])}'" if os.path.isabs(match[1]) else match[0],
        message,
    )


def _advice(report: TrainingReport) -> list[str]:
    """What would make the model better, as far as the numbers show it; the most likely first."""
    found = []
    twice = report.curve.twice if report.curve is not None else None
    if report.accuracy is None:
        found.append(
            "Measure it: --validation takes pictures of all classes. The estimate may flatter."
        )
    if twice is not None and report.curve is not None:
        gain = twice.accuracy - report.curve.points[-1].accuracy
        if gain >= _GAIN:
            found.append(f"Collect more pictures: the learning curve {_rises(report.curve)}.")
        else:
            found.append(
                "More pictures of the same kind would hardly help: other ones may, such as other "
                "places, light or distances, and classes that are easier to tell apart."
            )
    weak = _weak(report)
    if weak:
        found.append(f"Begin with the weakest: {', '.join(text.shown(name, 60) for name in weak)}.")
    if report.evaluation is not None and report.evaluation.mistakes():
        found.append(
            "Look at the surest mistakes: some may be wrong labels. whatsit dataset check finds "
            "more of them, and copies."
        )
    if report.method == "head" and report.evaluation is not None:
        found.append(
            "Train all layers: --method finetune takes far longer, and is often a few points "
            "better."
        )
    return found


def _rises(curve: LearningCurve) -> str:
    assert curve.twice is not None
    sure = curve.twice.interval[0] > curve.points[-1].accuracy
    return "still rises" if sure else "still seems to rise, which is not sure"


def _weak(report: TrainingReport) -> list[str]:
    """Up to three classes that are found so seldom that chance does not explain it."""
    if report.evaluation is None:
        return []
    scores = [score for score in report.evaluation.per_class() if score.pictures]
    whole = report.evaluation.top(1).value
    weak = [score for score in scores if score.recall.interval[1] < whole]
    weak.sort(key=lambda score: (score.recall.value, score.index))
    return [score.name for score in weak[:3]]


def _recipe(report: TrainingReport) -> list[tuple[str, str]]:
    """How the model was made, a row each."""
    times = ", ".join(f"{stage} {_duration(s)}" for stage, s in report.seconds.items())
    rows = [
        ("taught to", report.parent),
        ("method", f"{report.method}: {_METHODS.get(report.method, 'of its own')}"),
        ("file", f"{text.megabytes(len(report.bundle.data))}, sha256 {report.bundle.sha256}"),
        ("time", times),
    ]
    rest = {k: v for k, v in report.recipe.items() if k not in ("method", "history")}
    return [(key, text.shown(value, 300)) for key, value in rows] + _flat(rest)


def _flat(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rows of a record; what stands in a row of its own is joined."""
    rows = []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{name} {part}" for name, part in value.items())
        rows.append((text.shown(key, 60).replace("_", " "), text.shown(value, 300)))
    return rows
