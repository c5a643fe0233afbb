"""What is wrong with the classes themselves: empty, small, uneven, or twice under two names."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..wording import counted
from .values import Evidence, Finding, Severity

FEW = 10  # pictures of a class: with fewer, every one decides much
_UNEVEN = 5  # times as many in the largest class as in the smallest
_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])[ .-]+(?=[^\W\d_])")

Counts = Mapping[str, Mapping[str, int]]  # class → part → pictures


def findings(
    counts: Counts, empty: Sequence[tuple[str, str]], parts: Sequence[str]
) -> list[Finding]:
    """Of `counts`, in which the first of the parts is what a model would learn from.

    `empty` are (part, class) of the folders without pictures.
    """
    learned = {name: by.get(parts[0], 0) for name, by in counts.items() if by.get(parts[0], 0)}
    return [
        *_alone(learned, empty),
        *_small(learned),
        *_alike(counts),
        *_missing(counts, parts),
    ]


def _alone(learned: Mapping[str, int], empty: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    if empty:
        yield Finding(
            "empty-class",
            Severity.SERIOUS,
            f"{counted(len(empty), 'class')} without a picture",
            "Put pictures into the folder, or remove it.",
            tuple(Evidence(f"{name} in {part}", facts={"class": name}) for part, name in empty),
        )
    if len(learned) == 1:
        (name,) = learned
        yield Finding(
            "one-class",
            Severity.SERIOUS,
            "only one class",
            "A model needs two to tell apart: add a folder with pictures of anything else.",
            (Evidence(f"{name}, {counted(learned[name], 'picture')}", facts={"class": name}),),
        )
    lone = sorted(name for name, count in learned.items() if count == 1)
    if lone:
        yield Finding(
            "one-picture",
            Severity.SERIOUS,
            f"{counted(len(lone), 'class')} of one picture",
            "One picture cannot both teach a class and test it: add more.",
            tuple(Evidence(name, facts={"class": name}) for name in lone),
        )


def _small(learned: Mapping[str, int]) -> Iterator[Finding]:
    few = sorted((count, name) for name, count in learned.items() if 1 < count < FEW)
    if few:
        yield Finding(
            "few-pictures",
            Severity.WARNING,
            f"{counted(len(few), 'class')} of fewer than {FEW} pictures",
            "Add pictures: from about 20 a class on, a model becomes useful.",
            tuple(
                Evidence(f"{name}: {count}", facts={"class": name, "count": count})
                for count, name in few
            ),
        )
    if len(learned) < 2:
        return
    by_count = sorted((count, name) for name, count in learned.items())
    (least, rare), (most, common) = by_count[0], by_count[-1]
    if most >= _UNEVEN * least:
        yield Finding(
            "uneven-classes",
            Severity.WARNING,
            f"the largest class has {most / least:.0f} times the pictures of the smallest",
            "A model favours what it has seen most: add to the small classes.",
            (
                Evidence(f"{common}: {most}", facts={"class": common, "count": most}),
                Evidence(f"{rare}: {least}", facts={"class": rare, "count": least}),
            ),
        )


def spellings(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ only in case, and in what stands between words."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[_plain(name) or name].append(name)
    return [sorted(alike) for alike in found.values() if len(alike) > 1]


def _alike(counts: Counts) -> Iterator[Finding]:
    same = spellings(counts)
    if same:
        yield Finding(
            "alike-names",
            Severity.SERIOUS,
            f"{counted(len(same), 'class')} under more than one spelling",
            "If they mean the same, put them into one folder.",
            tuple(
                Evidence(
                    ", ".join(f"{name!r} ({sum(counts[name].values())})" for name in names),
                    facts={"classes": names},
                )
                for names in same
            ),
        )


def _plain(name: str) -> str:
    """A name without case and without what only parts its words.

    Signs elsewhere stay, for they tell names apart: C and C++, +1 and -1, 0.5 and 05.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    spaced = " ".join(folded.replace("_", " ").split())
    return _BETWEEN_LETTERS.sub("", spaced)


def _missing(counts: Counts, parts: Sequence[str]) -> Iterator[Finding]:
    cases = []
    for name, by in sorted(counts.items()):
        lacking = [part for part in parts if not by.get(part)]
        if lacking:
            text = f"{name} is not in {' and '.join(lacking)}"
            cases.append(Evidence(text, facts={"class": name, "missing": lacking}))
    if cases:
        yield Finding(
            "part-without-class",
            Severity.WARNING,
            f"{counted(len(cases), 'class')} not in every part",
            "A class that is not learned is always wrong; one that is not tested is not measured.",
            tuple(cases),
        )
