"""What a comparison found, in words: each cause with its evidence and what to do."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..wording import counted, shown
from .deciding import Decision
from .labelled import mendable
from .naming import advice, telling, title
from .searching import Explanation
from .values import Finding, Severity
from .ways import Picture

if TYPE_CHECKING:
    from .matching import Matched
    from .specimen import Specimen

_SHOWN = 7  # possible causes that are told
_ALSO = 3  # further variants of a cause
_MOST_GROUPS = 3  # causes that may be told as alternatives


@dataclass(frozen=True, slots=True)
class Case:
    """Two sides of a comparison: our model on its pictures, and what the other said of them."""

    ours: Specimen
    pictures: Sequence[Picture]
    matched: Matched
    other: Specimen | None
    shown: str


def findings_of(
    case: Case, decision: Decision, own: Explanation, shift: int | None
) -> tuple[list[Finding], str]:
    count = counted(len(case.pictures), "picture")
    if decision.kind == "named":
        return _named(case, decision, own, shift)
    if decision.kind == "agree":
        if case.other is None and case.matched.contradiction:
            return [_contradicting(case, shift)], "The scores agree, but not the names of classes."
        return [], f"They agree on {count}."
    evidence = (_fits(own, "as the model does it", len(case.pictures)),)
    if decision.kind == "close":
        note = Finding(
            "small-difference",
            Severity.NOTE,
            "The answers differ a little",
            (*evidence, "as two quantisations of one network do, two engines or two decoders"),
            "Nothing to mend, unless both sides run the very same file: then try more pictures.",
        )
        return [note], f"They differ a little on {count}, and no known cause explains it."
    if case.other is not None and not _same_network(case.ours, case.other):
        other = Finding(
            "other-network",
            Severity.WARNING,
            "These are two networks",
            (*evidence, "their layers are not the same, so their answers need not be"),
            "`whatsit compare` says which of them is better on your pictures.",
        )
        return [other], "They are two networks, and answer differently."
    unexplained = Finding(
        "unexplained",
        Severity.SERIOUS,
        "The answers differ, and no known cause explains it",
        (*evidence, "none of the ways in the table comes near"),
        "Is it the same model, and the same picture? Two mistakes may have come together: record "
        "all scores of some large photos that are not square, and compare again.",
    )
    return [unexplained], f"They differ on {count}, and no known cause explains it."


def _fits(each: Explanation, words: str, pictures: int) -> str:
    return (
        f"{words}: {each.fit.mean:.2f} apart, the same first class for {each.fit.same_first} of "
        f"{pictures}"
    )


def _named(
    case: Case, decision: Decision, own: Explanation, shift: int | None
) -> tuple[list[Finding], str]:
    first = decision.causes[0]
    groups: dict[tuple[str, ...], list[Explanation]] = {}
    for each in decision.causes:
        groups.setdefault(_codes(each, shift), []).append(each)
    if len(groups) > _MOST_GROUPS:
        return [_undecided(case, groups, own)], "They differ, and these pictures cannot tell why."
    findings: list[Finding] = []
    for codes, members in groups.items():
        others = [other for other in groups if other != codes]
        findings += [
            _cause(case, code, members, own, others, shift)
            for code in codes
            if code not in {finding.code for finding in findings}
        ]
    words = " and ".join(_lower(title(code)) for code in _codes(first, shift))
    if len(groups) > 1:
        rest = [" and ".join(_lower(title(c)) for c in codes) for codes in list(groups)[1:]]
        return findings, f"They differ, and this may be why: {words}, or {' or '.join(rest)}."
    return findings, f"They differ, and this is why: {words}."


def _undecided(
    case: Case, groups: Mapping[tuple[str, ...], Sequence[Explanation]], own: Explanation
) -> Finding:
    return Finding(
        "undecided",
        Severity.SERIOUS,
        "The answers differ, and these pictures cannot tell why",
        (
            _fits(own, "as the model does it", len(case.pictures)),
            *(f"it may be this: {members[0].words}" for members in list(groups.values())[:_SHOWN]),
        ),
        "Record more scores than these, all of them if you can, and of more pictures: large ones, "
        "in strong colours, that are not square.",
    )


def _codes(each: Explanation, shift: int | None) -> tuple[str, ...]:
    """Labels that do not lie one apart throughout are in another order."""
    by_index = any(d.counting in ("by index", "by name") for d in each.deviations)
    if not by_index or shift is None or abs(shift) == 1:
        return each.codes
    return tuple("labels-differ" if code == "labels-shifted" else code for code in each.codes)


def _lower(text: str) -> str:
    return text if text.startswith(("EXIF", "RGB")) else text[:1].lower() + text[1:]


def _cause(
    case: Case,
    code: str,
    members: Sequence[Explanation],
    own: Explanation,
    others: Sequence[tuple[str, ...]],
    shift: int | None,
) -> Finding:
    best, count = members[0], len(case.pictures)
    evidence = [_fits(own, "as the model does it", count), _fits(best, f"if {best.words}", count)]
    evidence += [f"as near: if {each.words}" for each in members[1 : 1 + _ALSO]]
    if code.startswith("labels") and case.matched.contradiction:
        evidence.append(case.matched.contradiction)
    evidence += _said(case, code)
    for codes in others[:2]:
        said = " and ".join(_lower(title(each)) for each in codes)
        evidence.append(
            f"these pictures cannot tell it from this: {said}; one {telling(codes[0])} may"
        )
    mended = any(mendable(each) for each in best.deviations if each.code == code or shift)
    return Finding(
        code,
        Severity.SERIOUS,
        title(code),
        tuple(shown(line, 300) for line in evidence),
        advice(code) + _fix_of(case, best, mended),
        mended=mended,
    )


def _fix_of(case: Case, best: Explanation, mended: bool) -> str:
    if not mended:
        return ""
    return f" `--fix` makes {case.ours.name} agree with {os.path.basename(case.shown)}."


def _said(case: Case, code: str) -> list[str]:
    """What the two files say about it."""
    if case.other is None:
        return []
    ours, theirs = case.ours.metadata, case.other.metadata
    if code == "mean-std" and (ours.mean, ours.std) != (theirs.mean, theirs.std):
        return [
            f"{model.name} says mean {_listed(about.mean)}, std {_listed(about.std)}"
            for model, about in ((case.ours, ours), (case.other, theirs))
        ]
    if code in ("stretch-crop", "resize-filter") and case.ours.rule != case.other.rule:
        return [f"{case.ours.name} says {case.ours.rule}, {case.other.name} {case.other.rule}"]
    return []


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "nothing"


def _contradicting(case: Case, shift: int | None) -> Finding:
    code = "labels-shifted" if shift in (-1, 1) else "labels-differ"
    return Finding(
        code,
        Severity.SERIOUS,
        "Indices are shifted by one" if code == "labels-shifted" else title(code),
        (case.matched.contradiction, "the scores belong to the classes of these names"),
        "Count classes from 0, in the order of the model's labels. " + advice(code),
    )


def _same_network(one: Specimen, other: Specimen) -> bool:
    """Whether the layers have the same shapes, whatever their numbers are stored as."""
    return _layers(one) == _layers(other)


def _layers(model: Specimen) -> Counter[tuple[int, ...]]:
    from .._flatbuffer import Node

    tensors = Node.root(model.data).nodes(2)[0].nodes(0)
    shapes = [tensor.numbers(0, "i") for tensor in tensors if tensor.number(2, "I")]
    return Counter(shape for shape in set(shapes) if len(shape) == 4 and np.prod(shape) > 27)
