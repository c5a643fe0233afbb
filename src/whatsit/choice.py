"""Limits, measured candidates, and the choice among them with its reasons in words.

The recommended one is on the front: no other is at least as fast, as small and as accurate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import wording
from .compare import compare
from .errors import UsageError, WhatsitError
from .evaluation import Evaluation
from .measures import Rate, Spread

# Less than a point of Top-1 is not worth a slower model: few samples could even show it.
_SAME_TOP1 = 0.01
# Medians closer than this change places from one run to the next on a quiet machine.
_SAME_LATENCY = 1.1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model may cost and must give; None for no limit. `min_top1` is a share, 0 to 1."""

    max_latency_ms: float | None = None
    max_size_bytes: int | None = None
    min_top1: float | None = None

    def __post_init__(self) -> None:
        for value, what in (
            (self.max_latency_ms, "a latency in ms"),
            (self.max_size_bytes, "a size in bytes"),
        ):
            if value is not None and not value > 0:
                raise UsageError(f"a limit of {value:g}", expected=f"{what} above 0")
        if self.min_top1 is not None and not 0 <= self.min_top1 <= 1:
            raise UsageError(f"a Top-1 of {self.min_top1:g}", expected="a share from 0 to 1")


@dataclass(frozen=True)
class Candidate:
    """One model, measured. `shortfalls` names, in words, each limit that it does not keep."""

    name: str
    size_bytes: int
    latency: Spread
    top1: Rate | None
    top1_source: str
    evaluation: Evaluation | None = None
    shortfalls: tuple[str, ...] = ()
    on_front: bool = False
    runtime: str = ""

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "model": self.name,
            "size_bytes": self.size_bytes,
            "runtime": self.runtime,
            "latency_ms": self.latency.to_json(),
            "top1": None if self.top1 is None else self.top1.to_json(),
            "top1_source": self.top1_source,
            "on_front": self.on_front,
            "shortfalls": list(self.shortfalls),
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A model that could not be measured, and the error that prevented it."""

    name: str
    error: WhatsitError


@dataclass(frozen=True)
class Choice:
    """All candidates, the recommended one if any fits, and why.

    `tied` cannot be told apart from it in accuracy; `relax` says what to give up if none fits;
    `timing` how the latencies were taken; `device` whose they are, None for this machine's.
    """

    candidates: tuple[Candidate, ...]
    limits: Limits
    recommended: str | None
    tied: tuple[str, ...]
    reasons: tuple[str, ...]
    relax: tuple[str, ...]
    dataset: str | None
    pictures: int
    timing: str
    machine: Mapping[str, object]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    device: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For --json: shares from 0 to 1, times in ms."""
        return {
            "recommended": self.recommended,
            "tied": list(self.tied),
            "reasons": list(self.reasons),
            "relax": list(self.relax),
            "limits": {
                "max_latency_ms": self.limits.max_latency_ms,
                "max_size_bytes": self.limits.max_size_bytes,
                "min_top1": self.limits.min_top1,
            },
            "dataset": self.dataset,
            "pictures": self.pictures,
            "timing": self.timing,
            "device": self.device,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "left_out": [
                {"model": missing.name, "error": missing.error.to_json()}
                for missing in self.left_out
            ],
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "machine": dict(self.machine),
        }


def decide(
    candidates: Sequence[Candidate],
    limits: Limits,
    *,
    dataset: str | None,
    pictures: int,
    timing: str,
    machine: Mapping[str, object],
    warnings: Sequence[str] = (),
    notes: Sequence[str] = (),
    left_out: Sequence[LeftOut] = (),
    device: str | None = None,
) -> Choice:
    """The choice among measured candidates; the same numbers give the same choice.

    Of those within the limits and on the front, the most accurate; but one that is within a point
    of it, and not surely worse, goes first if it is faster.
    """
    judged = tuple(
        replace(c, on_front=_on_front(c, candidates), shortfalls=tuple(_shortfalls(c, limits)))
        for c in sorted(candidates, key=lambda c: (c.latency.median, c.name))
    )
    fitting = [c for c in judged if c.on_front and not c.shortfalls and c.top1 is not None]
    best = max(fitting, key=_accuracy, default=None)
    chosen = None if best is None else _fastest_like(best, fitting)
    tied = [c for c in fitting if c is not chosen and chosen and not _told_apart(chosen, c)]
    return Choice(
        candidates=judged,
        limits=limits,
        recommended=None if chosen is None else chosen.name,
        tied=tuple(c.name for c in tied),
        reasons=tuple(_reasons(chosen, tied, judged, limits)),
        relax=() if chosen else tuple(_relaxations(judged, limits)),
        dataset=dataset,
        pictures=pictures,
        timing=timing,
        machine=machine,
        warnings=tuple(warnings),
        notes=tuple(notes),
        left_out=tuple(left_out),
        device=device,
    )


def _accuracy(candidate: Candidate) -> float:
    return -1.0 if candidate.top1 is None else candidate.top1.value


def _on_front(candidate: Candidate, others: Sequence[Candidate]) -> bool:
    """Whether no other is at least as good in all three respects and better in one.

    Of a model whose accuracy is not known, nobody can say.
    """
    if candidate.top1 is None:
        return False

    def costs(c: Candidate) -> tuple[float, float, float]:
        return c.latency.median, c.size_bytes, -_accuracy(c)

    own = costs(candidate)
    return not any(
        costs(other) != own and all(a <= b for a, b in zip(costs(other), own, strict=True))
        for other in others
        if other.top1 is not None
    )


def _fastest_like(best: Candidate, fitting: Sequence[Candidate]) -> Candidate:
    """The fastest of those as accurate as the best; of equally fast ones the most accurate."""
    alike = [
        c
        for c in fitting
        if _accuracy(best) - _accuracy(c) <= _SAME_TOP1 and not _told_apart(best, c)
    ]
    fastest = min(c.latency.median for c in alike)
    near = [c for c in alike if c.latency.median <= fastest * _SAME_LATENCY]
    return min(near, key=lambda c: (-_accuracy(c), c.size_bytes, c.name))


def _told_apart(one: Candidate, other: Candidate) -> bool:
    """Whether the two are surely not equally accurate.

    By McNemar's test where both answered the same pictures, else if the one's interval does not
    reach the other's share.
    """
    if one is other or one.top1 is None or other.top1 is None:
        return False
    if one.evaluation is not None and other.evaluation is not None:
        return compare(one.evaluation, other.evaluation).significant
    low, high = one.top1.interval
    return not low <= other.top1.value <= high


def _shortfalls(candidate: Candidate, limits: Limits) -> list[str]:
    """The limits that a candidate does not keep, in words."""
    said = []
    latency, size, top1 = candidate.latency.median, candidate.size_bytes, candidate.top1
    if limits.max_latency_ms is not None and latency > limits.max_latency_ms:
        said.append(
            f"{wording.milliseconds(latency)} a picture, "
            f"over {wording.milliseconds(limits.max_latency_ms)}"
        )
    if limits.max_size_bytes is not None and size > limits.max_size_bytes:
        said.append(f"{wording.megabytes(size)}, over {wording.megabytes(limits.max_size_bytes)}")
    if limits.min_top1 is not None:
        if top1 is None:
            said.append("its Top-1 is not known")
        elif top1.value < limits.min_top1:
            digits = 1 if limits.min_top1 - top1.value > 0.001 else 3  # not "82.5 %, under 82.5 %"
            own, wanted = (wording.percent(s, digits) for s in (top1.value, limits.min_top1))
            said.append(f"Top-1 {own}, under {wanted}")
    return said


def _reasons(
    chosen: Candidate | None,
    tied: Sequence[Candidate],
    judged: Sequence[Candidate],
    limits: Limits,
) -> list[str]:
    """Why this one, in plain words, and what speaks against it."""
    if chosen is None or chosen.top1 is None:
        return _nothing(judged)
    low, high = chosen.top1.interval
    said = [
        f"{chosen.name}: Top-1 {wording.percent(chosen.top1.value)} "
        f"({wording.percent(low)} to {wording.percent(high)}), "
        f"{wording.milliseconds(chosen.latency.median)} a picture, "
        f"{wording.megabytes(chosen.size_bytes)}"
    ]
    said += [_against(chosen, other, other in tied) for other in judged if _rivals(chosen, other)]
    said += [_tie(chosen, other) for other in tied if not _rivals(chosen, other)]
    if limits.max_latency_ms is not None and chosen.latency.p95 > limits.max_latency_ms:
        said.append(
            f"one picture in twenty takes longer than {wording.milliseconds(chosen.latency.p95)}"
        )
    if limits.min_top1 is not None and low < limits.min_top1:
        said.append(
            f"its true Top-1 may be as low as {wording.percent(low)}: more pictures would tell"
        )
    return said


def _nothing(judged: Sequence[Candidate]) -> list[str]:
    """Why no model can be recommended."""
    unknown = [c.name for c in judged if c.top1 is None]
    said = ["no model keeps the limits"] if len(unknown) < len(judged) else []
    if unknown:
        said.append(f"of {', '.join(unknown)} no Top-1 is known: measure it with --data")
    return said


def _rivals(chosen: Candidate, other: Candidate) -> bool:
    """Whether a person would ask: why not the other, which is right more often?"""
    return _accuracy(other) > _accuracy(chosen)


def _against(chosen: Candidate, other: Candidate, tied: bool) -> str:
    """Why not the other one, although it is right more often."""
    points = 100 * (_accuracy(other) - _accuracy(chosen))
    more = f"{other.name} is right {points:.1f} points more often"
    if other.shortfalls:
        return f"{more}, but does not fit: {'; '.join(other.shortfalls)}"
    times = other.latency.median / chosen.latency.median
    cost = f"takes {times:.1f} × the time" if times > 1.05 else "is no faster"
    doubt = f", and {_evidence(chosen, other)}" if tied else ""
    return f"{more}, but {cost}{doubt}"


def _tie(chosen: Candidate, other: Candidate) -> str:
    return f"{chosen.name} and {other.name} cannot be told apart: {_evidence(chosen, other)}"


def _evidence(chosen: Candidate, other: Candidate) -> str:
    if chosen.evaluation is None or other.evaluation is None:
        return "their recorded intervals overlap: only --data can tell"
    paired = compare(chosen.evaluation, other.evaluation)
    return (
        f"of {paired.pictures} pictures only the one has {paired.only_first} right, "
        f"only the other {paired.only_second} ({wording.p_equals(paired.p_value)})"
    )


def _relaxations(judged: Sequence[Candidate], limits: Limits) -> list[str]:
    """The smallest change of one limit that lets a model in; if none does, of several."""
    said = []
    for kind in ("max_latency_ms", "max_size_bytes", "min_top1"):
        if getattr(limits, kind) is None:
            continue
        others = replace(limits, **{kind: None})
        open_to = [c for c in judged if c.top1 is not None and not _shortfalls(c, others)]
        if open_to:
            said.append(_relaxed(kind, open_to))
    if not said:
        known = [c for c in judged if c.top1 is not None]
        closest = min(known, key=lambda c: (len(c.shortfalls), c.latency.median), default=None)
        if closest is not None:
            said.append(f"no single limit: {closest.name} has {'; '.join(closest.shortfalls)}")
    return said


def _relaxed(kind: str, open_to: Sequence[Candidate]) -> str:
    """The limit that lets in the nearest of `open_to`, written as the option."""
    if kind == "max_latency_ms":
        nearest = min(open_to, key=lambda c: c.latency.median)
        option = f"--max-latency {_up(nearest.latency.median):g}ms"
    elif kind == "max_size_bytes":
        nearest = min(open_to, key=lambda c: c.size_bytes)
        option = f"--max-size {_up(nearest.size_bytes / 1e6):g}MB"
    else:
        nearest = max(open_to, key=_accuracy)
        option = f"--min-top1 {math.floor(1000 * _accuracy(nearest)) / 10:g}"
    return f"{option} would let in {nearest.name}"


def _up(value: float) -> float:
    """Rounded up to a tenth, so that the limit holds as it is printed."""
    return math.ceil(value * 10) / 10
