"""What is wrong with the names of the classes: the labels file that lies inside a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..wording import counted, shown
from .specimen import Specimen
from .values import Finding, Severity

ADDED = "`--fix -o FIXED.tflite` writes them"
_SHOWN = 5
_SERIOUS, _WARNING = Severity.SERIOUS, Severity.WARNING


def of_names(specimen: Specimen) -> Iterator[Finding]:
    """What can be seen in the labels file, or that there is none."""
    about, labels, classes = specimen.layout.metadata, specimen.labels, specimen.classes
    if about is None or not classes:
        return
    if about.labels_file is None:
        yield Finding(
            "no-labels",
            _SERIOUS,
            "The metadata name no labels",
            ("answers have no names in other programs",),
            f"{ADDED}: --labels FILE, one name a line.",
            mended=True,
        )
    elif about.labels_file not in specimen.files and not specimen.files_problem:
        yield Finding(
            "labels-missing",
            _SERIOUS,
            "The labels file is not inside",
            (
                f"the metadata name {shown(repr(about.labels_file), 60)}; inside is "
                f"{', '.join(shown(name, 40) for name in specimen.files) or 'nothing'}",
                "MediaPipe: associated file not found (error 201)",
            ),
            f"{ADDED}: --labels FILE, one name a line.",
            mended=True,
        )
    if labels:
        yield from _count(labels, classes)
        yield from _lines(specimen)


def _count(labels: tuple[str, ...], classes: int) -> Iterator[Finding]:
    if len(labels) == classes:
        return
    evidence = [f"{classes:,} scores, and {len(labels):,} labels"]
    first = shown(repr(labels[0]), 40)
    if len(labels) == classes - 1:
        evidence.append(
            f"the first label is {first}: does the model count a background class before it?"
        )
    elif len(labels) == classes + 1:
        evidence.append(f"the first label is {first}: the model may not have that class")
    yield Finding(
        "label-count",
        _SERIOUS,
        "Scores and labels differ in number",
        tuple(evidence),
        "Every answer may bear its neighbour's name. `--fix` adds or drops the background class "
        "where known pictures or the first label show it; --labels FILE gives others.",
        mended=True,
    )


def _lines(specimen: Specimen) -> Iterator[Finding]:
    labels = specimen.labels
    counts = Counter(label for label in labels if label)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        cases = []
        for name in twice[:_SHOWN]:
            places = [str(i) for i, label in enumerate(labels) if label == name]
            cases.append(f"{shown(repr(name), 60)}: classes {', '.join(places[:_SHOWN])}")
        more = len(twice) - _SHOWN
        yield Finding(
            "duplicate-labels",
            _WARNING,
            f"{counted(len(twice), 'name')} of more than one class",
            (*cases, *((f"… and {more} more",) if more > 0 else ())),
            "Answers cannot be told apart by name, and MediaPipe's allow and deny lists take the "
            "first alone. `--fix` puts the index behind them.",
            mended=True,
        )
    blank = [str(i) for i, label in enumerate(labels) if not label]
    if blank:
        rest = "" if len(blank) <= _SHOWN else f" and {len(blank) - _SHOWN} more"
        yield Finding(
            "blank-labels",
            _WARNING,
            f"{counted(len(blank), 'class')} without a name",
            (f"empty lines: classes {', '.join(blank[:_SHOWN])}{rest}",),
            "`--fix` calls them by their index.",
            mended=True,
        )
    if any("\N{REPLACEMENT CHARACTER}" in label for label in labels):
        yield Finding(
            "labels-encoding",
            _WARNING,
            "The labels are no UTF-8",
            (shown(next(x for x in labels if "\N{REPLACEMENT CHARACTER}" in x), 60),),
            "`--fix` reads them as Windows-1252, which they probably are.",
            mended=True,
        )
