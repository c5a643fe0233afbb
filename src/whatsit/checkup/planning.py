"""What a mended file is to say: labels, range and rule, by what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .. import zoo
from ..errors import UsageError
from ..labels import Labels
from ..preprocess import Preprocess
from ..wording import counted, shown
from . import fixing
from .comparison import Compared
from .hypotheses import Deviation
from .specimen import Specimen
from .values import Finding
from .ways import Range, Way

if TYPE_CHECKING:
    from .knowing import Known

_SHOWN = 3  # names that were made up or dropped


def words_of(chosen: Range) -> str:
    means, stds = (", ".join(f"{v:g}" for v in row) for row in (chosen.means, chosen.stds))
    return f"mean {means} and std {stds}"


def options_of(chosen: Range) -> str:
    """The options that give it, or nearly: a file has one mean and std for all colours."""
    mean, std = (sum(row) / len(row) for row in (chosen.means, chosen.stds))
    return f"--mean {mean:g} --std {std:g}"


@dataclass(frozen=True, slots=True)
class Naming:
    """The labels of a mended file, where they are not those of the file.

    `note` says what was assumed. `refusal` says why nobody can know them.
    """

    labels: Labels | list[str] | None = None
    note: str = ""
    refusal: str = ""


def names_for(patient: Specimen, known: Known | None) -> Naming:
    """How the classes of a mended file are called; `known` is None where it cannot be run."""
    classes, lines = patient.classes, list(patient.labels)
    if not classes:
        return Naming()
    if not lines:
        return _unnamed(classes, known)
    if len(lines) != classes:
        others = patient.layout.outputs[1:]
        if any(output.shape and output.shape[-1] == len(lines) for output in others):
            return Naming()  # that output is kept
        return _counted(patient, known)
    if known is not None and known.shifted:
        return Naming(turned(lines, known.shifted))
    return Naming() if patient.bundle is not None else Naming(_kept(patient, lines))


def _unnamed(classes: int, known: Known | None) -> Naming:
    """ImageNet's names where known pictures show its classes, else numbers."""
    if known is None or not known.by_answers or known.offset is None:
        note = "the classes have no names: they are called 'class 0' and so on"
        return Naming(fixing.named([], classes, {}, None), f"{note}; --labels FILE names them")
    imagenet = zoo.open_builtin(zoo.DEFAULT).labels
    note = (
        f"taken for the missing names: those of ImageNet's {len(imagenet):,} classes, since known "
        f"pictures fit them ({known.best_gain:.1f} of {known.pictures} recognised); --labels FILE "
        "gives others"
    )
    if known.offset == 0 and classes == len(imagenet):
        return Naming(imagenet, note)
    return Naming(_moved(list(imagenet.names), known.offset, known.offset, classes), note)


def _counted(patient: Specimen, known: Known | None) -> Naming:
    """Labels that are too many or too few: moved or filled only where that is proved."""
    classes, lines = patient.classes, list(patient.labels)
    while len(lines) > classes and not lines[-1]:
        lines.pop()  # empty lines at the end are no names
    if len(lines) == classes:
        return Naming(_kept(patient, lines))
    if known is not None and known.whole and known.shifted:
        names = _moved(lines, known.shifted, known.offset or 0, classes)
        return Naming(names, _filled(lines, names))
    if known is not None and known.in_place:
        names = _kept(patient, lines)
        return Naming(names, _filled(lines, names))
    if len(lines) == classes + 1 and lines[0].casefold() in _BACKGROUND:
        return Naming(_moved(lines, -1, 0, classes))
    which = "which name is missing" if len(lines) < classes else "which names are too many"
    return Naming(refusal=f"nobody can know {which}")


_BACKGROUND = ("background", "dummy", "unknown", "")


def _filled(lines: Sequence[str], names: Sequence[str]) -> str:
    """A note on names that were made up, or have no class."""
    said = ["known pictures show where the names belong"]
    for word, some, others in (("added", names, lines), ("dropped", lines, names)):
        left = [shown(repr(name), 40) for name in some if name not in set(others)]
        if left:
            said.append(f"{word}: {', '.join(left[:_SHOWN])}{', …' if left[_SHOWN:] else ''}")
    return "; ".join(said) if len(said) > 1 else ""


def _kept(patient: Specimen, lines: Sequence[str]) -> list[str]:
    about = patient.layout.metadata
    return fixing.named(lines, patient.classes, patient.files, about.labels_file if about else None)


def _moved(lines: list[str], shift: int, background: int, classes: int) -> list[str]:
    """`background` of the classes that come to stand before the others are none of ImageNet's."""
    front = min(max(0, shift), max(0, background))
    moved = ["background"] * front + [""] * (shift - front) + lines if shift > 0 else lines[-shift:]
    return fixing.named(moved, classes, {}, None)


def turned(lines: list[str], shift: int) -> list[str]:
    """As many lines, moved round: what fell off at one end is at the other, or was background."""
    moved = lines[-shift:] + lines[:-shift]
    return fixing.named(moved, len(lines), {}, None)


def with_cause(plan: fixing.Plan, compared: Compared, patient: Specimen) -> fixing.Plan:
    """The plan that makes the file agree with what it was compared with."""
    for deviation in compared.deviations:
        plan = with_deviation(plan, deviation, patient)
    if compared.labels is not None:
        plan = replace(plan, labels=compared.labels)
    return plan


def with_deviation(plan: fixing.Plan, deviation: Deviation, patient: Specimen) -> fixing.Plan:
    way = deviation.applied(Way.of(patient.rule))
    if deviation.slot == "range" and way.range is not None and way.range.kind == "plain":
        floats = patient.input is not None and patient.input.dtype == "float32"
        return replace(plan, range=way.range) if floats else plan
    if deviation.code == "channels-swapped":
        return replace(plan, swap=True)
    if deviation.slot in ("cut", "filter"):
        try:
            fields: Any = (way.mode, way.filter, way.fraction)
            return replace(plan, rule=Preprocess(*fields))
        except UsageError:  # a filter that no rule of ours has
            return plan
    return plan


def given_names(labels: Sequence[str], classes: int) -> list[str]:
    if len(labels) != classes:
        raise UsageError(
            f"{counted(len(labels), 'label')} for {counted(classes, 'score')}",
            expected="one name for each score",
        )
    return list(labels)


def with_output(patient: Specimen, plan: fixing.Plan) -> fixing.Plan:
    """Of several outputs the one with as many scores as there are labels."""
    outputs = patient.layout.outputs
    if len(outputs) < 2:
        return plan
    count = len(plan.labels) if plan.labels is not None else len(patient.labels)
    fitting = [i for i, output in enumerate(outputs) if output.shape and output.shape[-1] == count]
    return replace(plan, output=fitting[0] if fitting else 0)


def said_of(
    patient: Specimen, plan: fixing.Plan, findings: Sequence[Finding], *, given: bool
) -> tuple[str, ...]:
    """What was mended beside the graph; `given` says that a person gave the mean and std."""
    codes = {each.code for each in findings if each.mended}
    said = []
    floats = patient.input is not None and patient.input.dtype == "float32"
    if (
        floats
        and plan.range is not None
        and (given or codes & {"mean-std", "no-normalization", "no-metadata"})
    ):
        said.append(f"the metadata say {words_of(plan.range)}")
    elif "no-metadata" in codes:
        said.append("the file has metadata")
    if codes & {"labels-shifted", "labels-differ", "label-count", "duplicate-labels"} or codes & {
        "blank-labels",
        "no-labels",
        "labels-missing",
        "labels-encoding",
    }:
        said.append("the labels are one name a class, each once")
    if plan.rule is not None and plan.rule != patient.rule:
        said.append(f"pictures are cut and resized by {plan.rule}")
    if codes & {"files-compressed", "parser-version", "not-rgb", "several-normalizations"} or (
        codes & {"metadata-damaged", "output-metadata", "refused"}
    ):
        said.append("the metadata and the files inside are written anew")
    return tuple(said)
