"""Holds a model's answers against another model's, or against recorded ones, and says why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .. import zoo
from ..getting import probe
from ..wording import counted, shown
from . import knowing, matching, recorded, specimen
from .deciding import Decision, decide
from .engine import Engine
from .hypotheses import Deviation, alike
from .labelled import mendable
from .naming import advice, telling, title
from .searching import Explanation, Search, Trials
from .values import Finding, Severity, Trial
from .ways import Picture, Range, Way

if TYPE_CHECKING:
    from .matching import Matched
    from .specimen import Specimen

    Say = Callable[[str], None]

_SHOWN = 7  # ways in the table
_ALSO = 3  # further variants of a cause
_MOST_GROUPS = 3  # causes that may be told as alternatives
_CONSTANT = 0.8


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found; `deviations` and `labels` are what makes the model agree."""

    findings: tuple[Finding, ...]
    trials: tuple[Trial, ...]
    pictures: int
    upshot: str
    notes: tuple[str, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    labels: list[str] | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """Two sides of a comparison: our model on its pictures, and what the other said of them."""

    ours: Specimen
    pictures: Sequence[Picture]
    matched: Matched
    other: Specimen | None
    shown: str


def against_record(
    ours: Specimen,
    engine: Engine,
    own: Range | None,
    pictures: Sequence[Picture],
    path: str,
    say: Say,
) -> Compared:
    """Against the answers in a file. Raises UsageError, InputError."""
    answers, notes = recorded.read(path)
    pairs = matching.pair_up([p.name for p in pictures], answers, path)
    given = {picture.name: picture for picture in pictures}
    chosen = [given.get(name) or Picture(name) for name, _ in pairs]
    matched = matching.of_recorded([answer for _, answer in pairs], ours, engine.step, path)
    left = len(pictures) - len(pairs)
    if left > 0:
        notes = (*notes, f"{path} holds no answer to {counted(left, 'picture')}")
    if any(answer.logits for _, answer in pairs):
        notes = (*notes, f"the scores in {path} are logits: softmax is applied to them here")
    case = _Case(ours, chosen, replace(matched, notes=(*matched.notes, *notes)), None, path)
    return _compared(case, engine, own, (), say)


def against_model(
    ours: Specimen,
    engine: Engine,
    own: Range | None,
    pictures: Sequence[Picture],
    name: str,
    say: Say,
) -> Compared:
    """Against another model, which is taken to be right. Raises ModelError, UsageError."""
    other = specimen.read(name)
    chosen = list(pictures) or [Picture(zoo.GOLDEN / each) for each in probe.pictures()]
    with Engine(other) as theirs:
        range_ = _range_of(other)
        notes: tuple[str, ...] = ()
        if range_ is None and other.input is not None and other.input.dtype == "float32":
            range_ = knowing.known(other, theirs, None).best
            notes = (f"{other.name} does not say its mean and std: known pictures chose them",)
        trials = Trials(other, theirs, chosen, range_)
        scores = [trials.answer(Way.of(other.rule), place) for place in range(len(chosen))]
        step = max(engine.step, theirs.step)
    if not pictures:
        notes = (*notes, "compared on the golden pictures of this package, as none was given")
    matched = matching.of_model(scores, other, ours, step)
    case = _Case(ours, chosen, replace(matched, notes=notes), other, other.name)
    return _compared(case, engine, own, _as_other(ours, other, own, range_), say)


def _range_of(model: Specimen) -> Range | None:
    means, stds = model.metadata.mean, model.metadata.std
    if model.input is None or model.input.dtype != "float32" or not means:
        return None
    return Range(means, stds) if len(means) == len(stds) and all(stds) else None


def _as_other(
    ours: Specimen, other: Specimen, own: Range | None, theirs: Range | None
) -> list[Deviation]:
    """The ways in which the other file itself says to go."""
    found = []
    if own is not None and theirs is not None and not alike(own, theirs):
        words = f"pixels are scaled as {other.name} says"
        found.append(Deviation("range", "mean-std", words, (("range", theirs),)))
    rule = other.rule
    if rule != ours.rule:
        code = "resize-filter"
        if (rule.mode, rule.fraction) != (ours.rule.mode, ours.rule.fraction):
            code = "stretch-crop"
        fields = (("mode", rule.mode), ("filter", rule.filter), ("fraction", rule.fraction))
        words = f"pictures are cut and resized by {rule}, as {other.name} says"
        found.append(Deviation("cut", code, words, fields))
    return found


def _compared(
    case: _Case, engine: Engine, own: Range | None, also: Sequence[Deviation], say: Say
) -> Compared:
    order = _informative(case.pictures)
    pictures = [case.pictures[i] for i in order]
    targets = [case.matched.targets[i] for i in order]
    trials = Trials(
        case.ours, engine, pictures, own, lambda done: say(f"{done} ways of pictures tried")
    )
    base, found = Search(trials, Way.of(case.ours.rule), targets, also).run()
    decision = decide(base, found, targets)
    case = replace(case, pictures=pictures, matched=replace(case.matched, targets=tuple(targets)))
    shift = _shift(case.matched)
    findings, upshot = _findings(case, decision, base, shift)
    causes = decision.causes[:1]
    return Compared(
        findings=tuple(findings),
        trials=_table(base, found, decision),
        pictures=len(pictures),
        upshot=upshot,
        notes=(*case.matched.notes, *_remarks(decision, base, pictures)),
        deviations=causes[0].deviations if causes else (),
        labels=_labels(case, causes[0], shift) if causes else None,
    )


def _informative(pictures: Sequence[Picture]) -> list[int]:
    """The order in which pictures are tried: one with an EXIF turn and one not square go first."""
    order = list(range(len(pictures)))
    turned = [i for i in order if pictures[i].orientation != 1]
    oblong = [i for i in order if pictures[i].size[0] != pictures[i].size[1]]
    return list(dict.fromkeys([*turned[:2], *oblong[:2], *order]))


def _shift(matched: Matched) -> int | None:
    """By how much names lie behind indices where the two contradict; 0 where it varies."""
    steps: Counter[int] = Counter()
    for target in matched.targets:
        if "by index" in target.classes:
            own, index = target.classes["own"], target.classes["by index"]
            there = (own >= 0) & (index >= 0)
            steps.update((own - index)[there].tolist())
    if not steps:
        return None
    step, count = steps.most_common(1)[0]
    return step if count >= _CONSTANT * steps.total() else 0


def _table(own: Explanation, found: Sequence[Explanation], decision: Decision) -> tuple[Trial, ...]:
    rows = [Trial("as the model does it", (), own.fit.mean, own.fit.same_first)]
    chosen = [*decision.causes, *found]
    told: set[str] = set()
    for each in chosen:
        if each.words not in told and len(told) < _SHOWN:
            told.add(each.words)
            rows.append(Trial(each.words, each.codes, each.fit.mean, each.fit.same_first))
    return tuple(rows)


def _findings(
    case: _Case, decision: Decision, own: Explanation, shift: int | None
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
    case: _Case, decision: Decision, own: Explanation, shift: int | None
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
    case: _Case, groups: Mapping[tuple[str, ...], Sequence[Explanation]], own: Explanation
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
    case: _Case,
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


def _fix_of(case: _Case, best: Explanation, mended: bool) -> str:
    if not mended:
        return ""
    return f" `--fix` makes {case.ours.name} agree with {os.path.basename(case.shown)}."


def _said(case: _Case, code: str) -> list[str]:
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


def _contradicting(case: _Case, shift: int | None) -> Finding:
    code = "labels-shifted" if shift in (-1, 1) else "labels-differ"
    return Finding(
        code,
        Severity.SERIOUS,
        "Indices are shifted by one" if code == "labels-shifted" else title(code),
        (case.matched.contradiction, "the scores belong to the classes of these names"),
        "Count classes from 0, in the order of the model's labels. " + advice(code),
    )


def _labels(case: _Case, cause: Explanation, shift: int | None) -> list[str] | None:
    """The names that make our scores agree with the other's, where names are what is wrong."""
    counting = cause.counting
    lines = list(case.ours.labels)
    if counting == "own" or len(lines) != case.ours.classes:
        return None
    if case.other is not None:
        classes = case.matched.targets[0].classes[counting]
        if len(case.other.labels) != len(classes):
            return None
        for place, name in zip(classes.tolist(), case.other.labels, strict=True):
            if place >= 0:
                lines[place] = name
        return lines
    step = {"+1": 1, "-1": -1}.get(counting, -(shift or 0))
    return lines[-step:] + lines[:-step] if step else None


def _same_network(one: Specimen, other: Specimen) -> bool:
    """Whether the layers have the same shapes, whatever their numbers are stored as."""
    return _layers(one) == _layers(other)


def _layers(model: Specimen) -> Counter[tuple[int, ...]]:
    from .._flatbuffer import Node

    tensors = Node.root(model.data).nodes(2)[0].nodes(0)
    shapes = [tensor.numbers(0, "i") for tensor in tensors if tensor.number(2, "I")]
    return Counter(shape for shape in set(shapes) if len(shape) == 4 and np.prod(shape) > 27)


def _remarks(decision: Decision, own: Explanation, pictures: Sequence[Picture]) -> list[str]:
    """What these pictures could not have shown, and what calibration explains."""
    said = []
    if decision.kind in ("agree", "close") and abs(own.fit.temperature - 1) > 0.02:
        said.append(
            f"one of the two is calibrated: scores fit at a temperature of "
            f"{own.fit.temperature:.2f}, which is no fault"
        )
    if decision.kind in ("agree", "close"):
        unseen = []
        if all(picture.orientation == 1 for picture in pictures):
            unseen.append("an ignored EXIF turn (none has one)")
        if all(picture.size[0] == picture.size[1] for picture in pictures):
            unseen.append("stretching (all are square)")
        if all(picture.grey for picture in pictures):
            unseen.append("swapped colours (all are grey)")
        if unseen:
            said.append(f"these pictures would not show {', '.join(unseen)}")
    return said
