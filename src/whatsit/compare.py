"""Two models on the same pictures: which is better, and could that be chance?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from .errors import DatasetError, UsageError
from .evaluation import Answer, Evaluation
from .measures import Rate, mcnemar, paired_difference
from .wording import counted, p_equals, shown

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Flip:
    """A picture that exactly one model has right; `won` if it is the second.

    `truth` and `first` hold class indices of the first model, `second` one of the second.
    """

    path: str
    truth: int
    first: tuple[int, float]
    second: tuple[int, float]
    won: bool


@dataclass(frozen=True)
class Comparison:
    """Counts are of the pictures that both models answered: right by both, by one, by none."""

    first: Evaluation
    second: Evaluation
    both: int
    only_first: int
    only_second: int
    neither: int
    flips: tuple[Flip, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def pictures(self) -> int:
        """How many pictures both models answered."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def top1(self) -> tuple[Rate, Rate]:
        """Top-1 of the first and of the second model, on these pictures."""
        return (
            Rate(self.both + self.only_first, self.pictures),
            Rate(self.both + self.only_second, self.pictures),
        )

    @property
    def p_value(self) -> float:
        """McNemar's test, exact and two-sided."""
        return mcnemar(self.only_first, self.only_second)

    @property
    def difference(self) -> float:
        """Top-1 of the second less that of the first, a share."""
        return (self.only_second - self.only_first) / self.pictures

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference, as shares."""
        return paired_difference(self.both, self.only_first, self.only_second, self.neither)

    @property
    def names(self) -> tuple[str, str]:
        """What to call the two: the models, and what else tells them apart if that does not."""
        first, second = self.first, self.second
        names = [first.model, second.model]
        for one, other in (
            (first.preprocess, second.preprocess),
            (first.runtime, second.runtime),
            (first.model_sha256[:8], second.model_sha256[:8]),
        ):
            if names[0] == names[1] and one != other:
                names = [f"{names[0]} {one}", f"{names[1]} {other}"]
        return names[0], names[1]

    @property
    def significant(self) -> bool:
        """Whether the test tells the two apart."""
        return self.p_value < SIGNIFICANT

    def classes_flipped(self) -> list[tuple[str, int, int]]:
        """Each class with flips as (name, lost, won), most flips first."""
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for flip in self.flips:
            counts[self.first.labels.names[flip.truth]][flip.won] += 1
        order = sorted(counts, key=lambda name: (-sum(counts[name]), name))
        return [(name, counts[name][0], counts[name][1]) for name in order]

    def verdict(self) -> str:
        """Which is better, in plain words, or that nobody can say."""
        flips = f"{max(self.only_first, self.only_second)} against {self._fewer}"
        if not self.significant:
            return f"cannot be told apart with {counted(self.pictures, 'picture')}: {flips}"
        better = self.names[self.difference > 0]
        low, high = sorted(abs(100 * bound) for bound in self.interval)
        if self.interval[0] * self.interval[1] < 0:  # the two methods differ at the very edge
            low = -low
        points = abs(100 * self.difference)
        return (
            f"{better} is better by {points:.1f} points ({low:.1f} to {high:.1f}), "
            f"{p_equals(self.p_value)}: {flips}"
        )

    @property
    def _fewer(self) -> int:
        return min(self.only_first, self.only_second)

    def to_json(self) -> dict[str, Any]:
        """The object that `whatsit compare --json` prints."""
        first, second = self.first.labels.names, self.second.labels.names
        return {
            "models": list(self.names),
            "dataset": self.second.dataset,
            "root": self.second.root,
            "pictures": self.pictures,
            "both": self.both,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "neither": self.neither,
            "top1": [rate.to_json() for rate in self.top1],
            "difference": round(self.difference, 6),
            "interval": [round(bound, 6) for bound in self.interval],
            "p_value": self.p_value,
            "verdict": self.verdict(),
            "classes": [
                {"name": name, "lost": lost, "won": won}
                for name, lost, won in self.classes_flipped()
            ],
            "flips": [
                {
                    "path": flip.path,
                    "truth": first[flip.truth],
                    "won": flip.won,
                    "first": {"answer": first[flip.first[0]], "score": round(flip.first[1], 6)},
                    "second": {"answer": second[flip.second[0]], "score": round(flip.second[1], 6)},
                }
                for flip in self.flips
            ],
            "notes": list(self.notes),
        }


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """The two on the pictures that both answered, matched by their place in the data set.

    Each answer is right or wrong by the classes of its own model, so these may differ. Raises
    DatasetError if the two have no pictures in common, UsageError if they disagree on the truth or
    on the size of a picture's file.
    """
    others = {answer.path: answer for answer in second.answers}
    pairs = [(a, others[a.path]) for a in first.answers if a.path in others]
    if not pairs:
        raise DatasetError(
            f"no picture was answered by both {first.model!r} and {second.model!r}",
            expected="two evaluations of the same pictures",
        )
    for one, other in pairs:
        _check_same(one, other)
    if first.labels.names == second.labels.names:
        _check_truths(pairs, first)
    counts = {(a, b): 0 for a in (True, False) for b in (True, False)}
    for one, other in pairs:
        counts[one.right, other.right] += 1
    return Comparison(
        first=first,
        second=second,
        both=counts[True, True],
        only_first=counts[True, False],
        only_second=counts[False, True],
        neither=counts[False, False],
        flips=tuple(_flip(one, other) for one, other in pairs if one.right != other.right),
        notes=_notes(first, second, len(pairs)),
    )


def _notes(first: Evaluation, second: Evaluation, pictures: int) -> tuple[str, ...]:
    notes = []
    left_out = len(first.answers) + len(second.answers) - 2 * pictures
    if left_out:
        notes.append(f"left out, since only one model answered them: {left_out} of the pictures")
    elif not (first.failures or second.failures) and _files_differ(first, second):
        notes.append("the files were copied or changed between the two evaluations")
    if first.failures and first.failures == second.failures:
        notes.append(_failed("both", first))
    else:
        notes += [_failed(e.model, e) for e in (first, second) if e.failures]
    return tuple(notes)


def _failed(whom: str, evaluation: Evaluation) -> str:
    failures = evaluation.failures
    return f"failed with {whom}: {len(failures)} of the pictures; {failures[0].error['message']}"


def _files_differ(first: Evaluation, second: Evaluation) -> bool:
    """Whether sizes, times or labels of the same pictures are others, as far as that was kept."""
    known = first.fingerprint and second.fingerprint
    return bool(known) and first.fingerprint != second.fingerprint


def _check_same(one: Answer, other: Answer) -> None:
    sizes = (one.size_bytes, other.size_bytes)
    if None not in sizes and sizes[0] != sizes[1]:
        raise UsageError(
            f"{one.path!r} is another picture in the second evaluation: its file has {sizes[1]} "
            f"bytes, and {sizes[0]} in the first",
            expected="two evaluations of the same data set",
        )


def _check_truths(pairs: list[tuple[Answer, Answer]], first: Evaluation) -> None:
    for one, other in pairs:
        if one.truth != other.truth:
            names = first.labels.names
            raise UsageError(
                f"the two evaluations disagree on {one.path!r}: is it "
                f"{shown(repr(names[one.truth]), 80)} or {shown(repr(names[other.truth]), 80)}?",
                expected="two evaluations of the same data set",
            )


def _flip(one: Answer, other: Answer) -> Flip:
    return Flip(one.path, one.truth, one.ranked[0], other.ranked[0], won=other.right)
