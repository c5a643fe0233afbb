"""The report of a data set: each finding with its pictures, and the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import text
from .page import render
from .pictures import MOST, Thumbnail, thumbnail

if TYPE_CHECKING:
    from ..doctor import Diagnosis, Evidence, Finding

_ALONE = 18  # cases of one picture that are shown of a finding
_GROUPS = 8  # of several pictures
_OF_A_GROUP = 3
_MOST_LISTED = 200  # cases in words only, and further names
_MOST_ROWS = 1000  # of the table of classes
# There is nothing to be seen of these, or it would not be what is wrong with them.
_IN_WORDS = {"unreadable", "wrong-ending", "odd-kind", "turned", "stray-file"}


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its words, names and those of its pictures that are shown."""

    text: str
    paths: tuple[str, ...]
    pictures: tuple[Thumbnail, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One finding: the cases that are shown as pictures, and those in words."""

    finding: Finding
    shown: tuple[Case, ...]
    listed: tuple[Case, ...]

    @property
    def more(self) -> int:
        """Cases that the page leaves out."""
        return len(self.finding.cases) - len(self.shown) - len(self.listed)

    @property
    def grouped(self) -> bool:
        """Whether a case is of several pictures."""
        return any(len(case.paths) > 1 for case in self.shown)


def page(diagnosis: Diagnosis) -> str:
    """The whole page."""
    sections, left = [], MOST
    for finding in diagnosis.findings:
        section = _section(finding, left)
        left -= sum(len(case.pictures) for case in section.shown)
        sections.append(section)
    severities = [finding.severity.value for finding in diagnosis.findings]
    classes = sorted(diagnosis.classes.items(), key=lambda each: sum(each[1].values()))
    return render(
        "diagnosis.html",
        {
            "d": diagnosis,
            "sections": sections,
            "counts": {name: severities.count(name) for name in ("serious", "warning", "note")},
            "classes": classes[:_MOST_ROWS],
            "class_count": len(classes),
            "root": diagnosis.root,
            "facts": _facts(diagnosis),
        },
    )


def _section(finding: Finding, left: int) -> Section:
    """The finding with at most `left` pictures."""
    if finding.code in _IN_WORDS or not all(case.paths for case in finding.cases):
        return Section(finding, (), _in_words(finding.cases[:_MOST_LISTED]))
    several = any(len(case.paths) > 1 for case in finding.cases)
    shown: list[Case] = []
    for case in finding.cases[: _GROUPS if several else _ALONE]:
        paths = case.paths[:_OF_A_GROUP]
        if len(paths) > left:
            break
        left -= len(paths)
        shown.append(Case(case.text, case.paths, tuple(map(thumbnail, paths))))
    rest = finding.cases[len(shown) : len(shown) + _MOST_LISTED]
    return Section(finding, tuple(shown), _in_words(rest))


def _in_words(cases: Sequence[Evidence]) -> tuple[Case, ...]:
    return tuple(Case(case.text, case.paths, ()) for case in cases)


def _facts(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    rows = [
        ("data set", diagnosis.dataset),
        ("recognised as", diagnosis.kind),
        ("parts", ", ".join(diagnosis.parts)),
        ("copies", "by content, and by laying small grey pictures on each other"),
        (
            "labels",
            f"by the embeddings of {diagnosis.model}, each picture judged by the others"
            if diagnosis.model
            else "not looked at",
        ),
    ]
    return [(key, text.shown(value, 300)) for key, value in rows]
