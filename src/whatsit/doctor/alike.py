"""Findings of pictures that are there more than once: leaks, contradictions, repetitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ..wording import counted
from .twins import Pair, grouped
from .values import Evidence, Finding, Picture, Severity

_SAME_FILE = "the same file"


def findings(pictures: Sequence[Picture], pairs: Sequence[Pair]) -> list[Finding]:
    """What the groups of same pictures mean: each may be a leak, a contradiction, or both."""
    members: dict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(grouped(len(pictures), ((p.first, p.second) for p in pairs))):
        members[number].append(place)
    of_group: dict[int, list[Pair]] = defaultdict(list)
    root = {place: number for number, places in members.items() for place in places}
    for pair in pairs:
        of_group[root[pair.first]].append(pair)
    leaks, conflicts, repeats = [], [], []
    for number, places in members.items():
        if len(places) < 2:
            continue
        own = [pictures[place] for place in places]
        case = _case(own, of_group[number])
        if len({picture.part for picture in own}) > 1:
            leaks.append(case)
        if len({picture.label for picture in own}) > 1:
            conflicts.append(case)
        if len({(picture.part, picture.label) for picture in own}) == 1:
            repeats.append(case)
    return list(_named(leaks, conflicts, repeats))


def _case(own: Sequence[Picture], pairs: Iterable[Pair]) -> Evidence:
    known = sorted(pairs, key=lambda pair: -pair.likeness)
    hows = list(dict.fromkeys(pair.how for pair in known))
    labels, parts = sorted({p.label for p in own}), sorted({p.part for p in own})
    text = "; ".join(hows[:2])
    if len(labels) > 1:
        text += f", as {' and as '.join(labels)}"
    if len(parts) > 1:
        text += f", in {' and in '.join(parts)}"
    return Evidence(
        text,
        tuple(picture.path for picture in own),
        known[-1].likeness,
        {
            "labels": [picture.label for picture in own],
            "parts": [picture.part for picture in own],
            "same_file": hows == [_SAME_FILE],
        },
    )


def _named(
    leaks: list[Evidence], conflicts: list[Evidence], repeats: list[Evidence]
) -> Iterator[Finding]:
    if leaks:
        yield Finding(
            "leak",
            Severity.SERIOUS,
            f"{counted(len(leaks), 'picture')} in more than one part",
            "A model has seen these before it is tested on them: keep each in one part only.",
            tuple(leaks),
        )
    if conflicts:
        yield Finding(
            "contradiction",
            Severity.SERIOUS,
            f"{counted(len(conflicts), 'picture')} in more than one class",
            "At least one of the labels is wrong, or the classes overlap: keep the right one.",
            tuple(conflicts),
        )
    if repeats:
        copies = sum(len(case.paths) - 1 for case in repeats)
        yield Finding(
            "repetition",
            Severity.WARNING,
            f"{counted(len(repeats), 'picture')} more than once in a class",
            f"{counted(copies, 'spare file')} can go: they teach nothing new. "
            "Training keeps them on one side of its split.",
            tuple(repeats),
        )
