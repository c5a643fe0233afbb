"""What the model doctor finds, as values: findings with their evidence, the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol


class Progress(Protocol):
    """Hears how many are done, of how many if that is known, and what is being done."""

    def __call__(self, done: int, total: int | None, remark: str) -> None: ...


class Severity(str, Enum):
    """How much a finding matters."""

    SERIOUS = "serious"  # surely wrong: answers differ, or other programs refuse the file
    WARNING = "warning"  # may be wrong: look at it
    NOTE = "note"  # good to know


_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a code, what it is, what shows it, what to do.

    `mended` is whether `--fix` can do that in the file.
    """

    code: str
    severity: Severity
    title: str
    evidence: tuple[str, ...]
    fix: str
    mended: bool = False

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "title": self.title,
            "evidence": list(self.evidence),
            "fix": self.fix,
            "mended_by_fix": self.mended,
        }


@dataclass(frozen=True, slots=True)
class Trial:
    """The model's answers where the way of a picture is another, held against the recorded ones.

    `apart` is the mean distance of the logarithms of the scores, 0 for equal answers; `same_first`
    counts the pictures whose first class is the same. `codes` are empty for the model's own way.
    """

    words: str
    codes: tuple[str, ...]
    apart: float
    same_first: int

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "if": self.words,
            "codes": list(self.codes),
            "apart": round(self.apart, 4),
            "same_first": self.same_first,
        }


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the model is right on labelled pictures where their way is another."""

    words: str
    codes: tuple[str, ...]
    right: int
    p_value: float

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "if": self.words,
            "codes": list(self.codes),
            "right": self.right,
            "p_value": self.p_value,
        }


@dataclass(frozen=True)
class Checkup:
    """All that was found, the worst first.

    `trials` are the ways that were tried, the closest first, where there was something to compare
    with; `accuracies` those on labelled pictures. `upshot` says it all in one sentence.
    """

    model: str
    against: str
    pictures: int
    findings: tuple[Finding, ...]
    upshot: str
    trials: tuple[Trial, ...] = ()
    accuracies: tuple[Accuracy, ...] = ()
    labelled: int = 0
    notes: tuple[str, ...] = ()
    repaired: bytes | None = None  # a .tflite, where a fix was asked for and there was one
    fixes: tuple[str, ...] = ()

    @property
    def serious(self) -> bool:
        """Whether something is surely wrong."""
        return any(finding.severity is Severity.SERIOUS for finding in self.findings)

    @property
    def causes(self) -> tuple[str, ...]:
        """The codes of all findings, the worst first."""
        return tuple(finding.code for finding in self.findings)

    def finding(self, code: str) -> Finding | None:
        """The finding of that code, if there is one."""
        return next((each for each in self.findings if each.code == code), None)

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "model": self.model,
            "against": self.against or None,
            "pictures": self.pictures,
            "serious": self.serious,
            "upshot": self.upshot,
            "findings": [finding.to_json() for finding in self.findings],
            "trials": [trial.to_json() for trial in self.trials],
            "accuracies": [row.to_json() for row in self.accuracies],
            "labelled": self.labelled,
            "fixes": list(self.fixes),
            "notes": list(self.notes),
        }


def by_weight(findings: list[Finding]) -> tuple[Finding, ...]:
    """The worst first, in the order in which they were found; each code once."""
    seen: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda finding: _ORDER.index(finding.severity)):
        seen.setdefault(finding.code, finding)
    return tuple(seen.values())
