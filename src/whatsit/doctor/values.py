"""What the doctor finds, as values: findings with their evidence, the worst first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Severity(str, Enum):
    """How much a finding matters."""

    SERIOUS = "serious"  # the data set is wrong here: a model or its measured accuracy suffers
    WARNING = "warning"  # may be wrong, or costs accuracy: look at it
    NOTE = "note"  # good to know


@dataclass(frozen=True, slots=True)
class Picture:
    """One row of the data set; `part` is the name of the data set or sub-folder it is in."""

    path: str
    label: str
    part: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One case of a finding: what is seen, in words, and the files it is seen on.

    `score` ranks the cases where that makes sense, higher is surer; `facts` are for --json.
    """

    text: str
    paths: tuple[str, ...] = ()
    score: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        score = {} if self.score is None else {"score": round(self.score, 4)}
        return {"text": self.text, "paths": list(self.paths), **score, **self.facts}


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of trouble: a code, how much it matters, what it is, what to do, every case."""

    code: str
    severity: Severity
    title: str
    advice: str
    cases: tuple[Evidence, ...]

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "title": self.title,
            "advice": self.advice,
            "cases": [case.to_json() for case in self.cases],
        }


@dataclass(frozen=True)
class Diagnosis:
    """All findings, the worst first. `parts` are the data sets or sub-folders that were checked.

    `classes` counts the pictures of each class in each part. `suspicion` ranks the pictures whose
    label was judged, the most suspicious first, as (path, score): beyond those that are findings.
    `model` made the embeddings, or is empty; `root` is the folder that holds all parts, if any.
    """

    dataset: str
    kind: str
    parts: tuple[str, ...]
    pictures: int
    classes: Mapping[str, Mapping[str, int]]  # class → part → pictures
    findings: tuple[Finding, ...]
    suspicion: tuple[tuple[str, float], ...] = ()
    model: str = ""
    notes: tuple[str, ...] = ()
    root: str = ""

    @property
    def serious(self) -> bool:
        """Whether something must be looked at before this is used."""
        return any(finding.severity is Severity.SERIOUS for finding in self.findings)

    def finding(self, code: str) -> Finding | None:
        """The finding of that code, if there is one."""
        return next((each for each in self.findings if each.code == code), None)

    def to_json(self) -> dict[str, Any]:
        """For --json; of the ranking of suspicion the upper tenth."""
        tenth = -(-len(self.suspicion) // 10)
        return {
            "dataset": self.dataset,
            "kind": self.kind,
            "parts": list(self.parts),
            "pictures": self.pictures,
            "serious": self.serious,
            "classes": {name: dict(counts) for name, counts in self.classes.items()},
            "findings": [finding.to_json() for finding in self.findings],
            "suspicion": [[path, round(score, 4)] for path, score in self.suspicion[:tenth]],
            "model": self.model,
            "notes": list(self.notes),
        }


def below(path: str, root: str) -> str:
    """`path` as seen from `root`, which holds it; a folder keeps the separator at its end."""
    return path.removeprefix(os.path.join(root, "")) if root else path
