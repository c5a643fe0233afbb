"""What a mended file is to say: labels, range and rule, by what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import zoo
from ..errors import UsageError
from ..labels import Labels
from ..preprocess import Preprocess
from ..wording import counted
from . import fixing
from .comparison import Compared
from .hypotheses import Deviation
from .specimen import Specimen
from .values import Finding
from .ways import Range, Way

if TYPE_CHECKING:
    from .knowing import Known


def words_of(chosen: Range) -> str:
    means, stds = (", ".join(f"{v:g}" for v in row) for row in (chosen.means, chosen.stds))
    return f"mean {means} and std {stds}"


def names_for(patient: Specimen, known: Known) -> Labels | list[str] | None:
    """The labels of a mended file, where they are not those of the file."""
    classes, lines = patient.classes, list(patient.labels)
    if not lines and known.by_answers and known.offset is not None:
        imagenet = zoo.open_builtin(zoo.DEFAULT).labels
        if known.offset == 0 and classes == len(imagenet):
            return imagenet
        lines = list(imagenet.names)
        return _moved(lines, known.offset, classes)
    shift = known.shifted
    if not shift and len(lines) != classes:
        shift = _likely_shift(lines, classes)
    if not shift:
        if patient.bundle is not None:
            return None
        about = patient.layout.metadata
        return fixing.named(lines, classes, patient.files, about.labels_file if about else None)
    if len(lines) == classes and known.lines is not None:
        return turned(lines, shift)
    return _moved(lines, shift, classes)


def _likely_shift(lines: Sequence[str], classes: int) -> int:
    """Where only the number of labels tells: a background class too few, or too many."""
    if not lines:
        return 0
    background = lines[0].casefold() in ("background", "dummy", "unknown", "")
    if len(lines) == classes - 1 and not background:
        return 1
    return -1 if len(lines) == classes + 1 and background else 0


def _moved(lines: list[str], shift: int, classes: int) -> list[str]:
    moved = ["background"] * shift + lines if shift > 0 else lines[-shift:]
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


def said_of(patient: Specimen, plan: fixing.Plan, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What was mended beside the graph."""
    codes = {each.code for each in findings if each.mended}
    said = []
    floats = patient.input is not None and patient.input.dtype == "float32"
    if (
        floats
        and plan.range is not None
        and codes & {"mean-std", "no-normalization", "no-metadata"}
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
