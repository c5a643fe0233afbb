"""The examination from beginning to end: file, known pictures, comparison, labels, fix."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..errors import ModelError, UsageError
from . import files as file_findings
from . import fixing, knowing, labelled, proofs, specimen
from .comparison import MOST_PICTURES, against_model, against_record
from .engine import Engine
from .planning import (
    Naming,
    given_names,
    names_for,
    said_of,
    turned,
    with_cause,
    with_deviation,
    with_output,
    words_of,
)
from .specimen import Specimen
from .values import Accuracy, Checkup, Finding, Progress, Severity, Trial, by_weight
from .ways import Picture, Range

_LIMIT = 100  # labelled pictures
_LARGEST = 1e9  # of a mean or a std


@dataclass(slots=True)
class _Sheet:
    """What is written down in the course of an examination."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    trials: tuple[Trial, ...] = ()
    accuracies: tuple[Accuracy, ...] = ()
    labelled: int = 0
    pictures: int = 0
    upshot: str = ""
    runs: bool = True  # whether an engine can run the model
    plan: fixing.Plan = field(default_factory=fixing.Plan)
    naming: Naming = field(default_factory=Naming)

    def add(self, *findings: Finding) -> None:
        self.findings.extend(findings)


def checkup(
    model: str | os.PathLike[str],
    pictures: Sequence[str | os.PathLike[str]] | str | os.PathLike[str] = (),
    *,
    against: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    labels: Sequence[str] | None = None,
    mean: float | None = None,
    std: float | None = None,
    fix: bool = False,
    limit: int = _LIMIT,
    seed: int = 0,
    labels_by: str = "auto",
    progress: Progress | None = None,
) -> Checkup:
    """What is wrong with a model, or with what another program makes of it.

    `model` is a name or a .tflite, which may be one that cannot be run. `against` is another model
    or a file of answers that another program gave; `pictures` are those to compare on (default: the
    golden ones, or those that the answers name). `data` are labelled pictures, of which `limit` are
    taken. `labels`, `mean` and `std` (of pixels from 0 to 255) are what the person knows, for the
    fix. With `fix`, `Checkup.repaired` holds the mended file, if there is anything to mend.
    `progress` hears how many are done, of how many if that is known, and what is being done.

    Raises ModelError for what is no .tflite, InputError for a bad picture, UsageError and
    DatasetError.
    """
    given = _given(mean, std)
    chosen = [pictures] if isinstance(pictures, (str, os.PathLike)) else list(pictures)
    tell = progress or _untold
    patient = specimen.read(model)
    sheet = _Sheet()
    sheet.add(*file_findings.findings(patient))
    opened = [Picture(os.fspath(path)) for path in chosen[:MOST_PICTURES]]
    if len(chosen) > MOST_PICTURES:
        sheet.notes.append(f"only the first {MOST_PICTURES} of {len(chosen)} pictures are used")
    own = given or Range.said(patient.input, patient.metadata)
    engine = _engine(patient, sheet)
    if engine is not None:
        with engine:
            own = _known(patient, engine, own, sheet, tell, given=given is not None)
            if sheet.runs:
                _compared(patient, engine, own, opened, against, sheet, tell)
            if sheet.runs and data is not None:
                _labelled(
                    patient, engine, own, os.fspath(data), limit, seed, labels_by, sheet, tell
                )
    if not sheet.runs:
        sheet.naming = names_for(patient, None)
        if against is not None or data is not None:
            sheet.notes.append("the model cannot be run, so nothing could be compared")
    return _finished(patient, sheet, against, labels, own, fix, given=given is not None)


def _untold(done: int, total: int | None, remark: str) -> None:
    """For those who want to hear nothing."""


def _given(mean: float | None, std: float | None) -> Range | None:
    """What the person says of it. Raises UsageError."""
    if (mean is None) != (std is None):
        raise UsageError("only one of mean and std", expected="both, or neither")
    if mean is None or std is None:
        return None
    if not abs(mean) < _LARGEST:
        raise UsageError(f"a mean of {mean:g}", expected="a number")
    if not 0 < abs(std) < _LARGEST:
        raise UsageError(f"a std of {std:g}", expected="a number that is not 0")
    return Range((mean,), (std,))


def _engine(patient: Specimen, sheet: _Sheet) -> Engine | None:
    try:
        return Engine(patient)
    except ModelError as error:
        sheet.runs = False
        if not any(each.severity is Severity.SERIOUS for each in sheet.findings):
            sheet.add(proofs.fails(error))
        return None


def _known(
    patient: Specimen,
    engine: Engine,
    own: Range | None,
    sheet: _Sheet,
    say: Progress,
    *,
    given: bool,
) -> Range | None:
    """Findings from known pictures; returns the range to go on with."""
    say(0, None, "known pictures")
    try:
        known = knowing.known(patient, engine, own)
    except ModelError as error:
        sheet.runs = False
        sheet.add(proofs.fails(error))
        return own
    if known.logits:
        engine.logits = True
        sheet.add(proofs.logits())
        sheet.plan = replace(sheet.plan, softmax=True)
    if known.shifted:
        sheet.add(proofs.shifted(known))
    if known.wrong_range and own is not None and not given and known.best is not None:
        sheet.add(proofs.wrong_range(own, known))
        sheet.plan = replace(sheet.plan, range=known.best)
        own = known.best
    elif known.likelier is not None and own is not None and not given:
        sheet.add(proofs.doubtful_range(own, known))
    if own is None and known.best is not None:
        how = (
            f"known pictures fit it best ({known.best_gain:.1f} of {known.pictures} recognised)"
            if known.by_answers
            else "its answers tell known pictures apart best so: --mean and --std give others"
        )
        sheet.notes.append(
            f"taken for the missing mean and std: {words_of(known.best)}, since {how}"
        )
        own = known.best
    sheet.naming = names_for(patient, known)
    return own


def _compared(
    patient: Specimen,
    engine: Engine,
    own: Range | None,
    pictures: list[Picture],
    against: str | os.PathLike[str] | None,
    sheet: _Sheet,
    say: Progress,
) -> None:
    if against is None:
        if pictures:
            sheet.notes.append("nothing was said to compare with, so no picture was looked at")
        return
    name = os.fspath(against)
    if specimen.is_model(name):
        compared = against_model(patient, engine, own, pictures, name, say)
    else:
        compared = against_record(patient, engine, own, pictures, name, say)
    sheet.add(*compared.findings)
    sheet.notes += compared.notes
    sheet.trials, sheet.pictures, sheet.upshot = compared.trials, compared.pictures, compared.upshot
    sheet.plan = with_cause(sheet.plan, compared, patient)


def _labelled(
    patient: Specimen,
    engine: Engine,
    own: Range | None,
    data: str,
    limit: int,
    seed: int,
    labels_by: str,
    sheet: _Sheet,
    say: Progress,
) -> None:
    found = labelled.examine(
        patient, engine, own, data, limit=limit, seed=seed, labels_by=labels_by, say=say
    )
    sheet.add(*found.findings)
    sheet.notes += found.notes
    sheet.accuracies, sheet.labelled = found.rows, found.pictures
    if found.best is None and not sheet.upshot:
        sheet.upshot = (
            f"{found.rows[0].right} of {found.pictures} are right, and no known mistake on the way "
            "of a picture explains the others."
        )
    if found.best is not None:
        sheet.plan = with_deviation(sheet.plan, found.best, patient)
        if found.best.slot == "answer" and patient.labels:
            step = 1 if found.best.counting == "+1" else -1
            sheet.plan = replace(sheet.plan, labels=turned(list(patient.labels), step))


def _finished(
    patient: Specimen,
    sheet: _Sheet,
    against: str | os.PathLike[str] | None,
    labels: Sequence[str] | None,
    own: Range | None,
    fix: bool,
    *,
    given: bool,
) -> Checkup:
    if patient.refusal is not None and not any(
        each.severity is Severity.SERIOUS for each in sheet.findings
    ):
        sheet.add(proofs.refused(patient.refusal))
    findings = by_weight(_with_refusal(sheet) if labels is None else sheet.findings)
    repaired: bytes | None = None
    fixes: tuple[str, ...] = ()
    given = given and patient.input is not None and patient.input.dtype == "float32"
    told = given or labels is not None
    nameable = labels is not None or not sheet.naming.refusal
    if fix and nameable and (told or any(each.mended for each in findings)):
        plan = sheet.plan if sheet.plan.range else replace(sheet.plan, range=own)
        if labels is not None:
            plan = replace(plan, labels=given_names(labels, patient.classes))
        elif plan.labels is None:
            plan = replace(plan, labels=sheet.naming.labels)
            sheet.notes += [sheet.naming.note] if sheet.naming.note else []
        bundle, done = fixing.mend(patient, with_output(patient, plan))
        repaired = bundle.data
        fixes = (*done, *said_of(patient, plan, findings, given=given))
    return Checkup(
        model=patient.name,
        against="" if against is None else os.fspath(against),
        pictures=sheet.pictures,
        findings=findings,
        upshot=sheet.upshot or _upshot(findings),
        trials=sheet.trials,
        accuracies=sheet.accuracies,
        labelled=sheet.labelled,
        notes=tuple(dict.fromkeys(sheet.notes)),
        repaired=repaired,
        fixes=fixes,
    )


def _with_refusal(sheet: _Sheet) -> list[Finding]:
    """All findings; that of the number of labels says so where nobody can mend it."""
    why = sheet.naming.refusal
    return [
        proofs.unnameable(each, why) if why and each.code == "label-count" else each
        for each in sheet.findings
    ]


def _upshot(findings: Sequence[Finding]) -> str:
    names = {finding.severity for finding in findings}
    if Severity.SERIOUS in names:
        return "Something is wrong: look at what is serious first."
    if Severity.WARNING in names:
        return "Nothing serious; look at the warnings."
    return "Nothing wrong was found."
