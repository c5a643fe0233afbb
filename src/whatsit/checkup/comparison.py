"""Holds a model's answers against another model's, or against recorded ones, and says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .. import zoo
from ..getting import probe
from ..wording import counted, shown
from . import knowing, matching, recorded, specimen
from .deciding import Decision, decide
from .engine import Engine
from .hypotheses import Deviation, alike
from .reasons import Case, findings_of
from .searching import Explanation, Search, Trials
from .values import Finding, Progress, Trial
from .ways import Picture, Range

if TYPE_CHECKING:
    from .answers import Recorded
    from .matching import Matched
    from .specimen import Specimen

MOST_PICTURES = 32  # that are compared: all are kept in memory
_SHOWN = 7  # ways in the table
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


def against_record(
    ours: Specimen,
    engine: Engine,
    own: Range | None,
    pictures: Sequence[Picture],
    path: str,
    say: Progress,
) -> Compared:
    """Against the answers in a file. Raises UsageError, InputError."""
    answers, notes = recorded.read(path)
    pairs = matching.pair_up([p.name for p in pictures], answers, path)
    notes = (*notes, *_odd_pairs(pairs, path))
    pairs = pairs[:MOST_PICTURES]
    given = {picture.name: picture for picture in pictures}
    chosen = [given.get(name) or Picture(name) for name, _ in pairs]
    matched = matching.of_recorded([answer for _, answer in pairs], ours, engine.step, path)
    left = len(pictures) - len(pairs)
    if left > 0:
        notes = (*notes, f"{path} holds no answer to {counted(left, 'picture')}")
    if any(answer.logits for _, answer in pairs):
        notes = (*notes, f"the scores in {path} are logits: softmax is applied to them here")
    case = Case(ours, chosen, replace(matched, notes=(*matched.notes, *notes)), None, path)
    return _compared(case, engine, own, (), say)


def _odd_pairs(pairs: Sequence[tuple[str, Recorded]], path: str) -> list[str]:
    """What is to be known of the pairs: one that was made against the names, or too many."""
    said = []
    if len(pairs) > MOST_PICTURES:
        said.append(f"only the first {MOST_PICTURES} of {len(pairs)} pictures are used")
    (name, answer), *others = pairs
    there = matching.file_name(answer.path or name)
    if not others and there != matching.file_name(name):
        said.append(f"{path} names the picture {shown(there, 60)}, not {matching.file_name(name)}")
    return said


def against_model(
    ours: Specimen,
    engine: Engine,
    own: Range | None,
    pictures: Sequence[Picture],
    name: str,
    say: Progress,
) -> Compared:
    """Against another model, which is taken to be right. Raises ModelError, UsageError."""
    other = specimen.read(name)
    chosen = list(pictures) or [Picture(zoo.GOLDEN / each) for each in probe.pictures()]
    with Engine(other) as theirs:
        range_ = Range.said(other.input, other.metadata)
        notes: tuple[str, ...] = ()
        if range_ is None and other.input is not None and other.input.dtype == "float32":
            range_ = knowing.known(other, theirs, None).best
            notes = (f"{other.name} does not say its mean and std: known pictures chose them",)
        trials = Trials(other, theirs, chosen, range_)
        scores = [trials.answer(trials.base, place) for place in range(len(chosen))]
        step = max(engine.step, theirs.step)
    if not pictures:
        notes = (*notes, "compared on the golden pictures of this package, as none was given")
    matched = matching.of_model(scores, other, ours, step)
    case = Case(ours, chosen, replace(matched, notes=notes), other, other.name)
    return _compared(case, engine, own, _as_other(ours, other, own, range_), say)


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
    case: Case, engine: Engine, own: Range | None, also: Sequence[Deviation], say: Progress
) -> Compared:
    order = _informative(case.pictures)
    pictures = [case.pictures[i] for i in order]
    targets = [case.matched.targets[i] for i in order]
    trials = Trials(
        case.ours, engine, pictures, own, lambda done: say(done, None, "ways of pictures tried")
    )
    base, found = Search(trials, targets, also).run()
    decision = decide(base, found, targets)
    case = replace(case, pictures=pictures, matched=replace(case.matched, targets=tuple(targets)))
    shift = _shift(case.matched)
    findings, upshot = findings_of(case, decision, base, shift)
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


def _labels(case: Case, cause: Explanation, shift: int | None) -> list[str] | None:
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
